//! The o= line of what we send: in each dialog one session of ours, whose version counts what we
//! described (RFC 3264 §8, RFC 8866 §5.2).
//!
//! Whom a phone talks to changes within its dialog (transfer, pickup, a placed call), and each of
//! them describes a session of his own. So a leg has one, wherever it goes; who says the same again
//! has the same version.

use super::body::{self, OwnedBody};
use ahash::AHasher;
use bytes::Bytes;
use sdp::Sdp;
use sip::Tag;
use sip::message::block::{self, Life};
use std::hash::Hasher as _;
use std::net::IpAddr;

/// Room for a usual description. Unit: octets.
const USUAL_SDP: usize = 512;

/// What we have described in a dialog.
#[derive(Clone, Copy, Debug)]
pub struct Edition {
    session_id: u32,
    /// Of the newest description; 0: there is none.
    version: u32,
    /// The same but for o=: its digest.
    digest: u64,
    /// Where the first one was told to be from.
    address: Option<IpAddr>,
}

impl Edition {
    /// A dialog in which nothing is described yet; our tag names the session too.
    pub fn of_dialog(tag: Tag) -> Self {
        Self { session_id: tag.number(), version: 0, digest: 0, address: None }
    }

    /// Prints what is described next, from our address towards the phone.
    pub(super) fn print(&mut self, sdp: &mut Sdp, address: IpAddr) -> Bytes {
        let mut hasher = AHasher::default();
        sdp.print(|piece| {
            if !piece.starts_with(b"o=") {
                hasher.write(piece);
            }
        });
        let digest = hasher.finish();
        if self.version == 0 || self.digest != digest {
            self.version += 1;
            self.digest = digest;
        }
        let address = *self.address.get_or_insert(address);
        sdp.set_origin(self.session_id.into(), self.version.into(), address);
        block::write(Life::Turn, USUAL_SDP, |out| sdp.print(|it| out.extend_from_slice(it)))
    }

    /// What was described for another leg, or for this one where it was not here yet.
    pub(super) fn reprint(&mut self, said: OwnedBody, address: IpAddr) -> OwnedBody {
        let view = said.view();
        let Some(range) = body::sdp_range(view) else { return said };
        let Ok(mut sdp) = Sdp::parse(&view.bytes[range.clone()]) else { return said };
        let bytes = self.print(&mut sdp, address);
        body::with_sdp(view, range, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_for_each_change_and_none_for_the_same() {
        let mut edition = Edition::of_dialog(Tag::new('a', 7));
        #[rustfmt::skip]
        let table = [
            // o= as it came      port  direction   version
            ("ann 1 1 IN IP4 10.0.0.1",    4, "sendrecv", 1),
            ("ann 1 1 IN IP4 10.0.0.1",    4, "sendrecv", 1),
            ("ann 1 2 IN IP4 10.0.0.1",    4, "sendrecv", 1),
            ("ann 1 3 IN IP4 10.0.0.1",    4, "sendonly", 2),
            ("bob 8 1 IN IP6 2001:db8::1", 4, "sendrecv", 3),
            ("bob 8 1 IN IP6 2001:db8::1", 6, "sendrecv", 4),
        ];
        for (origin, port, direction, version) in table {
            let text = |origin: &str| {
                format!("v=0\r\no={origin}\r\ns=-\r\nm=audio {port} RTP/AVP 0\r\na={direction}\r\n")
            };
            let mut sdp = Sdp::parse(text(origin).as_bytes()).unwrap();
            let printed = edition.print(&mut sdp, [192, 0, 2, 1].into());
            let expected = text(&format!("- 7 {version} IN IP4 192.0.2.1"));
            assert_eq!(str::from_utf8(&printed), Ok(&*expected));
        }
    }
}
