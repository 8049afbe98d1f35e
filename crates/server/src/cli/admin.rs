//! `dialtone admin`: who may sign in to the pages, on the running server or, while none runs, in its database.

use super::offline::{Backend, setup_state};
use super::output::{Column, Output, table};
use super::{Common, Exit, Failed, Result, block_on, password};
use pbx::language::Language;
use pbx::text;
use serde::Serialize;
use std::path::PathBuf;
use store::StoreError;
use store::password::NewPassword;
use web::resource::access::{NewUser, UserInfo};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show all administrators.
    List,
    /// Add an administrator; the password is made, and shown this once.
    Add {
        #[command(flatten)]
        who: Who,
    },
    /// Make or set a new password; the sessions that knew the old one end.
    Passwd {
        #[command(flatten)]
        who: Who,
    },
    /// Remove an administrator; the last one stays.
    Del {
        /// The administrator's name.
        user: String,
    },
    /// Second factors.
    #[command(subcommand)]
    Totp(Totp),
    /// Show the code that makes the first administrator in a browser.
    SetupCode,
}

#[derive(clap::Subcommand)]
pub(super) enum Totp {
    /// Let an administrator in by his password alone, who has lost his phone.
    Off {
        /// The administrator's name.
        user: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Who {
    /// The administrator's name.
    user: String,
    /// Set this password instead of making one; other users can read it in the list of processes, unlike with `--password-file -`, which reads standard input.
    #[arg(long, value_name = "TEXT", conflicts_with = "password_file")]
    password: Option<String>,
    /// Read the password from this file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What is shown once.
#[derive(Serialize)]
struct Made {
    name: String,
    /// Absent where it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    block_on(async {
        if matches!(command, Command::SetupCode) {
            return setup_code(common, output).await;
        }
        let mut backend = Backend::open(common).await?;
        let done = act(&mut backend, command, output).await;
        backend.close().await;
        done
    })
}

async fn act(backend: &mut Backend, command: Command, output: &mut Output) -> Result<()> {
    match command {
        Command::List => {
            let all = backend.users().await?;
            output.show(&all, |it, language| list(it, language))
        }
        Command::Add { who } => {
            let (made, password) = made(who)?;
            let name = made.name.clone();
            let language = Some(output.language());
            backend.add_user(NewUser { name, password, language }).await?;
            output.show(&made, shown)
        }
        Command::Passwd { who } => {
            let (made, password) = made(who)?;
            backend.set_user_password(&made.name, password).await?;
            output.show(&made, shown)
        }
        Command::Del { user } => {
            backend.delete_user(&user).await?;
            output.show(&(), |(), language| {
                text!("{user} is removed", "已删除{user}").get(language).to_owned()
            })
        }
        Command::Totp(Totp::Off { user }) => {
            backend.totp_off(&user).await?;
            output.show(&(), |(), language| {
                text!("{user} signs in by his password alone", "{user}现在仅凭密码即可登录")
                    .get(language)
                    .to_owned()
            })
        }
        Command::SetupCode => Ok(()),
    }
}

/// What is to be shown, and the password that is to be set.
fn made(who: Who) -> Result<(Made, String)> {
    let given = password::given(who.password.as_deref(), who.password_file.as_deref())?;
    Ok(match given {
        Some(password) => (Made { name: who.user, password: None }, password),
        None => {
            let new = NewPassword::generate().map_err(StoreError::Password)?;
            let password = new.reveal().to_owned();
            (Made { name: who.user, password: Some(password.clone()) }, password)
        }
    })
}

fn shown(made: &Made, language: Language) -> String {
    let name = &made.name;
    let text = match &made.password {
        Some(password) => text!(
            "{name}: the password is {password} (shown only now)",
            "{name}：密码为{password}（仅显示一次）"
        ),
        None => text!("{name}: the password is set", "{name}：密码已设置"),
    };
    text.get(language).to_owned()
}

async fn setup_code(common: &Common, output: &mut Output) -> Result<()> {
    let Some(code) = setup_state(common).await?.code else {
        let what = text!(
            "there is an administrator already: `dialtone admin add` makes another one",
            "已有管理员；可用`dialtone admin add`添加"
        );
        return Err(Failed::new(Exit::Refused, what));
    };
    output.show(&serde_json::json!({ "code": code }), |_, _| code.clone())
}

const COLUMNS: [Column; 4] = [
    ("NAME", "账号"),
    ("LANGUAGE", "语言"),
    ("PASSWORD SET", "密码设置时间"),
    ("SECOND FACTOR", "两步验证"),
];

fn list(users: &[UserInfo], language: Language) -> String {
    let row = |it: &UserInfo| {
        let spoken = match it.language {
            Language::En => "en",
            Language::Zh => "zh",
        };
        let factor =
            if it.second_factor { text!("on", "已启用") } else { text!("off", "未启用") };
        let factor = factor.get(language).to_owned();
        vec![it.name.clone(), spoken.to_owned(), it.password_at.clone(), factor]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}
