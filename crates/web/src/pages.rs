//! The pages of the administration: made here from templates, by the same requests to the API that anybody can send.
//!
//! Every page works without a script and is there in every language; what a script adds is comfort.

pub(crate) mod api;
mod assets;
mod audit;
mod backups;
mod calls;
mod certificate;
mod dashboard;
mod delete;
mod dial_plan;
mod entrance;
mod extensions;
mod failure;
mod feature_codes;
mod form;
mod help;
mod layout;
mod live_calls;
mod outside;
mod people;
mod provisioning;
mod registrations;
mod settings;
#[cfg(test)]
mod tests;
mod trace;
mod viewer;
mod webhooks;
mod when;
mod words;

pub use api::segment;

use crate::derived::Derived;
use crate::{Office, Running, control_router};
use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// What pages work with.
#[derive(Clone)]
pub(crate) struct Pages {
    office: Office,
    api: Router,
    running: Arc<dyn Running>,
    /// Of the tables of the dial plan in force.
    tags: Arc<Derived<dial_plan::Tags>>,
}

/// The pages and what they load; any other path is a page that says so.
pub fn pages_router(office: Office) -> Router {
    let pages = Pages {
        running: Arc::clone(&office.running),
        api: control_router(office.clone()),
        office,
        tags: Arc::default(),
    };
    Router::new()
        .route("/", get(dashboard::on_dashboard))
        .route("/login", get(entrance::on_login_form).post(entrance::on_log_in))
        .route("/logout", post(entrance::on_log_out))
        .route("/setup", get(entrance::on_setup_form).post(entrance::on_setup))
        .route("/welcome", get(entrance::on_welcome_form).post(entrance::on_welcome))
        .route("/extensions", get(extensions::on_list))
        .route("/extensions/new", get(extensions::on_new_form).post(extensions::on_new))
        .route("/extensions/range", get(extensions::on_range_form).post(extensions::on_range))
        .route("/extensions/{number}", get(extensions::on_form).post(extensions::on_save))
        .route("/extensions/{number}/lamp", get(extensions::on_lamp))
        .route(
            "/extensions/{number}/password",
            get(extensions::on_form).post(extensions::on_password),
        )
        .route(
            "/extensions/{number}/delete",
            get(extensions::on_delete_form).post(extensions::on_delete),
        )
        .merge(outside_routes())
        .merge(people_routes())
        .merge(machine_routes())
        .route("/trace", get(trace::on_list).post(trace::on_begin))
        .route("/trace/{id}", get(trace::on_one))
        .route("/trace/{id}/more", get(trace::on_more))
        .route("/trace/{id}/stop", post(trace::on_stop))
        .route("/trace/{id}/delete", post(trace::on_delete))
        .route("/trace/{id}/capture.pcap", get(trace::on_pcap))
        .route(
            "/provision/{token}",
            // It would be used up by whoever only asks what is there.
            get(provisioning::on_provision).head(StatusCode::METHOD_NOT_ALLOWED),
        )
        .route("/audit", get(audit::on_list))
        .route("/audit/{id}/undo", post(audit::on_undo))
        .route("/call-records", get(calls::on_list))
        .route("/calls", get(live_calls::on_live_calls))
        .route("/calls/{id}", get(calls::on_call))
        .route("/calls/place", post(calls::on_place))
        .route("/calls/{id}/hangup", post(calls::on_hangup))
        .route("/calls/{id}/transfer", post(calls::on_transfer))
        .route("/dial-plan", get(dial_plan::on_simulator))
        .route("/dial-plan/{table}", get(dial_plan::on_table).post(dial_plan::on_save))
        .route("/dial-plan/{table}/try", post(dial_plan::on_try))
        .route("/feature-codes", get(feature_codes::on_codes).post(feature_codes::on_save))
        .route("/registrations", get(registrations::on_list))
        .route("/registrations/{number}", get(registrations::on_history))
        .route("/registrations/{number}/log-off", post(registrations::on_log_off))
        .route("/settings", get(settings::on_settings).post(settings::on_save))
        .route("/settings/reset", get(settings::on_settings).post(settings::on_reset))
        .route("/help", get(help::on_manual))
        .route("/help/{name}", get(help::on_chapter))
        .route("/help/reference/{name}", get(help::on_reference))
        .route("/assets/{name}", get(assets::on_asset))
        .fallback(failure::on_missing)
        .layer(from_fn_with_state(pages.clone(), failure::dress))
        .with_state(pages)
}

