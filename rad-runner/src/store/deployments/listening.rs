//! News of other processes over PostgreSQL: triggers tell them when a change is committed, each process listens.

use std::time::Duration;

use rad_core::error::BackendError;
use rad_core::live::News;
use rad_sql::postgres::{Heard, Listener};
use rad_sql::{Database, sql};
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// What the triggers tell on.
const CHANNEL: &str = "rad_runner";

/// How long it waits before it connects again.
const AGAIN: Duration = Duration::from_secs(1);

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has `news` tell what other processes change in a database; `None` for a SQLite file, of which nobody tells.
pub(super) async fn listen(database: &Database, news: &News) -> Result<Option<Listening>, BackendError> {
    let Database::Postgres(pool) = database else { return Ok(None) };
    let row = sql("SELECT current_schema()::text AS name").one(database, "reading the schema's name").await?;
    let ours = row.get::<String>("name")? + " ";
    let mut listener = Listener::on(pool, CHANNEL).await?;
    let news = news.clone();
    let listening = async move {
        loop {
            match listener.next().await {
                Ok(Heard::Told(told)) => {
                    // Processes with their tables in other schemas tell on the same channel.
                    let topic = told.strip_prefix(&ours).and_then(|topic| topic.parse().ok());
                    topic.into_iter().for_each(|topic| news.tell(topic));
                }
                Ok(_) => news.tell_all(),
                Err(error) => {
                    tracing::warn!(%error, "news of other processes are not heard for a moment");
                    sleep(AGAIN).await;
                    news.tell_all();
                }
            }
        }
    };
    Ok(Some(Listening(tokio::spawn(listening).abort_handle())))
}
