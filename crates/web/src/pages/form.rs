//! Forms: fields are declared once, with their words, and stand for places in the JSON of the API.
//!
//! What is shown is made from JSON, and what comes back becomes JSON again; what does not fit, as letters for a number,
//! stays as it was written, for the API to refuse and the form to show once more.

mod beside;
mod read;
pub(crate) mod seen;

pub(crate) use beside::Beside;
pub(crate) use read::{Sent, changes, read};

use super::words::words;
use crate::resource::{Failure, Finding};
use askama::Template;
use pbx::language::{Language, Text};
use serde::Deserialize;
use serde_json::Value;

words! {
    Words {
        save: "Save", "保存";
        cancel: "Cancel", "取消";
        delete: "Delete", "删除";
        value: "Value", "值";
        not_saved: "Nothing was saved.", "未保存。";
    }
}

/// What a page with a form came from.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Came {
    /// The form was saved.
    pub(crate) saved: Option<String>,
}

/// A form as a whole, with its tabs and what is wrong with it.
#[derive(Template)]
#[template(path = "form.html")]
pub(crate) struct Form {
    pub(crate) w: &'static Words,
    pub(crate) action: String,
    pub(crate) csrf: String,
    /// Of what was there when the form was made: nobody overwrites what he has not seen.
    pub(crate) tag: String,
    pub(crate) tabs: Vec<ShownTab>,
    pub(crate) lists: Vec<List>,
    /// Why it was not saved.
    pub(crate) wrong: Vec<String>,
    /// Where *cancel* leads.
    pub(crate) back: String,
    /// Where *delete* leads; empty: there is nothing to delete.
    pub(crate) delete: String,
}

/// Names that fields offer.
pub(crate) struct List {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<String>,
}

/// The fields that are entered together.
pub(crate) struct Tab {
    pub(crate) id: &'static str,
    pub(crate) title: Text,
    pub(crate) fields: &'static [Field],
}

/// One field and the place of its value, as `interop.reliable`.
pub(crate) struct Field {
    pub(crate) path: &'static str,
    pub(crate) label: Text,
    /// What happens by it. Empty where the label says all.
    pub(crate) help: Option<Text>,
    pub(crate) kind: Kind,
}

/// A value that can be chosen, and its name.
pub(crate) type Choice = (&'static str, Text);

pub(crate) enum Kind {
    Text,
    /// One of those there are, whose names stand in the list of this name on the page.
    Listed(&'static str),
    /// As [`Self::Listed`]; empty is none.
    ListedOrNone(&'static str),
    /// Never shown; empty: it stays.
    Password,
    Number,
    /// Empty is none.
    NumberOrNone,
    Check,
    Choice(&'static [Choice]),
    /// Texts, one a line or parted by commas.
    Texts,
    /// Numbers, parted by commas.
    Numbers,
    /// A set of the choices.
    Checks(&'static [Choice]),
    /// A choice, of which some take a text.
    Tagged(&'static [(&'static str, Text, bool)]),
}

impl Field {
    pub(crate) const fn new(path: &'static str, label: Text, kind: Kind) -> Self {
        Self { path, label, help: None, kind }
    }

    pub(crate) const fn with_help(path: &'static str, label: Text, kind: Kind, help: Text) -> Self {
        Self { path, label, help: Some(help), kind }
    }
}

/// A tab as the template shows it.
pub(crate) struct ShownTab {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) open: bool,
    pub(crate) fields: Vec<Shown>,
}

pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) help: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) input: Input,
}

pub(crate) enum Input {
    Line { kind: &'static str, mode: &'static str, list: &'static str, value: String },
    Check { checked: bool },
    Choice { options: Vec<Opt> },
    Area { value: String },
    Checks { options: Vec<Opt> },
    Tagged { options: Vec<Opt>, value: String },
}

pub(crate) struct Opt {
    pub(crate) value: &'static str,
    pub(crate) label: &'static str,
    pub(crate) chosen: bool,
}

/// What is wrong with the value of a field, by its name in the API.
struct Wrong {
    field: String,
    sentence: String,
}

/// The failure as those of fields: of each that was found wrong, or of the one it names, or of the one that its
/// sentence begins with.
fn wrong(failure: &Failure, language: Language) -> Vec<Wrong> {
    if !failure.findings.is_empty() {
        let one = |it: &Finding| Wrong {
            field: it.field.clone(),
            sentence: super::failure::said(it, language),
        };
        return failure.findings.iter().map(one).collect();
    }
    let sentence = super::failure::sentences(failure, language).join(" ");
    let begins = failure.detail_en.split([' ', ':', '=']).next().unwrap_or_default();
    let field = failure.field.as_deref().unwrap_or_else(|| begins.trim_end_matches(','));
    vec![Wrong { field: field.to_owned(), sentence }]
}

/// The name of the tab that was open when the form was sent.
pub(crate) fn open_tab(sent: &Sent) -> &str {
    of(sent, "tab")
}

/// The tag that the form was made with.
pub(crate) fn tag(sent: &Sent) -> &str {
    of(sent, "etag")
}

/// The tag of the form that is shown once more. Who was told that it was changed meanwhile has seen it.
pub(crate) fn tag_again(sent: &Sent, failure: &Failure) -> String {
    if failure.status == 412 { String::new() } else { tag(sent).to_owned() }
}

fn of<'a>(sent: &'a Sent, name: &str) -> &'a str {
    sent.iter().find(|it| it.0 == name).map_or("", |it| &it.1)
}

