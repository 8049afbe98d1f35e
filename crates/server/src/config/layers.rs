//! Collects the layers of the configuration: which value of each key is in force, and from where.

use super::{DEFAULT, FLAG, Given, KEYS, Problem, key};
use pbx::language::Text;
use pbx::text;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use web::failure::of_io;
use web::nearest::nearest;

/// Where to look besides the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The bootstrap file; it must exist. Drop-ins are `conf.d/*.toml` beside it.
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Environment,
    /// The default of `data_dir` where it is not the declared one.
    pub(crate) data_dir: Option<&'static str>,
    /// `section.key` and its text, from the command line.
    pub(crate) flags: Vec<(String, String)>,
}

/// Variables of the environment, given as a value so that tests need no process of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(pub(crate) Vec<(String, String)>);

/// Variables of this name scheme that are not keys.
const RESERVED: [&str; 3] = ["DIALTONE_CONFIG", "DIALTONE_SOCKET", "DIALTONE_LANG"];

/// A variable without section that is further than this from every key belongs to somebody else.
const TYPO_EDITS: usize = 2;

const PREFIX: &str = "DIALTONE_";

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }
}

/// The value in force of every key, and the files read.
#[expect(clippy::type_complexity, reason = "both parts are named where they are used")]
pub(super) fn collect(
    sources: &Sources,
) -> Result<(BTreeMap<&'static str, Given>, Vec<PathBuf>), Vec<Problem>> {
    let mut layers = Layers { given: defaults(), problems: Vec::new() };
    if let Some(folder) = sources.data_dir {
        layers.add("data_dir", Value::String(folder.to_owned()), DEFAULT);
    }
    let files = layers.add_files(sources.file.as_deref());
    layers.add_environment(&sources.environment);
    for (path, text) in &sources.flags {
        layers.add(path, Value::String(text.clone()), FLAG);
    }
    if layers.problems.is_empty() { Ok((layers.given, files)) } else { Err(layers.problems) }
}

struct Layers {
    given: BTreeMap<&'static str, Given>,
    problems: Vec<Problem>,
}

impl Layers {
    fn add_files(&mut self, file: Option<&Path>) -> Vec<PathBuf> {
        let Some(file) = file else { return vec![] };
        let mut files = vec![file.to_owned()];
        files.extend(drop_ins(file));
        for file in &files {
            let name = file.display().to_string();
            match std::fs::read_to_string(file) {
                Ok(text) => match text.parse::<Table>() {
                    Ok(table) => self.add_table(&table, &name),
                    Err(error) => self.problem(&name, Text::same(error.to_string().trim_end())),
                },
                Err(error) => self.problem(&name, of_io(&error)),
            }
        }
        files
    }

    fn add_table(&mut self, table: &Table, source: &str) {
        for (name, value) in table {
            let is_section = KEYS.iter().any(|it| it.path.starts_with(&format!("{name}.")));
            match value.as_table().filter(|_| key(name).is_none()) {
                Some(section) => {
                    for (inner, value) in section {
                        self.add(&format!("{name}.{inner}"), value.clone(), source);
                    }
                }
                None if is_section => {
                    let what = text!(
                        "{name}: is a section: write [{name}]",
                        "{name}：这是一个段，应写成[{name}]"
                    );
                    self.problem(source, what);
                }
                None => self.add(name, value.clone(), source),
            }
        }
    }

    /// `DIALTONE_SECTION__KEY`; with `_FILE` behind it, the value is the file's text.
    fn add_environment(&mut self, environment: &Environment) {
        for (name, value) in &environment.0 {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            if RESERVED.contains(&name.as_str()) || value.is_empty() {
                continue;
            }
            let path = rest.to_ascii_lowercase().replace("__", ".");
            if !path.contains('.')
                && KEYS.iter().all(|it| strsim::damerau_levenshtein(it.path, &path) > TYPO_EDITS)
            {
                continue;
            }
            if key(&path).is_none()
                && let Some(path) = path.strip_suffix("_file")
                && key(path).is_some()
            {
                match std::fs::read_to_string(value) {
                    Ok(text) => {
                        let text = text.trim_end().to_owned();
                        self.add(path, Value::String(text), &format!("{name} ({value})"));
                    }
                    Err(error) => {
                        self.problem(name, text!("{value}: {}", "{value}：{}", of_io(&error)));
                    }
                }
                continue;
            }
            self.add(&path, Value::String(value.clone()), name);
        }
    }

    fn add(&mut self, path: &str, value: Value, source: &str) {
        match key(path) {
            Some(key) => {
                self.given.insert(key.path, Given { value, source: source.to_owned() });
            }
            None => {
                let nearest = nearest(path, KEYS.iter().map(|it| it.path));
                let what =
                    text!("{path}: there is no such key{}", "{path}：没有这个配置项{}", nearest);
                self.problem(source, what);
            }
        }
    }

    fn problem(&mut self, source: &str, what: Text) {
        self.problems.push(Problem { source_name: source.to_owned(), what });
    }
}

fn defaults() -> BTreeMap<&'static str, Given> {
    let default = |key: &super::Key| {
        let value: Table = format!("value = {}", key.default).parse().unwrap_or_default();
        let value = value.get("value").cloned().unwrap_or_else(|| Value::String(String::new()));
        (key.path, Given { value, source: DEFAULT.to_owned() })
    };
    KEYS.iter().map(default).collect()
}

fn drop_ins(file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or_else(|| Path::new(".")).join("conf.d");
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|it| it.path())
        .filter(|it| it.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    files
}
