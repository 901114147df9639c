//! How repositories are watched, and the syncs there were, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::watch::{Look, MOST_SYNCS, SyncRecord, Watch, WatchStore};
use rad_sql::{Database, Row, json, sql};

/// A [`WatchStore`] in a SQLite file or a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct SqlWatches {
    database: Database,
}

impl SqlWatches {
    /// The watches in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl WatchStore for SqlWatches {
    async fn watch(&self, publisher: Publisher) -> Result<Option<Watch>, BackendError> {
        let find = sql("SELECT * FROM catalog_watches WHERE publisher = $1").bind(publisher);
        find.optional(&self.database, "reading a watch").await?.as_ref().map(watch).transpose()
    }

    async fn begin(&self, watch: &Watch) -> Result<(), BackendError> {
        sql("INSERT INTO catalog_watches (publisher, connection, auto_update, next_at, last)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (publisher) DO UPDATE SET connection = excluded.connection,
                 auto_update = excluded.auto_update, next_at = excluded.next_at, last = excluded.last")
        .bind(watch.publisher)
        .bind(json(&watch.connection)?)
        .bind(watch.auto_update)
        .bind(watch.next_at)
        .bind(json(&watch.last)?)
        .execute(&self.database, "beginning a watch")
        .await?;
        Ok(())
    }

    async fn end(&self, publisher: Publisher) -> Result<(), BackendError> {
        let end = sql("DELETE FROM catalog_watches WHERE publisher = $1").bind(publisher);
        end.execute(&self.database, "ending a watch").await?;
        Ok(())
    }

    async fn set_auto_update(
        &self,
        publisher: Publisher,
        on: bool,
        next_at: DateTime<Utc>,
    ) -> Result<(), BackendError> {
        const SWITCHING: &str = "switching auto-update";
        let mut transaction = self.database.begin().await?;
        let find = sql("SELECT * FROM catalog_watches WHERE publisher = $1").bind(publisher).for_update();
        let Some(row) = find.optional(&mut transaction, SWITCHING).await? else { return Ok(()) };
        let last = Look { commit: None, ..watch(&row)?.last };
        sql("UPDATE catalog_watches SET auto_update = $1, next_at = $2, last = $3 WHERE publisher = $4")
            .bind(on)
            .bind(next_at)
            .bind(json(&last)?)
            .bind(publisher)
            .execute(&mut transaction, SWITCHING)
            .await?;
        transaction.commit(SWITCHING).await
    }

    async fn due(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Watch>, BackendError> {
        const ASKING: &str = "asking which repositories are due";
        let mut transaction = self.database.begin().await?;
        let due =
            sql("SELECT * FROM catalog_watches w WHERE next_at <= $1 ORDER BY next_at, publisher LIMIT $2");
        let due = due.bind(now).bind(limit).skip_locked("w");
        let mut watches = Vec::new();
        for row in due.rows(&mut transaction, ASKING).await? {
            let watch = Watch { next_at: until, ..watch(&row)? };
            let lend = sql("UPDATE catalog_watches SET next_at = $1 WHERE publisher = $2");
            lend.bind(until).bind(watch.publisher).execute(&mut transaction, ASKING).await?;
            watches.push(watch);
        }
        transaction.commit(ASKING).await?;
        Ok(watches)
    }

    async fn looked(&self, watch: &Watch) -> Result<(), BackendError> {
        const KEEPING: &str = "keeping what came of a look";
        let mut transaction = self.database.begin().await?;
        let find =
            sql("SELECT * FROM catalog_watches WHERE publisher = $1").bind(watch.publisher).for_update();
        let Some(row) = find.optional(&mut transaction, KEEPING).await? else { return Ok(()) };
        let now = self::watch(&row)?;
        if (now.auto_update, &now.connection) == (watch.auto_update, &watch.connection) {
            sql("UPDATE catalog_watches SET next_at = $1, last = $2 WHERE publisher = $3")
                .bind(watch.next_at)
                .bind(json(&watch.last)?)
                .bind(watch.publisher)
                .execute(&mut transaction, KEEPING)
                .await?;
        }
        transaction.commit(KEEPING).await
    }

    async fn keep_sync(&self, sync: &SyncRecord) -> Result<(), BackendError> {
        const KEEPING: &str = "keeping a sync";
        let mut transaction = self.database.begin().await?;
        transaction.lock(&format!("the syncs of {}", sync.publisher)).await?;
        sql("INSERT INTO catalog_syncs (publisher, place, sync) VALUES ($1,
                 (SELECT coalesce(max(place), 0) + 1 FROM catalog_syncs WHERE publisher = $1), $2)")
        .bind(sync.publisher)
        .bind(json(sync)?)
        .execute(&mut transaction, KEEPING)
        .await?;
        sql("DELETE FROM catalog_syncs WHERE publisher = $1
             AND place <= (SELECT max(place) FROM catalog_syncs WHERE publisher = $1) - $2")
        .bind(sync.publisher)
        .bind(MOST_SYNCS)
        .execute(&mut transaction, KEEPING)
        .await?;
        transaction.commit(KEEPING).await
    }

    async fn syncs(&self, publisher: Publisher, limit: u32) -> Result<Vec<SyncRecord>, BackendError> {
        let list = sql("SELECT sync FROM catalog_syncs WHERE publisher = $1 ORDER BY place DESC LIMIT $2");
        let rows = list.bind(publisher).bind(limit).rows(&self.database, "listing syncs").await?;
        rows.iter().map(|row| row.json("sync")).collect()
    }
}

fn watch(row: &Row) -> Result<Watch, BackendError> {
    Ok(Watch {
        publisher: row.get("publisher")?,
        connection: row.json("connection")?,
        auto_update: row.get("auto_update")?,
        next_at: row.get("next_at")?,
        last: row.json("last")?,
    })
}
