//! The statement of the worked example, to the byte, and what a statement refuses.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rad_core::id::{AccountId, ModuleId};
use rad_core::money::{Currency, Rate};
use rad_core::revenue::statement::{COLUMNS, Drawing, Statement, Subject};
use rad_core::revenue::{
    AccountState, Body, Bucket, BurnOrder, Capture, ChargeTerms, Entry, EntryKey, Grant, Hold, LotSource,
    Reason, Refund, RevenueBasis, Reversal, ReversalCause, Rounding, Violation,
};

const PARTNER: AccountId = AccountId::from_bytes([2; 16]);
const FINANCE: AccountId = AccountId::from_bytes([4; 16]);

/// 30 awarded, 100 bought for 10.00, a charge of 60; 40 of it are refunded in the next month.
fn refunded(account: AccountId, currency: Currency) -> Vec<Entry> {
    let reason = Reason::new("the module never worked").unwrap();
    let refund = Body::Refund(Refund { charge: 4, amount: "40".parse().unwrap(), reason });
    history(account, currency, vec![("2026-11-02T09:00:00Z", refund)])
}

/// The same charge; the payment is refunded in the next month, and a later purchase repays the debt.
fn reversed(account: AccountId) -> Vec<Entry> {
    let amount = "100".parse().unwrap();
    let reversal = Body::Reversal(Reversal { lot: 2, amount, cause: ReversalCause::PaymentRefund });
    let rest = vec![("2026-11-02T09:00:00Z", reversal), ("2026-11-03T09:00:00Z", bought("50", "6"))];
    history(account, Currency::USD, rest)
}

fn history(account: AccountId, currency: Currency, rest: Vec<(&str, Body)>) -> Vec<Entry> {
    let given = grant(LotSource::AdminAward, Bucket::Awarded, "30", "0");
    let amount = "60".parse().unwrap();
    let hold = Body::Hold(Hold {
        amount,
        burn: BurnOrder::AwardedFirst,
        expires: None,
        deployment: None,
        module: None,
    });
    let deployment = "dabcdefghij1".parse().unwrap();
    let capture = Body::Capture(Capture { hold: 3, amount, deployment, terms: Arc::new(terms(currency)) });
    let start = [given, bought("100", "10"), hold, capture];
    let start = start.map(|body| ("2026-10-01T08:00:00.250Z", body));
    let mut state = AccountState::new(account);
    let mut entries = Vec::new();
    for (at, body) in start.into_iter().chain(rest) {
        let at: DateTime<Utc> = at.parse().unwrap();
        let entry = state.draft(at, EntryKey::derive("test", &[]), Some(FINANCE), body);
        state.apply(&entry).unwrap();
        entries.push(entry);
    }
    entries
}

fn bought(credits: &str, cost: &str) -> Body {
    grant(LotSource::Purchase, Bucket::Purchased, credits, cost)
}

fn grant(source: LotSource, bucket: Bucket, credits: &str, cost: &str) -> Body {
    let (credits, cost) = (credits.parse().unwrap(), cost.parse().unwrap());
    Body::Grant(Grant { source, bucket, credits, cost, paid: None, expires: None, reference: None })
}

fn terms(currency: Currency) -> ChargeTerms {
    ChargeTerms {
        module: ModuleId::from_bytes([5; 16]),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        publisher: Some(PARTNER),
        agent: None,
        partner_share: "20".parse().unwrap(),
        agent_share: Rate::ZERO,
        rule_version: 7,
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
        currency,
    }
}

fn draw(entries: &[Entry], subject: Subject, month: &str) -> Statement {
    let mut state = AccountState::new(entries[0].account);
    let mut drawing = Drawing::new(subject, month.parse().unwrap());
    for entry in entries {
        drawing.take(entry, &state.apply(entry).unwrap()).unwrap();
    }
    drawing.finish().unwrap()
}

const PAYER: AccountId = AccountId::from_bytes([1; 16]);
const OTHER: AccountId = AccountId::from_bytes([6; 16]);

/// The cells of some columns, row by row.
fn cells(statement: &Statement, columns: &[&str]) -> Vec<String> {
    let places: Vec<_> =
        columns.iter().map(|name| COLUMNS.iter().position(|column| column == name).unwrap()).collect();
    let rows = statement.rows.iter().map(|row| statement.cells(row));
    rows.map(|row| places.iter().map(|place| row[*place].as_str()).collect::<Vec<_>>().join(" ")).collect()
}

const MONEY: [&str; 9] = [
    "type",
    "gross_credits",
    "awarded",
    "purchased",
    "gross_minor",
    "share_bps",
    "share_minor",
    "net",
    "running_balance",
];

