//! The pages, one file for each part of the address space.

mod admin;
mod api;
mod credits;
mod days;
mod deploy;
mod deployments;
mod events;
mod explore;
mod groups;
mod isolation;
mod notices;
mod profile;
mod publish;
mod rates;
mod revenue;
mod sandbox;
mod settings;
mod sign_in;
mod states;
pub(crate) mod webhooks;

use std::str::FromStr;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use rad_core::platform::PlatformError;

use crate::assets;
use crate::error::PageError;
use crate::state::App;

/// What a handler gives back.
type Answer = Result<Response, PageError>;

/// All routes that people and programs use; those of payment providers and of GitHub are in [`webhooks`].
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(deployments::routes())
        .merge(states::routes())
        .route("/", get(|| async { Redirect::to("/deploy") }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/assets/{version}/{name}", get(assets::asset))
        .route("/sign-in", get(sign_in::show).post(sign_in::open))
        .route("/sign-out", post(sign_in::close))
        .route("/theme", post(profile::theme))
        .route("/publisher", post(profile::publisher))
        .route("/profile", get(profile::show))
        .route("/profile/repository", post(profile::connect))
        .route("/profile/repository/disconnect", post(profile::disconnect))
        .route("/profile/branches", get(profile::branches).post(profile::list_branches))
        .route("/profile/agent", post(profile::save_key))
        .route("/profile/agent/forget", post(profile::forget_key))
        .route("/profile/webhook", post(profile::make_secret))
        .route("/profile/webhook/forget", post(profile::forget_secret))
        .route("/explore", get(explore::list).post(explore::start))
        .route("/explore/{id}", get(explore::show))
        .route("/explore/{id}/live", get(explore::live))
        .route("/explore/{id}/pictures/{activity}/{place}", get(explore::picture))
        .route("/explore/{id}/message", post(explore::message))
        .route("/explore/{id}/plan", post(explore::approve))
        .route("/explore/{id}/change", post(explore::accept))
        .route("/explore/{id}/propose", post(explore::propose))
        .route("/profile/token", post(profile::save_token))
        .route("/profile/token/forget", post(profile::forget_token))
        .route("/publish", get(publish::show))
        .route("/publish/auto-update", post(publish::auto_update))
        .route("/publish/groups", get(groups::list).post(groups::save))
        .route("/publish/groups/remove", post(groups::remove))
        .route("/publish/plan", post(publish::plan))
        .route("/publish/apply", post(publish::apply))
        .route("/deploy", get(deploy::list))
        .route("/deploy/{module}", get(deploy::show).post(deploy::submit))
        .route("/deploy/{module}/pin", post(deploy::pin))
        .route("/deployments/events", get(events::deployments))
        .route("/runs/{id}/events", get(events::run))
        .route("/runs/{id}/log", get(events::log))
        .route("/credits", get(credits::show))
        .route("/credits/buy", post(credits::buy))
        .route("/credits/orders/{id}", get(credits::order))
        .route("/sandbox/pay/{reference}", get(sandbox::show).post(sandbox::decide))
        .route("/notices", get(notices::list))
        .route("/notices/seen", post(notices::mark_seen))
        .route("/revenue", get(revenue::show))
        .route("/api/revenue", get(api::revenue))
        .route("/api/v1/revenue", get(api::revenue))
        .route("/admin/accounts", get(admin::list).post(admin::create))
        .route("/admin/accounts/{id}", get(admin::show))
        .route("/admin/accounts/{id}/roles", post(admin::roles))
        .route("/admin/accounts/{id}/award", post(admin::award))
        .route("/admin/accounts/{id}/withdraw", post(admin::withdraw))
        .route("/admin/settings", get(settings::show).post(settings::change))
        .route("/admin/isolation", get(isolation::show))
}

/// Renders a page.
fn page(template: impl Template) -> Answer {
    Ok(Html(template.render()?).into_response())
}

/// Renders a page that is not just fine.
fn page_with(status: StatusCode, template: impl Template) -> Answer {
    Ok((status, Html(template.render()?)).into_response())
}

/// The id in an address; nothing has one that is none.
fn id_of<T: FromStr>(text: &str, what: &'static str) -> Result<T, PageError> {
    text.parse().map_err(|_| PageError::Platform(PlatformError::NotFound { what }))
}

/// Sends the browser on, so that loading the page anew sends nothing twice.
fn go(to: impl AsRef<str>) -> Answer {
    Ok(Redirect::to(to.as_ref()).into_response())
}

/// A query with its texts encoded: `?a=x&b=y`, without empty ones.
fn query(pairs: &[(&str, &str)]) -> String {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(filled).finish();
    format!("?{encoded}")
}
