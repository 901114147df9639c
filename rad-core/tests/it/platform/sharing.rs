//! The history of share rules in the ledger: what the settings say gets there whatever stops in between, and every charge
//! has the rates in force at its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::TimeDelta;
use rad_core::clock::Clock;
use rad_core::export::{JsonlReader, JsonlWriter, Record};
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Ledger, Posted, RevenueQuery};
use rad_core::memory::{
    ManualClock, MemoryArchive, MemoryCatalog, MemoryDeployments, MemoryDirectory, MemoryLedger,
    MemoryNotifier, MemoryOrders, MemoryRepos, ScriptedRunner,
};
use rad_core::money::Rate;
use rad_core::platform::{Platform, PlatformError, RevenueView};
use rad_core::revenue::{
    Body, Bucket, Capture, ChargeTerms, Entry, PLATFORM_ACCOUNT, Place, RevenueBasis, RevenueLine,
    ShareHistory, ShareRules, SplitPart, TermsError,
};
use rad_core::runner::RunOutcome;
use rad_core::settings::SettingsStore;
use tokio::sync::Barrier;
use uuid::Uuid;

use super::deploying::funded;
use super::market::{Market, credits, values};
use super::unsteady::UnsteadyLedger;

#[tokio::test]
async fn the_rate_at_capture_counts_not_that_at_the_hold() {
    let market = funded().await;
    deploy(&market).await;
    market.clock.advance(TimeDelta::seconds(5));
    market.set_shares("30", "10").await;
    market.clock.advance(TimeDelta::seconds(5));
    market.finish_next(RunOutcome::Success).await;
    let line = lines(&market).await.remove(0);
    assert_eq!((line.gross, line.partner, line.agent, line.policies.rule_version), (300, 90, 30, 2));
    market.set_shares("99", "1").await;
    assert_eq!(lines(&market).await, [line], "what is charged stays charged");
    assert_eq!(audit(&market).await.rules().len(), 3);
}

#[tokio::test]
async fn a_partner_can_have_a_rate_of_their_own_and_lose_it() {
    let market = funded().await;
    let shown =
        async || market.actor(market.partner).await.revenue_share(RevenueView::Partner).await.unwrap();
    assert_eq!(shown().await, Some(rate("20")));
    market.set_own_rate("50").await;
    assert_eq!(shown().await, Some(rate("50")));
    let agent = market.actor(market.agent).await;
    assert_eq!(agent.revenue_share(RevenueView::Agent).await.unwrap(), Some(rate("5")));
    assert_eq!(agent.revenue_share(RevenueView::All).await.unwrap(), None);
    deploy(&market).await;
    market.finish_next(RunOutcome::Success).await;
    market.change_settings(|settings| settings.partner_rates.clear()).await;
    assert_eq!(shown().await, Some(rate("20")));
    deploy(&market).await;
    market.finish_next(RunOutcome::Success).await;
    let mut shares: Vec<_> = lines(&market).await.iter().map(|line| (line.gross, line.partner)).collect();
    shares.sort_unstable();
    assert_eq!(shares, [(300, 150), (600, 120)]);
    audit(&market).await;
}

#[tokio::test]
async fn rates_of_strangers_and_rates_above_all_are_refused() {
    let market = Market::open().await;
    let finance = market.actor(market.finance).await;
    let now = finance.platform_settings().await.unwrap();
    let with = |account, share: &str| {
        let mut settings = now.settings.clone();
        settings.partner_rates.insert(account, rate(share));
        settings
    };
    for account in [market.user, AccountId::new()] {
        let refused = finance.change_settings(now.version, &with(account, "1")).await.unwrap_err();
        assert!(matches!(refused, PlatformError::Invalid { field: "partner_rates", .. }), "{refused}");
        assert!(refused.to_string().contains("only a partner"), "{refused}");
    }
    let refused = finance.change_settings(now.version, &with(market.partner, "95.01")).await.unwrap_err();
    assert!(refused.to_string().contains("partner_rates must be 0 % to what"), "{refused}");
    let mut many = now.settings.clone();
    many.partner_rates = (0..1_001).map(|_| (AccountId::new(), rate("1"))).collect();
    assert!(many.validate().unwrap_err().to_string().contains("at most 1000"));
    let saved = finance.change_settings(now.version, &with(market.partner, "95")).await.unwrap();
    assert_eq!(saved.by, Some(market.finance));
    let history = audit(&market).await;
    assert_eq!(history.rules().last().unwrap().share_of(market.partner), rate("95"));
}

