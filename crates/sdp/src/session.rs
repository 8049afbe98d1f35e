//! A whole session description, and what its parts inherit from the session (RFC 8866 §5).

use crate::address::{self, Text};
use crate::attribute::{self, Attribute};
use crate::line::{Line, Lines, field_range, text};
use crate::media::{Direction, Media};
use smallvec::SmallVec;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A session description: every line it came with, in order, with views and edits in place.
#[derive(Clone, PartialEq, Eq)]
pub struct Sdp {
    /// The lines before the first m=.
    pub(crate) session: Lines,
    /// Nearly always audio alone.
    pub(crate) media: SmallVec<[Media; 1]>,
}

/// The o= line (RFC 8866 §5.2). Id and version are compared as text: some phones exceed 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    pub username: &'a str,
    pub session_id: &'a str,
    /// Grows by one with each changed description of the session (RFC 3264 §8).
    pub version: &'a str,
    /// `None` for a host name.
    pub address: Option<IpAddr>,
}

impl Sdp {
    /// Prints the text, piece by piece, with CRLF line ends; what was read with CRLF comes out octet for octet.
    pub fn print(&self, mut put: impl FnMut(&[u8])) {
        let print = |lines: &[Line], put: &mut dyn FnMut(&[u8])| {
            for line in lines {
                put(line.bytes());
                put(b"\r\n");
            }
        };
        print(&self.session, &mut put);
        for media in &self.media {
            put(b"m=");
            put(media.m.as_bytes());
            put(b"\r\n");
            print(&media.lines, &mut put);
        }
    }

