//! Code agents: the backends in memory keep the contracts, and changes are shown and carried over as Git means them.

mod changes;
mod laws;

use async_trait::async_trait;
use rad_core::agent::{Activity, AgentSession, CodeAgent};
use rad_core::conformance::agent::AgentFixture;
use rad_core::conformance::{agent, refine};
use rad_core::memory::{MemoryAgent, MemoryRefinements};

struct Played(MemoryAgent);

#[async_trait]
impl AgentFixture for Played {
    fn agent(&self) -> &dyn CodeAgent {
        &self.0
    }

    async fn connect(&self, repository: &str) {
        self.0.connect(repository);
    }

    async fn act(&self, session: &str, activity: Activity) {
        self.0.act(session, activity);
    }

    async fn show(&self, session: &str, activity: &str, place: usize, content: &'static [u8]) {
        self.0.show(session, activity, place, content);
    }

    async fn tell(&self, session: AgentSession) {
        let name = session.name.clone();
        self.0.update(&name, |told| *told = session);
    }
}

#[tokio::test]
async fn the_agent_keeps_the_contract() {
    agent::all(&Played(MemoryAgent::default())).await;
}

#[tokio::test]
async fn refine_sessions_keep_the_contract() {
    refine::all(&MemoryRefinements::default()).await;
}
