//! `dialtone webhook`: where the running server sends its events, and what became of them.

use super::client::Client;
use super::output::{Column, Output, plain, table};
use super::{Common, Result, block_on};
use hyper::Method;
use pbx::language::Language;
use pbx::text;
use web::webhooks::{DeliveriesPage, DeliveryInfo, NewSecret, WebhookChange, WebhookInfo};

const PATH: &str = "/api/v1/webhooks";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all endpoints.
    List,
    /// Send events to an address; the secret that signs them is shown once.
    Add {
        /// Where to: `http://HOST:PORT/PATH` or `https://HOST:PORT/PATH`, without `:PORT` for port 80 or 443.
        url: String,
        #[command(flatten)]
        more: More,
    },
    /// Change an endpoint, or take it into use again.
    Set {
        /// As `list` names it.
        webhook: String,
        /// Send there from now on.
        #[arg(long)]
        url: Option<String>,
        /// Whether it is sent anything.
        #[arg(long)]
        enabled: Option<bool>,
        #[command(flatten)]
        more: More,
    },
    /// Remove an endpoint with its log.
    Del {
        /// As `list` names it.
        webhook: String,
    },
    /// Make a new secret; the old one signs too for a day.
    Rotate {
        /// As `list` names it.
        webhook: String,
    },
    /// What was sent, the newest first.
    Log {
        /// As `list` names it.
        webhook: String,
    },
    /// Send something once more.
    Resend {
        /// As `list` names it.
        webhook: String,
        /// As `log` names it.
        delivery: i64,
    },
}

#[derive(clap::Args)]
pub(super) struct More {
    /// Only these events, as in `call.*,line.state_changed`.
    #[arg(long)]
    types: Option<String>,
    /// For those who read the list.
    #[arg(long)]
    description: Option<String>,
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    block_on(async {
        let mut client = Client::required(&socket).await?;
        act(&mut client, command, output).await
    })
}

async fn act(client: &mut Client, command: Command, output: &mut Output) -> Result<()> {
    match command {
        Command::List => {
            let all: Vec<WebhookInfo> = client.list(PATH).await?;
            output.show(&all, |it, language| list(it, language))
        }
        Command::Add { url, more } => {
            let change = change(Some(url), None, more);
            let made: NewSecret = client.send(Method::POST, PATH, &change).await?;
            output.show(&made, secret)
        }
        Command::Set { webhook, url, enabled, more } => {
            let path = format!("{PATH}/{webhook}");
            let change = change(url, enabled, more);
            let changed: WebhookInfo = client.send(Method::PATCH, &path, &change).await?;
            output.show(&changed, |it, language| list(std::slice::from_ref(it), language))
        }
        Command::Del { webhook } => {
            client.send(Method::DELETE, &format!("{PATH}/{webhook}"), &()).await
        }
        Command::Rotate { webhook } => {
            let path = format!("{PATH}/{webhook}:rotate");
            let made: NewSecret = client.send(Method::POST, &path, &()).await?;
            output.show(&made, secret)
        }
        Command::Log { webhook } => {
            let page: DeliveriesPage =
                client.get(&format!("{PATH}/{webhook}/deliveries?limit=100")).await?;
            output.show(&page.deliveries, |it, language| log(it, language))
        }
        Command::Resend { webhook, delivery } => {
            let path = format!("{PATH}/{webhook}/deliveries/{delivery}:resend");
            client.send(Method::POST, &path, &()).await
        }
    }
}

fn change(url: Option<String>, enabled: Option<bool>, more: More) -> WebhookChange {
    WebhookChange { url, types: more.types, description: more.description, enabled }
}

fn secret(made: &NewSecret, language: Language) -> String {
    let (id, secret) = (&made.webhook.id, &made.secret);
    let text = text!(
        "{id}  {secret}\nThe secret is shown only now.",
        "{id}  {secret}\n密钥只显示这一次。"
    );
    text.get(language).to_owned()
}

const COLUMNS: [Column; 5] = [
    ("WEBHOOK", "编号"),
    ("URL", "地址"),
    ("EVENTS", "事件"),
    ("STATE", "状态"),
    ("DESCRIPTION", "说明"),
];

fn list(hooks: &[WebhookInfo], language: Language) -> String {
    let row = |it: &WebhookInfo| {
        let state = match (it.enabled, it.gone) {
            (true, _) => text!("in use", "使用中"),
            (false, true) => text!("gone (410)", "已失效（410）"),
            (false, false) => text!("off", "未启用"),
        };
        let types = if it.types.is_empty() { "*" } else { &it.types };
        let state = state.get(language).to_owned();
        vec![it.id.clone(), it.url.clone(), types.to_owned(), state, it.description.clone()]
    };
    let rows: Vec<_> = hooks.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}

const LOG: [Column; 7] = [
    ("DELIVERY", "投递"),
    ("CREATED", "产生时间"),
    ("EVENT", "事件"),
    ("STATE", "状态"),
    ("TRIED", "次数"),
    ("ANSWER", "应答"),
    ("NEXT", "下一次"),
];

fn log(deliveries: &[DeliveryInfo], language: Language) -> String {
    let row = |it: &DeliveryInfo| {
        let answer = it.answer_text();
        vec![
            it.id.to_string(),
            it.created_at.clone(),
            it.r#type.clone(),
            it.state_text().get(language).to_owned(),
            it.attempts.to_string(),
            plain(answer.get(language)),
            it.next_at.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = deliveries.iter().map(row).collect();
    table(language, &LOG, &rows)
}
