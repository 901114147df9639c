//! Refine sessions, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::agent::Activity;
use rad_core::error::BackendError;
use rad_core::id::RefineId;
use rad_core::refine::{AcceptedChange, RefineError, RefineProgress, RefineSession, RefineStore};
use rad_sql::{Database, Row, Transaction, json, sql};

/// A [`RefineStore`] in a SQLite file or a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct SqlRefinements {
    database: Database,
}

impl SqlRefinements {
    /// The sessions in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }

    /// Changes a session while nobody else does.
    async fn change<T>(
        &self,
        id: RefineId,
        change: impl FnOnce(&mut RefineSession) -> T,
    ) -> Result<(Transaction, T), RefineError> {
        let mut transaction = self.database.begin().await?;
        let find = sql("SELECT session FROM refine_sessions WHERE id = $1").bind(id).for_update();
        let found = find.optional(&mut transaction, "reading a refine session").await?;
        let mut session = session_of(&found.ok_or(RefineError::NotFound)?)?;
        let changed = change(&mut session);
        let update =
            sql("UPDATE refine_sessions SET session = $1 WHERE id = $2").bind(json(&session)?).bind(id);
        update.execute(&mut transaction, "recording a refine session").await?;
        Ok((transaction, changed))
    }
}

#[async_trait]
impl RefineStore for SqlRefinements {
    async fn create(&self, session: &RefineSession) -> Result<(), RefineError> {
        let created = sql(
            "INSERT INTO refine_sessions (id, publisher, module, started_at, session) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(session.id)
        .bind(session.publisher)
        .bind(&session.module)
        .bind(session.started_at)
        .bind(json(session)?)
        .execute(&self.database, "keeping a refine session")
        .await?;
        if created == 0 { Err(RefineError::Exists { id: session.id }) } else { Ok(()) }
    }

    async fn session(&self, id: RefineId) -> Result<RefineSession, RefineError> {
        let find = sql("SELECT session FROM refine_sessions WHERE id = $1").bind(id);
        let found = find.optional(&self.database, "reading a refine session").await?;
        Ok(session_of(&found.ok_or(RefineError::NotFound)?)?)
    }

    async fn sessions(
        &self,
        publisher: Publisher,
        module: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RefineSession>, RefineError> {
        let mut list = sql("SELECT session FROM refine_sessions WHERE publisher = ");
        list.push_bind(publisher);
        if let Some(module) = module {
            list.push(" AND module = ").push_bind(module);
        }
        list.push(" ORDER BY started_at DESC, id DESC LIMIT ").push_bind(limit);
        let rows = list.rows(&self.database, "listing refine sessions").await?;
        Ok(rows.iter().map(session_of).collect::<Result<_, _>>()?)
    }

    async fn record(
        &self,
        id: RefineId,
        seen: DateTime<Utc>,
        progress: &RefineProgress,
        activities: &[Activity],
        at: DateTime<Utc>,
    ) -> Result<(), RefineError> {
        let (mut transaction, ()) = self.change(id, |session| session.record(seen, progress, at)).await?;
        for activity in activities {
            sql("INSERT INTO refine_activities (session, place, id, activity)
                 VALUES ($1, (SELECT coalesce(max(place), 0) + 1 FROM refine_activities WHERE session = $1), $2, $3)
                 ON CONFLICT DO NOTHING")
            .bind(id)
            .bind(&activity.id)
            .bind(json(activity)?)
            .execute(&mut transaction, "keeping an activity")
            .await?;
        }
        Ok(transaction.commit("recording a refine session").await?)
    }

    async fn activities(&self, id: RefineId) -> Result<Vec<Activity>, RefineError> {
        let during = "reading activities";
        let list = sql("SELECT activity FROM refine_activities WHERE session = $1 ORDER BY place").bind(id);
        let rows = list.rows(&self.database, during).await?;
        if rows.is_empty()
            && !sql("SELECT 1 FROM refine_sessions WHERE id = $1")
                .bind(id)
                .finds(&self.database, during)
                .await?
        {
            return Err(RefineError::NotFound);
        }
        Ok(rows.iter().map(|row| row.json("activity")).collect::<Result<_, _>>()?)
    }

    async fn accept(&self, id: RefineId, accepted: &AcceptedChange) -> Result<AcceptedChange, RefineError> {
        let (transaction, kept) = self.change(id, |session| session.accept(accepted)).await?;
        transaction.commit("keeping an acceptance").await?;
        Ok(kept)
    }
}

fn session_of(row: &Row) -> Result<RefineSession, BackendError> {
    row.json("session")
}
