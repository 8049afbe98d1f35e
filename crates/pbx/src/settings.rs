//! What an administrator can set for a tenant while the server runs.
//!
//! Each setting is declared once, below, with its default, unit, range and meaning in both languages; the command line,
//! the API and `docs/settings.md` show that declaration.

use crate::dialplan::number::is_number;
use crate::language::{Language, Text};
use crate::text;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sip::session::Terms;
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

/// Longest realm. Unit: characters.
const REALM_CHARS_MAX: usize = 64;

const SECONDS: Option<Text> = Some(Text::fixed("seconds", "秒"));
const NONE: Option<Text> = None;

/// What there is to know about a setting, beside its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub unit: Option<Text>,
    /// What it can be, so that "must be" can stand before it.
    pub range: Text,
    /// One sentence.
    pub help: Text,
}

/// Declares the settings once: field, type, default; unit, rule; range and meaning in English and Chinese.
macro_rules! settings {
    ($( $name:ident: $type:ty = $default:expr; $unit:ident, $legal:expr;
        $range_en:literal $range_zh:literal $help_en:literal $help_zh:literal )*) => {
        /// Live settings of a tenant. [`Settings::checked`] is called once, where they are read.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $( #[doc = $help_en] pub $name: $type, )*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $( $name: $default, )* }
            }
        }

        /// Every setting there is, in the order of the reference page.
        pub const KEYS: &[Key] = &[ $( Key {
            name: stringify!($name),
            unit: $unit,
            range: Text::fixed($range_en, $range_zh),
            help: Text::fixed($help_en, $help_zh),
        }, )* ];

        impl Settings {
            /// What passes here is not checked again.
            pub fn checked(self) -> Result<Self, OutOfRange> {
                $(
                    let is_legal: fn(&Self) -> bool = $legal;
                    if !is_legal(&self) {
                        return Err(OutOfRange::new(stringify!($name), &self.$name));
                    }
                )*
                Ok(self)
            }
        }
    };
}

