//! The types of configuration values and how each is read from TOML or from text.
//!
//! Text is what the environment and flags can give, so every type reads from a string too.

use ipnet::IpNet;
use pbx::language::Text;
use pbx::network::Advertise;
use pbx::text;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use toml::Value;

/// A type of configuration value.
pub(super) trait Setting: Sized {
    /// For the reference page.
    const KIND: &'static str;

    /// The value, or the rule it breaks.
    fn read(value: &Value) -> Result<Self, Text>;
}

/// A whole number within its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count<const MIN: u32, const MAX: u32>(pub(crate) u32);

/// An inclusive range of UDP ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

/// Which of our addresses peers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// `None` in the second place means `auto`: the real address.
    pub(crate) rows: Vec<(IpNet, Option<IpAddr>)>,
}

/// Which database; there is one engine, whose file is in the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseUrl {
    Sqlite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

const PORT_MIN: u16 = 1024;
const PORTS_MIN: u16 = 4;

impl Advertised {
    /// The rows for [`pbx::network::Network::advertise`]. An `auto` row inside a wider one tells
    /// each of our own addresses of its family that lies in the row's network.
    pub(crate) fn rows(&self, interfaces: &[IpNet]) -> Vec<Advertise> {
        let mut rows = Vec::new();
        for (peers, address) in &self.rows {
            match address {
                Some(address) => rows.push(Advertise { peers: *peers, address: *address }),
                None => rows.extend(
                    interfaces
                        .iter()
                        .filter(|it| peers.contains(&it.addr()))
                        .map(|it| Advertise { peers: *peers, address: it.addr() }),
                ),
            }
        }
        rows
    }
}

impl LogLevel {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl<const MIN: u32, const MAX: u32> Setting for Count<MIN, MAX> {
    const KIND: &'static str = "number";

    fn read(value: &Value) -> Result<Self, Text> {
        let number = match value {
            Value::Integer(number) => u32::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => None,
        };
        let number = number.filter(|it| (MIN..=MAX).contains(it));
        number.map(Self).ok_or_else(|| {
            text!("must be a whole number from {MIN} to {MAX}", "应为{MIN}至{MAX}的整数")
        })
    }
}

impl Setting for Vec<SocketAddr> {
    const KIND: &'static str = "list of addresses with port";

    fn read(value: &Value) -> Result<Self, Text> {
        let address = |text: &str| {
            text.parse().map_err(|_| {
                text!(
                    "{text:?} is not an address and port, such as [::]:5060 or 192.168.1.10:5060",
                    "{text:?}不是地址和端口，例如[::]:5060或192.168.1.10:5060"
                )
            })
        };
        let rule = || text!("must be a list of addresses with port", "应为“地址:端口”的列表");
        texts(value).ok_or_else(rule)?.into_iter().map(address).collect()
    }
}

impl Setting for Vec<IpNet> {
    const KIND: &'static str = "list of networks";

    fn read(value: &Value) -> Result<Self, Text> {
        let network = |text: &str| {
            let host = text.parse::<IpAddr>().map(IpNet::from);
            host.or_else(|_| text.parse()).map_err(|_| {
                text!(
                    "{text:?} is not a network or address, such as 192.168.1.0/24 or 203.0.113.5",
                    "{text:?}不是网段或地址，例如192.168.1.0/24或203.0.113.5"
                )
            })
        };
        let rule = || text!("must be a list of networks", "应为网段的列表");
        texts(value).ok_or_else(rule)?.into_iter().map(network).collect()
    }
}

/// The items of a list, or of a text with commas.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::String(text) => {
            Some(text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect())
        }
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Table(_) => None,
    }
}

impl Setting for PathBuf {
    const KIND: &'static str = "path";

    fn read(value: &Value) -> Result<Self, Text> {
        value.as_str().map(Self::from).ok_or_else(|| text!("must be a path", "应为路径"))
    }
}

impl Setting for Ports {
    const KIND: &'static str = "port range";

    fn read(value: &Value) -> Result<Self, Text> {
        let bounds = value.as_str().and_then(|it| it.split_once('-'));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let range = bounds.and_then(|(first, last)| Some((number(first)?, number(last)?)));
        range
            .filter(|(first, last)| {
                *first >= PORT_MIN && last.saturating_sub(*first) + 1 >= PORTS_MIN
            })
            .map(|(first, last)| Self { first, last })
            .ok_or_else(|| {
                text!(
                    "must be first-last, from {PORT_MIN} to 65535, with at least {PORTS_MIN} ports",
                    "应为“起始端口-结束端口”，范围{PORT_MIN}至65535，至少{PORTS_MIN}个端口"
                )
            })
    }
}

impl Setting for Advertised {
    const KIND: &'static str = "auto, address or table";

