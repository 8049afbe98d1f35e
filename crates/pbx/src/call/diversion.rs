//! Who sent a call on before it came here: Diversion (RFC 5806) and History-Info (RFC 7044), as they
//! are read, written, and counted against loops. Pure.

use crate::dialplan::reception::{DIVERSIONS_MAX, comes_back};
use crate::privacy::{ANONYMOUS_URI, Privacy};
use crate::supplementary::Forwarding;
use sip::message::{HeaderName, Message, NameAddr, Uri};
use std::borrow::Cow;

/// Entries of another server that are kept and passed on; the newest of them.
const PASSED_MAX: usize = 10;

/// Why a call was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Forwarding(Forwarding),
    /// Its phone said so, by 3xx.
    Deflection,
}

impl Why {
    /// RFC 5806 §4.
    fn reason(self) -> &'static str {
        match self {
            Self::Forwarding(Forwarding::Busy) => "user-busy",
            Self::Forwarding(Forwarding::Unreachable) => "unavailable",
            Self::Forwarding(Forwarding::NoAnswer) => "no-answer",
            Self::Forwarding(Forwarding::Always) => "unconditional",
            Self::Deflection => "deflection",
        }
    }

    /// RFC 4458 §2.
    fn cause(self) -> u16 {
        match self {
            Self::Forwarding(Forwarding::Busy) => 486,
            Self::Forwarding(Forwarding::Unreachable) => 503,
            Self::Forwarding(Forwarding::NoAnswer) => 408,
            Self::Forwarding(Forwarding::Always) => 302,
            Self::Deflection => 480,
        }
    }
}

/// One time an extension of ours sent the call on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Diverted {
    pub by: Box<str>,
    pub why: Why,
}

/// All of them, those of other servers first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Values of Diversion and History-Info as another server wrote them.
    diversions: Vec<Box<str>>,
    infos: Vec<Box<str>>,
    /// How often other servers sent it on.
    before: u32,
    ours: Vec<Diverted>,
}

/// How users are written for the side that is called.
pub(super) struct Shown<'a> {
    pub host: &'a str,
    /// Stands for our extensions where that side does not know them.
    pub account: Option<&'a str>,
    pub veil: Veil,
}

/// Whose entries that side does not see (RFC 7044 §10.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Veil {
    /// It sees them all, with the wishes of who hides.
    Nobody,
    /// Who hides by himself.
    WhoHides,
    /// The caller asks it for all of them.
    Everybody,
}

impl Veil {
    /// For a call of this caller to a side that is trusted with identities or not.
    pub(super) fn of(caller: Privacy, trusted: bool) -> Self {
        match (trusted, caller.history) {
            (true, _) => Self::Nobody,
            (false, false) => Self::WhoHides,
            (false, true) => Self::Everybody,
        }
    }

    /// An entry of another server as that side sees it.
    fn over(self, entry: &str) -> String {
        let parsed = NameAddr::parse(entry).ok();
        let veiled = match self {
            Self::Nobody => false,
            Self::WhoHides => parsed.as_ref().is_some_and(hides),
            Self::Everybody => true,
        };
        if !veiled {
            return entry.to_owned();
        }
        let params = parsed.map(|it| it.params).unwrap_or_default();
        let semicolon = if params.is_empty() { "" } else { ";" };
        format!("<{ANONYMOUS_URI}>{semicolon}{}", params.as_str())
    }
}

impl History {
    /// What another server says; for one that is trusted.
    pub(super) fn of(message: &Message<'_>) -> Self {
        let values = |name| {
            let values = message.headers.values(name).take(PASSED_MAX);
            values.map(Box::from).collect::<Vec<Box<str>>>()
        };
        let diversions = values(HeaderName::Diversion);
        let infos = values(HeaderName::HistoryInfo);
        let counted = diversions.iter().map(|it| counter(it)).fold(0, u32::saturating_add);
        let retargeted = u32::try_from(infos.len()).unwrap_or(u32::MAX).saturating_sub(1);
        Self { before: counted.max(retargeted), diversions, infos, ours: Vec::new() }
    }

    /// An extension of ours has sent the call on to where it is.
    pub(super) fn is_ours(&self) -> bool {
        !self.ours.is_empty()
    }

    /// The extension that sent it to where it is.
    pub(crate) fn last(&self) -> Option<&str> {
        self.ours.last().map(|it| &*it.by)
    }

