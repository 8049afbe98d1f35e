//! Header names: which header a line is, without regard to case or compact form.
//!
//! The scanner asks once per line, so the lookup is one hash and one comparison (RFC 3261 §7.3.1,
//! §7.3.3, §20).

/// How often a header may stand in a message, and what a comma in it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// At most one line; a comma has no meaning.
    Single,
    /// Any number of lines, each a comma-separated list (RFC 3261 §7.3.1).
    List,
    /// Any number of lines; a comma belongs to the value.
    Lines,
}

macro_rules! header_names {
    ($($variant:ident $text:literal $shape:ident)*) => {
        /// A header this program knows by name; the rest is [`HeaderName::Other`], whose text is
        /// in `Field::raw_name`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = $text] $variant,)*
            Other,
        }

        const NAMES: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $text)),*];

        impl HeaderName {
            /// The canonical spelling. Empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other => "",
                }
            }

            pub(crate) const fn shape(self) -> Shape {
                match self {
                    $(Self::$variant => Shape::$shape,)*
                    Self::Other => Shape::Lines,
                }
            }

            pub(crate) const fn missing(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("Missing ", $text),)*
                    Self::Other => "Missing header",
                }
            }

            pub(crate) const fn malformed(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("Malformed ", $text),)*
                    Self::Other => "Malformed header",
                }
            }

            pub(crate) const fn duplicate(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("More than one ", $text),)*
                    Self::Other => "Duplicate header",
                }
            }
        }
    };
}

header_names! {
    Via "Via" List
    From "From" Single
    To "To" Single
    CallId "Call-ID" Single
    CSeq "CSeq" Single
    Contact "Contact" List
    MaxForwards "Max-Forwards" Single
    Route "Route" List
    RecordRoute "Record-Route" List
    ContentLength "Content-Length" Single
    ContentType "Content-Type" Single
    Expires "Expires" Single
    MinExpires "Min-Expires" Single
    Authorization "Authorization" Lines
    ProxyAuthorization "Proxy-Authorization" Lines
    WwwAuthenticate "WWW-Authenticate" Lines
    ProxyAuthenticate "Proxy-Authenticate" Lines
    Allow "Allow" List
    AllowEvents "Allow-Events" List
    Supported "Supported" List
    Require "Require" List
    ProxyRequire "Proxy-Require" List
    Unsupported "Unsupported" List
    UserAgent "User-Agent" Lines
    Server "Server" Lines
    Reason "Reason" List
    RetryAfter "Retry-After" Single
    Date "Date" Lines
    Event "Event" Single
    SubscriptionState "Subscription-State" Single
    ReferTo "Refer-To" Single
    ReferredBy "Referred-By" Single
    Replaces "Replaces" Single
    RSeq "RSeq" Single
    RAck "RAck" Single
    SessionExpires "Session-Expires" Single
    MinSe "Min-SE" Single
    PAssertedIdentity "P-Asserted-Identity" List
    PPreferredIdentity "P-Preferred-Identity" List
    Privacy "Privacy" Lines
    RemotePartyId "Remote-Party-ID" List
    Diversion "Diversion" List
    HistoryInfo "History-Info" List
    Path "Path" List
    ServiceRoute "Service-Route" List
    Accept "Accept" List
    AlertInfo "Alert-Info" List
    CallInfo "Call-Info" List
    Timestamp "Timestamp" Single
    Organization "Organization" Lines
    Subject "Subject" Lines
    Warning "Warning" List
    ContentDisposition "Content-Disposition" Single
    ContentEncoding "Content-Encoding" List
    MimeVersion "MIME-Version" Single
}

impl HeaderName {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::Other as usize + 1;

    /// The header of this name, in any case and in the compact form (RFC 3261 §7.3.3).
    pub fn from_bytes(name: &[u8]) -> Self {
        match name {
            [] => Self::Other,
            [letter] => compact(letter.to_ascii_lowercase()),
            name => full(name),
        }
    }
}

