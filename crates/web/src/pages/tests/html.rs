//! What is asked of every page: that it is well formed, and that its Chinese is Chinese.

use std::collections::BTreeSet;

/// Elements that have no end.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "hr", "img", "col"];

/// Elements are closed in their order, attributes are quoted, and no id is there twice. Also every field has a label.
pub(super) fn check(page: &str) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut labelled = BTreeSet::new();
    let mut fields = Vec::new();
    for tag in tags(page)? {
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().unwrap_or_default();
            if last != name {
                return Err(format!("</{name}> closes <{last}>"));
            }
            continue;
        }
        if tag.starts_with('!') {
            continue;
        }
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((&tag, ""));
        let attributes = attributes_of(attributes.trim_end_matches('/'))?;
        let of = |key: &str| attributes.iter().find(|it| it.0 == key).map(|it| it.1.clone());
        if let Some(id) = of("id")
            && !ids.insert(id.clone())
        {
            return Err(format!("id {id} is there twice"));
        }
        labelled.extend(of("for").filter(|_| name == "label"));
        let hidden = of("type").as_deref() == Some("hidden");
        if ["input", "select", "textarea"].contains(&name) && !hidden && of("aria-label").is_none()
        {
            fields.push((of("id"), open.contains(&"label".to_owned()), tag.clone()));
        }
        if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    for (id, within, tag) in fields {
        if !within && !id.is_some_and(|it| labelled.contains(&it)) {
            return Err(format!("<{tag}> has no label"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
}

/// What a browser sends of a form: fields, ticked boxes and the chosen options.
pub(super) fn fields(form: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut select = None;
    let mut rest = form;
    while let Some(at) = rest.find('<') {
        let tag = tags(&rest[at..]).ok().and_then(|it| it.into_iter().next()).unwrap_or_default();
        rest = &rest[at + 1 + tag.len()..];
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((&tag, ""));
        let attributes = attributes_of(attributes.trim_end_matches('>')).unwrap_or_default();
        let of = |key: &str| attributes.iter().find(|it| it.0 == key).map(|it| plain(&it.1));
        let is_on = |key: &str| attributes.iter().any(|it| it.0 == key);
        let box_like = matches!(of("type").as_deref(), Some("checkbox" | "radio"));
        match name {
            "input" if !box_like || is_on("checked") => {
                found.extend(of("name").map(|it| (it, of("value").unwrap_or_default())));
            }
            "select" => select = of("name"),
            "option" if is_on("selected") => {
                found.extend(select.clone().map(|it| (it, of("value").unwrap_or_default())));
            }
            "textarea" => {
                let text = rest.split('<').next().unwrap_or_default();
                let text = plain(text.trim_start_matches('>').trim_start_matches('\n'));
                found.extend(of("name").map(|it| (it, text)));
            }
            _ => {}
        }
    }
    found
}

fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

/// What stands between `<` and `>`; a `>` in quotes is none.
fn tags(page: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at + 1..];
        let mut quote = None;
        let end = tag.char_indices().find(|(_, it)| match (quote, it) {
            (None, '"' | '\'') => {
                quote = Some(*it);
                false
            }
            (Some(open), it) if open == *it => {
                quote = None;
                false
            }
            (None, '>') => true,
            _ => false,
        });
        let (end, _) = end.ok_or_else(|| format!("no end: <{}", &tag[..tag.len().min(40)]))?;
        found.push(tag[..end].to_owned());
        rest = &tag[end + 1..];
    }
    Ok(found)
}

fn attributes_of(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|it: char| it == '=' || it.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let quote = after.chars().next().filter(|it| matches!(it, '"' | '\''));
            let quote = quote.ok_or_else(|| format!("{name} is not quoted"))?;
            let body = &after[1..];
            let end = body.find(quote).ok_or_else(|| format!("{name} does not end"))?;
            value = body[..end].to_owned();
            rest = body[end + 1..].trim_start();
        }
        if found.iter().any(|(it, _)| *it == name) {
            return Err(format!("{name} is there twice in {text}"));
        }
        found.push((name, value));
    }
    Ok(found)
}

pub(super) mod chinese {
    //! Words of English in a Chinese page.

