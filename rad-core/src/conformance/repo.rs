//! The contract of [`RepoSource`].

use async_trait::async_trait;
use secrecy::SecretString;

use super::{must, must_fail};
use crate::access::Publisher;
use crate::repo::{FileChange, NewCommit, RepoAccess, RepoError, RepoSource, RepoWriter};
use crate::source::{CommitId, SourceTree, TreeEntry};

/// Makes repositories behind the source under test.
#[async_trait]
pub trait RepoFixture: Sync {
    /// The source under test.
    fn source(&self) -> &dyn RepoSource;

    /// The same source, if it takes commits.
    fn writer(&self) -> Option<&dyn RepoWriter> {
        None
    }

    /// What opens its repositories, if something must.
    fn credential(&self) -> Option<&SecretString> {
        None
    }

    /// Makes an empty repository called something like `name` and gives the name the source lists it by.
    async fn create(&self, name: &str) -> String;

    /// Puts a commit with exactly this content on top of a branch, which is made if need be; the first branch of a
    /// repository is its default.
    async fn commit(&self, repository: &str, branch: &str, tree: &SourceTree) -> CommitId;
}

/// The whole contract.
///
/// # Panics
/// If it is broken.
pub async fn all(fixture: &dyn RepoFixture) {
    lists_repositories(fixture).await;
    follows_branches(fixture).await;
    keeps_trees_of_commits(fixture).await;
    refuses_what_is_not_there(fixture).await;
    if let Some(writer) = fixture.writer() {
        commits_changes(fixture, writer).await;
        commits_nothing_by_halves(fixture, writer).await;
        one_of_two_commits_wins(fixture, writer).await;
        makes_branches(fixture, writer).await;
    }
}

/// Repositories are listed in order, with their default branch.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_repositories(fixture: &dyn RepoFixture) {
    let filled = fixture.create("listed-b").await;
    let empty = fixture.create("listed-a").await;
    fixture.commit(&filled, "main", &tree(&[("hello/main.tf", "")])).await;
    let listed = fixture.source().repositories(Publisher::Platform, fixture.credential()).await;
    let listed = must("the repositories are listed", listed);
    assert!(listed.is_sorted_by(|a, b| a.name < b.name), "in the order of names, each once: {listed:?}");
    let default_of = |name: &str| {
        let found = listed.iter().find(|repository| repository.name == name);
        found.map(|repository| repository.default_branch.as_deref())
    };
    assert_eq!(default_of(&filled), Some(Some("main")), "with the default branch");
    assert_eq!(default_of(&empty), Some(None), "an empty repository is listed and has no default branch");
}

/// A branch begins at a commit, and goes its own way from there.
///
/// # Panics
/// If the contract is broken.
pub async fn makes_branches(fixture: &dyn RepoFixture, writer: &dyn RepoWriter) {
    let name = fixture.create("making-branches").await;
    let repo = access(fixture, &name);
    let first = fixture.commit(&name, "main", &tree(&[("a/main.tf", "1")])).await;
    let second = fixture.commit(&name, "main", &tree(&[("a/main.tf", "2")])).await;
    for _ in 0..2 {
        must("a branch is made, or is there", writer.create_branch(repo, "rad/one", &first).await);
    }
    let changes = [remove("a/main.tf"), put("b/main.tf", "3")];
    let new = NewCommit { branch: "rad/one", base: &first, message: "Change it", changes: &changes };
    let made = must("a commit on the branch", writer.commit(repo, new).await);
    let head = must("the branch has a head", writer.head(repo, Some("rad/one")).await);
    assert_eq!(head.commit, made);
    let main = must("the default branch has a head", writer.head(repo, None).await);
    assert_eq!((main.branch.as_str(), main.commit), ("main", second.clone()), "the other one stays");
    let refusal = must_fail("a name that is taken", writer.create_branch(repo, "rad/one", &second).await);
    assert!(matches!(refusal, RepoError::Refused { .. }), "a branch is never moved: {refusal:?}");
}

/// Branches and their tips follow the commits.
///
/// # Panics
/// If the contract is broken.
pub async fn follows_branches(fixture: &dyn RepoFixture) {
    let (source, name) = (fixture.source(), fixture.create("branches").await);
    let repo = access(fixture, &name);
    assert_eq!(must("an empty repository", source.branches(repo).await), Vec::<String>::new());
    let refusal = must_fail("the head of an empty repository", source.head(repo, None).await);
    assert!(matches!(refusal, RepoError::Empty { .. }), "an empty repository says so: {refusal:?}");

    let first = fixture.commit(&name, "main", &tree(&[("a/main.tf", "1")])).await;
    let other = fixture.commit(&name, "feature/x", &tree(&[("a/main.tf", "2")])).await;
    assert_eq!(must("the branches", source.branches(repo).await), ["feature/x", "main"], "in order");
    let head = must("the default branch has a head", source.head(repo, None).await);
    assert_eq!((head.branch.as_str(), &head.commit), ("main", &first), "the default branch");
    let head = must("a branch has a head", source.head(repo, Some("feature/x")).await);
    assert_eq!((head.branch.as_str(), &head.commit), ("feature/x", &other), "a branch by name");

    let second = fixture.commit(&name, "main", &tree(&[("a/main.tf", "3")])).await;
    let head = must("the default branch has a head", source.head(repo, None).await);
    assert_eq!(head.commit, second, "the head moves with the branch");
}

