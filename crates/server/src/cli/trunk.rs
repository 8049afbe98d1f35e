//! `dialtone trunk`: SIP trunks (SIP中继), on the running server or, while none runs, in its database.

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::outside::{InteropArguments, Limit, calls, clock, fields_table, given};
use super::{Common, Invalid, Result, block_on};
use jiff::Timestamp;
use pbx::dialplan::levels::Levels;
use pbx::language::{Language, Text};
use pbx::text;
use serde::Serialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::str::FromStr;
use web::outside::Fields;
use web::outside::trunks::address_text;
use web::resource::outside::{Said, ServerState, SipTrunk, Trouble};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all SIP trunks and how they are now.
    List,
    /// Show one SIP trunk with all its fields.
    Show {
        /// The trunk's number.
        id: u32,
    },
    /// Add a SIP trunk.
    Add {
        /// The trunk's number, which rows of the dial plan name.
        id: u32,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Change a SIP trunk; calls that are up go on.
    Set {
        /// The trunk's number.
        id: u32,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Remove a SIP trunk that nothing refers to.
    Del {
        /// The trunk's number.
        id: u32,
    },
}

#[derive(clap::Args, Serialize)]
pub(super) struct Settings {
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it is in use.
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// A server of the trunk; may be repeated. The lowest priority is tried first [default: in this order].
    #[arg(long = "address", value_name = "HOST[:PORT][,PRIORITY]")]
    #[serde(skip)]
    addresses: Vec<Address>,
    /// A network, besides the servers, that calls may come from; may be repeated.
    #[arg(long = "source", value_name = "NETWORK")]
    #[serde(skip)]
    sources: Vec<Network>,
    /// Remove all networks.
    #[arg(long, conflicts_with = "sources")]
    #[serde(skip)]
    no_source: bool,
    /// Ports that calls may come from: that of the server, or any.
    #[arg(long, value_parser = ["same", "any"])]
    source_ports: Option<String>,
    /// How the servers are reached; auto: as DNS says.
    #[arg(long, value_parser = ["udp", "tcp", "auto"])]
    transport: Option<String>,
    /// Its dial plan.
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Its call levels, 1 to 16, as 1,2; "" takes all away.
    #[arg(long, value_name = "LIST", value_parser = super::ext::levels)]
    levels: Option<Levels>,
    /// Most outgoing calls at once; "" or unlimited; 0: none ever.
    #[arg(long = "calls-out", value_name = "N")]
    #[serde(skip)]
    calls_out_max: Option<Limit>,
    /// Most incoming calls at once; "" or unlimited; 0: none ever.
    #[arg(long = "calls-in", value_name = "N")]
    #[serde(skip)]
    calls_in_max: Option<Limit>,
    /// Outgoing group, which selects trunks and refines numbers; 0: none.
    #[arg(long, value_name = "NUMBER")]
    group: Option<u32>,
    /// Unified caller number in the place of every caller's; "": the caller's.
    #[arg(long, value_name = "NUMBER")]
    caller_number: Option<String>,
    /// Request-URI parameters, as user=phone; "": none.
    #[arg(long, value_name = "TEXT")]
    uri_parameters: Option<String>,
    /// Whether numbers go out as tel: URIs.
    #[arg(long, value_name = "BOOL")]
    tel_uri: Option<bool>,
    /// No-answer time of outgoing calls in seconds, 5 to 600; 0: the system's.
    #[arg(long = "no-answer", value_name = "SECONDS")]
    no_answer_s: Option<u16>,
    /// How often OPTIONS asks whether a server is there in seconds, 5 to 600; 0: never.
    #[arg(long = "health-check", value_name = "SECONDS")]
    options_s: Option<u16>,
    #[command(flatten)]
    interop: InteropArguments,
}

/// A server, with its priority where one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    priority: Option<u16>,
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        let rule = || {
            Invalid(text!(
                "must be HOST, HOST:PORT or HOST:PORT,PRIORITY",
                "应为主机、主机:端口或主机:端口,优先级"
            ))
        };
        let (server, priority) = match text.split_once(',') {
            Some((server, priority)) => {
                (server, Some(priority.trim().parse().map_err(|_| rule())?))
            }
            None => (text, None),
        };
        let (host, port) = match server.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => (format!("[{ip}]"), DEFAULT_PORT),
            Ok(IpAddr::V4(ip)) => (ip.to_string(), DEFAULT_PORT),
            Err(_) => match server.rsplit_once(':').filter(|_| !server.ends_with(']')) {
                Some((host, port)) => (host.to_owned(), port.parse().map_err(|_| rule())?),
                None => (server.to_owned(), DEFAULT_PORT),
            },
        };
        if host.is_empty() || port == 0 { Err(rule()) } else { Ok(Self { host, port, priority }) }
    }
}

