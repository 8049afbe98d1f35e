//! External lines (外线) and SIP trunks (SIP中继): lists with their state in words, and forms.

mod doctor;
mod fields;
mod interop;
mod list;

pub(crate) use doctor::{on_doctor, on_doctor_page, on_remedy};
pub(crate) use list::{on_lines, on_register, on_trunks};

use super::api::segment;
use super::delete::{Delete, delete_page};
use super::failure::{PageFailure, sentences};
use super::form::{Came, Form, List, Sent, Tab, changes, open_tab, read, shown};
use super::layout::Layout;
use super::viewer::Viewer;
use super::words::words;
use super::{form, render, to};
use crate::resource::{Extension, Failure};
use askama::Template;
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::line::Line;
use pbx::trunk::Trunk;
use serde_json::{Value, json};

words! {
    Words {
        saved: "Saved. It is in force.", "已保存并生效。";
        doctor: "Trunk doctor", "外线体检";
        delete_line: "Delete the external line?", "确定删除该外线？";
        delete_trunk: "Delete the SIP trunk?", "确定删除该SIP中继？";
        delete_help: "Calls that are up go on.", "进行中的呼叫不受影响。";
    }
}

/// Lines or trunks: where they are and what they are called.
pub(crate) struct Kind {
    home: &'static str,
    api: &'static str,
    key: &'static str,
    title: Text,
    new: Text,
    tabs: &'static [Tab],
    new_tabs: &'static [Tab],
    untouched: fn() -> Value,
    /// The trunk doctor knows lines only.
    has_doctor: bool,
}

pub(crate) const LINES: &Kind = &Kind {
    home: "/external-lines",
    api: "/api/v1/external-lines",
    key: "account",
    title: Text::fixed("External line", "外线"),
    new: Text::fixed("Add an external line", "添加外线"),
    tabs: fields::LINE,
    new_tabs: fields::NEW_LINE,
    untouched: || serde_json::to_value(Line::default()).unwrap_or_default(),
    has_doctor: true,
};

pub(crate) const TRUNKS: &Kind = &Kind {
    home: "/sip-trunks",
    api: "/api/v1/sip-trunks",
    key: "id",
    title: Text::fixed("SIP trunk", "SIP中继"),
    new: Text::fixed("Add a SIP trunk", "添加SIP中继"),
    tabs: fields::TRUNK,
    new_tabs: fields::NEW_TRUNK,
    untouched: || serde_json::to_value(Trunk::default()).unwrap_or_default(),
    has_doctor: false,
};

#[derive(Template)]
#[template(path = "outside_form.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    heading: String,
    home: &'static str,
    list: &'static str,
    saved: bool,
    doctor: String,
    form: Form,
}

pub(crate) async fn on_new_form(
    viewer: Viewer,
    kind: &'static Kind,
) -> Result<Response, PageFailure> {
    let mut json = (kind.untouched)();
    if kind.key == "id" {
        let directory = viewer.pages.running.directory();
        let trunks = directory.tenant(TenantId::default()).map(|it| &it.trunks);
        let used = trunks.and_then(|it| it.get_max()).map_or(0, |(id, _)| *id);
        json["id"] = used.saturating_add(1).into();
    }
    Ok(render(&new_page(&viewer, kind, &json, "", None).await?))
}

pub(crate) async fn on_new(
    viewer: Viewer,
    kind: &'static Kind,
    sent: Sent,
) -> Result<Response, PageFailure> {
    let json = read(kind.new_tabs, &sent);
    let mut fields = changes(kind.new_tabs, &texts((kind.untouched)()), &json);
    // What it is known by is needed, even where it is none.
    fields[kind.key] = json[kind.key].clone();
    match viewer.api.post::<Value>(kind.api, &rows(fields)).await {
        Ok(made) => {
            let key = key_text(&made[kind.key]);
            Ok(to(&format!("{}/{}?saved=1", kind.home, segment(&key))))
        }
        Err(failure) => {
            let page = new_page(&viewer, kind, &json, open_tab(&sent), Some(failure));
            Ok(render(&page.await?))
        }
    }
}

