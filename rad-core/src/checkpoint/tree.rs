//! The Merkle tree over the heads of all accounts (RFC 6962, section 2.1): one hash stands for all of them, and a few hashes
//! prove one of them to somebody who must not see the others.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Head;
use crate::source::Digest;

/// Builds the tree from its leaves, one after the other, in little memory.
///
/// ```
/// use rad_core::checkpoint::Tree;
/// use rad_core::source::Digest;
///
/// // The hash of no leaves is that of no bytes.
/// assert_eq!(Tree::default().root(), Digest::of(b""));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The complete subtrees so far, the largest first: how many leaves, and the hash over them.
    complete: Vec<(u64, Digest)>,
    leaves: u64,
}

impl Tree {
    /// Adds the next leaf.
    pub fn push(&mut self, head: &Head) {
        let (mut size, mut hash) = (1_u64, leaf(head));
        while let Some((_, left)) = self.complete.pop_if(|(left, _)| *left == size) {
            hash = node(&left, &hash);
            size = size.saturating_mul(2);
        }
        self.complete.push((size, hash));
        self.leaves = self.leaves.saturating_add(1);
    }

    /// How many leaves there are.
    pub const fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The hash over all leaves.
    pub fn root(&self) -> Digest {
        let mut subtrees = self.complete.iter().rev().map(|(_, hash)| *hash);
        match subtrees.next() {
            Some(last) => subtrees.fold(last, |right, left| node(&left, &right)),
            None => Digest::of(b""),
        }
    }
}

/// That one head is among those of a checkpoint, without the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The place of the account among all, from 0.
    pub index: u64,
    /// The hashes of the subtrees beside the way from the leaf to the root, the lowest first.
    pub path: Vec<Digest>,
}

impl Proof {
    /// The proof for the head at `index`; `None` if there is no such.
    pub fn new(heads: &[Head], index: usize) -> Option<Self> {
        heads.get(index)?;
        let mut path = Vec::new();
        let (mut rest, mut at) = (heads, index);
        while rest.len() > 1 {
            let (left, right) = rest.split_at(largest_power_below(rest.len()));
            let (on_the_way, beside) = if at < left.len() { (left, right) } else { (right, left) };
            at = if at < left.len() { at } else { at.saturating_sub(left.len()) };
            path.push(root_of(beside));
            rest = on_the_way;
        }
        path.reverse();
        Some(Self { index: index as u64, path })
    }

    /// Whether it proves that `head` is one of `leaves` below `root`: the two stand in a checkpoint, as `accounts` and
    /// `root`.
    pub fn proves(&self, head: &Head, leaves: u64, root: &Digest) -> bool {
        // Where the way turns, from the root down.
        let (mut at, mut size, mut turns) = (self.index, leaves, Vec::new());
        if at >= size {
            return false;
        }
        while size > 1 {
            let left = 1_u64 << (size.saturating_sub(1)).ilog2();
            let is_left = at < left;
            turns.push(is_left);
            (at, size) =
                if is_left { (at, left) } else { (at.saturating_sub(left), size.saturating_sub(left)) };
        }
        if turns.len() != self.path.len() {
            return false;
        }
        let ways = turns.into_iter().rev().zip(&self.path);
        let top = ways.fold(leaf(head), |below, (is_left, beside)| match is_left {
            true => node(&below, beside),
            false => node(beside, &below),
        });
        top == *root
    }
}

fn leaf(head: &Head) -> Digest {
    let mut hash = Sha256::new_with_prefix([0]);
    hash.update(head.canonical_bytes());
    Digest::from_bytes(hash.finalize().into())
}

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sha256::new_with_prefix([1]);
    hash.update(left.as_bytes());
    hash.update(right.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

fn root_of(heads: &[Head]) -> Digest {
    let mut tree = Tree::default();
    heads.iter().for_each(|head| tree.push(head));
    tree.root()
}

/// The largest power of two that is less than `size`, which is 2 or more.
const fn largest_power_below(size: usize) -> usize {
    1 << (size.saturating_sub(1)).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AccountId;

    fn heads(count: u8) -> Vec<Head> {
        let head = |n| Head { account: AccountId::from_bytes([n; 16]), seq: 7, hash: Digest::of(&[n]) };
        (0..count).map(head).collect()
    }

    /// RFC 6962 as it is written: split at the largest power of two below the size.
    fn by_the_book(heads: &[Head]) -> Digest {
        match heads {
            [] => Digest::of(b""),
            [head] => leaf(head),
            _ => {
                let (left, right) = heads.split_at(largest_power_below(heads.len()));
                node(&by_the_book(left), &by_the_book(right))
            }
        }
    }

    #[test]
    fn the_tree_is_that_of_the_standard() {
        for count in 0..40 {
            assert_eq!(root_of(&heads(count)), by_the_book(&heads(count)), "{count} leaves");
        }
    }

    #[test]
    fn a_proof_proves_its_head_and_no_other() {
        for count in 1..20_u8 {
            let heads = heads(count);
            let root = root_of(&heads);
            for (index, head) in heads.iter().enumerate() {
                let proof = Proof::new(&heads, index).unwrap();
                assert!(proof.proves(head, u64::from(count), &root), "{index} of {count}");
                let other = Head { seq: 8, ..*head };
                assert!(!proof.proves(&other, u64::from(count), &root), "{index} of {count}");
                let elsewhere = Proof { index: proof.index + 1, ..proof.clone() };
                assert!(!elsewhere.proves(head, u64::from(count), &root), "{index} of {count}");
                let longer = Proof { path: [proof.path, vec![root]].concat(), ..elsewhere };
                assert!(!longer.proves(head, u64::from(count), &root), "{index} of {count}");
            }
            assert_eq!(Proof::new(&heads, heads.len()), None);
        }
    }
}
