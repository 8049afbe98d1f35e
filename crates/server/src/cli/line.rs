//! `dialtone line`: external lines (外线), on the running server or, while none runs, in its database.

mod doctor;

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::outside::{InteropArguments, Limit, calls, clock, fields_table, given};
use super::{Common, Exit, Failed, Invalid, Result, block_on, password};
use jiff::Timestamp;
use pbx::language::{Language, Text};
use pbx::line::config::{CallerNumber, Incoming};
use pbx::line::trouble::Trouble;
use pbx::text;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use web::outside::Fields;
use web::resource::outside::{ExternalLine, LineState, Said};

/// How long `register` waits for what comes of it.
const REGISTER_MAX: Duration = Duration::from_secs(10);
/// How often it looks.
const REGISTER_POLL: Duration = Duration::from_millis(100);

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all external lines and how they are now.
    List,
    /// Show one external line with all its fields.
    Show {
        /// The line's account.
        account: String,
    },
    /// Add an external line; it registers at once.
    Add {
        /// The line's number or account at the carrier.
        account: String,
        #[command(flatten)]
        password: PasswordFrom,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Change an external line; calls that are up go on.
    Set {
        /// The line's account.
        account: String,
        #[command(flatten)]
        password: PasswordFrom,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Remove an external line that nothing refers to.
    Del {
        /// The line's account.
        account: String,
    },
    /// Find out what keeps an external line from working, and name the one setting to change; exit code 1 where
    /// something is wrong. At most 5 REGISTER and 2 INVITE requests go out, and nothing is changed without --apply.
    Doctor {
        /// The line's account.
        account: String,
        /// Call this number too; the call may cost money. It ends after 3 s of ringing, or when it is answered.
        #[arg(long, value_name = "NUMBER")]
        call: Option<String>,
        /// Change the setting that was found.
        #[arg(long)]
        apply: bool,
        /// Show the messages of what is not green.
        #[arg(long)]
        messages: bool,
    },
    /// Register an external line now.
    Register {
        /// The line's account.
        account: String,
    },
}

#[derive(clap::Args)]
pub(super) struct PasswordFrom {
    /// Password at the carrier. Other users can see it in the list of processes; `--password-file -` reads it from
    /// standard input.
    #[arg(long, value_name = "TEXT", conflicts_with = "password_file")]
    password: Option<String>,
    /// Read the password from this file; `-`: from standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordFrom {
    fn text(&self) -> Result<Option<String>> {
        password::given(self.password.as_deref(), self.password_file.as_deref())
    }
}

#[derive(clap::Args, Serialize)]
pub(super) struct Settings {
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it is in use.
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// User name for challenges; "": the account.
    #[arg(long, value_name = "NAME")]
    auth_user: Option<String>,
    /// Domain or address of the carrier.
    #[arg(long, value_name = "HOST[:PORT]")]
    domain: Option<String>,
    /// Where requests go; "": the domain.
    #[arg(long, value_name = "HOST[:PORT]")]
    outbound_proxy: Option<String>,
    /// How the carrier is reached; auto: as DNS says.
    #[arg(long, value_parser = ["udp", "tcp", "auto"])]
    transport: Option<String>,
    /// Whether the carrier wants a registration.
    #[arg(long, value_name = "BOOL")]
    register: Option<bool>,
    /// Registration asked for in seconds, 60 to 86400.
    #[arg(long = "expires", value_name = "SECONDS")]
    expires_s: Option<u32>,
    /// A new Call-ID for the authenticated REGISTER (gVarSipRegSameDialog=0).
    #[arg(long, value_name = "BOOL")]
    new_call_id: Option<bool>,
    /// The extension it belongs to; "": none.
    #[arg(long, value_name = "NUMBER")]
    #[serde(skip)]
    owner: Option<String>,
    /// Other extensions than the owner may call out by it.
    #[arg(long, value_name = "BOOL")]
    shared: Option<bool>,
    /// Where its calls go: owner, extension:NUMBER or number:NUMBER, which the dial plan decides on.
    #[arg(long, value_name = "DESTINATION")]
    incoming: Option<Destination>,
    /// Its dial plan.
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Outgoing group, which selects lines and refines numbers; 0: none.
    #[arg(long, value_name = "NUMBER")]
    group: Option<u32>,
    /// No-answer time of outgoing calls in seconds, 5 to 600; 0: the system's.
    #[arg(long = "no-answer", value_name = "SECONDS")]
    no_answer_s: Option<u16>,
    /// Request-URI parameters, as user=phone; "": none [default: user=phone where the language of the system is Chinese].
    #[arg(long, value_name = "TEXT")]
    uri_parameters: Option<String>,
    /// Most outgoing calls at once; "" or unlimited; 0: none ever.
    #[arg(long = "calls-out", value_name = "N")]
    #[serde(skip)]
    calls_out_max: Option<Limit>,
    /// Most incoming calls at once; "" or unlimited; 0: none ever.
    #[arg(long = "calls-in", value_name = "N")]
    #[serde(skip)]
    calls_in_max: Option<Limit>,
    /// Number shown to the called side: account, caller or fixed:NUMBER.
    #[arg(long, value_name = "NUMBER")]
    caller_number: Option<Shown>,
    /// User part of From.
    #[arg(long, value_parser = ["caller", "account"])]
    from_user: Option<String>,
    /// Domain of From; "": the line's.
    #[arg(long, value_name = "HOST")]
    from_domain: Option<String>,
    /// How often the way to the carrier is kept open in seconds, 10 to 600; 0: never.
    #[arg(long = "keep-alive", value_name = "SECONDS")]
    keep_alive_s: Option<u16>,
    #[command(flatten)]
    interop: InteropArguments,
}

/// `owner`, `extension:100`, `number:138`, `service:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Destination(Incoming);

/// `account`, `caller`, `fixed:138`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Shown(CallerNumber);

impl FromStr for Destination {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        let incoming = match text.split_once(':') {
            None if text == "owner" => Incoming::Owner,
            Some(("extension", it)) if !it.is_empty() => Incoming::Extension(it.into()),
            Some(("number", it)) if !it.is_empty() => Incoming::Number(it.into()),
            Some(("service", it)) if !it.is_empty() => Incoming::Service(it.into()),
            None | Some(_) => {
                return Err(Invalid(text!(
                    "must be owner, extension:NUMBER or number:NUMBER",
                    "应为owner（所属分机）、extension:分机号或number:号码"
                )));
            }
        };
        Ok(Self(incoming))
    }
}

