//! `Idempotency-Key`: a POST that is sent again, because its answer was lost, gets that answer and does nothing a second
//! time.

use crate::access::{Principal, Who};
use crate::resource::Failure;
use crate::{BODY_BYTES_MAX, Office};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pbx::text;
use pbx::time::UnixMillis;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const KEY: &str = "idempotency-key";
const KEY_CHARS_MAX: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Answers that are remembered, together; the oldest go. Unit of the second: octets.
const ANSWERS_MAX: usize = 1000;
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Who sent it, where to, with which key.
type Key = (String, String, String);

/// The answers of a day.
#[derive(Default)]
pub(crate) struct Again {
    answers: Mutex<BTreeMap<Key, Known>>,
}

struct Known {
    since: UnixMillis,
    asked: [u8; 32],
    /// `None`: it is being done.
    answer: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

impl Answer {
    fn again(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        headers.extend(self.kind.map(|it| (header::CONTENT_TYPE, it)));
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

/// What a request with a key is to do.
enum Turn {
    Do,
    Repeat(Answer),
    Refuse(Failure),
}

impl Again {
    /// What a panic elsewhere left behind is still a whole value here.
    fn answers(&self) -> MutexGuard<'_, BTreeMap<Key, Known>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, key: &Key, asked: [u8; 32], now: UnixMillis) -> Turn {
        let mut answers = self.answers();
        answers.retain(|_, it| now.since(it.since) < REMEMBERED_FOR);
        match answers.get(key) {
            Some(known) if known.asked != asked => Turn::Refuse(Failure::new(
                422,
                "key_reused",
                text!(
                    "this Idempotency-Key came with another request: take a new one",
                    "该Idempotency-Key已用于其他请求，请换一个"
                ),
            )),
            Some(Known { answer: Some(answer), .. }) => Turn::Repeat(answer.clone()),
            Some(Known { answer: None, .. }) => Turn::Refuse(Failure::new(
                409,
                "in_progress",
                text!("the same request is being served", "相同的请求正在处理中"),
            )),
            None => {
                answers.insert(key.clone(), Known { since: now, asked, answer: None });
                Turn::Do
            }
        }
    }

    fn done(&self, key: &Key, answer: Answer) {
        let mut answers = self.answers();
        if let Some(known) = answers.get_mut(key) {
            known.answer = Some(answer);
        }
        let size = |it: &BTreeMap<Key, Known>| -> usize {
            it.values().filter_map(|it| it.answer.as_ref()).map(|it| it.body.len()).sum()
        };
        while answers.len() > ANSWERS_MAX || size(&answers) > BYTES_MAX {
            let finished = answers.iter().filter(|(_, it)| it.answer.is_some());
            let oldest = finished.min_by_key(|(_, it)| it.since).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            answers.remove(&oldest);
        }
    }
}

/// Forgets a request that came to no end.
struct Pending<'a> {
    again: &'a Again,
    key: &'a Key,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut answers = self.again.answers();
        if answers.get(self.key).is_some_and(|it| it.answer.is_none()) {
            answers.remove(self.key);
        }
    }
}

pub(crate) async fn once(
    State(office): State<Office>,
    principal: Principal,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(KEY).filter(|_| request.method() == Method::POST).cloned();
    let who = format!("{} {}", principal.kind(), id(&principal));
    let Some(given) = given.filter(|_| principal.kind() != "nobody") else {
        return next.run(request).await;
    };
    let Some(given) = given.to_str().ok().filter(|it| (1..=KEY_CHARS_MAX).contains(&it.len()))
    else {
        let what = text!(
            "Idempotency-Key: 1 to {KEY_CHARS_MAX} ASCII characters",
            "Idempotency-Key：1至{KEY_CHARS_MAX}个ASCII字符"
        );
        return Failure::new(422, "invalid", what).into_response();
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let what = text!("the request is too long", "请求过长");
        return Failure::new(413, "too_large", what).into_response();
    };
    let key = (who, parts.uri.to_string(), given.to_owned());
    let asked = Sha256::digest(&body).into();
    match office.again.turn(&key, asked, office.running.now()) {
        Turn::Repeat(answer) => answer.again(),
        Turn::Refuse(failure) => failure.into_response(),
        Turn::Do => {
            let pending = Pending { again: &office.again, key: &key };
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            remembered(&pending, response).await
        }
    }
}

/// Names are not enough: two keys may have the same, and one shall not read what the other was told.
fn id(principal: &Principal) -> &str {
    match &principal.who {
        Who::User { session: id, .. } | Who::ApiKey { id, .. } => id,
        Who::Nobody | Who::Cli => "",
    }
}

/// A fault of ours is not remembered: trying again may help.
async fn remembered(pending: &Pending<'_>, response: Response) -> Response {
    if response.status().is_server_error() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, BYTES_MAX).await else {
        let what = text!("the answer is too long to be remembered", "应答过长，无法保存");
        return Failure::new(500, "fault", what).into_response();
    };
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    pending.again.done(pending.key, Answer { status: parts.status, kind, body: body.clone() });
    Response::from_parts(parts, Body::from(body))
}
