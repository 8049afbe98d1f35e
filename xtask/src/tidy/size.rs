//! How long files and functions are. Leans on rustfmt: what a function opens at some indentation, it closes there.

/// A file longer than this has a seam.
pub(super) const FILE_LINES_MAX: usize = 600;
/// A function longer than this does not fit a screen.
pub(super) const FUNCTION_LINES_MAX: usize = 70;

/// A file or function that is too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Oversize {
    /// `path`, or `path::function`.
    pub(super) place: String,
    pub(super) lines: usize,
    pub(super) limit: usize,
}

/// What in this file is too long; only Rust is measured.
pub(super) fn oversizes(path: &str, text: &str) -> Vec<Oversize> {
    if !path.ends_with(".rs") {
        return vec![];
    }
    let file =
        Oversize { place: path.to_owned(), lines: text.lines().count(), limit: FILE_LINES_MAX };
    let functions = functions(text).into_iter().map(|(name, lines)| Oversize {
        place: format!("{path}::{name}"),
        lines,
        limit: FUNCTION_LINES_MAX,
    });
    std::iter::once(file).chain(functions).filter(|it| it.lines > it.limit).collect()
}

/// Every function with a body, and its lines from `fn` to the closing brace.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = &line[..line.len() - line.trim_start().len()];
        let length = lines[start..].iter().position(|line| closes(line, indentation));
        if let Some(length) = length
            && lines[start + length].ends_with('}')
        {
            found.push((name.to_owned(), length + 1));
        }
    }
    found
}

/// The name, where the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "const", "async", "unsafe", "extern", "\"C\""];
    let is_prefix =
        |word: &str| words.contains(&word) || word.starts_with("pub(") || word.ends_with(')');
    if !before.split_whitespace().all(is_prefix) || (!before.is_empty() && !before.ends_with(' ')) {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| &after[..end])
}

/// The line ends what was begun at this indentation: a body, or a declaration without one.
fn closes(line: &str, indentation: &str) -> bool {
    let Some(rest) = line.strip_prefix(indentation) else { return false };
    !rest.starts_with(' ') && (rest == "}" || rest.ends_with(';') || rest.ends_with("{}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_table() {
        let table: [(&str, &[(&str, usize)]); 8] = [
            ("fn a() {\n    1\n}\n", &[("a", 3)]),
            ("fn a() {}\nfn b() {}\n", &[("a", 1), ("b", 1)]),
            ("trait T {\n    fn a();\n    fn b() {\n    }\n}\n", &[("b", 2)]),
            (
                "pub(in crate::x) const fn a(\n    b: u8,\n) -> u8\nwhere\n    u8: Copy,\n{\n}\n",
                &[("a", 7)],
            ),
            ("fn a() {\n    if b {\n        c();\n    }\n}\n", &[("a", 5)]),
            ("fn a() {\n    fn b() {\n    }\n}\n", &[("a", 4), ("b", 2)]),
            ("const F: fn(u8) = g;\n// a fn is\nlet fn_ = 1;\n", &[]),
            ("pub(crate) async fn a() {\n}\n", &[("a", 2)]),
        ];
        for (text, expected) in table {
            let expected: Vec<(String, usize)> =
                expected.iter().map(|(name, lines)| ((*name).to_owned(), *lines)).collect();
            assert_eq!(functions(text), expected, "{text}");
        }
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let function = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
        assert_eq!(oversizes("a.rs", &function(FUNCTION_LINES_MAX)), []);
        assert_eq!(oversizes("a.rs", &function(FUNCTION_LINES_MAX + 1))[0].place, "a.rs::a");
        assert_eq!(oversizes("a.rs", &"//\n".repeat(FILE_LINES_MAX)), []);
        assert_eq!(oversizes("a.rs", &"//\n".repeat(FILE_LINES_MAX + 1))[0].lines, 601);
        assert_eq!(oversizes("a.lua", &"--\n".repeat(FILE_LINES_MAX + 1)), []);
    }
}