/// The tabs with the values of `json`; open is the one with an error, else the one asked for, else the first.
pub(crate) fn shown(
    tabs: &'static [Tab],
    json: &Value,
    language: Language,
    asked: &str,
    failure: Option<&Failure>,
) -> Vec<ShownTab> {
    let wrong = failure.map(|it| wrong(it, language)).unwrap_or_default();
    let of_wrong =
        |tab: &Tab| wrong.iter().any(|it| tab.fields.iter().any(|f| is_meant(f, &it.field)));
    let open = tabs.iter().position(of_wrong);
    let open = open.or_else(|| tabs.iter().position(|it| it.id == asked)).unwrap_or(0);
    let tab = |(at, tab): (usize, &'static Tab)| ShownTab {
        id: tab.id,
        title: tab.title.get(language),
        open: at == open,
        fields: tab.fields.iter().map(|it| field(it, json, language, &wrong)).collect(),
    };
    tabs.iter().enumerate().map(tab).collect()
}

/// The API may name the whole path or its last part.
fn is_meant(field: &Field, name: &str) -> bool {
    !name.is_empty() && (field.path == name || field.path.rsplit('.').next() == Some(name))
}

fn field(field: &'static Field, json: &Value, language: Language, wrong: &[Wrong]) -> Shown {
    Shown {
        id: format!("field-{}", field.path.replace('.', "-")),
        name: field.path,
        label: field.label.get(language),
        help: field.help.as_ref().map_or("", |it| it.get(language)),
        error: wrong.iter().find(|it| is_meant(field, &it.field)).map(|it| it.sentence.clone()),
        input: input(&field.kind, at(json, field.path), language),
    }
}

pub(crate) fn input(kind: &'static Kind, value: &Value, language: Language) -> Input {
    let line = |kind, mode, list| Input::Line { kind, mode, list, value: text(value) };
    let options = |choices: &'static [Choice], chosen: &dyn Fn(&str) -> bool| {
        let option = |it: &'static Choice| Opt {
            value: it.0,
            label: it.1.get(language),
            chosen: chosen(it.0),
        };
        choices.iter().map(option).collect()
    };
    match kind {
        Kind::Text => line("text", "text", ""),
        Kind::Listed(list) | Kind::ListedOrNone(list) => line("text", "text", list),
        Kind::Password => {
            Input::Line { kind: "password", mode: "text", list: "", value: String::new() }
        }
        Kind::Number | Kind::NumberOrNone => line("text", "numeric", ""),
        Kind::Check => Input::Check { checked: value.as_bool().unwrap_or_default() },
        Kind::Choice(choices) => {
            Input::Choice { options: options(choices, &|it| value.as_str() == Some(it)) }
        }
        Kind::Texts => Input::Area { value: list(value, "\n") },
        Kind::Numbers => {
            Input::Line { kind: "text", mode: "text", list: "", value: list(value, ", ") }
        }
        Kind::Checks(choices) => {
            let has = |it: &str| value.as_array().is_some_and(|all| all.iter().any(|v| v == it));
            Input::Checks { options: options(choices, &has) }
        }
        Kind::Tagged(variants) => {
            let (tag, value) = tagged(value);
            let option = |it: &'static (&'static str, Text, bool)| Opt {
                value: it.0,
                label: it.1.get(language),
                chosen: it.0 == tag,
            };
            Input::Tagged { options: variants.iter().map(option).collect(), value }
        }
    }
}

/// The name of a variant and what it holds, as serde writes them.
fn tagged(value: &Value) -> (&str, String) {
    match value.as_object().and_then(|it| it.iter().next()) {
        Some((tag, value)) => (tag, text(value)),
        None => (value.as_str().unwrap_or_default(), String::new()),
    }
}

/// The value at a path; null where there is none.
pub(crate) fn at<'a>(json: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(json, |json, name| json.get(name).unwrap_or(&Value::Null))
}

fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    }
}

fn list(value: &Value, separator: &str) -> String {
    match value.as_array() {
        Some(items) => items.iter().map(text).collect::<Vec<_>>().join(separator),
        None => text(value),
    }
}
