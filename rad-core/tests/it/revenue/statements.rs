//! The laws of statements: they add up, over payees, lines and periods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use rad_core::id::{AccountId, ModuleId};
use rad_core::money::Currency;
use rad_core::revenue::statement::{Drawing, Period, Row, Statement, Subject};
use rad_core::revenue::{AccountState, Body, Capture, ChargeTerms, EntryId, LineKind, RevenueLine};
use rad_core::strategies::{History, cases, histories};

/// Several accounts on one platform: few partners, agents and modules, one currency.
fn markets() -> impl Strategy<Value = Vec<History>> {
    prop::collection::vec(histories(1..40), 1..5).prop_map(|histories| {
        let histories: BTreeMap<AccountId, History> =
            histories.into_iter().map(|history| (history.account, history)).collect();
        histories.into_values().map(on_one_platform).collect()
    })
}

fn on_one_platform(mut history: History) -> History {
    for entry in &mut history.entries {
        if let Body::Capture(Capture { terms, .. }) = &mut entry.body {
            *terms = Arc::new(ChargeTerms {
                module: ModuleId::from_bytes([terms.module.as_bytes()[0] % 3; 16]),
                publisher: terms.publisher.map(one_of_three),
                agent: terms.agent.map(one_of_three).filter(|agent| *agent != history.account),
                currency: Currency::USD,
                ..ChargeTerms::clone(terms)
            });
        }
    }
    history
}

fn one_of_three(account: AccountId) -> AccountId {
    AccountId::from_bytes([account.as_bytes()[0] % 3 + 1; 16])
}

fn lines(market: &[History]) -> Vec<RevenueLine> {
    let effects = market.iter().flat_map(|history| {
        let mut state = AccountState::new(history.account);
        history.entries.iter().map(move |entry| state.apply(entry).unwrap())
    });
    effects.flat_map(|effect| effect.lines).collect()
}

fn draw(market: &[History], subject: Subject, period: Period) -> Statement {
    let mut drawing = Drawing::new(subject, period);
    for history in market {
        let mut state = AccountState::new(history.account);
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            let concerned = drawing.take(entry, &effect).unwrap();
            assert!(!concerned || entry.at < period.end());
        }
    }
    drawing.finish().unwrap()
}

/// Everybody whose share of a line counts.
fn payees(lines: &[RevenueLine]) -> BTreeSet<Subject> {
    let partners = lines.iter().filter_map(|line| line.publisher).map(Subject::Partner);
    let agents = lines.iter().filter_map(|line| line.agent_account).map(Subject::Agent);
    partners.chain(agents).chain([Subject::Platform]).collect()
}

/// The months from the first entry to the last.
fn months(market: &[History]) -> Vec<Period> {
    let times = || market.iter().flat_map(|history| &history.entries).map(|entry| entry.at);
    let (first, last) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    let mut months: Vec<Period> = vec![first.format("%Y-%m").to_string().parse().unwrap()];
    while months[months.len() - 1].end() <= last {
        let next = months[months.len() - 1].end();
        months.push(next.format("%Y-%m").to_string().parse().unwrap());
    }
    months
}

