//! Refining a module in a conversation with a code agent, and committing what the agent proposes.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::{Actor, PlatformError};
use crate::agent::change::{ChangeError, FileDiff};
use crate::agent::{
    Activity, ActivityEvent, AgentError, ChangeSet, CodeAgent, Media, NewAgentSession, Plan, SessionState,
};
use crate::id::RefineId;
use crate::refine::{AcceptedChange, RefineProgress, RefineSession, RefineStore};
use crate::repo::{
    FileChange, NewCommit, Proposal, RepoAccess, RepoConnection, RepoError, RepoWriter, sub_dir_names,
};
use crate::source::{CommitId, Digest};

/// Pictures in which nothing runs.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// The longest message to an agent, in bytes.
const LONGEST_MESSAGE: usize = 20_000;
/// Characters of the first message that a session is called by.
const TITLE: usize = 80;
/// Sessions of a listing at the most.
const LISTED: u32 = 100;
/// How long what the agent told last is taken for how things are, however many pages look.
const FRESH: TimeDelta = TimeDelta::seconds(2);
/// How often a commit is tried on a branch that moves on.
const TRIES: u32 = 3;

/// What refining takes.
#[derive(Debug)]
pub(super) struct Refining {
    pub(super) agent: Arc<dyn CodeAgent>,
    pub(super) sessions: Arc<dyn RefineStore>,
    pub(super) writer: Arc<dyn RepoWriter>,
}

/// A refine session with what happened in it.
#[derive(Debug, Clone)]
pub struct RefineView {
    /// The session.
    pub session: RefineSession,
    /// What happened, in the order it came.
    pub activities: Vec<Activity>,
    /// Why the agent could not be asked for news, in a sentence; what is shown is what it told before.
    pub problem: Option<String>,
}

impl RefineView {
    /// The change that the agent proposes now: the last one of an activity, or else the session's own.
    pub fn change(&self) -> Option<&ChangeSet> {
        let proposed = self.activities.iter().rev().filter_map(Activity::change);
        let mut proposed = proposed.chain(&self.session.progress.change);
        proposed.find(|change| !change.patch.trim().is_empty())
    }

    /// The change that the agent proposes now, as a person looks at it.
    ///
    /// # Errors
    /// [`ChangeError`] for one that cannot be read.
    pub fn proposed(&self) -> Result<Option<ProposedChange>, ChangeError> {
        let Some(change) = self.change() else { return Ok(None) };
        let digest = change.digest();
        Ok(Some(ProposedChange {
            digest,
            base: change.base.clone(),
            message: message_of(change, &self.session),
            files: change.files()?,
            accepted: self.session.acceptance(&digest).cloned(),
        }))
    }

    /// The latest plan, while it waits for approval.
    pub fn waiting_plan(&self) -> Option<&Plan> {
        if self.session.progress.state != Some(SessionState::AwaitingPlanApproval) {
            return None;
        }
        self.activities.iter().rev().find_map(|activity| match &activity.event {
            ActivityEvent::PlanGenerated(plan) => Some(plan),
            _ => None,
        })
    }
}

/// A change that an agent proposes, as a person looks at it before accepting it.
#[derive(Debug, Clone)]
pub struct ProposedChange {
    /// What it is accepted by.
    pub digest: Digest,
    /// The commit it was made on, where the agent says so.
    pub base: Option<CommitId>,
    /// The message it would be committed with.
    pub message: String,
    /// What it changes, file by file.
    pub files: Vec<FileDiff>,
    /// The acceptance, where it was accepted already.
    pub accepted: Option<AcceptedChange>,
}

/// A change that waits on a branch of its own to be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedBranch {
    /// The branch.
    pub branch: String,
    /// The pull request, where the repository knows such a thing.
    pub url: Option<String>,
}

impl Actor {
    /// Whether a code agent is set up, and the account may use it.
    pub fn can_refine(&self) -> bool {
        self.parts.refining.is_some() && self.publishes_as().is_ok()
    }

