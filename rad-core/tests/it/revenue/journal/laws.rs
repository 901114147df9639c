//! The laws of the journal: whatever an account does, its books add up and say what the engine says.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rad_core::id::AccountId;
use rad_core::money::{Amount, Credits, Currency};
use rad_core::revenue::journal::{Balances, Books, Cause, ChartAccount, Proof, Transaction};
use rad_core::revenue::{
    AccountState, Body, Bucket, ChargeTerms, Effect, Entry, EntryKey, Grant, LineKind, Lot, LotSource, Place,
    Reason, Refund, RevenueBasis, RevenueLine,
};
use rad_core::strategies::{History, cases, histories};

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn every_transaction_adds_up(history in histories(1..60)) {
        let mut last = DateTime::<Utc>::MIN_UTC;
        let mut run = Run::new(&history);
        for entry in &history.entries {
            for transaction in run.post(entry) {
                prop_assert!(transaction.is_balanced(), "{transaction:?}");
                prop_assert!(!transaction.postings.is_empty());
                prop_assert!(transaction.postings.iter().all(|posting| posting.micros != 0));
                prop_assert!(transaction.postings.is_sorted_by(|one, next| one.account < next.account));
                prop_assert!(last <= transaction.at && transaction.at <= entry.at);
                prop_assert_eq!(transaction.payer, history.account);
                let by_entry = matches!(transaction.cause, Cause::Entry { .. });
                prop_assert!(!by_entry || transaction.at == entry.at);
                last = transaction.at;
            }
        }
    }

    #[test]
    fn balances_are_the_engines_figures_at_every_prefix(history in histories(1..60)) {
        let mut run = Run::new(&history);
        for entry in &history.entries {
            run.post(entry);
            check_lots(&run)?;
            check_lines(&run)?;
            let owed = i128::from(run.effect.balance_after.debt.micros());
            prop_assert_eq!(run.of(ChartAccount::DebtsReceivable), owed);
            prop_assert_eq!(run.of(ChartAccount::Claims), -owed);
            let money = |account: &ChartAccount| account.unit() != ChartAccount::Claims.unit();
            let trial: i128 = run.balances.iter().filter(|(a, _)| money(a)).map(|(_, micros)| micros).sum();
            prop_assert_eq!(trial, 0);
        }
    }

    #[test]
    fn the_proof_is_the_balances_at_every_prefix_and_after(history in histories(1..40), wait in 0..400_000_i64) {
        let mut run = Run::new(&history);
        for entry in &history.entries {
            run.post(entry);
            let proof = run.proof(entry.at);
            prop_assert_eq!(proof.balances(), &run.balances);
        }
        let at = run.state.last().unwrap_or_default() + TimeDelta::seconds(wait);
        run.pass(at);
        let proof = run.proof(at);
        prop_assert_eq!(proof.balances(), &run.balances);
        // And what is void by then is what the engine finds void when something happens then.
        if let Some(lots) = swept(&run.state, at) {
            let void: i128 = lots.iter().map(|lot| share(lot.unspent_cost, lot.expired, lot)).sum();
            prop_assert_eq!(run.of(ChartAccount::Breakage), -void);
        }
    }

    #[test]
    fn a_period_ends_the_same_whenever_it_is_asked_for(history in histories(1..60), cut in 0..60_usize, wait in 0..400_000_i64) {
        let mut whole = Run::new(&history);
        let end = history.entries.last().map_or(DateTime::UNIX_EPOCH, |entry| entry.at) + TimeDelta::days(10);
        let mut all: Vec<_> = history.entries.iter().flat_map(|entry| whole.post(entry)).collect();
        all.extend(whole.pass(end));

        let first = &history.entries[..cut.min(history.entries.len())];
        let cut = first.last().map_or(DateTime::UNIX_EPOCH, |entry| entry.at) + TimeDelta::seconds(wait);
        let mut parted = Run::new(&history);
        let mut early = Vec::new();
        for entry in history.entries.iter().take_while(|entry| entry.at <= cut) {
            early.extend(parted.post(entry));
        }
        early.extend(parted.pass(cut));
        let expected: Vec<_> = all.iter().filter(|transaction| transaction.at <= cut).cloned().collect();
        prop_assert_eq!(&early, &expected);
        for entry in history.entries.iter().skip_while(|entry| entry.at <= cut) {
            early.extend(parted.post(entry));
        }
        early.extend(parted.pass(end));
        prop_assert_eq!(early, all);
    }

    #[test]
    fn setting_credits_aside_moves_no_money(history in histories(1..60)) {
        let mut run = Run::new(&history);
        for entry in &history.entries {
            let voids = |effect: &Effect| {
                !effect.debts.is_empty() || effect.moves.iter().any(|step| step.to == Place::Expired)
            };
            let booked = run.post(entry);
            let aside = matches!(
                entry.body,
                Body::Hold(_) | Body::Release(_) | Body::Freeze(_) | Body::Unfreeze(_) | Body::Expiry(_)
            );
            if aside && !voids(&run.effect) {
                prop_assert_eq!(booked, vec![]);
            }
        }
    }

    #[test]
    fn full_refunds_leave_no_revenue_and_no_shares(history in histories(1..50)) {
        let mut run = Run::new(&history);
        history.entries.iter().for_each(|entry| drop(run.post(entry)));
        for id in 1..=run.state.seq() {
            let Some(charge) = run.state.charge(id) else { continue };
            let amount = charge.credits.checked_sub(charge.refunded).unwrap();
            if amount.is_positive() {
                let reason = Reason::new("by law").unwrap();
                let body = Body::Refund(Refund { charge: id, amount, reason });
                let at = run.state.last().unwrap();
                let entry = run.state.draft(at, key(b"refund", id), Some(AccountId::from_bytes([9; 16])), body);
                run.post(&entry);
            }
        }
        let revenue = [LineKind::Charge, LineKind::Repayment, LineKind::Refund, LineKind::Reversal];
        let revenue = revenue.map(|kind| run.of(ChartAccount::of_revenue(kind)));
        prop_assert_eq!(revenue.iter().sum::<i128>(), 0);
        prop_assert_eq!(run.of(ChartAccount::PartnerShares), -run.of(ChartAccount::PartnerClawback));
        prop_assert_eq!(run.of(ChartAccount::AgentShares), -run.of(ChartAccount::AgentClawback));
        prop_assert_eq!(run.of(ChartAccount::Basis), 0);
        prop_assert_eq!(run.of(ChartAccount::Projects), 0);
        prop_assert_eq!(run.of(ChartAccount::DeferredUnrounded), 0);
        let payable = |account: &ChartAccount| {
            matches!(account, ChartAccount::PartnerPayable(_) | ChartAccount::AgentPayable(_))
        };
        prop_assert_eq!(run.balances.iter().filter(|(account, _)| payable(account)).count(), 0);
    }
}

