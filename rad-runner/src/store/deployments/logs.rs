//! The logs of runs.

use bytes::Bytes;
use rad_core::deployment::{DeploymentError, LOG_CUT, LOG_LIMIT, Lease, LogChunk, RunStatus};
use rad_core::id::RunId;
use rad_sql::{On, Row, sql};

use super::SqlDeployments;
use super::taking::take_under;
use crate::store::database::corrupt;

const APPENDING: &str = "appending to a log";

pub(super) async fn append(
    store: &SqlDeployments,
    lease: &Lease,
    bytes: &[u8],
) -> Result<u64, DeploymentError> {
    let mut transaction = take_under(store, lease).await?;
    let row = stand(&mut transaction, lease.run).await?;
    let mut length: u64 = row.get("log_length")?;
    if bytes.is_empty() || row.get("log_cut")? {
        return Ok(length);
    }
    let room = usize::try_from(LOG_LIMIT.saturating_sub(length)).unwrap_or(usize::MAX);
    let fits = bytes.len().min(room);
    let cut = fits < bytes.len();
    let mut kept = bytes[..fits].to_vec();
    if cut {
        kept.extend_from_slice(LOG_CUT.as_bytes());
    }
    let start = length;
    length += kept.len() as u64;
    let insert = sql("INSERT INTO run_log (run, start, bytes) VALUES ($1, $2, $3)");
    insert.bind(lease.run).bind(start).bind(kept).execute(&mut transaction, APPENDING).await?;
    let update = sql("UPDATE runs SET log_length = $1, log_cut = $2 WHERE id = $3");
    update.bind(length).bind(cut).bind(lease.run).execute(&mut transaction, APPENDING).await?;
    transaction.commit(APPENDING).await?;
    Ok(length)
}

pub(super) async fn read(
    store: &SqlDeployments,
    run: RunId,
    offset: u64,
    limit: u32,
) -> Result<LogChunk, DeploymentError> {
    // First how the run stands, then the bytes: what is complete then has no more.
    let row = stand(&store.database, run).await?;
    let status: RunStatus = row.word("status")?;
    let length: u64 = row.get("log_length")?;
    let from = offset.min(length);
    let to = from.saturating_add(u64::from(limit)).min(length);
    let mut bytes = Vec::new();
    let mut next = from;
    while next < to {
        // Piece by piece: one piece can be as long as the answer may be.
        let piece = sql(
            "SELECT start, bytes FROM run_log WHERE run = $1 AND start <= $2 ORDER BY start DESC LIMIT 1",
        );
        let row = piece.bind(run).bind(next).optional(&store.database, "reading a log").await?;
        let row = row.ok_or_else(|| corrupt("a log has a gap"))?;
        let (start, content): (u64, Vec<u8>) = (row.get("start")?, row.get("bytes")?);
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
async fn stand(on: impl Into<On<'_>>, run: RunId) -> Result<Row, DeploymentError> {
    let find = sql("SELECT status, log_length, log_cut FROM runs WHERE id = $1").bind(run);
    find.optional(on, "looking at a log").await?.ok_or(DeploymentError::NotFound)
}