settings! {
    realm: String = "dialtone".to_owned();
        NONE, |it| is_realm(&it.realm);
        "1 to 64 characters, none of them a quote, backslash or control character"
        "1至64个字符，且不含引号、反斜杠和控制字符"
        "Realm of digest authentication; phones that follow the challenge do not notice a change."
        "鉴权域（realm）；按服务器质询应答的话机不受更改影响。"

    language: Language = Language::En;
        NONE, |_| true;
        "en or zh"
        "en或zh"
        "Language of the office. zh: new external lines begin with the Request-URI parameter user=phone, and without emergency_numbers also 110, 119, 120 and 122 are emergency numbers."
        "系统所用的语言。设为zh时，新增外线的Request-URI附加参数默认为user=phone；未设置emergency_numbers时，110、119、120、122也是紧急号码。"

    time_zone: String = String::new();
        // The store, which has the zones, checks the name.
        NONE, |_| true;
        "an IANA name such as Asia/Shanghai, or empty for the machine's"
        "IANA时区名（例如Asia/Shanghai），或为空（使用本机时区）"
        "Time zone of the dial plan, of the call records in CSV files, and of the days these are divided into."
        "拨号规则、CSV话单中的时间和按天分割文件所用的时区。"

    no_answer_s: u32 = 60;
        SECONDS, |it| (5..=600).contains(&it.no_answer_s);
        "5 to 600"
        "5至600"
        "No-answer time: a call that rings this long without an answer ends with 480."
        "无应答时长：振铃达到该时长仍无应答，呼叫以480结束。"

    expires_min_s: u32 = 60;
        SECONDS, |it| (1..=3600).contains(&it.expires_min_s);
        "1 to 3600"
        "1至3600"
        "Shortest registration granted; a phone that asks for less is told so with 423."
        "允许的最短注册有效期；话机请求更短时回复423。"

    expires_max_s: u32 = 7200;
        SECONDS, |it| (it.expires_min_s..=86_400).contains(&it.expires_max_s);
        "expires_min_s to 86400"
        "expires_min_s至86400"
        "Longest registration granted; a phone that asks for more gets this."
        "允许的最长注册有效期；话机请求更长时按此值。"

    expires_default_s: u32 = 3600;
        SECONDS, |it| (it.expires_min_s..=it.expires_max_s).contains(&it.expires_default_s);
        "expires_min_s to expires_max_s"
        "expires_min_s至expires_max_s"
        "Registration granted to a phone that does not say how long."
        "话机未指定时长时采用的注册有效期。"

    session_expires_s: u32 = 1800;
        SECONDS, |it| it.session_expires_s == 0 || (it.min_se_s..=86_400).contains(&it.session_expires_s);
        "0, or min_se_s to 86400"
        "0，或min_se_s至86400"
        "Session timer asked of phones that have one: a call that its phone does not refresh within this time ends; 0 asks for none."
        "向支持会话定时器的话机请求的会话时长：话机在该时长内未刷新会话时结束呼叫；0表示不请求。"

    min_se_s: u32 = 90;
        SECONDS, |it| (90..=86_400).contains(&it.min_se_s);
        "90 to 86400"
        "90至86400"
        "Shortest session timer taken; a phone that asks for less is told so with 422."
        "允许的最短会话时长；话机请求更短时回复422。"

    rtp_timeout_s: u32 = 60;
        SECONDS, |it| (0..=86_400).contains(&it.rtp_timeout_s);
        "0 to 86400"
        "0至86400"
        "A call ends when one side has sent no media for this long, hold excepted; 0 turns this off."
        "一方停止发送媒体流达到该时长时释放呼叫，呼叫保持期间不计；0表示关闭。"

    // SHA-256 is for offices whose phones all know it: a phone that does not (baresip 1.0 is one) fails on the mere
    // sight of the second challenge, whatever the order, although RFC 8760 §2.4 lets it pick.
    digest_algorithms: Vec<String> = vec!["MD5".to_owned()];
        NONE, |it| is_algorithms(&it.digest_algorithms);
        "MD5, SHA-256 or both"
        "MD5、SHA-256或两者"
        "Digest algorithms offered to phones, preferred first; a phone without SHA-256 may fail when it is offered."
        "向话机提供的摘要算法，优先的在前；不支持SHA-256的话机看到它可能无法注册。"

    out_group_prefix: String = "9".to_owned();
        NONE, |it| is_number(&it.out_group_prefix);
        "at most 64 of digits, letters, +, *, #, -, . and _, or empty for none"
        "最多64个字符，由数字、字母和+*#-._组成，或为空（不使用）"
        "Out-group prefix: a number that begins so and that no dial-plan row matches goes out by an external line, without it."
        "出群呼叫前缀：没有匹配拨号规则且以此开头的号码，删除前缀后从外线呼出。"

    emergency_numbers: Vec<String> = vec![];
        NONE, |it| is_numbers(&it.emergency_numbers);
        "at most 32 numbers, or empty for 112 and 911, in Chinese 110, 119, 120 and 122 too"
        "最多32个号码，或为空（112和911，语言为中文时另有110、119、120和122）"
        "Emergency numbers: no black list, call level, limit or refining stops or changes a call to them."
        "紧急号码：不受系统黑名单、呼叫级别和呼叫数限制，号码也不规整。"

    backup_keep: u32 = 14;
        NONE, |it| it.backup_keep <= 100;
        "0 to 100"
        "0至100"
        "Nightly backups that are kept; each night one is made and the oldest goes. 0 makes none."
        "保留的每夜自动备份数：每夜生成一个备份，并删除最旧的。0表示不自动备份。"

    mss_openapi: bool = false;
        NONE, |_| true;
        "yes (true) or no (false)"
        "是（true）或否（false）"
        "Whether programs made for miniSIPServer are answered at /openapi/; their syskey is an API key."
        "是否在/openapi/下应答为miniSIPServer编写的程序；其syskey为API密钥。"

    event_channel_port: u16 = 0;
        NONE, |_| true;
        "0 to 65535"
        "0至65535"
        "TCP port of the event channel of miniSIPServer, which had 5080; 0 turns it off."
        "事件通道（miniSIPServer格式）的TCP端口，原为5080；0表示关闭。"

    event_channel_clients: Vec<String> = vec!["127.0.0.1".to_owned()];
        NONE, |it| is_addresses(&it.event_channel_clients);
        "at most 32 addresses or networks"
        "最多32个IP地址或网段"
        "Who may listen to the event channel; nobody else is answered."
        "允许连接事件通道的地址；其他地址不予应答。"

    event_channel_origins: Vec<String> = vec![];
        NONE, |it| is_origins(&it.event_channel_origins);
        "at most 32 origins such as http://192.168.1.20:8000"
        "最多32个网页来源，例如http://192.168.1.20:8000"
        "Web pages whose scripts may listen to the event channel, in browsers at these addresses; programs that are no browsers need none."
        "允许在上述地址的浏览器中连接事件通道的网页来源；非浏览器程序无需设置。"

    call_back_port: u16 = 0;
        NONE, |_| true;
        "0 to 65535"
        "0至65535"
        "UDP port of the call-back, on which an application server orders calls; miniSIPServer had 5080; 0 turns it off."
        "回呼的本地监听端口（UDP），应用服务器由此发起呼叫，miniSIPServer中为5080；0表示关闭。"

    call_back_clients: Vec<String> = vec!["127.0.0.1".to_owned()];
        NONE, |it| is_addresses(&it.call_back_clients);
        "at most 32 addresses or networks"
        "最多32个IP地址或网段"
        "Application servers that may order a call-back; nobody else is answered."
        "应用服务器地址：只有这些地址可以发起回呼，其他地址不予应答。"

    call_back_caller: String = String::new();
        NONE, |it| is_number(&it.call_back_caller);
        "at most 64 of digits, letters, +, *, #, -, . and _, or empty for anonymous"
        "最多64个字符，由数字、字母和+*#-._组成，或为空（匿名）"
        "Default caller number of the call-back: the first party is shown it where the order names none; its rights count where no number of the order is an extension."
        "回呼的默认主叫号码：请求中没有主叫号码时向第一方显示；请求中的号码都不是分机时，采用该分机的权限。"
}