    /// The text that [`Sdp::print`] prints.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        self.print(|piece| out.extend_from_slice(piece));
        out
    }

    /// The m= sections in order; their number and order never change within a session
    /// (RFC 3264 §8).
    pub fn media(&self) -> &[Media] {
        &self.media
    }

    /// The m= sections, to edit.
    pub fn media_mut(&mut self) -> &mut [Media] {
        &mut self.media
    }

    /// The o= line, where it is present and complete.
    pub fn origin(&self) -> Option<Origin<'_>> {
        let value = self.session.iter().find(|line| line.kind() == b'o')?.value();
        let value = text(value)?;
        let mut fields = value.split_ascii_whitespace();
        let (username, session_id, version) = (fields.next()?, fields.next()?, fields.next()?);
        let place = field_range(value, 3).and_then(|range| value.get(range.start..))?;
        let address = address::parse(place.as_bytes());
        Some(Origin { username, session_id, version, address })
    }

    /// Makes it a description of a session of ours: one side of a B2BUA must stay the same session
    /// while the descriptions come from several phones (RFC 3264 §8).
    pub fn set_origin(&mut self, session_id: u64, version: u64, address: IpAddr) {
        let (id, version) = (Text::of(session_id), Text::of(version));
        let place = address::print(address);
        let value: [&[u8]; 6] =
            [b"- ", id.as_bytes(), b" ", version.as_bytes(), b" ", place.as_bytes()];
        match self.session.iter_mut().find(|line| line.kind() == b'o') {
            Some(line) => line.set_value(&value),
            None => {
                let after_v = self.session.iter().position(|it| it.kind() == b'v');
                let place = after_v.map_or(0, |it| it + 1);
                self.session.insert(place, Line::new(b'o', &value));
            }
        }
    }

    /// Leaves out what s=, i=, u=, e= and p= tell of who describes the session (RFC 8866 §5.3 to §5.6);
    /// o= is for [`Sdp::set_origin`].
    pub fn hide_author(&mut self) {
        self.session.retain(|it| !b"iuep".contains(&it.kind()));
        let names = self.session.iter_mut().filter(|it| it.kind() == b's');
        names.for_each(|it| it.set_value(&[b"-"]));
        self.media.iter_mut().for_each(|it| it.lines.retain(|it| it.kind() != b'i'));
    }

    /// The address of the session's own c= line.
    pub fn session_address(&self) -> Option<IpAddr> {
        let line = self.session.iter().find(|line| line.kind() == b'c')?;
        address::parse(line.value())
    }

    /// Where a section wants its media: its own c= line, else that of the session
    /// (RFC 8866 §5.7). `None` for a host name, a malformed address, or no such section.
    pub fn address_of(&self, index: usize) -> Option<IpAddr> {
        let media = self.media.get(index)?;
        if media.lines.iter().any(|line| line.kind() == b'c') {
            media.own_address()
        } else {
            self.session_address()
        }
    }

    /// Where a section wants RTP (or whatever it carries). `None` where nothing can be sent:
    /// rejected, unknown address, or the null address of an RFC 2543 hold.
    pub fn rtp_of(&self, index: usize) -> Option<SocketAddr> {
        let address = self.address_of(index).filter(|address| !address.is_unspecified())?;
        let port = self.media.get(index)?.port;
        (port != 0).then(|| SocketAddr::new(address, port))
    }

    /// Where a section wants RTCP when it is not multiplexed (RFC 3605).
    pub fn rtcp_of(&self, index: usize) -> Option<SocketAddr> {
        let rtp = self.rtp_of(index)?;
        let media = self.media.get(index)?;
        let own = media.rtcp_attribute().and_then(|rtcp| rtcp.address);
        let address = own.filter(|address| !address.is_unspecified());
        Some(SocketAddr::new(address.unwrap_or_else(|| rtp.ip()), media.rtcp_port()?))
    }

    /// The direction of a section: its own, else that of the session, else sendrecv
    /// (RFC 8866 §6.7).
    pub fn direction_of(&self, index: usize) -> Direction {
        let own = self.media.get(index).and_then(Media::own_direction);
        own.or_else(|| Direction::of(&self.session)).unwrap_or(Direction::SendRecv)
    }

    /// Whether the author puts a section on hold: it does not want to receive (RFC 3264 §8.4), or
    /// gives the null address (RFC 2543 §B.5). With ICE the null address only says "candidates
    /// follow" (RFC 8840 §4.1.1).
    pub fn holds(&self, index: usize) -> bool {
        let Some(media) = self.media.get(index) else { return false };
        let null = self.address_of(index).is_some_and(|address| address.is_unspecified());
        !self.direction_of(index).receives() || (null && !self.uses_ice(media))
    }

    /// Whether the author puts the call on hold: all sections that are not rejected.
    pub fn is_held(&self) -> bool {
        let mut alive = (0..self.media.len()).filter(|index| !self.media[*index].is_rejected());
        let Some(first) = alive.next() else { return false };
        self.holds(first) && alive.all(|index| self.holds(index))
    }

    /// Which sections share a transport (RFC 8843): for each m= line the index of the first one
    /// with the same address and port, or of the bundle's first where it has no port of its own.
    /// `None` for a rejected section and for one over TCP.
    ///
    /// The initial offer of a bundle gives each section its own port; they fall together in the
    /// answer.
    pub fn transports(&self) -> SmallVec<[Option<usize>; 4]> {
        (0..self.media.len()).map(|index| self.transport_of(index)).collect()
    }

    /// The attributes of the session, in their order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        attribute::iter(&self.session)
    }

    /// The first attribute of the session with this name.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        attribute::find(&self.session, name)
    }

    /// Replaces the session's first attribute of this name, else appends it.
    pub fn set_attribute(&mut self, name: &str, value: Option<&str>) {
        attribute::set(&mut self.session, name, value);
    }

    /// Removes all attributes of this name from the session's own lines.
    pub fn remove_attribute(&mut self, name: &str) {
        attribute::remove(&mut self.session, name);
    }

    pub(crate) fn uses_ice(&self, media: &Media) -> bool {
        media.has_ice() || self.attribute("ice-ufrag").is_some()
    }

    /// The names of the sections bundled with this one (RFC 8843 §7), itself included.
    pub(crate) fn bundle_of(&self, mid: &str) -> Option<impl Iterator<Item = &str>> {
        attribute::named(&self.session, "group")
            .filter_map(|group| group.text())
            .map(str::split_ascii_whitespace)
            .filter_map(|mut names| names.next().filter(|it| *it == "BUNDLE").map(|_| names))
            .find(|names| names.clone().any(|name| name == mid))
    }

    fn transport_of(&self, index: usize) -> Option<usize> {
        let media = self.media.get(index)?;
        if media.is_rejected() || media.is_tcp() {
            return None;
        }
        if media.port == 0 {
            let with_port = |mid| self.media.iter().position(|it| it.mid() == mid && it.port != 0);
            return self.bundle_of(media.mid()?)?.find_map(|mid| with_port(Some(mid)));
        }
        // Without a shared address or bundle an equal port is a mistake, but one socket anyway.
        let address = self.address_of(index);
        let same = |other: usize| {
            self.media.get(other).is_some_and(|it| it.port == media.port)
                && self.address_of(other) == address
        };
        Some((0..index).find(|other| same(*other)).unwrap_or(index))
    }
}

/// The m= lines only: other lines may hold keys (a=crypto) and have no place in a log.
impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.media).finish()
    }
}

