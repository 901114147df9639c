//! Bringing kept books up to date: what others posted since is applied to them, so that processes that take turns at an account
//! read what is new and not all that is open.

use std::collections::BTreeMap;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::revenue::Needs;

use super::Store;
use super::attempt::Books;
use crate::ledger::rows::HeadRow;

/// The most entries that are applied to a kept book; one that is further behind is read anew.
const MOST: i64 = 512;

/// Takes the kept books that can be made to end with the heads of their accounts and have what entries need.
pub(super) async fn catch_up<S: Store>(
    transaction: &mut S::Transaction,
    kept: &mut Books,
    heads: &BTreeMap<AccountId, HeadRow>,
    needs: &[(AccountId, Needs)],
) -> Result<Books, BackendError> {
    let mut books = Books::new();
    let mut behind = Vec::new();
    for (account, head) in heads {
        let Some(book) = kept.remove(account) else { continue };
        let missed = head.seq.saturating_sub(book.seq()?);
        if (0..=MOST).contains(&missed) {
            if missed > 0 {
                behind.push((*account, book.seq()?));
            }
            books.insert(*account, book);
        }
    }
    if !behind.is_empty() {
        for row in S::entries_after(transaction, &behind).await? {
            let account = row.owner()?;
            let follows = match books.get_mut(&account) {
                Some(book) => book.follow(&row)?,
                None => continue,
            };
            if !follows {
                books.remove(&account);
            }
        }
    }
    books.retain(|account, book| {
        let mut own = needs.iter().filter(|(of, _)| of == account);
        heads.get(account).is_some_and(|head| book.ends_with(head)) && own.all(|(_, needs)| book.has(*needs))
    });
    Ok(books)
}
