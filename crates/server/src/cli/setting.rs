//! `dialtone setting`: settings of the office, on the running server or, while none runs, in its database.

use super::offline::Backend;
use super::output::{Output, table};
use super::{Common, Result, block_on};
use web::resource::Setting;
use web::settings::text_of;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all settings.
    List,
    /// Show one setting.
    Get { key: String },
    /// Change a setting; it counts from the next request or call on.
    Set {
        key: String,
        /// Several values are separated by commas.
        value: String,
    },
    /// Return a setting to its default.
    Reset { key: String },
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
            return output.show(&all, |it| list(it));
        }
        Command::Get { key } => backend.setting(&key).await?,
        Command::Set { key, value } => backend.set_setting(&key, value).await?,
        Command::Reset { key } => backend.reset_setting(&key).await?,
    };
    output.show(&setting, |it| list(std::slice::from_ref(it)))
}

fn list(settings: &[Setting]) -> String {
    let row = |it: &Setting| {
        vec![
            it.key.clone(),
            text_of(&it.value),
            text_of(&it.default),
            it.unit.as_ref().map_or_else(String::new, |it| it.en.to_string()),
            it.range.en.to_string(),
            it.help.en.to_string(),
        ]
    };
    let rows: Vec<_> = settings.iter().map(row).collect();
    table(&["KEY", "VALUE", "DEFAULT", "UNIT", "RANGE", "MEANING"], &rows)
}
