//! The rules that look at one file by itself.

/// A rule, the files it is for, and what it says about one of them.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) concerns: fn(&str) -> bool,
    /// From a path and a text to complaints, each with its place.
    pub(super) check: fn(&str, &str) -> Vec<String>,
}

/// All of them. To add one, add a line.
pub(super) const RULES: &[Rule] = &[
    Rule { name: "module documentation", concerns: is_rust, check: module_documentation },
    Rule { name: "ignored tests", concerns: is_rust, check: ignored_tests },
    Rule { name: "unfinished code", concerns: is_rust, check: unfinished_code },
    Rule { name: "tabs", concerns: is_rust, check: tabs },
    Rule { name: "trailing whitespace", concerns: is_ours, check: trailing_whitespace },
    Rule { name: "final newline", concerns: is_ours, check: final_newline },
    Rule { name: "machine paths", concerns: is_ours, check: machine_paths },
    Rule { name: "registry hosts", concerns: is_ours, check: registry_hosts },
    Rule { name: "lints", concerns: is_manifest, check: lints },
];

/// The shortest text after `//!` that can be a sentence on what the file is.
const SENTENCE_CHARS_MIN: usize = 12;

// Written in pieces, so that this file does not break its own rules.
const UNFINISHED: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/home", "/")];
const REGISTRY_HOSTS: [&str; 4] = [
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("deb.debian", ".org"),
];

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// Texts written here. Messages kept byte by byte, and files that tools write, have their own form.
fn is_ours(path: &str) -> bool {
    let kept = ["dat", "sip", "csv", "bin"].iter().any(|it| path.ends_with(&format!(".{it}")));
    let folders = ["corpus", "corpora", "seeds"];
    !kept && path != "Cargo.lock" && !path.split('/').any(|it| folders.contains(&it))
}

/// The manifests of our crates. `udp` has its own lints: it alone may contain `unsafe`.
fn is_manifest(path: &str) -> bool {
    path.ends_with("/Cargo.toml") && !["crates/udp/Cargo.toml", "fuzz/Cargo.toml"].contains(&path)
}

fn module_documentation(path: &str, text: &str) -> Vec<String> {
    let first = text.lines().next().unwrap_or_default();
    let is_sentence = first.strip_prefix("//! ").is_some_and(|it| it.len() >= SENTENCE_CHARS_MIN);
    if is_sentence { vec![] } else { vec![format!("{path}:1: open with a `//!` sentence")] }
}

fn ignored_tests(path: &str, text: &str) -> Vec<String> {
    lines_where(path, text, "assert what it does today instead", |line| {
        let line = line.trim_start();
        line.starts_with("#[ignore")
            || (line.starts_with("#[cfg_attr(") && line.contains(", ignore"))
    })
}

fn unfinished_code(path: &str, text: &str) -> Vec<String> {
    lines_where(path, text, "finish it or leave it out", |line| {
        UNFINISHED.iter().any(|it| line.contains(it))
    })
}

fn tabs(path: &str, text: &str) -> Vec<String> {
    lines_where(path, text, "a tab; in a string write \\t", |line| line.contains('\t'))
}

fn trailing_whitespace(path: &str, text: &str) -> Vec<String> {
    let ends_in_space = |line: &str| line.ends_with(char::is_whitespace);
    let mut complaints: Vec<String> = text
        .split('\n')
        .enumerate()
        .filter(|(_, line)| ends_in_space(line))
        .map(|(index, _)| format!("{path}:{}: whitespace at the end of the line", index + 1))
        .collect();
    if text.ends_with("\n\n") {
        complaints.push(format!("{path}: empty lines at the end"));
    }
    complaints
}

fn final_newline(path: &str, text: &str) -> Vec<String> {
    let ends = text.is_empty() || text.ends_with('\n');
    if ends { vec![] } else { vec![format!("{path}: no newline at the end")] }
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    lines_where(path, text, "a path of one machine", |line| {
        MACHINE_PATHS.iter().any(|it| line.contains(it))
    })
}

fn registry_hosts(path: &str, text: &str) -> Vec<String> {
    lines_where(path, text, "the host of a package registry", |line| {
        REGISTRY_HOSTS.iter().any(|it| line.contains(it))
    })
}

fn lints(path: &str, text: &str) -> Vec<String> {
    let inherits = text.contains("[lints]\nworkspace = true\n");
    if inherits { vec![] } else { vec![format!("{path}: take the lints of the workspace")] }
}

fn lines_where(
    path: &str,
    text: &str,
    complaint: &str,
    is_bad: impl Fn(&str) -> bool,
) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| is_bad(line))
        .map(|(index, _)| format!("{path}:{}: {complaint}", index + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str, &str) -> Vec<String>;

    #[test]
    fn rule_table() {
        #[rustfmt::skip]
        let table: &[(Check, &str, usize)] = &[
            (module_documentation, "//! The frames of a stream.\n",          0),
            (module_documentation, "//! .\n",                                1),
            (module_documentation, "use std::fmt;\n//! Late is too late.\n", 1),
            (module_documentation, "",                                       1),
            (ignored_tests,        "#[test]\nfn a() {}\n",                   0),
            (ignored_tests,        "    #[ignore]\n",                        1),
            (ignored_tests,        "#[ignore = \"slow\"]\n",                1),
            (ignored_tests,        "#[cfg_attr(miri, ignore)]\n",            1),
            (unfinished_code,      "fn todo() {}\n",                         0),
            (unfinished_code,      UNFINISHED[0],                            1),
            (unfinished_code,      UNFINISHED[1],                            1),
            (tabs,                 "let a = \"\\t\";\n",                     0),
            (tabs,                 "\tlet a = 1;\n",                         1),
            (trailing_whitespace,  "a\n\nb\n",                               0),
            (trailing_whitespace,  "a \nb\r\nc\u{3000}\n",                   3),
            (trailing_whitespace,  "a\n\n",                                  1),
            (final_newline,        "a\n",                                    0),
            (final_newline,        "a\nb",                                   1),
            (machine_paths,        "/var/lib/dialtone\n",                    0),
            (machine_paths,        MACHINE_PATHS[0],                         1),
            (registry_hosts,       "https://example.com\n",                  0),
            (registry_hosts,       REGISTRY_HOSTS[0],                        1),
            (lints,                "[lints]\nworkspace = true\n",            0),
            (lints,                "[lints]\n",                              1),
        ];
        for (check, text, complaints) in table {
            assert_eq!(check("file", text).len(), *complaints, "{text:?}");
        }
    }

    #[test]
    fn a_complaint_names_file_and_line() {
        assert_eq!(tabs("a.rs", "x\n\ty\n"), ["a.rs:2: a tab; in a string write \\t"]);
    }

    #[test]
    fn which_files_are_ours_table() {
        let table = [
            ("crates/sip/src/lib.rs", true),
            ("run", true),
            ("tests/SKIPS", true),
            ("Cargo.lock", false),
            ("fuzz/corpus/uri/1", false),
            ("crates/sip/tests/torture/clerr.dat", false),
        ];
        for (path, expected) in table {
            assert_eq!(is_ours(path), expected, "{path}");
        }
    }
}
