//! The contract of a source is kept over the API, in as few calls as it takes.

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::conformance::repo::{self, RepoFixture};
use rad_core::repo::{RepoAccess, RepoError, RepoSource, RepoWriter};
use rad_core::source::{CommitId, SourceTree};
use rad_github::github::{ConfigError, GitHub, Patience, Visibility};
use secrecy::SecretString;

use super::server::{Asked, Server, TOKEN, token};
use crate::tree;

struct Fixture {
    server: Server,
    github: GitHub,
    token: Option<SecretString>,
}

#[async_trait]
impl RepoFixture for Fixture {
    fn source(&self) -> &dyn RepoSource {
        &self.github
    }

    fn writer(&self) -> Option<&dyn RepoWriter> {
        self.token.is_some().then_some(&self.github as &dyn RepoWriter)
    }

    fn credential(&self) -> Option<&SecretString> {
        self.token.as_ref()
    }

    async fn create(&self, name: &str) -> String {
        let name = format!("octo/{name}");
        self.server.state.store.create(&name);
        name
    }

    async fn commit(&self, repository: &str, branch: &str, tree: &SourceTree) -> CommitId {
        self.server.put(repository, branch, tree)
    }
}

pub(super) fn access<'a>(repository: &'a str, token: &'a SecretString) -> RepoAccess<'a> {
    RepoAccess { repository, publisher: Publisher::Platform, credential: Some(token) }
}

#[tokio::test]
async fn github_keeps_the_contract() {
    let server = Server::start().await;
    let github = server.github();
    repo::all(&Fixture { server, github, token: Some(token()) }).await;
}

#[tokio::test]
async fn enterprise_without_a_cache_keeps_the_contract_page_by_page() {
    let server = Server::start().await;
    *server.state.page.lock().unwrap() = 1;
    let api = format!("{}/api/v3/", server.address);
    let github = server.builder().api(api).cache_bytes(0).build().unwrap();
    let fixture = Fixture { server, github, token: Some(token()) };
    repo::all(&fixture).await;
    let calls = fixture.server.calls();
    assert!(calls.iter().all(|call| call.path.starts_with("/api/")), "{calls:?}");
}

#[tokio::test]
async fn public_repositories_are_read_without_a_token() {
    let server = Server::start().await;
    let github = server.github();
    let fixture = Fixture { server, github, token: None };
    repo::follows_branches(&fixture).await;
    repo::keeps_trees_of_commits(&fixture).await;
    repo::refuses_what_is_not_there(&fixture).await;
    let refusal = fixture.github.repositories(Publisher::Platform, None).await.unwrap_err();
    assert!(matches!(&refusal, RepoError::Denied { missing } if missing.contains("token")), "{refusal:?}");
}

/// One sync: the head, and its tree.
async fn sync(github: &GitHub, branch: Option<&str>) -> (CommitId, SourceTree) {
    let token = token();
    let repo = access("octo/modules", &token);
    let head = github.head(repo, branch).await.unwrap();
    let tree = github.tree(repo, &head.commit, "").await.unwrap();
    (head.commit, tree)
}

fn paths(calls: &[Asked]) -> Vec<(&str, bool)> {
    calls.iter().map(|call| (call.path.as_str(), call.conditional)).collect()
}