#[test]
fn the_refund_of_the_example_takes_the_share_back_a_month_later() {
    let entries = refunded(PAYER, Currency::USD);
    let october = draw(&entries, Subject::Partner(PARTNER), "2026-10");
    assert_eq!(cells(&october, &MONEY), ["charge 60 30 30 300 2000 60 0.60 0.60"]);
    let november = draw(&entries, Subject::Partner(PARTNER), "2026-11");
    assert_eq!((november.opening, november.closing), (60, 0));
    assert_eq!(cells(&november, &MONEY), ["refund -40 -10 -30 -300 2000 -60 -0.60 0.00"]);
    let expected = "statement_id,period_start,period_end,entry_id,original_entry_id,type,booked_at,effective_at,\
        deployment_id,module,version,payee,gross_credits,awarded,purchased,currency,gross_minor,share_bps,\
        rule_version,share_minor,net,running_balance\r\n\
        a7d85d5910c11197dba8d096ef6a3490,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,\
        01010101-0101-0101-0101-010101010101:5,01010101-0101-0101-0101-010101010101:4,refund,\
        2026-11-02T09:00:00Z,2026-10-01T08:00:00.250Z,dabcdefghij1,05050505-0505-0505-0505-050505050505,\
        0123456789abcdef0123456789abcdef01234567,partner:02020202-0202-0202-0202-020202020202,\
        -40,-10,-30,USD,-300,2000,7,-60,-0.60,0.00\r\n";
    assert_eq!(november.csv(), expected);
}

#[test]
fn the_reversal_of_the_example_is_repaid_at_what_the_new_credits_cost() {
    let entries = reversed(PAYER);
    let november = draw(&entries, Subject::Partner(PARTNER), "2026-11");
    assert_eq!(
        cells(&november, &MONEY),
        ["reversal -30 0 -30 -300 2000 -60 -0.60 0.00", "repayment 30 0 30 360 2000 72 0.72 0.72"]
    );
    assert_eq!((november.opening, november.closing, november.share()), (60, 72, 12));
    let columns = ["entry_id", "original_entry_id", "booked_at", "effective_at"];
    let account = PAYER.to_string();
    assert_eq!(
        cells(&november, &columns)[1],
        format!("{account}:6 {account}:4 2026-11-03T09:00:00Z 2026-10-01T08:00:00.250Z")
    );
    let platform = draw(&entries, Subject::Platform, "2026-11");
    assert_eq!(cells(&platform, &["share_bps", "share_minor"]), ["8000 -240", "8000 288"]);
    for (subject, payee) in [
        (Subject::Module(ModuleId::from_bytes([5; 16])), "all"),
        (Subject::Account(PAYER), "all"),
        (Subject::Platform, "platform"),
    ] {
        let statement = draw(&entries, subject, "2026-11");
        assert_eq!(cells(&statement, &["payee"]), [payee, payee], "{subject}");
    }
    let all = draw(&entries, Subject::Account(PAYER), "2026-11");
    assert_eq!(cells(&all, &["share_bps", "net"]), ["10000 -3.00", "10000 3.60"]);
}

#[test]
fn a_statement_of_nobody_is_empty_and_still_has_its_id() {
    let entries = reversed(PAYER);
    let nobody = draw(&entries, Subject::Agent(PARTNER), "2026-10");
    assert_eq!((nobody.currency, nobody.rows.len(), nobody.closing), (None, 0, 0));
    let others = [
        draw(&entries, Subject::Partner(PARTNER), "2026-10").id(),
        draw(&entries, Subject::Agent(PAYER), "2026-10").id(),
        draw(&entries, Subject::Agent(PARTNER), "2026-11").id(),
    ];
    assert!(!others.contains(&nobody.id()) && nobody.id().len() == 32);
}

#[test]
fn lines_in_two_currencies_make_no_statement() {
    let mut drawing = Drawing::new(Subject::Platform, "2026-10".parse().unwrap());
    let mut outcomes = Vec::new();
    for (account, currency) in [(PAYER, Currency::USD), (OTHER, Currency::EUR)] {
        let mut state = AccountState::new(account);
        for entry in refunded(account, currency).iter().take(4) {
            let outcome = drawing.take(entry, &state.apply(entry).unwrap());
            outcomes.extend(outcome.err());
        }
    }
    assert_eq!(outcomes, [Violation::CurrencyChanged { expected: Currency::USD, actual: Currency::EUR }]);
}

#[test]
fn interleaved_accounts_are_refused_and_not_misread() {
    let histories = [refunded(PAYER, Currency::USD), reversed(OTHER)];
    let mut states = histories.each_ref().map(|entries| AccountState::new(entries[0].account));
    let mut drawing = Drawing::new(Subject::Platform, "2026-11".parse().unwrap());
    let mut refused = Vec::new();
    for place in 0..5 {
        for (entries, state) in histories.iter().zip(&mut states) {
            let effect = state.apply(&entries[place]).unwrap();
            refused.extend(drawing.take(&entries[place], &effect).err());
        }
    }
    assert_eq!(refused, [Violation::UnknownCharge { charge: 4 }, Violation::UnknownCharge { charge: 4 }]);
}
