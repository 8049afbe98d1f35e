//! Where commands on extensions, settings and records act: the running server, or, while none runs, the
//! database under the lock of its data directory.

mod administrators;
mod features;
mod outside;

pub(super) use administrators::setup_state;

use super::client::Client;
use super::{Common, Exit, Failed, Result};
use crate::clock;
use hyper::Method;
use pbx::dialplan::Tables;
use pbx::text;
use std::sync::Arc;
use store::Offline;
use web::audit::{Author, PageQuery};
use web::records::{self, RecordsPage, RecordsQuery};
use web::resource::audit::AuditPage;
use web::resource::{
    AddRequest, Change, Credentials, DialPlanRequest, Extension, Finding, Imported,
    PasswordRequest, Setting, SettingRequest, SimulateRequest, Simulation,
};
use web::{dial_plan, extensions, settings};

const SETTINGS: &str = "/api/v1/settings";
const DIAL_PLAN: &str = "/api/v1/dial-plan";

pub(super) enum Backend {
    Online(Client),
    Offline(Offline),
}

impl Backend {
    /// Prefers the running server. Without one it takes the lock, and brings the database up to
    /// the end of the journal that the last server left.
    pub(super) async fn open(common: &Common) -> Result<Self> {
        let socket = common.socket_path()?;
        if let Some(client) = Client::connect(&socket).await? {
            return Ok(Self::Online(client));
        }
        let config = common.load()?.config;
        if !config.data_dir.is_dir() {
            let (socket, folder) = (socket.display(), config.data_dir.display());
            let what = text!(
                "no server is running ({socket}), and there is no data directory {folder}",
                "服务器未运行（{socket}），且数据目录{folder}不存在"
            );
            return Err(Failed::new(Exit::NotRunning, what));
        }
        Ok(Self::Offline(store::open_offline(&config.data_dir, "dialtone").await?))
    }