    pub(super) fn push(&mut self, by: Box<str>, why: Why) {
        self.ours.push(Diverted { by, why });
    }

    /// He sends it to another number instead.
    pub(super) fn pop(&mut self) {
        self.ours.pop();
    }

    /// Whether `by`, known to others as a user of `host`, may not send it on to `number`.
    pub(super) fn is_loop(&self, by: &str, number: &str, host: &str) -> bool {
        let times = self.before.saturating_add(u32::try_from(self.ours.len()).unwrap_or(u32::MAX));
        let ours = self.ours.iter().map(|it| &*it.by);
        let theirs = || self.diversions.iter().chain(&self.infos).any(|it| names(it, by, host));
        times >= DIVERSIONS_MAX || comes_back(ours, by, number) || theirs()
    }

    /// The headers of an INVITE to `target`.
    pub(super) fn headers(&self, target: &str, shown: &Shown<'_>) -> Vec<(&'static str, String)> {
        let user = |by: &str| match shown.account {
            Some(account) => account.to_owned(),
            None => crate::interop::escape_user(by).into_owned(),
        };
        let host = shown.host;
        let mut diversions = Vec::with_capacity(self.diversions.len() + self.ours.len());
        // The newest first (RFC 5806 §4.1).
        for Diverted { by, why } in self.ours.iter().rev() {
            let (user, reason) = (user(by), why.reason());
            let entry = format!("<sip:{user}@{host}>;reason={reason};counter=1");
            diversions.push(shown.veil.over(&entry));
        }
        diversions.extend(self.diversions.iter().map(|it| shown.veil.over(it)));
        let mut infos: Vec<String> = self.infos.iter().map(|it| shown.veil.over(it)).collect();
        let theirs = infos.len();
        if !self.ours.is_empty() {
            self.describe(&mut infos, target, host, user);
            // Where it goes now is no secret.
            let last = infos.len() - 1;
            infos[theirs..last].iter_mut().for_each(|it| *it = shown.veil.over(it));
        }
        let named = |name: HeaderName| move |value| (name.as_str(), value);
        let diversions = diversions.into_iter().map(named(HeaderName::Diversion));
        diversions.chain(infos.into_iter().map(named(HeaderName::HistoryInfo))).collect()
    }

    /// Each who sent it on, and the target: one below the other (RFC 7044 §10.3).
    fn describe(
        &self,
        infos: &mut Vec<String>,
        target: &str,
        host: &str,
        user: impl Fn(&str) -> String,
    ) {
        let mut index = match infos.last().and_then(|it| index_of(it)) {
            Some(above) => format!("{above}.1"),
            None => "1".to_owned(),
        };
        let mut came_by: Option<(Why, String)> = None;
        let mut entry = |who: String, leaves_by: Option<Why>| {
            let cause = came_by.as_ref().map(|it| format!(";cause={}", it.0.cause()));
            // Why it did not stay there, where that was a failure (§9.3).
            let left = leaves_by.map(Why::cause).filter(|it| *it >= 400);
            let left = left.map(|it| format!("?Reason=SIP%3Bcause%3D{it}"));
            let (cause, left) = (cause.unwrap_or_default(), left.unwrap_or_default());
            let above = came_by.as_ref().map(|it| format!(";mp={}", it.1)).unwrap_or_default();
            infos.push(format!("<sip:{who}@{host}{cause}{left}>;index={index}{above}"));
            if let Some(why) = leaves_by {
                came_by = Some((why, index.clone()));
                index.push_str(".1");
            }
        };
        for Diverted { by, why } in &self.ours {
            entry(user(by), Some(*why));
        }
        entry(crate::interop::escape_user(target).into_owned(), None);
    }
}

/// How many times an entry stands for (RFC 5806 §4).
fn counter(diversion: &str) -> u32 {
    let Ok(address) = NameAddr::parse(diversion) else { return 1 };
    address.params.value("counter").and_then(|it| it.parse().ok()).unwrap_or(1)
}

/// Whom an entry is of wants it withheld (RFC 5806 §4, RFC 7044 §10.1.1).
fn hides(entry: &NameAddr<'_>) -> bool {
    let diversion = entry.params.unquoted("privacy");
    let is_history = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        name.eq_ignore_ascii_case("Privacy")
            && value.split(';').any(|it| it.trim().eq_ignore_ascii_case("history"))
    };
    diversion.is_some_and(|it| !it.eq_ignore_ascii_case("off"))
        || entry.uri.headers().any(is_history)
}