/// The m= line only, as for [`Sdp`].
impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={}", self.m)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sdp(lines: &str) -> Sdp {
        Sdp::parse(format!("v=0\n{lines}\n").as_bytes()).unwrap()
    }

    #[test]
    fn hold_table() {
        let audio = "m=audio 4 RTP/AVP 0\n";
        #[rustfmt::skip]
        let table = [
            // session lines           media                                             held
            ("",                       audio.to_owned(),                              false),
            ("",                       format!("{audio}a=sendonly"),                     true),
            ("",                       format!("{audio}a=inactive"),                     true),
            ("",                       format!("{audio}a=recvonly"),                     false),
            ("a=sendonly\n",           audio.to_owned(),                              true),
            ("a=sendonly\n",           format!("{audio}a=sendrecv"),                     false),
            ("c=IN IP4 0.0.0.0\n",     audio.to_owned(),                              true),
            ("c=IN IP6 ::\n",          audio.to_owned(),                              true),
            ("c=IN IP4 0.0.0.0\n",     format!("{audio}c=IN IP4 192.0.2.7"),             false),
            ("c=IN IP4 192.0.2.7\n",   format!("{audio}c=IN IP4 0.0.0.0"),               true),
            ("c=IN IP4 0.0.0.0\n",     format!("{audio}a=ice-ufrag:u"),                  false),
            ("",                       format!("{audio}a=sendonly\nm=video 0 RTP/AVP 31"), true),
            ("",                       format!("{audio}a=sendonly\nm=video 6 RTP/AVP 31"), false),
            ("a=sendonly\n",           "m=audio 0 RTP/AVP 0".to_owned(),                 false),
            ("a=sendonly\n",           String::new(),                                    false),
        ];
        for (session, media, held) in table {
            assert_eq!(sdp(&format!("{session}{media}")).is_held(), held, "{session}{media}");
        }
    }

    #[test]
    fn where_media_goes() {
        let sdp = sdp("c=IN IP4 192.0.2.1\n\
             m=audio 4000 RTP/AVP 0\n\
             m=audio 4002 RTP/AVP 0\nc=IN IP6 2001:db8::2\na=rtcp:5000\n\
             m=audio 4004 RTP/AVP 0\na=rtcp:5002 IN IP4 192.0.2.9\n\
             m=audio 0 RTP/AVP 0\n\
             m=audio 4006 RTP/AVP 0\nc=IN IP4 phone.example\n\
             m=audio 4008 RTP/AVP 0\nc=IN IP4 0.0.0.0\n\
             m=audio 9 RTP/AVP 0\na=rtcp:9 IN IP4 0.0.0.0");
        #[rustfmt::skip]
        let table = [
            (Some("192.0.2.1:4000"),     Some("192.0.2.1:4001")),
            (Some("[2001:db8::2]:4002"), Some("[2001:db8::2]:5000")),
            (Some("192.0.2.1:4004"),     Some("192.0.2.9:5002")),
            (None,                       None),
            (None,                       None),
            (None,                       None),
            (Some("192.0.2.1:9"),        Some("192.0.2.1:9")),
            (None,                       None),
        ];
        for (index, (rtp, rtcp)) in table.into_iter().enumerate() {
            assert_eq!(sdp.rtp_of(index), rtp.map(|it| it.parse().unwrap()), "RTP {index}");
            assert_eq!(sdp.rtcp_of(index), rtcp.map(|it| it.parse().unwrap()), "RTCP {index}");
        }
    }

    #[test]
    fn the_author_is_hidden_and_the_session_stays() {
        let text = "v=0\r\no=ann 5 6 IN IP4 10.0.0.1\r\ns=Ann's call\r\ni=About\r\nu=http://ann.example\r\n\
                    e=ann@x\r\np=+44\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\ni=Ann\r\na=sendrecv\r\n";
        let mut sdp = Sdp::parse(text.as_bytes()).unwrap();
        sdp.hide_author();
        let expected = "v=0\r\no=ann 5 6 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
                        m=audio 4 RTP/AVP 0\r\na=sendrecv\r\n";
        assert_eq!(String::from_utf8(sdp.to_bytes()).unwrap(), expected);
    }

    #[test]
    fn origin_is_read_and_set() {
        let sdp = sdp("o=ann 99999999999999999999 x IN IP4 host.example\ns=-");
        let origin = sdp.origin().unwrap();
        assert_eq!((origin.username, origin.session_id), ("ann", "99999999999999999999"));
        assert_eq!((origin.version, origin.address), ("x", None));
        for mut sdp in [sdp, self::sdp("s=-"), self::sdp("o=x\ns=-")] {
            sdp.set_origin(7, 8, "2001:db8::1".parse().unwrap());
            assert_eq!(sdp.to_bytes(), b"v=0\r\no=- 7 8 IN IP6 2001:db8::1\r\ns=-\r\n");
        }
        assert_eq!(self::sdp("o=ann 1 2").origin(), None);
        assert_eq!(self::sdp("s=-").origin(), None);
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let sdp = sdp("k=clear:hush\nm=audio 4 RTP/SAVP 0\na=crypto:1 X inline:hush");
        assert_eq!(format!("{sdp:?}"), "[m=audio 4 RTP/SAVP 0]");
    }
}
