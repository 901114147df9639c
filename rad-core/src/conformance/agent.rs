//! The contract of [`CodeAgent`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{must, must_fail};
use crate::agent::{
    Activity, ActivityEvent, AgentError, AgentSession, Artifact, ChangeSet, CodeAgent, FeedCursor, Media,
    NewAgentSession, Originator, Plan, PlanStep, PullRequest, SessionState,
};

/// Plays the part of the service behind the agent under test.
#[async_trait]
pub trait AgentFixture: Sync {
    /// The agent under test.
    fn agent(&self) -> &dyn CodeAgent;

    /// What opens it, if something must.
    fn key(&self) -> Option<&SecretString> {
        None
    }

    /// Whether it asks for a key.
    fn asks_for_a_key(&self) -> bool {
        false
    }

    /// Lets the agent reach a repository.
    async fn connect(&self, repository: &str);

    /// Has the service tell of an activity in a session.
    async fn act(&self, session: &str, activity: Activity);

    /// Gives the artifact at `place` of an activity its content.
    async fn show(&self, session: &str, activity: &str, place: usize, content: &'static [u8]);

    /// Has the service tell of a session in this way.
    async fn tell(&self, session: AgentSession);
}

/// The whole contract.
///
/// # Panics
/// If it is broken.
pub async fn all(fixture: &dyn AgentFixture) {
    lists_sources(fixture).await;
    tells_of_sessions(fixture).await;
    takes_messages_and_approvals(fixture).await;
    feeds_every_kind_of_activity(fixture).await;
    feeds_what_is_new(fixture).await;
    denies_other_keys(fixture).await;
}

/// Every source is listed, however many there are.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_sources(fixture: &dyn AgentFixture) {
    for number in 0..130 {
        fixture.connect(&format!("listed/modules-{number}")).await;
    }
    let sources = must("the sources are listed", fixture.agent().sources(fixture.key()).await);
    for number in 0..130 {
        let repository = format!("Listed/Modules-{number}");
        let found = sources.iter().filter(|source| source.is_repository(&repository)).count();
        assert_eq!(found, 1, "{repository} is listed once, whatever the case of its name");
    }
}

/// A session is told of as it stands, in states that are known and in others.
///
/// # Panics
/// If the contract is broken.
pub async fn tells_of_sessions(fixture: &dyn AgentFixture) {
    let agent = fixture.agent();
    let started = start(fixture, "told/modules").await;
    for state in ["PLANNING", "AWAITING_USER_FEEDBACK", "PAUSED", "FAILED", "SOMETHING_NEW"] {
        let state = SessionState::from(state.to_owned());
        fixture.tell(AgentSession { state: state.clone(), ..started.clone() }).await;
        let told = must("a session", agent.session(fixture.key(), &started.name).await);
        assert_eq!(told.state, state, "known and unknown states are kept");
    }
    let wanted = AgentSession {
        state: SessionState::Completed,
        url: Some("https://agent.example.com/session/1".to_owned()),
        pull_request: Some(PullRequest {
            url: "https://git.example.com/told/modules/pull/7".to_owned(),
            title: "Add é".to_owned(),
            description: "Why.".to_owned(),
        }),
        change: Some(change()),
        ..started.clone()
    };
    fixture.tell(wanted.clone()).await;
    let told = must("a session", agent.session(fixture.key(), &started.name).await);
    assert_eq!(told, wanted, "with what came of it");

    for missing in ["sessions/no-such-session", "", "../sources", "sessions/a b", "sessions/é?x=1#y"] {
        let refusal = must_fail("an unknown session", agent.session(fixture.key(), missing).await);
        assert!(matches!(refusal, AgentError::NotFound { .. }), "{missing:?} is not found: {refusal:?}");
    }
    let new = NewAgentSession { source: "sources/no-such-source".to_owned(), ..new_session("") };
    let refusal = must_fail("an unknown source", agent.start(fixture.key(), &new).await);
    assert!(matches!(refusal, AgentError::NotFound { .. }), "a source that is not there: {refusal:?}");
}