fn compact(letter: u8) -> HeaderName {
    match letter {
        b'b' => HeaderName::ReferredBy,
        b'c' => HeaderName::ContentType,
        b'e' => HeaderName::ContentEncoding,
        b'f' => HeaderName::From,
        b'i' => HeaderName::CallId,
        b'k' => HeaderName::Supported,
        b'l' => HeaderName::ContentLength,
        b'm' => HeaderName::Contact,
        b'o' => HeaderName::Event,
        b'r' => HeaderName::ReferTo,
        b's' => HeaderName::Subject,
        b't' => HeaderName::To,
        b'u' => HeaderName::AllowEvents,
        b'v' => HeaderName::Via,
        b'x' => HeaderName::SessionExpires,
        _ => HeaderName::Other,
    }
}

fn full(name: &[u8]) -> HeaderName {
    let Some((header, text)) = NAMES.get(usize::from(SLOTS[hash(name)])) else {
        return HeaderName::Other;
    };
    // Nearly everybody writes the canonical form, and comparing that is the cheaper way.
    let text = text.as_bytes();
    if is_same(text, name) || text.eq_ignore_ascii_case(name) { *header } else { HeaderName::Other }
}

/// Whether both are the same octets. For lengths of names this is a few words side by side, where a
/// comparison of any length is a call.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    match a.len() {
        len if len != b.len() => false,
        2..4 => ends::<2>(a) == ends::<2>(b),
        4..8 => ends::<4>(a) == ends::<4>(b),
        8..=16 => ends::<8>(a) == ends::<8>(b),
        _ => a == b,
    }
}

/// The first and the last octets, which overlap in a text shorter than both.
fn ends<const N: usize>(text: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    Some((text.first_chunk()?, text.last_chunk()?))
}

const EMPTY: u8 = u8::MAX;

/// Where each name is in `NAMES`, by its hash. No two names share a slot; a new name that would
/// does not compile, and asks for other factors in `hash`.
static SLOTS: [u8; 256] = {
    let mut slots = [EMPTY; 256];
    let mut index = 0;
    while index < NAMES.len() {
        let slot = hash(NAMES[index].1.as_bytes());
        assert!(slots[slot] == EMPTY && index < EMPTY as usize);
        #[expect(clippy::cast_possible_truncation, reason = "asserted in the line above")]
        {
            slots[slot] = index as u8;
        }
        index += 1;
    }
    slots
};

/// The bit 0x20 folds the case of letters; what it does to other octets does not matter here.
const fn hash(name: &[u8]) -> usize {
    let [first, .., last] = name else {
        return 0;
    };
    let (first, last) = ((*first | 0x20) as usize, (*last | 0x20) as usize);
    (first + last * 11 + name.len() * 11) % 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_every_case() {
        for (header, text) in NAMES {
            assert_eq!(HeaderName::from_bytes(text.as_bytes()), *header);
            assert_eq!(HeaderName::from_bytes(text.to_lowercase().as_bytes()), *header);
            assert_eq!(HeaderName::from_bytes(text.to_uppercase().as_bytes()), *header);
            assert_eq!(header.as_str(), *text);
        }
    }

    #[test]
    fn unknown_names_are_other() {
        for name in ["", "X-Vendor", "Vi", "Viaa", "Content_Length", "z", "Content-Length "] {
            assert_eq!(HeaderName::from_bytes(name.as_bytes()), HeaderName::Other, "{name:?}");
        }
    }

    #[test]
    fn compact_forms() {
        let table = [
            ("i", "Call-ID"),
            ("m", "Contact"),
            ("e", "Content-Encoding"),
            ("L", "Content-Length"),
            ("c", "Content-Type"),
            ("F", "From"),
            ("s", "Subject"),
            ("k", "Supported"),
            ("t", "To"),
            ("V", "Via"),
            ("o", "Event"),
            ("r", "Refer-To"),
            ("b", "Referred-By"),
            ("u", "Allow-Events"),
            ("x", "Session-Expires"),
        ];
        for (short, long) in table {
            assert_eq!(HeaderName::from_bytes(short.as_bytes()).as_str(), long);
        }
    }
}