    /// Names that are the same in every language.
    const NAMES: &[&str] = &[
        "dialtone",
        "English",
        "SIP",
        "UDP",
        "TCP",
        "HTTP",
        "RFC",
        "CSV",
        "JSON",
        "QR",
        "URI",
        "IP",
        "DTMF",
        "RTP",
        "SRTP",
        "Request",
        "Contact",
        "From",
        "Call",
        "ID",
        "INFO",
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "DNS",
        "PRACK",
        "rel",
        "PAI",
        "RPID",
        "Privacy",
        "SDP",
        "NAT",
        "MD",
        "SHA",
        "UTC",
        "User",
        "Agent",
        "P",
        "Asserted",
        "Identity",
        "Remote",
        "Party",
        "PCMA",
        "PCMU",
        "PATCH",
        "API",
        "qop",
        "Ctrl",
        "S",
        "s",
        "ms",
        "ACK",
        "BYE",
        "CDR",
        "FCI",
        "tel",
        "user",
        "phone",
        "zh",
        "en",
        "IANA",
        "Asia",
        "Shanghai",
        "realm",
        "Linphone",
        "anonymous",
        "Standard",
        "Webhooks",
        "Webhook",
        "HTTPS",
        "PEM",
        "TLS",
        // http.tls_listen
        "http",
        "tls",
        "listen",
        "miniSIPServer",
        "openAPI",
        "openapi",
        "syskey",
        "true",
        "false",
        "pcap",
        "MiB",
    ];

    /// The words that are left, of texts and of attributes that are read out. What stands in elements with
    /// `translate="no"` (data, codes and names) is not looked at.
    pub(crate) fn english_in(page: &str) -> Vec<String> {
        let body = page.split_once("<body>").map_or(page, |it| it.1);
        let mut left = Vec::new();
        let mut kept: Option<usize> = None;
        let mut depth = 0_usize;
        let mut rest = body;
        while let Some(at) = rest.find('<') {
            if kept.is_none() {
                left.extend(words(&rest[..at]));
            }
            let end = rest[at..].find('>').map_or(rest.len() - at, |it| it + 1);
            let tag = &rest[at..at + end];
            let name = tag[1..].split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
            if tag.starts_with("</") {
                depth = depth.saturating_sub(1);
                kept = kept.filter(|it| *it <= depth);
            } else if !super::VOID.contains(&name) && !tag.ends_with("/>") {
                depth += 1;
                if tag.contains("translate=\"no\"") && kept.is_none() {
                    kept = Some(depth);
                }
            }
            // The title of a time is the universal one.
            if kept.is_none() && name != "time" {
                for name in [" title=\"", " aria-label=\"", " placeholder=\""] {
                    let value = tag.split_once(name).and_then(|it| it.1.split('"').next());
                    left.extend(words(value.unwrap_or_default()));
                }
            }
            rest = &rest[at + end..];
        }
        left
    }

    fn words(text: &str) -> Vec<String> {
        let text = text
            .replace("&amp;", "&")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#39;", "'");
        let runs = text.split(|it: char| !it.is_ascii_alphabetic());
        let mut known = runs.filter(|it| !it.is_empty()).collect::<Vec<_>>();
        known.retain(|it| !NAMES.contains(it));
        known.into_iter().map(str::to_owned).collect()
    }
}

#[test]
fn check_table() {
    #[rustfmt::skip]
    let table = [
        ("<p><b>x</b></p>",                                   true),
        ("<p><b>x</p></b>",                                   false),
        ("<p>",                                               false),
        ("<p class=x></p>",                                   false),
        ("<p id=\"a\"></p><p id=\"a\"></p>",                  false),
        ("<input name=\"a\">",                                false),
        ("<label for=\"a\">A</label><input id=\"a\">",        true),
        ("<label><input name=\"a\"> A</label>",               true),
        ("<input type=\"hidden\" name=\"a\">",                true),
        ("<p title=\"a > b\"></p>",                           true),
    ];
    for (page, expected) in table {
        assert_eq!(check(page).is_ok(), expected, "{page}: {:?}", check(page));
    }
}

#[test]
fn english_table() {
    #[rustfmt::skip]
    let table: [(&str, &[&str]); 5] = [
        ("<body><p>分机 SIP</p>",                                      &[]),
        ("<body><p>Save 分机</p>",                                     &["Save"]),
        ("<body><p translate=\"no\">INVITE <b>lost</b></p><p>x y</p>", &["x", "y"]),
        ("<body><p title=\"Help\">分机</p>",                           &["Help"]),
        ("<body><code translate=\"no\">a</code> b<br>",                &["b"]),
    ];
    for (page, expected) in table {
        assert_eq!(chinese::english_in(page), expected, "{page}");
    }
}