pub(crate) async fn on_form(
    viewer: Viewer,
    kind: &'static Kind,
    key: &str,
    came: &Came,
) -> Result<Response, PageFailure> {
    let (json, tag): (Value, String) = viewer.api.get_tagged(&api(kind, key)).await?;
    let mut page = page(&viewer, kind, key, &texts(json), "", None).await?;
    page.saved = came.saved.is_some();
    page.form.tag = tag;
    Ok(render(&page))
}

pub(crate) async fn on_save(
    viewer: Viewer,
    kind: &'static Kind,
    key: &str,
    sent: Sent,
) -> Result<Response, PageFailure> {
    let before: Value = viewer.api.get(&api(kind, key)).await?;
    let json = read(kind.tabs, &sent);
    let change = rows(changes(kind.tabs, &texts(before), &json));
    match viewer.api.patch_if::<Value>(&api(kind, key), &change, form::tag(&sent)).await {
        Ok(_) => Ok(to(&format!("{}/{}?saved=1", kind.home, segment(key)))),
        Err(failure) => {
            let again = form::tag_again(&sent, &failure);
            let page = page(&viewer, kind, key, &json, open_tab(&sent), Some(failure));
            let mut page = page.await?;
            page.form.tag = again;
            Ok(render(&page))
        }
    }
}

pub(crate) async fn on_delete_form(
    viewer: Viewer,
    kind: &'static Kind,
    key: &str,
) -> Result<Response, PageFailure> {
    viewer.api.get::<Value>(&api(kind, key)).await?;
    Ok(delete_page(&viewer, delete(&viewer, kind, key), None))
}

pub(crate) async fn on_delete(
    viewer: Viewer,
    kind: &'static Kind,
    key: &str,
) -> Result<Response, PageFailure> {
    match viewer.api.delete(&api(kind, key)).await {
        Ok(()) => Ok(to(kind.home)),
        Err(failure) => Ok(delete_page(&viewer, delete(&viewer, kind, key), Some(&failure))),
    }
}

fn delete(viewer: &Viewer, kind: &'static Kind, key: &str) -> Delete {
    let w = Words::of(viewer.language);
    let own = format!("{}/{}", kind.home, segment(key));
    Delete {
        title: if kind.has_doctor { w.delete_line } else { w.delete_trunk },
        help: w.delete_help,
        name: format!("{} {key}", viewer.say(&kind.title)),
        action: format!("{own}/delete"),
        back: own,
    }
}

async fn new_page(
    viewer: &Viewer,
    kind: &'static Kind,
    json: &Value,
    tab: &str,
    failure: Option<Failure>,
) -> Result<Page, Failure> {
    let paths = (format!("{}/new", kind.home), String::new());
    Ok(Page {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        heading: viewer.say(&kind.new).to_owned(),
        home: kind.home,
        list: list::title(kind, viewer.language),
        saved: false,
        doctor: String::new(),
        form: form_of(viewer, kind, kind.new_tabs, json, tab, failure, paths).await?,
    })
}

async fn page(
    viewer: &Viewer,
    kind: &'static Kind,
    key: &str,
    json: &Value,
    tab: &str,
    failure: Option<Failure>,
) -> Result<Page, Failure> {
    let own = format!("{}/{}", kind.home, segment(key));
    let doctor = if kind.has_doctor { format!("{own}/doctor") } else { String::new() };
    let delete = format!("{own}/delete");
    Ok(Page {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        heading: format!("{} {key}", viewer.say(&kind.title)),
        home: kind.home,
        list: list::title(kind, viewer.language),
        saved: false,
        doctor,
        form: form_of(viewer, kind, kind.tabs, json, tab, failure, (own, delete)).await?,
    })
}

async fn form_of(
    viewer: &Viewer,
    kind: &'static Kind,
    tabs: &'static [Tab],
    json: &Value,
    tab: &str,
    failure: Option<Failure>,
    (action, delete): (String, String),
) -> Result<Form, Failure> {
    // A longer list helps nobody to choose.
    let extensions: Vec<Extension> = viewer.api.get("/api/v1/extensions?limit=200").await?;
    let extensions = extensions.into_iter().map(|it| it.number);
    Ok(Form {
        w: form::Words::of(viewer.language),
        action,
        csrf: viewer.csrf(),
        tag: String::new(),
        tabs: shown(tabs, json, viewer.language, tab, failure.as_ref()),
        lists: vec![
            List { name: "plans", values: viewer.plans() },
            List { name: "extensions", values: extensions.collect() },
        ],
        wrong: failure.map(|it| sentences(&it, viewer.language)).unwrap_or_default(),
        back: kind.home.to_owned(),
        delete,
    })
}

