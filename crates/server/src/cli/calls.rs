//! `dialtone calls`: the calls that are up, one in detail, hanging up.

use super::client::Client;
use super::output::{Column, Output, plain, table};
use super::{Common, Result, block_on};
use crate::ladder;
use hyper::Method;
use pbx::language::{Language, Text};
use pbx::text;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use web::calls::{Placing, Side, Transferring};
use web::resource::{self, Call, Happening, Placed, Traced, Verdict};

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Show the list anew every second until interrupted.
    #[arg(long)]
    watch: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// One call in detail, with its ladder.
    Show {
        /// Its whole or short id.
        id: String,
    },
    /// End a call.
    Hangup {
        /// Its whole or short id.
        id: String,
    },
    /// Place a call: an extension is called, and once it has answered, a number, with its rights.
    Place {
        /// The extension that is called first.
        from: String,
        /// The number that is called then.
        to: String,
        /// Ask the phone to answer by itself.
        #[arg(long)]
        auto_answer: bool,
    },
    /// Send one side of an answered call to a number; the other is released once that has answered.
    Transfer {
        /// Its whole or short id.
        id: String,
        /// Which side: caller or callee.
        leg: Leg,
        /// The number it is sent to.
        to: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Leg {
    Caller,
    Callee,
}

/// `GET /api/v1/calls/{id}`.
#[derive(Serialize, Deserialize)]
struct Page {
    call: Call,
    ladder: Vec<Traced>,
    #[serde(default)]
    followed_by: Vec<String>,
}

pub(super) fn run(common: &Common, arguments: Arguments, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    block_on(async {
        let mut client = Client::required(&socket).await?;
        match arguments.command {
            None if arguments.watch => watch(client, output).await,
            None => {
                let calls: Vec<Call> = client.list("/api/v1/calls").await?;
                output.show(&calls, |it, language| list(it, language))
            }
            Some(Command::Show { id }) => {
                let page: Page = client.get(&format!("/api/v1/calls/{id}")).await?;
                output.show(&page, detail)
            }
            Some(Command::Hangup { id }) => {
                let call: Call =
                    client.send(Method::POST, &format!("/api/v1/calls/{id}:hangup"), &()).await?;
                output.show(&call, |it, language| {
                    let text = text!("{} is being ended", "正在释放呼叫{}", it.short_id);
                    text.get(language).to_owned()
                })
            }
            Some(Command::Place { from, to, auto_answer }) => {
                let wanted = Placing { from, to, auto_answer };
                let placed: Placed = client.send(Method::POST, "/api/v1/calls", &wanted).await?;
                output.show(&placed, |it, language| {
                    let text = text!("{} is being placed", "正在发起呼叫{}", it.short_id);
                    text.get(language).to_owned()
                })
            }
            Some(Command::Transfer { id, leg, to }) => {
                let leg = match leg {
                    Leg::Caller => Side::Caller,
                    Leg::Callee => Side::Callee,
                };
                let path = format!("/api/v1/calls/{id}:transfer");
                let wanted = Transferring { leg, to };
                let call: Call = client.send(Method::POST, &path, &wanted).await?;
                output.show(&call, |it, language| {
                    let text = text!("{} is being transferred", "正在转接呼叫{}", it.short_id);
                    text.get(language).to_owned()
                })
            }
        }
    })
}

async fn watch(mut client: Client, output: &mut Output) -> Result<()> {
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        ticks.tick().await;
        let calls: Vec<Call> = client.list("/api/v1/calls").await?;
        // Home and clear on a terminal; a program gets one list after the other.
        let clear = if output.is_json() { "" } else { "\x1b[H\x1b[2J" };
        output.line(clear)?;
        output.show(&calls, |it, language| list(it, language))?;
    }
}

const CALLS: [Column; 8] = [
    ("CALL", "呼叫"),
    ("STATE", "状态"),
    ("FROM", "主叫"),
    ("DIALLED", "所拨号码"),
    ("TO", "被叫"),
    ("FOR", "时长"),
    ("CODEC", "编码"),
    ("MEDIA", "媒体"),
];

const LEGS: [Column; 10] = [
    ("LEG", "侧"),
    ("NUMBER", "号码"),
    ("REMOTE", "对端地址"),
    ("MEDIA", "媒体"),
    ("RTP IN", "收包"),
    ("LOST", "丢包"),
    ("JITTER", "抖动"),
    ("RTP OUT", "发包"),
    ("REFUSED", "拒收"),
    ("PHONE", "话机"),
];

