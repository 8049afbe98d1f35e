//! The language a command speaks: `--lang`, else the environment in the order of POSIX.

use pbx::language::Language;
use std::ffi::OsString;

/// Ours first, then those of POSIX; the first that is not empty counts.
const VARIABLES: [&str; 4] = ["DIALTONE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"];

/// Of this process. Known before the arguments are parsed, because their errors speak it too.
pub(super) fn of_process() -> Language {
    chosen(std::env::args_os(), |name| std::env::var(name).ok())
}

fn chosen(
    arguments: impl Iterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<String>,
) -> Language {
    let asked = flag(arguments).as_deref().and_then(exactly);
    asked.unwrap_or_else(|| {
        let found = VARIABLES.into_iter().filter_map(variable).find(|it| !it.is_empty());
        let is_chinese = found.is_some_and(|it| it.to_lowercase().starts_with("zh"));
        if is_chinese { Language::Zh } else { Language::En }
    })
}

/// A word that `--lang` takes.
pub(super) fn exactly(word: &str) -> Option<Language> {
    match word {
        "en" => Some(Language::En),
        "zh" => Some(Language::Zh),
        _ => None,
    }
}

/// The value of `--lang`, wherever it stands.
fn flag(arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let mut texts = arguments.map(|it| it.to_string_lossy().into_owned());
    while let Some(text) = texts.next() {
        match text.strip_prefix("--lang") {
            Some("") => return texts.next(),
            Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
            _ if text == "--" => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_table() {
        type Variables = &'static [(&'static str, &'static str)];
        const NONE: Variables = &[];
        #[rustfmt::skip]
        let table: [(&str, Variables, Language); 10] = [
            ("dialtone status",               NONE,                                                Language::En),
            ("dialtone status",               &[("LANG", "zh_CN.UTF-8")],                          Language::Zh),
            ("dialtone status",               &[("LANG", "en_US.UTF-8")],                          Language::En),
            ("dialtone status",               &[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")],         Language::En),
            ("dialtone status",               &[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW")],         Language::Zh),
            ("dialtone status",               &[("LC_ALL", "C"), ("DIALTONE_LANG", "zh")],         Language::Zh),
            ("dialtone --lang zh status",     NONE,                                                Language::Zh),
            ("dialtone status --lang=en",     &[("LANG", "zh_CN.UTF-8")],                          Language::En),
            ("dialtone status --lang=fr",     &[("LANG", "zh_CN.UTF-8")],                          Language::Zh),
            ("dialtone ext set 1 -- --lang zh", NONE,                                              Language::En),
        ];
        for (line, variables, expected) in table {
            let get = |name: &str| {
                let found = variables.iter().find(|(it, _)| *it == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let arguments = line.split(' ').map(OsString::from);
            assert_eq!(chosen(arguments, get), expected, "{line} {variables:?}");
        }
    }
}