    /// Whether a server is asked.
    pub(super) fn is_online(&self) -> bool {
        matches!(self, Self::Online(_))
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Extension>> {
        match self {
            Self::Online(client) => client.list("/api/v1/extensions").await,
            Self::Offline(store) => Ok(extensions::list(&store.db).await?),
        }
    }

    pub(super) async fn add(&mut self, request: AddRequest) -> Result<Vec<Credentials>> {
        match self {
            Self::Online(client) => client.send(Method::POST, "/api/v1/extensions", &request).await,
            Self::Offline(store) => Ok(extensions::add(author(store), request).await?),
        }
    }

    pub(super) async fn set(&mut self, number: &str, change: Change) -> Result<Extension> {
        match self {
            Self::Online(client) => client.send(Method::PATCH, &path(number)?, &change).await,
            Self::Offline(store) => Ok(extensions::set(author(store), number, change).await?),
        }
    }

    pub(super) async fn delete(&mut self, number: &str) -> Result<()> {
        match self {
            Self::Online(client) => client.send(Method::DELETE, &path(number)?, &()).await,
            Self::Offline(store) => Ok(extensions::delete(author(store), number).await?),
        }
    }

    pub(super) async fn passwd(
        &mut self,
        number: &str,
        request: PasswordRequest,
    ) -> Result<Credentials> {
        match self {
            Self::Online(client) => {
                let path = format!("{}:passwd", path(number)?);
                client.send(Method::POST, &path, &request).await
            }
            Self::Offline(store) => Ok(extensions::passwd(author(store), number, request).await?),
        }
    }

    pub(super) async fn settings(&mut self) -> Result<Vec<Setting>> {
        match self {
            Self::Online(client) => client.get(SETTINGS).await,
            Self::Offline(store) => Ok(settings::list(&store.db).await?),
        }
    }

    pub(super) async fn setting(&mut self, key: &str) -> Result<Setting> {
        match self {
            Self::Online(client) => client.get(&setting_path(key)).await,
            Self::Offline(store) => Ok(settings::show(&store.db, key).await?),
        }
    }

    pub(super) async fn set_setting(&mut self, key: &str, value: String) -> Result<Setting> {
        let request = SettingRequest { value: value.into() };
        match self {
            Self::Online(client) => client.send(Method::PATCH, &setting_path(key), &request).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done =
                    author.setting(key, settings::set(author.db(), key, request.value)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(super) async fn reset_setting(&mut self, key: &str) -> Result<Setting> {
        match self {
            Self::Online(client) => client.send(Method::DELETE, &setting_path(key), &()).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done = author.setting(key, settings::reset(author.db(), key)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(super) async fn simulate(&mut self, request: &SimulateRequest) -> Result<Simulation> {
        match self {
            Self::Online(client) => {
                client.send(Method::POST, "/api/v1/dial-plan:simulate", request).await
            }
            Self::Offline(store) => {
                let directory = Arc::new(store.db.load_directory(0).await?);
                Ok(dial_plan::simulate_all_up(directory, request, clock::now().utc)?)
            }
        }
    }

    pub(super) async fn lint(&mut self) -> Result<Vec<Finding>> {
        match self {
            Self::Online(client) => client.get("/api/v1/dial-plan:lint").await,
            Self::Offline(store) => {
                let directory = store.db.load_directory(0).await?;
                Ok(dial_plan::findings(&directory, clock::now().utc)?)
            }
        }
    }

    pub(super) async fn tables(&mut self) -> Result<Tables> {
        match self {
            Self::Online(client) => client.get(DIAL_PLAN).await,
            Self::Offline(store) => Ok(dial_plan::tables::export(&store.db).await?),
        }
    }

    pub(super) async fn set_tables(&mut self, request: DialPlanRequest) -> Result<Imported> {
        match self {
            Self::Online(client) => client.send(Method::PUT, DIAL_PLAN, &request).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done = author
                    .tables(dial_plan::tables::import(author.db(), request, author.now))
                    .await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(super) async fn audit(&mut self, limit: u32) -> Result<AuditPage> {
        match self {
            Self::Online(client) => {
                client.get(&format!("/api/v1/audit-entries?limit={limit}")).await
            }
            Self::Offline(store) => {
                let query = PageQuery { limit: Some(limit), ..PageQuery::default() };
                Ok(web::audit::page(&store.db, query).await?)
            }
        }
    }

    pub(super) async fn records(&mut self, query: RecordsQuery) -> Result<RecordsPage> {
        match self {
            Self::Online(client) => {
                let RecordsQuery { after, csv, .. } = query;
                let mut path = format!("/api/v1/call-records?after={after}&csv={csv}");
                for (name, value) in [("from", query.from), ("to", query.to)] {
                    path.extend(value.map(|it| format!("&{name}={it}")));
                }
                client.get(&path).await
            }
            Self::Offline(store) => Ok(records::page(&store.db, query).await?),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Online(_) => {}
            Self::Offline(store) => store.db.close().await,
        }
    }
}

/// Who edits while no server runs.
fn author(store: &Offline) -> Author<'_> {
    Author::offline(&store.db, clock::now().utc)
}

/// Names are small letters and `_`. Whatever else is asked for is no setting, and the server says so; the characters
/// that would end a path become one that no name has.
fn setting_path(key: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '_' { it } else { '-' };
    format!("{SETTINGS}/{}", key.chars().map(plain).collect::<String>())
}

/// Numbers are made of characters that need no escaping; anything else is no number.
pub(super) fn path(number: &str) -> Result<String> {
    let plain = |it: char| it.is_ascii_alphanumeric() || "._-+".contains(it);
    if number.is_empty() || !number.chars().all(plain) {
        let what = text!("there is no extension {number:?}", "分机{number:?}不存在");
        return Err(Failed::new(Exit::NotFound, what));
    }
    Ok(format!("/api/v1/extensions/{number}"))
}
