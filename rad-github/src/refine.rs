//! Refine sessions in a SQLite file.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::agent::Activity;
use rad_core::error::BackendError;
use rad_core::id::RefineId;
use rad_core::refine::{AcceptedChange, RefineError, RefineProgress, RefineSession, RefineStore};
use serde::Serialize;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::catalog::publisher_key;
use crate::sqlite::{begin, column, failed};

/// A [`RefineStore`] in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteRefinements {
    pool: SqlitePool,
}

impl SqliteRefinements {
    /// The sessions in a database that [`open`](crate::sqlite::open) opened or [`migrate`](crate::sqlite::migrate) prepared.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Changes a session while nobody else does.
    async fn change<T>(
        &self,
        id: RefineId,
        change: impl FnOnce(&mut RefineSession) -> T,
    ) -> Result<(Transaction<'static, Sqlite>, T), RefineError> {
        let mut transaction = begin(&self.pool).await?;
        let mut session = load(&mut transaction, id).await?;
        let changed = change(&mut session);
        sqlx::query("UPDATE refine_sessions SET session = ? WHERE id = ?")
            .bind(json(&session)?)
            .bind(id.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await
            .map_err(failed("recording a refine session"))?;
        Ok((transaction, changed))
    }
}

#[async_trait]
impl RefineStore for SqliteRefinements {
    async fn create(&self, session: &RefineSession) -> Result<(), RefineError> {
        let created = sqlx::query(
            "INSERT INTO refine_sessions (id, publisher, module, started_at, session) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(session.id.as_bytes().as_slice())
        .bind(publisher_key(session.publisher))
        .bind(&session.module)
        .bind(session.started_at.timestamp_micros())
        .bind(json(session)?)
        .execute(&self.pool)
        .await
        .map_err(failed("keeping a refine session"))?;
        if created.rows_affected() == 0 { Err(RefineError::Exists { id: session.id }) } else { Ok(()) }
    }

    async fn session(&self, id: RefineId) -> Result<RefineSession, RefineError> {
        let mut connection = self.pool.acquire().await.map_err(failed("reading a refine session"))?;
        load(&mut connection, id).await
    }

    async fn sessions(
        &self,
        publisher: Publisher,
        module: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RefineSession>, RefineError> {
        let rows = sqlx::query(
            "SELECT session FROM refine_sessions WHERE publisher = ?1 AND (?2 IS NULL OR module = ?2)
             ORDER BY started_at DESC, id DESC LIMIT ?3",
        )
        .bind(publisher_key(publisher))
        .bind(module)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("listing refine sessions"))?;
        Ok(rows.iter().map(session_of).collect::<Result<_, _>>()?)
    }

    async fn record(
        &self,
        id: RefineId,
        progress: &RefineProgress,
        activities: &[Activity],
        at: DateTime<Utc>,
    ) -> Result<(), RefineError> {
        let recorded = self.change(id, |session| {
            session.progress = progress.clone();
            session.recorded_at = at;
        });
        let (mut transaction, ()) = recorded.await?;
        for activity in activities {
            sqlx::query(
                "INSERT INTO refine_activities (session, place, id, activity)
                 VALUES (?1, (SELECT coalesce(max(place), 0) + 1 FROM refine_activities WHERE session = ?1), ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )
            .bind(id.as_bytes().as_slice())
            .bind(&activity.id)
            .bind(json(activity)?)
            .execute(&mut *transaction)
            .await
            .map_err(failed("keeping an activity"))?;
        }
        Ok(transaction.commit().await.map_err(failed("recording a refine session"))?)
    }

    async fn activities(&self, id: RefineId) -> Result<Vec<Activity>, RefineError> {
        let mut snapshot = self.pool.begin().await.map_err(failed("reading activities"))?;
        load(&mut snapshot, id).await?;
        let rows = sqlx::query("SELECT activity FROM refine_activities WHERE session = ? ORDER BY place")
            .bind(id.as_bytes().as_slice())
            .fetch_all(&mut *snapshot)
            .await
            .map_err(failed("reading activities"))?;
        let read = |row: &SqliteRow| column(row, "activity", |json: &str| serde_json::from_str(json).ok());
        Ok(rows.iter().map(read).collect::<Result<_, BackendError>>()?)
    }

    async fn accept(&self, id: RefineId, accepted: &AcceptedChange) -> Result<AcceptedChange, RefineError> {
        let (transaction, kept) = self.change(id, |session| session.accept(accepted)).await?;
        transaction.commit().await.map_err(failed("keeping an acceptance"))?;
        Ok(kept)
    }
}

async fn load(connection: &mut SqliteConnection, id: RefineId) -> Result<RefineSession, RefineError> {
    let row = sqlx::query("SELECT session FROM refine_sessions WHERE id = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("reading a refine session"))?;
    Ok(session_of(&row.ok_or(RefineError::NotFound)?)?)
}

fn session_of(row: &SqliteRow) -> Result<RefineSession, BackendError> {
    column(row, "session", |json: &str| serde_json::from_str(json).ok())
}

fn json(value: &impl Serialize) -> Result<String, BackendError> {
    serde_json::to_string(value).map_err(|e| BackendError::permanent("writing a refine session", e))
}
