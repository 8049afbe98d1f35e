//! What `line` and `trunk` have in common: the switches of interworking, limits, what is shown of each.

use super::output::{Column, table};
use super::{Invalid, help};
use clap::CommandFactory as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pbx::language::{Language, Text};
use pbx::text;
use serde::Serialize;
use serde_json::{Map, Value};
use std::str::FromStr;
use web::outside::Fields;

/// What of the configuration is a table of its own.
pub(super) const NESTED: &str = "interop";

// The names of the arguments are those of the fields: `show` finds the meaning of a field here.
#[derive(clap::Args, Serialize)]
#[command(next_help_heading = "Interworking")]
pub(super) struct InteropArguments {
    /// Reliable provisional responses (100rel): as the other side decides, always, or no word of them.
    #[arg(long = "100rel", value_name = "MODE", value_parser = ["auto", "required", "off"])]
    reliable: Option<String>,
    /// Where the caller's number stands besides From.
    #[arg(long, value_name = "HEADER", value_parser = ["none", "p-asserted-identity", "remote-party-id"])]
    identity: Option<String>,
    /// Ask the other side to hide the caller's number.
    #[arg(long, value_name = "BOOL")]
    privacy: Option<bool>,
    /// Codecs offered, in this order, as PCMA,PCMU; "": as the phone offers.
    #[arg(long, value_name = "LIST")]
    codecs: Option<Names>,
    /// Session timer in seconds, 90 to 7200; 0: none.
    #[arg(long = "session-expires", value_name = "SECONDS")]
    session_expires_s: Option<u16>,
    /// How digits are sent: as they come, in the media, or as INFO.
    #[arg(long, value_name = "MODE", value_parser = ["pass", "rtp", "info"])]
    dtmf: Option<String>,
    /// Whether media goes through the server.
    #[arg(long, value_parser = ["always", "auto", "never"])]
    relay: Option<String>,
    /// Which sources may send media.
    #[arg(long, value_parser = ["auto", "sdp", "signalling", "any-first"])]
    media_source: Option<String>,
}

/// Words separated by commas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Names(Vec<String>);

impl FromStr for Names {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let words = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(Self(words.map(str::to_owned).collect()))
    }
}

/// Most calls one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit(Option<u16>);

impl Limit {
    pub(super) fn value(self) -> Value {
        self.0.map_or(Value::Null, Value::from)
    }
}

impl FromStr for Limit {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text == UNLIMITED {
            return Ok(Self(None));
        }
        text.parse().map(|it| Self(Some(it))).map_err(|_| {
            Invalid(text!(
                "must be a number up to 65535; \"\" or unlimited: no limit; 0: no calls this way",
                "应为不超过65535的数字；\"\"或unlimited表示不限；0表示禁止该方向的呼叫"
            ))
        })
    }
}

const UNLIMITED: &str = "unlimited";

/// The fields that were given; those that are `None` keep their values.
pub(super) fn given(arguments: &impl Serialize) -> Fields {
    // A struct is an object.
    let Ok(Value::Object(mut fields)) = serde_json::to_value(arguments) else { return Map::new() };
    fields.retain(|_, it| !it.is_null());
    if let Some(Value::Object(nested)) = fields.get_mut(NESTED) {
        nested.retain(|_, it| !it.is_null());
        if nested.is_empty() {
            fields.remove(NESTED);
        }
    }
    fields
}

const FIELDS: [Column; 3] = [("OPTION", "选项"), ("VALUE", "当前值"), ("MEANING", "含义")];

/// Every field that `set` changes, with its value as `set` takes it.
pub(super) fn fields_table(noun: &str, shown: &impl Serialize, language: Language) -> String {
    let command = match language {
        Language::En => super::Cli::command(),
        Language::Zh => help::chinese(super::Cli::command()),
    };
    let set = command.find_subcommand(noun).and_then(|it| it.find_subcommand("set"));
    let Ok(Value::Object(fields)) = serde_json::to_value(shown) else { return String::new() };
    let nested = fields.get(NESTED);
    let row = |it: &clap::Arg| {
        let name = it.get_id().as_str();
        let value = fields.get(name).or_else(|| nested.and_then(|it| it.get(name)))?;
        let help = it.get_help().map(ToString::to_string).unwrap_or_default();
        Some(vec![format!("--{}", it.get_long()?), value_text(name, value), help])
    };
    let rows: Vec<_> = set.into_iter().flat_map(|it| it.get_arguments()).filter_map(row).collect();
    table(language, &FIELDS, &rows)
}

/// A value as its option takes it.
pub(super) fn value_text(name: &str, value: &Value) -> String {
    match value {
        Value::Null if name.ends_with("_max") => UNLIMITED.to_owned(),
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let texts: Vec<_> = all.iter().map(|it| value_text(name, it)).collect();
            texts.join(if name == "addresses" { " " } else { "," })
        }
        Value::Object(it) => match (it.get("host"), it.get("port"), it.get("priority")) {
            (Some(Value::String(host)), Some(port), Some(priority)) => {
                format!("{host}:{port},{priority}")
            }
            // A choice and what is chosen.
            _ => {
                let part = |(key, it): (&String, &Value)| format!("{key}:{}", value_text(name, it));
                it.iter().map(part).collect::<Vec<_>>().join(",")
            }
        },
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Calls now, and the most there may be.
pub(super) fn calls(now: Option<u16>, most: Option<u16>, language: Language) -> String {
    let now = now.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let most = match most {
        None => Text::same(now),
        Some(0) => text!("closed", "禁止"),
        Some(most) => Text::same(format!("{now}/{most}")),
    };
    most.get(language).to_owned()
}

/// A moment of the API by the clock of this machine; of today, the time alone.
pub(super) fn clock(rfc3339: &str, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let form = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn limit_table() {
        let of = |text: &str| text.parse::<Limit>().map(|it| it.0).ok();
        assert_eq!(of(""), Some(None));
        assert_eq!(of("unlimited"), Some(None));
        assert_eq!((of("0"), of("4")), (Some(Some(0)), Some(Some(4))));
        assert_eq!((of("-1"), of("many"), of("65536")), (None, None, None));
    }

    #[test]
    fn value_table() {
        #[rustfmt::skip]
        let table = [
            ("calls_out_max", json!(null),                              "unlimited"),
            ("owner",         json!(null),                              ""),
            ("incoming",      json!({ "extension": "100" }),            "extension:100"),
            ("codecs",        json!(["PCMA", "PCMU"]),                  "PCMA,PCMU"),
            ("addresses",     json!([{ "host": "a", "port": 5060, "priority": 1 }]), "a:5060,1"),
            ("shared",        json!(true),                              "true"),
        ];
        for (name, value, expected) in table {
            assert_eq!(value_text(name, &value), expected, "{name}");
        }
    }

    #[test]
    fn calls_table() {
        let of = |now, most| calls(now, most, Language::En);
        assert_eq!(of(Some(1), None), "1");
        assert_eq!(of(Some(1), Some(4)), "1/4");
        assert_eq!(of(None, Some(4)), "-/4");
        assert_eq!(of(Some(0), Some(0)), "closed");
    }
}
