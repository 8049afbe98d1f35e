//! What an operation reads and writes, taken from the types of its handler: the document says what the compiler has
//! checked, and nobody keeps it by hand.

use super::schemas::Schemas;
use crate::access::Principal;
use crate::access::sessions::Begun;
use crate::conventions::{Accepted, Listed, Since};
use crate::resource::access::SignedIn;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde_json::Value;

/// What the types of a handler say; what they do not say stands in the table of operations.
#[derive(Default)]
pub(super) struct Told {
    /// The parameters of the path, in their order.
    pub(super) path: Vec<Value>,
    /// The object that the query is read into.
    pub(super) query: Option<Value>,
    pub(super) body: Option<Value>,
    pub(super) answer: Option<Value>,
    /// `Link` leads to the next page.
    pub(super) linked: bool,
    /// It says where the stream of events goes on.
    pub(super) since: bool,
    /// It has only begun: 202.
    pub(super) accepted: bool,
}

/// What a handler says of itself.
pub(super) fn told<Parts, H: Handler<Parts>>(_: H, schemas: &mut Schemas) -> Told {
    let mut told = Told::default();
    H::tell(&mut told, schemas);
    told
}

/// A function that serves requests; `Parts` are the types of its arguments.
pub(super) trait Handler<Parts> {
    fn tell(told: &mut Told, schemas: &mut Schemas);
}

/// An argument of a handler.
pub(super) trait Part {
    fn tell(told: &mut Told, schemas: &mut Schemas);
}

/// What a handler answers with, where all is well.
pub(super) trait Answer {
    fn tell(told: &mut Told, schemas: &mut Schemas);
}

macro_rules! handlers {
    ($( ($($part:ident)*) )*) => { $(
        impl<H, Running, Said, $($part),*> Handler<($($part,)*)> for H
        where
            H: Fn($($part),*) -> Running,
            Running: Future<Output = Said>,
            Said: Answer,
            $($part: Part,)*
        {
            fn tell(told: &mut Told, schemas: &mut Schemas) {
                $( $part::tell(told, schemas); )*
                Said::tell(told, schemas);
            }
        }
    )* };
}

handlers! { () (A) (A B) (A B C) (A B C D) (A B C D E) }

/// Arguments that are no part of what is asked.
macro_rules! silent {
    ($($part:ty)*) => { $( impl Part for $part { fn tell(_: &mut Told, _: &mut Schemas) {} } )* };
}

// A body of octets is described by its media type in the table.
silent! { Principal HeaderMap Body Bytes WebSocketUpgrade }

impl<T> Part for State<T> {
    fn tell(_: &mut Told, _: &mut Schemas) {}
}

impl<T> Part for Extension<T> {
    fn tell(_: &mut Told, _: &mut Schemas) {}
}

impl<T: Places> Part for Path<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        T::tell(told, schemas);
    }
}

impl<T: JsonSchema> Part for Query<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.query = Some(schemas.inline::<T>());
    }
}

impl<T: JsonSchema> Part for Json<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.body = Some(schemas.read::<T>());
    }
}

/// What the places of a path are read into.
pub(super) trait Places {
    fn tell(told: &mut Told, schemas: &mut Schemas);
}

impl Places for String {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.path.push(schemas.read::<Self>());
    }
}

impl Places for u64 {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.path.push(schemas.read::<Self>());
    }
}

impl Places for u32 {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.path.push(schemas.read::<Self>());
    }
}

impl<A: Places, B: Places> Places for (A, B) {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        A::tell(told, schemas);
        B::tell(told, schemas);
    }
}

impl<T: JsonSchema> Answer for Json<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.answer = Some(schemas.written::<T>());
    }
}

impl<T: JsonSchema> Answer for Listed<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.answer = Some(schemas.written::<Vec<T>>());
        told.linked = true;
    }
}

impl<T: Answer> Answer for Since<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        T::tell(told, schemas);
        told.since = true;
    }
}

impl<T: JsonSchema> Answer for Accepted<T> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.answer = Some(schemas.written::<T>());
        told.accepted = true;
    }
}

impl Answer for Begun {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        told.answer = Some(schemas.written::<SignedIn>());
    }
}

/// Described by its media type in the table.
impl Answer for Response {
    fn tell(_: &mut Told, _: &mut Schemas) {}
}

/// With headers before it.
impl<H, T: Answer> Answer for (H, T) {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        T::tell(told, schemas);
    }
}

impl<T: Answer, E> Answer for Result<T, E> {
    fn tell(told: &mut Told, schemas: &mut Schemas) {
        T::tell(told, schemas);
    }
}
