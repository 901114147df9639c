//! `/deployments/{id}/update`: other values, or the newer commit that is on offer.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use rad_core::deployment::Run;
use rad_core::id::DeploymentId;
use rad_core::module::ValueProblem;
use rad_core::platform::{PlatformError, UpdateForm};
use rad_core::source::CommitId;
use serde::Deserialize;

use super::{Answer, deployment_id, page};
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section};
use crate::module_form::{Asked, FormView, Node, PREFIX};
use crate::pages::{go, page_with};
use crate::session::{Posted, Session};

#[derive(Template)]
#[template(path = "pages/update_form.html")]
struct UpdatePage {
    layout: Layout,
    id: String,
    module: String,
    page: usize,
    form: FormView,
    refusal: Option<String>,
    problems: usize,
    stray: Vec<String>,
    commit: String,
    short_commit: String,
    made_from: String,
    newer: Option<String>,
    /// Variables that were changed and for which resources may be made anew; once they are shown, sending again goes on.
    unsafe_changes: Vec<String>,
}

/// Which commit the form is for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    newest: bool,
}

/// What was typed, and what came of it.
struct Filled {
    typed: Node,
    page: usize,
    problems: Vec<ValueProblem>,
    refusal: Option<String>,
    unsafe_changes: Vec<String>,
}

/// `GET /deployments/{id}/update`
pub(super) async fn show(session: Session, Path(id): Path<String>, Query(wanted): Query<Wanted>) -> Answer {
    let form = session.actor.update_form(deployment_id(&id)?, wanted.newest).await?;
    let filled = Filled {
        typed: Node::of(&form.current, &form.manifest),
        page: 1,
        problems: Vec::new(),
        refusal: None,
        unsafe_changes: Vec::new(),
    };
    page(view(&session, form, filled).await?)
}

/// `POST /deployments/{id}/update`: a page was checked, a row added or removed, or the update wanted.
pub(super) async fn submit(Path(id): Path<String>, form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let id = deployment_id(&id)?;
    let commit: CommitId = fields.parsed("commit")?;
    let shown = form_for(session, id, &commit).await?;
    let mut filled = Filled {
        typed: Node::read(fields, PREFIX),
        page: fields.text("page").parse().unwrap_or(1),
        problems: Vec::new(),
        refusal: None,
        unsafe_changes: Vec::new(),
    };
    let pressed = asked(&shown).press(fields.text("do"), &mut filled.typed);
    let status = match pressed {
        Some(problems) => {
            filled.problems = problems;
            if filled.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
        }
        None => match update(session, id, &shown, &filled.typed, fields.is_on("accept")).await {
            Ok(Ok(_)) => return go(format!("/deployments/{id}?notice=updating")),
            Ok(Err(unsafe_changes)) => {
                filled.unsafe_changes = unsafe_changes;
                StatusCode::OK
            }
            Err(PageError::Platform(PlatformError::Values { problems })) => {
                filled.problems = problems;
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Err(PageError::Platform(error)) if error.backend().is_none() => {
                filled.refusal = Some(error.to_string());
                PageError::Platform(error).status()
            }
            Err(error) => return Err(error),
        },
    };
    let html = view(session, shown, filled).await?;
    page_with(status, html)
}

/// An update that a program asks for: what the form would warn of is refused until `accept` is on.
pub(super) async fn by_program(
    session: &Session,
    id: DeploymentId,
    fields: &Fields,
) -> Result<Run, PageError> {
    let commit: CommitId = fields.parsed("commit")?;
    let shown = form_for(session, id, &commit).await?;
    let updated = update(session, id, &shown, &Node::read(fields, PREFIX), fields.is_on("accept")).await?;
    updated.map_err(|unsafe_changes| {
        let names = unsafe_changes.join(", ");
        let reason = format!("resources may be made anew for {names}: send accept=true to go on");
        PlatformError::Invalid { field: "accept", reason }.into()
    })
}

/// The form for a commit: the one the deployment is made from, or else the one on offer.
async fn form_for(session: &Session, id: DeploymentId, commit: &CommitId) -> Result<UpdateForm, PageError> {
    for newest in [false, true] {
        let form = session.actor.update_form(id, newest).await?;
        if form.commit == *commit {
            return Ok(form);
        }
    }
    let reason = format!("{} is not on offer any more: look at the form again", commit.short());
    Err(PlatformError::Invalid { field: "commit", reason }.into())
}

/// Updates, unless there is something to warn of that was not accepted: then nothing is done, and it is given.
async fn update(
    session: &Session,
    id: DeploymentId,
    shown: &UpdateForm,
    typed: &Node,
    accepted: bool,
) -> Result<Result<Run, Vec<String>>, PageError> {
    let typed = asked(shown).values(typed).map_err(|problems| PlatformError::Values { problems })?;
    if !accepted {
        let changed = session.actor.changed_by_update(id, &shown.commit, &typed).await?;
        let unsafe_changes: Vec<String> =
            changed.into_iter().filter(|one| !one.update_safe).map(|one| one.name).collect();
        if !unsafe_changes.is_empty() {
            return Ok(Err(unsafe_changes));
        }
    }
    Ok(Ok(session.actor.update(id, &shown.commit, &typed).await?))
}

fn asked(form: &UpdateForm) -> Asked<'_> {
    Asked { manifest: &form.manifest, published: &form.published, kept: &form.deployment.secret_names }
}

async fn view(session: &Session, shown: UpdateForm, filled: Filled) -> Result<UpdatePage, PageError> {
    let asked = asked(&shown);
    let form = asked.form(&filled.typed, &filled.problems);
    let page = match filled.unsafe_changes.is_empty() {
        true => form.first_wrong().unwrap_or(filled.page),
        false => form.pages.len() + 1,
    };
    Ok(UpdatePage {
        layout: session.layout(&shown.deployment.module_name, Section::Deployments).await?,
        id: shown.deployment.id.to_string(),
        module: shown.deployment.module_name.clone(),
        page,
        refusal: filled.refusal,
        problems: filled.problems.len(),
        stray: asked.stray(&filled.problems),
        commit: shown.commit.to_string(),
        short_commit: shown.commit.short().to_owned(),
        made_from: shown.deployment.commit.short().to_owned(),
        newer: shown.newer.as_ref().map(|newer| newer.short().to_owned()),
        unsafe_changes: filled.unsafe_changes,
        form,
    })
}