/// A tree is what was committed, and stays so.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_trees_of_commits(fixture: &dyn RepoFixture) {
    let (source, name) = (fixture.source(), fixture.create("trees").await);
    let repo = access(fixture, &name);
    let mut wanted = tree(&[("README.md", "# top"), ("mod-a/main.tf", "é\n"), ("mod-a/sub/deep.tf", "")]);
    let script = TreeEntry::File { bytes: "#!/bin/sh\n".into(), executable: true };
    must("a plain path", wanted.insert("mod-a/run.sh", script));
    let link = TreeEntry::Symlink { target: "../../outside".to_owned() };
    must("a plain path", wanted.insert("mod-b/link.tf", link));
    let binary = TreeEntry::File { bytes: vec![0, 255, 13, 10].into(), executable: false };
    must("a plain path", wanted.insert("mod-b/logo.png", binary));

    let commit = fixture.commit(&name, "main", &wanted).await;
    let read = must("the tree of a commit", source.tree(repo, &commit, "").await);
    assert_eq!(read, wanted, "content, modes and links are as committed; links are not followed");
    fixture.commit(&name, "main", &tree(&[("other/main.tf", "")])).await;
    let again = must("the tree of an earlier commit", source.tree(repo, &commit, "").await);
    assert_eq!(again, wanted, "a commit's tree does not change when the branch moves on");

    for sub_dir in ["mod-a", "mod-a/", "./mod-a"] {
        let below = must("a sub-directory", source.tree(repo, &commit, sub_dir).await);
        assert_eq!(below, wanted.directory("mod-a"), "paths are relative to the sub-directory {sub_dir:?}");
    }
}

/// What is not there is refused by what it is, and nothing outside is reached.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_what_is_not_there(fixture: &dyn RepoFixture) {
    let (source, name) = (fixture.source(), fixture.create("refusals").await);
    let repo = access(fixture, &name);
    let commit = fixture.commit(&name, "main", &tree(&[("mod/main.tf", "")])).await;

    for missing in ["no-such-repository", "", ".", "..", "../..", "/", "/etc", "a/../../etc", "nul\0"] {
        let refusal = must_fail("an unknown name", source.branches(access(fixture, missing)).await);
        assert!(matches!(refusal, RepoError::NotFound { .. }), "{missing:?} is not found: {refusal:?}");
    }
    for missing in ["nope", "", "../main", "main..", "-x", "ma in"] {
        let refusal = must_fail("an unknown branch", source.head(repo, Some(missing)).await);
        match refusal {
            RepoError::NoBranch { known, .. } => assert_eq!(known, ["main"], "the branches there are"),
            other => panic!("{missing:?} is no branch, which is not {other:?}"),
        }
    }
    for missing in ["nope", "mod/main.tf", "mod/nope", "..", "../refusals", "/mod", "mod/../.."] {
        let refusal = must_fail("an unknown directory", source.tree(repo, &commit, missing).await);
        assert!(matches!(refusal, RepoError::NoDirectory { .. }), "{missing:?} is no directory: {refusal:?}");
    }
    let nowhere: CommitId = must("a commit's name", "12".repeat(20).parse());
    let refusal = must_fail("an unknown commit", source.tree(repo, &nowhere, "").await);
    assert!(matches!(refusal, RepoError::NoCommit { .. }), "an unknown commit is NoCommit: {refusal:?}");
}

/// A commit changes what it names and nothing else, on top of its base.
///
/// # Panics
/// If the contract is broken.
pub async fn commits_changes(fixture: &dyn RepoFixture, writer: &dyn RepoWriter) {
    let name = fixture.create("commits").await;
    let repo = access(fixture, &name);
    let mut wanted = tree(&[("a/main.tf", "1"), ("a/old.tf", ""), ("b", "a file"), ("c/d/e.tf", "deep")]);
    let link = TreeEntry::Symlink { target: "main.tf".to_owned() };
    must("a plain path", wanted.insert("a/link.tf", link.clone()));
    let base = fixture.commit(&name, "main", &wanted).await;
    fixture.commit(&name, "other", &wanted).await;

    let script = TreeEntry::File { bytes: vec![0, 255].into(), executable: true };
    let changes = [
        put("a/main.tf", "2\n"),
        FileChange::Put { path: "new/dir/run.sh".to_owned(), entry: script },
        FileChange::Put { path: "a/old.tf".to_owned(), entry: link },
        remove("c/d/e.tf"),
        remove("b"),
        put("b/now/a/directory.tf", ""),
    ];
    let commit = NewCommit { branch: "main", base: &base, message: "Two\n\nthings", changes: &changes };
    let made = must("a commit", writer.commit(repo, commit).await);
    let head = must("the branch has a head", writer.head(repo, Some("main")).await);
    assert_eq!(head.commit, made, "the branch stands on the commit");
    for change in changes {
        match change {
            FileChange::Put { path, entry } => must("a plain path", wanted.insert(path, entry)),
            FileChange::Remove { path } => drop(wanted.remove(&path)),
        }
    }
    assert_eq!(must("its tree", writer.tree(repo, &made, "").await), wanted, "what is changed, and no more");
    let before = must("the tree of the base", writer.tree(repo, &base, "").await);
    assert!(before.entry("c/d/e.tf").is_some(), "the base stays as it is");
    let other = must("another branch has a head", writer.head(repo, Some("other")).await);
    assert!(must("its tree", writer.tree(repo, &other.commit, "").await).entry("c/d/e.tf").is_some());
}

