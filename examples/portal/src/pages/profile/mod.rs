//! `/profile`: the account and its theme; for publishers the repository, the token that opens it, and the key of the agent.

mod agent;
mod github;
mod repository;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use rad_core::catalog::Publisher;
use rad_core::platform::PlatformError;
use rad_core::repo::RepoError;
use secrecy::SecretString;
use serde::Deserialize;

pub(super) use self::agent::{forget_key, save_key};
pub(super) use self::github::{forget_secret, forget_token, make_secret, save_token};
pub(super) use self::repository::{branches, connect, disconnect, list_branches};

use self::agent::AgentView;
use self::github::GitHubView;
use self::repository::RepositoryView;
use super::{Answer, page, page_with};
use crate::cookies;
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section, Theme};
use crate::session::{Posted, Session};
use crate::state::App;

#[derive(Template)]
#[template(path = "pages/profile.html")]
struct ProfilePage {
    roles: String,
    themes: [(&'static str, &'static str, bool); 3],
    repository: Option<RepositoryView>,
    github: Option<GitHubView>,
    agent: Option<AgentView>,
    layout: Layout,
}

/// What a page shows beside what stands: what was typed and refused, and what is shown only once.
#[derive(Default)]
struct Aside<'a> {
    /// Whether the repositories, and what is known of the token, are asked for.
    fetch: bool,
    search: &'a str,
    /// The form of the connection as it was filled in.
    typed: Option<&'a Fields>,
    /// Why the connection was refused.
    connection: Option<String>,
    token: Option<String>,
    key: Option<String>,
    secret: Option<SecretString>,
}

/// Whether to fetch the repositories, and what to look for among them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    fetch: bool,
    q: String,
}

/// `GET /profile`
pub(super) async fn show(State(app): State<App>, session: Session, Query(search): Query<Search>) -> Answer {
    let aside = Aside { fetch: search.fetch, search: &search.q, ..Aside::default() };
    page(view(&app, &session, &aside).await?)
}

/// `POST /theme`
pub(super) async fn theme(State(app): State<App>, form: Posted) -> Answer {
    let theme = Theme::of(form.fields.get("theme"));
    let back = if form.fields.get("back") == Some("/profile") { "/profile" } else { "/" };
    let cookie = cookies::set(cookies::THEME, &theme.to_string(), cookies::REMEMBERED, app.is_secure());
    Ok((cookie, Redirect::to(back)).into_response())
}

/// `POST /publisher`: chooses on whose behalf one publishes.
pub(super) async fn publisher(State(app): State<App>, form: Posted) -> Answer {
    let Posted { session, fields } = form;
    let publisher: Publisher = fields.parsed("publisher")?;
    session.actor.publishing_as(publisher).publishes_as()?;
    let back = fields.get("back").and_then(Section::publishing_at).unwrap_or(Section::Profile);
    let cookie =
        cookies::set(cookies::PUBLISHER, &publisher.to_string(), cookies::REMEMBERED, app.is_secure());
    Ok((cookie, Redirect::to(back.href())).into_response())
}

/// The page with what is wrong, in its place.
async fn refused(app: &App, session: &Session, aside: Aside<'_>) -> Answer {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, view(app, session, &aside).await?)
}

/// What is wrong, in a sentence for the person.
fn said(refusal: RepoError) -> String {
    PageError::from(PlatformError::Repo(refusal)).in_place().1
}

async fn view(app: &App, session: &Session, aside: &Aside<'_>) -> Result<ProfilePage, PageError> {
    let actor = &session.actor;
    let (repository, github, agent) = match actor.publishes_as() {
        Ok(publisher) => (
            Some(repository::view(session, publisher, aside).await?),
            github::view(app, session, publisher, aside).await?,
            agent::view(session, aside).await?,
        ),
        Err(_) => (None, None, None),
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
        agent,
        layout: session.layout("Profile", Section::Profile).await?,
    })
}
