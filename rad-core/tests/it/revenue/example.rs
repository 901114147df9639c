//! The worked example, to the cent, and the rules that have an example of their own.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::money::{CreditsPerUnit, Currency, Rate};
use rad_core::revenue::{
    AccountState, Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, DebtOf, Effect, EntryKey,
    Expiry, Freeze, Grant, Group, Grouping, Hold, LotSource, ProjectDebit, Reason, Refund, Release,
    RevenueBasis, Reversal, ReversalCause, Rounding, Summary, Unfreeze, Violation,
};

pub(super) const OWNER: AccountId = AccountId::from_bytes([1; 16]);
pub(super) const PARTNER: AccountId = AccountId::from_bytes([2; 16]);
const AGENT: AccountId = AccountId::from_bytes([3; 16]);
pub(super) const FINANCE: AccountId = AccountId::from_bytes([4; 16]);

/// An account under test: a state and a clock.
struct Books {
    state: AccountState,
    now: DateTime<Utc>,
}

impl Books {
    fn new() -> Self {
        Self { state: AccountState::new(OWNER), now: "2026-10-01T08:00:00Z".parse().unwrap() }
    }

    fn post(&mut self, body: Body) -> Result<Effect, Violation> {
        let key = EntryKey::derive("test", &[&self.state.seq().to_be_bytes()]);
        self.state.apply(&self.state.draft(self.now, key, Some(FINANCE), body))
    }

    fn charge(&mut self, amount: &str, terms: ChargeTerms) -> Result<Effect, Violation> {
        self.post(hold(amount))?;
        let hold = self.state.seq();
        self.post(Body::Capture(Capture {
            hold,
            amount: amount.parse().unwrap(),
            deployment: deployment(),
            terms: Arc::new(terms),
        }))
    }

    /// Awarded, purchased, debt.
    fn has(&self) -> [String; 3] {
        let balance = self.state.balance(self.now);
        [balance.awarded, balance.purchased, balance.debt].map(|credits| credits.to_string())
    }

    fn pass(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }
}

/// 30 awarded, 100 bought for 10.00, a charge of 60.
fn example() -> (Books, Effect) {
    let mut books = Books::new();
    books.post(given("30")).unwrap();
    books.post(bought("100", "10")).unwrap();
    let effect = books.charge("60", terms("20")).unwrap();
    (books, effect)
}

#[test]
fn a_charge_takes_awarded_credits_and_earns_on_purchased_ones() {
    let (books, effect) = example();
    assert_eq!(books.has(), ["0", "70", "0"]);
    assert_eq!(money(&effect), [(300, 60, 240)]);
    let parts: Vec<_> = effect.parts.iter().map(|p| (p.credits.to_string(), p.cost.to_string())).collect();
    assert_eq!(parts, [("30".to_owned(), "0".to_owned()), ("30".to_owned(), "3".to_owned())]);
    let line = &effect.lines[0];
    assert_eq!([line.credits, line.awarded, line.purchased].map(|c| c.to_string()), ["60", "30", "30"]);
    assert_eq!((line.publisher, line.original, line.charge, line.entry), (Some(PARTNER), None, 4, 4));
}

#[test]
fn a_refund_returns_purchased_credits_first_and_books_back() {
    let (mut books, _) = example();
    let effect = books.post(refund(4, "40")).unwrap();
    assert_eq!(books.has(), ["10", "100", "0"]);
    assert_eq!(money(&effect), [(-300, -60, -240)]);
    assert_eq!(effect.lines[0].original, Some(4));
    assert_eq!(
        books.post(refund(4, "21")).unwrap_err(),
        Violation::ExceedsCharge {
            charge: 4,
            refundable: "20".parse().unwrap(),
            amount: "21".parse().unwrap()
        }
    );
}