#[tokio::test]
async fn a_sync_is_two_calls_and_one_conditional_call_while_nothing_changed() {
    for branch in [None, Some("main")] {
        let server = Server::start().await;
        let first = tree(&[("a/main.tf", "1")]);
        let commit = server.put("octo/modules", "main", &first);
        let github = server.github();
        assert_eq!(sync(&github, branch).await, (commit.clone(), first.clone()));
        assert_eq!(server.calls().len(), 2, "a source that knows nothing");
        assert_eq!(sync(&github, branch).await.1, first);
        assert_eq!(server.calls().len(), 1, "unchanged");
        for _ in 0..3 {
            assert_eq!(sync(&github, branch).await, (commit.clone(), first.clone()));
            let calls = server.calls();
            assert_eq!(calls.len(), 1, "unchanged: {calls:?}");
            assert!(calls[0].conditional && calls[0].status == 304, "{calls:?}");
        }
        let second = tree(&[("a/main.tf", "2")]);
        let moved = server.put("octo/modules", "main", &second);
        assert_eq!(sync(&github, branch).await, (moved, second));
        let calls = server.calls();
        assert_eq!(calls.len(), 2, "changed: {calls:?}");
        assert!(calls[0].conditional && calls[0].status == 200, "{calls:?}");
    }
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_told_with_some_of_those_that_are() {
    let server = Server::start().await;
    for number in 0..25 {
        server.put("octo/modules", &format!("b{number:02}"), &tree(&[("a/main.tf", "")]));
    }
    let github = server.github();
    let refusal = github.head(access("octo/modules", &token()), Some("nope")).await.unwrap_err();
    let RepoError::NoBranch { known, .. } = &refusal else { panic!("{refusal:?}") };
    assert_eq!((known.len(), known[0].as_str(), known[19].as_str()), (20, "b00", "b19"));
    assert_eq!(server.calls().len(), 2, "one page, not all of them");
    assert_eq!(github.branches(access("octo/modules", &token())).await.unwrap().len(), 25);
}

#[tokio::test]
async fn five_hundred_modules_are_two_calls_as_well() {
    let server = Server::start().await;
    let mut modules = SourceTree::default();
    for number in 0..500 {
        for file in ["main.tf", "variables.tf", "README.md"] {
            let text = format!("# {number}\n{}", "variable \"region\" { default = \"eu\" }\n".repeat(20));
            modules.insert_file(format!("module-{number}/{file}"), text).unwrap();
        }
    }
    let commit = server.put("octo/modules", "main", &modules);
    assert_eq!(sync(&server.github(), None).await, (commit, modules));
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn what_one_token_was_shown_another_is_not() {
    let server = Server::start().await;
    let commit = server.put("octo/modules", "main", &tree(&[("a/main.tf", "1")]));
    let github = server.github();
    sync(&github, None).await;
    server.calls();
    let other: SecretString = "ghp_revoked".into();
    let refusal = github.tree(access("octo/modules", &other), &commit, "").await.unwrap_err();
    assert!(matches!(&refusal, RepoError::Denied { missing } if missing.contains("token")), "{refusal:?}");
    let refusal = github.head(access("octo/modules", &other), None).await.unwrap_err();
    assert!(matches!(refusal, RepoError::Denied { .. }), "{refusal:?}");
    assert!(!format!("{refusal:?}").contains("ghp_"));
    let calls = server.calls();
    assert_eq!(
        calls.iter().map(|call| call.method.as_str()).collect::<Vec<_>>(),
        ["GET", "POST"],
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_list_of_repositories_is_read_page_by_page() {
    let server = Server::start().await;
    *server.state.page.lock().unwrap() = 2;
    for name in ["octo/a", "octo/private", "octo/readonly", "octo/archived"] {
        server.put(name, "main", &tree(&[("a/main.tf", "")]));
    }
    server.put("octo/tiny", "trunk", &tree(&[("a/main.tf", "")]));
    server.state.store.create("octo/empty");
    let (github, token) = (server.github(), token());
    let mut pages = github.repository_pages(Publisher::Platform, Some(&token)).await.unwrap();
    let mut found = pages.next().await.unwrap().unwrap();
    assert_eq!((found.len(), paths(&server.calls()).len()), (2, 1), "a page is fetched when it is asked for");
    while let Some(page) = pages.next().await.unwrap() {
        found.extend(page);
    }
    let by_name = |name: &str| found.iter().find(|found| found.repository.name == name).unwrap();
    assert_eq!(found.len(), 6);
    assert_eq!(by_name("octo/private").visibility, Visibility::Private);
    assert!(by_name("octo/private").repository.private && by_name("octo/archived").repository.archived);
    assert!(by_name("octo/a").permissions.push && !by_name("octo/readonly").permissions.push);
    assert_eq!(
        by_name("octo/tiny").repository.default_branch.as_deref(),
        Some("trunk"),
        "small is not empty"
    );
    assert_eq!(by_name("octo/empty").repository.default_branch, None);
    server.calls();
    let head = github.head(access("octo/tiny", &token), None).await.unwrap();
    assert_eq!(head.branch, "trunk");
    let calls = server.calls();
    assert_eq!(
        paths(&calls),
        [("/repos/octo/tiny/commits?per_page=1", false)],
        "the list told the default branch"
    );
}

#[tokio::test]
async fn one_file_is_read_alone() {
    let server = Server::start().await;
    let files = tree(&[("a/main.tf", "1"), ("read me.md", "é"), ("a/package.json", "{}")]);
    let commit = server.put("octo/modules", "main", &files);
    let (github, token) = (server.github(), token());
    let repo = access("octo/modules", &token);
    let file = async |revision: &str, path: &str| github.file(repo, revision, path).await.unwrap();
    assert_eq!(file("main", "a/main.tf").await.as_deref(), Some(&b"1"[..]));
    assert_eq!(file(commit.as_str(), "./read me.md").await.as_deref(), Some("é".as_bytes()));
    assert_eq!(file("main", "a/package.json").await.as_deref(), Some(&b"{}"[..]));
    assert_eq!(server.calls().len(), 3);
    for missing in ["nope.tf", "a", "", "..", "/etc/passwd", "a/../../x"] {
        assert_eq!(file("main", missing).await, None, "{missing:?}");
    }
    let refusal = github.file(access("octo/nope", &token), "main", "x").await.unwrap_err();
    assert!(matches!(refusal, RepoError::NotFound { .. }), "{refusal:?}");
    let described = github.repository(repo).await.unwrap();
    assert_eq!(described.repository.default_branch.as_deref(), Some("main"));
}

#[tokio::test]
async fn a_token_goes_to_the_api_alone_and_settings_are_checked() {
    let server = Server::start().await;
    server.put("octo/modules", "main", &tree(&[("a/main.tf", "1")]));
    sync(&server.github(), None).await;
    let asked = server.state.asked.lock().unwrap().clone();
    let bearer = format!("Bearer {TOKEN}");
    for asked in &asked {
        let expected = (!asked.path.starts_with("/codeload/")).then_some(bearer.as_str());
        assert_eq!(asked.authorization.as_deref(), expected, "{asked:?}");
    }
    let build = |api: &str| GitHub::builder().api(api).build().unwrap_err();
    assert!(matches!(build("http://github.example.com"), ConfigError::Unencrypted { .. }));
    for wrong in
        ["", "github.com", "https://", "https://me:secret@example.com", "https://example.com/?a=b", "a b"]
    {
        assert!(matches!(build(wrong), ConfigError::Api { .. }), "{wrong:?}");
    }
    let none = Patience { attempts: 0, ..Patience::default() };
    let refusal = GitHub::builder().patience(none).build().unwrap_err();
    assert!(refusal.to_string().contains("attempts"), "{refusal}");
    let outside = std::thread::spawn(|| GitHub::builder().build().unwrap_err()).join().unwrap();
    assert!(matches!(outside, ConfigError::NoRuntime));
}
