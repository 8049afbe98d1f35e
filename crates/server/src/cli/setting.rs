//! `dialtone setting`: settings of the office, on the running server or, while none runs, in its database.

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Result, block_on};
use pbx::language::Language;
use web::resource::Setting;
use web::settings::text_of;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all settings.
    List,
    /// Show one setting.
    Get {
        /// The setting.
        key: String,
    },
    /// Change a setting; it counts from the next request or call on.
    Set {
        /// The setting.
        key: String,
        /// Its value; several are separated by commas.
        value: String,
    },
    /// Return a setting to its default.
    Reset {
        /// The setting.
        key: String,
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
    let setting = match command {
        Command::List => {
            let all = backend.settings().await?;
            return output.show(&all, |it, language| list(it, language));
        }
        Command::Get { key } => backend.setting(&key).await?,
        Command::Set { key, value } => backend.set_setting(&key, value).await?,
        Command::Reset { key } => backend.reset_setting(&key).await?,
    };
    output.show(&setting, |it, language| list(std::slice::from_ref(it), language))
}

const COLUMNS: [Column; 6] = [
    ("KEY", "设置项"),
    ("VALUE", "当前值"),
    ("DEFAULT", "默认值"),
    ("UNIT", "单位"),
    ("RANGE", "取值范围"),
    ("MEANING", "含义"),
];

fn list(settings: &[Setting], language: Language) -> String {
    let row = |it: &Setting| {
        vec![
            it.key.clone(),
            text_of(&it.value),
            text_of(&it.default),
            it.unit.as_ref().map_or("", |it| it.get(language)).to_owned(),
            it.range.get(language).to_owned(),
            it.help.get(language).to_owned(),
        ]
    };
    let rows: Vec<_> = settings.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}
