//! `/profile`: the account, its theme, the repository it publishes from.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect};
use rad_core::catalog::Publisher;
use rad_core::money::Rate;
use rad_core::platform::{PlatformError, RevenueView};
use rad_core::repo::{RepoConnection, Repository};
use serde::Deserialize;

use super::{Answer, go, page};
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
    layout: Layout,
}

/// What there is to connect, and what was typed.
struct RepositoryView {
    for_platform: bool,
    /// The partner's share of charges from now on.
    rate: Option<Rate>,
    connected: Option<RepoConnection>,
    found: Vec<Repository>,
    search: String,
    chosen: String,
    branch: String,
    sub_dir: String,
    problem: Option<String>,
}

/// What to look for among the repositories.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /profile`
pub(super) async fn show(session: Session, Query(search): Query<Search>) -> Answer {
    page(view(&session, &search.q, None).await?)
}

/// `POST /profile/repository`
pub(super) async fn connect(form: Posted) -> Answer {
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
            let html = view(session, "", Some((fields, refusal.to_string()))).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(html.render()?)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /profile/repository/disconnect`
pub(super) async fn disconnect(form: Posted) -> Answer {
    form.session.actor.connect(None).await?;
    go("/profile?notice=disconnected")
}

/// `POST /theme`
pub(super) async fn theme(State(app): State<App>, form: Posted) -> Answer {
    let theme = Theme::of(form.fields.get("theme"));
    let back = if form.fields.get("back") == Some("/profile") { "/profile" } else { "/" };
    let cookie = cookies::set(cookies::THEME, &theme.to_string(), THEME_SECONDS, app.is_secure());
    Ok((cookie, Redirect::to(back)).into_response())
}

async fn view(
    session: &Session,
    search: &str,
    refused: Option<(&Fields, String)>,
) -> Result<ProfilePage, PageError> {
    let actor = &session.actor;
    let repository = match actor.publishes_as() {
        Ok(publisher) => Some(repositories(session, publisher, search, refused).await?),
        Err(_) => None,
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
        layout: session.layout("Profile", Section::Profile).await?,
    })
}

async fn repositories(
    session: &Session,
    publisher: Publisher,
    search: &str,
    refused: Option<(&Fields, String)>,
) -> Result<RepositoryView, PageError> {
    let connected = session.actor.connection().await?;
    let search = search.trim().to_lowercase();
    let mut found = session.actor.repositories().await?;
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
    Ok(RepositoryView { for_platform, rate, connected, found, search, chosen, branch, sub_dir, problem })
}
