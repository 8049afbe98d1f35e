//! `dialtone apikey`: which programs may use the API over HTTP, and for what.

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Invalid, Result, block_on};
use pbx::language::Language;
use pbx::text;
use web::access::Scope;
use web::resource::access::{ApiKeyInfo, MadeApiKey, NewApiKey};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all API keys, without their secrets.
    List,
    /// Make an API key; it is shown this once.
    Add {
        /// What the key is for.
        purpose: String,
        /// What it may do: read, config, calls, admin; several are separated by commas.
        #[arg(long = "scope", value_name = "SCOPES", value_delimiter = ',', required = true, value_parser = scope)]
        scopes: Vec<Scope>,
    },
    /// Make an API key useless.
    Revoke {
        /// The key's id, as `list` names it.
        key_id: String,
    },
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
            let all = backend.api_keys().await?;
            output.show(&all, |it, language| list(it, language))
        }
        Command::Add { purpose, scopes } => {
            let made = backend.add_api_key(NewApiKey { name: purpose, scopes }).await?;
            output.show(&made, shown)
        }
        Command::Revoke { key_id } => {
            backend.revoke_api_key(&key_id).await?;
            output.show(&(), |(), language| {
                text!("{key_id} is revoked", "已撤销{key_id}").get(language).to_owned()
            })
        }
    }
}

fn scope(word: &str) -> std::result::Result<Scope, Invalid> {
    let rule = || text!("must be read, config, calls or admin", "应为read、config、calls或admin");
    Scope::named(word).ok_or_else(|| Invalid(rule()))
}

fn shown(made: &MadeApiKey, language: Language) -> String {
    let key = &made.key;
    let text = text!("{key} (shown only now)", "{key}（仅显示一次）");
    text.get(language).to_owned()
}

const COLUMNS: [Column; 5] = [
    ("ID", "编号"),
    ("FOR", "用途"),
    ("SCOPES", "权限"),
    ("MADE BY", "创建者"),
    ("LAST USED", "最近使用"),
];

fn list(keys: &[ApiKeyInfo], language: Language) -> String {
    let row = |it: &ApiKeyInfo| {
        let scopes: Vec<&str> = it.scopes.iter().map(|it| it.as_str()).collect();
        let used = it.used_at.clone().unwrap_or_default();
        vec![it.id.clone(), it.name.clone(), scopes.join(","), it.created_by.clone(), used]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}
