//! Who may administer: administrators and their sessions, and the keys of programs.

mod keys;
pub(crate) mod totp;
mod users;

pub(crate) use keys::{on_key, on_key_add, on_key_change, on_key_revoke, on_keys};
pub(crate) use users::{
    on_add, on_delete, on_delete_form, on_end_session, on_language, on_language_form, on_password,
    on_password_form, on_users,
};

use super::api::segment;
use super::viewer::Viewer;
use crate::resource::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// From which row on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    after: String,
}

/// The rows of a page, and where the next ones are.
async fn look<T: DeserializeOwned>(
    viewer: &Viewer,
    api: &str,
    home: &str,
    after: &str,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let (found, next) = viewer.api.page(&format!("{api}?cursor={}", segment(after))).await?;
    Ok((found, next.map(|it| format!("{home}?after={}", segment(&it)))))
}
