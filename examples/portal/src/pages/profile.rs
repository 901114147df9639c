//! `/profile`: the account, its theme, the repository it publishes from and the token that opens it.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use rad_core::catalog::Publisher;
use rad_core::money::Rate;
use rad_core::platform::{PlatformError, RevenueView};
use rad_core::repo::{RepoConnection, RepoError, Repository};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Answer, go, page, page_with, webhooks};
use crate::cookies;
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section, Theme};
use crate::session::{Posted, Session};
use crate::state::App;

/// How long a browser remembers the theme: a year.
const THEME_SECONDS: u32 = 365 * 24 * 60 * 60;

#[derive(Template)]
#[template(path = "pages/profile.html")]
struct ProfilePage {
    roles: String,
    themes: [(&'static str, &'static str, bool); 3],
    repository: Option<RepositoryView>,
    github: Option<GitHubView>,
    layout: Layout,
}

/// What there is to connect, and what was typed.
struct RepositoryView {
    for_platform: bool,
    /// The partner's share of charges from now on.
    rate: Option<Rate>,
    connected: Option<RepoConnection>,
    found: Vec<Repository>,
    /// Why the repositories cannot be listed.
    unlisted: Option<String>,
    search: String,
    chosen: String,
    branch: String,
    sub_dir: String,
    problem: Option<String>,
}

/// The token, which is never shown, and how webhooks are set up.
struct GitHubView {
    has_token: bool,
    problem: Option<String>,
    webhook_address: String,
    webhook_secret: SecretString,
}

/// Which form was refused, and why.
enum Refused<'a> {
    Connection(&'a Fields, String),
    Token(String),
}

/// What to look for among the repositories.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /profile`
pub(super) async fn show(State(app): State<App>, session: Session, Query(search): Query<Search>) -> Answer {
    page(view(&app, &session, &search.q, None).await?)
}

/// `POST /profile/repository`
pub(super) async fn connect(State(app): State<App>, form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let branch = fields.text("branch");
    let connection = RepoConnection {
        repository: fields.text("repository").to_owned(),
        branch: (!branch.is_empty()).then(|| branch.to_owned()),
        sub_dir: fields.text("sub_dir").trim_matches('/').to_owned(),
    };
    match session.actor.connect(Some(connection)).await {
        Ok(_) => go("/publish?notice=connected"),
        Err(PlatformError::Repo(refusal)) => {
            refused(&app, session, Refused::Connection(fields, said(refusal))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /profile/repository/disconnect`
pub(super) async fn disconnect(form: Posted) -> Answer {
    form.session.actor.connect(None).await?;
    go("/profile?notice=disconnected")
}

/// `POST /profile/token`
pub(super) async fn save_token(State(app): State<App>, form: Posted) -> Answer {
    let token = SecretString::from(form.fields.text("token"));
    match form.session.actor.save_token(&token).await {
        Ok(_) => go("/profile?notice=token#repository"),
        Err(PlatformError::Repo(refusal)) => {
            refused(&app, &form.session, Refused::Token(said(refusal))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /profile/token/forget`
pub(super) async fn forget_token(form: Posted) -> Answer {
    form.session.actor.forget_token().await?;
    go("/profile?notice=forgotten")
}

/// `POST /theme`
pub(super) async fn theme(State(app): State<App>, form: Posted) -> Answer {
    let theme = Theme::of(form.fields.get("theme"));
    let back = if form.fields.get("back") == Some("/profile") { "/profile" } else { "/" };
    let cookie = cookies::set(cookies::THEME, &theme.to_string(), THEME_SECONDS, app.is_secure());
    Ok((cookie, Redirect::to(back)).into_response())
}

/// The page with what is wrong, in its place.
async fn refused(app: &App, session: &Session, refused: Refused<'_>) -> Answer {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, view(app, session, "", Some(refused)).await?)
}

/// What is wrong, in a sentence for the person.
fn said(refusal: RepoError) -> String {
    PageError::from(PlatformError::Repo(refusal)).in_place().1
}

async fn view(
    app: &App,
    session: &Session,
    search: &str,
    refused: Option<Refused<'_>>,
) -> Result<ProfilePage, PageError> {
    let actor = &session.actor;
    let (connection, token) = match refused {
        Some(Refused::Connection(fields, problem)) => (Some((fields, problem)), None),
        Some(Refused::Token(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let (repository, github) = match actor.publishes_as() {
        Ok(publisher) => (
            Some(repositories(session, publisher, search, connection).await?),
            github(app, session, token).await?,
        ),
        Err(_) => (None, None),
    };
    let themes = [
        ("auto", "As my system", Theme::Auto),
        ("light", "Light", Theme::Light),
        ("dark", "Dark", Theme::Dark),
    ];
    Ok(ProfilePage {
        roles: actor.account().roles.to_string(),
        themes: themes.map(|(value, label, theme)| (value, label, theme == session.theme)),
        repository,
        github,
        layout: session.layout("Profile", Section::Profile).await?,
    })
}

async fn github(
    app: &App,
    session: &Session,
    problem: Option<String>,
) -> Result<Option<GitHubView>, PageError> {
    let Some(secret) = &app.github_secret else { return Ok(None) };
    Ok(Some(GitHubView {
        has_token: session.actor.has_token().await?,
        problem,
        webhook_address: format!("{}{}", app.base_url, webhooks::GITHUB),
        webhook_secret: secret.clone(),
    }))
}

async fn repositories(
    session: &Session,
    publisher: Publisher,
    search: &str,
    refused: Option<(&Fields, String)>,
) -> Result<RepositoryView, PageError> {
    let connected = session.actor.connection().await?;
    let search = search.trim().to_lowercase();
    // A token that is refused by now, or a GitHub that does not answer, must not hide the page that mends it.
    let (mut found, unlisted) = match session.actor.repositories().await {
        Ok(found) => (found, None),
        Err(PlatformError::Repo(refusal)) => (Vec::new(), Some(said(refusal))),
        Err(error) => return Err(error.into()),
    };
    found.retain(|repository| repository.name.to_lowercase().contains(&search));
    let standing = connected.as_ref();
    let (chosen, branch, sub_dir, problem) = match refused {
        Some((fields, problem)) => {
            let text = |name| fields.text(name).to_owned();
            (text("repository"), text("branch"), text("sub_dir"), Some(problem))
        }
        None => (
            standing.map(|connection| connection.repository.clone()).unwrap_or_default(),
            standing.and_then(|connection| connection.branch.clone()).unwrap_or_default(),
            standing.map(|connection| connection.sub_dir.clone()).unwrap_or_default(),
            None,
        ),
    };
    let for_platform = publisher == Publisher::Platform;
    let rate = if for_platform { None } else { session.actor.revenue_share(RevenueView::Partner).await? };
    Ok(RepositoryView {
        for_platform,
        rate,
        connected,
        found,
        unlisted,
        search,
        chosen,
        branch,
        sub_dir,
        problem,
    })
}