const TIMELINE: [Column; 4] = [("*", "＊"), ("AT", "时刻"), ("WHERE", "位置"), ("WHAT", "事实")];

const PLACES: [(&str, &str, &str); 3] =
    [("office", "server", "服务器"), ("caller", "caller", "主叫"), ("callee", "callee", "被叫")];

const GUILTY: [(&str, &str, &str); 5] = [
    ("caller", "caller's side", "责任方：主叫"),
    ("callee", "callee's side", "责任方：被叫"),
    ("us", "this server or its settings", "责任方：本服务器或其设置"),
    ("network", "the network", "责任方：网络"),
    ("nobody", "nobody's fault", "正常"),
];

const CONFIDENCE: [(&str, &str, &str); 3] = [
    ("certain", "certain", "确定"),
    ("likely", "likely", "很可能"),
    ("possible", "possible", "可能"),
];

/// A word of the API for people.
fn named(words: &[(&'static str, &'static str, &'static str)], word: &str) -> Text {
    let known = words.iter().find(|it| it.0 == word);
    known.map_or_else(|| Text::same(word), |it| Text { en: it.1.into(), zh: it.2.into() })
}

/// The words of the API for states and sides.
const WORDS: [(&str, &str); 7] = [
    ("started", "发起"),
    ("ringing", "振铃"),
    ("answered", "应答"),
    ("held", "保持"),
    ("released", "释放"),
    ("caller", "主叫"),
    ("callee", "被叫"),
];

fn word(word: &str, language: Language) -> String {
    let known = WORDS.iter().find(|(it, _)| *it == word && language == Language::Zh);
    known.map_or(word, |(_, chinese)| chinese).to_owned()
}

/// The media light of a leg, from the best.
const LIGHTS: [(&str, &str, &str); 3] =
    [("green", "both ways", "双向"), ("yellow", "one way", "单通"), ("red", "none", "不通")];

fn light(it: Option<&str>, language: Language) -> String {
    it.map_or_else(|| "-".to_owned(), |it| named(&LIGHTS, it).get(language).to_owned())
}

/// The light of the leg that is worst off.
fn worst(legs: &[resource::Leg]) -> Option<&str> {
    let rank = |it: &str| LIGHTS.iter().position(|light| light.0 == it);
    legs.iter().filter_map(|it| it.light.as_deref()).max_by_key(|it| rank(it))
}

fn seconds(seconds: u64, language: Language) -> String {
    text!("{seconds} s", "{seconds}秒").get(language).to_owned()
}

fn list(calls: &[Call], language: Language) -> String {
    let row = |it: &Call| {
        vec![
            it.short_id.clone(),
            word(&it.state, language),
            it.caller.clone(),
            it.dialled.clone(),
            it.callee.clone(),
            seconds(it.duration_s, language),
            it.codec_caller.clone(),
            light(worst(&it.legs), language),
        ]
    };
    let rows: Vec<_> = calls.iter().map(row).collect();
    table(language, &CALLS, &rows)
}

fn detail(page: &Page, language: Language) -> String {
    let mut text = head(&page.call, language);
    for id in &page.followed_by {
        text.push_str(text!("goes on in {id}", "转移至 {id}").get(language));
        text.push('\n');
    }
    text.push_str(&happenings(&page.call.timeline, language));
    let row = |leg: &resource::Leg| {
        vec![
            word(&leg.side, language),
            leg.number.clone(),
            leg.remote.clone(),
            light(leg.light.as_deref(), language),
            leg.packets_in.to_string(),
            leg.lost_in.to_string(),
            format!("{:.1} ms", leg.jitter_ms),
            leg.packets_out.to_string(),
            leg.refused.to_string(),
            leg.user_agent.clone(),
        ]
    };
    let rows: Vec<_> = page.call.legs.iter().map(row).collect();
    text.push_str(&table(language, &LEGS, &rows));
    for message in &page.ladder {
        text.push_str(&ladder::line(message));
        text.push('\n');
    }
    text
}

fn head(call: &Call, language: Language) -> String {
    let Call { id, started_at, duration_s, .. } = call;
    let [caller, caller_name, callee, dialled] =
        [&call.caller, &call.caller_name, &call.callee, &call.dialled].map(|it| plain(it));
    let answered_at = call.answered_at.as_deref().unwrap_or("-");
    let relayed = if call.relayed { text!("yes", "是") } else { text!("no", "否") };
    let mut lines = vec![
        Text::same(format!("{id}  {}", word(&call.state, language))),
        text!(
            "{caller} ({caller_name}) -> {callee} (dialled {dialled})",
            "{caller}（{caller_name}）→ {callee}（所拨号码{dialled}）"
        ),
        text!(
            "started {started_at}  answered {answered_at}  for {duration_s} s  relayed {}",
            "发起 {started_at}  应答 {answered_at}  时长 {duration_s}秒  转发媒体流 {}",
            relayed
        ),
    ];
    if let Some(verdict) = &call.verdict {
        lines.extend(judged(verdict, call.sip_status.unwrap_or_default()));
    }
    lines.push(Text::same(""));
    Text::lines(lines).get(language).to_owned()
}

/// The verdict, its remedy, and the command that helps.
fn judged(verdict: &Verdict, status: u16) -> Vec<Text> {
    let Verdict { code, sentence, remedy, .. } = verdict;
    let sentence = Text { en: plain(&sentence.en).into(), zh: plain(&sentence.zh).into() };
    let mut lines = vec![
        text!("released {code}, status {status}", "释放码 {code}，状态码 {status}"),
        text!(
            "verdict  {} ({}, {})",
            "判定  {}（{}，{}）",
            sentence,
            named(&GUILTY, &verdict.guilty),
            named(&CONFIDENCE, &verdict.confidence)
        ),
        text!("remedy   {}", "建议  {}", remedy),
    ];
    lines.extend(verdict.action.as_ref().map(|it| text!("command  {it}", "命令  {it}")));
    lines
}

/// The timeline; a mark stands where the verdict rests.
fn happenings(timeline: &[Happening], language: Language) -> String {
    let row = |it: &Happening| {
        let place = named(&PLACES, &it.place).get(language).to_owned();
        let attempt = it.attempt.filter(|it| *it > 1);
        vec![
            if it.decisive { "*" } else { "" }.to_owned(),
            format!("+{}.{:03}", it.at_ms / 1000, it.at_ms % 1000),
            attempt.map_or_else(|| place.clone(), |it| format!("{place} {it}")),
            it.text.get(language).to_owned(),
        ]
    };
    let rows: Vec<_> = timeline.iter().map(row).collect();
    format!("{}\n", table(language, &TIMELINE, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::event::CallState;
    use pbx::light::Light;

    #[test]
    fn the_light_of_a_call_is_that_of_its_worst_leg() {
        let leg = |light: Option<Light>| resource::Leg {
            side: "caller".into(),
            number: "100".into(),
            remote: String::new(),
            sip_call_id: String::new(),
            user_agent: String::new(),
            packets_in: 0,
            packets_out: 0,
            bytes_in: 0,
            lost_in: 0,
            jitter_ms: 0.0,
            refused: 0,
            light: light.map(|it| it.as_str().to_owned()),
        };
        use Light::{Green, Red, Yellow};
        #[rustfmt::skip]
        let table: [(&[Option<Light>], &str, &str); 5] = [
            (&[],                                "-",         "-"),
            (&[None, None],                      "-",         "-"),
            (&[Some(Green), Some(Green)],        "both ways", "双向"),
            (&[Some(Green), Some(Yellow)],       "one way",   "单通"),
            (&[Some(Red), None, Some(Yellow)],   "none",      "不通"),
        ];
        for (lights, english, chinese) in table {
            let legs: Vec<resource::Leg> = lights.iter().map(|it| leg(*it)).collect();
            let shown = [Language::En, Language::Zh].map(|it| light(worst(&legs), it));
            assert_eq!(shown, [english, chinese], "{lights:?}");
        }
    }

    #[test]
    fn every_state_has_its_chinese() {
        use CallState::{Answered, Held, Released, Ringing, Started};
        for state in [Started, Ringing, Answered, Held, Released] {
            assert_eq!(word(state.as_str(), Language::En), state.as_str());
            assert!(!word(state.as_str(), Language::Zh).is_ascii(), "{state:?}");
        }
    }
}
