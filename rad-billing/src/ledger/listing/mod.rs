//! Listings: the SQL that both databases take, with the values bound as each wants it, and pages made of what comes back.

mod entries;
mod lines;
mod sql;

use rad_core::error::BackendError;
use rad_core::id::AccountId;

pub(super) use self::entries::{page_of_entries, select_entries};
pub(super) use self::lines::{narrow_lines, page_of_lines, select_lines};
pub(super) use self::sql::{Sql, ceiling};

use crate::database::bytes;

/// Selects the ids of accounts.
pub(super) fn select_accounts(sql: &mut impl Sql, after: Option<AccountId>, limit: u32) {
    sql.text("SELECT account FROM ledger_accounts WHERE ");
    match after {
        Some(after) => sql.text("account > ").bytes(after.as_bytes()),
        None => sql.text("1 = 1"),
    };
    sql.text(" ORDER BY account LIMIT ").number(i64::from(limit));
}

/// The accounts of what [`select_accounts`] selected.
pub(super) fn accounts(ids: &[Vec<u8>]) -> Result<Vec<AccountId>, BackendError> {
    let id = |stored: &Vec<u8>| {
        let id = bytes(stored).map(AccountId::from_bytes);
        id.ok_or_else(|| BackendError::corrupt("listing accounts", "an id has not 16 bytes"))
    };
    ids.iter().map(id).collect()
}