fn outside_routes() -> Router<Pages> {
    use outside::{lines, trunks};
    Router::new()
        .route("/external-lines", get(outside::on_lines))
        .route("/external-lines/new", get(lines::on_new_form).post(lines::on_new))
        .route("/external-lines/{account}", get(lines::on_form).post(lines::on_save))
        .route(
            "/external-lines/{account}/delete",
            get(lines::on_delete_form).post(lines::on_delete),
        )
        .route("/external-lines/{account}/register", post(outside::on_register))
        .route(
            "/external-lines/{account}/doctor",
            get(outside::on_doctor_page).post(outside::on_doctor),
        )
        .route("/external-lines/{account}/doctor/remedy", post(outside::on_remedy))
        .route("/sip-trunks", get(outside::on_trunks))
        .route("/sip-trunks/new", get(trunks::on_new_form).post(trunks::on_new))
        .route("/sip-trunks/{id}", get(trunks::on_form).post(trunks::on_save))
        .route("/sip-trunks/{id}/delete", get(trunks::on_delete_form).post(trunks::on_delete))
}

/// Certificate, webhooks, backups, extensions by the sheet, and the dial plan as a whole. What a refused form is answered
/// with stands at the form's address, which the switch of the language asks for again.
fn machine_routes() -> Router<Pages> {
    use dial_plan::document;
    use extensions::import;
    Router::new()
        .route("/certificate", get(certificate::on_show).post(certificate::on_install))
        .route("/certificate/reset", post(certificate::on_reset))
        .route("/webhooks", get(webhooks::on_list).post(webhooks::on_add))
        .route("/webhooks/{id}", get(webhooks::on_show).post(webhooks::on_change))
        .route("/webhooks/{id}/test", get(webhooks::on_show).post(webhooks::on_test))
        .route("/webhooks/{id}/enabled", get(webhooks::on_show).post(webhooks::on_enabled))
        .route("/webhooks/{id}/rotate", get(webhooks::on_show).post(webhooks::on_rotate))
        .route("/webhooks/{id}/deliveries/{delivery}/resend", post(webhooks::on_resend))
        .route("/webhooks/{id}/delete", get(webhooks::on_delete_form).post(webhooks::on_delete))
        .route("/backups", get(backups::on_list).post(backups::on_create))
        .route("/backups/{name}", get(backups::on_show).post(backups::on_restore))
        .route("/backups/{name}/delete", get(backups::on_delete_form).post(backups::on_delete))
        .route("/standby/off", post(backups::on_standby_off))
        .route("/extensions/import", get(import::on_form).post(import::on_import))
        .route("/dial-plan/document", get(document::on_form).post(document::on_import))
        .layer(DefaultBodyLimit::max(import::SHEET_BYTES_MAX))
}

fn people_routes() -> Router<Pages> {
    Router::new()
        .route("/administrators", get(people::on_users).post(people::on_add))
        .route(
            "/administrators/{name}/password",
            get(people::on_password_form).post(people::on_password),
        )
        .route(
            "/administrators/{name}/language",
            get(people::on_language_form).post(people::on_language),
        )
        .route(
            "/administrators/{name}/totp",
            get(people::totp::on_show).post(people::totp::on_begin),
        )
        .route(
            "/administrators/{name}/totp/confirm",
            get(people::totp::on_show).post(people::totp::on_confirm),
        )
        .route(
            "/administrators/{name}/totp/renew",
            get(people::totp::on_show).post(people::totp::on_renew),
        )
        .route(
            "/administrators/{name}/totp/off",
            get(people::totp::on_show).post(people::totp::on_off),
        )
        .route("/administrators/{name}/delete", get(people::on_delete_form).post(people::on_delete))
        .route("/administrators/sessions/{id}/end", post(people::on_end_session))
        .route("/api-keys", get(people::on_keys).post(people::on_key_add))
        .route("/api-keys/{id}", get(people::on_key).post(people::on_key_change))
        .route("/api-keys/{id}/revoke", post(people::on_key_revoke))
}

fn render(template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => Html(page).into_response(),
        // Only where memory is at its end.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The answer to a form: a browser that loads the next page again does not send it once more.
fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A path with those of the fields that are not empty.
fn query(path: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().filter(|it| !it.1.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
