//! What the parser of the command line says instead of running a command: help, version, wrong usage.
//!
//! In English these are its own words, but for what Rust says of a number. In Chinese its fixed phrases are replaced in
//! what it prints, and its errors are said anew from what they carry.

use super::{Exit, Invalid};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use pbx::language::{Language, Text};
use pbx::text;
use std::error::Error as _;
use std::fmt::Write as _;
use std::io::Write as _;
use std::num::{IntErrorKind, ParseIntError};
use std::process::ExitCode;

/// What clap prints around our own words; a phrase stands before those that it contains.
const PHRASES: [(&str, &str); 19] = [
    ("Print this message or the help of the given subcommand(s)", "显示本帮助或指定命令的帮助"),
    ("Print help (see more with '--help')", "显示帮助（更多内容见“--help”）"),
    ("Print help (see a summary with '-h')", "显示帮助（摘要见“-h”）"),
    ("Print help", "显示帮助"),
    ("Print version", "显示版本"),
    ("Usage: ", "用法："),
    ("Usage:", "用法："),
    ("Commands:", "命令："),
    ("Arguments:", "参数："),
    ("Options:", "选项："),
    ("Common options:", "通用选项："),
    ("Interworking:", "对接选项："),
    ("Possible values:", "可选值："),
    ("[OPTIONS]", "[选项]"),
    ("[COMMAND]", "[命令]"),
    ("<COMMAND>", "<命令>"),
    ("[possible values: ", "[可选值："),
    ("[default: ", "[默认值："),
    ("[env: ", "[环境变量："),
];

/// Prints it, and gives the exit code that goes with it.
pub(super) fn show(error: &clap::Error, language: Language) -> ExitCode {
    let is_wrong = error.use_stderr();
    let text = match language {
        Language::En => english(error),
        Language::Zh => Some(chinese(error)),
    };
    match text {
        // In colours where the terminal has them.
        None => drop(error.print()),
        Some(text) => {
            let text = text.as_bytes();
            // Nobody left to tell.
            let _ = if is_wrong {
                std::io::stderr().write_all(text)
            } else {
                std::io::stdout().write_all(text)
            };
        }
    }
    if is_wrong { ExitCode::from(Exit::Usage as u8) } else { ExitCode::SUCCESS }
}

/// What is wrong with a number, in our words in the place of Rust's; `None`: clap's words are right.
fn english(error: &clap::Error) -> Option<String> {
    let (reason, of_rust) = (reason(error)?, error.source()?.to_string());
    Some(error.render().to_string().replacen(&of_rust, &reason.en, 1))
}

/// Why a value is none that can be used, where somebody says so.
fn reason(error: &clap::Error) -> Option<Text> {
    let source = error.source()?;
    if let Some(it) = source.downcast_ref::<Invalid>() {
        return Some(it.0.clone());
    }
    if let Some(it) = source.downcast_ref::<ParseIntError>() {
        return Some(match it.kind() {
            IntErrorKind::PosOverflow => text!("too large", "数值过大"),
            IntErrorKind::NegOverflow => text!("too small", "数值过小"),
            IntErrorKind::Empty | IntErrorKind::InvalidDigit | IntErrorKind::Zero | _ => {
                text!("must be a whole number", "应为整数")
            }
        });
    }
    let said = source.to_string();
    let (least, most) = said.split_once(" is not in ")?.1.split_once("..=")?;
    Some(text!("must be {least} to {most}", "取值应为{least}至{most}"))
}

fn chinese(error: &clap::Error) -> String {
    let Some(sentence) = sentence(error) else {
        return translated(&error.render().to_string());
    };
    let mut text = format!("dialtone: {sentence}\n");
    let suggestions =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    for suggested in suggestions.into_iter().filter_map(|it| named(error, it)) {
        let _ = writeln!(text, "最接近的是“{suggested}”");
    }
    if let Some(usage) = named(error, ContextKind::Usage) {
        let _ = write!(text, "\n{}\n", translated(usage.trim_end()));
    }
    text.push_str("\n详见“--help”。\n");
    text
}

