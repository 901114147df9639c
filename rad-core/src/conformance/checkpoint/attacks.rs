//! Attacks by somebody who may write to the database and does not have the key.

use std::fmt;

use async_trait::async_trait;

use super::{before, checkpoint, key, keys, now, verify};
use crate::checkpoint::{
    CheckpointError, CheckpointProblem, Checkpoints, CheckpointsExt, FullVerification, Head,
    SignedCheckpoint, SigningKey, compare,
};
use crate::conformance::ledger::{Scene, award};
use crate::conformance::must;
use crate::id::AccountId;
use crate::ledger::{Finding, LedgerExt, Post};
use crate::source::Digest;

/// Somebody who may change whatever a ledger keeps, and is good at it.
#[async_trait]
pub trait Tamper: Send + Sync + fmt::Debug {
    /// Puts in the place of everything that is kept of an account what a ledger keeps to which these are posted, so that
    /// nothing of it contradicts anything else; nothing at all where nothing is posted.
    async fn rewrite(&self, account: AccountId, posts: &[Post]);

    /// Puts another checkpoint, with the heads kept with it, in the place of the one with this number; none removes it.
    async fn replace_checkpoint(&self, number: u64, by: Option<(SignedCheckpoint, Vec<Head>)>);
}

/// Runs all attacks on a ledger to which nobody else posts, and undoes each.
///
/// # Panics
/// If one is not found, or found elsewhere than where it was.
pub async fn all(ledger: &dyn Checkpoints, tamper: &dyn Tamper) {
    let victim = Victim::new(ledger, tamper).await;
    victim.finds_cut_off_tails().await;
    victim.finds_removed_accounts().await;
    victim.finds_histories_written_anew().await;
    victim.signs_nothing_that_was_tampered_with().await;
    victim.finds_what_outlasts_its_checkpoints().await;
    victim.finds_removed_checkpoints().await;
    victim.finds_forged_checkpoints().await;
    victim.finds_altered_heads().await;
    assert!(victim.verify().await.is_sound(), "every attack was undone");
}

/// Accounts with a history, and two checkpoints of them.
struct Victim<'a> {
    ledger: &'a dyn Checkpoints,
    tamper: &'a dyn Tamper,
    /// Accounts in their order, each with what was posted: four entries before the first checkpoint, two before the
    /// second, one after.
    accounts: Vec<(AccountId, Vec<Post>)>,
    first: SignedCheckpoint,
    second: SignedCheckpoint,
}

impl<'a> Victim<'a> {
    async fn new(ledger: &'a dyn Checkpoints, tamper: &'a dyn Tamper) -> Self {
        let mut scenes: Vec<Scene<'_>> = (0..3).map(|_| Scene::new(ledger)).collect();
        scenes.sort_by_key(|scene| scene.account);
        let mut accounts: Vec<_> = scenes.iter().map(|scene| (scene.account, Vec::new())).collect();
        let mut made = Vec::new();
        for entries in [4, 2, 1] {
            for (scene, (_, posts)) in scenes.iter_mut().zip(&mut accounts) {
                for credits in 1..=entries {
                    let post = scene.draft(None, award(credits));
                    must("an entry is posted", ledger.post(post.clone()).await);
                    posts.push(post);
                }
            }
            made.push(checkpoint(ledger).await);
        }
        // The last entries are in no checkpoint.
        let third = made[2].checkpoint.number;
        tamper.replace_checkpoint(third, None).await;
        let victim = Self { ledger, tamper, accounts, first: made[0], second: made[1] };
        assert!(victim.verify().await.is_sound(), "nothing is found before anything happened");
        victim
    }

    async fn verify(&self) -> FullVerification {
        verify(self.ledger, &keys(self.ledger).await).await
    }

    /// Writes a history anew, and gives what was found, here and without checkpoints.
    async fn rewrite(&self, account: AccountId, posts: &[Post]) -> Vec<Finding> {
        self.tamper.rewrite(account, posts).await;
        let alone = must("an account can be verified", self.ledger.verify(account).await);
        assert_eq!(alone, [], "the attack is good enough that the account alone shows nothing");
        let found = self.verify().await;
        assert_eq!(found.checkpoints.findings, [], "nothing is wrong with the checkpoints");
        found.books.findings
    }

    async fn finds_cut_off_tails(&self) {
        for (account, posts) in &self.accounts {
            for (left, cut) in [(5, Some(6)), (4, Some(5)), (1, Some(2)), (6, None)] {
                let found = places(&self.rewrite(*account, &posts[..left]).await);
                let expected: Vec<_> = cut.map(|seq| (*account, Some(seq))).into_iter().collect();
                assert_eq!(found, expected, "of 7 entries, 6 in a checkpoint, {left} are left");
            }
            self.tamper.rewrite(*account, posts).await;
        }
    }

    async fn finds_removed_accounts(&self) {
        for (account, posts) in &self.accounts {
            let found = self.rewrite(*account, &[]).await;
            assert_eq!(places(&found), [(*account, Some(1))], "a removed account is found");
            assert!(found[0].problem.contains("removed"), "{}", found[0].problem);
            self.tamper.rewrite(*account, posts).await;
        }
    }

