//! An export reads what one moment has, whatever is posted meanwhile.

use rad_billing::SqliteLedger;
use rad_billing::ledger::Export;
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerExt, Post, Posted};

use crate::{award, database};

/// More than a page holds.
const ENTRIES: u64 = 2_300;

/// Posts to accounts in turn, and gives what was posted in account order.
pub(crate) async fn fill(ledger: &dyn Ledger) -> Vec<Posted> {
    let accounts: Vec<AccountId> = (0..7).map(|_| AccountId::new()).collect();
    let posts: Vec<Post> =
        (0..ENTRIES).map(|n| award(accounts[(n * n % 7) as usize], n, 1 + n as i64)).collect();
    let mut posted = Vec::new();
    for batch in posts.chunks(100) {
        posted.extend(ledger.post_batch(batch).await.unwrap());
    }
    posted.sort_by_key(|posted| (posted.entry.account, posted.entry.seq));
    posted
}

/// Reads an export to its end while entries are posted, and compares it with what was there when it began.
pub(crate) async fn reads_one_moment(mut export: Export, ledger: &dyn Ledger, wanted: &[Posted]) {
    assert_eq!(export.entries(), ENTRIES);
    let mut found = export.next_page().await.unwrap();
    assert!(!found.is_empty() && found.len() < wanted.len(), "one page is in memory at a time");
    let account = wanted[wanted.len() - 1].entry.account;
    ledger.post(award(account, ENTRIES, 1)).await.unwrap();
    ledger.post(award(AccountId::new(), 0, 1)).await.unwrap();
    loop {
        let page = export.next_page().await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(found == wanted, "an export has every entry that was there, in account order, and no other");
}

#[tokio::test]
async fn an_export_reads_one_moment_whatever_is_posted_meanwhile() {
    let database = database().await.unwrap();
    let ledger = SqliteLedger::new(database.pool.clone());
    let wanted = fill(&ledger).await;
    reads_one_moment(ledger.export().await.unwrap(), &ledger, &wanted).await;
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named() {
    let database = database().await.unwrap();
    let ledger = SqliteLedger::new(database.pool.clone());
    let account = AccountId::new();
    for n in 0..3 {
        ledger.post(award(account, n, 1)).await.unwrap();
    }
    for sql in [
        "DROP TRIGGER ledger_entries_never_change",
        "UPDATE ledger_entries SET body = x'00', effect = x'' WHERE seq = 2",
    ] {
        sqlx::query(sql).execute(&database.pool).await.unwrap();
    }
    let error = ledger.export().await.unwrap().next_page().await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Corrupt);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(&format!("entry 2 of account {account}: column body")), "{cause}");
}