/// The error in a sentence; `None` for help, version, and what only a defect of ours could cause.
fn sentence(error: &clap::Error) -> Option<String> {
    let argument = || named(error, ContextKind::InvalidArg);
    let value = || named(error, ContextKind::InvalidValue);
    let sentence = match error.kind() {
        ErrorKind::InvalidValue if value().is_none_or(|it| it.is_empty()) => {
            format!("“{}”缺少值", argument()?)
        }
        ErrorKind::InvalidValue => match named(error, ContextKind::ValidValue) {
            Some(valid) => format!("“{}”的值“{}”无效，可选值：{valid}", argument()?, value()?),
            None => format!("“{}”的值“{}”无效", argument()?, value()?),
        },
        ErrorKind::ValueValidation => {
            let reason = reason(error).map(|it| format!("：{}", it.zh)).unwrap_or_default();
            format!("“{}”的值“{}”无效{reason}", argument()?, value()?)
        }
        ErrorKind::UnknownArgument => format!("没有参数“{}”", argument()?),
        ErrorKind::InvalidSubcommand => {
            format!("没有命令“{}”", named(error, ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::MissingSubcommand => "缺少命令".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("缺少参数：{}", argument()?),
        ErrorKind::ArgumentConflict => match named(error, ContextKind::PriorArg) {
            Some(prior) if argument().as_ref() == Some(&prior) => {
                format!("“{prior}”只能指定一次")
            }
            Some(prior) => format!("“{}”不能与“{prior}”同时使用", argument()?),
            None => format!("“{}”不能与其他参数同时使用", argument()?),
        },
        ErrorKind::TooManyValues => format!("“{}”的值过多", argument()?),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("“{}”的值的个数不对", argument()?)
        }
        ErrorKind::NoEquals => format!("“{}”与值之间应有等号", argument()?),
        ErrorKind::InvalidUtf8 => "参数不是UTF-8文本".to_owned(),
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion
        | ErrorKind::Io
        | ErrorKind::Format
        | _ => return None,
    };
    Some(sentence)
}

/// What the error carries under this heading, as text.
fn named(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join("、")),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        ContextValue::None
        | ContextValue::Bool(_)
        | ContextValue::Strings(_)
        | ContextValue::StyledStrs(_)
        | ContextValue::Number(_)
        | _ => None,
    }
}

fn translated(text: &str) -> String {
    PHRASES.iter().fold(text.to_owned(), |text, (english, chinese)| text.replace(english, chinese))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Cli, help, parse};
    use super::*;
    use clap::{Command, CommandFactory as _};
    use std::ffi::OsString;

    fn said(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from);
        chinese(&parse(arguments, Language::Zh).map(drop).unwrap_err())
    }

    #[test]
    fn error_table() {
        #[rustfmt::skip]
        let table = [
            ("dialtone dance",                        "没有命令“dance”"),
            ("dialtone statsu",                       "最接近的是“status”"),
            ("dialtone status --jsno",                "没有参数“--jsno”"),
            ("dialtone status --jsno",                "最接近的是“--json”"),
            ("dialtone ext set",                      "缺少参数：<NUMBER>"),
            ("dialtone ext set",                      "用法：dialtone ext set"),
            ("dialtone ext set 100 --calls 0",        "“--calls <CALLS>”的值“0”无效：取值应为1至100"),
            ("dialtone ext add 9-1",                  "号段的终点小于起点"),
            ("dialtone ext set 100 --relay some",     "可选值：always、auto、never"),
            ("dialtone ext set 100 --relay",          "“--relay <RELAY>”缺少值"),
            ("dialtone trunk add t1",                 "“<ID>”的值“t1”无效：应为整数"),
            ("dialtone trunk add 4294967296",         "取值应为0至4294967295"),
            ("dialtone cdr export --csv --json",      "不能与"),
            ("dialtone trace --ip here",              "“--ip <ADDRESS>”的值“here”无效"),
            ("dialtone status --set x",               "应为 键=值"),
            ("dialtone trace --raw --raw",            "只能指定一次"),
        ];
        for (line, expected) in table {
            let text = said(line);
            assert!(text.contains(expected), "{line}: {text}");
            assert!(text.ends_with("详见“--help”。\n"), "{line}: {text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_number_is_no_word_of_rust() {
        #[rustfmt::skip]
        let table = [
            ("dialtone trunk add t1",                   "'t1' for '<ID>': must be a whole number\n"),
            ("dialtone trunk add 4294967296",           "must be 0 to 4294967295\n"),
            ("dialtone trunk add 99999999999999999999", "too large\n"),
        ];
        for (line, expected) in table {
            let arguments = line.split(' ').map(OsString::from);
            let error = parse(arguments, Language::En).map(drop).unwrap_err();
            let text = english(&error).unwrap();
            assert!(text.contains(expected), "{line}: {text}");
        }
    }

    #[test]
    fn the_chinese_help_has_no_english_phrase() {
        fn walk(mut command: Command) {
            for shown in [command.render_help(), command.render_long_help()] {
                let text = translated(&shown.to_string());
                for word in ["Usage", "ptions", "Arguments", "Print", "values", "default", "env:"] {
                    assert!(!text.contains(word), "{word}: {text}");
                }
            }
            command.get_subcommands().cloned().for_each(walk);
        }
        let mut command = help::chinese(Cli::command());
        command.build();
        walk(command);
    }
}
