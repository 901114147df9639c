//! Commits, branches and pull requests: all or nothing, on the commit they were made for.

use rad_core::error::FailureKind;
use rad_core::repo::{FileChange, NewCommit, Proposal, RepoError, RepoSource as _, RepoWriter};
use rad_core::source::{CommitId, SourceTree, TreeEntry};
use rad_github::github::GitHub;

use super::reading::access;
use super::server::{Fault, Server, token};
use crate::tree;

const REPOSITORY: &str = "octo/modules";

fn put(path: &str, text: &str) -> FileChange {
    entry(path, TreeEntry::File { bytes: text.to_owned().into(), executable: false })
}

fn entry(path: &str, entry: TreeEntry) -> FileChange {
    FileChange::Put { path: path.to_owned(), entry }
}

async fn commit(
    github: &GitHub,
    branch: &str,
    base: &CommitId,
    changes: &[FileChange],
) -> Result<CommitId, RepoError> {
    let commit = NewCommit { branch, base, message: "Refine the module", changes };
    github.commit(access(REPOSITORY, &token()), commit).await
}

async fn tree_at(github: &GitHub, branch: &str) -> (CommitId, SourceTree) {
    let token = token();
    let head = github.head(access(REPOSITORY, &token), Some(branch)).await.unwrap();
    let tree = github.tree(access(REPOSITORY, &token), &head.commit, "").await.unwrap();
    (head.commit, tree)
}

#[tokio::test]
async fn a_set_of_changes_becomes_one_commit() {
    let server = Server::start().await;
    let base =
        server.put(REPOSITORY, "main", &tree(&[("a/main.tf", "1"), ("a/old.tf", ""), ("b/main.tf", "2")]));
    let github = server.github();
    assert_eq!(tree_at(&github, "main").await.0, base);
    let script = TreeEntry::File { bytes: "#!/bin/sh\n".into(), executable: true };
    let binary = TreeEntry::File { bytes: vec![0, 255, 13].into(), executable: false };
    let long = "variable \"x\" {}\n".repeat(20_000);
    let link = TreeEntry::Symlink { target: "../b".to_owned() };
    let all = [
        put("a/main.tf", "é"),
        FileChange::Remove { path: "a/old.tf".to_owned() },
        put("a/new/deep.tf", ""),
        entry("a/run.sh", script.clone()),
        entry("a/logo.png", binary.clone()),
        put("a/long.tf", &long),
        entry("a/link", link.clone()),
    ];
    server.fail("/git/blobs", Fault::Answer(502, Vec::new(), ""));
    server.fail("/git/trees", Fault::BreakOff);
    let made = commit(&github, "main", &base, &all).await.unwrap();
    let (head, now) = tree_at(&github, "main").await;
    assert_eq!(head, made);
    let mut expected =
        tree(&[("a/main.tf", "é"), ("a/new/deep.tf", ""), ("a/long.tf", &long), ("b/main.tf", "2")]);
    expected.insert("a/run.sh", script).unwrap();
    expected.insert("a/logo.png", binary).unwrap();
    expected.insert("a/link", link).unwrap();
    assert_eq!(now, expected);
}

#[tokio::test]
async fn a_commit_to_a_repository_that_was_renamed_says_its_new_name() {
    let server = Server::start().await;
    let base = server.put("octo/elsewhere", "main", &tree(&[("a/main.tf", "1")]));
    *server.state.renamed.lock().unwrap() = Some((REPOSITORY, "octo/elsewhere"));
    let github = server.github();
    assert_eq!(tree_at(&github, "main").await.0, base, "it is read on");
    let refusals = [
        commit(&github, "main", &base, &[put("a/main.tf", "2")]).await.unwrap_err(),
        github.create_branch(access(REPOSITORY, &token()), "other", &base).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert!(refusal.to_string().contains("moved to \"octo/elsewhere\""), "{refusal}");
        assert!(matches!(refusal, RepoError::Renamed { .. }), "{refusal:?}");
    }
    assert_eq!(tree_at(&github, "main").await.0, base, "nothing was changed");
}

