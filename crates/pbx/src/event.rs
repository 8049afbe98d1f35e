//! Facts to look at: what the live board, the log and the metrics are built from.
//!
//! Unlike a [`Record`](crate::record::Record), an event may be lost when its reader lags.

use crate::dialplan::Tried;
use crate::id::{CallId, TenantId};
use crate::language::Text;
use crate::light::Light;
use crate::line::doctor::report::Report;
use crate::line::live::LineStatus;
use crate::media::Figures;
use crate::record::{Binding, BindingKey, CallRecord};
use crate::trunk::live::TrunkStatus;
use sip::Piece;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Registered(Arc<Binding>),
    Unregistered {
        key: BindingKey,
        why: UnregisterReason,
    },
    /// Credentials were wrong, replayed or refused by policy; goes to the security log.
    AuthFailed {
        source: SocketAddr,
        user: Box<str>,
        method: Box<str>,
        why: AuthFailure,
    },
    /// A call began or changed: the whole current picture of it.
    Call(Box<CallStatus>),
    CallEnded(Arc<CallRecord>),
    /// A line changed: the whole current picture of it.
    Line(Box<LineStatus>),
    LineGone {
        tenant: TenantId,
        account: Box<str>,
    },
    /// The decision on a call that nobody placed, with its steps.
    Tried {
        token: u64,
        told: Arc<Tried>,
    },
    /// What was ordered by this token is under way, or why it is not.
    Ordered {
        token: u64,
        undone: Option<Undone>,
    },
    /// An examination asked for by this token is over; without a report it could not be made.
    Examined {
        token: u64,
        report: Option<Box<Report>>,
    },
    /// A trunk changed: the whole current picture of it.
    Trunk(Box<TrunkStatus>),
    TrunkGone {
        tenant: TenantId,
        id: u32,
    },
    /// A source spent its tokens; said once until it has some again.
    Throttled {
        source: SocketAddr,
    },
    /// One input made the core panic; its call, if it had one, was ended.
    Fault {
        call: Option<CallId>,
        message: Box<str>,
    },
}

/// Why nothing comes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// As many calls are up as there may be.
    Full,
    /// There is no extension with whose rights a number could be dialled.
    NoRights,
    /// There is no such call, or none can be made of these numbers.
    NoCall,
    /// Not two talk in this call.
    NotTalking,
    /// One of its sides is being transferred already.
    Transferring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnregisterReason {
    Expired,
    Removed,
    /// A newer registration took the place.
    Replaced,
    /// The same phone started anew, and its new registration took the place.
    Restarted,
    /// An administrator did it.
    LoggedOff,
    /// The extension was deleted.
    Deleted,
    /// It was made with a password that is no longer the extension's.
    PasswordChanged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    UnknownUser,
    BadDigest,
    Replay,
    WeakPasswordFromOutside,
    /// The digest is right, but the request speaks for another extension.
    WrongIdentity,
}

impl AuthFailure {
    /// The stable word in the security log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::BadDigest => "bad_digest",
            Self::Replay => "replay",
            Self::WeakPasswordFromOutside => "weak_password",
            Self::WrongIdentity => "wrong_identity",
        }
    }
}

/// What a call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    Started,
    Ringing,
    Answered,
    Held,
    Released,
}

impl CallState {
    pub const ALL: [Self; 5] =
        [Self::Started, Self::Ringing, Self::Answered, Self::Held, Self::Released];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Held => "held",
            Self::Released => "released",
        }
    }

    /// As live lists say it.
    pub fn text(self) -> Text {
        match self {
            Self::Started => Text::fixed("started", "已发起"),
            Self::Ringing => Text::fixed("ringing", "振铃中"),
            Self::Answered => Text::fixed("talking", "通话中"),
            Self::Held => Text::fixed("on hold", "保持中"),
            Self::Released => Text::fixed("released", "已释放"),
        }
    }

    /// As live lists show it beside the word: nobody needs to see colours.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Started => "○",
            Self::Ringing => "◐",
            Self::Answered => "●",
            Self::Held => "‖",
            Self::Released => "□",
        }
    }
}

/// A running call as the board shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallStatus {
    pub call: CallId,
    pub tenant: TenantId,
    pub state: CallState,
    /// As much of the record as is known: who, whom, when.
    pub record: Arc<CallRecord>,
    pub codec_caller: SmolStr,
    pub codec_callee: SmolStr,
    pub relayed: bool,
    pub legs: SmallVec<[LegStatus; 2]>,
}

/// One leg of a running call.
#[derive(Clone, Debug, PartialEq)]
pub struct LegStatus {
    pub caller: bool,
    pub number: SmolStr,
    pub remote: SocketAddr,
    pub sip_call_id: Piece,
    pub user_agent: SmolStr,
    /// The latest media figures of this leg's transports.
    pub media: Vec<Figures>,
    /// Of an answered call that is relayed and not on hold, once there are figures.
    pub light: Option<Light>,
}
