//! A conversation with the code agent as the page shows it.

use askama::Template;
use rad_core::agent::change::{DiffLine, FileDiff, FileDiffKind, LineKind};
use rad_core::agent::{Activity, ActivityEvent, Artifact, ChangeSet, Originator, PullRequest, SessionState};
use rad_core::id::RefineId;
use rad_core::platform::{ProposedChange, RefineView};
use rad_core::refine::RefineSession;
use rad_core::source::Digest;

use crate::show;

/// The part of the page that changes by itself.
#[derive(Template)]
#[template(path = "pages/chat_live.html")]
pub(crate) struct ChatView {
    /// Tells one state of the conversation from another.
    pub(crate) version: String,
    id: RefineId,
    csrf: String,
    state: String,
    url: Option<String>,
    pull_request: Option<PullRequest>,
    problem: Option<String>,
    said: Vec<Said>,
    waits_with_plan: bool,
    unreadable: Option<String>,
    change: Option<ChangeView>,
}

struct Said {
    id: String,
    class: &'static str,
    by: String,
    time: String,
    text: String,
    steps: Vec<(String, String)>,
    /// What was run, how it ended where that was not well, and what it printed.
    commands: Vec<(String, Option<i64>, String)>,
    /// Where pictures are.
    pictures: Vec<String>,
}

struct ChangeView {
    digest: String,
    base: Option<String>,
    message: String,
    files: Vec<FileView>,
    commit: Option<String>,
}

struct FileView {
    path: String,
    kind: String,
    is_binary: bool,
    added: usize,
    removed: usize,
    lines: Vec<LineView>,
}

#[derive(Default)]
struct LineView {
    class: &'static str,
    sign: &'static str,
    old: String,
    new: String,
    text: String,
}

impl ChatView {
    pub(crate) fn of(view: &RefineView, csrf: String) -> Self {
        let progress = &view.session.progress;
        let (change, unreadable) = match view.proposed() {
            Ok(change) => (change.map(change_view), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            version: Self::version(view),
            id: view.session.id,
            csrf,
            state: state(&view.session),
            url: progress.url.clone(),
            pull_request: progress.pull_request.clone(),
            problem: problem(view),
            said: view.activities.iter().map(|activity| said(view.session.id, activity)).collect(),
            waits_with_plan: progress.state == Some(SessionState::AwaitingPlanApproval),
            unreadable,
            change,
        }
    }

    /// What tells one state of a conversation from another, without making it ready to be shown.
    pub(crate) fn version(view: &RefineView) -> String {
        // An activity never changes once it is there, nor does an acceptance.
        let told = format!(
            "{} {} {:?} {:?} {} {:?}",
            view.activities.len(),
            state(&view.session),
            problem(view),
            view.session.progress.pull_request,
            view.session.accepted.len(),
            view.change().map(ChangeSet::digest)
        );
        Digest::of(told.as_bytes()).to_string()[..16].to_owned()
    }
}

/// What keeps the conversation from going on.
fn problem(view: &RefineView) -> Option<String> {
    view.problem.clone().or_else(|| view.session.progress.problem.clone())
}

/// The state of a conversation, for people.
pub(crate) fn state(session: &RefineSession) -> String {
    match &session.progress.state {
        _ if session.progress.problem.is_some() => "never began".to_owned(),
        None => "starting".to_owned(),
        Some(SessionState::AwaitingPlanApproval) => "waits for you to approve the plan".to_owned(),
        Some(SessionState::AwaitingUserFeedback) => "waits for your answer".to_owned(),
        Some(state) => state.as_str().to_lowercase().replace('_', " "),
    }
}

fn said(session: RefineId, activity: &Activity) -> Said {
    let (mut class, mut steps) = ("agent", Vec::new());
    let text = match &activity.event {
        ActivityEvent::UserMessaged { message } | ActivityEvent::AgentMessaged { message } => message.clone(),
        ActivityEvent::PlanGenerated(plan) => {
            steps = plan.steps.iter().map(|step| (step.title.clone(), step.description.clone())).collect();
            "The plan:".to_owned()
        }
        ActivityEvent::PlanApproved { .. } => "The plan was approved.".to_owned(),
        ActivityEvent::Progressed { title, description } => {
            class = "quiet-step";
            [title.as_str(), description.as_str()].join("\n").trim().to_owned()
        }
        ActivityEvent::Completed => "Done.".to_owned(),
        ActivityEvent::Failed { reason } => format!("This failed. {reason}"),
        ActivityEvent::Other { name } => {
            class = "quiet-step";
            activity.description.clone().unwrap_or_else(|| name.clone())
        }
        _ => activity.description.clone().unwrap_or_default(),
    };
    let name: String = form_urlencoded::byte_serialize(activity.id.as_bytes()).collect();
    let pictures = activity.artifacts.iter().enumerate().filter_map(|(place, artifact)| match artifact {
        Artifact::Media { media_type } if media_type.starts_with("image/") => {
            Some(format!("/explore/{session}/pictures/{name}/{place}"))
        }
        _ => None,
    });
    let commands = activity.artifacts.iter().filter_map(|artifact| match artifact {
        Artifact::CommandOutput { command, output, exit_code } => {
            Some((command.clone(), exit_code.filter(|code| *code != 0), output.clone()))
        }
        _ => None,
    });
    let by = match &activity.originator {
        Originator::User => {
            class = "user";
            "You"
        }
        Originator::Agent => "Agent",
        Originator::System => "The agent’s service",
        Originator::Other(name) => name,
    };
    Said {
        id: Digest::of(activity.id.as_bytes()).to_string()[..12].to_owned(),
        class,
        by: by.to_owned(),
        time: activity.at.map(show::time).unwrap_or_default(),
        text,
        steps,
        commands: commands.collect(),
        pictures: pictures.collect(),
    }
}

fn change_view(change: ProposedChange) -> ChangeView {
    ChangeView {
        digest: change.digest.to_string(),
        base: change.base.map(|base| base.short().to_owned()),
        message: change.message,
        files: change.files.into_iter().map(file_view).collect(),
        commit: change.accepted.map(|accepted| accepted.commit.short().to_owned()),
    }
}

fn file_view(file: FileDiff) -> FileView {
    let (added, removed) = file.counts();
    let kind = match &file.kind {
        FileDiffKind::Added => "added".to_owned(),
        FileDiffKind::Removed => "removed".to_owned(),
        FileDiffKind::Changed => "changed".to_owned(),
        FileDiffKind::Renamed { from } => format!("renamed from {from}"),
        FileDiffKind::Copied { from } => format!("copied from {from}"),
    };
    let mut lines = Vec::new();
    for hunk in file.hunks {
        if !lines.is_empty() {
            lines.push(LineView { class: "gap", ..LineView::default() });
        }
        lines.extend(hunk.lines.into_iter().map(line_view));
    }
    FileView { path: file.path, kind, is_binary: file.is_binary, added, removed, lines }
}

fn line_view(line: DiffLine) -> LineView {
    let (class, sign) = match line.kind {
        LineKind::Context => ("context", ""),
        LineKind::Added => ("added", "+"),
        LineKind::Removed => ("removed", "−"),
    };
    let number = |number: Option<usize>| number.map(|number| number.to_string()).unwrap_or_default();
    LineView { class, sign, old: number(line.old), new: number(line.new), text: line.text }
}
