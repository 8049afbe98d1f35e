//! Which scope an operation of the API needs: one decision for the guard and for the document of the API.

use super::Scope;
use axum::http::Method;

/// POST that changes nothing.
const ASKS: [&str; 1] = ["/api/v1/dial-plan:simulate"];

/// Below these, who administers is administered, or what is told to whom.
const OF_ADMINISTRATORS: [&str; 7] =
    ["users", "api-keys", "sessions", "audit-entries", "webhooks", "certificate", "backups"];

/// The scope for this method on this path below `/api`.
pub fn needed(method: &Method, path: &str) -> Scope {
    let is_read = method == Method::GET || method == Method::HEAD || ASKS.contains(&path);
    let collection = path.strip_prefix("/api/v1/").unwrap_or_default();
    let collection = collection.split(['/', ':']).next().unwrap_or_default();
    match collection {
        it if OF_ADMINISTRATORS.contains(&it) => Scope::Admin,
        _ if is_read => Scope::Read,
        "calls" => Scope::Calls,
        _ => Scope::Config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_table() {
        #[rustfmt::skip]
        let table = [
            (Method::GET,    "/api/v1/extensions",          Scope::Read),
            (Method::GET,    "/api/v1/calls",               Scope::Read),
            (Method::GET,    "/api/v1/calls/c-1",           Scope::Read),
            (Method::POST,   "/api/v1/extensions",          Scope::Config),
            (Method::POST,   "/api/v1/extensions:import",   Scope::Config),
            (Method::PATCH,  "/api/v1/settings/no_answer_s", Scope::Config),
            (Method::POST,   "/api/v1/calls/c-1:hangup",    Scope::Calls),
            (Method::DELETE, "/api/v1/calls/c-1",           Scope::Calls),
            (Method::POST,   "/api/v1/calls:originate",     Scope::Calls),
            (Method::POST,   "/api/v1/dial-plan:simulate",  Scope::Read),
            (Method::PUT,    "/api/v1/dial-plan",           Scope::Config),
            (Method::POST,   "/api/v1/external-lines/5:doctor", Scope::Config),
            (Method::GET,    "/api/v1/users",               Scope::Admin),
            (Method::GET,    "/api/v1/api-keys",            Scope::Admin),
            (Method::POST,   "/api/v1/audit-entries/5:undo", Scope::Admin),
            (Method::GET,    "/api/v1/sessions",            Scope::Admin),
            (Method::GET,    "/api/v1/webhooks/1/deliveries", Scope::Admin),
            (Method::PUT,    "/api/v1/certificate",         Scope::Admin),
            (Method::GET,    "/api/v1/backups/a.tar.gz:download", Scope::Admin),
            (Method::POST,   "/api/v1/backups:upload",      Scope::Admin),
            (Method::DELETE, "/api/v1/standby",             Scope::Config),
            (Method::GET,    "/api/v1/nothing",             Scope::Read),
            (Method::POST,   "/api/v1/nothing",             Scope::Config),
        ];
        for (method, path, expected) in table {
            assert_eq!(needed(&method, path), expected, "{method} {path}");
        }
    }
}
