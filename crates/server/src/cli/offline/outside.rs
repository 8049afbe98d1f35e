//! External lines and SIP trunks, on the running server or in its database.

use super::{Backend, author};
use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::cli::{Exit, Failed, Result};
use hyper::Method;
use pbx::dialplan::lint::finding::TableName;
use pbx::text;
use std::fmt::Write as _;
use web::outside::{Fields, lines, trunks};
use web::resource::Finding;
use web::resource::outside::{Examination, Examine, ExternalLine, SipTrunk};

const LINES: &str = "/api/v1/external-lines";
const TRUNKS: &str = "/api/v1/sip-trunks";

impl Backend {
    pub(in crate::cli) async fn lines(&mut self) -> Result<Vec<ExternalLine>> {
        match self {
            Self::Online(client) => client.list(LINES).await,
            Self::Offline(store) => Ok(lines::list(&store.db).await?),
        }
    }

    pub(in crate::cli) async fn line(&mut self, account: &str) -> Result<ExternalLine> {
        match self {
            Self::Online(client) => client.get(&line_path(account)).await,
            Self::Offline(store) => Ok(lines::show(&store.db, account).await?),
        }
    }

    pub(in crate::cli) async fn add_line(&mut self, fields: Fields) -> Result<ExternalLine> {
        match self {
            Self::Online(client) => client.send(Method::POST, LINES, &fields).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done = author.tables(lines::add(author.db(), fields, author.now)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(in crate::cli) async fn set_line(
        &mut self,
        account: &str,
        fields: Fields,
    ) -> Result<ExternalLine> {
        match self {
            Self::Online(client) => client.send(Method::PATCH, &line_path(account), &fields).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done =
                    author.tables(lines::set(author.db(), account, fields, author.now)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(in crate::cli) async fn delete_line(&mut self, account: &str) -> Result<()> {
        match self {
            Self::Online(client) => client.send(Method::DELETE, &line_path(account), &()).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                author.tables(lines::delete(author.db(), account, author.now)).await?;
                Ok(author.commit().await?)
            }
        }
    }

    /// How the line was before it was asked to register.
    pub(in crate::cli) async fn register_line(&mut self, account: &str) -> Result<ExternalLine> {
        let path = format!("{}:register", line_path(account));
        self.server()?.send(Method::POST, &path, &()).await
    }

    /// What the trunk doctor finds.
    pub(in crate::cli) async fn examine_line(
        &mut self,
        account: &str,
        asked: &Examine,
    ) -> Result<Examination> {
        let path = format!("{}:doctor", line_path(account));
        self.server()?.send(Method::POST, &path, asked).await
    }

    pub(in crate::cli) async fn trunks(&mut self) -> Result<Vec<SipTrunk>> {
        match self {
            Self::Online(client) => client.list(TRUNKS).await,
            Self::Offline(store) => Ok(trunks::list(&store.db).await?),
        }
    }

    pub(in crate::cli) async fn trunk(&mut self, id: u32) -> Result<SipTrunk> {
        match self {
            Self::Online(client) => client.get(&format!("{TRUNKS}/{id}")).await,
            Self::Offline(store) => Ok(trunks::show(&store.db, id).await?),
        }
    }

    pub(in crate::cli) async fn add_trunk(&mut self, fields: Fields) -> Result<SipTrunk> {
        match self {
            Self::Online(client) => client.send(Method::POST, TRUNKS, &fields).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done = author.tables(trunks::add(author.db(), fields, author.now)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(in crate::cli) async fn set_trunk(&mut self, id: u32, fields: Fields) -> Result<SipTrunk> {
        match self {
            Self::Online(client) => {
                client.send(Method::PATCH, &format!("{TRUNKS}/{id}"), &fields).await
            }
            Self::Offline(store) => {
                let author = author(store).edit();
                let done = author.tables(trunks::set(author.db(), id, fields, author.now)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(in crate::cli) async fn delete_trunk(&mut self, id: u32) -> Result<()> {
        match self {
            Self::Online(client) => {
                client.send(Method::DELETE, &format!("{TRUNKS}/{id}"), &()).await
            }
            Self::Offline(store) => {
                let author = author(store).edit();
                author.tables(trunks::delete(author.db(), id, author.now)).await?;
                Ok(author.commit().await?)
            }
        }
    }

    /// Says why a list has no states.
    pub(in crate::cli) fn note_unknown_state(&self, output: &Output) {
        if !self.is_online() {
            output.notice(&text!(
                "No server is running: how they are now is not known.",
                "服务器未运行：当前状态未知。"
            ));
        }
    }

    /// What is wrong with a line that was just saved; advice, so that its failure is not the command's.
    pub(in crate::cli) async fn warn_of_line(&mut self, account: &str, output: &Output) {
        let of_line = |it: &&Finding| it.table == TableName::Lines.as_str() && it.row == account;
        let findings = self.lint().await.unwrap_or_default();
        for it in findings.iter().filter(of_line) {
            output.notice(&it.text);
        }
    }

    fn server(&mut self) -> Result<&mut Client> {
        match self {
            Self::Online(client) => Ok(client),
            Self::Offline(_) => {
                let what = text!("no server is running", "服务器未运行");
                Err(Failed::new(Exit::NotRunning, what))
            }
        }
    }
}

/// Accounts may have characters that mean something else in a path.
fn line_path(account: &str) -> String {
    let mut path = format!("{LINES}/");
    for byte in account.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // A string takes all that is written to it.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}
