//! Documents for people: links lead somewhere, and the manual says the same in both languages.

use std::collections::BTreeSet;

use super::SourceFile;

/// The folders of the manual, one a language.
const MANUAL: [&str; 2] = ["docs/manual/en/", "docs/manual/zh/"];

/// Complaints on all documents; `exists` knows the files of the repository.
pub(super) fn judge(files: &[SourceFile], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let documents = || files.iter().filter(|it| it.path.ends_with(".md"));
    let mut complaints: Vec<String> =
        documents().flat_map(|it| dead_links(&it.path, &it.text, &exists)).collect();
    let text = |path: String| files.iter().find(|it| it.path == path).map(|it| it.text.as_str());
    let name = |it: &SourceFile| {
        MANUAL.iter().find_map(|folder| it.path.strip_prefix(folder).map(str::to_owned))
    };
    let chapters: BTreeSet<String> = documents().filter_map(name).collect();
    for chapter in chapters {
        let [en, zh] = MANUAL.map(|folder| text(format!("{folder}{chapter}")).map(outline));
        match (en, zh) {
            (Some(en), Some(zh)) if en == zh => {}
            (Some(en), Some(zh)) => complaints.push(format!(
                "docs/manual: {chapter} has {en:?} in English and {zh:?} in Chinese (headings, rows, commands)"
            )),
            _ => complaints.push(format!("docs/manual: {chapter} is there in one language only")),
        }
    }
    complaints
}

/// What must be as many in both languages: headings, rows of tables, commands.
fn outline(text: &str) -> [usize; 3] {
    ["#", "|", "dialtone "].map(|start| text.lines().filter(|it| it.starts_with(start)).count())
}

/// Links to files that are not there. The first line is 1.
fn dead_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut complaints = vec![];
    for (number, line) in text.lines().enumerate() {
        for (_, rest) in line.match_indices("](").map(|(at, it)| line.split_at(at + it.len())) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains(':') || exists(&resolved(folder, target)) {
                continue;
            }
            complaints.push(format!("{path}:{}: {target} is not there", number + 1));
        }
    }
    complaints
}

/// The path from the root of the repository.
fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn documents_table() {
        let exists = |it: &str| ["docs/lines.md", "README.md"].contains(&it);
        #[rustfmt::skip]
        let table: [(&[SourceFile], usize); 6] = [
            (&[file("docs/a.md", "[x](lines.md#top) [y](../README.md) [z](https://example.org)")], 0),
            (&[file("docs/a.md", "[x](line.md), [y](../README)")], 2),
            (&[file("docs/manual/en/a.md", "# A\n"), file("docs/manual/zh/a.md", "# 甲\n")], 0),
            (&[file("docs/manual/en/a.md", "# A\n")], 1),
            (&[file("docs/manual/en/a.md", "# A\n\n## B\n"), file("docs/manual/zh/a.md", "# 甲\n")], 1),
            (&[file("docs/manual/en/a.md", "dialtone status\n"), file("docs/manual/zh/a.md", "\n")], 1),
        ];
        for (files, expected) in table {
            let complaints = judge(files, exists);
            assert_eq!(complaints.len(), expected, "{complaints:?}");
        }
    }
}