    /// Starts a session about one of the modules the account publishes from, with a first message.
    ///
    /// The agent waits for its plan to be approved.
    ///
    /// # Errors
    /// Forbidden, [`NoAgent`](PlatformError::NoAgent), [`NotConnected`](PlatformError::NotConnected), `NotFound` for a module
    /// that is not there, [`Invalid`](PlatformError::Invalid) for an empty or too long message or a repository that the agent
    /// does not reach, and what the agent refuses.
    pub async fn refine(&self, module: &str, message: &str) -> Result<RefineSession, PlatformError> {
        let (publisher, refining) = (self.publishes_as()?, self.refining()?);
        let message = checked(message)?;
        let connection =
            self.parts.directory.connection(publisher).await?.ok_or(PlatformError::NotConnected)?;
        let (head, tree) = self.parts.read(publisher, &connection).await?;
        if !tree.directories().any(|name| name == module) {
            return Err(PlatformError::NotFound { what: "module" });
        }
        let key = self.agent_key(publisher).await?;
        let sources = refining.agent.sources(key.as_ref()).await?;
        let source = sources.into_iter().find(|source| source.is_repository(&connection.repository));
        let source = source.ok_or_else(|| PlatformError::Invalid {
            field: "repository",
            reason: format!(
                "the code agent does not reach {}: add it in the agent's own settings first",
                connection.repository
            ),
        })?;
        let title: String = message.lines().next().unwrap_or_default().chars().take(TITLE).collect();
        let now = self.parts.clock.now();
        let mut session = RefineSession {
            id: RefineId::new(),
            publisher,
            module: module.to_owned(),
            repository: connection.repository.clone(),
            branch: head.branch.clone(),
            title,
            started_by: self.id(),
            started_at: now,
            recorded_at: now,
            progress: RefineProgress::default(),
            accepted: Vec::new(),
        };
        // Kept first, so that a session of the agent never stands without one of ours.
        refining.sessions.create(&session).await?;
        let new = NewAgentSession {
            prompt: prompt(&connection, module, message),
            title: format!("{module}: {}", session.title),
            source: source.name,
            branch: head.branch,
            require_plan_approval: true,
        };
        let started = refining.agent.start(key.as_ref(), &new).await;
        match &started {
            Ok(started) => {
                session.progress.agent_session = Some(started.name.clone());
                session.progress.state = Some(started.state.clone());
                session.progress.url = started.url.clone();
            }
            Err(error) => session.progress.problem = Some(error.to_string()),
        }
        // Recorded as old, so that the next look asks the agent.
        let recorded_at = now - FRESH;
        refining.sessions.record(session.id, now, &session.progress, &[], recorded_at).await?;
        started?;
        Ok(RefineSession { recorded_at, ..session })
    }

    /// The latest sessions about modules the account publishes, or about the one named.
    ///
    /// # Errors
    /// Forbidden, [`NoAgent`](PlatformError::NoAgent).
    pub async fn refine_sessions(&self, module: Option<&str>) -> Result<Vec<RefineSession>, PlatformError> {
        let publisher = self.publishes_as()?;
        Ok(self.refining()?.sessions.sessions(publisher, module, LISTED).await?)
    }