#[test]
fn a_reversed_payment_becomes_debt_that_the_next_purchase_repays() {
    let (mut books, _) = example();
    let effect = books.post(reversal(2, "100")).unwrap();
    assert_eq!(books.has(), ["0", "0", "30"]);
    assert_eq!(money(&effect), [(-300, -60, -240)]);
    assert_eq!(books.post(hold("1")), Err(Violation::InDebt { debt: "30".parse().unwrap() }));
    books.post(given("5")).unwrap();
    assert_eq!(books.has(), ["5", "0", "30"], "what is given repays nothing");
    let effect = books.post(bought("50", "6")).unwrap();
    assert_eq!(books.has(), ["5", "20", "0"]);
    assert_eq!(money(&effect), [(360, 72, 288)]);
    let effect = books.post(refund(4, "60")).unwrap();
    assert_eq!(books.has(), ["35", "50", "0"], "the repaid part returns to the lot that repaid it");
    assert_eq!(money(&effect), [(-360, -72, -288)]);
}

#[test]
fn a_refused_entry_takes_back_nothing_of_a_repayment_before_it() {
    let (mut books, _) = example();
    books.post(reversal(2, "100")).unwrap();
    books.post(bought("50", "6")).unwrap();
    let Body::Hold(body) = hold("8") else { unreachable!() };
    books.post(Body::Hold(Hold { expires: Some(books.now + TimeDelta::hours(1)), ..body })).unwrap();
    let before = books.state.clone();
    // It is refused only after the hold has lapsed, which is what must be taken back.
    books.pass(3_600);
    books.post(hold("100")).unwrap_err();
    assert_eq!(books.state.snapshot(), before.snapshot());
    assert_eq!(money(&books.post(refund(4, "60")).unwrap()), [(-360, -72, -288)]);
}

#[test]
fn of_several_debts_the_latest_is_forgiven_and_the_oldest_repaid_first() {
    let mut books = Books::new();
    books.post(bought("10", "1")).unwrap();
    books.post(bought("10", "2")).unwrap();
    let first = books.charge("15", terms("20")).map(|_| books.state.seq()).unwrap();
    let second = books.charge("5", terms("20")).map(|_| books.state.seq()).unwrap();
    books.post(reversal(1, "10")).unwrap();
    books.post(reversal(2, "10")).unwrap();
    let owed = |books: &Books| -> Vec<(DebtOf, String)> {
        books.state.debts().iter().map(|debt| (debt.of, debt.credits.to_string())).collect()
    };
    let debts = |all: &[(u64, &str)]| -> Vec<(DebtOf, String)> {
        all.iter().map(|(charge, credits)| (DebtOf::Charge(*charge), (*credits).to_owned())).collect()
    };
    assert_eq!(owed(&books), debts(&[(first, "10"), (second, "5"), (first, "5")]));
    books.post(refund(first, "6")).unwrap();
    assert_eq!(owed(&books), debts(&[(first, "9"), (second, "5")]));
    books.post(bought("11", "1.10")).unwrap();
    assert_eq!(owed(&books), debts(&[(second, "3")]));
}

#[test]
fn of_debts_under_a_hold_the_oldest_go_to_its_charge_and_the_rest_is_forgiven() {
    let mut books = Books::new();
    for _ in 0..3 {
        books.post(bought("10", "1")).unwrap();
    }
    books.post(hold("30")).unwrap();
    for lot in 1..=3 {
        books.post(reversal(lot, "10")).unwrap();
    }
    let (amount, terms) = ("15".parse().unwrap(), Arc::new(terms("20")));
    books.post(Body::Capture(Capture { hold: 4, amount, deployment: deployment(), terms })).unwrap();
    let debts: Vec<_> =
        books.state.debts().iter().map(|debt| (debt.entry, debt.of, debt.credits.to_string())).collect();
    let of = DebtOf::Charge(8);
    assert_eq!(debts, [(5, of, "10".to_owned()), (6, of, "5".to_owned())]);
    assert_eq!(books.has(), ["0", "0", "15"]);
}

#[test]
fn debts_repaid_by_one_lot_are_taken_back_from_the_latest_charge_first() {
    let mut books = Books::new();
    books.post(bought("10", "1")).unwrap();
    books.post(bought("10", "1")).unwrap();
    let charges =
        ["10", "10"].map(|amount| books.charge(amount, terms("20")).map(|_| books.state.seq()).unwrap());
    // The later charge owes first.
    for lot in [2, 1] {
        books.post(reversal(lot, "10")).unwrap();
    }
    books.post(bought("20", "2")).unwrap();
    let lot = books.state.seq();
    let effect = books.post(reversal(lot, "5")).unwrap();
    assert_eq!(effect.lines.iter().map(|line| line.charge).collect::<Vec<_>>(), charges[1..]);
}

