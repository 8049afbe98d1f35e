//! External lines (外线) and SIP trunks (SIP中继): the operations of the API, which the command line also uses while no
//! server runs, and their handlers.
//!
//! A row is changed as JSON (RFC 7396) and checked with all the others before anything is stored.

mod doctor;
pub mod lines;
mod patch;
pub mod trunks;

use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::outside::Said;
use pbx::dialplan::Tables;
use pbx::dialplan::lint::finding::Finding;
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::line::live;
use pbx::text;
use pbx::time::UnixMillis;
use serde_json::{Map, Value};
use store::{Db, StoreError};

/// The fields of a row and what they become; `null` is the default.
pub type Fields = Map<String, Value>;

/// Stores the tables without something that others may name; who does is told.
async fn without(db: &Db, tables: Tables, what: Text, now: UnixMillis) -> Result<(), Failure> {
    match db.set_tables(TenantId::default(), tables, now).await {
        Err(StoreError::Refused(users)) => {
            let head = text!(
                "{} is in use. Change or delete these first:",
                "{}正在使用中。请先修改或删除：",
                what
            );
            let user = |it: &Finding| {
                text!("{}, row {}, {}", "{}，记录{}，{}", it.table.text(), it.row, it.field)
            };
            let lines = std::iter::once(head).chain(users.iter().map(user));
            Err(Failure::new(409, "in_use", Text::lines(lines)))
        }
        done => Ok(done?),
    }
}

fn said(it: &live::Said) -> Said {
    Said { at: rfc3339(it.at), what: it.what.clone() }
}

/// A field that must be there, as a text.
fn text_field(fields: &Fields, name: &str) -> Result<String, Failure> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) | None => {
            let detail = text!("{name}: it must be a text", "{name}：应为文本");
            Err(Failure::new(422, "invalid", detail))
        }
    }
}
