//! A code agent in memory, whose part the program plays.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;

use crate::agent::{
    Activity, ActivityEvent, ActivityFeed, AgentError, AgentSession, AgentSource, Artifact, CodeAgent,
    FeedCursor, Media, NewAgentSession, Originator, SessionState,
};

/// A [`CodeAgent`] that does what the program has it do; it asks for no key.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::agent::{CodeAgent, NewAgentSession, SessionState};
/// use rad_core::memory::MemoryAgent;
///
/// let agent = MemoryAgent::default();
/// agent.connect("someone/modules");
/// let source = agent.sources(None).await?.remove(0).name;
/// let new = NewAgentSession {
///     prompt: "Give the bucket a lifecycle rule.".to_owned(),
///     title: "Lifecycle".to_owned(),
///     source,
///     branch: "main".to_owned(),
///     require_plan_approval: true,
/// };
/// let session = agent.start(None, &new).await?;
/// assert_eq!(session.state, SessionState::Queued);
///
/// agent.update(&session.name, |session| session.state = SessionState::AwaitingPlanApproval);
/// agent.approve_plan(None, &session.name).await?;
/// assert_eq!(agent.session(None, &session.name).await?.state, SessionState::InProgress);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryAgent {
    stored: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    sources: Vec<AgentSource>,
    sessions: BTreeMap<String, Played>,
}

#[derive(Debug)]
struct Played {
    asked: NewAgentSession,
    session: AgentSession,
    activities: Vec<Activity>,
    /// By activity and place.
    media: BTreeMap<(String, usize), Bytes>,
}

impl MemoryAgent {
    /// Lets the agent reach a repository.
    pub fn connect(&self, repository: &str) {
        let mut stored = self.stored();
        let name = format!("sources/{}", stored.sources.len());
        stored.sources.push(AgentSource { name, repository: Some(repository.to_owned()) });
    }

    /// Has the agent do something in a session; nothing if there is no such session.
    pub fn act(&self, session: &str, activity: Activity) {
        if let Some(played) = self.stored().sessions.get_mut(session) {
            played.activities.push(activity);
        }
    }

    /// Gives the artifact at `place` of an activity its content; nothing if there is no such session.
    pub fn show(&self, session: &str, activity: &str, place: usize, content: impl Into<Bytes>) {
        if let Some(played) = self.stored().sessions.get_mut(session) {
            played.media.insert((activity.to_owned(), place), content.into());
        }
    }

    /// Has the agent change what it tells of a session; nothing if there is no such session.
    pub fn update(&self, session: &str, change: impl FnOnce(&mut AgentSession)) {
        if let Some(played) = self.stored().sessions.get_mut(session) {
            change(&mut played.session);
        }
    }

    /// What a session was started with.
    pub fn asked(&self, session: &str) -> Option<NewAgentSession> {
        self.stored().sessions.get(session).map(|played| played.asked.clone())
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        session: &str,
        act: impl FnOnce(&mut Played) -> Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        match self.stored().sessions.get_mut(session) {
            Some(played) => act(played),
            None => Err(AgentError::NotFound { what: "session", name: session.to_owned() }),
        }
    }
}

impl Played {
    fn user_did(&mut self, event: ActivityEvent) {
        let id = format!("user-{}", self.activities.len());
        let originator = Originator::User;
        let activity = Activity { id, at: None, originator, event, description: None, artifacts: Vec::new() };
        self.activities.push(activity);
    }
}

#[async_trait]
impl CodeAgent for MemoryAgent {
    fn has_own_key(&self) -> bool {
        true
    }

    async fn sources(&self, _key: Option<&SecretString>) -> Result<Vec<AgentSource>, AgentError> {
        Ok(self.stored().sources.clone())
    }

    async fn start(
        &self,
        _key: Option<&SecretString>,
        new: &NewAgentSession,
    ) -> Result<AgentSession, AgentError> {
        let mut stored = self.stored();
        if stored.sources.iter().all(|source| source.name != new.source) {
            return Err(AgentError::NotFound { what: "source", name: new.source.clone() });
        }
        let name = format!("sessions/{}", stored.sessions.len());
        let session = AgentSession {
            name: name.clone(),
            state: SessionState::Queued,
            url: None,
            pull_request: None,
            change: None,
        };
        let played = Played {
            asked: new.clone(),
            session: session.clone(),
            activities: Vec::new(),
            media: BTreeMap::new(),
        };
        stored.sessions.insert(name, played);
        Ok(session)
    }

    async fn session(&self, _key: Option<&SecretString>, session: &str) -> Result<AgentSession, AgentError> {
        self.with(session, |played| Ok(played.session.clone()))
    }

    async fn send(
        &self,
        _key: Option<&SecretString>,
        session: &str,
        message: &str,
    ) -> Result<(), AgentError> {
        let message = message.to_owned();
        self.with(session, |played| {
            played.user_did(ActivityEvent::UserMessaged { message });
            Ok(())
        })
    }

    async fn approve_plan(&self, _key: Option<&SecretString>, session: &str) -> Result<(), AgentError> {
        self.with(session, |played| {
            if played.session.state != SessionState::AwaitingPlanApproval {
                return Err(AgentError::Refused { reason: "the session waits for no approval".to_owned() });
            }
            let latest = played.activities.iter().rev().find_map(|activity| match &activity.event {
                ActivityEvent::PlanGenerated(plan) => Some(plan.id.clone()),
                _ => None,
            });
            played.user_did(ActivityEvent::PlanApproved { plan: latest.unwrap_or_default() });
            played.session.state = SessionState::InProgress;
            Ok(())
        })
    }

    async fn activities(
        &self,
        _key: Option<&SecretString>,
        session: &str,
        since: Option<&FeedCursor>,
    ) -> Result<ActivityFeed, AgentError> {
        let from: usize = since.and_then(|since| since.as_str().parse().ok()).unwrap_or_default();
        self.with(session, |played| {
            let activities = played.activities.iter().skip(from).cloned().collect();
            let cursor = Some(FeedCursor::new(played.activities.len().to_string()));
            Ok(ActivityFeed { activities, cursor })
        })
    }

    async fn media(
        &self,
        _key: Option<&SecretString>,
        session: &str,
        activity: &str,
        place: usize,
    ) -> Result<Option<Media>, AgentError> {
        self.with(session, |played| {
            let missing = || AgentError::NotFound { what: "activity", name: activity.to_owned() };
            let found = played.activities.iter().find(|known| known.id == activity).ok_or_else(missing)?;
            let Some(Artifact::Media { media_type }) = found.artifacts.get(place) else { return Ok(None) };
            let content = played.media.get(&(activity.to_owned(), place)).cloned().unwrap_or_default();
            Ok(Some(Media { media_type: media_type.clone(), content }))
        })
    }
}