#[test]
fn a_reversal_takes_usable_credits_before_removed_ones() {
    let mut books = Books::new();
    books.post(bought("10", "1")).unwrap();
    let reason = Reason::new("found by audit").unwrap();
    let removal = Adjustment { bucket: Bucket::Purchased, amount: "-4".parse().unwrap(), reason };
    books.post(Body::Adjustment(removal)).unwrap();
    books.post(reversal(1, "5")).unwrap();
    assert_eq!(books.has(), ["0", "1", "0"]);
}

#[test]
fn a_payment_refunded_in_parts_reverses_credits_in_proportion() {
    let mut books = Books::new();
    books.post(bought("100", "3")).unwrap();
    let mut reversed = Vec::new();
    for refunded in ["1", "2", "2", "3", "99"] {
        let credits = books.state.lot(1).unwrap().to_reverse(refunded.parse().unwrap());
        if credits.is_positive() {
            books.post(reversal(1, &credits.to_string())).unwrap();
        }
        reversed.push(credits.to_string());
    }
    assert_eq!(reversed, ["33.333333", "33.333333", "0", "33.333334", "0"]);
    books.post(given("5")).unwrap();
    let gift = books.state.lots().last().unwrap();
    assert!(gift.to_reverse("1".parse().unwrap()).micros() == 0);
    let gift = gift.id;
    assert_eq!(books.post(reversal(gift, "1")), Err(Violation::NotPaid { lot: gift }));
}

