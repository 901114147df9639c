//! Sums of revenue: right before, while and after they are folded.

use std::time::Duration;

use rad_billing::SqliteLedger;
use rad_core::conformance::ledger;
use rad_core::error::BackendError;
use rad_core::ledger::{Ledger, RevenueQuery, RevenueTotals};
use rad_core::revenue::{Group, Grouping, Summary};
use rad_core::verification::{Verification, VerifyOptions, verify_all};

use crate::{Database, database};

/// Sums are those of the lines while two folds go on all the time, and whatever of them is folded at the end.
pub(crate) async fn are_right_while_they_are_folded(
    ledger: &dyn Ledger,
    fold: impl AsyncFn() -> Result<u64, BackendError>,
) {
    let folding = async || {
        loop {
            fold().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reading = async {
        ledger::totals::adds_up_every_range(ledger).await;
        ledger::totals::breaks_revenue_down(ledger).await;
        ledger::revenue::books_back_what_is_refunded(ledger).await;
    };
    tokio::select! {
        () = async { tokio::join!(folding(), folding()); } => {}
        () = reading => {}
    }
    // A charge that is not folded, beside all that are.
    fold().await.unwrap();
    ledger::revenue::books_back_what_is_refunded(ledger).await;
    are_those_of_all_lines(ledger).await;
    assert!(fold().await.unwrap() > 0, "there was something left to fold");
    assert_eq!(fold().await.unwrap(), 0, "what is folded is not folded again");
    are_those_of_all_lines(ledger).await;
}

/// The sums of everything, and by every grouping, are those of all lines.
async fn are_those_of_all_lines(ledger: &dyn Ledger) {
    let mut query = RevenueQuery { limit: RevenueQuery::MOST, ..RevenueQuery::default() };
    let mut lines = Vec::new();
    loop {
        let page = ledger.revenue(&query).await.unwrap();
        lines.extend(page.items);
        query.page = page.next;
        if query.page.is_none() {
            break;
        }
    }
    assert_eq!(ledger.revenue_totals(&query).await.unwrap(), RevenueTotals::sum(&lines).unwrap());
    for by in [Grouping::Day, Grouping::Month, Grouping::Module, Grouping::Partner, Grouping::Agent] {
        let mut summary = Summary::new(by);
        lines.iter().for_each(|line| summary.add(line).unwrap());
        let wanted: Vec<(Group, i64)> = summary.groups().map(|(group, sums)| (group, sums.gross)).collect();
        let mut found = ledger.revenue_by(&query, by).await.unwrap();
        found.sort_by_key(|(group, _)| *group);
        let found: Vec<(Group, i64)> = found.into_iter().map(|(group, sums)| (group, sums.gross)).collect();
        assert_eq!(found, wanted, "{by:?}");
    }
    assert_eq!(ledger.verify_totals().await.unwrap(), []);
}

#[tokio::test]
async fn sums_are_right_while_they_are_folded() {
    let Database { pool, dir: _dir } = database().await.unwrap();
    let ledger = SqliteLedger::new(pool);
    are_right_while_they_are_folded(&ledger, async || ledger.fold_totals().await).await;
}

#[tokio::test]
async fn a_ledger_that_is_drained_leaves_nothing_to_fold() {
    let Database { pool, dir: _dir } = database().await.unwrap();
    let ledger = SqliteLedger::new(pool.clone());
    ledger::revenue::books_back_what_is_refunded(&ledger).await;
    let deltas = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM ledger_revenue_deltas").fetch_one(&pool).await.unwrap()
    };
    assert!(deltas().await > 0);
    ledger.drain().await;
    assert_eq!(deltas().await, 0);
    are_those_of_all_lines(&ledger).await;
}

#[tokio::test]
async fn a_wrong_sum_is_told_with_its_day_and_what_it_is_of() {
    let Database { pool, dir: _dir } = database().await.unwrap();
    let ledger = SqliteLedger::new(pool.clone());
    ledger::revenue::books_back_what_is_refunded(&ledger).await;
    ledger.fold_totals().await.unwrap();
    let change = "UPDATE ledger_revenue_days SET gross = gross + 7 WHERE scope = 5";
    assert_eq!(sqlx::query(change).execute(&pool).await.unwrap().rows_affected(), 1);
    let found = ledger.verify_totals().await.unwrap();
    let [wrong] = &found[..] else { panic!("{found:?}") };
    assert!(matches!(wrong.of[..], [Group::Partner(Some(_)), Group::Module(_)]), "{wrong:?}");
    assert_eq!((wrong.kept.gross - wrong.lines.gross, wrong.kept.lines), (7, wrong.lines.lines));
    let sentence = wrong.to_string();
    assert!(sentence.starts_with("the revenue of 2026-02-02 of partner "), "{sentence}");
    let all = verify_all(&ledger, Verification::default(), &VerifyOptions::default(), |_| ()).await.unwrap();
    assert_eq!((all.is_done, all.is_sound(), all.findings, all.totals), (true, false, vec![], found));
}
