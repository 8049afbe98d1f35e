//! The dial plan (拨号规则): each table as a grid, and beside it the simulator (拨号模拟), which decides by what stands in
//! the grid, saved or not, as calls are decided.

mod grid;
mod rows;
mod simulator;
mod tables;

pub(crate) use simulator::on_simulator;

use super::failure::{PageFailure, sentences};
use super::form::{self, Sent};
use super::viewer::Viewer;
use super::{query, render, to};
use crate::conventions::plain;
use crate::resource::{Failure, Imported};
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use pbx::dialplan::Tables;
use pbx::text;
use rows::{Edited, edited, merged, unfit};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{Asked, Simulated};
use tables::{Table, named};

/// Where the tables are, of pages and of the API.
const HOME: &str = "/dial-plan";
const API: &str = "/api/v1/dial-plan";

/// From which row on the grid is shown, and what the page came from.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Came {
    from: usize,
    saved: Option<String>,
}

pub(crate) async fn on_table(
    viewer: Viewer,
    Path(path): Path<String>,
    Query(came): Query<Came>,
) -> Result<Response, PageFailure> {
    let table = known(&path)?;
    let (before, tag): (Value, String) = viewer.api.get_tagged(API).await?;
    let mut grid = grid::stored(table, &before, came.from);
    grid.tag = tag;
    let simulated = simulator::run(&viewer, &before, Asked::default()).await;
    Ok(grid::page(&viewer, table, &before, grid, came.saved.is_some(), None, simulated))
}

/// All rows or none.
pub(crate) async fn on_save(
    viewer: Viewer,
    Path(path): Path<String>,
    Query(came): Query<Came>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let table = known(&path)?;
    let before: Value = viewer.api.get(API).await?;
    let edited = edited(table, &sent);
    let wrong = match unfit(table, &edited) {
        Some((place, failure)) => Some((Some(place), failure)),
        None => save(&viewer, table, &before, &sent, &edited).await.err().map(|it| (None, it)),
    };
    match wrong {
        None => {
            let from = if came.from == 0 { String::new() } else { came.from.to_string() };
            Ok(to(&query(&format!("{HOME}/{path}"), &[("from", &from), ("saved", "1")])))
        }
        Some((place, failure)) => {
            let again = form::tag_again(&sent, &failure);
            let wrong =
                grid::Wrong { place, sentences: sentences(&failure, viewer.language), failure };
            let after = after(table, &before, &edited);
            let simulated = simulator::run(&viewer, &after, simulator::asked(&sent)).await;
            let mut grid = grid::written(table, &edited);
            grid.tag = again;
            Ok(grid::page(&viewer, table, &before, grid, false, Some(wrong), simulated))
        }
    }
}

/// The same page, with what the simulator says of what is written in it.
pub(crate) async fn on_try(
    viewer: Viewer,
    Path(path): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let table = known(&path)?;
    let before: Value = viewer.api.get(API).await?;
    let edited = edited(table, &sent);
    let simulated = match unfit(table, &edited) {
        None => {
            simulator::run(&viewer, &after(table, &before, &edited), simulator::asked(&sent)).await
        }
        Some((_, failure)) => Simulated::refused(&viewer, simulator::asked(&sent), &failure),
    };
    let mut grid = grid::written(table, &edited);
    form::tag(&sent).clone_into(&mut grid.tag);
    Ok(grid::page(&viewer, table, &before, grid, false, None, simulated))
}

async fn save(
    viewer: &Viewer,
    table: &Table,
    before: &Value,
    sent: &Sent,
    edited: &[Edited],
) -> Result<(), Failure> {
    let rows = merged(&before[table.list], edited);
    let request = json!({ "tables": { table.list: rows }, "only": [table.name] });
    viewer.api.put_if::<Imported>(API, &request, form::tag(sent)).await.map(|_| ())
}

/// All tables as they would be.
fn after(table: &Table, before: &Value, edited: &[Edited]) -> Value {
    let mut after = before.clone();
    after[table.list] = merged(&before[table.list], edited).into();
    after
}

fn known(path: &str) -> Result<&'static Table, Failure> {
    named(path).ok_or_else(|| {
        Failure::new(404, "not_found", text!("There is no such page.", "没有这个页面。"))
    })
}

/// The JSON of all tables as such.
fn parsed(json: &Value) -> Result<Tables, Failure> {
    serde_json::from_value(json.clone())
        .map_err(|error| Failure::new(422, "invalid", plain(&error.to_string())))
}
