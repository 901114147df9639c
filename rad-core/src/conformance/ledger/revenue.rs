//! Reading revenue.

use chrono::TimeDelta;

use super::{Scene, whole};
use crate::conformance::must;
use crate::id::{AccountId, ModuleId};
use crate::ledger::{Ledger, RevenueQuery, RevenueTotals};
use crate::revenue::{Body, Reason, Refund, RevenueLine};

/// Lines are found by partner, agent, account, module and time, and every condition that is set must hold.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_lines_by_everybody_concerned(ledger: &dyn Ledger) {
    let mut one = Scene::new(ledger);
    let mut two = Scene::new(ledger);
    two.partner = one.partner;
    one.buy(100, 1_000).await;
    two.buy(100, 2_000).await;
    let first = one.charge(30).await.effect.lines;
    one.module = ModuleId::new();
    let second = one.charge(20).await.effect.lines;
    let third = two.charge(10).await.effect.lines;
    let all = [first.clone(), second.clone(), third.clone()].concat();

    let base = RevenueQuery { limit: 100, partner: Some(one.partner), ..RevenueQuery::default() };
    expect(ledger, &base, &all).await;
    let query = RevenueQuery { partner: None, agent: Some(one.agent), ..base.clone() };
    expect(ledger, &query, &[first.clone(), second.clone()].concat()).await;
    let query = RevenueQuery { partner: None, account: Some(two.account), ..base.clone() };
    expect(ledger, &query, &third).await;
    let query = RevenueQuery { partner: None, module: Some(one.module), ..base.clone() };
    expect(ledger, &query, &second).await;
    expect(ledger, &RevenueQuery { agent: Some(two.agent), ..base.clone() }, &third).await;
    expect(ledger, &RevenueQuery { module: Some(two.module), agent: Some(one.agent), ..base.clone() }, &[])
        .await;
    expect(ledger, &RevenueQuery { partner: Some(AccountId::new()), ..base.clone() }, &[]).await;

    let moment = second.first().map(|line| line.at);
    let just_after = moment.map(|at| at + TimeDelta::microseconds(1));
    let own = RevenueQuery { account: Some(one.account), ..base };
    expect(ledger, &RevenueQuery { from: moment, ..own.clone() }, &second).await;
    expect(ledger, &RevenueQuery { to: moment, ..own.clone() }, &first).await;
    expect(ledger, &RevenueQuery { from: moment, to: just_after, ..own.clone() }, &second).await;
    expect(ledger, &RevenueQuery { from: just_after, ..own }, &[]).await;
}

/// Lines are paged newest first, there and back, without repeating or skipping any, also those of one moment.
///
/// # Panics
/// If the contract is broken.
pub async fn pages_lines(ledger: &dyn Ledger) {
    let partner = AccountId::new();
    let mut all = Vec::new();
    for _ in 0..3 {
        // Scenes begin at the same time: their lines are of the same moments.
        let mut scene = Scene::new(ledger);
        scene.partner = partner;
        scene.buy(100, 1_000).await;
        for _ in 0..3 {
            all.extend(scene.charge(10).await.effect.lines);
        }
    }
    let mut query = RevenueQuery { partner: Some(partner), limit: 2, ..RevenueQuery::default() };
    let (mut found, mut pages): (Vec<RevenueLine>, _) = (Vec::new(), Vec::new());
    loop {
        let page = must("revenue can be listed", ledger.revenue(&query).await);
        assert!(page.items.len() <= 2, "a page is cut at its limit");
        found.extend(&page.items);
        let totals = must("revenue can be added up", ledger.revenue_totals(&query).await);
        assert_eq!(totals.lines, 9, "totals are over all lines, whatever the page");
        query.page = page.next.clone();
        pages.push(page);
        if query.page.is_none() {
            break;
        }
    }
    assert!(found.is_sorted_by(|one, next| one.at >= next.at), "lines come newest first");
    let mut last = pages.pop();
    while let Some(before) = pages.pop() {
        query.page = last.and_then(|page| page.previous);
        let page = must("revenue can be listed", ledger.revenue(&query).await);
        assert_eq!(page, before, "the page before is the one that led there");
        last = Some(page);
    }
    assert_eq!(last.and_then(|page| page.previous), None, "the first page says so");
    let key = |line: &RevenueLine| (line.account, line.entry);
    found.sort_by_key(key);
    all.sort_by_key(key);
    assert_eq!(found, all, "every line is on one page, once");
}

/// Refunds book negative lines, so that totals say what stands; a full refund leaves nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn books_back_what_is_refunded(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    scene.award(30).await;
    scene.buy(100, 1_000).await;
    let charge = scene.charge(60).await.entry.seq;
    let query = RevenueQuery { account: Some(scene.account), limit: 100, ..RevenueQuery::default() };
    let totals = must("revenue can be added up", ledger.revenue_totals(&query).await);
    let wanted = RevenueTotals { lines: 1, gross: 300, partner: 60, agent: 15, platform: 225 };
    assert_eq!(totals, wanted, "30 purchased credits of 100 for 10.00 are 3.00: 0.60, 0.15 and the rest");
    for (amount, gross) in [(7, 230), (33, 0), (20, 0)] {
        let reason = must("a reason", Reason::new("it did not work"));
        let refund = Refund { charge, amount: whole(amount), reason };
        scene.post(Some(scene.admin), Body::Refund(refund)).await;
        let totals = must("revenue can be added up", ledger.revenue_totals(&query).await);
        assert_eq!(totals.gross, gross, "a refund takes back the revenue of exactly the credits returned");
        assert_eq!(totals.partner + totals.agent + totals.platform, totals.gross, "the shares are the whole");
    }
    let totals = must("revenue can be added up", ledger.revenue_totals(&query).await);
    let lines = totals.lines;
    assert_eq!(totals, RevenueTotals { lines, ..RevenueTotals::default() }, "a full refund nets to zero");
    scene.settle().await;
}

async fn expect(ledger: &dyn Ledger, query: &RevenueQuery, wanted: &[RevenueLine]) {
    let mut page = must("revenue can be listed", ledger.revenue(query).await);
    assert_eq!(page.next, None, "a page with room left is the last one");
    let key = |line: &RevenueLine| (line.account, line.entry);
    page.items.sort_by_key(key);
    let mut lines = wanted.to_vec();
    lines.sort_by_key(key);
    assert_eq!(page.items, lines, "a query finds exactly the lines that match: {query:?}");
    let sum = must("lines can be added up", RevenueTotals::sum(&lines));
    let totals = must("revenue can be added up", ledger.revenue_totals(query).await);
    assert_eq!(totals, sum, "totals are the sums of the lines: {query:?}");
}
