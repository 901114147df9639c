//! The contract of [`SourceArchive`].

use super::{must, must_fail};
use crate::catalog::{ARCHIVE_LIMIT, CatalogError, SourceArchive};
use crate::id::ModuleId;
use crate::source::{Digest, SourceTree, TreeEntry};

/// The whole contract.
///
/// # Panics
/// If it is broken.
pub async fn all(archive: &dyn SourceArchive) {
    gives_back_what_was_stored(archive).await;
    refuses_unknown_and_oversized_sources(archive).await;
}

/// What is stored is given back by its digest, however often it is stored.
///
/// # Panics
/// If the contract is broken.
pub async fn gives_back_what_was_stored(archive: &dyn SourceArchive) {
    let mut tree = SourceTree::default();
    let text = format!("# {}", ModuleId::new());
    must("a plain path", tree.insert_file("main.tf", text));
    must("a plain path", tree.insert_file("empty.tf", ""));
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(300));
    let script = TreeEntry::File { bytes: (0..=255u8).collect::<Vec<_>>().into(), executable: true };
    must("a plain path", tree.insert(long, script));
    let link = TreeEntry::Symlink { target: format!("../{}", "é".repeat(400)) };
    must("a plain path", tree.insert("link.tf", link));

    for _ in 0..2 {
        let digest = must("a tree is stored", archive.store(&tree).await);
        assert_eq!(digest, tree.digest(), "an archive goes by the tree's own digest");
        assert_eq!(must("a stored tree is loaded", archive.load(&digest).await), tree, "as it was stored");
    }
    let empty = SourceTree::default();
    let digest = must("the empty tree is stored", archive.store(&empty).await);
    assert_eq!(must("the empty tree is loaded", archive.load(&digest).await), empty);
}

/// Unknown digests and sources over the limit are refused.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_unknown_and_oversized_sources(archive: &dyn SourceArchive) {
    let unknown = Digest::of(ModuleId::new().as_bytes());
    let refusal = must_fail("an unknown digest", archive.load(&unknown).await);
    assert!(matches!(refusal, CatalogError::NotFound), "an unknown digest is NotFound: {refusal:?}");

    let mut tree = SourceTree::default();
    let half = usize::try_from(ARCHIVE_LIMIT / 2).unwrap_or_default();
    must("a plain path", tree.insert_file("a", vec![b'a'; half]));
    must("a plain path", tree.insert_file("b", vec![b'b'; half]));
    let digest = must("a source at the limit is stored", archive.store(&tree).await);
    assert_eq!(must("a source at the limit is loaded", archive.load(&digest).await).digest(), digest);

    must("a plain path", tree.insert_file("c", "c"));
    let refusal = must_fail("a source over the limit", archive.store(&tree).await);
    let expected = ARCHIVE_LIMIT + 1;
    assert!(
        matches!(refusal, CatalogError::TooLarge { size, limit: ARCHIVE_LIMIT } if size == expected),
        "a source over the limit is TooLarge: {refusal:?}"
    );
    let refusal = must_fail("what was refused is not there", archive.load(&tree.digest()).await);
    assert!(matches!(refusal, CatalogError::NotFound), "a refused source is not kept: {refusal:?}");
}
