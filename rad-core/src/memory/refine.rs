//! Refine sessions in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::access::Publisher;
use crate::agent::Activity;
use crate::id::RefineId;
use crate::refine::{AcceptedChange, RefineError, RefineProgress, RefineSession, RefineStore};

/// A [`RefineStore`] in memory.
#[derive(Debug, Default)]
pub struct MemoryRefinements {
    sessions: Mutex<BTreeMap<RefineId, Stored>>,
}

#[derive(Debug)]
struct Stored {
    session: RefineSession,
    activities: Vec<Activity>,
}

impl MemoryRefinements {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<RefineId, Stored>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: RefineId, act: impl FnOnce(&mut Stored) -> T) -> Result<T, RefineError> {
        self.sessions().get_mut(&id).map(act).ok_or(RefineError::NotFound)
    }
}

#[async_trait]
impl RefineStore for MemoryRefinements {
    async fn create(&self, session: &RefineSession) -> Result<(), RefineError> {
        let mut sessions = self.sessions();
        if sessions.contains_key(&session.id) {
            return Err(RefineError::Exists { id: session.id });
        }
        sessions.insert(session.id, Stored { session: session.clone(), activities: Vec::new() });
        Ok(())
    }

    async fn session(&self, id: RefineId) -> Result<RefineSession, RefineError> {
        self.with(id, |stored| stored.session.clone())
    }

    async fn sessions(
        &self,
        publisher: Publisher,
        module: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RefineSession>, RefineError> {
        let sessions = MemoryRefinements::sessions(self);
        let mut found: Vec<&RefineSession> = sessions
            .values()
            .map(|stored| &stored.session)
            .filter(|session| {
                session.publisher == publisher && module.is_none_or(|name| name == session.module)
            })
            .collect();
        found.sort_by_key(|session| std::cmp::Reverse((session.started_at, session.id)));
        Ok(found.into_iter().take(limit as usize).cloned().collect())
    }

    async fn record(
        &self,
        id: RefineId,
        seen: DateTime<Utc>,
        progress: &RefineProgress,
        activities: &[Activity],
        at: DateTime<Utc>,
    ) -> Result<(), RefineError> {
        self.with(id, |stored| {
            stored.session.record(seen, progress, at);
            for activity in activities {
                if stored.activities.iter().all(|kept| kept.id != activity.id) {
                    stored.activities.push(activity.clone());
                }
            }
        })
    }

    async fn activities(&self, id: RefineId) -> Result<Vec<Activity>, RefineError> {
        self.with(id, |stored| stored.activities.clone())
    }

    async fn accept(&self, id: RefineId, accepted: &AcceptedChange) -> Result<AcceptedChange, RefineError> {
        self.with(id, |stored| stored.session.accept(accepted))
    }
}
