//! What happens by chance: who does what next, and what goes wrong around them.

use super::actor::{Actor, Todo};
use super::names;
use super::outside;
use super::world::{Plan, World, below};
use crate::office::{Office, extension, flow_of};
use crate::phone::{Phone, Request, Target, Wishes};
use bytes::Bytes;
use pbx::core::{Command, Input, Shed};
use pbx::settings::Settings;
use pbx::supplementary::{Forwarding, Services};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use sip::Transport;
use std::time::Duration;

/// Extensions 100 to 107.
const EXTENSIONS: u16 = 8;

/// Numbers that are dialled besides those.
const OTHER_NUMBERS: [&str; 4] = ["*43", "999", "1", "00441234567"];

/// Codes: forwarding to each other, do not disturb, pickup, and what is none.
const CODES: [&str; 12] = [
    "*90*104", "*90#", "*91*103", "*92*105", "*92#", "*93*102", "*93#", "*78", "*79", "*40*101",
    "*50*", "*94*1",
];

/// All rights, and two pickup groups.
fn services(index: u32, call_waiting: bool) -> Services {
    let may_forward = Forwarding::ALL.to_vec().into();
    let pickup_group = 1 + index % 2;
    Services { may_forward, ring_s: 20, call_waiting, pickup_group, ..Services::default() }
}

/// Builds the office and its phones.
pub(super) fn cast(plan: Plan, rng: &mut ChaCha8Rng) -> (Office, Vec<Actor>) {
    let settings = Settings::default();
    let mut extensions = Vec::new();
    let mut actors = Vec::new();
    for index in 0..EXTENSIONS {
        let number = (100 + index).to_string();
        let mut it = extension(&number, &format!("user {number}"), &password(&number), &settings);
        it.calls_max = 1 + u8::try_from(below(rng, 4)).unwrap_or_default();
        it.services = services(index.into(), below(rng, 4) > 0);
        let devices = 1 + u8::try_from(below(rng, 3)).unwrap_or_default();
        if devices > 1 {
            it.devices_max = Some(2);
        }
        for device in 1..=devices {
            actors.push(actor(&number, device, &password(&number), rng, true));
        }
        extensions.push(it);
    }
    actors.extend(outside::carriers());
    // Two who do not belong: a wrong password, and a number that does not exist.
    actors.push(actor("100", 9, "guessed", rng, false));
    actors.push(actor("666", 1, "guessed", rng, false));
    names::name_some(&mut actors, rng);
    (Office::with_config(plan.seed, settings, extensions, config(plan)), actors)
}

#[cfg(feature = "planted-bugs")]
fn config(plan: Plan) -> pbx::core::Config {
    pbx::core::Config { planted: plan.planted, ..Office::usual_config() }
}

#[cfg(not(feature = "planted-bugs"))]
fn config(_: Plan) -> pbx::core::Config {
    Office::usual_config()
}

fn actor(number: &str, device: u8, password: &str, rng: &mut ChaCha8Rng, honest: bool) -> Actor {
    let transport = if below(rng, 4) == 0 { Transport::Tcp } else { Transport::Udp };
    let flow = flow_of(number, device, transport, below(rng, 8) == 0);
    let mut phone = Phone::new(&format!("p{number}-{device}"), number, password, flow);
    if below(rng, 2) == 0 {
        phone.allow = Some("INVITE, ACK, BYE, CANCEL, UPDATE, PRACK".to_owned());
    }
    Actor::new(phone, honest)
}

fn password(number: &str) -> String {
    format!("secret-{number}")
}

/// One thing happens.
pub(super) fn direct(world: &mut World) -> Result<(), String> {
    let actor = world.pick(world.actors.len());
    match world.pick(1000) {
        0..350 | 903..910 => call(world, actor),
        350..450 => of_a_call(world, actor, Todo::HangUp),
        450..540 => give_up(world, actor),
        540..610 => of_a_call(world, actor, Todo::Change),
        610..640 => refer(world, actor),
        640..700 => say_something(world, actor),
        700..740 => garbage(world, actor),
        740..760 => names::trouble(world)?,
        760..810 => replay(world),
        810..860 => unregister(world, actor),
        860..900 => world.disconnect(actor),
        900..903 => world.kill(),
        910..925 => step_the_clock(world),
        925..940 => change_the_directory(world),
        940..955 => world.office.edge.fail_next = true,
        955..970 => silence(world),
        970..985 => {
            let draws = 1 + below(&mut world.rng, 6);
            world.office.faults.set(draws);
        }
        985..990 => {
            if let Some(&call) = world.office.journal.open.keys().next() {
                world.office.command(Command::Hangup(call));
            }
        }
        990..992 => world.office.command(Command::Overload(true)),
        992..995 => world.office.command(Command::Overload(false)),
        995 => world.office.command(Command::Shed(Shed::Unproven)),
        996 => world.office.command(Command::Shed(Shed::Everything)),
        _ => world.office.command(Command::Shed(Shed::Nothing)),
    }
    Ok(())
}