/// Names the setting, the value and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.en)]
pub struct OutOfRange(Text);

impl OutOfRange {
    /// `name` is one of [`KEYS`].
    pub fn new(name: &'static str, value: &impl Debug) -> Self {
        let rule = key(name).map_or_else(|| Text::same("?"), Key::rule);
        Self(text!("{name} = {value:?}: {}", "{name} = {value:?}：{}", rule))
    }

    pub fn text(self) -> Text {
        self.0
    }
}

pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|it| it.name == name)
}

impl Key {
    /// What a value must be, for whoever gave another one.
    pub fn rule(&self) -> Text {
        match self.unit.clone() {
            Some(unit) => text!("must be {} {}", "取值应为{}{}", self.range, unit),
            None => text!("must be {}", "取值应为{}", self.range),
        }
    }
}

impl Settings {
    pub fn no_answer(&self) -> Duration {
        Duration::from_secs(self.no_answer_s.into())
    }

    /// The time that a line or trunk has of its own; 0: that of the office. Unit: seconds.
    pub fn no_answer_or(&self, own_s: u16) -> Duration {
        if own_s == 0 { self.no_answer() } else { Duration::from_secs(own_s.into()) }
    }

    /// The emergency numbers in force.
    pub fn emergency_numbers(&self) -> impl Iterator<Item = &str> {
        let usual: &[&str] = match (self.emergency_numbers.is_empty(), self.language) {
            (true, Language::En) => &["112", "911"],
            (true, Language::Zh) => &["112", "911", "110", "119", "120", "122"],
            (false, _) => &[],
        };
        self.emergency_numbers.iter().map(String::as_str).chain(usual.iter().copied())
    }

    /// The emergency number that is meant by what is dialled, with the out-group prefix before it or
    /// without.
    pub fn emergency_number(&self, dialled: &str) -> Option<&str> {
        let bare = dialled.strip_prefix(&*self.out_group_prefix).unwrap_or(dialled);
        self.emergency_numbers().find(|it| *it == dialled || *it == bare)
    }

    /// What sessions with phones are to have of RFC 4028.
    pub fn session_terms(&self) -> Terms {
        Terms { expires_s: self.session_expires_s, min_s: self.min_se_s }
    }
}

fn is_addresses(listed: &[String]) -> bool {
    const ADDRESSES_MAX: usize = 32;
    let is_one = |it: &String| it.parse::<IpAddr>().is_ok() || it.parse::<IpNet>().is_ok();
    listed.len() <= ADDRESSES_MAX && listed.iter().all(is_one)
}

/// As browsers say them (RFC 6454 §6.1).
fn is_origins(listed: &[String]) -> bool {
    const ORIGINS_MAX: usize = 32;
    const HOST_LENGTH_MAX: usize = 260;
    let is_part = |it: u8| it.is_ascii_alphanumeric() || b"-.:[]".contains(&it);
    let is_one = |it: &String| {
        let host = it.strip_prefix("http://").or_else(|| it.strip_prefix("https://"));
        host.is_some_and(|it| (1..=HOST_LENGTH_MAX).contains(&it.len()) && it.bytes().all(is_part))
    };
    listed.len() <= ORIGINS_MAX && listed.iter().all(is_one)
}

