//! Whether the descriptions a phone hears in a dialog are of one session (RFC 3264 §8).

use sdp::Sdp;

/// What a description says of itself.
#[derive(Clone, Debug)]
pub(super) struct Edition {
    tag: String,
    /// o= without its version.
    session: String,
    version: u64,
    /// All but o=.
    rest: String,
}

impl Edition {
    pub(super) fn of(body: &[u8], tag: Option<&str>) -> Option<Self> {
        let sdp = Sdp::parse(body).ok()?;
        let version = sdp.origin()?.version.parse().ok()?;
        let text = std::str::from_utf8(body).ok()?;
        let (origin, rest): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|it| it.starts_with("o="));
        let fields = origin.first()?.split(' ').enumerate();
        let session: Vec<&str> = fields.filter(|it| it.0 != 2).map(|it| it.1).collect();
        let tag = tag.unwrap_or_default().to_owned();
        Some(Self { tag, session: session.join(" "), version, rest: rest.join("\n") })
    }

    /// What is wrong with it as the next one after `before`.
    pub(super) fn breaks(&self, before: &Self) -> Option<String> {
        if self.tag != before.tag {
            return None;
        }
        if self.session != before.session {
            return Some(format!("{:?} became {:?}", before.session, self.session));
        }
        let expected = before.version + u64::from(self.rest != before.rest);
        let version = self.version;
        (version != expected).then(|| format!("o= has version {version}, not {expected}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_session_in_each_dialog() {
        let of = |(tag, user, version, port): (&str, &str, u64, u16)| {
            let text = format!(
                "v=0\r\no={user} 1 {version} IN IP4 10.0.0.1\r\nm=audio {port} RTP/AVP 0\r\n"
            );
            Edition::of(text.as_bytes(), Some(tag)).unwrap()
        };
        let before = of(("t", "-", 1, 4));
        #[rustfmt::skip]
        let table = [
            (("t", "-", 1, 4), false),
            (("t", "-", 2, 6), false),
            (("u", "x", 9, 6), false),
            (("t", "x", 1, 4), true),
            (("t", "-", 2, 4), true),
            (("t", "-", 1, 6), true),
            (("t", "-", 3, 6), true),
        ];
        for (next, broken) in table {
            assert_eq!(of(next).breaks(&before).is_some(), broken, "{next:?}");
        }
    }
}