#[tokio::test]
async fn only_what_decides_splits_makes_new_rules() {
    let market = Market::open().await;
    let last = async || {
        let history = audit(&market).await;
        let rules: &Arc<ShareRules> = history.rules().last().unwrap();
        ShareRules::clone(rules)
    };
    assert_eq!(last().await.version, 1);
    market.change_settings(|settings| settings.signup_credits = credits("5")).await;
    market.change_settings(|settings| settings.credits_per_unit = "20".parse().unwrap()).await;
    assert_eq!(last().await.version, 1, "neither decides a split");
    market.change_settings(|settings| settings.allowance_earns_revenue = true).await;
    let rules = last().await;
    assert_eq!((rules.version, rules.allowance_earns), (2, Some("20".parse().unwrap())));
    market.change_settings(|settings| settings.credits_per_unit = "25".parse().unwrap()).await;
    assert_eq!(last().await.allowance_earns, Some("25".parse().unwrap()));
    market.change_settings(|settings| settings.revenue_at_price = true).await;
    assert_eq!(last().await.basis, RevenueBasis::CreditsPerUnit("25".parse().unwrap()));
    market.change_settings(|settings| settings.currency = rad_core::money::Currency::EUR).await;
    let rules = last().await;
    assert_eq!((rules.version, rules.currency), (5, rad_core::money::Currency::EUR));
    let page = market.ledger.entries(&platform_entries()).await.unwrap();
    assert!(page.items.iter().all(|posted| posted.entry.actor == Some(market.admin)), "who set it is kept");
}

#[tokio::test]
async fn the_quote_is_what_the_charge_then_takes() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let quote = user.deploy_form(market.module("small").await).await.unwrap().quote;
    deploy(&market).await;
    market.finish_next(RunOutcome::Success).await;
    let charge = entries(&market).await.into_iter().find(|posted| terms_of(&posted.entry).is_some()).unwrap();
    let spent = charge.effect.moves.iter().filter(|step| step.to == Place::Spent);
    let spent: Vec<_> =
        spent.map(|step| SplitPart { lot: step.lot, bucket: step.bucket, credits: step.credits }).collect();
    let split = quote.split.unwrap();
    assert_eq!(split.parts, spent);
    assert_eq!((split.awarded, split.purchased), (credits("30"), credits("30")));
    assert!(spent.iter().any(|part| part.bucket == Bucket::Purchased), "something is earned");
    let history = audit(&market).await;
    let in_force = history.at(charge.entry.at).unwrap();
    let terms = terms_of(&charge.entry).unwrap();
    let module = market.module("small").await;
    let expected = in_force.terms(module, terms.commit.clone(), Some(market.partner), Some(market.agent));
    assert_eq!(*terms, expected);
}

#[tokio::test]
async fn a_crash_between_saving_settings_and_posting_rules_heals_before_the_next_charge() {
    let kept = Arc::new(MemoryLedger::default());
    let unsteady =
        Arc::new(UnsteadyLedger { kept: kept.clone(), failures: AtomicU32::new(0), meeting: None });
    let market = Market::over(kept, unsteady.clone()).await;
    market.publish(&["small"]).await;
    market.sell(market.user).await;
    deploy(&market).await;
    unsteady.failures.store(1, Ordering::SeqCst);
    market.set_shares("40", "5").await;
    assert_eq!(audit(&market).await.rules().len(), 1, "the rules are behind the settings");
    market.clock.advance(TimeDelta::hours(1));
    market.finish_next(RunOutcome::Success).await;
    let line = lines(&market).await.remove(0);
    assert_eq!((line.gross, line.partner, line.policies.rule_version), (600, 240, 2));
    audit(&market).await;

    unsteady.failures.store(1, Ordering::SeqCst);
    market.set_shares("50", "5").await;
    let operations = market.platform.operations();
    unsteady.failures.store(1, Ordering::SeqCst);
    assert!(operations.post_share_rules().await.is_err(), "a start that fails says so");
    for _ in 0..2 {
        operations.post_share_rules().await.unwrap();
        assert_eq!(audit(&market).await.rules().len(), 3, "a start brings them up, once");
    }
}

#[tokio::test]
async fn a_database_without_rules_gets_its_first_ones_at_a_start() {
    let market = Market::open().await;
    let ledger = Arc::new(MemoryLedger::default());
    let platform = platform(ledger.clone(), market.settings.clone(), market.clock.clone());
    for _ in 0..2 {
        platform.operations().post_share_rules().await.unwrap();
    }
    let posted = ledger.entries(&platform_entries()).await.unwrap().items;
    assert_eq!(posted.len(), 1);
    let Body::ShareRules(rules) = &posted[0].entry.body else { panic!("{posted:?}") };
    assert_eq!((rules.version, rules.effective), (1, market.clock.now()));
    assert_eq!((rules.partner_share, rules.agent_share), (rate("20"), rate("5")));
}

