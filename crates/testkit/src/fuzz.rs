//! What must hold for octets of any kind: the bodies of the fuzz targets, also run over the kept
//! corpora in every test run.
//!
//! Each takes whatever it is given and panics only where something is wrong.

mod ladder;
mod parsers;

pub use ladder::ladder;
pub use parsers::{framing, message, rtp, sdp, uri};

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of its file and of its corpus.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const TARGETS: [Target; 6] = [
    Target { name: "message", run: message },
    Target { name: "uri", run: uri },
    Target { name: "sdp", run: sdp },
    Target { name: "framing", run: framing },
    Target { name: "rtp", run: rtp },
    Target { name: "ladder", run: ladder },
];
