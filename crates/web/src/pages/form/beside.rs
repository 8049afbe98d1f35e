//! What is wrong with a form of few fields, written out in its template: beside the field it is about, or above them
//! all.

use crate::pages::failure::sentences;
use crate::resource::Failure;
use pbx::language::Language;

#[derive(Default)]
pub(crate) struct Beside {
    /// Of none of the fields.
    pub(crate) above: Vec<String>,
    field: &'static str,
    sentence: String,
}

impl Beside {
    /// `fields` are those that the form has, by their names in the API.
    pub(crate) fn of(failure: &Failure, language: Language, fields: &[&'static str]) -> Self {
        let said = sentences(failure, language);
        let named = failure.field.as_deref();
        match fields.iter().find(|it| named == Some(**it)) {
            Some(field) => Self { above: vec![], field, sentence: said.join(" ") },
            None => Self { above: said, ..Self::default() },
        }
    }

    /// Empty: nothing is wrong with this field.
    pub(crate) fn at(&self, field: &str) -> &str {
        if self.field == field { &self.sentence } else { "" }
    }

    /// The attributes of a field, and what describes it besides.
    pub(crate) fn attributes(&self, field: &str, help: &str) -> String {
        let wrong = !self.at(field).is_empty();
        let error = if wrong { format!("{field}-error") } else { String::new() };
        let described = format!("{error} {help}");
        match (wrong, described.trim()) {
            (true, described) => format!(" aria-invalid=\"true\" aria-describedby=\"{described}\""),
            (false, "") => String::new(),
            (false, described) => format!(" aria-describedby=\"{described}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::text;

    #[test]
    fn a_failure_stands_where_it_belongs() {
        let failure = Failure::new(422, "invalid", text!("too short", "过短"));
        let above = Beside::of(&failure, Language::En, &["name"]);
        assert_eq!((above.above.join(""), above.at("name")), ("too short".to_owned(), ""));
        assert_eq!(above.attributes("name", ""), "");
        let beside = Beside::of(&failure.at("name"), Language::Zh, &["name"]);
        assert_eq!((beside.above.len(), beside.at("name"), beside.at("x")), (0, "过短", ""));
        let expected = " aria-invalid=\"true\" aria-describedby=\"name-error name-help\"";
        assert_eq!(beside.attributes("name", "name-help"), expected);
        assert_eq!(beside.attributes("x", "x-help"), " aria-describedby=\"x-help\"");
    }
}
