//! The contract of [`RepoSource`].

use async_trait::async_trait;
use secrecy::SecretString;

use super::{must, must_fail};
use crate::repo::{RepoAccess, RepoError, RepoSource};
use crate::source::{CommitId, SourceTree, TreeEntry};

/// Makes repositories behind the source under test.
#[async_trait]
pub trait RepoFixture: Sync {
    /// The source under test.
    fn source(&self) -> &dyn RepoSource;

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
}

/// Repositories are listed in order, with their default branch.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_repositories(fixture: &dyn RepoFixture) {
    let filled = fixture.create("listed-b").await;
    let empty = fixture.create("listed-a").await;
    fixture.commit(&filled, "main", &tree(&[("hello/main.tf", "")])).await;
    let listed = fixture.source().repositories(fixture.credential()).await;
    let listed = must("the repositories are listed", listed);
    assert!(listed.is_sorted_by(|a, b| a.name < b.name), "in the order of names, each once: {listed:?}");
    let default_of = |name: &str| {
        let found = listed.iter().find(|repository| repository.name == name);
        found.map(|repository| repository.default_branch.as_deref())
    };
    assert_eq!(default_of(&filled), Some(Some("main")), "with the default branch");
    assert_eq!(default_of(&empty), Some(None), "an empty repository is listed and has no default branch");
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

fn access<'a>(fixture: &'a dyn RepoFixture, repository: &'a str) -> RepoAccess<'a> {
    RepoAccess { repository, credential: fixture.credential() }
}

fn tree(files: &[(&str, &str)]) -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, text) in files {
        must("a plain path", tree.insert_file(*path, text.to_string()));
    }
    tree
}