const DEFAULT_PORT: u16 = 5060;

/// A network as the API takes it; an address is a network of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Network(String);

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        let (ip, length) = text.split_once('/').unwrap_or((text, ""));
        let most = match ip.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => Some(32),
            Ok(IpAddr::V6(_)) => Some(128),
            Err(_) => None,
        };
        let length = if length.is_empty() { most } else { length.parse::<u8>().ok() };
        match length.filter(|it| Some(*it) <= most) {
            Some(length) => Ok(Self(format!("{ip}/{length}"))),
            None => Err(Invalid(text!(
                "must be an address or network/length",
                "应为地址或网络/前缀长度"
            ))),
        }
    }
}

impl Settings {
    fn fields(&self) -> Fields {
        let mut fields = given(self);
        let mut put = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|it| (name.to_owned(), it)));
        };
        let address = |(place, it): (usize, &Address)| {
            let priority = it.priority.map_or_else(|| json!(place), Value::from);
            json!({ "host": it.host, "port": it.port, "priority": priority })
        };
        let addresses: Vec<_> = self.addresses.iter().enumerate().map(address).collect();
        put("addresses", (!addresses.is_empty()).then(|| addresses.into()));
        let sources: Vec<_> = self.sources.iter().map(|it| Value::from(&*it.0)).collect();
        put("sources", (self.no_source || !sources.is_empty()).then(|| sources.into()));
        put("calls_out_max", self.calls_out_max.map(Limit::value));
        put("calls_in_max", self.calls_in_max.map(Limit::value));
        fields
    }
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = act(&mut backend, command, output).await;
        backend.close().await;
        done
    })
}

async fn act(backend: &mut Backend, command: Command, output: &mut Output) -> Result<()> {
    match command {
        Command::List => {
            let trunks = backend.trunks().await?;
            output.show(&trunks, |it, language| list(it, language))?;
            backend.note_unknown_state(output);
            Ok(())
        }
        Command::Show { id } => {
            let trunk = backend.trunk(id).await?;
            output.show(&trunk, detail)
        }
        Command::Add { id, settings } => {
            let mut fields = settings.fields();
            fields.insert("id".to_owned(), id.into());
            let trunk = backend.add_trunk(fields).await?;
            output.show(&trunk, |it, language| list(std::slice::from_ref(it), language))
        }
        Command::Set { id, settings } => {
            let trunk = backend.set_trunk(id, settings.fields()).await?;
            output.show(&trunk, |it, language| list(std::slice::from_ref(it), language))
        }
        Command::Del { id } => {
            backend.delete_trunk(id).await?;
            output.show(&id, |it, language| {
                text!("SIP trunk {it} removed", "已删除SIP中继{it}").get(language).to_owned()
            })
        }
    }
}

const COLUMNS: [Column; 6] = [
    ("TRUNK", "编号"),
    ("DESCRIPTION", "描述"),
    ("STATE", "状态"),
    ("CALLS OUT", "呼出呼叫"),
    ("CALLS IN", "呼入呼叫"),
    ("SERVERS", "服务器"),
];

fn list(trunks: &[SipTrunk], language: Language) -> String {
    let row = |it: &SipTrunk| {
        let (trunk, state) = (&it.trunk, it.state.as_ref());
        let servers = match state {
            Some(state) => {
                let text = |it: &ServerState| server(it).get(language).to_owned();
                state.servers.iter().map(text).collect::<Vec<_>>()
            }
            None => trunk.addresses.iter().map(address_text).collect(),
        };
        vec![
            trunk.id.to_string(),
            trunk.description.to_string(),
            health(it).get(language).to_owned(),
            calls(state.map(|it| it.calls_out), trunk.calls_out_max.0, language),
            calls(state.map(|it| it.calls_in), trunk.calls_in_max.0, language),
            servers.join(" "),
        ]
    };
    let rows: Vec<_> = trunks.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}

