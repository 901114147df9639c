//! The contract of [`Ledger`].
//!
//! [`all`] runs the whole suite; the functions in the modules can be run one by one.

pub mod concurrency;
pub mod filtering;
pub mod past;
pub mod posting;
pub mod reading;
pub mod revenue;
pub mod rules;
pub mod totals;
pub mod verification;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::must;
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::ledger::{EntryQuery, Ledger, LedgerExt, Post, Posted};
use crate::money::{Amount, Credits, Currency, Rate};
use crate::revenue::{
    AccountState, Body, Bucket, BurnOrder, Capture, ChargeTerms, Effect, EntryKey, Grant, Hold, LotSource,
    RevenueBasis, Rounding,
};
use crate::source::{CommitId, Digest};

/// Runs the whole suite.
///
/// # Panics
/// If the contract is broken.
pub async fn all(ledger: &dyn Ledger) {
    posting::numbers_and_chains_entries(ledger).await;
    posting::does_what_the_engine_does(ledger).await;
    posting::posts_an_intent_once(ledger).await;
    posting::posts_batches_whole_or_not_at_all(ledger).await;
    posting::refuses_without_a_trace(ledger).await;
    reading::knows_nothing_of_accounts_without_entries(ledger).await;
    reading::pages_entries_both_ways(ledger).await;
    reading::refuses_cursors_of_nobody(ledger).await;
    filtering::finds_entries_by_what_they_are_about(ledger).await;
    filtering::finds_entries_by_their_time(ledger).await;
    filtering::finds_entries_by_their_text(ledger).await;
    past::knows_every_state_of_the_past(ledger).await;
    past::replays_long_histories(ledger).await;
    reading::lists_accounts(ledger).await;
    revenue::finds_lines_by_everybody_concerned(ledger).await;
    revenue::pages_lines(ledger).await;
    revenue::books_back_what_is_refunded(ledger).await;
    totals::adds_up_every_range(ledger).await;
    totals::breaks_revenue_down(ledger).await;
    rules::keeps_share_rules(ledger).await;
    rules::lets_one_of_racing_versions_win(ledger).await;
    verification::verifies_ranges(ledger).await;
    verification::verifies_all_from_where_it_stopped(ledger).await;
    concurrency::never_overdraws(ledger).await;
    concurrency::posts_racing_repeats_once(ledger).await;
    concurrency::orders_racing_posts(ledger).await;
}

