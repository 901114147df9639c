//! Local repositories keep the contract of a source, bare or not, and directories stand for themselves.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::conformance::repo::{self, RepoFixture};
use rad_core::repo::{FileChange, NewCommit, RepoAccess, RepoError, RepoSource, RepoWriter};
use rad_core::source::{CommitId, SourceTree, TreeEntry};
use rad_github::local::{DIRECTORY_BRANCH, LocalSource, TreeLimits, WholeCommit, commit_tree, read_path};
use tempfile::TempDir;

use crate::{time, tree};

/// Repositories in a directory that goes when the test ends.
pub(crate) struct Repositories {
    pub(crate) root: TempDir,
    pub(crate) source: LocalSource,
    with_work_tree: bool,
}

impl Repositories {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let source = LocalSource::new([root.path()]).unwrap();
        Self { root, source, with_work_tree: false }
    }

    pub(crate) fn commit(&self, name: &str, branch: &str, tree: &SourceTree) -> CommitId {
        let new = WholeCommit { branch, tree, message: "A change", at: time() };
        commit_tree(&self.root.path().join(name), new).unwrap()
    }
}

pub(crate) fn access(repository: &str) -> RepoAccess<'_> {
    RepoAccess { repository, publisher: Publisher::Platform, credential: None }
}

#[async_trait]
impl RepoFixture for Repositories {
    fn source(&self) -> &dyn RepoSource {
        &self.source
    }

    fn writer(&self) -> Option<&dyn RepoWriter> {
        // The suite commits to the branch that a work tree shows.
        (!self.with_work_tree).then_some(&self.source as &dyn RepoWriter)
    }

    async fn create(&self, name: &str) -> String {
        let path = self.root.path().join(name);
        if self.with_work_tree {
            gix::init(path).unwrap()
        } else {
            gix::init_bare(path).unwrap()
        };
        name.to_owned()
    }

    async fn commit(&self, repository: &str, branch: &str, tree: &SourceTree) -> CommitId {
        Repositories::commit(self, repository, branch, tree)
    }
}

#[tokio::test]
async fn local_repositories_keep_the_contract() {
    for with_work_tree in [false, true] {
        let fixture = Repositories { with_work_tree, ..Repositories::new() };
        repo::all(&fixture).await;
    }
}

#[tokio::test]
async fn commits_are_deterministic_and_tell_their_time() {
    let (one, other) = (Repositories::new(), Repositories::new());
    let first = tree(&[("hello/main.tf", "")]);
    assert_eq!(one.commit("same", "main", &first), other.commit("same", "main", &first));
    let second = one.commit("same", "main", &first);
    let head = one.source.head(access("same"), None).await.unwrap();
    assert_eq!((head.commit, head.committed_at), (second.clone(), Some(time())));
    assert_ne!(second, other.source.head(access("same"), None).await.unwrap().commit, "it has a parent");
}

/// What Git itself says.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let done = std::process::Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=rad", "-c", "user.email=demo@example.com"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Git itself agrees with what was written, and what Git packs can be read.
#[tokio::test]
async fn git_and_we_read_the_same() {
    let fixture = Repositories::new();
    let files = tree(&[("a/main.tf", "1"), ("a-b/main.tf", "2"), ("a.tf", "3"), ("z/y/x.tf", "4")]);
    let commit = fixture.commit("ours", "main", &files);
    let ours = fixture.root.path().join("ours");
    git(&ours, &["fsck", "--strict"]);
    let names = git(&ours, &["ls-tree", "-r", "--name-only", commit.as_str()]);
    assert_eq!(names.lines().collect::<Vec<_>>(), ["a-b/main.tf", "a.tf", "a/main.tf", "z/y/x.tf"]);

    git(fixture.root.path(), &["clone", "-q", "ours", "clone"]);
    let clone = fixture.root.path().join("clone");
    fs::write(clone.join("a/main.tf"), "changed").unwrap();
    git(&clone, &["commit", "-qam", "Change it"]);
    git(&clone, &["branch", "release/1"]);
    git(&clone, &["tag", "-a", "v1", "-m", "One"]);
    git(&clone, &["gc", "-q"]);
    let commit: CommitId = git(&clone, &["rev-parse", "HEAD"]).trim().parse().unwrap();
    let head = fixture.source.head(access("clone"), Some("release/1")).await.unwrap();
    assert_eq!(head.commit, commit, "packed branches are found");
    let read = fixture.source.tree(access("clone"), &commit, "").await.unwrap();
    assert_eq!(read.file("a/main.tf").map(AsRef::as_ref), Some(&b"changed"[..]), "packed objects are read");

    fs::write(clone.join("a/main.tf"), "uncommitted").unwrap();
    let limits = TreeLimits::default();
    let at = |revision| read_path(&clone, revision, "a", &limits).unwrap();
    for revision in ["main", "v1", "release/1", commit.as_str(), commit.short()] {
        assert_eq!(at(Some(revision)).commit.as_ref(), Some(&commit), "{revision}");
    }
    assert_eq!(at(Some("HEAD~1")).tree, files.directory("a"));
    let now = at(None);
    assert_eq!(now.commit, None);
    assert_eq!(now.tree, tree(&[("main.tf", "uncommitted")]), "without a revision it is read as it stands");
    let bare = read_path(&ours, None, "", &limits).unwrap();
    assert_eq!(bare.tree, files, "a bare repository is read at its head");
}

