//! The token that opens repositories on GitHub, and the secret its webhooks are signed with.

use axum::extract::State;
use rad_core::catalog::Publisher;
use rad_core::platform::{PlatformError, WebhookSecret};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Aside, refused, said, view as whole};
use crate::error::PageError;
use crate::pages::{Answer, go, page, webhooks};
use crate::session::{Posted, Session};
use crate::show;
use crate::state::App;

/// The token, which is never shown, and how webhooks are set up.
pub(super) struct GitHubView {
    pub(super) has_token: bool,
    /// Whose the token is and when it expires, where that was asked for.
    pub(super) token: Option<(String, Option<String>)>,
    pub(super) problem: Option<String>,
    pub(super) webhook_address: String,
    /// Since when there is a secret, and until when the one before it is taken.
    pub(super) webhook: Option<(String, Option<String>)>,
    /// A secret that was made just now: it is shown this once.
    new_secret: Option<SecretString>,
}

impl GitHubView {
    /// The secret that was made just now.
    pub(super) fn new_secret(&self) -> Option<&str> {
        self.new_secret.as_ref().map(|secret| secret.expose_secret())
    }
}

/// `POST /profile/token`
pub(in crate::pages) async fn save_token(State(app): State<App>, form: Posted) -> Answer {
    let token = SecretString::from(form.fields.text("token"));
    match form.session.actor.save_token(&token).await {
        Ok(_) => go("/profile?notice=token&fetch=true#repository"),
        Err(PlatformError::Repo(refusal)) => {
            let aside = Aside { token: Some(said(refusal)), ..Aside::default() };
            refused(&app, &form.session, aside).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /profile/token/forget`
pub(in crate::pages) async fn forget_token(form: Posted) -> Answer {
    form.session.actor.forget_token().await?;
    go("/profile?notice=forgotten")
}

/// `POST /profile/webhook`: makes a secret; the answer is the only page that shows it.
pub(in crate::pages) async fn make_secret(State(app): State<App>, form: Posted) -> Answer {
    let secret = form.session.actor.renew_webhook_secret().await?;
    let aside = Aside { secret: Some(secret), ..Aside::default() };
    page(whole(&app, &form.session, &aside).await?)
}

/// `POST /profile/webhook/forget`
pub(in crate::pages) async fn forget_secret(form: Posted) -> Answer {
    form.session.actor.forget_webhook_secret().await?;
    go("/profile?notice=webhook-forgotten#github")
}

pub(super) async fn view(
    app: &App,
    session: &Session,
    publisher: Publisher,
    aside: &Aside<'_>,
) -> Result<Option<GitHubView>, PageError> {
    if !app.github {
        return Ok(None);
    }
    let webhook = session.actor.webhook_secret().await?;
    let webhook = webhook
        .map(|WebhookSecret { since, former_until }| (show::time(since), former_until.map(show::time)));
    let token = match aside.fetch {
        true => match session.actor.token_report().await {
            Ok(report) => report.map(|report| (report.owner, report.expires_at.map(show::time))),
            // The list of repositories says why.
            Err(PlatformError::Repo(_)) => None,
            Err(error) => return Err(error.into()),
        },
        false => None,
    };
    Ok(Some(GitHubView {
        has_token: session.actor.has_token().await?,
        token,
        problem: aside.token.clone(),
        webhook_address: format!("{}{}", app.base_url, webhooks::address(publisher)),
        webhook,
        new_secret: aside.secret.clone(),
    }))
}