/// The end of the acting: everybody hangs up.
pub(super) fn call_it_a_day(world: &mut World) -> Result<(), String> {
    names::heal(&mut world.office.zone, &world.actors)?;
    world.office.refresh_names();
    world.office.command(Command::Overload(false));
    world.office.command(Command::Shed(Shed::Nothing));
    world.office.edge.fail_next = false;
    world.office.faults.set(0);
    // Their calls go on without them.
    world.office.change(outside::clear);
    for actor in 0..world.actors.len() {
        for call in world.actors[actor].up.clone() {
            world.with_actor(actor, |it, hands| it.act(Todo::HangUp(call), hands));
        }
        for call in world.actors[actor].calling() {
            world.with_actor(actor, |it, hands| it.act(Todo::GiveUp(call), hands));
        }
    }
    Ok(())
}

fn call(world: &mut World, actor: usize) {
    let number = match world.pick(10) {
        _ if world.actors[actor].carrier => outside::number_called(world),
        1 | 2 => outside::number_dialled(world),
        0 => OTHER_NUMBERS[world.pick(OTHER_NUMBERS.len())].to_owned(),
        3 => CODES[world.pick(CODES.len())].to_owned(),
        _ => (100 + world.pick(EXTENSIONS.into())).to_string(),
    };
    let mut wishes = if world.chance(100) { Wishes::without_sdp() } else { Wishes::default() };
    if world.chance(150) {
        wishes.headers.push(("Require".to_owned(), "100rel".to_owned()));
    }
    if world.chance(150) {
        wishes.headers.push(("Supported".to_owned(), "timer".to_owned()));
        wishes.headers.push(("Session-Expires".to_owned(), session_expires(&mut world.rng)));
    }
    ask(world, actor, "INVITE", Target::Number(number), wishes);
}

/// Some are too small to be taken; whoever is to refresh seldom does.
pub(super) fn session_expires(rng: &mut ChaCha8Rng) -> String {
    let refresher = ["", ";refresher=uac", ";refresher=uas"][below(rng, 3) as usize];
    format!("{}{refresher}", 60 + below(rng, 121))
}

fn of_a_call(world: &mut World, actor: usize, todo: fn(usize) -> Todo) {
    let up: Vec<usize> = world.actors[actor].up.iter().copied().collect();
    if !up.is_empty() {
        let call = up[world.pick(up.len())];
        world.with_actor(actor, |it, hands| it.act(todo(call), hands));
    }
}

/// A transfer to a number, or to the other side of another call of the same phone.
fn refer(world: &mut World, actor: usize) {
    let up: Vec<usize> = world.actors[actor].up.iter().copied().collect();
    let Some(&call) = up.first() else { return };
    let number = 100 + world.pick(EXTENSIONS.into());
    let mut refer_to = format!("<sip:{number}@10.0.0.1>");
    if let Some(&other) = up.get(1) {
        let it = &world.actors[actor].phone.calls[other];
        let (call_id, local) = (&it.call_id, &it.local_tag);
        let remote = it.remote_tag.as_deref().unwrap_or_default();
        let tags = format!("%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}");
        refer_to = format!("<sip:{number}@10.0.0.1?Replaces={call_id}{tags}>");
    }
    let headers = vec![("Refer-To".to_owned(), refer_to)];
    ask(world, actor, "REFER", Target::Call(call), Wishes { headers, ..Wishes::default() });
}

/// CANCEL, or for some BYE, before the answer.
fn give_up(world: &mut World, _: usize) {
    let waiting: Vec<(usize, usize)> = (0..world.actors.len())
        .flat_map(|actor| world.actors[actor].calling().into_iter().map(move |it| (actor, it)))
        .collect();
    if waiting.is_empty() {
        return;
    }
    let (actor, call) = waiting[world.pick(waiting.len())];
    if world.chance(100) && world.actors[actor].phone.calls[call].remote_tag.is_some() {
        ask(world, actor, "BYE", Target::Call(call), Wishes::default());
    } else {
        world.with_actor(actor, |it, hands| it.act(Todo::GiveUp(call), hands));
    }
}

