//! The way in: signing in and out, and the first minute from the set-up to phones that ring.

mod first;
mod login;
mod setup;

pub(crate) use first::{on_welcome, on_welcome_form};
pub(crate) use login::{on_log_in, on_log_out, on_login_form};
pub(crate) use setup::{on_setup, on_setup_form};

use super::form::Sent;
use super::to;
use crate::access::sessions::Begun;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// The value of a field. A password is as it was written.
fn field(sent: &Sent, name: &str) -> String {
    sent.iter().find(|it| it.0 == name).map(|it| it.1.clone()).unwrap_or_default()
}

/// The session has begun: its cookie goes with the way to the next page.
fn begun(begun: Begun, next: &str) -> Response {
    ([(header::SET_COOKIE, begun.cookie)], to(next)).into_response()
}
