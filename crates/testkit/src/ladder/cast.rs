//! The cast of a ladder: who its phones are, and what is given about them and the office.

use super::carrier;
use super::line::{Step, Words};
use super::plan;
use super::stage::Stage;
use crate::office::edge::Edge;
use crate::office::{self, Office};
use crate::phone::Phone;
use pbx::core::Command;
use pbx::directory::{AllowedAddress, Extension, Relay};
use pbx::id::TenantId;
use pbx::settings::Settings;
use pbx::supplementary::{Forwarding, Forwardings, PhoneChange};
use sip::Transport;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The phones everybody knows. `bob2` is the second device of bob's number.
const CAST: [(&str, &str); 8] = [
    ("alice", "100"),
    ("bob", "101"),
    ("carol", "102"),
    ("dave", "103"),
    ("erin", "104"),
    ("frank", "105"),
    ("grace", "106"),
    ("heidi", "107"),
];

/// The number of a phone that belongs to nobody.
const STRANGER: &str = "666";

/// Where the packets of a phone behind a router come from.
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// Builds office and phones, and registers those that are.
pub(super) fn set_the_stage(steps: &[&Step]) -> Result<Stage, String> {
    let given: Vec<&Words> = steps.iter().filter_map(|it| given(it)).collect();
    let settings = settings(&given)?;
    let mut office = Office::new(1, settings.clone(), Vec::new());
    guard(&given, &mut office)?;
    let mut extensions: BTreeMap<&str, Extension> = CAST
        .into_iter()
        .map(|(name, number)| {
            (number, office::extension(number, name, &format!("secret-{name}"), &settings))
        })
        .collect();
    let mut phones = BTreeMap::new();
    let mut to_register = Vec::new();
    for name in phones_of(steps) {
        let words = given.iter().find(|it| it.head == name);
        let speaks_tcp =
            |it: &&Words| it.has("tcp") && (it.head == name || carrier::is_at(it, name));
        let transport = match given.iter().any(speaks_tcp) {
            true => Transport::Tcp,
            false => Transport::Udp,
        };
        if let Some(carrier) = carrier::carrier(name, transport) {
            phones.insert(name.to_owned(), carrier);
            continue;
        }
        let has = |flag: &str| words.is_some_and(|it| it.has(flag));
        let (phone, device) = phone(name, words.copied(), &mut office.edge)?;
        if let Some(extension) = extensions.get_mut(phone.number.as_str()) {
            if device > 1 {
                extension.devices_max = extension.devices_max.max(Some(3));
            }
            if has("address") {
                let network = phone.address().ip().into();
                let port = Some(phone.address().port());
                extension.addresses = vec![AllowedAddress { network, port }];
                extension.secret = None;
            }
        }
        if !has("unregistered") && !has("stranger") && !has("address") {
            to_register.push(name.to_owned());
        }
        phones.insert(name.to_owned(), phone);
    }
    for words in &given {
        if let Some(extension) = extensions.get_mut(words.head.as_str()) {
            adjust(extension, words)?;
        }
    }
    furnish(&mut office, extensions, &given)?;
    for words in &given {
        set_by_phone(&mut office, words);
    }
    let mut stage = Stage::new(office, phones);
    carrier::register(&mut stage, carrier::registered(steps))?;
    for name in to_register {
        stage.register(&name)?;
    }
    stage.settle();
    Ok(stage)
}

/// `given 101 forward-busy=102`: as if one of its phones had dialled the code.
fn set_by_phone(office: &mut Office, words: &Words) {
    for (key, value) in words.pairs() {
        let Some(when) = forwarding(key) else { continue };
        office.command(Command::SetPhone {
            tenant: TenantId::default(),
            extension: words.head.as_str().into(),
            change: PhoneChange::Forward(when, Some(value.into())),
        });
    }
}

fn forwarding(key: &str) -> Option<Forwarding> {
    let word = key.strip_prefix("forward-")?;
    Forwarding::ALL.into_iter().find(|it| it.as_str() == word)
}

/// Gives the office its extensions, lines and trunks, and the names they have in DNS.
fn furnish(
    office: &mut Office,
    extensions: BTreeMap<&str, Extension>,
    given: &[&Words],
) -> Result<(), String> {
    carrier::fill_zone(given, &mut office.zone)?;
    let lines: Vec<_> =
        given.iter().filter_map(|it| carrier::line(it)).collect::<Result<_, String>>()?;
    let trunks: Vec<_> =
        given.iter().filter_map(|it| carrier::trunk(it)).collect::<Result<_, String>>()?;
    office.change(|tenant| {
        extensions.into_values().for_each(|it| tenant.put(it));
        lines.into_iter().for_each(|it| tenant.lines.put(it));
        carrier::block(tenant, given);
        for (trunk, row) in trunks {
            tenant.put_trunk(trunk);
            tenant.dial_plan.called.put(row);
        }
    });
    plan::furnish(office, given)
}

/// The phones in the order of their first lines.
fn phones_of<'a>(steps: &[&'a Step]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for step in steps {
        let name = match step {
            Step::Send { phone, .. } | Step::Expect { phone, .. } => phone.as_str(),
            Step::Given(words) if CAST.iter().any(|it| it.0 == split(&words.head).0) => {
                words.head.as_str()
            }
            Step::Given(words) if words.head == "dns" => {
                names.extend(words.flags().filter(|it| carrier::is_carrier(it)));
                continue;
            }
            Step::Given(words) if words.get("at").is_some() => {
                names.extend(words.get("at").into_iter().flat_map(|it| it.split(',')));
                continue;
            }
            _ => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn given<'a>(step: &&'a Step) -> Option<&'a Words> {
    match step {
        Step::Given(words) => Some(words),
        _ => None,
    }
}