impl FromStr for Shown {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        match text.split_once(':') {
            None if text == "account" => Ok(Self(CallerNumber::Account)),
            None if text == "caller" => Ok(Self(CallerNumber::Caller)),
            Some(("fixed", it)) if !it.is_empty() => Ok(Self(CallerNumber::Fixed(it.into()))),
            None | Some(_) => Err(Invalid(text!(
                "must be account, caller or fixed:NUMBER",
                "应为account（外线账号）、caller（主叫号码）或fixed:号码"
            ))),
        }
    }
}

impl Settings {
    fn fields(&self, password: Option<String>) -> Fields {
        let mut fields = given(self);
        let mut put = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|it| (name.to_owned(), it)));
        };
        let owner = |it: &String| if it.is_empty() { Value::Null } else { it.as_str().into() };
        put("owner", self.owner.as_ref().map(owner));
        put("calls_out_max", self.calls_out_max.map(Limit::value));
        put("calls_in_max", self.calls_in_max.map(Limit::value));
        put("password", password.map(Value::from));
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
            let lines = backend.lines().await?;
            output.show(&lines, |it, language| list(it, language))?;
            backend.note_unknown_state(output);
            Ok(())
        }
        Command::Show { account } => {
            let line = backend.line(&account).await?;
            output.show(&line, detail)
        }
        Command::Add { account, password, settings } => {
            let mut fields = settings.fields(password.text()?);
            fields.insert("account".to_owned(), account.into());
            let line = backend.add_line(fields).await?;
            saved(backend, &line, output).await
        }
        Command::Set { account, password, settings } => {
            let fields = settings.fields(password.text()?);
            let line = backend.set_line(&account, fields).await?;
            saved(backend, &line, output).await
        }
        Command::Del { account } => {
            backend.delete_line(&account).await?;
            output.show(&account, |it, language| {
                text!("external line {it} removed", "已删除外线{it}").get(language).to_owned()
            })
        }
        Command::Doctor { account, call, apply, messages } => {
            doctor::examine(backend, &account, (call, apply, messages), output).await
        }
        Command::Register { account } => register(backend, &account, output).await,
    }
}

/// The line as it is now, and what is wrong with it.
async fn saved(backend: &mut Backend, line: &ExternalLine, output: &mut Output) -> Result<()> {
    output.show(line, |it, language| list(std::slice::from_ref(it), language))?;
    backend.warn_of_line(&line.line.account, output).await;
    Ok(())
}

/// Waits a while for the answer; a carrier that is silent is silent for longer.
async fn register(backend: &mut Backend, account: &str, output: &mut Output) -> Result<()> {
    let before = backend.register_line(account).await?;
    let asked = |it: &ExternalLine| it.state.as_ref().and_then(|it| it.last_request.clone());
    let mut line = before.clone();
    let mut waited = Duration::ZERO;
    let mut ticks = tokio::time::interval(REGISTER_POLL);
    while waited < REGISTER_MAX {
        ticks.tick().await;
        waited += REGISTER_POLL;
        line = backend.line(account).await?;
        // The next REGISTER has its time only when the one that is out has its answer.
        let is_answered = line.state.as_ref().is_some_and(|it| it.next_at.is_some());
        if is_answered && asked(&line) != asked(&before) {
            break;
        }
    }
    output.show(&line, |it, language| list(std::slice::from_ref(it), language))?;
    // It registers by the addresses its name had, too.
    let is_fine = |code: &str| code == Trouble::DnsStale.code();
    let registered = line.state.as_ref().is_some_and(|it| {
        it.until.is_some() && it.trouble.as_ref().is_none_or(|it| is_fine(&it.code))
    });
    match registered {
        true => Ok(()),
        false => Err(Failed::new(
            Exit::Failed,
            text!("external line {account} is not registered", "外线{account}未注册"),
        )),
    }
}

