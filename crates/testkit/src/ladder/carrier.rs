//! The carriers of a ladder, and the lines that register at them.
//!
//! ```text
//! given line 5678 at=telecom                what differs from a usual line, which is registered
//! given line 5678 at=telecom dtmf=rtp       pass, rtp or info; of trunks too
//! given line 5678 at=telecom unregistered owner=101 group=1 new-call-id tcp
//! given telecom tcp                         it is reached by a stream
//! given line 5678 domain=telecom.example auto   DNS chooses the transport
//! given trunk 1 at=branch,branch2 prefix=2 out=1 in=0 options=30 level=1
//! given blocked 3 caller=100                a row of the black list
//! pbx -> telecom  REGISTER credentials=none|right|wrong call-id=same|new
//! pbx <- telecom  401 challenge="realm=telecom, nonce=n2, stale=true"
//! pbx <- telecom  200 expires=600           with the Contact that was registered
//! telecom -> pbx  INVITE to-line=5678       to the Contact that the line registered
//! given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
//! given dns sip1.telecom.example A telecom  a carrier's address
//! given dns silent | given dns delay=2s     how DNS answers; without `given` from there on
//! dns sip1.telecom.example A telecom2       in the place of what it had; without data: nothing
//! ```
//! A 401 or 407 without `challenge` has the usual one.

use super::line::{Step, Words};
use super::stage::Stage;
use crate::office::zone::Zone;
use crate::office::{Office, SERVER_PORT, SERVER_V4, flow_of};
use crate::phone::Phone;
use pbx::dialplan::blocklist::ANY;
use pbx::dialplan::rows::{BlockRow, CalledRow, DEFAULT_PLAN, RouteType, TrunkChoice};
use pbx::directory::Tenant;
use pbx::interop::{Dtmf, IdentityHeader};
use pbx::line::Line;
use pbx::line::config::{CallerNumber, FromUser, Incoming, LineTransport, Password};
use pbx::trunk::Trunk;
use pbx::trunk::config::TrunkAddress;
use sip::Flow;
use sip::Transport;
use std::net::SocketAddr;

/// The carriers everybody knows, and their addresses.
const CARRIERS: [(&str, [u8; 4], u16); 6] = [
    ("telecom", [203, 0, 113, 5], SERVER_PORT),
    ("unicom", [203, 0, 113, 6], SERVER_PORT),
    // A further server of telecom's.
    ("telecom2", [203, 0, 113, 7], SERVER_PORT),
    // Another port of telecom's host.
    ("gateway", [203, 0, 113, 5], 5070),
    // Another office of ours, and its second server.
    ("branch", [10, 23, 0, 1], SERVER_PORT),
    ("branch2", [10, 23, 0, 2], SERVER_PORT),
];

/// The challenge of a carrier that says nothing of its own.
pub(super) const USUAL_CHALLENGE: &str =
    "realm=\"telecom\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

pub(super) fn is_carrier(name: &str) -> bool {
    CARRIERS.iter().any(|it| it.0 == name)
}

/// A carrier as the phone it is played by.
pub(super) fn carrier(name: &str, transport: Transport) -> Option<Phone> {
    let &(_, address, port) = CARRIERS.iter().find(|it| it.0 == name)?;
    let usual = flow_of("0", 0, transport, false);
    let flow = Flow { remote: SocketAddr::from((address, port)), ..usual };
    debug_assert_eq!(flow.local, SocketAddr::new(SERVER_V4, SERVER_PORT));
    Some(Phone::new(name, name, "", flow))
}

/// Whether a `given` line names this carrier.
pub(super) fn is_at(words: &Words, name: &str) -> bool {
    words.get("at").is_some_and(|it| it.split(',').any(|it| it == name))
}

/// The password of a line, and what the carrier expects.
pub(super) fn password_of(account: &str) -> String {
    format!("secret-{account}")
}

/// Reads `given line 5678 at=telecom …`; `None` for other lines.
pub(super) fn line(words: &Words) -> Option<Result<Line, String>> {
    let account = words.flags().next().filter(|_| words.head == "line")?;
    let mut line = Line {
        account: account.into(),
        password: Password(password_of(account).into()),
        keep_alive_s: 0,
        ..Line::default()
    };
    Some(adjust(&mut line, words).map(|()| line))
}

