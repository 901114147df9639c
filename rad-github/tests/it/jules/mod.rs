//! The code agent Jules, against a server on this machine that speaks its API.

mod failures;
mod server;

use async_trait::async_trait;
use rad_core::agent::{Activity, AgentSession, CodeAgent};
use rad_core::conformance::agent::{self, AgentFixture};
use rad_core::conformance::refine;
use rad_github::{Jules, SqlRefinements};
use secrecy::SecretString;

use self::server::Server;

struct Fixture {
    server: Server,
    jules: Jules,
    key: SecretString,
}

impl Fixture {
    async fn over(server: Server) -> Self {
        Self { jules: server.jules(), key: server::KEY.into(), server }
    }
}

#[async_trait]
impl AgentFixture for Fixture {
    fn agent(&self) -> &dyn CodeAgent {
        &self.jules
    }

    fn key(&self) -> Option<&SecretString> {
        Some(&self.key)
    }

    fn asks_for_a_key(&self) -> bool {
        true
    }

    async fn connect(&self, repository: &str) {
        self.server.connect(repository);
    }

    async fn act(&self, session: &str, activity: Activity) {
        self.server.act(session, &activity);
    }

    async fn show(&self, session: &str, activity: &str, place: usize, content: &'static [u8]) {
        self.server.show(session, activity, place, content);
    }

    async fn tell(&self, session: AgentSession) {
        self.server.tell(&session);
    }
}

#[tokio::test]
async fn jules_keeps_the_contract() {
    agent::all(&Fixture::over(Server::start().await).await).await;
}

#[tokio::test]
async fn a_server_that_does_not_know_the_filter_by_time_is_read_whole() {
    let server = Server::start().await;
    server.know_no_filter();
    agent::feeds_what_is_new(&Fixture::over(server).await).await;
}

#[tokio::test]
async fn a_server_that_lists_the_newest_first_is_read_in_order() {
    let server = Server::start().await;
    server.list_newest_first();
    agent::feeds_what_is_new(&Fixture::over(server).await).await;
}

#[tokio::test]
async fn refine_sessions_keep_the_contract() {
    for test in crate::one_of_each().await {
        refine::all(&SqlRefinements::new(test.database.clone())).await;
    }
}
