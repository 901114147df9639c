//! Folding deltas into sums of days.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rad_core::error::BackendError;
use rad_core::ledger::Posted;
use sqlx::{Database, QueryBuilder};

/// After how many revenue lines of one process deltas are folded. What is not folded is looked through by every sum.
const EVERY: u64 = 1_000;

/// Folds what there is to fold: how many deltas it took.
pub(in super::super) trait Fold: Clone + Send + Sync + 'static {
    fn fold(&self) -> impl Future<Output = Result<u64, BackendError>> + Send;
}

/// When a process folds: beside posting, and one fold at a time.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct Folding(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// How many lines were posted since the last fold was begun.
    lines: AtomicU64,
    is_running: AtomicBool,
}

impl Folding {
    /// Counts the lines of what was posted, and folds in a task of its own when it is time to.
    pub(in super::super) fn note<'a>(&self, posted: impl IntoIterator<Item = &'a Posted>, fold: &impl Fold) {
        let new = posted.into_iter().filter(|posted| !posted.repeated);
        let lines: u64 = new.map(|posted| posted.effect.lines.len() as u64).sum();
        let counts = &self.0;
        if lines == 0 || counts.lines.fetch_add(lines, Ordering::Relaxed).saturating_add(lines) < EVERY {
            return;
        }
        if counts.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        counts.lines.store(0, Ordering::Relaxed);
        let (counts, fold) = (Arc::clone(counts), fold.clone());
        tokio::spawn(async move {
            attempt(&fold).await;
            counts.is_running.store(false, Ordering::Release);
        });
    }

    /// Folds what this process posted since it last did: for an orderly shutdown.
    pub(in super::super) async fn finish(&self, fold: &impl Fold) {
        if self.0.lines.swap(0, Ordering::Relaxed) > 0 {
            attempt(fold).await;
        }
    }
}

/// Nothing is lost by a fold that fails: the deltas are there for the next one, of whatever process.
async fn attempt(fold: &impl Fold) {
    if let Err(error) = fold.fold().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "deltas of revenue were not folded");
    }
}

/// Adds rows of deltas to the sums of days that they belong to; `from` is a table of them. Rows of
/// sums are written in one order by everybody, so that nobody waits in a circle.
pub(in super::super) fn insert_sums<DB: Database>(sql: &mut QueryBuilder<DB>, from: &'static str) {
    sql.push(
        "INSERT INTO ledger_revenue_days AS days
            (scope, partner, agent, module, day, lines, gross, partner_share, agent_share)
         SELECT scope, partner, agent, module, day, sum(lines), sum(gross), sum(partner_share), sum(agent_share)
         FROM (",
    );
    sql.push(SPREAD.0).push(from).push(SPREAD.1);
    // SQLite takes `ON` for a join without the condition before it.
    sql.push(
        ") AS spread WHERE 1 = 1 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
         ON CONFLICT (scope, partner, agent, module, day) DO UPDATE SET
            lines = days.lines + excluded.lines, gross = days.gross + excluded.gross,
            partner_share = days.partner_share + excluded.partner_share,
            agent_share = days.agent_share + excluded.agent_share",
    );
}

/// SQL that gives rows of deltas once for every scope, without what the scope does not name. Between its halves belongs what
/// the rows are taken from.
pub(super) const SPREAD: (&str, &str) = (
    "SELECT scope,
        CASE WHEN (scope & 1) = 0 THEN substr(partner, 1, 0) ELSE partner END AS partner,
        CASE WHEN (scope & 2) = 0 THEN substr(agent, 1, 0) ELSE agent END AS agent,
        CASE WHEN (scope & 4) = 0 THEN substr(module, 1, 0) ELSE module END AS module,
        day, lines, gross, partner_share, agent_share
     FROM ",
    " AS spread CROSS JOIN (SELECT 0 AS scope UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3
        UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7) AS scopes",
);
