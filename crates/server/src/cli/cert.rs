//! `dialtone cert`: the certificate of the pages and the API.

use super::offline::Backend;
use super::output::{Output, plain};
use super::{Common, Exit, Failed, Result, block_on};
use crate::{clock, machine};
use hyper::Method;
use pbx::language::{Language, Text};
use pbx::text;
use std::path::{Path, PathBuf};
use store::Db;
use web::audit::Author;
use web::certificate::api::{self, NewCertificate};
use web::certificate::{Certificate, FOLDER, Pem, Shown};

const PATH: &str = "/api/v1/certificate";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show the certificate in use.
    Show,
    /// Use another certificate, for connections that begin from now on.
    Install {
        /// PEM file: the server's certificate, and those between it and the root.
        chain: PathBuf,
        /// PEM file with its private key, without a passphrase.
        key: PathBuf,
    },
    /// Go back to the certificate that the server made itself.
    Reset,
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    let shown = block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = act(common, &mut backend, command).await;
        backend.close().await;
        done
    })?;
    output.show(&shown, text)
}

async fn act(common: &Common, backend: &mut Backend, command: Command) -> Result<Shown> {
    let client = match backend {
        Backend::Online(client) => client,
        Backend::Offline(store) => return at_rest(common, &store.db, command).await,
    };
    match command {
        Command::Show => client.get(PATH).await,
        Command::Install { chain, key } => {
            client.send(Method::PUT, PATH, &read(&chain, &key)?).await
        }
        Command::Reset => client.send(Method::DELETE, PATH, &()).await,
    }
}

/// While no server runs, under the lock of its data directory.
async fn at_rest(common: &Common, db: &Db, command: Command) -> Result<Shown> {
    let folder = common.load()?.config.data_dir.join(FOLDER);
    let now = clock::now().utc;
    let certificate = Certificate::open(folder, machine::names(), now)?;
    let new = match command {
        Command::Show => return Ok(certificate.shown()),
        Command::Install { chain, key } => {
            let NewCertificate { chain, key } = read(&chain, &key)?;
            Some(Pem { chain, key })
        }
        Command::Reset => None,
    };
    Ok(api::put(&certificate, Author::offline(db, now), new).await?)
}

fn read(chain: &Path, key: &Path) -> Result<NewCertificate> {
    let text = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| Failed::at(Exit::Refused, path, &error))
    };
    Ok(NewCertificate { chain: text(chain)?, key: text(key)? })
}

fn text(it: &Shown, language: Language) -> String {
    // Whoever made it wrote what he liked.
    let (names, issuer) = (plain(&it.names.join(", ")), plain(&it.issuer));
    let (begins, ends) = (&it.begins_at, &it.ends_at);
    let issuer = if it.self_signed {
        text!("made by the server; browsers warn of it", "由服务器自签；浏览器会提示警告")
    } else {
        text!("issued by {issuer}", "颁发者：{issuer}")
    };
    let broken = text!(
        "\nThe installed certificate cannot be used; the log says why.",
        "\n已安装的证书无法使用，原因见日志。"
    );
    let broken = if it.is_unusable { broken } else { Text::same("") };
    let text = text!(
        "for {names}\n{}\nfrom {begins} to {ends}{}",
        "用于{names}\n{}\n有效期：{begins}至{ends}{}",
        issuer,
        broken
    );
    text.get(language).to_owned()
}