/// The books of one history.
pub(super) struct Run {
    currency: Currency,
    state: AccountState,
    books: Books,
    effect: Effect,
    balances: Balances,
    lines: Vec<RevenueLine>,
    by_cost: bool,
}

impl Run {
    pub(super) fn new(history: &History) -> Self {
        let terms = history.entries.iter().filter_map(|entry| match &entry.body {
            Body::Capture(capture) => Some(&capture.terms),
            _ => None,
        });
        let currency = terms.clone().next().map_or(Currency::USD, |terms| terms.currency);
        let by_cost =
            |terms: &ChargeTerms| terms.basis == RevenueBasis::LotCost && terms.allowance_earns.is_none();
        Self {
            currency,
            state: AccountState::new(history.account),
            books: Books::new(currency),
            effect: Effect::default(),
            balances: Balances::default(),
            lines: Vec::new(),
            by_cost: terms.clone().all(|terms| by_cost(terms)),
        }
    }

    pub(super) fn post(&mut self, entry: &Entry) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        self.books.apply(&mut self.state, entry, &mut self.effect, &mut transactions).unwrap();
        self.lines.extend(&self.effect.lines);
        transactions.iter().for_each(|transaction| self.balances.add(transaction));
        transactions
    }

    fn pass(&mut self, at: DateTime<Utc>) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        self.books.pass(&self.state, at, &mut transactions).unwrap();
        transactions.iter().for_each(|transaction| self.balances.add(transaction));
        transactions
    }

    fn proof(&self, at: DateTime<Utc>) -> Proof {
        let mut proof = Proof::new(self.currency);
        self.lines.iter().for_each(|line| proof.add_line(line).unwrap());
        proof.add_account(&self.state, at).unwrap();
        proof
    }

    fn of(&self, account: ChartAccount) -> i128 {
        self.balances.of(account)
    }

    fn revenue(&self) -> i128 {
        let kinds = [LineKind::Charge, LineKind::Repayment, LineKind::Refund, LineKind::Reversal];
        kinds.into_iter().map(|kind| self.of(ChartAccount::of_revenue(kind))).sum()
    }
}

