//! The dial plan (拨号规则): each table as a grid, and beside it the simulator (拨号模拟), which decides by what stands in
//! the grid, saved or not, as calls are decided.

pub(crate) mod document;
mod grid;
mod held;
mod rows;
mod simulator;
mod tables;

pub(crate) use simulator::on_simulator;

use super::failure::{PageFailure, sentences};
use super::form::{self, Sent};
use super::viewer::Viewer;
use super::{query, render, to};
use crate::audit::DIAL_PLAN;
use crate::conventions::{conflict, plain};
use crate::resource::{Failure, Imported};
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use pbx::dialplan::Tables;
use pbx::dialplan::plan::DialPlan;
use pbx::directory::{Directory, Tenant};
use pbx::id::TenantId;
use pbx::text;
use rows::{Edited, edited, merged, unfit};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{Asked, Simulated};
use std::collections::BTreeMap;
use std::sync::Arc;
use tables::{TABLES, Table, named};

/// Where the tables are, of pages and of the API.
const HOME: &str = "/dial-plan";
const API: &str = "/api/v1/dial-plan";

/// Of each table by its path.
pub(crate) type Tags = BTreeMap<&'static str, String>;

/// Which rows the grid shows, and what the page came from.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Came {
    /// Those behind this one.
    after: u32,
    /// Those that begin so.
    q: String,
    saved: Option<String>,
}

impl Came {
    /// The page with the rows behind `after`.
    fn page(&self, table: &Table, after: u32, saved: bool) -> String {
        let after = if after == 0 { String::new() } else { after.to_string() };
        let saved = if saved { "1" } else { "" };
        let fields = [("after", &*after), ("q", self.q.trim()), ("saved", saved)];
        query(&format!("{HOME}/{}", table.path), &fields)
    }
}

pub(crate) async fn on_table(
    viewer: Viewer,
    Path(path): Path<String>,
    Query(came): Query<Came>,
) -> Result<Response, PageFailure> {
    let table = known(&path)?;
    // The rows and their tag are of one directory: what is changed between two would be overwritten unseen.
    let directory = viewer.pages.running.directory();
    let tag = tag(&viewer, &directory, table).await?;
    let grid = grid::stored(table, &tenant(&directory).dial_plan, &came, tag);
    let simulated = simulator::run(&viewer, None, Asked::default()).await;
    Ok(grid::page(&viewer, table, grid, &came, None, simulated))
}

/// All rows or none.
pub(crate) async fn on_save(
    viewer: Viewer,
    Path(path): Path<String>,
    Query(came): Query<Came>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let table = known(&path)?;
    let edited = edited(table, &sent);
    let wrong = match unfit(table, &edited) {
        Some((place, failure)) => Some((Some(place), failure)),
        None => save(&viewer, table, &sent, &edited).await.err().map(|it| (None, it)),
    };
    match wrong {
        None => Ok(to(&came.page(table, came.after, true))),
        Some((place, failure)) => {
            let again = form::tag_again(&sent, &failure);
            let wrong =
                grid::Wrong { place, sentences: sentences(&failure, viewer.language), failure };
            let after = after(&viewer, table, &edited);
            let simulated = simulator::run(&viewer, Some(after), simulator::asked(&sent)).await;
            let mut grid = grid::written(&edited);
            grid.tag = again;
            Ok(grid::page(&viewer, table, grid, &came, Some(wrong), simulated))
        }
    }
}

/// The same page, with what the simulator says of what is written in it.
pub(crate) async fn on_try(
    viewer: Viewer,
    Path(path): Path<String>,
    Query(came): Query<Came>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let table = known(&path)?;
    let edited = edited(table, &sent);
    let asked = simulator::asked(&sent);
    let simulated = match unfit(table, &edited) {
        None => simulator::run(&viewer, Some(after(&viewer, table, &edited)), asked).await,
        Some((_, failure)) => Simulated::refused(&viewer, asked, &failure),
    };
    let mut grid = grid::written(&edited);
    form::tag(&sent).clone_into(&mut grid.tag);
    Ok(grid::page(&viewer, table, grid, &came, None, simulated))
}

/// What is stored is read here, once, and must be what the form was made from; the API sees to it that it still is when
/// it is replaced.
async fn save(
    viewer: &Viewer,
    table: &Table,
    sent: &Sent,
    edited: &[Edited],
) -> Result<(), Failure> {
    let (before, tag): (Value, String) = viewer.api.get_tagged(API).await?;
    let seen = form::tag(sent);
    let plan = parsed(&before)?.in_place_of(&Tenant::default()).dial_plan;
    if !seen.is_empty() && seen != held::tag(&plan, table) {
        return Err(conflict(&viewer.pages.office, DIAL_PLAN, "").await);
    }
    let rows = merged(&before[table.list], edited);
    let request = json!({ "tables": { table.list: rows }, "only": [table.name] });
    viewer.api.put_if::<Imported>(API, &request, &tag).await.map(|_| ())
}

/// Of a table in force. Those of all tables are made at once: to make one, all of its rows are read.
async fn tag(
    viewer: &Viewer,
    directory: &Arc<Directory>,
    table: &Table,
) -> Result<String, Failure> {
    let all = |it: &Directory| {
        let plan = it.tenant(TenantId::default()).map(|it| it.dial_plan.clone());
        let plan = plan.unwrap_or_default();
        TABLES.iter().map(|it| (it.path, held::tag(&plan, it))).collect()
    };
    let now = viewer.pages.running.now();
    let tags: Arc<Tags> = viewer.pages.tags.get(directory, now, all).await?;
    Ok(tags.get(table.path).cloned().unwrap_or_default())
}

/// The office as the server holds it.
fn tenant(directory: &Directory) -> Tenant {
    directory.tenant(TenantId::default()).cloned().unwrap_or_default()
}

/// The office as it would be.
fn after(viewer: &Viewer, table: &Table, edited: &[Edited]) -> Result<Tenant, Failure> {
    let tenant = tenant(&viewer.pages.running.directory());
    let dial_plan: DialPlan = held::changed(&tenant.dial_plan, table, edited)?;
    Ok(Tenant { dial_plan, ..tenant })
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
