//! Refining: who may, what the agent is told, and what becomes of a change it proposes.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use rad_core::access::Publisher;
use rad_core::agent::change::ChangeError;
use rad_core::agent::{
    Activity, ActivityEvent, AgentError, AgentSession, AgentSource, Artifact, ChangeSet, NewAgentSession,
    Originator, Plan, PlanStep, SessionState,
};
use rad_core::id::RefineId;
use rad_core::platform::{Actor, PlatformError, RefineView};
use rad_core::refine::RefineSession;
use rad_core::repo::{RepoAccess, RepoSource as _};
use rad_core::source::{CommitId, SourceTree};
use secrecy::{ExposeSecret as _, SecretString};

use super::market::{MODULES, Market};

const SHOP: RepoAccess<'_> =
    RepoAccess { repository: "shop", publisher: Publisher::Platform, credential: None };

struct Talk {
    market: Market,
    partner: Actor,
    session: RefineSession,
}

impl Talk {
    async fn begin() -> Self {
        let market = Market::open().await;
        market.agent_service.connect("shop");
        market.connect(market.partner).await;
        let partner = market.actor(market.partner).await;
        let session = partner.refine("private", "Make it dearer.\nBy one credit.").await.unwrap();
        Self { market, partner, session }
    }

    fn agents(&self) -> &str {
        self.session.progress.agent_session.as_deref().unwrap()
    }

    /// The agent does something, and time passes.
    fn act(&self, id: &str, event: ActivityEvent, artifacts: Vec<Artifact>) {
        let originator = Originator::Agent;
        let activity =
            Activity { id: id.to_owned(), at: None, originator, event, description: None, artifacts };
        self.market.agent_service.act(self.agents(), activity);
        self.market.clock.advance(TimeDelta::seconds(5));
    }

    fn state(&self, state: SessionState) {
        self.market.agent_service.update(self.agents(), |session| session.state = state);
        self.market.clock.advance(TimeDelta::seconds(5));
    }

    async fn view(&self) -> RefineView {
        self.partner.refine_view(self.session.id).await.unwrap()
    }

    async fn head(&self) -> (CommitId, SourceTree) {
        let head = self.market.repos.head(SHOP, None).await.unwrap();
        let tree = self.market.repos.tree(SHOP, &head.commit, "").await.unwrap();
        (head.commit, tree)
    }

    /// The agent proposes to change the price of the module `private` as it is at the head now.
    async fn propose(&self, price: &str) -> ChangeSet {
        let (head, _) = self.head().await;
        let patch = format!(
            "diff --git a/private/main.tf b/private/main.tf\n--- a/private/main.tf\n+++ b/private/main.tf\n\
             @@ -1 +1 @@\n-variable \"credit_cost\" {{ default = 1 }}\n\\ No newline at end of file\n\
             +variable \"credit_cost\" {{ default = {price} }}\n\\ No newline at end of file\n"
        );
        let change = ChangeSet { base: Some(head), patch, message: format!("Charge {price}") };
        let artifacts = vec![Artifact::Change(change.clone())];
        self.act(&format!("proposes {price}"), ActivityEvent::Completed, artifacts);
        change
    }

    async fn price(&self) -> String {
        let tree = self.head().await.1;
        String::from_utf8(tree.file("private/main.tf").unwrap().to_vec()).unwrap()
    }
}

