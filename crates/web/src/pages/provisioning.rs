//! Setting up a phone by its camera (扫码配置): the code that holds an address, and what the phone finds there, which is
//! Linphone's configuration as XML.

use super::Pages;
use crate::provisioning::Offer;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use qrcode::{Color, QrCode};
use std::fmt::Write as _;

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
    let Some(offer) = pages.office.offers.take(&token, pages.running.now()) else {
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
    fn a_code_is_drawn_with_white_around_it() {
        let code = code("http://10.0.0.1:8080/provision/abc").unwrap();
        assert!(code.size >= 21 + 2 * QUIET);
        assert!(code.path.starts_with("M4 4h1"), "the corner of the first finder pattern");
    }
}