/// What identifies a line among those of one market: its entry, its charge, its kind; several of one entry on one charge are
/// told apart by their gross.
fn of_row(row: &Row) -> (EntryId, u64, LineKind, i64) {
    (row.entry, row.original.unwrap_or(row.entry).seq, row.kind, row.gross)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn statements_of_all_payees_add_up_to_the_gross(market in markets()) {
        let lines = lines(&market);
        let mut whole = 0;
        for month in months(&market) {
            let booked: Vec<_> = lines.iter().filter(|line| month.contains(line.at)).collect();
            let gross: i64 = booked.iter().map(|line| line.gross).sum();
            let statements: Vec<_> =
                payees(&lines).into_iter().map(|payee| draw(&market, payee, month)).collect();
            prop_assert_eq!(statements.iter().map(Statement::share).sum::<i64>(), gross);
            whole += gross;

            let mut by_line: BTreeMap<_, i64> = BTreeMap::new();
            for row in statements.iter().flat_map(|statement| &statement.rows) {
                *by_line.entry(of_row(row)).or_default() += row.share;
            }
            let mut expected: BTreeMap<_, i64> = BTreeMap::new();
            for line in booked {
                let entry = EntryId { account: line.account, seq: line.entry };
                *expected.entry((entry, line.charge, line.kind, line.gross)).or_default() += line.gross;
            }
            prop_assert_eq!(by_line, expected);
        }
        prop_assert_eq!(whole, lines.iter().map(|line| line.gross).sum::<i64>());
    }

    #[test]
    fn rows_add_up_to_totals_and_balances(market in markets()) {
        let lines = lines(&market);
        let modules = lines.iter().map(|line| Subject::Module(line.module));
        let accounts = lines.iter().map(|line| Subject::Account(line.account));
        let subjects: BTreeSet<_> = payees(&lines).into_iter().chain(modules).chain(accounts).collect();
        for subject in subjects {
            for month in months(&market) {
                let statement = draw(&market, subject, month);
                let mut balance = statement.opening;
                for row in &statement.rows {
                    balance += row.share;
                    prop_assert_eq!(row.balance, balance);
                    prop_assert!(month.contains(row.booked_at) && row.effective_at <= row.booked_at);
                }
                prop_assert_eq!(statement.closing, balance);
                prop_assert_eq!(statement.share(), statement.closing - statement.opening);
                let gross: i64 = statement.rows.iter().map(|row| row.gross).sum();
                prop_assert_eq!((statement.totals.gross, statement.totals.lines), (gross, statement.rows.len() as u64));
                prop_assert!(statement.rows.is_sorted_by_key(|row| (row.booked_at, row.entry)));
            }
        }
    }

    #[test]
    fn a_statement_is_the_difference_of_two_cumulative_ones(market in markets(), cut in 0..1_000_i64, then in 1..1_000_i64) {
        let months = months(&market);
        let (first, last) = (months[0].start(), months[months.len() - 1].end());
        let step = (last - first) / 2_000;
        let start = first + step * i32::try_from(cut).unwrap();
        let end = start + step * i32::try_from(then).unwrap();
        let since = |end| Period::new(first - chrono::TimeDelta::seconds(1), end).unwrap();
        for payee in payees(&lines(&market)) {
            let before = draw(&market, payee, since(start));
            let until = draw(&market, payee, since(end));
            let between = draw(&market, payee, Period::new(start, end).unwrap());
            prop_assert_eq!((before.opening, before.closing), (0, between.opening));
            prop_assert_eq!(until.closing, between.closing);
            let rows: Vec<_> = before.rows.into_iter().chain(between.rows).collect();
            prop_assert_eq!(rows, until.rows);
        }
    }

    #[test]
    fn the_order_of_accounts_changes_nothing(market in markets()) {
        let backwards: Vec<_> = market.iter().rev().cloned().collect();
        for month in months(&market) {
            let (one, other) = (draw(&market, Subject::Platform, month), draw(&backwards, Subject::Platform, month));
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn no_cell_needs_quotes_or_can_be_a_formula(market in markets()) {
        for month in months(&market) {
            let csv = draw(&market, Subject::Platform, month).csv();
            for line in csv.lines() {
                let cells: Vec<_> = line.split(',').collect();
                prop_assert_eq!(cells.len(), 22);
                for cell in cells {
                    prop_assert!(!cell.starts_with(['=', '+', '@', '\t', '\r']) && !cell.contains(['"', '\n']));
                    prop_assert!(!cell.starts_with('-') || cell.parse::<rust_decimal::Decimal>().is_ok(), "{}", cell);
                }
            }
        }
    }
}
