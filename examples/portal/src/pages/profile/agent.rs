//! The publisher's own key of the code agent.

use axum::extract::State;
use rad_core::platform::PlatformError;
use secrecy::SecretString;

use super::{Aside, refused};
use crate::error::PageError;
use crate::pages::{Answer, go};
use crate::session::{Posted, Session};
use crate::state::App;

/// The key, which is never shown.
pub(super) struct AgentView {
    pub(super) has_key: bool,
    /// Whether the agent opens without a key of the publisher.
    pub(super) is_shared: bool,
    pub(super) problem: Option<String>,
}

/// `POST /profile/agent`
pub(in crate::pages) async fn save_key(State(app): State<App>, form: Posted) -> Answer {
    let key = SecretString::from(form.fields.text("key"));
    match form.session.actor.save_agent_key(&key).await {
        Ok(()) => go("/profile?notice=key#agent"),
        Err(refusal @ PlatformError::Agent(_)) => {
            let (_, problem) = PageError::from(refusal).in_place();
            refused(&app, &form.session, Aside { key: Some(problem), ..Aside::default() }).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /profile/agent/forget`
pub(in crate::pages) async fn forget_key(form: Posted) -> Answer {
    form.session.actor.forget_agent_key().await?;
    go("/profile?notice=key-forgotten#agent")
}

pub(super) async fn view(session: &Session, aside: &Aside<'_>) -> Result<Option<AgentView>, PageError> {
    let actor = &session.actor;
    if !actor.can_refine() {
        return Ok(None);
    }
    let has_key = actor.has_agent_key().await?;
    let is_shared = !has_key && actor.has_agent().await?;
    Ok(Some(AgentView { has_key, is_shared, problem: aside.key.clone() }))
}
