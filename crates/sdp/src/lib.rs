//! SDP text ⇄ types, keeping what it does not know; offer/answer as pure functions.
//!
//! A B2BUA passes session descriptions from one leg to the other and changes only what it must, so
//! [`Sdp`] is the ordered list of its lines (RFC 8866) with typed views on top and edits in place.
//! Read [`Sdp`] for the whole, [`Media`] for one m= section, [`relay`] for what a relaying B2BUA
//! changes, [`offer_answer`] for the rules of RFC 3264.

mod address;
mod attribute;
mod codec;
mod events;
mod line;
mod media;
pub mod offer_answer;
mod parse;
mod prefer;
pub mod relay;
mod session;

pub use attribute::Attribute;
pub use codec::Codec;
pub use events::Events;
pub use media::{Direction, Kind, Media, RtcpAttribute};
pub use offer_answer::{
    EchoPlace, NoCommonCodec, OfferAnswerError, answer_matches, echo_answer, echo_offer,
    voice_offer,
};
pub use parse::{MAX_FORMATS, MAX_LEN, MAX_LINES, MAX_MEDIA, SdpError};
pub use relay::WrongPortCount;
pub use session::{Origin, Sdp};
