//! Archives of strangers: nothing leads out of them, nothing fills the memory, and nothing makes the reader panic.

use std::io::Read;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use rad_core::error::FailureKind;
use rad_core::repo::{RepoError, RepoSource as _};
use rad_core::source::{SourceTree, TreeEntry};
use rad_github::TreeLimits;
use rad_github::github::{ArchiveError, ArchiveLimits, read_archive};
use tar::EntryType;

use super::reading::access;
use super::server::{Server, token};
use super::store::{Tar, gzip, header};
use crate::tree;

const COMMIT: &str = "0123456789012345678901234567890123456789";

/// Kind, path, content and target of an entry, used as they are given.
type Given<'a> = (EntryType, &'a str, &'a [u8], Option<&'a [u8]>);

/// An archive of these entries that says it is of [`COMMIT`].
fn archive(entries: &[Given<'_>]) -> Vec<u8> {
    let mut tar = Tar::new();
    tar.global_comment(COMMIT);
    packed(tar, entries)
}

fn packed(mut tar: Tar, entries: &[Given<'_>]) -> Vec<u8> {
    for (kind, path, bytes, link) in entries {
        tar.entry(*kind, path, 0o644, bytes, *link);
    }
    tar.packed()
}

fn read(packed: &[u8], sub_dir: &str, limits: &ArchiveLimits) -> Result<SourceTree, ArchiveError> {
    read_archive(packed, sub_dir, Some(&COMMIT.parse().unwrap()), limits)
}

fn read_all(packed: &[u8]) -> Result<SourceTree, ArchiveError> {
    read(packed, "", &ArchiveLimits::default())
}

use EntryType::{Block, Char, Directory, Fifo, GNUSparse, Link, Regular, Symlink};

#[test]
fn what_a_commit_holds_is_kept_and_no_link_followed() {
    let long = format!("top/modules/{}/main.tf", "long-name/".repeat(14).trim_end_matches('/'));
    let packed = archive(&[
        (Directory, "top/", b"", None),
        (Regular, "top/README.md", b"# outside", None),
        (Directory, "top/modules/", b"", None),
        (Directory, "top/modules/a/", b"", None),
        (Regular, "top/modules/a/main.tf", b"1", None),
        (Symlink, "top/modules/a/etc", b"", Some(b"/etc/passwd")),
        (Symlink, "top/modules/a/up", b"", Some(b"../../../..")),
        (Regular, &long, b"deep", None),
        (Fifo, "top/modules/a/pipe", b"", None),
        (Char, "top/modules/a/tty", b"", None),
        (Block, "top/modules/a/disk", b"", None),
    ]);
    let mut expected = tree(&[("a/main.tf", "1")]);
    expected.insert_file(long.strip_prefix("top/modules/").unwrap(), "deep").unwrap();
    expected.insert("a/etc", TreeEntry::Symlink { target: "/etc/passwd".to_owned() }).unwrap();
    expected.insert("a/up", TreeEntry::Symlink { target: "../../../..".to_owned() }).unwrap();
    let limits = ArchiveLimits::default();
    assert_eq!(read(&packed, "modules", &limits).unwrap(), expected);
    assert_eq!(read(&packed, "./modules/", &limits).unwrap(), expected);
    assert_eq!(read_all(&packed).unwrap().directory("modules"), expected);
    for missing in ["module", "modules/a/main.tf", "nope", "..", "/modules", "modules/../.."] {
        let refusal = read(&packed, missing, &limits).unwrap_err();
        assert!(matches!(refusal, ArchiveError::NoDirectory), "{missing}: {refusal:?}");
    }
}

#[test]
fn nothing_leads_out_of_an_archive() {
    let file = |path| archive(&[(Regular, path, b"x", None)]);
    for (named, packed) in [
        ("upwards", file("top/../../etc/passwd")),
        ("upwards below", file("top/a/../../../x")),
        ("absolute", file("/etc/passwd")),
        ("absolute below", file("top//etc/passwd")),
        ("a dot", file("top/./x")),
        ("no directory", file("main.tf")),
        ("two directories", archive(&[(Regular, "top/a", b"", None), (Regular, "other/a", b"", None)])),
        ("a hard link", archive(&[(Link, "top/a", b"", Some(b"/etc/passwd"))])),
        ("a sparse file", archive(&[(GNUSparse, "top/a", b"", None)])),
        ("the same path twice", archive(&[(Regular, "top/a", b"1", None), (Regular, "top/a", b"2", None)])),
        (
            "below a link",
            archive(&[(Symlink, "top/a", b"", Some(b"/etc")), (Regular, "top/a/passwd", b"x", None)]),
        ),
        ("below a file", archive(&[(Regular, "top/a/b/c", b"", None), (Regular, "top/a", b"", None)])),
    ] {
        let refusal = read_all(&packed).unwrap_err();
        assert!(matches!(refusal, ArchiveError::Malformed { .. }), "{named}: {refusal:?}");
    }
    for path in ["top/back\\slash", "top/caf\u{0}"] {
        let refusal = read_all(&file(path));
        assert!(!matches!(refusal, Err(ArchiveError::Malformed { .. })), "{path}: {refusal:?}");
    }
    let mut tar = Tar::new();
    let mut latin = header(Regular, "top/cafe", 0o644, 0, None);
    latin.as_old_mut().name[7] = 0xe9;
    latin.set_cksum();
    tar.append(latin, b"");
    let refusal = read_all(&tar.packed()).unwrap_err();
    let unusable = matches!(refusal, ArchiveError::Refused(RepoError::UnusablePath { .. }));
    assert!(unusable, "{refusal:?}");
}

#[test]
fn an_archive_over_a_limit_is_refused_as_a_whole() {
    let packed = archive(&[
        (Directory, "top/a/", b"", None),
        (Directory, "top/a/b/", b"", None),
        (Regular, "top/a/b/main.tf", b"12345678", None),
        (Regular, "top/c.tf", b"12", None),
    ]);
    let exact = TreeLimits { entries: 4, file_bytes: 8, total_bytes: 10, depth: 3 };
    let limits = ArchiveLimits { tree: exact, ..ArchiveLimits::default() };
    assert_eq!(read(&packed, "", &limits).unwrap().len(), 2, "the limits are the last allowed");
    for limits in [
        ArchiveLimits { tree: TreeLimits { entries: 3, ..exact }, ..limits },
        ArchiveLimits { tree: TreeLimits { file_bytes: 7, ..exact }, ..limits },
        ArchiveLimits { tree: TreeLimits { total_bytes: 9, ..exact }, ..limits },
        ArchiveLimits { tree: TreeLimits { depth: 2, ..exact }, ..limits },
        ArchiveLimits { packed_bytes: packed.len() as u64 - 1, ..limits },
        ArchiveLimits { unpacked_bytes: 4 * 512, ..limits },
    ] {
        let refusal = read(&packed, "", &limits).unwrap_err();
        let too_large = matches!(refusal, ArchiveError::Refused(RepoError::TooLarge { .. }));
        assert!(too_large, "{limits:?}: {refusal:?}");
    }
}

#[test]
fn bombs_do_not_go_off() {
    let large = vec![0; 64 << 20];
    let packed = archive(&[(Regular, "top/outside", &large, None), (Regular, "top/a/main.tf", b"", None)]);
    assert!(packed.len() < 1 << 20);
    let refusal = read(&packed, "a", &ArchiveLimits::default()).unwrap_err();
    assert!(refusal.to_string().contains("for each byte"), "{refusal}");
    let generous = ArchiveLimits { ratio: u64::MAX, unpacked_bytes: 32 << 20, ..ArchiveLimits::default() };
    let refusal = read(&packed, "a", &generous).unwrap_err();
    assert!(refusal.to_string().contains("unpacked"), "{refusal}");

    // A record about a path that never ends, and a file that claims to be endless.
    let mut tar = Tar::new();
    tar.append(header(EntryType::XHeader, "pax", 0o644, 1 << 20, None), &large[..1 << 20]);
    assert!(matches!(read_all(&tar.packed()).unwrap_err(), ArchiveError::Malformed { .. }));
    let mut endless = header(Regular, "top/a", 0o644, 0, None);
    endless.set_size(u64::MAX / 2);
    endless.set_cksum();
    let refusal = read_all(&gzip(endless.as_bytes())).unwrap_err();
    assert!(matches!(refusal, ArchiveError::Refused(RepoError::TooLarge { .. })), "{refusal:?}");
}

#[test]
fn an_archive_that_broke_off_or_was_altered_is_never_a_part_of_a_tree() {
    let packed = archive(&[(Regular, "top/a", b"1", None), (Regular, "top/b", &[7; 3000], None)]);
    assert_eq!(read_all(&packed).unwrap().len(), 2);
    for length in 0..packed.len() {
        assert!(read_all(&packed[..length]).is_err(), "{length} of {} bytes", packed.len());
    }
    for at in packed.len() - 8..packed.len() {
        let mut altered = packed.clone();
        altered[at] ^= 1;
        assert!(matches!(read_all(&altered), Err(ArchiveError::Broken(_))), "byte {at} of its checksum");
    }
    let other = "f".repeat(40).parse().unwrap();
    let refusal = read_archive(&packed[..], "", Some(&other), &ArchiveLimits::default()).unwrap_err();
    assert!(refusal.to_string().contains(COMMIT), "it is of another commit: {refusal}");
    assert!(read_archive(&packed[..], "", None, &ArchiveLimits::default()).is_ok());
}

#[tokio::test]
async fn a_source_says_what_is_wrong_with_an_archive() {
    let server = Server::start().await;
    let commit = server.put("octo/modules", "main", &tree(&[("a/main.tf", "")]));
    let (github, token) = (server.github(), token());
    let bad = async |packed: Vec<u8>| {
        *server.state.archive.lock().unwrap() = Some(packed);
        github.tree(access("octo/modules", &token), &commit, "").await.unwrap_err()
    };
    let refusal = bad(packed(Tar::new(), &[(Regular, "top/../x", b"", None)])).await;
    assert!(matches!(&refusal, RepoError::Backend(e) if e.kind() == FailureKind::Permanent), "{refusal:?}");
    let refusal = bad(packed(Tar::new(), &[(Regular, "top/big", &vec![0; 20 << 20], None)])).await;
    assert!(matches!(&refusal, RepoError::TooLarge { .. }), "{refusal:?}");
    let refusal = bad(archive(&[(Regular, "top/a/main.tf", b"", None)])).await;
    assert!(matches!(&refusal, RepoError::Backend(e) if e.kind() == FailureKind::Permanent), "{refusal:?}");
    let refusal = bad(b"<html>".to_vec()).await;
    assert!(matches!(&refusal, RepoError::Backend(e) if e.kind() == FailureKind::Permanent), "{refusal:?}");
    *server.state.archive.lock().unwrap() = None;
    assert!(github.tree(access("octo/modules", &token), &commit, "").await.is_ok());
}

/// Entries as a stranger might make them, well-formed or not.
fn entries() -> impl Strategy<Value = Vec<(u8, String, Vec<u8>, String)>> {
    let kinds = prop::sample::select(&b"0125gxLKS7"[..]);
    let path = prop_oneof!["top/[a-c](/[a-c.]{1,2}){0,3}/?", "[a./\\\\é]{0,12}", "top/[a-z/]{90,110}"];
    let bytes = prop::collection::vec(any::<u8>(), 0..600);
    prop::collection::vec((kinds, path, bytes, "[a./]{0,9}"), 0..12)
}

/// Small limits, so that they are met.
fn small() -> ArchiveLimits {
    let tree = TreeLimits { entries: 8, file_bytes: 500, total_bytes: 2_000, depth: 4 };
    ArchiveLimits { packed_bytes: 9_000, unpacked_bytes: 12_000, ratio: 250, tree }
}

/// What every tree that is read at all keeps to.
fn is_sound(tree: &SourceTree, limits: &TreeLimits) -> bool {
    tree.len() as u64 <= limits.entries
        && tree.content_bytes() <= limits.total_bytes + 100 * limits.entries
        && tree.iter().all(|(path, _)| {
            path.split('/').all(|name| !matches!(name, "" | "." | ".."))
                && path.split('/').count() as u64 <= limits.depth
        })
}

proptest! {
    #[test]
    fn no_entries_make_it_panic_or_leave_the_limits(
        entries in entries(),
        sub_dir in "[ab]?",
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut tar = Tar::new();
        for (kind, path, bytes, link) in &entries {
            tar.entry(EntryType::new(*kind), path, 0o755, bytes, Some(link.as_bytes()));
        }
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&tar.packed()[..]).read_to_end(&mut unpacked).unwrap();
        for (at, value) in flips {
            let at = at.index(unpacked.len());
            unpacked[at] = value;
        }
        let limits = small();
        if let Ok(tree) = read_archive(&gzip(&unpacked)[..], &sub_dir, None, &limits) {
            prop_assert!(is_sound(&tree, &limits.tree), "{tree:?}");
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let limits = small();
        prop_assert!(read_archive(&bytes[..], "", None, &limits).is_err());
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut packed, &bytes).unwrap();
        if let Ok(tree) = read_archive(&packed.finish().unwrap()[..], "", None, &limits) {
            prop_assert!(is_sound(&tree, &limits.tree), "{tree:?}");
        }
    }
}
