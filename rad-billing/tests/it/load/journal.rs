//! What workers said, and what a ledger must have by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Ledger, LedgerError, LedgerExt, Post, Posted};
use rad_core::money::Credits;
use rad_core::revenue::Body;

use super::worker::BatchId;

/// Every batch that somebody was about to post, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    batches: BTreeMap<Name, Tried>,
    acknowledged: u64,
    refused: u64,
    retries: u64,
    /// What became of the batches that were under way when their worker was killed.
    settled: Settled,
}

/// The worker, and its batch.
type Name = (usize, BatchId);

#[derive(Debug)]
struct Tried {
    posts: Vec<Post>,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    UnderWay,
    /// Its worker was killed meanwhile.
    Unknown,
    Posted(Vec<u64>),
    Refused,
}

#[derive(Debug, Default)]
struct Settled {
    were_there: u64,
    were_not: u64,
}

impl Journal {
    pub(super) fn trying(&mut self, name: Name, posts: Vec<Post>) {
        self.batches.insert(name, Tried { posts, outcome: Outcome::UnderWay });
    }

    pub(super) fn posted(&mut self, name: Name, seqs: Vec<u64>, retries: u64) {
        self.acknowledged += 1;
        self.retries += retries;
        self.batches.get_mut(&name).unwrap().outcome = Outcome::Posted(seqs);
    }

    pub(super) fn refused(&mut self, name: Name, retries: u64) {
        self.refused += 1;
        self.retries += retries;
        self.batches.get_mut(&name).unwrap().outcome = Outcome::Refused;
    }

    /// Notes what somebody else posted.
    pub(crate) fn expect(&mut self, account: AccountId, post: Post, seq: u64) {
        assert_eq!(post.account, account);
        let outcome = Outcome::Posted(vec![seq]);
        self.batches.insert((usize::MAX, (0, seq)), Tried { posts: vec![post], outcome });
    }

    pub(super) fn killed(&mut self, killed: usize) {
        for ((worker, _), tried) in &mut self.batches {
            if *worker == killed && matches!(tried.outcome, Outcome::UnderWay) {
                tried.outcome = Outcome::Unknown;
            }
        }
    }

    /// How many batches were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How often a worker was told to try again.
    pub(crate) fn retries(&self) -> u64 {
        self.retries
    }

    pub(crate) fn figures(&self) -> String {
        let Self { acknowledged, refused, retries, settled, .. } = self;
        let Settled { were_there, were_not } = settled;
        format!(
            "{acknowledged} batches acknowledged, {refused} refused, {retries} retries; of {} under way when their \
             process was killed {were_there} were posted and {were_not} were not",
            were_there + were_not
        )
    }

    /// Settles the posts of those who were killed: each batch is there whole or not at all, and the same again settles it.
    pub(crate) async fn settle_killed(&mut self, ledger: &dyn Ledger) {
        for (name, tried) in &mut self.batches {
            if !matches!(tried.outcome, Outcome::Unknown) {
                continue;
            }
            let before = found(ledger, &tried.posts).await;
            assert!(
                [0, tried.posts.len()].contains(&before.len()),
                "{name:?}: half a batch is there: {before:?}"
            );
            tried.outcome = match post(ledger, &tried.posts).await {
                Ok(posted) => {
                    let seqs: Vec<u64> = posted.iter().map(|posted| posted.entry.seq).collect();
                    assert!(before.is_empty() || before == seqs, "{name:?}: {before:?}, then {seqs:?}");
                    Outcome::Posted(seqs)
                }
                Err(error) => {
                    assert!(before.is_empty(), "{name:?}: what is there cannot be refused: {error:?}");
                    Outcome::Refused
                }
            };
            if before.is_empty() {
                self.settled.were_not += 1;
            } else {
                self.settled.were_there += 1;
            }
        }
    }