#[test]
fn a_stored_state_that_contradicts_itself_is_refused() {
    let (mut books, _) = example();
    books.post(hold("10")).unwrap();
    let good = serde_json::to_value(&books.state).unwrap();
    assert!(serde_json::from_value::<AccountState>(good.clone()).is_ok());
    for (place, value) in [
        ("/lots/1/open", "61"),
        ("/lots/1/held", "9"),
        ("/lots/1/open", "-1"),
        ("/lots/1/unspent_cost", "10.01"),
        ("/holds/0/amount", "11"),
        ("/charges/0/parts/1/credits", "31"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value.into();
        let refused = serde_json::from_value::<AccountState>(bad);
        assert!(refused.is_err_and(|error| error.to_string().contains("inconsistent")), "{place}");
    }
}

#[test]
fn a_refund_forgives_what_its_charge_owes_first() {
    let (mut books, _) = example();
    books.post(reversal(2, "100")).unwrap();
    let effect = books.post(refund(4, "40")).unwrap();
    assert_eq!(books.has(), ["10", "0", "0"]);
    assert_eq!(effect.lines.len(), 1, "the awarded credits that came back");
    assert_eq!((effect.lines[0].gross, effect.lines[0].awarded.to_string().as_str()), (0, "-10"));
}

#[test]
fn a_lot_that_is_spent_yields_what_was_paid_for_it() {
    let mut books = Books::new();
    books.post(bought("3", "10")).unwrap();
    let gross: Vec<_> = (0..3).map(|_| books.charge("1", terms("20")).unwrap().lines[0].gross).collect();
    assert_eq!(gross, [333, 333, 334]);
}

#[test]
fn a_partial_capture_releases_the_newest_parts() {
    let mut books = Books::new();
    books.post(given("30")).unwrap();
    books.post(bought("100", "10")).unwrap();
    books.post(hold("60")).unwrap();
    let capture = Capture {
        hold: 3,
        amount: "40".parse().unwrap(),
        deployment: deployment(),
        terms: Arc::new(terms("20")),
    };
    let effect = books.post(Body::Capture(capture)).unwrap();
    assert_eq!(money(&effect), [(100, 20, 80)]);
    assert_eq!(books.has(), ["0", "90", "0"]);
    let again = books.post(Body::Release(Release { hold: 3 }));
    assert_eq!(again, Err(Violation::HoldSettled { hold: 3 }));
    assert_eq!(books.post(Body::Release(Release { hold: 99 })), Err(Violation::UnknownHold { hold: 99 }));
}

#[test]
fn soonest_expiry_burns_first_and_expired_credits_are_void() {
    let mut books = Books::new();
    books.post(given("10")).unwrap();
    let expires = Some(books.now + TimeDelta::days(1));
    let Body::Grant(grant) = given("10") else { unreachable!() };
    books.post(Body::Grant(Grant { expires, ..grant.clone() })).unwrap();
    let split = books.state.preview("15".parse().unwrap(), BurnOrder::AwardedFirst, books.now).unwrap();
    assert_eq!(split.parts.iter().map(|part| part.lot).collect::<Vec<_>>(), [2, 1]);
    books.post(hold("5")).unwrap();
    assert_eq!(books.post(Body::Expiry(Expiry { lot: 2 })), Err(Violation::NotExpired { lot: 2 }));
    books.pass(86_400);
    assert_eq!(books.has(), ["10", "0", "0"], "void without an entry");
    books.post(Body::Release(Release { hold: 3 })).unwrap();
    assert_eq!(books.has(), ["10", "0", "0"], "reserved credits are void on release");
    let late = books.post(Body::Grant(Grant { expires, ..grant }));
    assert!(matches!(late, Err(Violation::AlreadyExpired { .. })));
}

#[test]
fn a_lapsed_hold_returns_by_itself() {
    let mut books = Books::new();
    books.post(given("10")).unwrap();
    let Body::Hold(body) = hold("8") else { unreachable!() };
    books.post(Body::Hold(Hold { expires: Some(books.now + TimeDelta::hours(1)), ..body })).unwrap();
    assert_eq!(books.has(), ["2", "0", "0"]);
    books.pass(3_600);
    assert_eq!(books.has(), ["10", "0", "0"]);
    let capture = Capture {
        hold: 2,
        amount: "8".parse().unwrap(),
        deployment: deployment(),
        terms: Arc::new(terms("20")),
    };
    assert_eq!(books.post(Body::Capture(capture)), Err(Violation::HoldSettled { hold: 2 }));
    let effect = books.post(hold("10")).unwrap();
    assert_eq!(effect.lapsed, [2]);
}

#[test]
fn a_lot_returned_after_a_refused_entry_still_runs_out() {
    let mut books = Books::new();
    let lasting = |credits: &str, seconds: i64, now: DateTime<Utc>| {
        let Body::Grant(grant) = given(credits) else { unreachable!() };
        Body::Grant(Grant { expires: Some(now + TimeDelta::seconds(seconds)), ..grant })
    };
    let begin = books.now;
    books.post(lasting("5", 20, begin)).unwrap();
    books.post(lasting("10", 90, begin)).unwrap();
    let Body::Hold(all) = hold("15") else { unreachable!() };
    books.post(Body::Hold(Hold { expires: Some(begin + TimeDelta::seconds(40)), ..all })).unwrap();
    // The first lot runs out while both are on hold: what is looked for next is the lapse alone.
    books.pass(30);
    books.post(bought("1", "1")).unwrap();
    // A refused entry meets the lapsed hold, the next one is taken: now the second lot's credits are back.
    books.pass(20);
    books.post(hold("100")).unwrap_err();
    books.post(bought("1", "1")).unwrap();
    assert_eq!(books.has(), ["10", "2", "0"]);
    books.pass(50);
    assert_eq!(books.has(), ["0", "2", "0"]);
    assert!(matches!(books.post(hold("3")), Err(Violation::InsufficientTotal { .. })));
}

#[test]
fn a_lot_that_runs_out_as_a_hold_of_it_lapses_is_reversed_in_one_piece() {
    for shown in [false, true] {
        let mut books = Books::new();
        let expires = Some(books.now + TimeDelta::hours(1));
        let Body::Grant(grant) = bought("3", "10") else { unreachable!() };
        books.post(Body::Grant(Grant { expires, ..grant })).unwrap();
        let Body::Hold(body) = hold("1") else { unreachable!() };
        books.post(Body::Hold(Hold { expires, ..body })).unwrap();
        books.pass(3_600);
        if shown {
            books.post(Body::Expiry(Expiry { lot: 1 })).unwrap();
        }
        books.post(reversal(1, "2.7")).unwrap();
        // 10 × 2.7 / 3, not ⌊10 × 2 / 3⌋ and then of the rest.
        assert_eq!(books.state.lot(1).unwrap().reversed_cost.to_string(), "9", "shown: {shown}");
    }
}

#[test]
fn a_dispute_freezes_what_is_unspent() {
    let (mut books, _) = example();
    books.post(Body::Freeze(Freeze { lot: 2 })).unwrap();
    assert_eq!(books.has(), ["0", "0", "0"]);
    assert_eq!(books.state.balance(books.now).frozen.to_string(), "70");
    assert_eq!(books.post(Body::Freeze(Freeze { lot: 2 })), Err(Violation::AlreadyFrozen { lot: 2 }));
    books.post(Body::Unfreeze(Unfreeze { lot: 2 })).unwrap();
    assert_eq!(books.has(), ["0", "70", "0"]);
    assert_eq!(books.post(Body::Unfreeze(Unfreeze { lot: 9 })), Err(Violation::UnknownLot { lot: 9 }));
}

#[test]
fn a_payment_reversed_under_a_hold_is_owed_by_what_becomes_of_it() {
    for captured in [true, false] {
        let mut books = Books::new();
        books.post(bought("100", "10")).unwrap();
        books.post(hold("40")).unwrap();
        books.post(reversal(1, "100")).unwrap();
        assert_eq!(books.has(), ["0", "0", "40"]);
        if captured {
            let capture = Capture {
                hold: 2,
                amount: "40".parse().unwrap(),
                deployment: deployment(),
                terms: Arc::new(terms("20")),
            };
            let effect = books.post(Body::Capture(capture)).unwrap();
            assert_eq!(money(&effect), [(0, 0, 0)]);
            assert_eq!(books.has(), ["0", "0", "40"]);
            let effect = books.post(bought("50", "5")).unwrap();
            assert_eq!(money(&effect), [(400, 80, 320)]);
            assert_eq!(books.has(), ["0", "10", "0"]);
        } else {
            books.post(Body::Release(Release { hold: 2 })).unwrap();
            assert_eq!(books.has(), ["0", "0", "0"]);
        }
    }
}

#[test]
fn project_costs_take_what_is_there_owe_the_rest_and_earn_nothing() {
    let (mut books, _) = example();
    let debit = ProjectDebit { amount: "100".parse().unwrap(), project: [9; 16], deployment: None };
    let effect = books.post(Body::ProjectDebit(debit)).unwrap();
    assert_eq!(books.has(), ["0", "0", "30"]);
    assert!(effect.lines.is_empty());
    let effect = books.post(bought("50", "5")).unwrap();
    assert_eq!(books.has(), ["0", "20", "0"]);
    assert!(effect.lines.is_empty(), "repaying a project's cost earns nobody anything");
}

#[test]
fn nobody_changes_their_own_balance() {
    let (books, _) = example();
    let adjust = |amount: &str| {
        let reason = Reason::new("found by audit").unwrap();
        Body::Adjustment(Adjustment { bucket: Bucket::Purchased, amount: amount.parse().unwrap(), reason })
    };
    for body in [adjust("5"), refund(4, "1"), given("1")] {
        let mut state = books.state.clone();
        let entry = state.draft(books.now, EntryKey::derive("own", &[]), Some(OWNER), body);
        assert_eq!(state.apply(&entry), Err(Violation::OwnBalance { account: OWNER }));
    }
    let mut books = books;
    books.post(adjust("5")).unwrap();
    books.post(adjust("-75")).unwrap();
    assert_eq!(books.has(), ["0", "0", "0"]);
    assert!(matches!(books.post(adjust("-1")), Err(Violation::InsufficientPurchased { .. })));
    for bad in ["", "  ", "ask finance@example.com", "two\nlines"] {
        assert_eq!(Reason::new(bad), Err(Violation::BadReason), "{bad:?}");
    }
}

#[test]
fn agent_and_partner_both_earn_and_never_more_than_all() {
    let mut books = Books::new();
    books.post(bought("100", "10")).unwrap();
    let both = ChargeTerms { agent: Some(AGENT), agent_share: "10".parse().unwrap(), ..terms("20") };
    let effect = books.charge("33.33", both.clone()).unwrap();
    let line = &effect.lines[0];
    assert_eq!([line.gross, line.partner, line.agent, line.platform], [333, 67, 33, 233]);
    let greedy = ChargeTerms { agent_share: "80.01".parse().unwrap(), ..both.clone() };
    assert!(matches!(books.charge("1", greedy), Err(Violation::SharesExceedGross { .. })));
    let own = ChargeTerms { agent: Some(OWNER), ..both };
    assert_eq!(books.charge("1", own), Err(Violation::SelfReferral { account: OWNER }));
    let euro = ChargeTerms { currency: Currency::EUR, ..terms("20") };
    assert!(matches!(books.charge("1", euro), Err(Violation::CurrencyChanged { .. })));
}

#[test]
fn allowances_and_price_basis_earn_only_where_the_rules_say_so() {
    let price: CreditsPerUnit = "20".parse().unwrap();
    let by_price = RevenueBasis::CreditsPerUnit(price);
    for (source, basis, allowance, gross) in [
        (LotSource::Purchase, RevenueBasis::LotCost, None, 1_000),
        (LotSource::Purchase, by_price, None, 500),
        (LotSource::PartnerAllowance, RevenueBasis::LotCost, None, 0),
        (LotSource::PartnerAllowance, by_price, None, 0),
        (LotSource::Subscription, by_price, Some(price), 0),
        (LotSource::PartnerAllowance, RevenueBasis::LotCost, Some(price), 500),
    ] {
        let mut books = Books::new();
        let cost = if source == LotSource::Purchase { "10" } else { "0" };
        let Body::Grant(grant) = bought("100", cost) else { unreachable!() };
        books.post(Body::Grant(Grant { source, ..grant })).unwrap();
        let effect =
            books.charge("100", ChargeTerms { basis, allowance_earns: allowance, ..terms("20") }).unwrap();
        assert_eq!(effect.lines[0].gross, gross, "{source:?} {basis:?} {allowance:?}");
    }
}

#[test]
fn entries_come_in_order_of_number_and_time() {
    let (mut books, _) = example();
    let good = books.state.draft(books.now, EntryKey::derive("next", &[]), Some(FINANCE), given("1"));
    let mut skipped = good.clone();
    skipped.seq += 1;
    assert_eq!(books.state.apply(&skipped), Err(Violation::OutOfSequence { expected: 5, actual: 6 }));
    let mut early = good.clone();
    early.at -= TimeDelta::microseconds(1);
    assert!(matches!(books.state.apply(&early), Err(Violation::TimeBackwards { .. })));
    let mut fine = good.clone();
    fine.at += TimeDelta::nanoseconds(1);
    assert!(matches!(books.state.apply(&fine), Err(Violation::TimePrecision { .. })));
    let mut foreign = good.clone();
    foreign.account = PARTNER;
    assert!(matches!(books.state.apply(&foreign), Err(Violation::WrongAccount { .. })));
    let past = books.state.draft("1990-01-01T00:00:00Z".parse().unwrap(), good.key, None, given("1"));
    assert_eq!(past.at, books.now, "a clock that runs backwards is held");
    books.state.apply(&good).unwrap();
    for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let entry = books.state.draft(end, good.key, None, given("1"));
        assert!(books.state.clone().apply(&entry).is_ok(), "{end}");
        assert!(!entry.canonical_bytes().is_empty());
    }
}