fn health(it: &SipTrunk) -> Text {
    match &it.state {
        _ if !it.trunk.enabled => text!("off", "未启用"),
        None => Text::same("-"),
        Some(state) if !state.healthy => text!("unreachable", "不可用"),
        Some(_) if it.trunk.options_s == 0 => text!("not asked", "未检测"),
        Some(_) => text!("reachable", "可用"),
    }
}

/// `10.0.0.1:5060 up`.
fn server(it: &ServerState) -> Text {
    let name = &it.server;
    match (&it.address, it.up) {
        (None, _) => text!("{name} (no address)", "{name}（无地址）"),
        (Some(_), true) => text!("{name} (up)", "{name}（正常）"),
        (Some(_), false) => text!("{name} (no answer)", "{name}（无应答）"),
    }
}

/// A server, what it last said, and whether it is the one to call.
fn served(it: &ServerState, now: Timestamp) -> Text {
    let said = |it: &Said| {
        text!("; OPTIONS: {} at {}", "；OPTIONS：{}（{}）", it.what, clock(&it.at, now))
    };
    let said = it.last_answer.as_ref().map_or_else(|| Text::same(""), said);
    let next = if it.next {
        text!("; takes the next call", "；下一个呼叫由它接收")
    } else {
        Text::same("")
    };
    text!("server        {}{}{}", "服务器    {}{}{}", server(it), said, next)
}

/// What is wrong with a name, and what to do about it.
fn wrong(it: &Trouble) -> Text {
    let Trouble { code, sentence, remedy } = it;
    text!("reason        {} {} ({code})", "原因      {}{}（{code}）", sentence, remedy)
}

fn detail(it: &SipTrunk, language: Language) -> String {
    let id = it.trunk.id;
    let mut lines = vec![text!("SIP trunk {id}", "SIP中继{id}")];
    lines.push(text!("state         {}", "状态      {}", health(it)));
    if let Some(state) = &it.state {
        let servers = state.servers.iter();
        lines.extend(servers.map(|it| served(it, Timestamp::now())));
        lines.extend(state.trouble.as_ref().map(wrong));
        let of = |now, most| calls(Some(now), most, language);
        let out = of(state.calls_out, it.trunk.calls_out_max.0);
        let coming = of(state.calls_in, it.trunk.calls_in_max.0);
        lines.push(text!(
            "calls         out {out}, in {coming}",
            "当前呼叫  呼出{out}，呼入{coming}"
        ));
    }
    let mut text = Text::lines(lines).get(language).to_owned();
    text.push_str("\n\n");
    text.push_str(&fields_table("trunk", it, language));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_table() {
        let of =
            |text: &str| text.parse::<Address>().ok().map(|it| (it.host, it.port, it.priority));
        let some = |host: &str, port, priority| Some((host.to_owned(), port, priority));
        #[rustfmt::skip]
        let table = [
            ("10.0.0.1",            some("10.0.0.1", 5060, None)),
            ("10.0.0.1:5080",       some("10.0.0.1", 5080, None)),
            ("sip.example.com,2",   some("sip.example.com", 5060, Some(2))),
            ("2001:db8::1",         some("[2001:db8::1]", 5060, None)),
            ("[2001:db8::1]",       some("[2001:db8::1]", 5060, None)),
            ("[2001:db8::1]:5080,1", some("[2001:db8::1]", 5080, Some(1))),
            ("10.0.0.1:0",          None),
            ("10.0.0.1:sip",        None),
            (":5060",               None),
            ("a,first",             None),
        ];
        for (text, expected) in table {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn network_table() {
        let of = |text: &str| text.parse::<Network>().ok().map(|it| it.0);
        assert_eq!(of("10.0.0.1").as_deref(), Some("10.0.0.1/32"));
        assert_eq!(of("10.0.0.0/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(of("2001:db8::/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!((of("10.0.0.0/33"), of("lan")), (None, None));
    }
}