fn say_something(world: &mut World, actor: usize) {
    let up = world.actors[actor].up.first().copied();
    let (method, target) = match (world.pick(7), up) {
        (6, Some(call)) => ("UPDATE", Target::Call(call)),
        (0, Some(call)) => ("INFO", Target::Call(call)),
        (1, Some(call)) => ("MESSAGE", Target::Call(call)),
        (2, Some(call)) => ("OPTIONS", Target::Call(call)),
        (0 | 3, _) => ("MESSAGE", Target::Number("101".into())),
        (1 | 4, _) => ("SUBSCRIBE", Target::Number("102".into())),
        _ => ("OPTIONS", Target::Number(String::new())),
    };
    let body = Some(("text/plain".to_owned(), "hello".to_owned()));
    ask(world, actor, method, target, Wishes { body, ..Wishes::default() });
}

fn ask(world: &mut World, actor: usize, method: &str, target: Target, wishes: Wishes) {
    let request = Request { method: method.to_owned(), target, wishes };
    world.with_actor(actor, |it, hands| it.ask(request, 0, hands));
}

fn unregister(world: &mut World, actor: usize) {
    if world.actors[actor].carrier {
        return;
    }
    let headers = match world.pick(3) {
        0 => vec![("Contact", "*".to_owned()), ("Expires", "0".to_owned())],
        1 => vec![("Expires", "0".to_owned())],
        _ => vec![("Call-ID", format!("fresh-{}", world.rng.next_u32()))],
    };
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ask(world, actor, "REGISTER", Target::Server, Wishes { headers, ..Wishes::default() });
}

/// Something said before arrives once more: at once, or when it is long forgotten. A stream doubles
/// nothing.
fn replay(world: &mut World) {
    let now = world.office.clock.now().instant;
    let known: Vec<(usize, Bytes)> = world
        .said
        .iter()
        .filter(|(at, ..)| !(5..40).contains(&(now - *at).as_secs()))
        .filter(|(_, actor, _)| world.actors[*actor].phone.flow.transport == Transport::Udp)
        .map(|(_, actor, bytes)| (*actor, bytes.clone()))
        .collect();
    if !known.is_empty() {
        let (actor, bytes) = known[world.pick(known.len())].clone();
        world.send(actor, bytes);
    }
}

/// A message of the phone with some octets changed, or no message at all. A name of its own keeps
/// it from being taken for a copy of the right one.
fn garbage(world: &mut World, actor: usize) {
    let own: Vec<Bytes> =
        world.said.iter().filter(|it| it.1 == actor).map(|it| it.2.clone()).collect();
    if own.is_empty() || world.actors[actor].phone.flow.transport == Transport::Tcp {
        return;
    }
    let mut text = own[world.pick(own.len())].to_vec();
    let mark = b"branch=z9hG4bK";
    if let Some(at) = text.windows(mark.len()).position(|it| it == mark) {
        let name = format!("g{}", world.rng.next_u32());
        text.splice(at + mark.len()..at + mark.len(), name.into_bytes());
    }
    for _ in 0..=world.pick(8) {
        let at = world.pick(text.len());
        match world.pick(4) {
            0 => text.truncate(at + 1),
            1 => {
                text.remove(at);
            }
            2 => text.insert(at, b"\r\n;,<>\"@:= 0\0"[world.pick(13)]),
            _ => text[at] = text[at].wrapping_add(1 + u8::try_from(world.pick(255)).unwrap_or(0)),
        }
        if text.is_empty() {
            return;
        }
    }
    world.send(actor, text.into());
}

fn step_the_clock(world: &mut World) {
    let steps_ms = [3_600_000, -3_600_000, 90_000_000, -600_000, 500];
    let step = steps_ms[world.pick(steps_ms.len())];
    world.office.clock.step_utc(step);
}

/// An extension is deleted, comes back, or gets other limits.
fn change_the_directory(world: &mut World) {
    if world.chance(300) {
        return outside::change(world);
    }
    let index = world.pick(EXTENSIONS.into());
    let number = (100 + index).to_string();
    let (deleted, calls) = (world.chance(100), 1 + world.pick(3));
    world.office.change(|tenant| {
        if deleted {
            tenant.remove(&number);
            return;
        }
        let settings = tenant.settings.clone();
        let name = format!("user {number}");
        let mut it = extension(&number, &name, &password(&number), &settings);
        it.services = services(u32::try_from(index).unwrap_or_default(), calls > 1);
        it.calls_max = u8::try_from(calls).unwrap_or(1);
        it.devices_max = (calls > 1).then_some(2);
        tenant.put(it);
    });
}

fn silence(world: &mut World) {
    let actor = world.pick(world.actors.len());
    let media = world.actors[actor].phone.media;
    if let Some(event) = world.office.edge.silence_of(media) {
        world.office.input(Input::Media(event));
    }
    world.office.advance(Duration::ZERO);
}