#[test]
fn grants_say_what_they_are() {
    let mut books = Books::new();
    let Body::Grant(grant) = bought("1", "1") else { unreachable!() };
    let refused = |books: &mut Books, grant: Grant| books.post(Body::Grant(grant)).unwrap_err();
    let award = Grant { source: LotSource::AdminAward, ..grant.clone() };
    assert!(matches!(refused(&mut books, award.clone()), Violation::WrongBucket { .. }));
    let award = Grant { bucket: Bucket::Awarded, ..award };
    assert!(matches!(refused(&mut books, award), Violation::WrongCost { .. }));
    let negative = Grant { cost: "-1".parse().unwrap(), ..grant.clone() };
    assert!(matches!(refused(&mut books, negative), Violation::WrongCost { .. }));
    let correction = Grant { source: LotSource::Adjustment, ..grant.clone() };
    assert_eq!(refused(&mut books, correction), Violation::NotAGrant);
    let none = Grant { credits: "0".parse().unwrap(), ..grant.clone() };
    assert!(matches!(refused(&mut books, none), Violation::NotPositive { field: "credits", .. }));
    let huge = Grant { credits: "9223372036854".parse().unwrap(), ..grant };
    assert!(matches!(refused(&mut books, huge), Violation::Overflow { .. }));
}