#[tokio::test]
async fn of_two_platforms_that_post_the_first_rules_at_once_one_does() {
    let market = Market::open().await;
    let kept = Arc::new(MemoryLedger::default());
    let meeting = Some(Arc::new(Barrier::new(2)));
    let ledger =
        || UnsteadyLedger { kept: kept.clone(), failures: AtomicU32::new(0), meeting: meeting.clone() };
    let late = Arc::new(ManualClock::new(market.clock.now() + TimeDelta::seconds(1)));
    let one = platform(Arc::new(ledger()), market.settings.clone(), market.clock.clone());
    let other = platform(Arc::new(ledger()), market.settings.clone(), late);
    let (one, other) = (one.operations(), other.operations());
    let (first, second) = tokio::join!(one.post_share_rules(), other.post_share_rules());
    first.unwrap();
    second.unwrap();
    assert_eq!(kept.entries(&platform_entries()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn rules_of_a_clock_that_is_ahead_count_once_their_time_has_come() {
    let market = funded().await;
    deploy(&market).await;
    let now = market.clock.now();
    market.clock.advance(TimeDelta::minutes(5));
    market.set_shares("90", "5").await;
    market.clock.set(now);
    market.finish_next(RunOutcome::Success).await;
    let line = lines(&market).await.remove(0);
    assert_eq!((line.at, line.partner, line.policies.rule_version), (now, 60, 1));
    audit(&market).await;
}

#[tokio::test]
async fn no_charge_is_before_the_first_rules() {
    let market = Market::open().await;
    let first = market.clock.now();
    // The clock of whoever settles is behind that of whoever posted the first rules.
    market.clock.set(first - TimeDelta::hours(1));
    market.publish(&["small"]).await;
    market.sell(market.user).await;
    deploy(&market).await;
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(lines(&market).await[0].at, first);
    audit(&market).await;
}

#[tokio::test]
async fn an_export_explains_itself_and_a_doctored_charge_is_named() {
    let market = funded().await;
    market.set_own_rate("50").await;
    deploy(&market).await;
    market.finish_next(RunOutcome::Success).await;
    let mut writer = JsonlWriter::new(Vec::new());
    for posted in entries(&market).await {
        writer.write(&Record::of(&posted)).unwrap();
    }
    let file = writer.finish().unwrap();
    let (mut reader, mut record) = (JsonlReader::new(file.as_slice()), Record::default());
    let (mut history, mut charges) = (ShareHistory::new(), Vec::new());
    while reader.read(&mut record).unwrap() {
        if record.entry.account == PLATFORM_ACCOUNT {
            history.add(&record.entry).unwrap();
        } else if terms_of(&record.entry).is_some() {
            charges.push(record.entry.clone());
        }
    }
    let [charge] = &mut charges[..] else { panic!("{charges:?}") };
    assert_eq!(history.check(charge), Ok(()));
    let Body::Capture(capture) = &mut charge.body else { panic!("{charge:?}") };
    Arc::make_mut(&mut capture.terms).partner_share = rate("20");
    let Err(TermsError::Differ { differences }) = history.check(charge) else { panic!("not found") };
    assert_eq!(
        (differences[0].field, &*differences[0].expected, &*differences[0].actual),
        ("partner_share", "50 %", "20 %")
    );
}

/// Checks every charge in the ledger against its history of rules, and gives that.
async fn audit(market: &Market) -> ShareHistory {
    let entries = entries(market).await;
    let rules = entries.iter().filter(|posted| posted.entry.account == PLATFORM_ACCOUNT);
    let history = ShareHistory::of(rules.map(|posted| &posted.entry)).unwrap();
    for posted in &entries {
        assert_eq!(history.check(&posted.entry), Ok(()), "{:?}", posted.entry);
    }
    assert_eq!(market.ledger.verify(PLATFORM_ACCOUNT).await.unwrap(), []);
    history
}

/// Every entry of the ledger, account by account.
async fn entries(market: &Market) -> Vec<Posted> {
    let mut entries = Vec::new();
    for account in market.ledger.accounts(None, 100).await.unwrap() {
        let query = EntryQuery { account, ..platform_entries() };
        entries.extend(market.ledger.entries(&query).await.unwrap().items);
    }
    entries
}

async fn lines(market: &Market) -> Vec<RevenueLine> {
    let query = RevenueQuery { limit: 10, ..RevenueQuery::default() };
    market.ledger.revenue(&query).await.unwrap().items
}

async fn deploy(market: &Market) {
    let user = market.actor(market.user).await;
    user.deploy(market.module("small").await, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
}

fn terms_of(entry: &Entry) -> Option<&ChargeTerms> {
    match &entry.body {
        Body::Capture(Capture { terms, .. }) => Some(terms),
        _ => None,
    }
}

fn platform_entries() -> EntryQuery {
    EntryQuery { oldest_first: true, ..EntryQuery::new(PLATFORM_ACCOUNT) }
}

fn rate(percent: &str) -> Rate {
    percent.parse().unwrap()
}

/// Another process over the same settings and ledger.
fn platform(ledger: Arc<dyn Ledger>, settings: Arc<dyn SettingsStore>, clock: Arc<dyn Clock>) -> Platform {
    Platform::builder()
        .directory(Arc::new(MemoryDirectory::default()))
        .settings(settings)
        .repos(Arc::new(MemoryRepos::default()))
        .catalog(Arc::new(MemoryCatalog::default()))
        .archive(Arc::new(MemoryArchive::default()))
        .deployments(Arc::new(MemoryDeployments::new()))
        .runner(Arc::new(ScriptedRunner::new()))
        .ledger(ledger)
        .orders(Arc::new(MemoryOrders::default()))
        .notifier(Arc::new(MemoryNotifier::new()))
        .clock(clock)
        .build()
        .unwrap()
}