    fn read(value: &Value) -> Result<Self, Text> {
        let rule = || {
            text!(
                "must be auto, an address, or a table of network = address",
                "应为auto、一个地址，或“网络 = 地址”的表"
            )
        };
        let rows: Vec<(String, String)> = match value {
            Value::String(text) if text.contains('=') => {
                let row = |it: &str| it.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
                text.split(',').map(row).collect::<Option<_>>().ok_or_else(rule)?
            }
            Value::String(text) if text == "auto" => vec![],
            Value::String(text) => {
                let address: IpAddr = text.parse().map_err(|_| rule())?;
                let everyone = if address.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
                vec![(everyone.to_owned(), text.clone())]
            }
            Value::Table(table) => {
                let row = |(network, address): (&String, &Value)| {
                    Some((network.clone(), address.as_str()?.to_owned()))
                };
                table.iter().map(row).collect::<Option<_>>().ok_or_else(rule)?
            }
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => return Err(rule()),
        };
        let row = |(network, address): (String, String)| {
            let network: IpNet = network.trim().parse().ok()?;
            match address.trim() {
                "auto" => Some((network, None)),
                address => Some((network, Some(address.parse().ok()?))),
            }
        };
        let rows: Option<_> = rows.into_iter().map(row).collect();
        rows.map(|rows| Self { rows }).ok_or_else(rule)
    }
}

impl Setting for DatabaseUrl {
    const KIND: &'static str = "URL";

    fn read(value: &Value) -> Result<Self, Text> {
        match value.as_str() {
            Some("sqlite") => Ok(Self::Sqlite),
            Some(text) => match text.split_once(':') {
                Some(("sqlite", _)) => Err(text!(
                    "the file is dialtone.db in data_dir; write sqlite",
                    "数据库文件固定为data_dir中的dialtone.db，此处写sqlite即可"
                )),
                Some((engine, _)) => Err(text!(
                    "{engine} is not supported by this version; use sqlite",
                    "本版本不支持{engine}，请使用sqlite"
                )),
                None => Err(text!("must be sqlite", "应为sqlite")),
            },
            None => Err(text!("must be sqlite", "应为sqlite")),
        }
    }
}

impl Setting for LogLevel {
    const KIND: &'static str = "word";

    fn read(value: &Value) -> Result<Self, Text> {
        match value.as_str() {
            Some("error") => Ok(Self::Error),
            Some("warn") => Ok(Self::Warn),
            Some("info") => Ok(Self::Info),
            Some("debug") => Ok(Self::Debug),
            Some("trace") => Ok(Self::Trace),
            _ => Err(text!(
                "must be error, warn, info, debug or trace",
                "应为error、warn、info、debug或trace"
            )),
        }
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(value: &Value) -> Result<Self, Text> {
        let given = value.as_bool().or_else(|| value.as_str().and_then(|it| it.parse().ok()));
        given.ok_or_else(|| text!("must be true or false", "应为true或false"))
    }
}

impl Setting for LogFormat {
    const KIND: &'static str = "word";

    fn read(value: &Value) -> Result<Self, Text> {
        match value.as_str() {
            Some("text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            _ => Err(text!("must be text or json", "应为text或json")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn advertise_table() {
        let interfaces: Vec<IpNet> =
            ["192.168.1.10/24", "10.0.0.5/8"].map(|it| it.parse().unwrap()).into();
        #[rustfmt::skip]
        let table: [(&str, &[(&str, &str)]); 4] = [
            ("auto",                                       &[]),
            ("203.0.113.5",                                &[("0.0.0.0/0", "203.0.113.5")]),
            ("2001:db8::1",                                &[("::/0", "2001:db8::1")]),
            ("192.168.0.0/16=auto,0.0.0.0/0=203.0.113.5",  &[("192.168.0.0/16", "192.168.1.10"), ("0.0.0.0/0", "203.0.113.5")]),
        ];
        for (text, expected) in table {
            let rows = Advertised::read(&Value::String(text.to_owned())).unwrap().rows(&interfaces);
            let rows: Vec<(String, String)> =
                rows.iter().map(|it| (it.peers.to_string(), it.address.to_string())).collect();
            let rows: Vec<(&str, &str)> =
                rows.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(rows, expected, "{text}");
        }
    }

    #[test]
    fn database_table() {
        #[rustfmt::skip]
        let table = [
            ("sqlite",                  Ok(DatabaseUrl::Sqlite)),
            ("sqlite:///var/lib/d.db",  Err("the file is dialtone.db in data_dir; write sqlite")),
            ("mysql://u@h/d",           Err("mysql is not supported by this version; use sqlite")),
            ("",                        Err("must be sqlite")),
        ];
        for (text, expected) in table {
            let got = DatabaseUrl::read(&Value::String(text.to_owned()));
            assert_eq!(
                got.map_err(|it| it.en.into_owned()),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }
}
