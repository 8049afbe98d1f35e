//! The Markdown that the manual is written in, as HTML: headings, paragraphs, lists of one level, tables, blocks of code,
//! and within a line code, bold, italic and links. Whatever else there is stays as it is written, and everything is
//! escaped.

/// The HTML of a text. `lead` says where a link leads; one that leads nowhere here is its words alone.
pub(super) fn html(text: &str, lead: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.starts_with("<!--") {
            continue;
        }
        if line.starts_with("```") {
            let code = lines.by_ref().take_while(|it| !it.starts_with("```"));
            let code: Vec<String> = code.map(escaped).collect();
            out += &format!("<pre class=\"block\" translate=\"no\">{}</pre>\n", code.join("\n"));
            continue;
        }
        if let Some((level, title)) = heading(line) {
            out += &format!("<h{level}>{}</h{level}>\n", inline(title, lead));
            continue;
        }
        let kind = Kind::of(line);
        let mut block = vec![line];
        while let Some(next) = lines.next_if(|it| goes_on(kind, it)) {
            block.push(next);
        }
        match kind {
            Kind::Table => table(&block, lead, &mut out),
            Kind::List | Kind::Numbered => list(kind, &block, lead, &mut out),
            Kind::Text => out += &format!("<p>{}</p>\n", inline(&block.join("\n"), lead)),
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    List,
    Numbered,
    Table,
}

impl Kind {
    fn of(line: &str) -> Self {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        match line {
            _ if line.starts_with('|') => Self::Table,
            _ if line.starts_with("- ") => Self::List,
            _ if digits > 0 && line[digits..].starts_with(". ") => Self::Numbered,
            _ => Self::Text,
        }
    }
}

/// Whether a line belongs to the block before it.
fn goes_on(kind: Kind, line: &str) -> bool {
    let is_apart = line.trim().is_empty() || line.starts_with("```") || heading(line).is_some();
    !is_apart
        && match kind {
            Kind::Text | Kind::Table => Kind::of(line) == kind,
            Kind::List | Kind::Numbered => Kind::of(line) == kind || line.starts_with("  "),
        }
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|it| *it == b'#').count();
    let title = line.get(level..)?.strip_prefix(' ')?;
    (1..=4).contains(&level).then_some((level, title))
}

fn list(kind: Kind, block: &[&str], lead: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    let mut items: Vec<String> = Vec::new();
    for line in block {
        match (Kind::of(line) == kind, items.last_mut()) {
            (false, Some(item)) => *item += &format!("\n{}", line.trim()),
            (_, _) => items.push(line.split_once(' ').map_or("", |it| it.1).to_owned()),
        }
    }
    let name = if kind == Kind::Numbered { "ol" } else { "ul" };
    *out += &format!("<{name}>\n");
    for item in items {
        *out += &format!("<li>{}</li>\n", inline(&item, lead));
    }
    *out += &format!("</{name}>\n");
}

fn table(block: &[&str], lead: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    let is_rule = |line: &&&str| !line.bytes().all(|it| b"|-: ".contains(&it));
    *out += "<div class=\"scroll\" tabindex=\"0\"><table>\n";
    for (index, line) in block.iter().filter(is_rule).enumerate() {
        let cell = if index == 0 { "th" } else { "td" };
        let head = if index == 0 { " scope=\"col\"" } else { "" };
        *out += "<tr>";
        for text in cells(line) {
            *out += &format!("<{cell}{head}>{}</{cell}>", inline(text.trim(), lead));
        }
        *out += "</tr>\n";
    }
    *out += "</table></div>\n";
}

/// A bar in code, or behind a backslash, parts nothing.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut in_code) = (vec![], String::new(), false);
    let mut letters = line.trim().trim_start_matches('|').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&'|') => cell.extend(letters.next()),
            '|' if !in_code => cells.push(std::mem::take(&mut cell)),
            _ => {
                in_code ^= letter == '`';
                cell.push(letter);
            }
        }
    }
    if !cell.trim().is_empty() {
        cells.push(cell);
    }
    cells
}

/// What stands within a line.
fn inline(text: &str, lead: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, found) = rest.split_at(at);
        out += &escaped(before);
        rest = match span(found, lead) {
            Some((html, rest)) => {
                out += &html;
                rest
            }
            None => {
                out += &escaped(&found[..1]);
                &found[1..]
            }
        };
    }
    out + &escaped(rest)
}

/// The code, emphasis or link that a text begins with, and what stands behind it.
fn span<'a>(text: &'a str, lead: &dyn Fn(&str) -> Option<String>) -> Option<(String, &'a str)> {
    if let Some(code) = text.strip_prefix('`') {
        let (code, rest) = code.split_once('`')?;
        return Some((format!("<code translate=\"no\">{}</code>", escaped(code)), rest));
    }
    if let Some(bold) = text.strip_prefix("**") {
        let (bold, rest) = bold.split_once("**")?;
        return Some((format!("<strong>{}</strong>", inline(bold, lead)), rest));
    }
    if let Some(italic) = text.strip_prefix('*') {
        let (italic, rest) = italic.split_once('*').filter(|it| !it.0.starts_with(' '))?;
        return Some((format!("<em>{}</em>", inline(italic, lead)), rest));
    }
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (to, rest) = rest.split_once(')')?;
    let words = inline(words, lead);
    let html = match lead(to) {
        Some(href) => format!("<a href=\"{}\">{words}</a>", escaped(&href)),
        None => words,
    };
    Some((html, rest))
}

fn escaped(text: impl AsRef<str>) -> String {
    let text = text.as_ref().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_table() {
        let lead = |to: &str| to.strip_suffix(".md").map(|it| format!("/help/{it}"));
        #[rustfmt::skip]
        let table = [
            ("# A & B\n\none\ntwo\n\nthree",        "<h1>A &amp; B</h1>\n<p>one\ntwo</p>\n<p>three</p>\n"),
            ("- a\n- b\n  c\n\nd",                  "<ul>\n<li>a</li>\n<li>b\nc</li>\n</ul>\n<p>d</p>\n"),
            ("1. a\n2. b",                          "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n"),
            ("```sh\na < b\n\n# c\n```\nd",         "<pre class=\"block\" translate=\"no\">a &lt; b\n\n# c</pre>\n<p>d</p>\n"),
            ("`*a*` **b `c`** *d* 2 * 3 * 4",       "<p><code translate=\"no\">*a*</code> <strong>b <code translate=\"no\">c</code></strong> <em>d</em> 2 * 3 * 4</p>\n"),
            ("[a](b.md) [c](http://d) [e",          "<p><a href=\"/help/b\">a</a> c [e</p>\n"),
            ("<script>\"x\"</script>",              "<p>&lt;script&gt;&quot;x&quot;&lt;/script&gt;</p>\n"),
            ("<!-- generated -->\na",               "<p>a</p>\n"),
        ];
        for (text, expected) in table {
            assert_eq!(html(text, &lead), expected, "{text}");
        }
    }

    #[test]
    fn cells_table() {
        let out = html("| a | b |\n|---|---|\n| `x|y` | c \\| d |", &|_| None);
        let expected = "<div class=\"scroll\" tabindex=\"0\"><table>\n\
            <tr><th scope=\"col\">a</th><th scope=\"col\">b</th></tr>\n\
            <tr><td><code translate=\"no\">x|y</code></td><td>c | d</td></tr>\n</table></div>\n";
        assert_eq!(out, expected);
    }
}
