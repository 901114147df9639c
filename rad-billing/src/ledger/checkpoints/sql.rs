//! The SQL of checkpoints, which both databases take.

use rad_core::checkpoint::{Head, SignedCheckpoint, SignedHead};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::revenue::EntryId;

use super::super::listing::Sql;
use super::super::micros::Micros;
use super::super::rows::number;

/// A page of the heads of all accounts, each with the one that was signed last.
pub(super) fn heads_now(sql: &mut impl Sql, after: Option<AccountId>) {
    sql.text(
        "SELECT a.account, a.seq, a.hash, h.seq AS signed_seq, h.hash AS signed_hash
         FROM ledger_accounts a LEFT JOIN ledger_checkpoint_heads h ON h.account = a.account AND h.checkpoint =
             (SELECT max(l.checkpoint) FROM ledger_checkpoint_heads l WHERE l.account = a.account)
         WHERE 1 = 1",
    );
    later(sql, " AND a.account > ", after);
    sql.text(" ORDER BY a.account LIMIT ").number(at_most(SignedHead::MOST));
}

/// The hashes of entries.
pub(super) fn hashes(sql: &mut impl Sql, entries: &[EntryId]) -> Result<(), BackendError> {
    sql.text("WITH wanted (account, seq) AS (VALUES ");
    for (place, entry) in entries.iter().enumerate() {
        sql.text(if place == 0 { "(" } else { ", (" }).bytes(entry.account.as_bytes());
        sql.text(", ").number(number(entry.seq)?).text(")");
    }
    sql.text(
        ") SELECT e.account, e.seq, e.hash FROM wanted w
         JOIN ledger_entries e ON e.account = w.account AND e.seq = w.seq",
    );
    Ok(())
}

/// Inserts a checkpoint if its number is the next one.
pub(super) fn insert(sql: &mut impl Sql, signed: &SignedCheckpoint) -> Result<(), BackendError> {
    let SignedCheckpoint { checkpoint, key, signature } = signed;
    sql.text(
        "INSERT INTO ledger_checkpoints
             (number, at, accounts, entries, root, changes, previous, key, signature) SELECT ",
    );
    sql.number(number(checkpoint.number)?).text(", ").time(Micros(checkpoint.at.timestamp_micros()));
    sql.text(", ").number(number(checkpoint.accounts)?).text(", ").number(number(checkpoint.entries)?);
    for bytes in [
        checkpoint.root.as_bytes().as_slice(),
        checkpoint.changes.as_bytes(),
        checkpoint.previous.as_bytes(),
        key.as_bytes(),
        signature.as_bytes(),
    ] {
        sql.text(", ").bytes(bytes);
    }
    sql.text(" WHERE (SELECT coalesce(max(number), 0) + 1 FROM ledger_checkpoints) = ");
    sql.number(number(checkpoint.number)?);
    Ok(())
}

/// Inserts the heads that changed with a checkpoint.
pub(super) fn insert_heads(
    sql: &mut impl Sql,
    signed: &SignedCheckpoint,
    heads: &[Head],
) -> Result<(), BackendError> {
    sql.text("INSERT INTO ledger_checkpoint_heads (account, checkpoint, seq, hash) VALUES ");
    for (place, head) in heads.iter().enumerate() {
        sql.text(if place == 0 { "(" } else { ", (" }).bytes(head.account.as_bytes());
        sql.text(", ").number(number(signed.checkpoint.number)?).text(", ").number(number(head.seq)?);
        sql.text(", ").bytes(head.hash.as_bytes()).text(")");
    }
    Ok(())
}

/// A page of the heads that changed with a checkpoint.
pub(super) fn changes(sql: &mut impl Sql, checkpoint: u64, after: Option<AccountId>, limit: u32) {
    sql.text("SELECT account, seq, hash FROM ledger_checkpoint_heads WHERE checkpoint = ");
    sql.number(capped(checkpoint));
    later(sql, " AND account > ", after);
    sql.text(" ORDER BY account LIMIT ").number(at_most(limit));
}

/// A page of the heads of all accounts at a checkpoint.
pub(super) fn heads_at(sql: &mut impl Sql, checkpoint: u64, after: Option<AccountId>, limit: u32) {
    let checkpoint = capped(checkpoint);
    sql.text("SELECT h.account, h.seq, h.hash FROM ledger_checkpoint_heads h WHERE h.checkpoint <= ");
    sql.number(checkpoint).text(
        " AND NOT EXISTS (SELECT 1 FROM ledger_checkpoint_heads l
             WHERE l.account = h.account AND l.checkpoint > h.checkpoint AND l.checkpoint <= ",
    );
    sql.number(checkpoint).text(")");
    later(sql, " AND h.account > ", after);
    sql.text(" ORDER BY h.account LIMIT ").number(at_most(limit));
}

/// A page of all heads that were ever signed.
pub(super) fn signed_heads(
    sql: &mut impl Sql,
    after: Option<(AccountId, u64)>,
    to: Option<AccountId>,
    limit: u32,
) {
    sql.text("SELECT account, checkpoint, seq, hash FROM ledger_checkpoint_heads WHERE 1 = 1");
    if let Some((account, checkpoint)) = after {
        sql.text(" AND (account, checkpoint) > (").bytes(account.as_bytes());
        sql.text(", ").number(capped(checkpoint)).text(")");
    }
    later(sql, " AND account <= ", to);
    sql.text(" ORDER BY account, checkpoint LIMIT ").number(at_most(limit));
}

/// A condition on an account, where there is one.
fn later(sql: &mut impl Sql, condition: &'static str, account: Option<AccountId>) {
    if let Some(account) = account {
        sql.text(condition).bytes(account.as_bytes());
    }
}

/// A number to compare with: no stored one is greater than the greatest of these.
pub(super) fn capped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn at_most(limit: u32) -> i64 {
    i64::from(limit.min(SignedHead::MOST))
}
