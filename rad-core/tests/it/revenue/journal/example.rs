//! The worked example as a book-keeper writes it, and what the chart decides where the domain leaves it open.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::id::DeploymentId;
use rad_core::money::{Amount, Credits, Currency};
use rad_core::revenue::journal::{Books, Cause, ChartAccount, Transaction, Unit};
use rad_core::revenue::{
    AccountState, Adjustment, Body, Bucket, Capture, ChargeTerms, Effect, EntryKey, Freeze, Grant, Hold,
    ProjectDebit, Reason, Release, RevenueBasis, Violation,
};

use super::super::example::{FINANCE, OWNER, bought, deployment, given, hold, refund, reversal, terms};

struct Case {
    state: AccountState,
    books: Books,
    now: DateTime<Utc>,
}

impl Case {
    fn new() -> Self {
        let now = "2026-10-01T08:00:00Z".parse().unwrap();
        Self { state: AccountState::new(OWNER), books: Books::new(Currency::USD), now }
    }

    /// 30 awarded, 100 bought for 10.00, a charge of 60.
    fn example() -> (Self, Vec<String>) {
        let mut case = Self::new();
        let mut text = case.post(given("30"));
        text.extend(case.post(bought("100", "10")));
        text.extend(case.charge("60", terms("20")));
        (case, text)
    }

    /// The postings of everything that is booked with an entry.
    fn post(&mut self, body: Body) -> Vec<String> {
        self.try_post(body).unwrap().iter().flat_map(show).collect()
    }

    fn try_post(&mut self, body: Body) -> Result<Vec<Transaction>, Violation> {
        let key = EntryKey::derive("test", &[&self.state.seq().to_be_bytes()]);
        let entry = self.state.draft(self.now, key, Some(FINANCE), body);
        let mut transactions = Vec::new();
        self.books.apply(&mut self.state, &entry, &mut Effect::default(), &mut transactions)?;
        Ok(transactions)
    }

    fn charge(&mut self, amount: &str, terms: ChargeTerms) -> Vec<String> {
        assert_eq!(self.post(hold(amount)), [""; 0], "a hold moves no money");
        self.capture(self.state.seq(), amount, terms)
    }

    fn capture(&mut self, hold: u64, amount: &str, terms: ChargeTerms) -> Vec<String> {
        let (amount, terms) = (amount.parse().unwrap(), Arc::new(terms));
        self.post(Body::Capture(Capture { hold, amount, deployment: deployment(), terms }))
    }

    fn pass(&mut self, days: i64) -> &mut Self {
        self.now += TimeDelta::days(days);
        self
    }
}

/// The day and the cause, then each posting.
fn show(transaction: &Transaction) -> Vec<String> {
    let heading = format!("{} {}", transaction.at.format("%m-%d"), transaction.cause.kind());
    let postings = transaction.postings.iter().map(|posting| {
        let name = posting.account.to_string();
        let last = name.rsplit(':').next().unwrap().to_owned();
        let name = if last.starts_with("P-") { "Partner".to_owned() } else { last };
        match posting.account.unit() {
            Unit::Money => format!("{name} {}", Amount::from_micros(posting.micros)),
            Unit::Credits => format!("{name} {} credits", Credits::from_micros(posting.micros)),
        }
    });
    std::iter::once(heading).chain(postings).collect()
}

#[test]
fn a_charge_turns_deferred_revenue_into_revenue_and_shares() {
    let (_, text) = Case::example();
    let bought = ["10-01 grant", "Received 10", "Credits -10"];
    let charged = ["10-01 capture", "Credits 3", "Partner -0.6", "Charges -3", "PartnerShares 0.6"];
    assert_eq!(text, [&bought[..], &charged].concat());
}

#[test]
fn a_refund_defers_it_again() {
    let (mut case, _) = Case::example();
    let expected = ["10-01 refund", "Credits -3", "Partner 0.6", "Refunds 3", "PartnerClawback -0.6"];
    assert_eq!(case.post(refund(4, "40")), expected);
}

