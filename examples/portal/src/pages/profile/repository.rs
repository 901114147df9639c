//! The repository that modules are published from: found, its branch chosen, connected.

use askama::Template;
use axum::extract::{Query, State};
use rad_core::catalog::Publisher;
use rad_core::money::Rate;
use rad_core::platform::{PlatformError, RevenueView};
use rad_core::repo::{RepoConnection, Repository};
use serde::Deserialize;

use super::{Aside, refused, said, view as whole};
use crate::error::PageError;
use crate::pages::{Answer, go, page};
use crate::session::{Posted, Session};
use crate::state::App;

/// What there is to connect, and what was typed.
pub(super) struct RepositoryView {
    pub(super) for_platform: bool,
    /// The partner's share of charges from now on.
    pub(super) rate: Option<Rate>,
    pub(super) connected: Option<RepoConnection>,
    /// The repositories, where they were fetched.
    pub(super) found: Option<Vec<Repository>>,
    /// Why the repositories cannot be listed.
    pub(super) unlisted: Option<String>,
    pub(super) search: String,
    pub(super) chosen: String,
    pub(super) branches: BranchesView,
    pub(super) sub_dir: String,
    pub(super) problem: Option<String>,
}

/// The branches to choose from.
#[derive(Template)]
#[template(path = "pages/branches.html")]
pub(super) struct BranchesView {
    repository: String,
    default: Option<String>,
    names: Vec<String>,
    chosen: String,
    problem: Option<String>,
}

/// Whose branches are asked for, and which one was chosen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct Wanted {
    repository: String,
    branch: String,
}

/// `POST /profile/repository`
pub(in crate::pages) async fn connect(State(app): State<App>, form: Posted) -> Answer {
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
            let aside = Aside { typed: Some(fields), connection: Some(said(refusal)), ..Aside::default() };
            refused(&app, session, aside).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /profile/repository/disconnect`
pub(in crate::pages) async fn disconnect(form: Posted) -> Answer {
    form.session.actor.connect(None).await?;
    go("/profile?notice=disconnected")
}

/// `POST /profile/branches`: the page with the branches of the repository that was chosen, for browsers without scripts.
pub(in crate::pages) async fn list_branches(State(app): State<App>, form: Posted) -> Answer {
    let aside = Aside { typed: Some(&form.fields), ..Aside::default() };
    page(whole(&app, &form.session, &aside).await?)
}

/// `GET /profile/branches`: the part of the page with the branches of a repository.
pub(in crate::pages) async fn branches(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    page(BranchesView::all(&session, wanted.repository, wanted.branch).await?)
}

impl BranchesView {
    /// Every branch of a repository.
    async fn all(session: &Session, repository: String, chosen: String) -> Result<Self, PageError> {
        let (names, problem) = match session.actor.branches(&repository).await {
            Ok(names) => (names, None),
            Err(PlatformError::Repo(refusal)) => (Vec::new(), Some(said(refusal))),
            Err(error) => return Err(error.into()),
        };
        let chosen = if names.contains(&chosen) { chosen } else { String::new() };
        Ok(Self { repository, default: names.first().cloned(), names, chosen, problem })
    }

    /// What is known without asking: the branch that is chosen, and the default one.
    fn known(repository: &str, chosen: String, found: &[Repository]) -> Self {
        let listed = found.iter().find(|listed| listed.name == repository);
        let names = Some(chosen.clone()).filter(|chosen| !chosen.is_empty());
        Self {
            repository: repository.to_owned(),
            default: listed.and_then(|listed| listed.default_branch.clone()),
            names: names.into_iter().collect(),
            chosen,
            problem: None,
        }
    }
}

pub(super) async fn view(
    session: &Session,
    publisher: Publisher,
    aside: &Aside<'_>,
) -> Result<RepositoryView, PageError> {
    let connected = session.actor.connection().await?;
    let search = aside.search.trim().to_lowercase();
    // A token that is refused by now, or a GitHub that does not answer, must not hide the page that mends it.
    let (mut found, unlisted) = match aside.fetch {
        false => (None, None),
        true => match session.actor.repositories().await {
            Ok(found) => (Some(found), None),
            Err(PlatformError::Repo(refusal)) => (Some(Vec::new()), Some(said(refusal))),
            Err(error) => return Err(error.into()),
        },
    };
    let text = |name: &str, standing: fn(&RepoConnection) -> Option<&String>| match aside.typed {
        Some(fields) => fields.text(name).to_owned(),
        None => connected.as_ref().and_then(standing).cloned().unwrap_or_default(),
    };
    let chosen = text("repository", |connection| Some(&connection.repository));
    let branch = text("branch", |connection| connection.branch.as_ref());
    let sub_dir = text("sub_dir", |connection| Some(&connection.sub_dir));
    let branches = match aside.typed.filter(|_| !chosen.is_empty()) {
        Some(_) => BranchesView::all(session, chosen.clone(), branch).await?,
        None => BranchesView::known(&chosen, branch, found.as_deref().unwrap_or_default()),
    };
    if let Some(found) = &mut found {
        found.retain(|repository| repository.name.to_lowercase().contains(&search));
    }
    let for_platform = publisher == Publisher::Platform;
    let rate = if for_platform { None } else { session.actor.revenue_share(RevenueView::Partner).await? };
    let problem = aside.connection.clone();
    Ok(RepositoryView {
        for_platform,
        rate,
        connected,
        found,
        unlisted,
        search,
        chosen,
        branches,
        sub_dir,
        problem,
    })
}
