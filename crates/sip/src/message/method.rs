//! Request methods.
//!
//! Part of the start line and of CSeq; names are case-sensitive (RFC 3261 §7.1).

use std::fmt;

/// A request method. Those of RFC 3261 and its extensions have a variant, any other token is kept
/// as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method<'a> {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Register,
    /// RFC 6086.
    Info,
    /// RFC 3428.
    Message,
    /// RFC 3311.
    Update,
    /// RFC 3262.
    Prack,
    /// RFC 3515.
    Refer,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3903.
    Publish,
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The method of this name. Never fails: what is not known is `Other`.
    pub fn from_token(token: &'a str) -> Self {
        match token {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "INFO" => Self::Info,
            "MESSAGE" => Self::Message,
            "UPDATE" => Self::Update,
            "PRACK" => Self::Prack,
            "REFER" => Self::Refer,
            "SUBSCRIBE" => Self::Subscribe,
            "NOTIFY" => Self::Notify,
            "PUBLISH" => Self::Publish,
            other => Self::Other(other),
        }
    }

    /// The name as it stands in a start line.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Refer => "REFER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Publish => "PUBLISH",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back_and_keep_their_case() {
        let names = "INVITE ACK BYE CANCEL OPTIONS REGISTER INFO MESSAGE UPDATE PRACK REFER \
                     SUBSCRIBE NOTIFY PUBLISH";
        for name in names.split(' ') {
            let method = Method::from_token(name);
            assert!(!matches!(method, Method::Other(_)), "{name}");
            assert_eq!(method.as_str(), name);
        }
        assert_eq!(Method::from_token("invite"), Method::Other("invite"));
        assert_eq!(Method::from_token("RE%47IST%45R").to_string(), "RE%47IST%45R");
    }
}