#[test]
fn every_grouping_of_lines_adds_up_to_the_same() {
    let (mut books, first) = example();
    books.pass(40 * 86_400);
    let mut lines = first.lines;
    lines.extend(books.charge("13.37", ChargeTerms { publisher: None, ..terms("20") }).unwrap().lines);
    lines.extend(books.post(refund(4, "45")).unwrap().lines);
    let mut months = Vec::new();
    for grouping in [Grouping::Partner, Grouping::Agent, Grouping::Module, Grouping::Account, Grouping::Month]
    {
        let mut summary = Summary::new(grouping);
        lines.iter().for_each(|line| summary.add(line).unwrap());
        let total = summary.total().unwrap();
        assert_eq!((total.lines, total.gross), (3, 133));
        assert_eq!(total.partner + total.agent + total.platform, total.gross);
        assert_eq!(summary.groups().map(|(_, totals)| totals.gross).sum::<i64>(), total.gross);
        months = summary.groups().map(|(group, _)| group).collect();
    }
    assert_eq!(months, [Group::Month(2026, 10), Group::Month(2026, 11)]);
}

/// Gross, partner and platform of each line.
fn money(effect: &Effect) -> Vec<(i64, i64, i64)> {
    effect.lines.iter().map(|line| (line.gross, line.partner, line.platform)).collect()
}

