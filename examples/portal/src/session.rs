//! What a handler takes in: a signed-in session, and with it a form that came from one of our own pages.

use axum::extract::{FromRequest, FromRequestParts, RawForm, Request};
use axum::http::header::HeaderMap;
use axum::http::request::Parts;
use rad_core::platform::Actor;

use crate::cookies;
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section, Theme};
use crate::state::App;
use crate::token::Token;

/// The name of the form field that carries [`Session::form_proof`].
pub(crate) const PROOF: &str = "csrf";

/// A signed-in account, with the roles it has now.
#[derive(Debug)]
pub(crate) struct Session {
    /// The account, ready to act.
    pub(crate) actor: Actor,
    /// The session's token.
    pub(crate) token: Token,
    /// The theme chosen.
    pub(crate) theme: Theme,
    /// What the last page left to be said, see [`crate::layout::notice`].
    notice: Option<String>,
}

impl Session {
    /// What forms carry: that they came from a page of this session, and on whose behalf that page publishes, so that choosing
    /// another publisher elsewhere changes nothing about a page that is open.
    pub(crate) fn form_proof(&self) -> String {
        let proof = self.token.form_proof();
        match self.actor.publishes_as() {
            Ok(publisher) => format!("{proof}.{publisher}"),
            Err(_) => proof,
        }
    }

    /// What every page has around it.
    ///
    /// # Errors
    /// A failure of a backend.
    pub(crate) async fn layout(&self, title: &str, section: Section) -> Result<Layout, PageError> {
        Layout::of(self, title, section, self.notice.as_deref()).await
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let token = session_token(&parts.headers).ok_or(PageError::SignIn)?;
        let account = app.sign_in.account(&token).await?.ok_or(PageError::SignIn)?;
        let mut actor = app.platform.actor(account).await?;
        let chosen = cookies::read(&parts.headers, cookies::PUBLISHER).and_then(|text| text.parse().ok());
        // The choice of somebody else at this browser, or from before roles changed, is none.
        if let Some(publisher) = chosen.filter(|publisher| actor.publishers().contains(publisher)) {
            actor = actor.publishing_as(publisher);
        }
        let theme = Theme::of(cookies::read(&parts.headers, cookies::THEME));
        let notice =
            Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())?.get("notice").map(str::to_owned);
        Ok(Self { actor, token, theme, notice })
    }
}

/// A form sent from a page of this session.
#[derive(Debug)]
pub(crate) struct Posted {
    /// The session.
    pub(crate) session: Session,
    /// What was filled in.
    pub(crate) fields: Fields,
}

impl FromRequest<App> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let mut session = Session::from_request_parts(&mut parts, app).await?;
        let fields = read_form(Request::from_parts(parts, body)).await?;
        let carried = fields.get(PROOF).unwrap_or_default();
        let (proof, publisher) = match carried.split_once('.') {
            Some((proof, publisher)) => (proof, Some(publisher)),
            None => (carried, None),
        };
        if !session.token.accepts(proof) {
            return Err(PageError::ForeignForm);
        }
        if let Some(publisher) = publisher {
            let publisher = publisher.parse().map_err(|_| PageError::ForeignForm)?;
            session.actor = session.actor.publishing_as(publisher);
        }
        Ok(Self { session, fields })
    }
}

/// A form of somebody who is not signed in, sent from a page of the same visit.
#[derive(Debug)]
pub(crate) struct VisitorPosted {
    /// The visit's token.
    pub(crate) token: Token,
    /// What was filled in.
    pub(crate) fields: Fields,
}

impl FromRequest<App> for VisitorPosted {
    type Rejection = PageError;

    async fn from_request(request: Request, _: &App) -> Result<Self, PageError> {
        let token = visit_token(request.headers());
        let fields = read_form(request).await?;
        match token {
            Some(token) if token.accepts(fields.get(PROOF).unwrap_or_default()) => Ok(Self { token, fields }),
            _ => Err(PageError::ForeignForm),
        }
    }
}

/// The token of the session that a request belongs to.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<Token> {
    Token::parse(cookies::read(headers, cookies::SESSION)?)
}

/// The token of the visit that a request belongs to.
pub(crate) fn visit_token(headers: &HeaderMap) -> Option<Token> {
    Token::parse(cookies::read(headers, cookies::VISIT)?)
}

async fn read_form(request: Request) -> Result<Fields, PageError> {
    let RawForm(bytes) = RawForm::from_request(request, &()).await.map_err(|refusal| {
        let status = axum::response::IntoResponse::into_response(refusal).status();
        if status == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            PageError::TooLarge
        } else {
            PageError::BadRequest("a form is sent as application/x-www-form-urlencoded".to_owned())
        }
    })?;
    Fields::parse(&bytes)
}