    /// A session, with what the agent did until now.
    ///
    /// # Errors
    /// Forbidden, [`NoAgent`](PlatformError::NoAgent), `NotFound` for a session about somebody else's module.
    pub async fn refine_view(&self, id: RefineId) -> Result<RefineView, PlatformError> {
        let mut session = self.own_session(id).await?;
        let mut problem = None;
        let is_fresh = self.parts.clock.now() - session.recorded_at < FRESH;
        if let Some(name) = session.progress.agent_session.clone().filter(|_| !is_fresh) {
            match self.news(&session, &name).await {
                Ok(news) => session = news,
                Err(PlatformError::Agent(error)) => {
                    tracing::warn!(session = %id, error = &error as &dyn std::error::Error, "asking a code agent");
                    problem = Some(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        let activities = self.refining()?.sessions.activities(id).await?;
        Ok(RefineView { session, activities, problem })
    }

    /// The content of a picture that an activity brought forth: the artifact at `place`, from 0. Only pictures are given that a
    /// browser shows without running anything in them.
    ///
    /// # Errors
    /// As [`refine_view`](Self::refine_view); `NotFound` for anything else, and what the agent refuses.
    pub async fn agent_picture(
        &self,
        id: RefineId,
        activity: &str,
        place: usize,
    ) -> Result<Media, PlatformError> {
        let session = self.own_session(id).await?;
        let key = self.agent_key(session.publisher).await?;
        let found = self.refining()?.agent.media(key.as_ref(), begun(&session)?, activity, place).await;
        let missing = PlatformError::NotFound { what: "picture" };
        match found {
            Ok(Some(media)) if PICTURES.contains(&media.media_type.as_str()) => Ok(media),
            Ok(_) | Err(AgentError::NotFound { .. }) => Err(missing),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a message to the agent.
    ///
    /// # Errors
    /// As [`refine_view`](Self::refine_view), [`Invalid`](PlatformError::Invalid) for an empty or too long message, and what
    /// the agent refuses.
    pub async fn send_to_agent(&self, id: RefineId, message: &str) -> Result<(), PlatformError> {
        let session = self.own_session(id).await?;
        let message = checked(message)?;
        let key = self.agent_key(session.publisher).await?;
        self.refining()?.agent.send(key.as_ref(), begun(&session)?, message).await?;
        self.look_again(&session).await
    }

    /// Approves the plan that the agent waits with.
    ///
    /// # Errors
    /// As [`refine_view`](Self::refine_view), and what the agent refuses.
    pub async fn approve_agent_plan(&self, id: RefineId) -> Result<(), PlatformError> {
        let session = self.own_session(id).await?;
        let key = self.agent_key(session.publisher).await?;
        self.refining()?.agent.approve_plan(key.as_ref(), begun(&session)?).await?;
        self.look_again(&session).await
    }

    /// Commits the change with this digest onto the session's branch: as it is if the branch is where the change was made,
    /// merged with what came since otherwise. A change that is on the branch already is accepted as it stands there.
    ///
    /// # Errors
    /// As [`refine_view`](Self::refine_view); [`PlanChanged`](PlatformError::PlanChanged) if the agent proposes another change
    /// by now; [`Change`](PlatformError::Change) where it does not fit, and what the repository refuses: then nothing is
    /// committed.
    pub async fn accept_change(
        &self,
        id: RefineId,
        digest: &Digest,
    ) -> Result<AcceptedChange, PlatformError> {
        let view = self.refine_view(id).await?;
        let change = view.change().filter(|change| change.digest() == *digest);
        let change = change.ok_or(PlatformError::PlanChanged)?;
        if let Some(accepted) = view.session.acceptance(digest) {
            return Ok(accepted.clone());
        }
        let commit = self.commit(&view.session, change).await?;
        let at = self.parts.clock.now();
        let accepted = AcceptedChange { change: *digest, commit, by: self.id(), at };
        Ok(self.refining()?.sessions.accept(id, &accepted).await?)
    }

    /// Puts the change with this digest on a branch of its own, and has those who look after the session's branch asked to take
    /// it over, where the repository knows such a thing: for branches that take no commits. Doing it twice is as good as once.
    ///
    /// # Errors
    /// As [`accept_change`](Self::accept_change).
    pub async fn propose_change(
        &self,
        id: RefineId,
        digest: &Digest,
    ) -> Result<ProposedBranch, PlatformError> {
        let view = self.refine_view(id).await?;
        let change = view.change().filter(|change| change.digest() == *digest);
        let change = change.ok_or(PlatformError::PlanChanged)?;
        let session = &view.session;
        let (writer, token) = (&self.refining()?.writer, self.parts.token_of(session.publisher).await?);
        let repo = access(session, token.as_ref());
        let message = message_of(change, session);
        let branch = branch_of(session, digest);
        let (base, is_new) = match writer.head(repo, Some(&branch)).await {
            Ok(head) => (head.commit, false),
            Err(RepoError::NoBranch { .. }) => (writer.head(repo, Some(&session.branch)).await?.commit, true),
            Err(error) => return Err(error.into()),
        };
        let changes = fitting(writer.as_ref(), repo, change, &base).await?;
        if is_new {
            if changes.is_empty() {
                let reason = format!("{} has it already", session.branch);
                return Err(PlatformError::Invalid { field: "change", reason });
            }
            writer.create_branch(repo, &branch, &base).await?;
        }
        // Where it was proposed before, the branch has it.
        if !changes.is_empty() {
            let commit = NewCommit { branch: &branch, base: &base, message: &message, changes: &changes };
            writer.commit(repo, commit).await?;
        }
        let (title, body) = message.split_once('\n').unwrap_or((&message, ""));
        let proposal = Proposal { from: &branch, into: &session.branch, title, body: body.trim() };
        let url = writer.propose(repo, &proposal).await?;
        Ok(ProposedBranch { branch, url })
    }

    /// Puts a change onto the branch, and gives the commit that has it.
    async fn commit(&self, session: &RefineSession, change: &ChangeSet) -> Result<CommitId, PlatformError> {
        let writer = &self.refining()?.writer;
        let token = self.parts.token_of(session.publisher).await?;
        let repo = access(session, token.as_ref());
        let message = message_of(change, session);
        let mut tries = 1;
        loop {
            let head = writer.head(repo, Some(&session.branch)).await?;
            let changes = fitting(writer.as_ref(), repo, change, &head.commit).await?;
            if changes.is_empty() {
                return Ok(head.commit);
            }
            let commit =
                NewCommit { branch: &head.branch, base: &head.commit, message: &message, changes: &changes };
            match writer.commit(repo, commit).await {
                Err(RepoError::Moved { .. }) if tries < TRIES => tries = tries.saturating_add(1),
                done => return Ok(done?),
            }
        }
    }

    /// Asks the agent how far a session is, and keeps what it tells.
    async fn news(&self, session: &RefineSession, name: &str) -> Result<RefineSession, PlatformError> {
        let refining = self.refining()?;
        let key = self.agent_key(session.publisher).await?;
        let told = refining.agent.session(key.as_ref(), name).await?;
        let feed = refining.agent.activities(key.as_ref(), name, session.progress.cursor.as_ref()).await?;
        let progress = RefineProgress {
            agent_session: session.progress.agent_session.clone(),
            state: Some(told.state),
            url: told.url,
            pull_request: told.pull_request,
            change: told.change,
            cursor: feed.cursor,
            problem: None,
        };
        let recorded_at = self.parts.clock.now();
        let seen = session.recorded_at;
        refining.sessions.record(session.id, seen, &progress, &feed.activities, recorded_at).await?;
        Ok(RefineSession { progress, recorded_at, ..session.clone() })
    }

    /// Has the next look ask the agent, unless one did meanwhile.
    async fn look_again(&self, session: &RefineSession) -> Result<(), PlatformError> {
        let stale = self.parts.clock.now() - FRESH;
        let seen = session.recorded_at;
        Ok(self.refining()?.sessions.record(session.id, seen, &session.progress, &[], stale).await?)
    }

    async fn own_session(&self, id: RefineId) -> Result<RefineSession, PlatformError> {
        let publisher = self.publishes_as()?;
        let session = self.refining()?.sessions.session(id).await?;
        if session.publisher == publisher {
            Ok(session)
        } else {
            Err(PlatformError::NotFound { what: "refine session" })
        }
    }

    pub(super) fn refining(&self) -> Result<&Refining, PlatformError> {
        self.parts.refining.as_ref().ok_or(PlatformError::NoAgent)
    }
}

fn access<'a>(session: &'a RefineSession, credential: Option<&'a SecretString>) -> RepoAccess<'a> {
    RepoAccess { repository: &session.repository, publisher: session.publisher, credential }
}

/// What a change changes of a commit: as it is if it was made there, merged with what came since otherwise.
async fn fitting(
    writer: &dyn RepoWriter,
    repo: RepoAccess<'_>,
    change: &ChangeSet,
    commit: &CommitId,
) -> Result<Vec<FileChange>, PlatformError> {
    let base = change.base.as_ref().ok_or(ChangeError::NoBase)?;
    let made_on = writer.tree(repo, base, "").await?;
    if commit == base {
        return Ok(change.changes(&made_on, &made_on)?);
    }
    Ok(change.changes(&made_on, &writer.tree(repo, commit, "").await?)?)
}

/// The branch that a proposed change is put on: of the module's name, and of the change itself.
fn branch_of(session: &RefineSession, change: &Digest) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let module: String = session.module.chars().map(plain).take(40).collect();
    let change: String = change.to_string().chars().take(12).collect();
    format!("rad/{module}-{change}")
}

fn begun(session: &RefineSession) -> Result<&str, PlatformError> {
    session.progress.agent_session.as_deref().ok_or(PlatformError::Invalid {
        field: "session",
        reason: "it never began: start another one".to_owned(),
    })
}

fn checked(message: &str) -> Result<&str, PlatformError> {
    let message = message.trim();
    let refused = |reason: String| Err(PlatformError::Invalid { field: "message", reason });
    match message.len() {
        0 => refused("it is empty: say what to change".to_owned()),
        size if size > LONGEST_MESSAGE => {
            refused(format!("it has {size} bytes: {LONGEST_MESSAGE} are taken at the most"))
        }
        _ => Ok(message),
    }
}

/// What the agent is told first: which module it is about, and what people may not find changed in others.
fn prompt(connection: &RepoConnection, module: &str, message: &str) -> String {
    let mut names = sub_dir_names(&connection.sub_dir).unwrap_or_default();
    names.push(module);
    let directory = names.join("/");
    format!(
        "This is about the Terraform module {module:?}, whose files are in the directory {directory:?} of the repository \
         {:?}. Change files of this directory only, unless the request below says otherwise.\n\n{message}",
        connection.repository
    )
}

fn message_of(change: &ChangeSet, session: &RefineSession) -> String {
    let suggested = change.message.trim();
    if suggested.is_empty() {
        format!("Refine {}: {}", session.module, session.title)
    } else {
        suggested.to_owned()
    }
}