fn phone(name: &str, words: Option<&Words>, edge: &mut Edge) -> Result<(Phone, u8), String> {
    let has = |flag: &str| words.is_some_and(|it| it.has(flag));
    let (base, device) = split(name);
    let number = match CAST.iter().find(|it| it.0 == base) {
        Some((_, number)) => number,
        None if has("stranger") => STRANGER,
        None => return Err(format!("{name} is not in the cast")),
    };
    let transport = if has("tcp") { Transport::Tcp } else { Transport::Udp };
    let mut flow = office::flow_of(number, device, transport, has("ipv6"));
    let inside = flow.remote.ip();
    if has("nat") {
        flow.remote.set_ip(ROUTER);
    }
    let mut phone = Phone::new(name, number, &format!("secret-{base}"), flow);
    phone.media.set_ip(inside);
    edge.mute.extend(has("mute").then(|| flow.remote.ip()));
    if has("srtp") {
        phone.profile = "RTP/SAVP";
    }
    if let Some(codecs) = words.and_then(|it| it.get("codecs")) {
        phone.codecs = codecs.split(',').map(str::to_owned).collect();
    }
    phone.instance = words.and_then(|it| it.get("instance")).map(str::to_owned);
    Ok((phone, device))
}

/// `bob2` is device 2 of bob.
fn split(name: &str) -> (&str, u8) {
    let base = name.trim_end_matches(|it: char| it.is_ascii_digit());
    (base, name[base.len()..].parse().unwrap_or(1))
}

/// Changes an extension as `given 101 calls=1` and `change 101 calls=1` say.
pub(super) fn adjust(extension: &mut Extension, words: &Words) -> Result<(), String> {
    for (key, value) in words.pairs() {
        let number = value.parse().map_err(|_| format!("{key}={value}: not a number"));
        match key {
            "calls" => extension.calls_max = number?,
            "devices" => extension.devices_max = Some(number?),
            "name" => extension.name = value.into(),
            "password" => {
                let settings = Settings::default();
                extension.secret = Some(office::secret(&extension.number, value, &settings));
            }
            "calls-in" => extension.services.calls_in_max = number?,
            "calls-out" => extension.services.calls_out_max = number?,
            "group" => {
                extension.services.pickup_group =
                    value.parse().map_err(|_| format!("group={value}"))?
            }
            "ring" => {
                extension.services.ring_s = value.parse().map_err(|_| format!("ring={value}"))?
            }
            "may-forward" => {
                let word = |it: &str| {
                    let mut all = Forwarding::ALL.into_iter();
                    all.find(|one| one.as_str() == it).ok_or_else(|| format!("{it}?"))
                };
                let all = value.split(',').map(word).collect::<Result<Vec<_>, _>>()?;
                extension.services.may_forward = all.into();
            }
            _ if forwarding(key).is_some() => {
                let rights = extension.services.may_forward;
                extension.services.may_forward =
                    forwarding(key).into_iter().fold(rights, Forwardings::with);
            }
            "relay" => {
                extension.relay = match value {
                    "always" => Relay::Always,
                    "auto" => Relay::Auto,
                    "never" => Relay::Never,
                    _ => return Err(format!("relay={value}?")),
                }
            }
            "address" => {
                let network = value.parse::<IpAddr>().map_err(|error| error.to_string())?.into();
                extension.addresses = vec![AllowedAddress { network, port: None }];
            }
            _ => return Err(format!("an extension has no {key}")),
        }
    }
    extension.services.call_waiting &= !words.has("no-waiting");
    extension.weak_password |= words.has("weak");
    extension.digest_without_qop &= !words.has("qop-only");
    Ok(())
}

fn settings(given: &[&Words]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for (key, value) in given.iter().filter(|it| it.head == "setting").flat_map(|it| it.pairs()) {
        let number = value.parse().map_err(|_| format!("{key}={value}: not a number"));
        match key {
            "no_answer_s" => settings.no_answer_s = number?,
            "expires_min_s" => settings.expires_min_s = number?,
            "expires_default_s" => settings.expires_default_s = number?,
            "expires_max_s" => settings.expires_max_s = number?,
            "session_expires_s" => settings.session_expires_s = number?,
            "min_se_s" => settings.min_se_s = number?,
            "rtp_timeout_s" => settings.rtp_timeout_s = number?,
            "digest" => {
                settings.digest_algorithms = value.split(',').map(str::to_owned).collect();
            }
            _ => return Err(format!("no setting {key}")),
        }
    }
    settings.checked().map_err(|error| error.to_string())
}

/// The guard's rates are fixed for the life of a core, so it starts anew with them.
fn guard(given: &[&Words], office: &mut Office) -> Result<(), String> {
    for words in given.iter().filter(|it| it.head == "guard") {
        for (key, value) in words.pairs() {
            let number = value.parse().map_err(|_| format!("{key}={value}: not a number"))?;
            match key {
                "rate" => office.config.guard_rate = number,
                "burst" => office.config.guard_burst = number,
                _ => return Err(format!("the guard has no {key}")),
            }
        }
        office.kill();
    }
    Ok(())
}
