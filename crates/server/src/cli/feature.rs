//! `dialtone feature`: which code stands for which feature, on the running server or, while none runs, in its database.

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Result, block_on};
use pbx::dialplan::feature_codes::OFF;
use pbx::language::Language;
use pbx::text;
use web::resource::FeatureCode;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all features and their codes.
    List,
    /// Give a feature another code; it counts from the next call on.
    Set {
        /// The feature, as `list` names it.
        feature: String,
        /// 1 to 16 of 0-9, * and #; where the feature takes a number, that follows.
        code: String,
    },
    /// Take the code of a feature away.
    Off {
        /// The feature, as `list` names it.
        feature: String,
    },
    /// Return a feature to its usual code.
    Reset {
        /// The feature, as `list` names it.
        feature: String,
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
    let changed = match command {
        Command::List => {
            let all = backend.feature_codes().await?;
            return output.show(&all, |it, language| list(it, language));
        }
        Command::Set { feature, code } => backend.set_feature_code(&feature, code).await?,
        Command::Off { feature } => backend.set_feature_code(&feature, OFF.to_owned()).await?,
        Command::Reset { feature } => backend.reset_feature_code(&feature).await?,
    };
    output.show(&changed, |it, language| list(std::slice::from_ref(it), language))
}

const COLUMNS: [Column; 4] =
    [("FEATURE", "功能"), ("CODE", "业务码"), ("USUAL", "默认值"), ("MEANING", "含义")];

fn list(codes: &[FeatureCode], language: Language) -> String {
    let row = |it: &FeatureCode| {
        let with_number = |code: &str| match (code, it.takes_number) {
            (OFF, _) | (_, false) => code.to_owned(),
            (code, true) => text!("{code}NUMBER", "{code}号码").get(language).to_owned(),
        };
        let help = it.help.get(language).to_owned();
        vec![it.feature.clone(), with_number(&it.code), with_number(&it.usual), help]
    };
    let rows: Vec<_> = codes.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}
