//! What a page does with calls: placing one, sending one of its sides elsewhere, ending it.

use crate::calls::{Placing, Side, Transferring};
use crate::pages::api::segment;
use crate::pages::failure::PageFailure;
use crate::pages::to;
use crate::pages::viewer::Viewer;
use crate::resource::{Call, Placed};
use axum::Form;
use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    from: String,
    to: String,
    #[serde(default)]
    auto_answer: bool,
}

#[derive(Deserialize)]
pub(crate) struct Elsewhere {
    leg: Side,
    to: String,
}

/// The call shows up among the live ones, with the first event of it.
pub(crate) async fn on_place(
    viewer: Viewer,
    Form(Wanted { from, to: number, auto_answer }): Form<Wanted>,
) -> Result<Response, PageFailure> {
    let wanted = Placing { from: from.trim().to_owned(), to: number, auto_answer };
    viewer.api.post::<Placed>("/api/v1/calls", &wanted).await?;
    Ok(to("/calls"))
}

pub(crate) async fn on_transfer(
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Elsewhere { leg, to: number }): Form<Elsewhere>,
) -> Result<Response, PageFailure> {
    let path = format!("/api/v1/calls/{}:transfer", segment(&id));
    viewer.api.post::<Call>(&path, &Transferring { leg, to: number }).await?;
    Ok(to("/calls"))
}

pub(crate) async fn on_hangup(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let path = format!("/api/v1/calls/{}:hangup", segment(&id));
    viewer.api.post::<Call>(&path, &()).await?;
    Ok(to(&format!("/calls/{}", segment(&id))))
}
