//! Which crate may know which: the layers of ARCHITECTURE.md, checked with `cargo tree`.

use std::collections::BTreeSet;

use anyhow::ensure;

use crate::report::Report;
use crate::shell;

/// A crate of the workspace and the crates it is built on. What those are built on, it may use too.
struct Layer {
    name: &'static str,
    below: &'static [&'static str],
    /// It decides without I/O, clock or threads of its own.
    core: bool,
}

#[rustfmt::skip]
const LAYERS: &[Layer] = &[
    Layer { name: "udp",     below: &[],                             core: false },
    Layer { name: "sdp",     below: &[],                             core: true  },
    Layer { name: "sip",     below: &[],                             core: true  },
    Layer { name: "pbx",     below: &["sip", "sdp"],                 core: true  },
    Layer { name: "media",   below: &["pbx", "sdp", "udp"],          core: true  },
    Layer { name: "net",     below: &["pbx", "sip", "udp"],          core: false },
    Layer { name: "store",   below: &["pbx"],                        core: false },
    Layer { name: "web",     below: &["pbx", "store"],               core: false },
    Layer { name: "testkit", below: &["pbx", "media"],               core: false },
];

/// What a core crate never links, directly or through others.
const NOT_IN_CORE: &[&str] = &["tokio", "mio", "mlua", "sqlx", "axum", "hyper", "reqwest"];

/// Two checks for each core crate, one for each other layer.
pub(crate) fn check() -> anyhow::Result<Report> {
    let mut report = Report::default();
    for layer in LAYERS {
        let package = format!("dialtone-{}", layer.name);
        let above = misplaced(layer, &tree(&package, &["--depth", "1"])?);
        report.add(judge(&package, "its layer does not know", &above));
        if layer.core {
            let foreign = foreign_to_core(&tree(&package, &[])?);
            report.add(judge(&package, "the core does not use", &foreign));
        }
    }
    Ok(report)
}

fn judge(package: &str, rule: &str, found: &[String]) -> Report {
    Report::of(&format!("{package}: {rule} {}", found.join(", ")), found.is_empty())
}

/// The packages that `package` needs to be built for use, one name a line.
fn tree(package: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = shell::cargo(&["tree", "-q", "-p", package, "-e", "normal"]);
    command.args(["--prefix", "none", "--format", "{p}"]).args(arguments);
    let outcome = shell::run_and_read(&mut command, |_| false)?;
    ensure!(outcome.success, "cargo tree -p {package}");
    Ok(outcome.stdout)
}

/// The crates of the workspace in a tree that are not below the layer.
fn misplaced(layer: &Layer, tree: &str) -> Vec<String> {
    let below = all_below(layer);
    names(tree)
        .filter_map(|name| name.strip_prefix("dialtone-"))
        .filter(|name| *name != layer.name && !below.contains(name))
        .map(str::to_owned)
        .collect()
}

fn all_below(layer: &Layer) -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    for name in layer.below {
        all.insert(*name);
        all.extend(LAYERS.iter().filter(|it| it.name == *name).flat_map(all_below));
    }
    all
}

fn foreign_to_core(tree: &str) -> Vec<String> {
    let found: BTreeSet<&str> = names(tree).filter(|name| NOT_IN_CORE.contains(name)).collect();
    found.into_iter().map(str::to_owned).collect()
}

fn names(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_knows_what_is_below_it_and_no_more() {
        const MEDIA: Layer = Layer { name: "media", below: &["pbx", "udp"], core: true };
        let table: [(&str, &[&str]); 4] = [
            ("dialtone-media v0.1.0\ndialtone-pbx v0.1.0\nthiserror v2.0.21\n", &[]),
            ("dialtone-media v0.1.0\ndialtone-sip v0.1.0\n", &[]),
            ("dialtone-media v0.1.0\ndialtone-store v0.1.0\n", &["store"]),
            ("dialtone-media v0.1.0\ndialtone-net v0.1.0\ndialtone-web v0.1.0\n", &["net", "web"]),
        ];
        for (tree, expected) in table {
            assert_eq!(misplaced(&MEDIA, tree), expected, "{tree:?}");
        }
    }

    #[test]
    fn the_core_is_known_by_whole_names() {
        let table: [(&str, &[&str]); 3] = [
            ("bytes v1.12.2\nsmallvec v1.16.6\n", &[]),
            ("tokio-util v0.7.20\n", &[]),
            ("tokio v1.54.1\nbytes v1.12.2\ntokio v1.54.1 (*)\n", &["tokio"]),
        ];
        for (tree, expected) in table {
            assert_eq!(foreign_to_core(tree), expected, "{tree:?}");
        }
    }
}
