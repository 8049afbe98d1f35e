//! Options of `dialtone ext` for supplementary services (补充业务), and how they are listed.

use crate::cli::Invalid;
use pbx::language::Language;
use pbx::supplementary::{Forwarding, Forwardings};
use pbx::text;
use std::collections::BTreeMap;
use web::resource::Extension;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Calls go to this number when the extension is busy; "" takes it off. A number also gives the
    /// right to it.
    #[arg(long, value_name = "NUMBER")]
    forward_busy: Option<String>,
    /// The same when no phone of it is registered or responds.
    #[arg(long, value_name = "NUMBER")]
    forward_unreachable: Option<String>,
    /// The same when nobody answers.
    #[arg(long, value_name = "NUMBER")]
    forward_no_answer: Option<String>,
    /// The same for every call.
    #[arg(long, value_name = "NUMBER")]
    forward_always: Option<String>,
    /// Which forwardings its phones may set: busy,unreachable,no-answer,always; "" takes all away.
    #[arg(long, value_name = "LIST", value_parser = forwardings)]
    pub(super) may_forward: Option<Forwardings>,
    /// How long its phones ring, 1 to 600 seconds; 0: as the system has it.
    #[arg(long, value_name = "SECONDS", value_parser = ring)]
    pub(super) ring: Option<u16>,
    /// Whether its phones do not ring.
    #[arg(long, value_name = "BOOL")]
    pub(super) do_not_disturb: Option<bool>,
    /// Whether a call may come while there is another one; without it the extension is busy then.
    #[arg(long, value_name = "BOOL")]
    pub(super) call_waiting: Option<bool>,
    /// Simultaneous incoming calls, 0 to 100, within --calls; 0: it cannot be called.
    #[arg(long, value_name = "CALLS", value_parser = calls)]
    pub(super) calls_in: Option<u8>,
    /// Simultaneous outgoing calls, 0 to 100, within --calls; 0: it cannot call.
    #[arg(long, value_name = "CALLS", value_parser = calls)]
    pub(super) calls_out: Option<u8>,
    /// Its pickup group: its phones may pick up calls of the others; 0: none.
    #[arg(long, value_name = "NUMBER")]
    pub(super) pickup_group: Option<u32>,
}

impl Arguments {
    pub(super) fn forwards(&self) -> BTreeMap<Forwarding, String> {
        let given = [
            (Forwarding::Busy, &self.forward_busy),
            (Forwarding::Unreachable, &self.forward_unreachable),
            (Forwarding::NoAnswer, &self.forward_no_answer),
            (Forwarding::Always, &self.forward_always),
        ];
        given.into_iter().filter_map(|(when, to)| Some((when, to.clone()?))).collect()
    }
}

/// What is set; without the right it does nothing, which is said.
pub(super) fn forwards(extension: &Extension, language: Language) -> String {
    let one = |(when, to): (&Forwarding, &String)| {
        let off = text!("no right", "无权限");
        match extension.may_forward.has(*when) {
            true => format!("{}:{to}", when.as_str()),
            false => format!("{}:{to}({})", when.as_str(), off.get(language)),
        }
    };
    let disturb = extension.do_not_disturb.then(|| "do-not-disturb".to_owned());
    let all = disturb.into_iter().chain(extension.forward.iter().map(one));
    all.collect::<Vec<_>>().join(" ")
}

fn forwardings(text: &str) -> Result<Forwardings, Invalid> {
    let words = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let one = |word: &str| Forwarding::ALL.into_iter().find(|it| it.as_str() == word);
    let all = words.map(one).collect::<Option<Vec<_>>>();
    all.map(Forwardings::from).ok_or_else(|| {
        Invalid(text!(
            "must be of busy, unreachable, no-answer and always, as busy,always",
            "应为busy、unreachable、no-answer、always，例如busy,always"
        ))
    })
}

fn calls(text: &str) -> Result<u8, Invalid> {
    let calls = text.parse().ok().filter(|it| *it <= 100);
    calls.ok_or_else(|| Invalid(text!("must be 0 to 100", "取值应为0至100")))
}

fn ring(text: &str) -> Result<u16, Invalid> {
    let seconds = text.parse().ok().filter(|it| *it <= 600);
    seconds.ok_or_else(|| Invalid(text!("must be 0 to 600", "取值应为0至600")))
}
