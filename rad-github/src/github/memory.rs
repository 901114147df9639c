//! What was learnt of repositories and saves asking again: heads with their tags, default branches, trees.
//!
//! Everything is kept apart by credential, so that nobody is shown what only another may read.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderValue;
use rad_core::repo::Head;
use rad_core::source::{CommitId, Digest, SourceTree};

use super::ask::Who;

/// Heads, default branches and repositories that are remembered at the most, of each.
const REMEMBERED: u64 = 20_000;
/// For how long a tree is shown again without asking, after GitHub last showed the repository to the credential.
const STILL_READABLE: TimeDelta = TimeDelta::minutes(5);
/// For how long the name of a default branch is believed.
const STILL_DEFAULT: TimeDelta = TimeDelta::hours(1);
/// Bytes of an entry of a tree beside its path and content, roughly.
const ENTRY_BYTES: u64 = 100;

/// A repository as one credential sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub(super) who: Digest,
    pub(super) repository: String,
}

impl Seen {
    /// GitHub takes names in any case; what is remembered of them goes by the lower one.
    pub(super) fn by(who: &Who, repository: &str) -> Self {
        Self { who: who.id, repository: repository.to_ascii_lowercase() }
    }
}

/// A head and the tag of the answer that told it.
#[derive(Debug, Clone)]
pub(super) struct KnownHead {
    pub(super) head: Head,
    pub(super) etag: Option<HeaderValue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TreeKey {
    seen: Seen,
    commit: CommitId,
    sub_dir: String,
}

/// All that is remembered.
#[derive(Debug)]
pub(super) struct Memory {
    shelves: Mutex<Shelves>,
}

#[derive(Debug)]
struct Shelves {
    heads: Bounded<(Seen, Option<String>), KnownHead>,
    defaults: Bounded<Seen, (String, DateTime<Utc>)>,
    shown: Bounded<Seen, DateTime<Utc>>,
    trees: Bounded<TreeKey, Arc<SourceTree>>,
}

impl Memory {
    pub(super) fn new(tree_bytes: u64) -> Self {
        let shelves = Shelves {
            heads: Bounded::new(REMEMBERED),
            defaults: Bounded::new(REMEMBERED),
            shown: Bounded::new(REMEMBERED),
            trees: Bounded::new(tree_bytes),
        };
        Self { shelves: Mutex::new(shelves) }
    }

    pub(super) fn head(&self, seen: &Seen, branch: Option<&str>) -> Option<KnownHead> {
        self.shelves().heads.get(&(seen.clone(), branch.map(str::to_owned))).cloned()
    }

    /// GitHub just told the head of a branch; `asked` is the branch as it was asked for.
    pub(super) fn learn_head(&self, seen: &Seen, asked: Option<&str>, known: KnownHead, now: DateTime<Utc>) {
        let mut shelves = self.shelves();
        shelves.heads.put((seen.clone(), asked.map(str::to_owned)), known, 1);
        shelves.shown.put(seen.clone(), now, 1);
    }

    pub(super) fn default_branch(&self, seen: &Seen, now: DateTime<Utc>) -> Option<String> {
        let shelves = self.shelves();
        let (name, at) = shelves.defaults.get(seen)?;
        (now - at < STILL_DEFAULT).then(|| name.clone())
    }

    pub(super) fn learn_default(&self, seen: &Seen, name: &str, now: DateTime<Utc>) {
        self.shelves().defaults.put(seen.clone(), (name.to_owned(), now), 1);
    }

    pub(super) fn tree(
        &self,
        seen: &Seen,
        commit: &CommitId,
        sub_dir: &str,
        now: DateTime<Utc>,
    ) -> Option<Arc<SourceTree>> {
        let shelves = self.shelves();
        shelves.shown.get(seen).filter(|at| now - **at < STILL_READABLE)?;
        let key = TreeKey { seen: seen.clone(), commit: commit.clone(), sub_dir: sub_dir.to_owned() };
        shelves.trees.get(&key).cloned()
    }

    pub(super) fn learn_tree(&self, seen: &Seen, commit: &CommitId, sub_dir: &str, tree: &Arc<SourceTree>) {
        let paths: u64 = tree.iter().map(|(path, _)| path.len() as u64 + ENTRY_BYTES).sum();
        let key = TreeKey { seen: seen.clone(), commit: commit.clone(), sub_dir: sub_dir.to_owned() };
        self.shelves().trees.put(key, Arc::clone(tree), paths.saturating_add(tree.content_bytes()));
    }

    /// GitHub did not show the repository: what it showed before is not shown again.
    pub(super) fn forget(&self, seen: &Seen) {
        let mut shelves = self.shelves();
        shelves.shown.remove(seen);
        shelves.defaults.remove(seen);
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map of limited weight that forgets what was put there first.
#[derive(Debug)]
struct Bounded<K, V> {
    limit: u64,
    weight: u64,
    entries: HashMap<K, Entry<V>>,
    /// The keys by when they were put there.
    order: BTreeMap<u64, K>,
    next: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: u64,
    place: u64,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    fn new(limit: u64) -> Self {
        Self { limit, weight: 0, entries: HashMap::new(), order: BTreeMap::new(), next: 0 }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    fn put(&mut self, key: K, value: V, weight: u64) {
        self.remove(&key);
        if weight > self.limit {
            return;
        }
        while self.weight > self.limit - weight {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.remove(&oldest);
        }
        self.weight += weight;
        self.order.insert(self.next, key.clone());
        self.entries.insert(key, Entry { value, weight, place: self.next });
        self.next += 1;
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
            self.order.remove(&entry.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_forgotten_first_and_the_weight_stays_within_its_limit() {
        let mut map = Bounded::new(10);
        map.put("a", 1, 4);
        map.put("b", 2, 4);
        map.put("a", 3, 4);
        map.put("c", 4, 4);
        assert_eq!((map.get(&"a"), map.get(&"b"), map.get(&"c")), (Some(&3), None, Some(&4)));
        map.put("d", 5, 11);
        assert_eq!(
            (map.get(&"d"), map.weight, map.order.len()),
            (None, 8, 2),
            "what is too heavy is not kept"
        );
        map.put("e", 6, 10);
        assert_eq!((map.weight, map.order.len(), map.entries.len()), (10, 1, 1));
        map.remove(&"e");
        assert_eq!((map.weight, map.order.len()), (0, 0));
    }
}