fn is_realm(realm: &str) -> bool {
    (1..=REALM_CHARS_MAX).contains(&realm.chars().count())
        && !realm.contains(|it: char| matches!(it, '"' | '\\') || it.is_control())
}

fn is_algorithms(names: &[String]) -> bool {
    let known = names.iter().all(|it| matches!(it.as_str(), "MD5" | "SHA-256"));
    known && matches!(names, [_]) || matches!(names, [first, second] if known && first != second)
}

fn is_numbers(numbers: &[String]) -> bool {
    const EMERGENCY_NUMBERS_MAX: usize = 32;
    numbers.len() <= EMERGENCY_NUMBERS_MAX
        && numbers.iter().all(|it| !it.is_empty() && is_number(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_key_the_value_and_the_way_out() {
        assert_eq!(Settings::default().checked(), Ok(Settings::default()));
        let error = Settings { no_answer_s: 1, ..Settings::default() }.checked();
        let error = error.expect_err("one second is too short");
        assert_eq!(error.to_string(), "no_answer_s = 1: must be 5 to 600 seconds");
        assert_eq!(error.text().zh, "no_answer_s = 1：取值应为5至600秒");
    }

    #[test]
    fn emergency_numbers_are_those_of_the_language_or_ones_own() {
        let numbers = |language, own: &[&str]| {
            let emergency_numbers = own.iter().map(|it| (*it).to_owned()).collect();
            let settings = Settings { language, emergency_numbers, ..Settings::default() };
            settings.emergency_numbers().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(numbers(Language::En, &[]), "112 911");
        assert_eq!(numbers(Language::Zh, &[]), "112 911 110 119 120 122");
        assert_eq!(numbers(Language::Zh, &["999"]), "999");
    }

    #[test]
    fn rule_table() {
        let given = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings
        };
        let algorithms = |it: &[&str]| Settings {
            digest_algorithms: it.iter().map(|it| (*it).to_owned()).collect(),
            ..Settings::default()
        };
        #[rustfmt::skip]
        let table = [
            (given(|it| it.realm = "a\"b".to_owned()),  Some("realm")),
            (given(|it| it.realm = String::new()),      Some("realm")),
            (given(|it| it.realm = "x".repeat(65)),     Some("realm")),
            (given(|it| it.realm = "总机".to_owned()),   None),
            (given(|it| it.no_answer_s = 601),          Some("no_answer_s")),
            (given(|it| it.expires_min_s = 3600),       None),
            (given(|it| it.expires_min_s = 3601),       Some("expires_min_s")),
            (given(|it| it.expires_max_s = 59),         Some("expires_max_s")),
            (given(|it| it.expires_max_s = 1800),       Some("expires_default_s")),
            (given(|it| it.rtp_timeout_s = 0),          None),
            (given(|it| it.session_expires_s = 0),      None),
            (given(|it| it.session_expires_s = 89),     Some("session_expires_s")),
            (given(|it| it.min_se_s = 1801),            Some("session_expires_s")),
            (given(|it| it.min_se_s = 89),              Some("min_se_s")),
            (algorithms(&["SHA-256", "MD5"]),           None),
            (algorithms(&[]),                           Some("digest_algorithms")),
            (algorithms(&["MD5", "MD5"]),               Some("digest_algorithms")),
            (algorithms(&["MD4"]),                      Some("digest_algorithms")),
            (given(|it| it.call_back_clients.push("10.0.0.0/8".to_owned())), None),
            (given(|it| it.event_channel_origins.push("http://crm.office:80".to_owned())), None),
            (given(|it| it.event_channel_origins.push("crm.office".to_owned())), Some("event_channel_origins")),
            (given(|it| it.event_channel_origins.push("http://crm/x".to_owned())), Some("event_channel_origins")),
            (given(|it| it.call_back_clients.push("host".to_owned())), Some("call_back_clients")),
            (given(|it| it.call_back_caller = "<x>".to_owned()), Some("call_back_caller")),
            (given(|it| it.out_group_prefix.clear()),   None),
            (given(|it| it.out_group_prefix = "9 ".to_owned()), Some("out_group_prefix")),
            (given(|it| it.emergency_numbers.push(String::new())), Some("emergency_numbers")),
        ];
        for (settings, key) in table {
            let got = settings.clone().checked().err().map(|it| it.to_string());
            let named = got.as_deref().and_then(|it| it.split(' ').next());
            assert_eq!(named, key, "{settings:?}");
        }
    }
}
