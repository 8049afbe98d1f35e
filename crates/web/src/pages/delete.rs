//! Whoever deletes something is asked before.

use super::failure::sentences;
use super::layout::Layout;
use super::render;
use super::viewer::Viewer;
use super::words::words;
use crate::resource::Failure;
use askama::Template;
use axum::response::Response;

words! {
    Words {
        delete: "Delete", "删除";
        cancel: "Cancel", "取消";
    }
}

/// What is to be deleted.
pub(crate) struct Delete {
    /// As a question.
    pub(crate) title: &'static str,
    /// What happens by it.
    pub(crate) help: &'static str,
    pub(crate) name: String,
    /// Where the answer goes.
    pub(crate) action: String,
    /// Where *cancel* leads.
    pub(crate) back: String,
}

#[derive(Template)]
#[template(path = "delete.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    it: Delete,
    wrong: Vec<String>,
}

/// The question; after a refusal, with what stands against it.
pub(crate) fn delete_page(viewer: &Viewer, it: Delete, failure: Option<&Failure>) -> Response {
    let wrong = failure.map(|it| sentences(it, viewer.language)).unwrap_or_default();
    render(&Page { page: viewer.layout(), w: Words::of(viewer.language), it, wrong })
}
