//! Where the stream of events goes on from what an answer shows: nothing falls between the two.

use crate::events::Position;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

/// Named as what is sent to go on from there.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An answer with the position in the stream of events that it stands for. The position is taken first: what changes
/// between the two is told again.
pub(crate) struct Since<T>(pub(crate) Position, pub(crate) T);

impl<T: IntoResponse> IntoResponse for Since<T> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        // Hexadecimal digits and a hyphen are a value.
        if let Ok(position) = HeaderValue::from_str(&self.0.to_string()) {
            response.headers_mut().insert(LAST_EVENT_ID, position);
        }
        response
    }
}