#[test]
fn a_reversed_payment_leaves_a_claim_in_credits_that_the_next_one_repays() {
    let (mut case, _) = Case::example();
    let reversed = [
        "10-01 reversal",
        "Returned -10",
        "Debts 30 credits",
        "Credits 7",
        "Partner 0.6",
        "Claims -30 credits",
        "Reversals 3",
        "PartnerClawback -0.6",
    ];
    assert_eq!(case.post(reversal(2, "100")), reversed);
    let repaid = [
        "10-01 grant",
        "Received 6",
        "Debts -30 credits",
        "Credits -2.4",
        "Partner -0.72",
        "Claims 30 credits",
        "Repayments -3.6",
        "PartnerShares 0.72",
    ];
    assert_eq!(case.post(bought("50", "6")), repaid);
}

#[test]
fn what_makes_no_whole_cent_waits_until_it_does() {
    let mut case = Case::new();
    case.post(bought("3", "10"));
    let own = || ChargeTerms { publisher: None, ..terms("0") };
    for expected in [
        ["Credits 3.333333", "Unrounded -0.003333", "Charges -3.33"],
        ["Credits 3.333333", "Unrounded -0.003333", "Charges -3.33"],
        ["Credits 3.333334", "Unrounded 0.006666", "Charges -3.34"],
    ] {
        assert_eq!(case.charge("1", own())[1..], expected);
    }
}

#[test]
fn expiry_is_booked_on_its_day_and_again_on_what_a_late_release_or_refund_returns() {
    let mut case = Case::new();
    let Body::Grant(grant) = bought("100", "10") else { unreachable!() };
    let expires = Some(case.now + TimeDelta::days(30));
    case.post(Body::Grant(Grant { expires, ..grant }));
    let charge = case.charge("20", terms("20")).len();
    assert_eq!(charge, 5);
    case.post(hold("10"));
    let text = case.pass(60).post(given("1"));
    assert_eq!(text, ["10-31 expiry", "Credits 7", "Breakage -7"]);
    let text = case.post(Body::Release(Release { hold: 4 }));
    assert_eq!(text, ["11-30 release", "Credits 1", "Breakage -1"]);
    let text = case.post(refund(3, "20"));
    let expected = ["11-30 refund", "Partner 0.4", "Refunds 2", "Breakage -2", "PartnerClawback -0.4"];
    assert_eq!(text, expected);
    let text = case.post(reversal(1, "100"));
    assert_eq!(text, ["11-30 reversal", "Returned -10", "Breakage 10"]);
}

#[test]
fn a_hold_that_lapses_after_the_lot_ran_out_voids_its_credits_on_the_day_it_lapses() {
    let mut case = Case::new();
    let Body::Grant(grant) = bought("100", "10") else { unreachable!() };
    let days = |days| Some(case.now + TimeDelta::days(days));
    let (expires, lapses) = (days(30), days(40));
    case.post(Body::Grant(Grant { expires, ..grant }));
    let Body::Hold(kept) = hold("10") else { unreachable!() };
    case.post(Body::Hold(Hold { expires: lapses, ..kept }));
    let text = case.pass(60).post(given("1"));
    let expected = ["10-31 expiry", "Credits 9", "Breakage -9", "11-10 expiry", "Credits 1", "Breakage -1"];
    assert_eq!(text, expected);
}

#[test]
fn what_is_owed_under_a_hold_is_a_claim_until_the_hold_lapses() {
    let mut case = Case::new();
    case.post(bought("100", "10"));
    let Body::Hold(kept) = hold("10") else { unreachable!() };
    let expires = Some(case.now + TimeDelta::days(5));
    case.post(Body::Hold(Hold { expires, ..kept }));
    let text = case.post(reversal(1, "100"));
    let expected = ["10-01 reversal", "Returned -10", "Debts 10 credits", "Credits 10", "Claims -10 credits"];
    assert_eq!(text, expected);
    let text = case.pass(9).post(given("1"));
    assert_eq!(text, ["10-06 expiry", "Debts -10 credits", "Claims 10 credits"]);
}

