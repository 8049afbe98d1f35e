//! Setting up a phone by its camera (扫码配置): a code that holds an address, good once and for ten minutes.
//!
//! While a password is new, what a phone needs is kept here under a long random token. The code shows the address with
//! that token, never the password; the phone that asks first gets it. The answer is Linphone's configuration as XML.

use super::Pages;
use crate::resource::Failure;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use pbx::time::UnixMillis;
use qrcode::{Color, QrCode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::StoreError;
use store::password::NewPassword;

/// How long a code is good.
const LIFE: Duration = Duration::from_secs(600);
/// Most codes at a time; the oldest goes for a new one.
const OFFERS_MAX: usize = 1000;
/// Random passwords a token is made of: more than 100 bits.
const TOKEN_PARTS: usize = 2;

/// What a phone is to be told.
struct Offer {
    number: String,
    password: String,
    server: String,
    until: UnixMillis,
}

/// The codes that are good now, by their tokens.
#[derive(Default)]
pub(crate) struct Offers(Mutex<BTreeMap<String, Offer>>);

impl Offers {
    /// Keeps what the phone of `number` needs; the token it is had for.
    pub(crate) fn offer(
        &self,
        number: &str,
        password: &str,
        server: &str,
        now: UnixMillis,
    ) -> Result<String, Failure> {
        let mut token = String::new();
        for _ in 0..TOKEN_PARTS {
            token += NewPassword::generate().map_err(StoreError::Password)?.reveal();
        }
        let mut offers = self.lock();
        offers.retain(|_, it| it.until > now);
        if offers.len() >= OFFERS_MAX {
            let oldest = offers.iter().min_by_key(|it| it.1.until).map(|it| it.0.clone());
            oldest.map(|it| offers.remove(&it));
        }
        let offer = Offer {
            number: number.to_owned(),
            password: password.to_owned(),
            server: server.to_owned(),
            until: now.after(LIFE),
        };
        offers.insert(token.clone(), offer);
        Ok(token)
    }

    /// Once.
    fn take(&self, token: &str, now: UnixMillis) -> Option<Offer> {
        self.lock().remove(token).filter(|it| it.until > now)
    }

    /// What a panic elsewhere left behind is still a whole map.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Offer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Template)]
#[template(path = "linphone.xml", escape = "html")]
struct Configuration {
    number: String,
    password: String,
    server: String,
}

pub(crate) async fn on_provision(
    State(pages): State<Pages>,
    Path(token): Path<String>,
) -> Response {
    let Some(offer) = pages.offers.take(&token, pages.running.now()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Offer { number, password, server, .. } = offer;
    match (Configuration { number, password, server }).render() {
        Ok(xml) => {
            ([(header::CONTENT_TYPE, "application/xml; charset=utf-8")], xml).into_response()
        }
        // Only where memory is at its end.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The code of an address, as a drawing: `None` where it is too long for one.
pub(crate) struct Code {
    pub(crate) size: usize,
    /// One square for each dark module, as a path of SVG.
    pub(crate) path: String,
}

/// Modules of white around a code (ISO/IEC 18004 §9.1).
const QUIET: usize = 4;

pub(crate) fn code(address: &str) -> Option<Code> {
    let code = QrCode::new(address).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let (x, y) = (QUIET + at % width, QUIET + at / width);
            // A String takes everything.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    Some(Code { size: width + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_is_good_once_and_for_ten_minutes() {
        let offers = Offers::default();
        let at = UnixMillis(1_000_000);
        let first = offers.offer("100", "secret", "10.0.0.1", at).unwrap();
        let second = offers.offer("101", "secret", "10.0.0.1", at).unwrap();
        assert!(first.len() >= 20 && first != second);
        assert_eq!(offers.take(&first, at).unwrap().number, "100");
        assert!(offers.take(&first, at).is_none(), "once");
        assert!(offers.take(&second, at.after(LIFE)).is_none(), "ten minutes");
    }

    #[test]
    fn a_code_is_drawn_with_white_around_it() {
        let code = code("http://10.0.0.1:8080/provision/abc").unwrap();
        assert!(code.size >= 21 + 2 * QUIET);
        assert!(code.path.starts_with("M4 4h1"), "the corner of the first finder pattern");
    }
}