/// Messages arrive, and a plan is approved once it waits for that.
///
/// # Panics
/// If the contract is broken.
pub async fn takes_messages_and_approvals(fixture: &dyn AgentFixture) {
    let (agent, key) = (fixture.agent(), fixture.key());
    let started = start(fixture, "talking/modules").await;
    must("a message is taken", agent.send(key, &started.name, "Say \"é\"\nin two lines").await);
    let refusal = must_fail("no plan waits", agent.approve_plan(key, &started.name).await);
    assert!(matches!(refusal, AgentError::Refused { .. }), "nothing waits for approval: {refusal:?}");

    fixture.tell(AgentSession { state: SessionState::AwaitingPlanApproval, ..started.clone() }).await;
    must("a plan is approved", agent.approve_plan(key, &started.name).await);
    let feed = must("the activities", agent.activities(key, &started.name, None).await);
    let events: Vec<&ActivityEvent> = feed.activities.iter().map(|activity| &activity.event).collect();
    let [ActivityEvent::UserMessaged { message }, ActivityEvent::PlanApproved { .. }] = &events[..] else {
        panic!("a message, then an approval: {events:?}");
    };
    assert_eq!(message, "Say \"é\"\nin two lines");

    for refusal in [
        must_fail("an unknown session", agent.send(key, "sessions/none", "hello").await),
        must_fail("an unknown session", agent.approve_plan(key, "sessions/none").await),
    ] {
        assert!(matches!(refusal, AgentError::NotFound { .. }), "an unknown session: {refusal:?}");
    }
}

/// Every kind of activity and artifact is told of as it is, those that are not known by their names.
///
/// # Panics
/// If the contract is broken.
pub async fn feeds_every_kind_of_activity(fixture: &dyn AgentFixture) {
    let started = start(fixture, "kinds/modules").await;
    let step = |title: &str| PlanStep { title: title.to_owned(), description: "in detail".to_owned() };
    let events = [
        ActivityEvent::PlanGenerated(Plan { id: "p1".to_owned(), steps: vec![step("one"), step("two")] }),
        ActivityEvent::PlanApproved { plan: "p1".to_owned() },
        ActivityEvent::UserMessaged { message: "hello".to_owned() },
        ActivityEvent::AgentMessaged { message: "hello, é".to_owned() },
        ActivityEvent::Progressed { title: "half".to_owned(), description: String::new() },
        ActivityEvent::Completed,
        ActivityEvent::Failed { reason: "out of ideas".to_owned() },
        ActivityEvent::Other { name: "somethingNew".to_owned() },
    ];
    let mut wanted: Vec<Activity> = (0..).zip(events).map(|(n, event)| activity(n, event)).collect();
    let originators = [Originator::User, Originator::System, Originator::Other("robot".to_owned())];
    for (activity, originator) in wanted.iter_mut().zip(originators) {
        activity.originator = originator;
    }
    wanted[4].artifacts = vec![
        Artifact::Change(change()),
        Artifact::CommandOutput {
            command: "terraform validate".to_owned(),
            output: "Success!\n".to_owned(),
            exit_code: Some(0),
        },
        Artifact::Media { media_type: "image/png".to_owned() },
        Artifact::Other { name: "somethingElse".to_owned() },
    ];
    wanted[5].description = Some("It is done.".to_owned());
    for activity in &wanted {
        fixture.act(&started.name, activity.clone()).await;
    }
    let feed = fixture.agent().activities(fixture.key(), &started.name, None).await;
    assert_eq!(must("the activities", feed).activities, wanted);

    let content = b"\x89PNG\r\n\x1a\n\0";
    let (name, picture) = (started.name.as_str(), wanted[4].id.as_str());
    fixture.show(name, picture, 2, content).await;
    let media = async |activity, place| fixture.agent().media(fixture.key(), name, activity, place).await;
    let wanted = Media { media_type: "image/png".to_owned(), content: content.as_slice().into() };
    assert_eq!(must("a picture", media(picture, 2).await), Some(wanted));
    for place in [0, 1, 3, 4] {
        assert_eq!(must("another artifact", media(picture, place).await), None, "{place} is no picture");
    }
    for missing in ["none", "", "../sessions", "a/b"] {
        let refusal = must_fail("no such activity", media(missing, 0).await);
        assert!(matches!(refusal, AgentError::NotFound { .. }), "{missing:?}: {refusal:?}");
    }
}