/// Changes a line as `given line …` and `change line …` say.
pub(super) fn adjust(line: &mut Line, words: &Words) -> Result<(), String> {
    for flag in words.flags().skip(1) {
        match flag {
            "unregistered" | "deleted" => {}
            "tcp" => line.transport = LineTransport::Tcp,
            "auto" => line.transport = LineTransport::Auto,
            "new-call-id" => line.new_call_id = true,
            "without-register" => line.register = false,
            "off" => line.enabled = false,
            "private" => line.shared = false,
            "privacy" => line.interop.privacy = true,
            _ => return Err(format!("a line is not {flag}")),
        }
    }
    for (key, value) in words.pairs() {
        let number = value.parse::<u16>().map_err(|_| format!("{key}={value}: not a number"));
        match key {
            "at" => line.domain = address_of(value)?.into(),
            "proxy" => line.outbound_proxy = address_of(value)?.into(),
            "domain" => line.domain = value.into(),
            "expires" => line.expires_s = number?.into(),
            "keep-alive" => line.keep_alive_s = number?,
            "no-answer" => line.no_answer_s = number?,
            "group" => line.group = number?.into(),
            "auth-user" => line.auth_user = value.into(),
            "password" => line.password = Password(value.into()),
            "owner" => line.owner = Some(value.into()),
            "to" => line.incoming = Incoming::Number(value.into()),
            "to-extension" => line.incoming = Incoming::Extension(value.into()),
            "uri" => line.uri_parameters = value.into(),
            "out" => line.calls_out_max.0 = Some(number?),
            "in" => line.calls_in_max.0 = Some(number?),
            "from" => {
                line.from_user = match value {
                    "account" => FromUser::Account,
                    "caller" => FromUser::Caller,
                    _ => return Err(format!("from={value}?")),
                }
            }
            "caller" => {
                line.caller_number = match value {
                    "account" => CallerNumber::Account,
                    "caller" => CallerNumber::Caller,
                    fixed => CallerNumber::Fixed(fixed.into()),
                }
            }
            "100rel" => {
                use pbx::interop::Reliable::{Auto, Off, Required};
                line.interop.reliable = match value {
                    "auto" => Auto,
                    "required" => Required,
                    "off" => Off,
                    _ => return Err(format!("100rel={value}?")),
                }
            }
            "dtmf" => line.interop.dtmf = dtmf(value)?,
            "session_expires_s" => line.interop.session_expires_s.0 = number?,
            "codecs" => line.interop.codecs = value.split(',').map(Into::into).collect(),
            "identity" => line.interop.identity = identity(value)?,
            _ => return Err(format!("a line has no {key}")),
        }
    }
    Ok(())
}

/// Reads `dtmf=rtp`.
fn dtmf(value: &str) -> Result<Dtmf, String> {
    match value {
        "pass" => Ok(Dtmf::Pass),
        "rtp" => Ok(Dtmf::Rtp),
        "info" => Ok(Dtmf::Info),
        _ => Err(format!("dtmf={value}?")),
    }
}

/// Reads `given trunk 1 at=branch prefix=2 …`: the trunk and the row that leads there.
pub(super) fn trunk(words: &Words) -> Option<Result<(Trunk, CalledRow), String>> {
    let id = words.flags().next().filter(|_| words.head == "trunk")?.parse().unwrap_or_default();
    let mut trunk = Trunk { id, options_s: 0, ..Trunk::default() };
    let prefix = words.get("prefix").unwrap_or_default().into();
    let route = RouteType::SipTrunk(TrunkChoice::Listed(vec![id]));
    let row = CalledRow {
        id,
        plan: DEFAULT_PLAN.into(),
        prefix,
        route,
        transition: None,
        reanalyze: false,
        level: words.get("level").and_then(|it| it.parse().ok()),
        time: None,
        description: "".into(),
    };
    Some(adjust_trunk(&mut trunk, words).map(|()| (trunk, row)))
}

/// Reads `given blocked 3 caller=100`: rows of the black list.
pub(super) fn block(tenant: &mut Tenant, given: &[&Words]) {
    for words in given.iter().filter(|it| it.head == "blocked") {
        let id = words.flags().next().and_then(|it| it.parse().ok()).unwrap_or_default();
        let of = |name| words.get(name).unwrap_or(ANY).into();
        let (caller, called) = (of("caller"), of("called"));
        let description = "".into();
        tenant.dial_plan.blocked.put(BlockRow { id, caller, called, rate: 100, description });
    }
}