/// The row with server addresses as people write them, in the order they are tried.
fn texts(mut row: Value) -> Value {
    if let Some(addresses) = row.get_mut("addresses").and_then(Value::as_array_mut) {
        addresses.sort_by_key(|it| it["priority"].as_u64());
        for it in addresses {
            let host = it["host"].as_str().unwrap_or_default();
            *it = match it["port"].as_u64() {
                Some(5060) | None => host.into(),
                Some(port) => format!("{host}:{port}").into(),
            };
        }
    }
    row
}

/// The reverse: addresses with their places as priorities, and single sources as networks of one.
fn rows(mut fields: Value) -> Value {
    if let Some(addresses) = fields.get_mut("addresses").and_then(Value::as_array_mut) {
        for (priority, it) in addresses.iter_mut().enumerate() {
            let text = it.as_str().unwrap_or_default();
            let parts =
                text.rsplit_once(':').filter(|it| !it.0.contains(':') || it.0.ends_with(']'));
            *it = match parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
                Some((host, port)) => json!({ "host": host, "port": port, "priority": priority }),
                None => json!({ "host": text, "priority": priority }),
            };
        }
    }
    if let Some(sources) = fields.get_mut("sources").and_then(Value::as_array_mut) {
        for it in sources {
            let one = it.as_str().and_then(|it| it.parse::<std::net::IpAddr>().ok());
            if let Some(one) = one {
                *it = format!("{one}/{}", if one.is_ipv4() { 32 } else { 128 }).into();
            }
        }
    }
    fields
}

/// An account or a number.
fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

fn api(kind: &Kind, key: &str) -> String {
    format!("{}/{}", kind.api, segment(key))
}

/// The routes of lines and of trunks are alike: each handler says which it is for.
macro_rules! handlers {
    ($( $module:ident: $kind:ident; )*) => { $(
        pub(crate) mod $module {
            use super::*;

            pub(crate) async fn on_new_form(viewer: Viewer) -> Result<Response, PageFailure> {
                super::on_new_form(viewer, $kind).await
            }

            pub(crate) async fn on_new(viewer: Viewer, Body(sent): Body<Sent>) -> Result<Response, PageFailure> {
                super::on_new(viewer, $kind, sent).await
            }

            pub(crate) async fn on_form(
                viewer: Viewer,
                Path(key): Path<String>,
                Query(came): Query<Came>,
            ) -> Result<Response, PageFailure> {
                super::on_form(viewer, $kind, &key, &came).await
            }

            pub(crate) async fn on_save(
                viewer: Viewer,
                Path(key): Path<String>,
                Body(sent): Body<Sent>,
            ) -> Result<Response, PageFailure> {
                super::on_save(viewer, $kind, &key, sent).await
            }

            pub(crate) async fn on_delete_form(viewer: Viewer, Path(key): Path<String>) -> Result<Response, PageFailure> {
                super::on_delete_form(viewer, $kind, &key).await
            }

            pub(crate) async fn on_delete(viewer: Viewer, Path(key): Path<String>) -> Result<Response, PageFailure> {
                super::on_delete(viewer, $kind, &key).await
            }
        }
    )* };
}

handlers! {
    lines: LINES;
    trunks: TRUNKS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_and_read_alike() {
        let texts = json!(["sip.example.com", "10.0.0.1:5070", "[2001:db8::1]:5080"]);
        let addresses = json!([
            { "host": "sip.example.com", "priority": 0 },
            { "host": "10.0.0.1", "port": 5070, "priority": 1 },
            { "host": "[2001:db8::1]", "port": 5080, "priority": 2 },
        ]);
        assert_eq!(rows(json!({ "addresses": texts })), json!({ "addresses": addresses }));
        assert_eq!(super::texts(json!({ "addresses": addresses })), json!({ "addresses": texts }));
        let sources = rows(json!({ "sources": ["10.0.0.1", "10.1.0.0/16", "x"] }));
        assert_eq!(sources, json!({ "sources": ["10.0.0.1/32", "10.1.0.0/16", "x"] }));
    }
}
