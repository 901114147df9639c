//! The logs of runs.

use bytes::Bytes;
use rad_core::deployment::{DeploymentError, LOG_CUT, LOG_LIMIT, Lease, LogChunk, RunStatus};
use rad_core::id::RunId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::SqliteDeployments;
use super::leases::under;
use crate::store::sqlite::{column, commit, corrupt, failed, word};

pub(super) async fn append(
    store: &SqliteDeployments,
    lease: &Lease,
    bytes: &[u8],
) -> Result<u64, DeploymentError> {
    let mut transaction = under(store, lease).await?;
    let row = stand(&mut transaction, lease.run).await?;
    let mut length = read_length(&row)?;
    if bytes.is_empty() || column(&row, "log_cut")? {
        return Ok(length);
    }
    let room = usize::try_from(LOG_LIMIT.saturating_sub(length)).unwrap_or(usize::MAX);
    let fits = bytes.len().min(room);
    let cut = fits < bytes.len();
    let mut kept = bytes[..fits].to_vec();
    if cut {
        kept.extend_from_slice(LOG_CUT.as_bytes());
    }
    sqlx::query("INSERT INTO run_log (run, start, bytes) VALUES (?, ?, ?)")
        .bind(lease.run.as_bytes().as_slice())
        .bind(stored(length))
        .bind(kept.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("appending to a log"))?;
    length += kept.len() as u64;
    sqlx::query("UPDATE runs SET log_length = ?, log_cut = ? WHERE id = ?")
        .bind(stored(length))
        .bind(cut)
        .bind(lease.run.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("appending to a log"))?;
    commit(transaction).await?;
    Ok(length)
}

pub(super) async fn read(
    store: &SqliteDeployments,
    run: RunId,
    offset: u64,
    limit: u32,
) -> Result<LogChunk, DeploymentError> {
    let mut connection = store.pool.acquire().await.map_err(failed("reading a log"))?;
    // First how the run stands, then the bytes: what is complete then has no more.
    let row = stand(&mut connection, run).await?;
    let status: RunStatus = word(&row, "status")?;
    let length = read_length(&row)?;
    let from = offset.min(length);
    let to = from.saturating_add(u64::from(limit)).min(length);
    let mut bytes = Vec::new();
    let mut next = from;
    // Piece by piece: one piece can be as long as the answer may be.
    let piece = "SELECT start, bytes FROM run_log WHERE run = ? AND start <= ? ORDER BY start DESC LIMIT 1";
    while next < to {
        let row = sqlx::query(piece)
            .bind(run.as_bytes().as_slice())
            .bind(stored(next))
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed("reading a log"))?
            .ok_or_else(|| corrupt("a log has a gap"))?;
        let start = u64::try_from(column::<i64>(&row, "start")?).map_err(corrupt)?;
        let content: &[u8] = column(&row, "bytes")?;
        let skipped = usize::try_from(next - start).map_err(corrupt)?;
        let wanted = usize::try_from(to - next).map_err(corrupt)?;
        let rest = content.get(skipped..).unwrap_or_default();
        if rest.is_empty() {
            return Err(corrupt("a log has a gap").into());
        }
        let taken = &rest[..rest.len().min(wanted)];
        bytes.extend_from_slice(taken);
        next += taken.len() as u64;
    }
    Ok(LogChunk { bytes: Bytes::from(bytes), next, complete: status.is_final() && next == length })
}

/// How long a run's log is, whether it was cut, and how the run stands.
async fn stand(connection: &mut SqliteConnection, run: RunId) -> Result<SqliteRow, DeploymentError> {
    let row = sqlx::query("SELECT status, log_length, log_cut FROM runs WHERE id = ?")
        .bind(run.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("looking at a log"))?;
    row.ok_or(DeploymentError::NotFound)
}

fn read_length(row: &SqliteRow) -> Result<u64, DeploymentError> {
    Ok(u64::try_from(column::<i64>(row, "log_length")?).map_err(corrupt)?)
}

fn stored(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
