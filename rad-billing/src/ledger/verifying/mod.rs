//! Verifying accounts: everything is computed again from the entries and compared with what is stored.
//!
//! The rows of a range of accounts are read in pages, in account order, so that a million small accounts take no more trips to
//! the database than one large one, and no more memory.

mod cells;
mod replay;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Verified};
use tokio::task::JoinSet;

#[cfg(feature = "postgres")]
pub(super) use self::cells::unreadable;
pub(super) use self::cells::{Cells, ENTRY, HEAD, LINE, STATE, StoredRow, TOOK};

use self::cells::{Cursor, EntryView, HeadView, StateView, TookView, View as _};
use self::replay::{Memory, Replay, detail};

/// How many entries are read at a time.
pub(super) const PAGE: usize = 10_000;

/// The rows of accounts as one moment has them: each database reads them its own way.
///
/// Bounds of accounts are bytes: `from` belongs to the range, `to` does not. Rows are in the order of their accounts, and of what
/// tells them apart there.
pub(super) trait Stored: Send {
    type Row: StoredRow;

    /// [`ENTRY`] of at most [`PAGE`] entries after a place, of accounts before `to`.
    fn entries(
        &mut self,
        after: &Place,
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<Self::Row>, BackendError>> + Send;
    /// [`LINE`] of the revenue lines of the entries after a place up to another.
    fn lines(
        &mut self,
        after: &Place,
        to: &Place,
    ) -> impl Future<Output = Result<Vec<Self::Row>, BackendError>> + Send;
    /// [`HEAD`] of accounts.
    fn heads(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<Self::Row>, BackendError>> + Send;
    /// [`STATE`] of accounts.
    fn state(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<Self::Row>, BackendError>> + Send;
    /// [`TOOK`] of accounts.
    fn took(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<Self::Row>, BackendError>> + Send;
}

/// Where an entry stands in the order of accounts and numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) account: Vec<u8>,
    pub(super) seq: i64,
}

/// Compares everything that is stored of the accounts after one up to another with what their entries lead to.
pub(super) async fn verify(
    stored: &mut impl Stored,
    after: Option<AccountId>,
    to: Option<AccountId>,
) -> Result<Verified, BackendError> {
    // One byte more than an id is after that id, and before every other one.
    let beyond = |id: AccountId| [id.as_bytes().as_slice(), &[0]].concat();
    let from = after.map_or_else(Vec::new, beyond);
    verify_between(stored, from, to.map_or_else(|| vec![u8::MAX; 17], beyond)).await
}

/// Verifies in a task of its own, so that ranges that are verified side by side use several processors. It ends with whoever
/// waits for it.
pub(super) async fn in_own_task(
    verifying: impl Future<Output = Result<Verified, BackendError>> + Send + 'static,
) -> Result<Verified, BackendError> {
    let mut task = JoinSet::new();
    task.spawn(verifying);
    match task.join_next().await {
        Some(Ok(verified)) => verified,
        Some(Err(error)) => Err(BackendError::unavailable("verifying accounts", error)),
        None => Err(BackendError::unavailable("verifying accounts", "its task is gone")),
    }
}

/// Compares everything that is stored of an account with what its entries lead to.
pub(super) async fn verify_one(
    stored: &mut impl Stored,
    account: AccountId,
) -> Result<Vec<Finding>, BackendError> {
    let from = account.as_bytes().to_vec();
    let to = [account.as_bytes().as_slice(), &[0]].concat();
    Ok(verify_between(stored, from, to).await?.findings)
}

async fn verify_between<S: Stored>(
    stored: &mut S,
    mut from: Vec<u8>,
    to: Vec<u8>,
) -> Result<Verified, BackendError> {
    let mut verified = Verified::default();
    let mut going_on = None;
    let mut after = Place { account: from.clone(), seq: i64::MIN };
    loop {
        let entries = stored.entries(&after, &to).await?;
        let is_last = entries.len() < PAGE;
        let end = match entries.last() {
            Some(last) if !is_last => Place::of(last)?,
            _ => Place { account: to.clone(), seq: i64::MIN },
        };
        let lines = stored.lines(&after, &end).await?;
        // An account may go on after the page: all before it are complete. Where there is none, these read nothing.
        let heads = stored.heads(&from, &end.account).await?;
        let state = stored.state(&from, &end.account).await?;
        let took = stored.took(&from, &end.account).await?;
        let page = Page { entries, lines, heads, state, took };
        going_on = page.compare(&end.account, going_on, &mut verified)?;
        if is_last {
            return Ok(verified);
        }
        from.clone_from(&end.account);
        after = end;
    }
}

impl Place {
    fn of(row: &impl StoredRow) -> Result<Self, BackendError> {
        let mut cells = row.cells();
        let account = cells::account(&mut cells)?.to_vec();
        Ok(Self { account, seq: EntryView::read(&mut cells)?.seq })
    }
}

/// Rows of the same accounts, in the order of these.
struct Page<R> {
    entries: Vec<R>,
    lines: Vec<R>,
    /// This and what follows is of complete accounts alone.
    heads: Vec<R>,
    state: Vec<R>,
    took: Vec<R>,
}

impl<R: StoredRow> Page<R> {
    /// Compares all rows, given what the page before it knows of the account that goes on; gives that of this page. Accounts
    /// before `complete` are complete.
    fn compare(
        &self,
        complete: &[u8],
        mut going_on: Option<Replay>,
        verified: &mut Verified,
    ) -> Result<Option<Replay>, BackendError> {
        let mut entries: Cursor<'_, R, EntryView<'_>> = Cursor::new(&self.entries);
        let mut lines = Cursor::new(&self.lines);
        let mut heads: Cursor<'_, R, HeadView<'_>> = Cursor::new(&self.heads);
        let mut state: Cursor<'_, R, StateView<'_>> = Cursor::new(&self.state);
        let mut took: Cursor<'_, R, TookView> = Cursor::new(&self.took);
        let mut memory = Memory::default();
        loop {
            let next = [entries.account(), lines.account(), heads.account(), state.account(), took.account()];
            let mut replay = match (going_on.take(), next.into_iter().flatten().min()) {
                (Some(replay), _) => replay,
                (None, Some(account)) => Replay::new(account, std::mem::take(&mut memory)),
                (None, None) => break,
            };
            while let Some(entry) = entries.take(replay.stored_as()) {
                verified.entries += 1;
                replay.entry(&entry, &mut lines)?;
            }
            replay.rest_of_lines(&mut lines);
            if replay.stored_as() >= complete {
                going_on = Some(replay);
                break;
            }
            verified.accounts += 1;
            let (findings, used) = replay.finish(&mut heads, &mut state, &mut took)?;
            verified.findings.extend(findings);
            memory = used;
        }
        let unreadable = [&entries.unreadable, &lines.unreadable, &heads.unreadable, &state.unreadable];
        for error in unreadable.into_iter().chain([&took.unreadable]).flatten() {
            // Of which account, nobody can say.
            let account = AccountId::from_bytes([0; 16]);
            verified.findings.push(Finding { account, seq: None, problem: detail(error) });
        }
        Ok(going_on)
    }
}