fn adjust_trunk(trunk: &mut Trunk, words: &Words) -> Result<(), String> {
    for flag in words.flags().skip(1) {
        match flag {
            "tel" => trunk.tel_uri = true,
            "tcp" => trunk.transport = LineTransport::Tcp,
            "auto" => trunk.transport = LineTransport::Auto,
            _ => return Err(format!("a trunk is not {flag}")),
        }
    }
    for (key, value) in words.pairs() {
        let number = value.parse::<u16>().map_err(|_| format!("{key}={value}: not a number"));
        match key {
            "at" => {
                for (priority, name) in (1..).zip(value.split(',')) {
                    let host = address_of(name)?.into();
                    trunk.addresses.push(TrunkAddress { host, port: SERVER_PORT, priority });
                }
            }
            "host" => {
                let (host, priority) = (value.into(), 1);
                trunk.addresses.push(TrunkAddress { host, port: SERVER_PORT, priority });
            }
            "prefix" | "level" => {}
            "options" => trunk.options_s = number?,
            "out" => trunk.calls_out_max.0 = Some(number?),
            "in" => trunk.calls_in_max.0 = Some(number?),
            "caller" => trunk.caller_number = value.into(),
            "group" => trunk.group = number?.into(),
            "uri" => trunk.uri_parameters = value.into(),
            "identity" => trunk.interop.identity = identity(value)?,
            "dtmf" => trunk.interop.dtmf = dtmf(value)?,
            _ => return Err(format!("a trunk has no {key}")),
        }
    }
    Ok(())
}

fn identity(value: &str) -> Result<IdentityHeader, String> {
    match value {
        "pai" => Ok(IdentityHeader::PAssertedIdentity),
        "rpid" => Ok(IdentityHeader::RemotePartyId),
        _ => Err(format!("identity={value}?")),
    }
}

/// What is given about DNS.
pub(super) fn fill_zone(given: &[&Words], zone: &mut Zone) -> Result<(), String> {
    let mut lines = given.iter().filter(|it| it.head == "dns");
    lines.try_for_each(|it| add_dns(zone, &it.flags().collect::<Vec<_>>(), it))
}

/// Adds the record that `given dns NAME TYPE DATA` names, or says how DNS answers.
fn add_dns(zone: &mut Zone, flags: &[&str], words: &Words) -> Result<(), String> {
    if let Some(delay) = words.get("delay") {
        zone.delay = super::line::duration(delay)?;
    }
    match flags {
        [] => {}
        ["silent"] => zone.silent = true,
        ["answers"] => zone.silent = false,
        [name, kind, data @ ..] => {
            let data: Vec<String> =
                data.iter().map(|it| address_of(it).unwrap_or_else(|_| (*it).to_owned())).collect();
            zone.add(name, kind, &data.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        [other] => return Err(format!("dns {other}?")),
    }
    Ok(())
}

/// The same from now on, in the place of what was there; whoever depends on it notices.
pub(super) fn change_dns(office: &mut Office, words: &Words) -> Result<(), String> {
    if let Some(delay) = words.head.strip_prefix("delay=") {
        office.zone.delay = super::line::duration(delay)?;
        return Ok(());
    }
    let flags: Vec<&str> = [words.head.as_str()].into_iter().chain(words.flags()).collect();
    if let [name, kind, data @ ..] = flags.as_slice() {
        office.zone.clear(name, kind)?;
        if !data.is_empty() {
            add_dns(&mut office.zone, &flags, words)?;
        }
    } else {
        add_dns(&mut office.zone, &flags, words)?;
    }
    office.refresh_names();
    Ok(())
}

fn address_of(carrier: &str) -> Result<String, String> {
    let found = CARRIERS.iter().find(|it| it.0 == carrier);
    found
        .map(|it| it.1.map(|it| it.to_string()).join("."))
        .ok_or_else(|| format!("no carrier {carrier}"))
}

/// How many lines are registered before the ladder begins.
pub(super) fn registered(steps: &[&Step]) -> usize {
    let given = steps.iter().filter_map(|it| match it {
        Step::Given(words) => Some(words),
        _ => None,
    });
    let lines = given.filter(|it| it.head == "line");
    lines
        .filter(|it| !it.has("unregistered") && !it.has("without-register") && !it.has("off"))
        .count()
}

/// Lets the carriers answer every REGISTER until this many lines are registered.
pub(super) fn register(stage: &mut Stage, lines: usize) -> Result<(), String> {
    const ROUNDS_PER_LINE: usize = 4;
    let mut done = 0;
    for _ in 0..ROUNDS_PER_LINE * lines {
        if done == lines {
            break;
        }
        stage.office.advance(pbx::line::live::PACE);
        while stage.office.peek_sent().is_some() {
            done += usize::from(stage.answer_register()?);
        }
    }
    if done < lines {
        return Err(format!("only {done} of {lines} lines registered"));
    }
    Ok(())
}
