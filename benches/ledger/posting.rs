//! Callers that post as fast as they get their answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::Utc;
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::ledger::{Ledger, LedgerExt as _, Post};
use rad_core::money::{Amount, Credits, Currency, Rate};
use rad_core::revenue::{
    Body, Bucket, BurnOrder, Capture, ChargeTerms, EntryKey, Grant, Hold, LotSource, ProjectDebit,
    RevenueBasis, Rounding,
};

/// Accounts with more credits than are spent.
#[derive(Debug, Clone)]
pub(crate) struct Accounts(Arc<[AccountId]>);

/// What callers do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Single debits: what pgbench does beside.
    Debits,
    /// A hold and its capture in turn, with shares of a partner and an agent.
    Deployments,
    /// Debits in batches of so many.
    Batches(usize),
}

impl Accounts {
    /// Makes so many, each with one purchase.
    pub(crate) async fn open(ledger: &dyn Ledger, count: usize) -> anyhow::Result<Self> {
        let accounts: Vec<AccountId> = (0..count).map(|_| AccountId::new()).collect();
        let purchase = Body::Grant(Grant {
            source: LotSource::Purchase,
            bucket: Bucket::Purchased,
            credits: Credits::from_micros(1_000_000_000_000_000),
            cost: Amount::from_micros(100_000_000_000_000),
            paid: None,
            expires: None,
            reference: None,
        });
        let posts: Vec<Post> = accounts.iter().map(|account| post(*account, purchase.clone())).collect();
        for posts in posts.chunks(500) {
            ledger.post_batch(posts).await?;
        }
        Ok(Self(accounts.into()))
    }

    /// How many posts a second so many callers get acknowledged.
    pub(crate) async fn posts_per_second(
        &self,
        ledger: &(impl Ledger + Clone + 'static),
        work: Work,
        callers: u64,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let (begin, end) = (Instant::now(), Instant::now() + time);
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let (ledger, accounts) = (ledger.clone(), self.clone());
                tokio::spawn(async move { accounts.call_until(&ledger, work, end).await })
            })
            .collect();
        let mut posts = 0;
        for caller in callers {
            posts += caller.await??;
        }
        Ok(posts as f64 / begin.elapsed().as_secs_f64())
    }

    async fn call_until(&self, ledger: &dyn Ledger, work: Work, end: Instant) -> anyhow::Result<usize> {
        let mut random = fastrand::Rng::new();
        let mut posted = 0;
        while Instant::now() < end {
            posted += match work {
                Work::Debits => {
                    ledger.post(self.debit(&mut random)?).await?;
                    1
                }
                Work::Deployments => {
                    let account = self.any(&mut random)?;
                    let hold = ledger.post(post(account, hold())).await?.entry.seq;
                    ledger.post(post(account, capture(hold)?)).await?;
                    2
                }
                Work::Batches(size) => {
                    let batch: Vec<Post> =
                        (0..size).map(|_| self.debit(&mut random)).collect::<Result<_, _>>()?;
                    ledger.post_batch(&batch).await?.len()
                }
            };
        }
        Ok(posted)
    }

    fn any(&self, random: &mut fastrand::Rng) -> anyhow::Result<AccountId> {
        random.choice(self.0.iter()).copied().context("there are no accounts")
    }

    /// A debit of one of the accounts.
    pub(crate) fn debit(&self, random: &mut fastrand::Rng) -> anyhow::Result<Post> {
        let amount = Credits::from_micros(random.i64(1..1_000_000));
        let debit = ProjectDebit { amount, project: [1; 16], deployment: None };
        Ok(post(self.any(random)?, Body::ProjectDebit(debit)))
    }
}

/// A post under a key of its own.
pub(crate) fn post(account: AccountId, body: Body) -> Post {
    let key = EntryKey::derive("bench", &[&fastrand::u128(..).to_be_bytes()]);
    Post { account, key, at: Utc::now(), actor: None, body }
}

const MODULE: ModuleId = ModuleId::from_bytes([7; 16]);

fn hold() -> Body {
    Body::Hold(Hold {
        amount: Credits::from_micros(1_000_000),
        burn: BurnOrder::AwardedFirst,
        expires: None,
        deployment: Some(DeploymentId::from_number(1)),
        module: Some(MODULE),
    })
}

fn capture(hold: u64) -> anyhow::Result<Body> {
    let share = |basis_points| Rate::from_basis_points(basis_points).context("a rate");
    let terms = ChargeTerms {
        module: MODULE,
        commit: "0123456789abcdef0123456789abcdef01234567".parse()?,
        publisher: Some(AccountId::from_bytes([8; 16])),
        agent: Some(AccountId::from_bytes([9; 16])),
        partner_share: share(2_000)?,
        agent_share: share(500)?,
        rule_version: 1,
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
        currency: Currency::USD,
    };
    let (amount, deployment) = (Credits::from_micros(1_000_000), DeploymentId::from_number(1));
    Ok(Body::Capture(Capture { hold, amount, deployment, terms: Arc::new(terms) }))
}