#[test]
fn projects_take_credits_at_cost_and_owe_the_rest_without_a_price() {
    let mut case = Case::new();
    case.post(bought("100", "10"));
    let debit = ProjectDebit { amount: "130".parse().unwrap(), project: [7; 16], deployment: None };
    let expected =
        ["10-01 project_debit", "Debts 30 credits", "Credits 10", "Claims -30 credits", "Projects -10"];
    assert_eq!(case.post(Body::ProjectDebit(debit)), expected);
    let text = case.post(refund(2, "130"));
    let expected = ["10-01 refund", "Debts -30 credits", "Credits -10", "Claims 30 credits", "Projects 10"];
    assert_eq!(text, expected);
}

#[test]
fn removed_credits_leave_their_cost_and_disputed_ones_keep_it() {
    let mut case = Case::new();
    case.post(bought("100", "10"));
    let reason = || Reason::new("granted by mistake").unwrap();
    let adjust = |amount: &str| {
        let amount = amount.parse().unwrap();
        Body::Adjustment(Adjustment { bucket: Bucket::Purchased, amount, reason: reason() })
    };
    assert_eq!(case.post(adjust("-25")), ["10-01 adjustment", "Credits 2.5", "Removed -2.5"]);
    assert_eq!(case.post(adjust("5")), [""; 0], "a gift costs nothing");
    assert_eq!(case.post(Body::Freeze(Freeze { lot: 1 })), [""; 0]);
}

#[test]
fn another_basis_yields_more_or_less_than_the_credits_had_cost() {
    let mut case = Case::new();
    case.post(bought("100", "8"));
    let basis = RevenueBasis::CreditsPerUnit("10".parse().unwrap());
    let text = case.charge("50", ChargeTerms { basis, ..terms("20") });
    let expected = ["10-01 capture", "Credits 4", "Partner -1", "Charges -5", "Basis 1", "PartnerShares 1"];
    assert_eq!(text, expected);
}

#[test]
fn revenue_in_another_currency_is_refused() {
    let mut case = Case::new();
    case.post(bought("100", "8"));
    case.post(hold("1"));
    let euro = Arc::new(ChargeTerms { currency: Currency::EUR, ..terms("20") });
    let deployment: DeploymentId = deployment();
    let body = Body::Capture(Capture { hold: 2, amount: "1".parse().unwrap(), deployment, terms: euro });
    let refused = Violation::CurrencyChanged { expected: Currency::USD, actual: Currency::EUR };
    assert_eq!(case.try_post(body), Err(refused));
}

#[test]
fn an_entry_that_cannot_be_books_nothing() {
    let (mut case, _) = Case::example();
    let (state, books) = (case.state.clone(), format!("{:?}", case.books));
    assert!(case.pass(400).try_post(refund(4, "61")).is_err());
    assert_eq!((case.state, format!("{:?}", case.books)), (state, books));
}

#[test]
fn names_are_good_in_both_programs_and_leaves_are_unique() {
    let ids = [ChartAccount::PartnerPayable(OWNER), ChartAccount::AgentPayable(OWNER)];
    let names: Vec<String> = ChartAccount::FIXED.iter().chain(&ids).map(ToString::to_string).collect();
    let mut leaves: Vec<&str> = names.iter().map(|name| name.rsplit(':').next().unwrap()).collect();
    leaves.sort_unstable();
    leaves.dedup();
    assert_eq!(leaves.len(), names.len());
    for name in &names {
        for component in name.split(':') {
            assert!(component.starts_with(|letter: char| letter.is_ascii_uppercase()), "{name}");
            assert!(component.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'));
        }
    }
    let expiry = Cause::Expiry.kind();
    assert_eq!(expiry, "expiry");
}
