//! `dialtone line doctor`: what the running server finds out about a line.

use super::super::offline::Backend;
use super::super::output::Output;
use super::super::{Exit, Failed, Result};
use pbx::language::{Language, Text};
use pbx::text;
use serde::Serialize;
use web::resource::outside::{Examination, Examine, Light};

/// What is shown, and whether the setting was changed.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    found: Examination,
    applied: bool,
}

pub(super) async fn examine(
    backend: &mut Backend,
    account: &str,
    (call, apply, messages): (Option<String>, bool, bool),
    output: &mut Output,
) -> Result<()> {
    let found = backend.examine_line(account, &Examine { call }).await?;
    let change = found.remedy.as_ref().and_then(|it| it.change.clone()).filter(|_| apply);
    let applied = change.is_some();
    if let Some(fields) = change {
        backend.set_line(account, fields).await?;
    }
    let shown = Shown { found, applied };
    output.show(&shown, |it, language| lights(it, messages, language))?;
    match shown.found.colour == "red" && !applied {
        false => Ok(()),
        true => Err(Failed::new(
            Exit::Failed,
            text!(
                "external line {account} does not work as it is",
                "外线{account}目前不能正常工作"
            ),
        )),
    }
}

/// A line for each light, and below them the setting.
fn lights(shown: &Shown, messages: bool, language: Language) -> String {
    let Shown { found, applied } = shown;
    let mut text = String::new();
    for light in &found.lights {
        let name = light.text.get(language);
        let (colour, sentence) = (colour(light).get(language).to_owned(), &light.sentence);
        text.push_str(&format!("{colour}  {name}: {}", sentence.get(language)));
        if let Some(code) = &light.code {
            text.push_str(&format!(" [{code}]"));
        }
        text.push('\n');
        if let Some(advice) = &light.advice {
            text.push_str(&format!("        {}\n", advice.get(language)));
        }
        if messages && light.colour != "green" {
            for message in &light.messages {
                for line in message.lines() {
                    text.push_str(&format!("        | {line}\n"));
                }
                text.push_str("        |\n");
            }
        }
    }
    text.push_str(verdict(found, *applied).get(language));
    text.push('\n');
    text
}

fn verdict(found: &Examination, applied: bool) -> Text {
    let Some(remedy) = &found.remedy else {
        return match found.colour.as_str() {
            "red" => text!("No setting is known to help.", "没有已知的设置可以解决。"),
            _ => text!("No setting needs to be changed.", "无需修改设置。"),
        };
    };
    let setting = &remedy.setting;
    match &remedy.value {
        None => text!("Look at the setting {setting}.", "请检查设置项{setting}。"),
        Some(value) if applied => {
            text!("Changed: {setting} = \"{value}\".", "已修改：{setting} = \"{value}\"。")
        }
        Some(value) => text!(
            "Change this setting: {setting} = \"{value}\" (or run it again with --apply).",
            "请修改设置项：{setting} = \"{value}\"（或加上--apply再次运行）。"
        ),
    }
}

fn colour(light: &Light) -> Text {
    match light.colour.as_str() {
        "green" => text!("green ", "绿"),
        "amber" => text!("AMBER ", "黄"),
        "red" => text!("RED   ", "红"),
        _ => text!("-     ", "—"),
    }
}