#[tokio::test]
async fn a_talk_goes_from_a_message_over_a_plan_to_a_commit() {
    let talk = Talk::begin().await;
    let asked = talk.market.agent_service.asked(talk.agents()).unwrap();
    assert!(
        asked.prompt.contains("\"private\"") && asked.prompt.ends_with("Make it dearer.\nBy one credit.")
    );
    assert_eq!((asked.title.as_str(), asked.branch.as_str()), ("private: Make it dearer.", "main"));
    assert!(asked.require_plan_approval);

    let step = PlanStep { title: "Raise the price".to_owned(), description: String::new() };
    let plan = Plan { id: "p".to_owned(), steps: vec![step] };
    talk.act("plan", ActivityEvent::PlanGenerated(plan.clone()), Vec::new());
    talk.state(SessionState::AwaitingPlanApproval);
    assert_eq!(talk.view().await.waiting_plan(), Some(&plan));
    talk.partner.approve_agent_plan(talk.session.id).await.unwrap();
    assert_eq!(talk.view().await.waiting_plan(), None, "the next look asks the agent");
    talk.partner.send_to_agent(talk.session.id, " Go on. ").await.unwrap();

    let change = talk.propose("2").await;
    let view = talk.view().await;
    let proposed = view.proposed().unwrap().unwrap();
    assert_eq!((proposed.files.len(), proposed.files[0].counts()), (1, (1, 1)));
    let accepted = talk.partner.accept_change(talk.session.id, &proposed.digest).await.unwrap();
    assert_eq!(accepted.by, talk.market.partner);
    assert!(talk.price().await.contains("default = 2"));
    assert_eq!(talk.head().await.0, accepted.commit);

    let again = talk.partner.accept_change(talk.session.id, &change.digest()).await.unwrap();
    assert_eq!(again, accepted, "a change is committed once");
    assert_eq!(talk.view().await.proposed().unwrap().unwrap().accepted, Some(accepted));
    let messages = talk.view().await.activities;
    let events: Vec<&ActivityEvent> = messages.iter().map(|activity| &activity.event).collect();
    assert!(
        matches!(events[2], ActivityEvent::UserMessaged { message } if message == "Go on."),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_change_is_carried_over_to_a_branch_that_moved_on() {
    let talk = Talk::begin().await;
    let change = talk.propose("2").await;
    let mut modules = MODULES.to_vec();
    modules.push(("more", ""));
    talk.market.push(&modules);
    talk.view().await;
    talk.partner.accept_change(talk.session.id, &change.digest()).await.unwrap();
    assert!(talk.price().await.contains("default = 2"));
    assert!(talk.head().await.1.file("more/main.tf").is_some(), "what came since stays");
}

#[tokio::test]
async fn a_change_is_proposed_on_a_branch_of_its_own() {
    let talk = Talk::begin().await;
    let change = talk.propose("7").await;
    let (head, _) = talk.head().await;
    let propose =
        async |change: &ChangeSet| talk.partner.propose_change(talk.session.id, &change.digest()).await;
    let proposed = propose(&change).await.unwrap();
    assert!(proposed.branch.starts_with("rad/private-") && proposed.url.is_none(), "{proposed:?}");
    let at = talk.market.repos.head(SHOP, Some(&proposed.branch)).await.unwrap().commit;
    let tree = talk.market.repos.tree(SHOP, &at, "private").await.unwrap();
    assert_eq!(tree.file("main.tf").unwrap(), "variable \"credit_cost\" { default = 7 }");
    assert_eq!(propose(&change).await.unwrap(), proposed);
    let again = talk.market.repos.head(SHOP, Some(&proposed.branch)).await.unwrap().commit;
    assert_eq!((again, talk.head().await.0), (at, head), "once, and the branch it is meant for stays");

    let other = talk.propose("8").await;
    assert!(matches!(propose(&change).await.unwrap_err(), PlatformError::PlanChanged));
    talk.partner.accept_change(talk.session.id, &other.digest()).await.unwrap();
    let refused = propose(&other).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "change", .. }), "{refused}");
}

#[tokio::test]
async fn a_conflict_names_the_place_and_commits_nothing() {
    let talk = Talk::begin().await;
    let change = talk.propose("2").await;
    let mut modules = MODULES.to_vec();
    modules.retain(|(name, _)| *name != "private");
    modules.push(("private", "variable \"credit_cost\" { default = 7 }"));
    talk.market.push(&modules);
    let before = talk.head().await.0;
    talk.view().await;
    let refused = talk.partner.accept_change(talk.session.id, &change.digest()).await.unwrap_err();
    let PlatformError::Change(ChangeError::Conflict { path, line, .. }) = &refused else {
        panic!("{refused}")
    };
    assert_eq!((path.as_str(), *line), ("private/main.tf", Some(1)));
    assert_eq!(talk.head().await.0, before);
}

#[tokio::test]
async fn what_was_committed_and_not_recorded_is_found_again() {
    let talk = Talk::begin().await;
    let change = talk.propose("2").await;
    let mut modules = MODULES.to_vec();
    modules.retain(|(name, _)| *name != "private");
    modules.push(("private", "variable \"credit_cost\" { default = 2 }"));
    talk.market.push(&modules);
    let before = talk.head().await.0;
    talk.view().await;
    let accepted = talk.partner.accept_change(talk.session.id, &change.digest()).await.unwrap();
    assert_eq!(
        (accepted.commit, talk.head().await.0),
        (before.clone(), before),
        "there is nothing left to do"
    );
}

