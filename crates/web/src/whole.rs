//! An edit that has begun is finished, whatever becomes of the connection that asked for it.
//!
//! A command that is interrupted closes its connection, and with that the server drops the handler
//! wherever it is: between the database and the core, that would leave the two with different
//! passwords until the next start. So requests that change something run in a task of their own.

use crate::resource::Failure;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pbx::language::Text;

pub(crate) async fn to_the_end(request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    // It ends by itself: an edit waits for nothing but the database, which has time limits.
    let edit = tokio::runtime::Handle::current().spawn(next.run(request));
    edit.await.unwrap_or_else(|error| {
        Failure::new(500, "fault", Text::same(error.to_string())).into_response()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use std::pin::pin;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::Semaphore;

    /// What the edit below has reached, and what it waits for.
    struct Steps {
        committed: Semaphore,
        go_on: Semaphore,
        published: Semaphore,
    }

    #[tokio::test(start_paused = true)]
    async fn an_edit_is_finished_though_nobody_waits_for_it() {
        let none = || Semaphore::new(0);
        let steps = Arc::new(Steps { committed: none(), go_on: none(), published: none() });
        let of_edit = Arc::clone(&steps);
        let edit = move || async move {
            of_edit.committed.add_permits(1);
            of_edit.go_on.acquire().await.unwrap().forget();
            of_edit.published.add_permits(1);
        };
        let router: Router =
            Router::new().route("/", post(edit)).layer(axum::middleware::from_fn(to_the_end));
        let service = TowerToHyperService::new(router);
        let request = Request::builder().method(Method::POST).uri("/").body(Body::empty());
        let answer = service.call(request.unwrap());
        {
            let mut answer = pin!(answer);
            tokio::select! {
                _ = &mut answer => panic!("it waits"),
                committed = steps.committed.acquire() => committed.unwrap().forget(),
            }
            // The connection is closed here, and what it was served with dropped.
        }
        steps.go_on.add_permits(1);
        let published = tokio::time::timeout(Duration::from_secs(1), steps.published.acquire());
        published.await.expect("the edit was dropped").unwrap().forget();
    }
}
