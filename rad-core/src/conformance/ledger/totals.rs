//! Sums over revenue: of any range of time, for everybody concerned, and by groups.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

use super::Scene;
use crate::conformance::must;
use crate::id::{AccountId, ModuleId};
use crate::ledger::{Ledger, RevenueQuery, RevenueTotals, arrange_groups};
use crate::revenue::{Body, Booked as _, Grouping, Reason, Refund, RevenueLine};

/// The sums of every range of time are those of its lines, whether it begins and ends with days or not, for every set of
/// conditions.
///
/// # Panics
/// If the contract is broken.
pub async fn adds_up_every_range(ledger: &dyn Ledger) {
    let market = Market::charge(ledger).await;
    let tick = TimeDelta::microseconds(1);
    let midnights = (0..4).filter_map(|day| midnight().checked_add_days(Days::new(day)));
    let lines = market.lines.iter().map(|line| line.at);
    let mut moments: Vec<DateTime<Utc>> = midnights.chain(lines).flat_map(|at| [at, at + tick]).collect();
    moments.sort_unstable();
    moments.dedup();
    let ends: Vec<Option<DateTime<Utc>>> = moments.into_iter().map(Some).chain([None]).collect();
    for base in market.queries() {
        for from in &ends {
            expect(ledger, &RevenueQuery { from: *from, ..base.clone() }, &market.lines).await;
            expect(ledger, &RevenueQuery { to: *from, ..base.clone() }, &market.lines).await;
        }
    }
    // Every pair of ends, for one condition: the others differ in which sums are looked up, not in how days are cut.
    let base = RevenueQuery { partner: market.partners.first().copied(), ..RevenueQuery::default() };
    for from in &ends {
        for to in &ends {
            expect(ledger, &RevenueQuery { from: *from, to: *to, ..base.clone() }, &market.lines).await;
        }
    }
}

/// Groups have the sums of their lines, for every set of conditions, in the order that is promised.
///
/// # Panics
/// If the contract is broken.
pub async fn breaks_revenue_down(ledger: &dyn Ledger) {
    let market = Market::charge(ledger).await;
    let noon = midnight() + TimeDelta::hours(36);
    let by = [
        Grouping::Day,
        Grouping::Month,
        Grouping::Module,
        Grouping::Partner,
        Grouping::Agent,
        Grouping::Account,
    ];
    for base in market.queries() {
        for (from, to) in
            [(None, None), (Some(midnight()), None), (Some(midnight()), Some(noon)), (Some(noon), None)]
        {
            for (grouping, limit) in by.into_iter().flat_map(|by| [(by, 100), (by, 1)]) {
                let query = RevenueQuery { from, to, limit, ..base.clone() };
                let lines = market.lines.iter().filter(|line| query.matches(line));
                let parts = lines.map(|line| (line.group(grouping), RevenueTotals::of(line)));
                let wanted = must("groups can be arranged", arrange_groups(grouping, parts, limit as usize));
                let found = must("revenue can be broken down", ledger.revenue_by(&query, grouping).await);
                assert_eq!(found, wanted, "groups are the sums of their lines: {grouping:?} {query:?}");
            }
        }
    }
    let wrong = must("totals can be verified", ledger.verify_totals().await);
    assert_eq!(wrong, [], "nothing is wrong with sums that nobody tampered with");
}

/// Charges on several days, of modules of two partners, by payers with and without an agent.
struct Market {
    partners: Vec<AccountId>,
    agent: AccountId,
    modules: Vec<ModuleId>,
    payer: AccountId,
    lines: Vec<RevenueLine>,
}

impl Market {
    async fn charge(ledger: &dyn Ledger) -> Self {
        let (mut one, mut two) = (Scene::new(ledger), Scene::new(ledger));
        let (partners, modules) = (vec![one.partner, two.partner], vec![one.module, two.module]);
        let (agent, payer) = (one.agent, one.account);
        let mut lines = Vec::new();
        two.agent = agent;
        one.buy(1_000, 10_000).await;
        two.buy(1_000, 30_000).await;
        // Hours after the first midnight: just before, at and after other midnights, and in the middle of days.
        for (hours, credits) in [(-3, 10), (0, 20), (12, 30), (24, 15), (35, 25), (48, 5), (60, 40)] {
            for scene in [&mut one, &mut two] {
                let at = midnight() + TimeDelta::hours(hours);
                // A charge holds first, a second before it captures.
                scene.wait_until(at - TimeDelta::seconds(1));
                lines.extend(scene.charge(credits).await.effect.lines);
            }
        }
        // The second payer also uses the first partner's module.
        (two.partner, two.module) = (one.partner, one.module);
        let charge = two.charge(50).await;
        lines.extend(&charge.effect.lines);
        two.wait_until(midnight() + TimeDelta::hours(96) - TimeDelta::microseconds(1));
        let reason = must("a reason", Reason::new("a courtesy"));
        let refund = Refund { charge: charge.entry.seq, amount: super::whole(20), reason };
        lines.extend(two.post(Some(two.admin), Body::Refund(refund)).await.effect.lines);
        Self { partners, agent, modules, payer, lines }
    }

    /// Every set of conditions that names one of the market's own at the least: there may be others in the ledger.
    fn queries(&self) -> Vec<RevenueQuery> {
        let (first, second) = (self.partners.first().copied(), self.partners.last().copied());
        let module = self.modules.first().copied();
        let agents = [None, Some(self.agent), Some(AccountId::new())];
        let mut queries = Vec::new();
        for partner in [None, first, second] {
            for agent in agents {
                for module in [None, module] {
                    for account in [None, Some(self.payer)] {
                        let named = [partner, agent, account].iter().any(Option::is_some) || module.is_some();
                        let query =
                            RevenueQuery { partner, agent, module, account, ..RevenueQuery::default() };
                        queries.extend(named.then_some(query));
                    }
                }
            }
        }
        queries
    }
}

/// The midnight before the charges that are in the middle of things.
fn midnight() -> DateTime<Utc> {
    let next = super::time().date_naive().checked_add_days(Days::new(3)).unwrap_or_default();
    next.and_time(NaiveTime::MIN).and_utc()
}

async fn expect(ledger: &dyn Ledger, query: &RevenueQuery, lines: &[RevenueLine]) {
    let lines = lines.iter().filter(|line| query.matches(line));
    let wanted = must("lines can be added up", RevenueTotals::sum(lines));
    let found = must("revenue can be added up", ledger.revenue_totals(query).await);
    assert_eq!(found, wanted, "totals are the sums of the lines: {query:?}");
}
