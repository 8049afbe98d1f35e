//! Administrators and API keys, on the running server or in its database.

use super::{Backend, author};
use crate::cli::client::Client;
use crate::cli::{Common, Result};
use hyper::Method;
use web::access::{keys, totp, users};
use web::resource::access::{
    ApiKeyInfo, MadeApiKey, NewApiKey, NewUser, SetupState, TotpProof, UserInfo, UserPassword,
};

const USERS: &str = "/api/v1/users";
const API_KEYS: &str = "/api/v1/api-keys";

/// Of the running server, which alone knows it.
pub(in crate::cli) async fn setup_state(common: &Common) -> Result<SetupState> {
    let socket = common.socket_path()?;
    Client::required(&socket).await?.get("/api/v1/setup").await
}

impl Backend {
    pub(in crate::cli) async fn users(&mut self) -> Result<Vec<UserInfo>> {
        match self {
            Self::Online(client) => client.list(USERS).await,
            Self::Offline(store) => Ok(users::list(&store.db).await?),
        }
    }

    pub(in crate::cli) async fn add_user(&mut self, new: NewUser) -> Result<UserInfo> {
        match self {
            Self::Online(client) => client.send(Method::POST, USERS, &new).await,
            Self::Offline(store) => Ok(users::add_offline(author(store), new).await?),
        }
    }

    pub(in crate::cli) async fn set_user_password(
        &mut self,
        name: &str,
        password: String,
    ) -> Result<()> {
        match self {
            Self::Online(client) => {
                let path = format!("{USERS}/{}:passwd", escaped(name));
                client.send(Method::POST, &path, &UserPassword { password, current: None }).await
            }
            Self::Offline(store) => Ok(users::passwd_offline(author(store), name, password).await?),
        }
    }

    pub(in crate::cli) async fn delete_user(&mut self, name: &str) -> Result<()> {
        match self {
            Self::Online(client) => {
                client.send(Method::DELETE, &format!("{USERS}/{}", escaped(name)), &()).await
            }
            Self::Offline(store) => Ok(users::delete(author(store), name).await?),
        }
    }

    pub(in crate::cli) async fn totp_off(&mut self, name: &str) -> Result<()> {
        match self {
            Self::Online(client) => {
                let path = format!("{USERS}/{}/totp:off", escaped(name));
                client.send(Method::POST, &path, &TotpProof::default()).await
            }
            Self::Offline(store) => Ok(totp::remove(author(store), name).await?),
        }
    }

    pub(in crate::cli) async fn api_keys(&mut self) -> Result<Vec<ApiKeyInfo>> {
        match self {
            Self::Online(client) => client.list(API_KEYS).await,
            Self::Offline(store) => Ok(keys::list(&store.db).await?),
        }
    }

    pub(in crate::cli) async fn add_api_key(&mut self, new: NewApiKey) -> Result<MadeApiKey> {
        match self {
            Self::Online(client) => client.send(Method::POST, API_KEYS, &new).await,
            Self::Offline(store) => Ok(keys::add(author(store), new).await?),
        }
    }

    pub(in crate::cli) async fn revoke_api_key(&mut self, id: &str) -> Result<()> {
        match self {
            Self::Online(client) => {
                client.send(Method::DELETE, &format!("{API_KEYS}/{}", escaped(id)), &()).await
            }
            Self::Offline(store) => Ok(keys::revoke(author(store), id).await?),
        }
    }
}

/// As part of a path (RFC 3986 §2.1).
fn escaped(text: &str) -> String {
    let mut path = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_table() {
        #[rustfmt::skip]
        let table = [
            ("ann",         "ann"),
            ("ann@x.org",   "ann%40x.org"),
            ("a/b?c#d:e",   "a%2Fb%3Fc%23d%3Ae"),
            ("安",          "%E5%AE%89"),
        ];
        for (text, expected) in table {
            assert_eq!(escaped(text), expected);
        }
    }
}
