//! `/sign-in` and `/sign-out`.

use std::net::SocketAddr;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Answer, page, page_with};
use crate::cookies;
use crate::error::PageError;
use crate::layout::{ASSET_VERSION, Theme};
use crate::session::{Posted, Session, VisitorPosted, visit_token};
use crate::sign_in::{SESSION_SECONDS, SignInError};
use crate::state::App;
use crate::token::Token;

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct SignInPage<'a> {
    theme: Theme,
    assets: &'a str,
    csrf: String,
    next: &'a str,
    email: &'a str,
    problem: Option<String>,
}

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub(super) async fn show(
    State(app): State<App>,
    Query(query): Query<Next>,
    headers: HeaderMap,
    session: Option<Signed>,
) -> Answer {
    if session.is_some() {
        return Ok(Redirect::to(own_page(&query.next)).into_response());
    }
    let token = match visit_token(&headers) {
        Some(token) => token,
        None => Token::random().map_err(anyhow::Error::from)?,
    };
    let html = page(SignInPage {
        theme: theme(&headers),
        assets: &ASSET_VERSION,
        csrf: token.form_proof(),
        next: own_page(&query.next),
        email: "",
        problem: None,
    })?;
    Ok((cookies::set(cookies::VISIT, &token.reveal(), 60 * 60, app.is_secure()), html).into_response())
}

/// `POST /sign-in`
pub(super) async fn open(
    State(app): State<App>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    VisitorPosted { token, fields }: VisitorPosted,
) -> Answer {
    let email = fields.text("email");
    let password = SecretString::from(fields.get("password").unwrap_or_default());
    let next = own_page(fields.text("next"));
    let refusal = match app.sign_in.open(from.ip(), email, password).await {
        Ok(token) => {
            let cookie = cookies::set(cookies::SESSION, &token.reveal(), SESSION_SECONDS, app.is_secure());
            return Ok((cookie, Redirect::to(next)).into_response());
        }
        Err(SignInError::Directory(error)) => return Err(error.into()),
        Err(SignInError::Randomness(error)) => return Err(PageError::Internal(error.into())),
        Err(refusal) => refusal,
    };
    let status = match refusal {
        SignInError::TooMany => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNAUTHORIZED,
    };
    let html = SignInPage {
        theme: theme(&headers),
        assets: &ASSET_VERSION,
        csrf: token.form_proof(),
        next,
        email,
        problem: Some(refusal.to_string()),
    };
    page_with(status, html)
}

/// `POST /sign-out`
pub(super) async fn close(State(app): State<App>, form: Posted) -> Answer {
    app.sign_in.close(&form.session.token).await?;
    let cookie = cookies::set(cookies::SESSION, "", 0, app.is_secure());
    Ok((cookie, Redirect::to("/sign-in")).into_response())
}

/// Somebody who is signed in already.
pub(super) struct Signed;

impl axum::extract::OptionalFromRequestParts<App> for Signed {
    type Rejection = PageError;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        app: &App,
    ) -> Result<Option<Self>, PageError> {
        match <Session as axum::extract::FromRequestParts<App>>::from_request_parts(parts, app).await {
            Ok(_) => Ok(Some(Self)),
            Err(error) if error.status().is_client_error() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn theme(headers: &HeaderMap) -> Theme {
    Theme::of(cookies::read(headers, cookies::THEME))
}

/// The page to go to if it is one of ours, the start page otherwise.
fn own_page(next: &str) -> &str {
    let mut bytes = next.bytes();
    let ours = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && !next.contains(|c: char| c.is_control() || c == '\\');
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_page;

    #[test]
    fn signing_in_leads_to_pages_of_ours_only() {
        assert_eq!(own_page("/deploy?q=a"), "/deploy?q=a");
        for elsewhere in ["https://example.com", "//example.com", "/\\example.com", "", "x", "/a\nb"] {
            assert_eq!(own_page(elsewhere), "/", "{elsewhere}");
        }
    }
}