    /// Checks the whole ledger when everybody is done: what was acknowledged is there, at its number, and nothing else is;
    /// numbers have no gap, no key is there twice, credits add up, and verifying finds nothing.
    pub(crate) async fn settle(&mut self, ledger: &dyn Ledger) {
        self.settle_killed(ledger).await;
        let mut wanted: BTreeMap<AccountId, BTreeMap<u64, &Post>> = BTreeMap::new();
        for (name, Tried { posts, outcome }) in &self.batches {
            match outcome {
                Outcome::Posted(seqs) => {
                    for (post, seq) in posts.iter().zip(seqs) {
                        let other = wanted.entry(post.account).or_default().insert(*seq, post);
                        assert!(other.is_none(), "{name:?}: two posts were given the number {seq}");
                    }
                }
                Outcome::Refused => {}
                other => panic!("{name:?} is {other:?}"),
            }
        }
        for (account, wanted) in wanted {
            let entries = entries(ledger, account).await;
            assert_eq!(
                entries.len(),
                wanted.len(),
                "entries of {account} that nobody was told of, or lost ones"
            );
            let mut keys = BTreeSet::new();
            for (number, (posted, (seq, post))) in (1..).zip(entries.iter().zip(wanted)) {
                assert_eq!((posted.entry.seq, seq), (number, number), "numbers have no gap");
                assert!(
                    post.is_content_of(&posted.entry) && post.key == posted.entry.key,
                    "{post:?}: {posted:?}"
                );
                assert!(keys.insert(posted.entry.key), "a key is there twice: {posted:?}");
            }
            assert!(entries.is_sorted_by_key(|posted| posted.entry.at), "time runs backwards");
            conserves(ledger, account, &entries).await;
            assert_eq!(ledger.verify(account).await.unwrap(), []);
        }
    }
}

/// The numbers of those posts that are there.
async fn found(ledger: &dyn Ledger, posts: &[Post]) -> Vec<u64> {
    let mut seqs = Vec::new();
    for post in posts {
        seqs.extend(ledger.by_key(post.account, post.key).await.unwrap().map(|posted| posted.entry.seq));
    }
    seqs
}

/// Posts, again if that may help; twice, of which the second time changes nothing.
async fn post(ledger: &dyn Ledger, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
    let mut posted = once(ledger, posts).await?;
    let again = once(ledger, posts).await?;
    posted.iter_mut().for_each(|posted| posted.repeated = true);
    assert_eq!(again, posted);
    Ok(posted)
}

async fn once(ledger: &dyn Ledger, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
    loop {
        match ledger.post_batch(posts).await {
            Err(LedgerError::Backend(error)) if error.is_retryable() => {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            Err(LedgerError::Backend(error)) => panic!("{error:?}"),
            settled => return settled,
        }
    }
}

/// Every entry of an account, page by page.
async fn entries(ledger: &dyn Ledger, account: AccountId) -> Vec<Posted> {
    let mut entries = Vec::new();
    let mut query = EntryQuery { oldest_first: true, ..EntryQuery::new(account) };
    loop {
        let page = ledger.entries(&query).await.unwrap();
        entries.extend(page.items);
        query.page = page.next;
        if query.page.is_none() {
            return entries;
        }
    }
}

/// By the contents of the entries alone: what came in is what is left and what was spent.
async fn conserves(ledger: &dyn Ledger, account: AccountId, entries: &[Posted]) {
    let (mut granted, mut spent, mut held) = (0, 0, HashMap::<u64, i64>::new());
    for Posted { entry, .. } in entries {
        match &entry.body {
            Body::Grant(grant) => granted += grant.credits.micros(),
            Body::Hold(hold) => drop(held.insert(entry.seq, hold.amount.micros())),
            Body::Release(release) => drop(held.remove(&release.hold).unwrap()),
            Body::Capture(capture) => {
                let of_hold = held.remove(&capture.hold).unwrap();
                assert!(of_hold >= capture.amount.micros());
                spent += capture.amount.micros();
            }
            Body::Refund(refund) => spent -= refund.amount.micros(),
            other => panic!("no worker posts {other:?}"),
        }
    }
    let held = Credits::from_micros(held.into_values().sum());
    let balance = ledger.balance(account, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(balance.held(), held);
    let left = Credits::from_micros(granted - spent - held.micros());
    assert_eq!(balance.spendable(), left, "credits of {account} do not add up");
    assert_eq!(balance.debt, Credits::ZERO);
}
