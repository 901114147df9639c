//! States of the past: replayed from the entries.

use chrono::TimeDelta;

use super::{At, EntryQuery, Ledger, LedgerError};
use crate::error::BackendError;
use crate::id::AccountId;
use crate::revenue::{AccountState, Entry};

/// Replays an account up to a moment, a page of entries in memory at a time.
pub(super) async fn state_at<L: Ledger + ?Sized>(
    ledger: &L,
    account: AccountId,
    at: At,
) -> Result<AccountState, LedgerError> {
    let now = ledger.state(account).await?;
    match at {
        At::Seq(seq) if seq > now.seq() => {
            return Err(LedgerError::NoSuchEntry { account, seq, last: now.seq() });
        }
        At::Seq(seq) if seq == now.seq() => return Ok(now),
        At::Time(time) if now.last().is_none_or(|last| last <= time) => return Ok(now),
        _ => {}
    }
    let mut state = AccountState::new(account);
    let mut query = EntryQuery { oldest_first: true, to: just_after(at), ..EntryQuery::new(account) };
    loop {
        let page = ledger.entries(&query).await?;
        for posted in page.items {
            if at == At::Seq(state.seq()) {
                break;
            }
            advance(&mut state, &posted.entry)?;
        }
        query.page = page.next;
        if query.page.is_none() || at == At::Seq(state.seq()) {
            state.compact();
            return Ok(state);
        }
    }
}

/// Applies an entry that a ledger has taken before.
fn advance(state: &mut AccountState, entry: &Entry) -> Result<(), BackendError> {
    state.apply_into(entry, &mut ()).map_err(|violation| {
        let problem = format!("entry {} could not have been posted: {violation}", entry.seq);
        BackendError::corrupt("replaying an account", problem)
    })
}

/// The first time that is not part of a moment any more: entries have whole microseconds.
fn just_after(at: At) -> Option<chrono::DateTime<chrono::Utc>> {
    match at {
        At::Seq(_) => None,
        At::Time(time) => time.checked_add_signed(TimeDelta::nanoseconds(1)),
    }
}