    async fn finds_histories_written_anew(&self) {
        let (account, posts) = &self.accounts[1];
        for (altered, from, to) in [(0, 1, 4), (3, 1, 4), (4, 5, 6), (5, 5, 6)] {
            let mut anew = posts.clone();
            anew[altered].body = award(1_000);
            let found = self.rewrite(*account, &anew).await;
            assert_eq!(places(&found), [(*account, Some(from))], "entry {} was altered", altered + 1);
            let between = format!("between entries {from} and {to}");
            assert!(found[0].problem.contains(&between), "{}", found[0].problem);
        }
        self.tamper.rewrite(*account, posts).await;
    }

    async fn signs_nothing_that_was_tampered_with(&self) {
        let (account, posts) = &self.accounts[0];
        let mut anew = posts.clone();
        anew[2].body = award(1_000);
        for (what, posts) in [("a tail", &posts[..5]), ("an account", &[][..]), ("a history", &anew[..])] {
            self.tamper.rewrite(*account, posts).await;
            match self.ledger.checkpoint(&key(), now()).await {
                Err(CheckpointError::Altered { findings }) => {
                    assert_eq!(findings.first().map(|finding| finding.account), Some(*account), "{what}");
                }
                other => panic!("{what} that was tampered with must not be signed: {other:?}"),
            }
        }
        self.tamper.rewrite(*account, posts).await;
    }

    /// Without the newest checkpoint a cut-off tail is not found, until somebody brings the checkpoint.
    async fn finds_what_outlasts_its_checkpoints(&self) {
        let number = self.second.checkpoint.number;
        let (account, posts) = &self.accounts[2];
        let changed = self.changed(number).await;
        let place = before(*account).map(|account| (account, u64::MAX));
        let kept = must("heads can be listed", self.ledger.signed_heads(place, Some(*account), 10).await);
        self.tamper.replace_checkpoint(number, None).await;
        assert_eq!(self.rewrite(*account, &posts[..5]).await, [], "what nobody signed can be cut off");
        let found = must("a ledger can be compared", compare(self.ledger, &kept).await);
        let found: Vec<Finding> = found.into_iter().map(Finding::from).collect();
        assert_eq!(places(&found), [(*account, Some(6))], "a checkpoint that was kept elsewhere shows it");
        self.tamper.rewrite(*account, posts).await;
        self.tamper.replace_checkpoint(number, Some((self.second, changed))).await;
    }

    async fn finds_removed_checkpoints(&self) {
        let number = self.first.checkpoint.number;
        let changed = self.changed(number).await;
        self.tamper.replace_checkpoint(number, None).await;
        let found = self.problems().await;
        let gap = (number + 1, CheckpointProblem::Gap { before: number - 1 });
        assert!(found.contains(&gap), "{found:?}");
        self.tamper.replace_checkpoint(number, Some((self.first, changed))).await;
    }

    async fn finds_forged_checkpoints(&self) {
        let (number, trusted) = (self.second.checkpoint.number, keys(self.ledger).await);
        let changed = self.changed(number).await;
        let stranger = must("32 bytes are a key", SigningKey::from_hex(&"bad0".repeat(16).into()));
        let mut altered = self.second;
        altered.checkpoint.entries += 1;
        let mut unchained = self.second.checkpoint;
        unchained.previous = Digest::ZERO;
        let named = Digest::ZERO;
        let mut earlier = self.second.checkpoint;
        earlier.at = self.first.checkpoint.at - chrono::TimeDelta::seconds(1);
        for (forged, problem) in [
            (
                self.second.checkpoint.sign(&stranger),
                CheckpointProblem::ForeignKey { key: stranger.public() },
            ),
            (altered, CheckpointProblem::Signature { key: altered.key }),
            (unchained.sign(&key()), CheckpointProblem::Unchained { actual: self.first.hash(), named }),
            (earlier.sign(&key()), CheckpointProblem::Backwards { what: "time".to_owned() }),
        ] {
            self.tamper.replace_checkpoint(number, Some((forged, changed.clone()))).await;
            let found = verify(self.ledger, &trusted).await.checkpoints.findings;
            let found: Vec<_> = found.into_iter().map(|found| (found.checkpoint, found.problem)).collect();
            assert!(found.contains(&(number, problem)), "{found:?}");
        }
        self.tamper.replace_checkpoint(number, Some((self.second, changed))).await;
    }

    async fn finds_altered_heads(&self) {
        for signed in [self.first, self.second] {
            let number = signed.checkpoint.number;
            let changed = self.changed(number).await;
            let mut altered = changed.clone();
            let victim = altered.iter().position(|head| head.account == self.accounts[1].0);
            altered.remove(victim.unwrap_or_default());
            self.tamper.replace_checkpoint(number, Some((signed, altered))).await;
            let found = self.problems().await;
            let heads = CheckpointProblem::Heads { what: "changes".to_owned() };
            assert!(found.contains(&(number, heads)), "{found:?}");
            self.tamper.replace_checkpoint(number, Some((signed, changed))).await;
        }
    }

    async fn problems(&self) -> Vec<(u64, CheckpointProblem)> {
        let found = self.verify().await.checkpoints.findings;
        found.into_iter().map(|found| (found.checkpoint, found.problem)).collect()
    }

    async fn changed(&self, number: u64) -> Vec<Head> {
        must("changes can be listed", self.ledger.changes(number, None, 1_000).await)
    }
}

fn places(findings: &[Finding]) -> Vec<(AccountId, Option<u64>)> {
    findings.iter().map(|finding| (finding.account, finding.seq)).collect()
}