fn check_lots(run: &Run) -> Result<(), TestCaseError> {
    let lots = run.state.lots();
    let sum = |of: &dyn Fn(&Lot) -> i128| lots.iter().map(of).sum::<i128>();
    let micros = |amount: Amount| i128::from(amount.micros());
    let per_minor = i128::from(run.currency.micros_per_minor());

    prop_assert_eq!(run.of(ChartAccount::CashReceived), sum(&|lot| micros(lot.cost)));
    prop_assert_eq!(run.of(ChartAccount::CashReturned), -sum(&|lot| micros(lot.reversed_cost)));
    // What is unspent is deferred, void or removed; of a lot with nothing void and nothing removed all is deferred, of
    // one that is closed nothing.
    let unspent = [ChartAccount::DeferredCredits, ChartAccount::Breakage, ChartAccount::Removed];
    prop_assert_eq!(-unspent.map(|a| run.of(a)).iter().sum::<i128>(), sum(&|lot| micros(lot.unspent_cost)));
    let void = |lot: &Lot| share(lot.unspent_cost, lot.expired, lot);
    let gone = |lot: &Lot| share(lot.unspent_cost, lot.expired.checked_add(lot.removed).unwrap(), lot);
    prop_assert_eq!(run.of(ChartAccount::Breakage), -sum(&void));
    prop_assert_eq!(run.of(ChartAccount::Removed), -sum(&|lot| gone(lot) - void(lot)));
    let whole = |lot: &Lot| lot.expired.micros() == 0 && lot.removed.micros() == 0;
    if lots.iter().all(|lot| whole(lot) || lot.is_closed()) {
        let open = sum(&|lot| if lot.is_closed() { 0 } else { micros(lot.unspent_cost) });
        prop_assert_eq!(run.of(ChartAccount::DeferredCredits), -open);
    }
    // What is earned is booked in whole minor units; the rest waits.
    prop_assert_eq!(-run.revenue(), per_minor * sum(&|lot| lot.booked.into()));
    let unrounded = sum(&|lot| micros(lot.earned) - per_minor * i128::from(lot.booked));
    prop_assert_eq!(run.of(ChartAccount::DeferredUnrounded), -unrounded);
    // Spent credits had cost what they earned, what projects took, and what the basis makes of it.
    let charges = (1..=run.state.seq()).filter_map(|id| run.state.charge(id));
    let debits = charges.filter(|charge| charge.terms.is_none()).flat_map(|charge| charge.parts);
    let projects: i128 = debits.map(|part| micros(part.cost)).sum();
    prop_assert_eq!(run.of(ChartAccount::Projects), -projects);
    let earned = sum(&|lot| micros(lot.earned));
    prop_assert_eq!(run.of(ChartAccount::Basis), earned + projects - sum(&|lot| micros(lot.spent_cost())));
    if run.by_cost {
        prop_assert_eq!(run.of(ChartAccount::Basis), 0);
    }
    Ok(())
}

fn check_lines(run: &Run) -> Result<(), TestCaseError> {
    let per_minor = i128::from(run.currency.micros_per_minor());
    let sum = |keep: &dyn Fn(&RevenueLine) -> bool, of: fn(&RevenueLine) -> i64| {
        let kept = run.lines.iter().filter(|line| keep(line));
        kept.map(|line| per_minor * i128::from(of(line))).sum::<i128>()
    };
    for kind in [LineKind::Charge, LineKind::Repayment, LineKind::Refund, LineKind::Reversal] {
        let gross = sum(&|line| line.kind == kind, |line| line.gross);
        prop_assert_eq!(run.of(ChartAccount::of_revenue(kind)), -gross, "{:?}", kind);
    }
    let partner: fn(&RevenueLine) -> i64 = |line| line.partner;
    let agent: fn(&RevenueLine) -> i64 = |line| line.agent;
    let shares = [
        (ChartAccount::PartnerShares, ChartAccount::PartnerClawback, partner),
        (ChartAccount::AgentShares, ChartAccount::AgentClawback, agent),
    ];
    for (earned, clawback, of) in shares {
        prop_assert_eq!(run.of(earned), sum(&|line| line.gross > 0, of));
        prop_assert_eq!(run.of(clawback), sum(&|line| line.gross < 0, of));
    }
    for line in &run.lines {
        if let Some(partner) = line.publisher {
            let owed = sum(&|other| other.publisher == Some(partner), |line| line.partner);
            prop_assert_eq!(run.of(ChartAccount::PartnerPayable(partner)), -owed);
        }
        if let Some(agent) = line.agent_account {
            let owed = sum(&|other| other.agent_account == Some(agent), |line| line.agent);
            prop_assert_eq!(run.of(ChartAccount::AgentPayable(agent)), -owed);
        }
    }
    // What the platform keeps is revenue less shares.
    let expenses = [
        ChartAccount::PartnerShares,
        ChartAccount::PartnerClawback,
        ChartAccount::AgentShares,
        ChartAccount::AgentClawback,
    ];
    let expenses: i128 = expenses.map(|account| run.of(account)).iter().sum();
    prop_assert_eq!(-run.revenue() - expenses, sum(&|_| true, |line| line.platform));
    Ok(())
}

/// The part of `cost` that falls to so many of a lot's unspent credits, rounded down.
fn share(cost: Amount, credits: Credits, lot: &Lot) -> i128 {
    let unspent = lot.unspent().micros();
    if unspent == 0 {
        0
    } else {
        i128::from(cost.micros()) * i128::from(credits.micros()) / i128::from(unspent)
    }
}

/// The lots as an entry of no consequence finds them at `at`.
fn swept(state: &AccountState, at: DateTime<Utc>) -> Option<Vec<Lot>> {
    let gift = Body::Grant(Grant {
        source: LotSource::Signup,
        bucket: Bucket::Awarded,
        credits: Credits::from_micros(1),
        cost: Amount::ZERO,
        paid: None,
        expires: None,
        reference: None,
    });
    let mut later = state.clone();
    let entry = later.draft(at, key(b"gift", 0), None, gift);
    later.apply(&entry).ok()?;
    Some(later.lots().to_vec())
}

fn key(intent: &[u8], id: u64) -> EntryKey {
    EntryKey::derive("journal", &[intent, &id.to_be_bytes()])
}