#[tokio::test]
async fn a_branch_that_moved_is_left_as_it_is() {
    let server = Server::start().await;
    let base = server.put(REPOSITORY, "main", &tree(&[("a/main.tf", "1")]));
    let github = server.github();
    let one = [put("a/main.tf", "mine")];
    let theirs = server.put(REPOSITORY, "main", &tree(&[("a/main.tf", "theirs")]));
    let refusal = commit(&github, "main", &base, &one).await.unwrap_err();
    let moved = matches!(&refusal, RepoError::Moved { actual: Some(actual), .. } if *actual == theirs);
    assert!(moved, "{refusal:?}");
    assert!(server.calls().iter().all(|call| call.method == "GET"), "nothing was written");

    // The branch moves while the commit is made: what reads where it is was told the old place.
    let told = format!("{{\"object\":{{\"sha\":\"{base}\"}}}}");
    let told: &'static str = told.leak();
    server.fail("/git/ref/heads/main", Fault::Instead(told));
    let refusal = commit(&github, "main", &base, &one).await.unwrap_err();
    let moved = matches!(&refusal, RepoError::Moved { actual: Some(actual), .. } if *actual == theirs);
    assert!(moved, "{refusal:?}");
    assert_eq!(tree_at(&github, "main").await.0, theirs);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_no_doubt_or_says_so() {
    let server = Server::start().await;
    let base = server.put(REPOSITORY, "main", &tree(&[("a/main.tf", "1")]));
    let github = server.github();
    server.fail("/git/refs/heads/main", Fault::BreakOff);
    let made = commit(&github, "main", &base, &[put("a/main.tf", "2")]).await.unwrap();
    assert_eq!(tree_at(&github, "main").await.0, made, "it was done, and is not done again");
    let moves = |server: &Server| server.calls().iter().filter(|call| call.method == "PATCH").count();
    assert_eq!(moves(&server), 1);

    server.fail("/git/refs/heads/main", Fault::Answer(502, Vec::new(), ""));
    let refusal = commit(&github, "main", &made, &[put("a/main.tf", "3")]).await.unwrap_err();
    assert!(matches!(&refusal, RepoError::Backend(e) if e.kind() == FailureKind::Unavailable), "{refusal:?}");
    assert_eq!((tree_at(&github, "main").await.0, moves(&server)), (made.clone(), 1), "nothing was changed");

    server.fail("/git/refs/heads/main", Fault::Answer(502, Vec::new(), ""));
    server
        .fail("/git/ref/heads/main", Fault::Instead(format!("{{\"object\":{{\"sha\":\"{made}\"}}}}").leak()));
    (0..4).for_each(|_| server.fail("/git/ref/heads/main", Fault::Answer(502, Vec::new(), "")));
    let refusal = commit(&github, "main", &made, &[put("a/main.tf", "4")]).await.unwrap_err();
    let RepoError::Backend(error) = &refusal else { panic!("{refusal:?}") };
    let cause = std::error::Error::source(error).unwrap().to_string();
    assert!(cause.contains("not known"), "{cause}");
}

#[tokio::test]
async fn what_cannot_be_committed_is_refused_by_name() {
    let server = Server::start().await;
    let base = server.put(REPOSITORY, "main", &tree(&[("a/main.tf", "1")]));
    server.put(REPOSITORY, "protected", &tree(&[("a/main.tf", "1")]));
    let github = server.github();
    let protected = tree_at(&github, "protected").await.0;
    let one = [put("a/main.tf", "2")];
    for path in [".git/config", "a/.GIT/hooks/x"] {
        let refusal = commit(&github, "main", &base, &[put(path, "")]).await.unwrap_err();
        assert!(matches!(&refusal, RepoError::UnusablePath { .. }), "{path:?}: {refusal:?}");
    }
    let refusal = commit(&github, "protected", &protected, &one).await.unwrap_err();
    let named = matches!(&refusal, RepoError::Refused { reason, .. } if reason.contains("pull request"));
    assert!(named, "{refusal:?}");
    let endless = server.put("octo/endless", "main", &tree(&[("a/main.tf", "1")]));
    let over = NewCommit { branch: "main", base: &endless, message: "", changes: &one };
    let refusal = github.commit(access("octo/endless", &token()), over).await.unwrap_err();
    assert!(matches!(&refusal, RepoError::TooLarge { .. }), "{refusal:?}");
    for branch in ["nope", "no..pe"] {
        let refusal = commit(&github, branch, &base, &one).await.unwrap_err();
        assert!(matches!(&refusal, RepoError::NoBranch { .. }), "{branch}: {refusal:?}");
    }
    assert_eq!(tree_at(&github, "main").await.0, base);
}

#[tokio::test]
async fn a_pull_request_is_opened_once() {
    let server = Server::start().await;
    let base = server.put(REPOSITORY, "main", &tree(&[("a/main.tf", "1")]));
    let (github, token) = (server.github(), token());
    let repo = access(REPOSITORY, &token);
    server.fail("/git/refs", Fault::BreakOff);
    github.create_branch(repo, "refine/a", &base).await.unwrap();
    github.create_branch(repo, "refine/a", &base).await.unwrap();
    let made = commit(&github, "refine/a", &base, &[put("a/main.tf", "2")]).await.unwrap();
    for (branch, at) in [("refine/a", &base), ("no..pe", &base)] {
        let refusal = github.create_branch(repo, branch, at).await.unwrap_err();
        assert!(matches!(&refusal, RepoError::Refused { .. }), "{branch}: {refusal:?}");
    }
    assert_eq!(tree_at(&github, "refine/a").await.0, made);

    let proposal = Proposal { from: "refine/a", into: "main", title: "Refine a", body: "Because." };
    server.fail("/pulls", Fault::BreakOff);
    let opened = github.propose(repo, &proposal).await.unwrap();
    assert_eq!((opened.number, opened.url.as_str()), (1, "https://github.example.com/pull/1"));
    assert_eq!(github.propose(repo, &proposal).await.unwrap(), opened, "it is open already");
    let writer: &dyn RepoWriter = &github;
    let page = writer.propose(repo, &proposal).await.unwrap();
    assert_eq!(page.as_deref(), Some(opened.url.as_str()), "the one that is open");
    let nowhere = Proposal { from: "nope", ..proposal };
    let refusal = github.propose(repo, &nowhere).await.unwrap_err();
    let named = matches!(&refusal, RepoError::Refused { reason, .. } if reason.contains("not a branch"));
    assert!(named, "{refusal:?}");
}