#[tokio::test]
async fn only_what_was_looked_at_is_accepted() {
    let talk = Talk::begin().await;
    let first = talk.propose("2").await;
    talk.view().await;
    talk.propose("3").await;
    let refused = talk.partner.accept_change(talk.session.id, &first.digest()).await.unwrap_err();
    assert!(matches!(refused, PlatformError::PlanChanged), "{refused}");
    assert!(talk.price().await.contains("default = 1"));

    let nowhere = ChangeSet { base: None, ..first };
    talk.act("again", ActivityEvent::Completed, vec![Artifact::Change(nowhere.clone())]);
    let refused = talk.partner.accept_change(talk.session.id, &nowhere.digest()).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Change(ChangeError::NoBase)), "{refused}");
}

#[tokio::test]
async fn a_talk_is_its_publishers_alone() {
    let talk = Talk::begin().await;
    let (market, id) = (&talk.market, talk.session.id);
    for account in [market.user, market.finance, market.agent] {
        let other = market.actor(account).await;
        assert!(!other.can_refine());
        for refused in refusals(&other, id).await {
            assert!(matches!(refused, PlatformError::Forbidden { .. }), "{refused}");
        }
    }
    let admin = market.actor(market.admin).await;
    assert!(admin.can_refine());
    assert!(admin.refine_sessions(None).await.unwrap().is_empty(), "the platform's own are others");
    for refused in refusals(&admin, id).await {
        let missing = matches!(refused, PlatformError::NotFound { .. } | PlatformError::NotConnected);
        assert!(missing, "{refused}");
    }
    let own = talk.partner.refine_sessions(Some("private")).await.unwrap();
    assert_eq!(own.iter().map(|session| session.id).collect::<Vec<_>>(), [id]);
    assert!(talk.partner.refine_sessions(Some("small")).await.unwrap().is_empty());
}

async fn refusals(actor: &Actor, id: RefineId) -> Vec<PlatformError> {
    let digest = rad_core::source::Digest::ZERO;
    vec![
        actor.refine("private", "x").await.unwrap_err(),
        actor.refine_view(id).await.unwrap_err(),
        actor.send_to_agent(id, "x").await.unwrap_err(),
        actor.approve_agent_plan(id).await.unwrap_err(),
        actor.accept_change(id, &digest).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_talk_that_cannot_begin_says_why() {
    let market = Market::open().await;
    let partner = market.actor(market.partner).await;
    let refused = partner.refine("private", "x").await.unwrap_err();
    assert!(matches!(refused, PlatformError::NotConnected), "{refused}");
    market.connect(market.partner).await;
    let refused = partner.refine("private", "x").await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "repository", .. }), "{refused}");
    market.agent_service.connect("Shop");
    for module in ["nowhere", "", "..", "private/main.tf"] {
        let refused = partner.refine(module, "x").await.unwrap_err();
        assert!(matches!(refused, PlatformError::NotFound { .. }), "{module}: {refused}");
    }
    for message in [" ", &"x".repeat(20_001)] {
        let refused = partner.refine("private", message).await.unwrap_err();
        assert!(matches!(refused, PlatformError::Invalid { field: "message", .. }), "{refused}");
    }
    assert!(partner.refine_sessions(None).await.unwrap().is_empty());
    partner.refine("private", "x").await.unwrap();
}

fn is_right(key: Option<&SecretString>) -> bool {
    key.is_some_and(|key| key.expose_secret() == "right")
}

/// An agent that can be reached, starts what is asked for with the right key, and does nothing else.
#[derive(Debug)]
struct Mute;

#[async_trait]
impl rad_core::agent::CodeAgent for Mute {
    fn has_own_key(&self) -> bool {
        false
    }

    async fn sources(&self, key: Option<&SecretString>) -> Result<Vec<AgentSource>, AgentError> {
        if key.is_some() && !is_right(key) {
            return Err(AgentError::Denied { reason: "it is wrong".to_owned() });
        }
        let repository = Some("shop".to_owned());
        Ok(vec![AgentSource { name: "s".to_owned(), repository }])
    }

    async fn start(
        &self,
        key: Option<&SecretString>,
        new: &NewAgentSession,
    ) -> Result<AgentSession, AgentError> {
        if new.prompt.ends_with("refuse") || (new.prompt.ends_with("with the key") && !is_right(key)) {
            return Err(AgentError::Refused { reason: "no".to_owned() });
        }
        let state = SessionState::Queued;
        Ok(AgentSession { name: "n".to_owned(), state, url: None, pull_request: None, change: None })
    }

