//! Bodies of JSON are objects. Serde reads a list as a struct too, its fields in their order: `[]` would be everything
//! that can be left out, as a new password that nobody asked for.

use super::plain;
use crate::resource::Failure;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What comes to these is a file, which may begin with any letter.
const FILES: [&str; 2] = ["/api/v1/extensions:import", "/api/v1/backups:upload"];

pub(crate) async fn objects(request: Request, next: Next) -> Response {
    // Of any type: handlers that need no body take JSON whatever it is called.
    let is_file = FILES.contains(&request.uri().path());
    let object = |body| Body::new(Object { body, is_begun: false });
    next.run(if is_file { request } else { request.map(object) }).await
}

/// A body that breaks off where it begins as a list.
struct Object {
    body: Body,
    /// Its first letter has been seen.
    is_begun: bool,
}

/// In the words of serde, which are told in plain ones.
const IS_LIST: &str = "invalid type: sequence, expected a map";

impl http_body::Body for Object {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        let data = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref());
        let first = data.and_then(|it| it.iter().find(|it| !it.is_ascii_whitespace()));
        if let Some(first) = first.filter(|_| !this.is_begun) {
            this.is_begun = true;
            if *first == b'[' {
                return Poll::Ready(Some(Err(axum::Error::new(IS_LIST))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A value that is an object, and no list in the place of one.
struct Fields<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(OfMap(PhantomData)).map(Self)
    }
}

struct OfMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// For a field within a body: an empty list would be all that can be left out, as a dial plan without a row.
pub(crate) fn object<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Fields::deserialize(from).map(|it| it.0)
}

/// The same where it may be absent.
pub(crate) fn some_object<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Fields<T>>::deserialize(from).map(|it| it.map(|it| it.0))
}

/// A body that may be left out, told as such by `Json<Option<_>>` in its handler; blanks are no JSON.
pub(crate) fn perhaps<T: DeserializeOwned>(body: &[u8]) -> Result<Option<T>, Failure> {
    if body.is_empty() {
        return Ok(None);
    }
    let read: Result<Option<Fields<T>>, _> = serde_json::from_slice(body);
    read.map(|it| it.map(|it| it.0))
        .map_err(|error| Failure::new(422, "invalid", plain(&error.to_string())))
}