/// What cannot be committed whole is refused, and the branch stays where it is.
///
/// # Panics
/// If the contract is broken.
pub async fn commits_nothing_by_halves(fixture: &dyn RepoFixture, writer: &dyn RepoWriter) {
    let name = fixture.create("halves").await;
    let repo = access(fixture, &name);
    let base = fixture.commit(&name, "main", &tree(&[("a/main.tf", "1"), ("b", "a file")])).await;
    let good = put("good.tf", "");
    let refused = |refusal: &RepoError| matches!(refusal, RepoError::Refused { .. });
    for changes in [
        vec![],
        vec![good.clone(), remove("nope.tf")],
        vec![good.clone(), remove("a")],
        vec![good.clone(), put("a", "over a directory")],
        vec![good.clone(), put("b/below/a/file.tf", "")],
        vec![good.clone(), put("good.tf/below", "")],
        vec![good.clone(), put("good.tf", "again")],
    ] {
        let commit = NewCommit { branch: "main", base: &base, message: "No", changes: &changes };
        let refusal = must_fail("a commit that cannot be", writer.commit(repo, commit).await);
        assert!(refused(&refusal), "{changes:?} is refused: {refusal:?}");
    }
    for path in ["", "/etc/passwd", "../up.tf", "a/../../up.tf", "a//b", "a\\b"] {
        let changes = [good.clone(), put(path, "")];
        let commit = NewCommit { branch: "main", base: &base, message: "No", changes: &changes };
        let refusal = must_fail("a path out of the tree", writer.commit(repo, commit).await);
        assert!(matches!(refusal, RepoError::UnusablePath { .. }), "{path:?} is unusable: {refusal:?}");
    }
    let changes = [good];
    let nowhere = NewCommit { branch: "nope", base: &base, message: "No", changes: &changes };
    let refusal = must_fail("a commit on no branch", writer.commit(repo, nowhere).await);
    assert!(matches!(refusal, RepoError::NoBranch { .. }), "an unknown branch is NoBranch: {refusal:?}");
    let head = must("the branch has a head", writer.head(repo, None).await);
    assert_eq!(head.commit, base, "the branch stays where it is");
}

/// Of two commits on one base one wins, and the other changes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn one_of_two_commits_wins(fixture: &dyn RepoFixture, writer: &dyn RepoWriter) {
    let name = fixture.create("races").await;
    let repo = access(fixture, &name);
    let base = fixture.commit(&name, "main", &tree(&[("a.tf", "")])).await;
    let (ours, theirs) = ([put("ours.tf", "")], [put("theirs.tf", "")]);
    let on_base = |changes| NewCommit { branch: "main", base: &base, message: "A change", changes };
    let won = must("the first commit", writer.commit(repo, on_base(&ours)).await);
    match must_fail("a commit on a base of before", writer.commit(repo, on_base(&theirs)).await) {
        RepoError::Moved { branch, expected, actual } => {
            assert_eq!((branch.as_str(), &expected), ("main", &base), "what was expected");
            assert!(actual.is_none_or(|actual| actual == won), "where the branch is now");
        }
        other => panic!("the branch moved, which is not {other:?}"),
    }
    let after = must("the tree of the head", writer.tree(repo, &won, "").await);
    assert!(after.entry("theirs.tf").is_none(), "nothing of the other commit is there");
}

fn put(path: &str, text: &str) -> FileChange {
    let entry = TreeEntry::File { bytes: text.to_owned().into(), executable: false };
    FileChange::Put { path: path.to_owned(), entry }
}

fn remove(path: &str) -> FileChange {
    FileChange::Remove { path: path.to_owned() }
}

fn access<'a>(fixture: &'a dyn RepoFixture, repository: &'a str) -> RepoAccess<'a> {
    RepoAccess { repository, publisher: Publisher::Platform, credential: fixture.credential() }
}

fn tree(files: &[(&str, &str)]) -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, text) in files {
        must("a plain path", tree.insert_file(*path, text.to_string()));
    }
    tree
}