    async fn session(&self, _: Option<&SecretString>, _: &str) -> Result<AgentSession, AgentError> {
        Err(AgentError::Denied { reason: "the key was revoked".to_owned() })
    }

    async fn send(&self, _: Option<&SecretString>, _: &str, _: &str) -> Result<(), AgentError> {
        Err(AgentError::Refused { reason: "no".to_owned() })
    }

    async fn approve_plan(&self, _: Option<&SecretString>, _: &str) -> Result<(), AgentError> {
        Err(AgentError::Refused { reason: "no".to_owned() })
    }

    async fn media(
        &self,
        _: Option<&SecretString>,
        _: &str,
        _: &str,
        _: usize,
    ) -> Result<Option<rad_core::agent::Media>, AgentError> {
        Ok(None)
    }

    async fn activities(
        &self,
        _: Option<&SecretString>,
        _: &str,
        _: Option<&rad_core::agent::FeedCursor>,
    ) -> Result<rad_core::agent::ActivityFeed, AgentError> {
        Err(AgentError::Refused { reason: "no".to_owned() })
    }
}

#[tokio::test]
async fn an_agent_that_fails_leaves_what_was_told_before() {
    let market = Market::with_agent(Arc::new(Mute)).await;
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    assert!(matches!(partner.refine("private", "refuse").await, Err(PlatformError::Agent(_))));
    let never = partner.refine_sessions(None).await.unwrap().remove(0);
    assert_eq!(never.progress.problem.as_deref(), Some("the code agent refuses: no"));
    let refused = partner.send_to_agent(never.id, "x").await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "session", .. }), "{refused}");

    market.clock.advance(TimeDelta::seconds(5));
    let begun = partner.refine("private", "begin").await.unwrap();
    let view = partner.refine_view(begun.id).await.unwrap();
    assert_eq!(view.problem.as_deref(), Some("the code agent denies access: the key was revoked"));
    assert_eq!(view.session.progress.state, Some(SessionState::Queued));
}

#[tokio::test]
async fn a_key_is_checked_before_it_is_saved_and_opens_the_agent_for_its_publisher() {
    let market = Market::with_agent(Arc::new(Mute)).await;
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let refused = partner.save_agent_key(&"wrong".into()).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Agent(AgentError::Denied { .. })), "{refused}");
    assert!(!partner.has_agent_key().await.unwrap(), "what is refused is not saved");
    assert!(partner.refine("private", "with the key").await.is_err());

    partner.save_agent_key(&"right".into()).await.unwrap();
    assert!(partner.has_agent_key().await.unwrap());
    partner.refine("private", "with the key").await.unwrap();
    let admin = market.actor(market.admin).await;
    assert!(!admin.has_agent_key().await.unwrap(), "another publisher has another key");
    let user = market.actor(market.user).await;
    assert!(matches!(user.save_agent_key(&"right".into()).await, Err(PlatformError::Forbidden { .. })));

    partner.forget_agent_key().await.unwrap();
    assert!(partner.refine("private", "with the key").await.is_err());
}

#[tokio::test]
async fn pictures_are_shown_to_their_publisher_and_nothing_else_is() {
    let talk = Talk::begin().await;
    let media = |media_type: &str| Artifact::Media { media_type: media_type.to_owned() };
    let artifacts = vec![media("image/png"), media("text/html"), media("image/svg+xml")];
    talk.act("shows", ActivityEvent::Completed, artifacts);
    for place in 0..3 {
        talk.market.agent_service.show(talk.agents(), "shows", place, "content");
    }
    let id = talk.session.id;
    let shown = talk.partner.agent_picture(id, "shows", 0).await.unwrap();
    assert_eq!((shown.media_type.as_str(), shown.content.as_ref()), ("image/png", b"content".as_slice()));
    for (activity, place) in [("shows", 1), ("shows", 2), ("shows", 3), ("none", 0)] {
        let refused = talk.partner.agent_picture(id, activity, place).await.unwrap_err();
        assert!(matches!(refused, PlatformError::NotFound { .. }), "{activity} {place}: {refused}");
    }
    let admin = talk.market.actor(talk.market.admin).await;
    assert!(matches!(admin.agent_picture(id, "shows", 0).await, Err(PlatformError::NotFound { .. })));
}
