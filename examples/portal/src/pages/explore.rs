//! `/explore`: conversations with the code agent about modules of one's own, and the changes it proposes.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use rad_core::id::RefineId;
use rad_core::platform::{PlatformError, ProposedBranch};
use rad_core::refine::RefineSession;
use rad_core::repo::RepoError;
use rad_core::source::Digest;
use serde::Deserialize;

use super::{Answer, go, id_of, page, page_with};
use crate::chat::ChatView;
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::session::{Posted, Session};
use crate::show;

#[derive(Template)]
#[template(path = "pages/explore.html")]
struct ExplorePage {
    layout: Layout,
    module: Option<String>,
    message: String,
    problem: Option<String>,
    rows: Vec<Row>,
}

struct Row {
    id: RefineId,
    title: String,
    module: String,
    state: String,
    time: String,
    machine_time: String,
}

#[derive(Template)]
#[template(path = "pages/chat.html")]
struct ChatPage {
    layout: Layout,
    id: RefineId,
    module: String,
    title: String,
    repository: String,
    branch: String,
    has_begun: bool,
    live: String,
    problem: Option<String>,
    /// The change that can be proposed, since it cannot be committed.
    propose: Option<Digest>,
    /// What was proposed just now.
    proposed: Option<ProposedBranch>,
    message: String,
}

/// Which module to talk about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    module: String,
}

/// What a page shows already.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    seen: String,
}

/// `GET /explore`
pub(super) async fn list(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    let module = Some(wanted.module).filter(|module| !module.is_empty());
    page(explore(&session, module, String::new(), None).await?)
}

/// `POST /explore`: starts a conversation.
pub(super) async fn start(Posted { session, fields }: Posted) -> Answer {
    let (module, message) = (fields.text("module"), fields.text("message"));
    match session.actor.refine(module, message).await {
        Ok(started) => go(format!("/explore/{}", started.id)),
        Err(error) => {
            let (status, problem) = refusal(error)?.in_place();
            let page = explore(&session, Some(module.to_owned()), message.to_owned(), Some(problem)).await?;
            page_with(status, page)
        }
    }
}

/// `GET /explore/{id}`
pub(super) async fn show(session: Session, Path(id): Path<String>) -> Answer {
    page(chat(&session, parsed(&id)?, String::new(), None).await?)
}

/// `GET /explore/{id}/live`: what changes on the page, unless it shows that already.
pub(super) async fn live(session: Session, Path(id): Path<String>, Query(seen): Query<Seen>) -> Answer {
    let view = session.actor.refine_view(parsed(&id)?).await?;
    if ChatView::version(&view) == seen.seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    page(ChatView::of(&view, session.form_proof()))
}

/// `GET /explore/{id}/pictures/{activity}/{place}`: a picture of the agent, which never changes.
pub(super) async fn picture(
    session: Session,
    Path((id, activity, place)): Path<(String, String, usize)>,
) -> Answer {
    let media = session.actor.agent_picture(parsed(&id)?, &activity, place).await?;
    let headers = [
        (CONTENT_TYPE, media.media_type.as_str()),
        (CONTENT_DISPOSITION, "inline; filename=\"picture\""),
        (CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, media.content).into_response())
}

/// `POST /explore/{id}/message`
pub(super) async fn message(Path(id): Path<String>, Posted { session, fields }: Posted) -> Answer {
    let (id, message) = (parsed(&id)?, fields.text("message"));
    let done = session.actor.send_to_agent(id, message).await;
    answered(&session, id, message, "", done).await
}

/// `POST /explore/{id}/plan`
pub(super) async fn approve(Path(id): Path<String>, Posted { session, .. }: Posted) -> Answer {
    let id = parsed(&id)?;
    let done = session.actor.approve_agent_plan(id).await;
    answered(&session, id, "", "", done).await
}

/// `POST /explore/{id}/change`
pub(super) async fn accept(Path(id): Path<String>, Posted { session, fields }: Posted) -> Answer {
    let (id, change): (_, Digest) = (parsed(&id)?, fields.parsed("change")?);
    match session.actor.accept_change(id, &change).await {
        // A branch that takes no commits may take proposals.
        Err(error @ PlatformError::Repo(RepoError::Refused { .. } | RepoError::Denied { .. })) => {
            let (status, problem) = PageError::from(error).in_place();
            let page = chat(&session, id, String::new(), Some(problem)).await?;
            page_with(status, ChatPage { propose: Some(change), ..page })
        }
        done => answered(&session, id, "", "?notice=committed", done.map(drop)).await,
    }
}

/// `POST /explore/{id}/propose`: puts a change on a branch of its own, and opens a pull request where there is such a thing.
pub(super) async fn propose(Path(id): Path<String>, Posted { session, fields }: Posted) -> Answer {
    let (id, change): (_, Digest) = (parsed(&id)?, fields.parsed("change")?);
    match session.actor.propose_change(id, &change).await {
        Ok(proposed) => {
            page(ChatPage { proposed: Some(proposed), ..chat(&session, id, String::new(), None).await? })
        }
        Err(error) => answered(&session, id, "", "", Err(error)).await,
    }
}

/// Back to the conversation, or on it the reason why something was not done.
async fn answered(
    session: &Session,
    id: RefineId,
    message: &str,
    query: &str,
    done: Result<(), PlatformError>,
) -> Answer {
    match done {
        Ok(()) => go(format!("/explore/{id}{query}")),
        Err(error) => {
            let (status, problem) = refusal(error)?.in_place();
            page_with(status, chat(session, id, message.to_owned(), Some(problem)).await?)
        }
    }
}

/// What is said on the page itself: refusals of the agent, the repository and the change, and an agent that does not answer.
fn refusal(error: PlatformError) -> Result<PageError, PageError> {
    match error {
        PlatformError::Agent(_)
        | PlatformError::Repo(_)
        | PlatformError::Change(_)
        | PlatformError::PlanChanged
        | PlatformError::Invalid { .. } => Ok(error.into()),
        error => Err(error.into()),
    }
}

fn parsed(text: &str) -> Result<RefineId, PageError> {
    id_of(text, "conversation")
}

async fn explore(
    session: &Session,
    module: Option<String>,
    message: String,
    problem: Option<String>,
) -> Result<ExplorePage, PageError> {
    let sessions = session.actor.refine_sessions(module.as_deref()).await?;
    let rows = sessions.into_iter().map(row).collect();
    let layout = session.layout("Explore", Section::Explore).await?;
    Ok(ExplorePage { layout, module, message, problem, rows })
}

fn row(session: RefineSession) -> Row {
    Row {
        state: crate::chat::state(&session),
        id: session.id,
        title: session.title,
        module: session.module,
        time: show::time(session.started_at),
        machine_time: show::machine_time(session.started_at),
    }
}

async fn chat(
    session: &Session,
    id: RefineId,
    message: String,
    problem: Option<String>,
) -> Result<ChatPage, PageError> {
    let view = session.actor.refine_view(id).await?;
    let live = ChatView::of(&view, session.form_proof()).render()?;
    let RefineSession { module, title, repository, branch, progress, .. } = view.session;
    let layout = session.layout(&title, Section::Explore).await?;
    let has_begun = progress.agent_session.is_some();
    Ok(ChatPage {
        layout,
        id,
        module,
        title,
        repository,
        branch,
        has_begun,
        live,
        problem,
        propose: None,
        proposed: None,
        message,
    })
}