const COLUMNS: [Column; 9] = [
    ("ACCOUNT", "账号"),
    ("DESCRIPTION", "描述"),
    ("CARRIER", "运营商"),
    ("STATE", "状态"),
    ("CALLS OUT", "呼出呼叫"),
    ("CALLS IN", "呼入呼叫"),
    ("LAST REQUEST", "最近请求"),
    ("LAST ANSWER", "最近应答"),
    ("NEXT REGISTER", "下次注册"),
];

/// A line each, and below them why some are not registered.
fn list(lines: &[ExternalLine], language: Language) -> String {
    let now = Timestamp::now();
    let row = |it: &ExternalLine| {
        let (line, state) = (&it.line, it.state.as_ref());
        let none = || "-".to_owned();
        let at = |time: Option<&String>| time.map_or_else(none, |it| clock(it, now));
        let said = |it: Option<&Said>| {
            let text = |it: &Said| format!("{} {}", clock(&it.at, now), it.what.get(language));
            it.map_or_else(none, text)
        };
        vec![
            line.account.to_string(),
            line.description.to_string(),
            line.domain.to_string(),
            state.map_or_else(none, |it| standing(it, now).get(language).to_owned()),
            calls(state.map(|it| it.calls_out), line.calls_out_max.0, language),
            calls(state.map(|it| it.calls_in), line.calls_in_max.0, language),
            said(state.and_then(|it| it.last_request.as_ref())),
            said(state.and_then(|it| it.last_answer.as_ref())),
            at(state.and_then(|it| it.next_at.as_ref())),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let mut text = table(language, &COLUMNS, &rows);
    for it in lines {
        if let Some(trouble) = it.state.as_ref().and_then(|it| it.trouble.as_ref()) {
            let account = &it.line.account;
            let why =
                text!("{account}: {} {}", "{account}：{}{}", trouble.sentence, trouble.remedy);
            text.push_str(why.get(language));
            text.push('\n');
        }
    }
    text
}

/// `registered until 10:15:02`.
fn standing(state: &LineState, now: Timestamp) -> Text {
    match &state.until {
        Some(until) => {
            let until = clock(until, now);
            text!("{} until {until}", "{}，有效期至{until}", state.text)
        }
        None => state.text.clone(),
    }
}

fn detail(line: &ExternalLine, language: Language) -> String {
    let now = Timestamp::now();
    let account = &line.line.account;
    let mut lines = vec![text!("External line {account}", "外线{account}")];
    if let Some(state) = &line.state {
        lines.push(text!("state         {}", "状态      {}", standing(state, now)));
        if let Some(target) = &state.target {
            lines.push(text!("server        {target}", "服务器    {target}"));
        }
        let said = |it: &Said| text!("{} {}", "{}：{}", clock(&it.at, now), it.what);
        let said = |it: &Option<Said>| it.as_ref().map_or_else(|| Text::same("-"), said);
        lines.push(text!("last request  {}", "最近请求  {}", said(&state.last_request)));
        lines.push(text!("last answer   {}", "最近应答  {}", said(&state.last_answer)));
        if let Some(next) = &state.next_at {
            let next = clock(next, now);
            lines.push(text!("next REGISTER {next}", "下次注册  {next}"));
        }
        if let Some(it) = &state.trouble {
            let code = &it.code;
            lines.push(text!(
                "reason        {} {} ({code})",
                "原因      {}{}（{code}）",
                it.sentence,
                it.remedy
            ));
        }
        let of = |now, most| calls(Some(now), most, language);
        let out = of(state.calls_out, line.line.calls_out_max.0);
        let coming = of(state.calls_in, line.line.calls_in_max.0);
        lines.push(text!(
            "calls         out {out}, in {coming}",
            "当前呼叫  呼出{out}，呼入{coming}"
        ));
    }
    let password = if line.has_password { text!("set", "已设置") } else { text!("none", "无") };
    lines.push(text!("password      {}", "密码      {}", password));
    let mut text = Text::lines(lines).get(language).to_owned();
    text.push_str("\n\n");
    text.push_str(&fields_table("line", line, language));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn destination_table() {
        #[rustfmt::skip]
        let table = [
            ("owner",         Some(json!("owner"))),
            ("extension:100", Some(json!({ "extension": "100" }))),
            ("number:138",    Some(json!({ "number": "138" }))),
            ("extension:",    None),
            ("100",           None),
        ];
        for (text, expected) in table {
            let value =
                text.parse::<Destination>().ok().map(|it| serde_json::to_value(it).unwrap());
            assert_eq!(value, expected, "{text}");
        }
    }
}