fn index_of(info: &str) -> Option<String> {
    let address = NameAddr::parse(info).ok()?;
    let index = address.params.value("index")?;
    let legal = index.bytes().all(|it| it.is_ascii_digit() || it == b'.') && index.len() <= 64;
    (legal && !index.is_empty()).then(|| index.to_owned())
}

/// Whether an entry is of this user of this host.
fn names(entry: &str, user: &str, host: &str) -> bool {
    let Ok(address) = NameAddr::parse(entry) else { return false };
    match address.uri {
        Uri::Sip { .. } => {
            let at_host = address.uri.host().is_some_and(|it| it.to_string() == host);
            at_host && address.uri.user_unescaped() == user
        }
        Uri::Other { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &str) -> History {
        let text = format!("INVITE sip:101@h SIP/2.0\r\n{lines}\r\n\r\n");
        History::of(&Message::parse(text.as_bytes()).expect("a request"))
    }

    fn written(history: &History, shown: &Shown<'_>) -> String {
        let headers = history.headers("103", shown);
        headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    const HERE: Shown<'static> = Shown { host: "10.0.0.1", account: None, veil: Veil::WhoHides };

    #[test]
    fn two_times_here() {
        let mut history = History::default();
        assert_eq!(written(&history, &HERE), "");
        history.push("101".into(), Why::Forwarding(Forwarding::Always));
        history.push("102".into(), Why::Forwarding(Forwarding::Busy));
        let expected = "\
Diversion: <sip:102@10.0.0.1>;reason=user-busy;counter=1
Diversion: <sip:101@10.0.0.1>;reason=unconditional;counter=1
History-Info: <sip:101@10.0.0.1>;index=1
History-Info: <sip:102@10.0.0.1;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1
History-Info: <sip:103@10.0.0.1;cause=486>;index=1.1.1;mp=1.1
";
        assert_eq!(written(&history, &HERE), expected);
        let by_line = Shown { host: "sip.x.example", account: Some("5678"), ..HERE };
        let text = written(&history, &by_line);
        assert!(text.starts_with("Diversion: <sip:5678@sip.x.example>;reason=user-busy"), "{text}");
        assert!(!text.contains("102"), "an inner number: {text}");
    }

    #[test]
    fn what_others_did_is_passed_on() {
        let mut history = heard(
            "Diversion: <sip:201@10.2.0.1>;reason=no-answer;counter=2\r\n\
             History-Info: <sip:200@10.2.0.1>;index=1, <sip:201@10.2.0.1>;index=1.3;mp=1",
        );
        assert!(!history.is_ours());
        history.push("101".into(), Why::Deflection);
        let expected = "\
Diversion: <sip:101@10.0.0.1>;reason=deflection;counter=1
Diversion: <sip:201@10.2.0.1>;reason=no-answer;counter=2
History-Info: <sip:200@10.2.0.1>;index=1
History-Info: <sip:201@10.2.0.1>;index=1.3;mp=1
History-Info: <sip:101@10.0.0.1?Reason=SIP%3Bcause%3D480>;index=1.3.1
History-Info: <sip:103@10.0.0.1;cause=480>;index=1.3.1.1;mp=1.3.1
";
        assert_eq!(written(&history, &HERE), expected);
    }

    #[test]
    fn loop_table() {
        let mut own = History::default();
        own.push("101".into(), Why::Deflection);
        let mut many = History::default();
        (0..5).for_each(|it| many.push(format!("20{it}").into(), Why::Deflection));
        let elsewhere = heard("Diversion: <sip:102@10.2.0.1>;reason=user-busy;counter=1");
        let counted = heard("Diversion: <sip:201@10.2.0.1>;reason=user-busy;counter=5");
        let back = heard("History-Info: <sip:102@10.0.0.1>;index=1");
        #[rustfmt::skip]
        let table = [
            (&own,       "102", "103", false),
            (&own,       "102", "102", true),
            (&own,       "102", "101", true),
            (&own,       "101", "103", true),
            (&many,      "102", "103", true),
            (&elsewhere, "102", "103", false),
            (&counted,   "102", "103", true),
            (&back,      "102", "103", true),
        ];
        for (index, (history, by, number, expected)) in table.into_iter().enumerate() {
            assert_eq!(history.is_loop(by, number, "10.0.0.1"), expected, "row {index}");
        }
    }
}