pub(super) fn given(credits: &str) -> Body {
    grant(LotSource::AdminAward, Bucket::Awarded, credits, "0")
}

pub(super) fn bought(credits: &str, cost: &str) -> Body {
    grant(LotSource::Purchase, Bucket::Purchased, credits, cost)
}

pub(super) fn grant(source: LotSource, bucket: Bucket, credits: &str, cost: &str) -> Body {
    let (credits, cost) = (credits.parse().unwrap(), cost.parse().unwrap());
    Body::Grant(Grant { source, bucket, credits, cost, paid: None, expires: None, reference: None })
}

pub(super) fn hold(amount: &str) -> Body {
    let amount = amount.parse().unwrap();
    Body::Hold(Hold { amount, burn: BurnOrder::AwardedFirst, expires: None, deployment: None, module: None })
}

pub(super) fn refund(charge: u64, amount: &str) -> Body {
    let reason = Reason::new("the module never worked").unwrap();
    Body::Refund(Refund { charge, amount: amount.parse().unwrap(), reason })
}

pub(super) fn reversal(lot: u64, amount: &str) -> Body {
    Body::Reversal(Reversal { lot, amount: amount.parse().unwrap(), cause: ReversalCause::PaymentRefund })
}

pub(super) fn deployment() -> DeploymentId {
    "d0123456789a".parse().unwrap()
}

pub(super) fn terms(partner_share: &str) -> ChargeTerms {
    ChargeTerms {
        module: ModuleId::from_bytes([5; 16]),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        publisher: Some(PARTNER),
        agent: None,
        partner_share: partner_share.parse().unwrap(),
        agent_share: Rate::ZERO,
        rule_version: 1,
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
        currency: Currency::USD,
    }
}