#[tokio::test]
async fn a_commit_is_sound_to_git_and_what_a_work_tree_shows_takes_none() {
    let fixture = Repositories::new();
    let base = fixture.commit("bare", "main", &tree(&[("a/main.tf", "1"), ("b/main.tf", "2")]));
    let entry = TreeEntry::File { bytes: "3".into(), executable: false };
    let changes = [
        FileChange::Put { path: "c/main.tf".to_owned(), entry },
        FileChange::Remove { path: "b/main.tf".to_owned() },
    ];
    let commit = NewCommit { branch: "main", base: &base, message: "Move b to c", changes: &changes };
    let made = fixture.source.commit(access("bare"), commit).await.unwrap();
    let root = fixture.root.path();
    git(&root.join("bare"), &["fsck", "--strict"]);
    let names = git(&root.join("bare"), &["ls-tree", "-r", "--name-only", made.as_str()]);
    assert_eq!(names.lines().collect::<Vec<_>>(), ["a/main.tf", "c/main.tf"]);
    let parents = git(&root.join("bare"), &["log", "--format=%H %s", "main"]);
    assert_eq!(parents, format!("{made} Move b to c\n{base} A change\n"));

    git(root, &["clone", "-q", "bare", "clone"]);
    fs::create_dir_all(root.join("plain/a")).unwrap();
    fs::write(root.join("plain/a/main.tf"), "").unwrap();
    let plain = fixture.source.head(access("plain"), None).await.unwrap();
    for (name, base, branch) in [("clone", &made, "main"), ("plain", &plain.commit, DIRECTORY_BRANCH)] {
        let commit = NewCommit { branch, base, message: "No", changes: &changes };
        let refusal = fixture.source.commit(access(name), commit).await.unwrap_err();
        assert!(matches!(refusal, RepoError::Refused { .. }), "{name}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_directory_stands_for_its_own_commit() {
    let fixture = Repositories::new();
    let directory = fixture.root.path().join("plain");
    fs::create_dir_all(directory.join("modules/hello/.terraform/providers")).unwrap();
    fs::create_dir(directory.join("modules/empty")).unwrap();
    for (name, text) in [
        ("main.tf", "1"),
        (".terraform/providers/large", "left behind"),
        ("terraform.tfstate", "secret"),
        ("terraform.tfstate.backup", "secret"),
        (".terraform.lock.hcl", "lock"),
    ] {
        fs::write(directory.join("modules/hello").join(name), text).unwrap();
    }
    let listed = fixture.source.repositories(Publisher::Platform, None).await.unwrap();
    assert_eq!(listed[0].default_branch.as_deref(), Some(DIRECTORY_BRANCH));
    let head = fixture.source.head(access("plain"), None).await.unwrap();
    assert_eq!(head.commit.as_str().len(), 64);
    assert_eq!(fixture.source.branches(access("plain")).await.unwrap(), [DIRECTORY_BRANCH]);
    let read = fixture.source.tree(access("plain"), &head.commit, "modules").await.unwrap();
    assert_eq!(read, tree(&[("hello/main.tf", "1"), ("hello/.terraform.lock.hcl", "lock")]));

    fs::write(directory.join("modules/hello/main.tf"), "2").unwrap();
    let gone = fixture.source.tree(access("plain"), &head.commit, "modules").await.unwrap_err();
    assert!(matches!(gone, RepoError::NoCommit { .. }), "an earlier state cannot be read: {gone:?}");
    let moved = fixture.source.head(access("plain"), Some(DIRECTORY_BRANCH)).await.unwrap();
    assert_ne!(moved.commit, head.commit);
    let other = fixture.source.head(access("plain"), Some("main")).await.unwrap_err();
    assert!(matches!(other, RepoError::NoBranch { known, .. } if known == [DIRECTORY_BRANCH]));
}

#[cfg(unix)]
#[tokio::test]
async fn modes_and_links_of_a_directory_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let fixture = Repositories::new();
    let directory = fixture.root.path().join("plain");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("run.sh"), "").unwrap();
    fs::set_permissions(directory.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc", directory.join("out")).unwrap();
    let mut expected = SourceTree::default();
    expected.insert("run.sh", TreeEntry::File { bytes: "".into(), executable: true }).unwrap();
    expected.insert("out", TreeEntry::Symlink { target: "/etc".to_owned() }).unwrap();
    let read = read_path(&directory, None, "", &TreeLimits::default()).unwrap();
    assert_eq!(read.tree, expected, "a link is an entry and is not followed");
}