/// However often the feed is asked since where it ended, all activities come, in order and always the same.
///
/// # Panics
/// If the contract is broken.
pub async fn feeds_what_is_new(fixture: &dyn AgentFixture) {
    let started = start(fixture, "feed/modules").await;
    let mut cursor: Option<FeedCursor> = None;
    let mut seen: BTreeMap<String, Activity> = BTreeMap::new();
    let mut told = 0;
    for more in [0, 3, 0, 230, 1, 0] {
        for _ in 0..more {
            let event = ActivityEvent::AgentMessaged { message: format!("message {told}") };
            fixture.act(&started.name, activity(told, event)).await;
            told += 1;
        }
        let feed = fixture.agent().activities(fixture.key(), &started.name, cursor.as_ref()).await;
        let feed = must("the activities since a cursor", feed);
        assert!(feed.activities.is_sorted_by_key(|activity| activity.at), "from the oldest to the newest");
        for activity in feed.activities {
            let before = seen.insert(activity.id.clone(), activity.clone());
            assert!(before.is_none_or(|before| before == activity), "the same id, the same activity");
        }
        assert_eq!(seen.len() as u32, told, "nothing is left out");
        cursor = feed.cursor;
    }
}

/// Nothing is done for another key.
///
/// # Panics
/// If the contract is broken.
pub async fn denies_other_keys(fixture: &dyn AgentFixture) {
    if !fixture.asks_for_a_key() {
        return;
    }
    let wrong = SecretString::from("not the key");
    for key in ["not the key", "", "new\nline"].map(SecretString::from) {
        let refusal = must_fail("another key", fixture.agent().sources(Some(&key)).await);
        assert!(matches!(refusal, AgentError::Denied { .. }), "it is denied: {refusal:?}");
        let words = format!("{refusal} {refusal:?}");
        assert!(!words.contains("not the key"), "a refusal does not tell the key: {words}");
    }
    let started = start(fixture, "keys/modules").await;
    let refusal = must_fail("another key", fixture.agent().session(Some(&wrong), &started.name).await);
    assert!(matches!(refusal, AgentError::Denied { .. }), "it is denied: {refusal:?}");
}

async fn start(fixture: &dyn AgentFixture, repository: &str) -> AgentSession {
    fixture.connect(repository).await;
    let sources = must("the sources are listed", fixture.agent().sources(fixture.key()).await);
    let found = sources.into_iter().find(|source| source.is_repository(repository));
    let source = must("the source is there", found.ok_or("not listed")).name;
    let new = NewAgentSession { source, ..new_session(repository) };
    let started = must("a session starts", fixture.agent().start(fixture.key(), &new).await);
    let again = must("a session", fixture.agent().session(fixture.key(), &started.name).await);
    assert_eq!(again, started, "it is told of as it was started");
    started
}

fn new_session(title: &str) -> NewAgentSession {
    NewAgentSession {
        prompt: "Give the bucket a \"lifecycle\" rule.\nKeep the rest.".to_owned(),
        title: title.to_owned(),
        source: String::new(),
        branch: "main".to_owned(),
        require_plan_approval: true,
    }
}

fn activity(number: u32, event: ActivityEvent) -> Activity {
    let start = DateTime::<Utc>::from_timestamp(1_770_000_000, 0).unwrap_or_default();
    Activity {
        id: format!("a{number:04}"),
        at: Some(start + TimeDelta::milliseconds(i64::from(number) * 100)),
        originator: Originator::Agent,
        event,
        description: None,
        artifacts: Vec::new(),
    }
}

fn change() -> ChangeSet {
    ChangeSet {
        base: "12".repeat(20).parse().ok(),
        patch: "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-é\n+\\\"\n".to_owned(),
        message: "Change x\n\nAs asked.".to_owned(),
    }
}
