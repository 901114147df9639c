//! The laws of the journal meet every account of the chart, and credits that run out between two entries.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rad_core::revenue::journal::{Cause, ChartAccount};
use rad_core::strategies::histories;

use super::laws::Run;

#[test]
fn histories_reach_every_account() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..512 {
        let history = histories(1..60).new_tree(&mut runner).unwrap().current();
        let mut run = Run::new(&history);
        for transaction in history.entries.iter().flat_map(|entry| run.post(entry)) {
            for posting in &transaction.postings {
                let side = if posting.micros > 0 { "debit" } else { "credit" };
                let account = posting.account.to_string();
                let account = account.split(":P-").next().and_then(|name| name.split(":A-").next()).unwrap();
                *seen.entry(format!("{side} {account}")).or_default() += 1;
                if transaction.cause == Cause::Expiry {
                    *seen.entry(format!("{side} {account} between entries")).or_default() += 1;
                }
            }
        }
    }
    let fixed = ChartAccount::FIXED.map(|account| account.to_string());
    let sides = |name: &str| match name {
        "Assets:Cash:Received" => vec!["debit"],
        "Assets:Cash:Returned" | "Income:Revenue:Charges" | "Income:Revenue:Repayments" => vec!["credit"],
        "Income:Revenue:Refunds" | "Income:Revenue:Reversals" => vec!["debit"],
        "Expenses:Partners:PartnerShares" | "Expenses:Agents:AgentShares" => vec!["debit"],
        "Expenses:Partners:PartnerClawback" | "Expenses:Agents:AgentClawback" => vec!["credit"],
        _ => vec!["debit", "credit"],
    };
    let payable = ["Liabilities:Payable:Partners", "Liabilities:Payable:Agents"];
    let mut wanted: Vec<String> = Vec::new();
    for name in fixed.iter().map(String::as_str).chain(payable) {
        wanted.extend(sides(name).iter().map(|side| format!("{side} {name}")));
    }
    let between = ["credit Income:Breakage", "debit Liabilities:Deferred:Credits"];
    wanted.extend(between.map(|what| format!("{what} between entries")));
    for what in wanted {
        let times = seen.get(&what).copied().unwrap_or(0);
        assert!(times >= 5, "{what:?} was met {times} times only; met were {seen:#?}");
    }
}
