//! The name that somebody who mistyped one most likely meant.

use pbx::language::Text;
use pbx::text;

/// Behind the sentence that there is no such name: the nearest of those there are, where one is alike; else nothing, as
/// a name that has nothing to do with it leads astray.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Text {
    match alike(name, names) {
        Some(nearest) => text!("; the nearest is {nearest}", "；最接近的是{nearest}"),
        None => Text::same(""),
    }
}

/// The one with the fewest edits, if they are at most a third of the letters.
pub fn alike<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits = |it: &&str| strsim::damerau_levenshtein(it, name);
    let nearest = names.into_iter().min_by_key(edits)?;
    let letters = nearest.chars().count().max(name.chars().count());
    (edits(&nearest) * 3 <= letters).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_table() {
        let names = ["no_answer_s", "language", "dtmf", "called"];
        #[rustfmt::skip]
        let table = [
            ("noanswer",  Some("no_answer_s")),
            ("dtfm",      Some("dtmf")),
            ("Language",  Some("language")),
            ("realm",     None),
            ("",          None),
        ];
        for (name, expected) in table {
            assert_eq!(alike(name, names), expected, "{name}");
        }
        assert_eq!(alike("", []), None);
    }
}