/// One account of a suite's own, the parties to its charges, and the engine's own opinion of it.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    ledger: &'a dyn Ledger,
    pub(crate) account: AccountId,
    pub(crate) partner: AccountId,
    pub(crate) agent: AccountId,
    pub(crate) admin: AccountId,
    pub(crate) module: ModuleId,
    pub(crate) deployment: DeploymentId,
    engine: AccountState,
    head: Digest,
    steps: i64,
    waited: TimeDelta,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(ledger: &'a dyn Ledger) -> Self {
        let account = AccountId::new();
        Self {
            ledger,
            account,
            partner: AccountId::new(),
            agent: AccountId::new(),
            admin: AccountId::new(),
            module: ModuleId::new(),
            deployment: DeploymentId::new(),
            engine: AccountState::new(account),
            head: Digest::ZERO,
            steps: 0,
            waited: TimeDelta::zero(),
        }
    }

    /// A post to the account, a second after the last, under a key of its own.
    pub(crate) fn draft(&mut self, actor: Option<AccountId>, body: Body) -> Post {
        self.steps += 1;
        let key = EntryKey::derive("conformance", &[self.account.as_bytes(), &self.steps.to_be_bytes()]);
        Post { account: self.account, key, at: self.now(), actor, body }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        time() + self.waited + TimeDelta::seconds(self.steps)
    }

    /// Lets time pass until the next post is at `at`.
    pub(crate) fn wait_until(&mut self, at: DateTime<Utc>) {
        self.waited += at - self.now() - TimeDelta::seconds(1);
    }

    /// Posts, and checks the entry, its hash and its effect against the engine.
    pub(crate) async fn post(&mut self, actor: Option<AccountId>, body: Body) -> Posted {
        let post = self.draft(actor, body);
        let posted = must("an entry the engine takes is posted", self.ledger.post(post.clone()).await);
        self.check(&post, &posted);
        posted
    }

    /// Checks a posted entry against the engine, which takes it too.
    pub(crate) fn check(&mut self, post: &Post, posted: &Posted) {
        let entry = self.engine.draft(post.at, post.key, post.actor, post.body.clone());
        let effect: Effect = must("the engine takes the entry", self.engine.apply(&entry));
        assert_eq!(
            posted.entry, entry,
            "an entry has the next number, a time that never runs backwards, its content"
        );
        assert_eq!(posted.effect, effect, "an entry's effect is the engine's");
        assert_eq!(posted.hash, entry.hash(&self.head), "an entry's hash covers all before it");
        assert!(!posted.repeated, "an entry posted for the first time is not a repetition");
        self.head = posted.hash;
    }

    /// Checks that the account is as the engine says, and that verifying it finds nothing.
    pub(crate) async fn settle(&self) {
        let mut wanted = self.engine.clone();
        wanted.compact();
        let state = must("the state can be read", self.ledger.state(self.account).await);
        assert_eq!(state, wanted, "the state is what the entries lead to");
        let findings = must("an account can be verified", self.ledger.verify(self.account).await);
        assert_eq!(findings, [], "nothing is found in an account nobody tampered with");
    }

    pub(crate) async fn award(&mut self, credits: i64) -> Posted {
        self.post(None, award(credits)).await
    }

    pub(crate) async fn buy(&mut self, credits: i64, cents: i64) -> Posted {
        self.post(None, purchase(credits, cents)).await
    }

    pub(crate) fn hold_body(&self, credits: i64) -> Body {
        Body::Hold(Hold {
            amount: whole(credits),
            burn: BurnOrder::AwardedFirst,
            expires: None,
            deployment: Some(self.deployment),
            module: Some(self.module),
        })
    }

    pub(crate) async fn hold(&mut self, credits: i64) -> u64 {
        let body = self.hold_body(credits);
        self.post(None, body).await.entry.seq
    }

    pub(crate) async fn capture(&mut self, hold: u64, credits: i64) -> Posted {
        let (deployment, terms) = (self.deployment, Arc::new(self.terms()));
        self.post(None, Body::Capture(Capture { hold, amount: whole(credits), deployment, terms })).await
    }

    /// Holds and captures at once.
    pub(crate) async fn charge(&mut self, credits: i64) -> Posted {
        let hold = self.hold(credits).await;
        self.capture(hold, credits).await
    }

    /// Terms at which the partner earns 20 % and the agent 5 %.
    pub(crate) fn terms(&self) -> ChargeTerms {
        let commit: Result<CommitId, _> = "0123456789abcdef0123456789abcdef01234567".parse();
        ChargeTerms {
            module: self.module,
            commit: must("a commit has forty digits", commit),
            publisher: Some(self.partner),
            agent: Some(self.agent),
            partner_share: must("20 % is a rate", Rate::from_basis_points(2_000)),
            agent_share: must("5 % is a rate", Rate::from_basis_points(500)),
            rule_version: 1,
            basis: RevenueBasis::LotCost,
            allowance_earns: None,
            rounding: Rounding::default(),
            currency: Currency::USD,
        }
    }

    pub(crate) fn query(&self) -> EntryQuery {
        EntryQuery { oldest_first: true, ..EntryQuery::new(self.account) }
    }

    /// All entries, oldest first.
    pub(crate) async fn entries(&self) -> Vec<Posted> {
        let page = must("entries can be listed", self.ledger.entries(&self.query()).await);
        assert_eq!(page.next, None, "a page with room left is the last one");
        page.items
    }
}

pub(crate) fn award(credits: i64) -> Body {
    grant(LotSource::AdminAward, Bucket::Awarded, credits, 0)
}

pub(crate) fn purchase(credits: i64, cents: i64) -> Body {
    grant(LotSource::Purchase, Bucket::Purchased, credits, cents)
}

fn grant(source: LotSource, bucket: Bucket, credits: i64, cents: i64) -> Body {
    let cost = Amount::from_micros(cents * 10_000);
    Body::Grant(Grant {
        source,
        bucket,
        credits: whole(credits),
        cost,
        paid: None,
        expires: None,
        reference: None,
    })
}

pub(crate) fn whole(credits: i64) -> Credits {
    Credits::from_micros(credits * 1_000_000)
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap_or_default()
}
