//! Tokens of publishers: checked before they are kept, used for their own repositories alone, and never shown.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use rad_core::access::{Publisher, Role};
use rad_core::id::AccountId;
use rad_core::memory::{
    MemoryArchive, MemoryCatalog, MemoryCredentials, MemoryDeployments, MemoryDirectory, MemoryLedger,
    MemoryNotifier, MemoryOrders, MemoryRepos, MemorySettings, ScriptedRunner,
};
use rad_core::platform::{Platform, PlatformBuilder, PlatformError};
use rad_core::repo::{CredentialReport, Head, RepoAccess, RepoConnection, RepoError, RepoSource, Repository};
use rad_core::source::{CommitId, SourceTree};
use secrecy::{ExposeSecret as _, SecretString};

use super::market::person;

/// Repositories that each open to the token `of-` and their name alone, some of them only to read.
#[derive(Debug, Default)]
struct Locked(MemoryRepos, &'static [&'static str]);

fn open(repository: &str, token: Option<&SecretString>) -> Result<(), RepoError> {
    let right = token.is_some_and(|token| token.expose_secret() == format!("of-{repository}"));
    if right { Ok(()) } else { Err(RepoError::Denied { missing: format!("the key of {repository}") }) }
}

#[async_trait]
impl RepoSource for Locked {
    async fn repositories(
        &self,
        publisher: Publisher,
        token: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError> {
        let mut all = self.0.repositories(publisher, None).await?;
        all.retain(|repository| open(&repository.name, token).is_ok());
        Ok(all)
    }

    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        open(repo.repository, repo.credential)?;
        if self.1.contains(&repo.repository) {
            return Err(RepoError::Denied { missing: format!("writing to {}", repo.repository) });
        }
        Ok(())
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        open(repo.repository, repo.credential)?;
        self.0.branches(repo).await
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        open(repo.repository, repo.credential)?;
        self.0.head(repo, branch).await
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        open(repo.repository, repo.credential)?;
        self.0.tree(repo, commit, sub_dir).await
    }

    async fn check(
        &self,
        token: &SecretString,
        repository: Option<&str>,
    ) -> Result<CredentialReport, RepoError> {
        let owner = token.expose_secret().strip_prefix("of-");
        let denied = || RepoError::Denied { missing: "a token that begins with of-".to_owned() };
        let owner = owner.ok_or_else(denied)?.to_owned();
        repository.map_or(Ok(()), |repository| open(repository, Some(token)))?;
        Ok(CredentialReport { owner, expires_at: None })
    }
}

/// A platform over `repos` with an admin, two partners and a user.
async fn platform(repos: Arc<dyn RepoSource>, keeps_tokens: bool) -> (Platform, [AccountId; 4]) {
    let mut builder: PlatformBuilder = Platform::builder()
        .directory(Arc::new(MemoryDirectory::default()))
        .settings(Arc::new(MemorySettings::default()))
        .repos(repos)
        .catalog(Arc::new(MemoryCatalog::default()))
        .archive(Arc::new(MemoryArchive::default()))
        .deployments(Arc::new(MemoryDeployments::new()))
        .runner(Arc::new(ScriptedRunner::new()))
        .ledger(Arc::new(MemoryLedger::default()))
        .orders(Arc::new(MemoryOrders::default()))
        .notifier(Arc::new(MemoryNotifier::new()));
    if keeps_tokens {
        builder = builder.credentials(Arc::new(MemoryCredentials::default()));
    }
    let platform = builder.build().unwrap();
    let admin = platform.operations().found(person("admin", [])).await.unwrap().id;
    let boss = platform.actor(admin).await.unwrap();
    let one = boss.create_account(person("one", [Role::Partner])).await.unwrap().id;
    let two = boss.create_account(person("two", [Role::Partner])).await.unwrap().id;
    let user = boss.create_account(person("user", [Role::User])).await.unwrap().id;
    (platform, [admin, one, two, user])
}

fn connection(repository: &str) -> RepoConnection {
    RepoConnection { repository: repository.to_owned(), branch: None, sub_dir: String::new() }
}

fn missing<T: std::fmt::Debug>(result: Result<T, PlatformError>) -> String {
    match result.unwrap_err() {
        PlatformError::Repo(RepoError::Denied { missing }) => missing,
        other => panic!("a refused token, not {other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_checked_kept_and_opens_its_own_repositories_alone() {
    let repos = Locked::default();
    for name in ["red", "blue"] {
        let mut tree = SourceTree::default();
        tree.insert_file("module/main.tf", "").unwrap();
        repos.0.commit(name, "main", tree, Utc::now()).unwrap();
    }
    let (platform, [admin, one, two, user]) = platform(Arc::new(repos), true).await;
    let actor = async |id| platform.actor(id).await.unwrap();
    let (one, two) = (actor(one).await, actor(two).await);
    assert!(missing(one.connect(Some(connection("red"))).await).contains("red"), "there is no token yet");
    assert!(missing(one.save_token(&"wrong".into()).await).contains("begins with"));
    assert!(!one.has_token().await.unwrap(), "a refused token is not kept");

    assert_eq!(one.save_token(&"of-red".into()).await.unwrap().owner, "red");
    let listed = one.repositories().await.unwrap();
    assert_eq!(listed.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["red"]);
    one.connect(Some(connection("red"))).await.unwrap();
    assert_eq!(one.module_grid().await.unwrap().entries.len(), 1);
    assert!(
        missing(one.save_token(&"of-blue".into()).await).contains("red"),
        "it does not open what is connected"
    );
    assert_eq!(one.module_grid().await.unwrap().entries.len(), 1, "the one before stays");

    assert!(
        missing(two.connect(Some(connection("red"))).await).contains("red"),
        "another's token is not used"
    );
    assert_eq!(actor(admin).await.repositories().await.unwrap(), [], "nor for the platform");
    assert!(matches!(
        actor(user).await.save_token(&"of-red".into()).await,
        Err(PlatformError::Forbidden { .. })
    ));
    assert!(!format!("{one:?} {platform:?}").contains("of-red"));

    one.forget_token().await.unwrap();
    assert!(!one.has_token().await.unwrap());
    assert!(missing(one.module_grid().await).contains("red"));
}

#[tokio::test]
async fn a_platform_without_a_place_for_tokens_says_so() {
    let (platform, [_, one, ..]) = platform(Arc::new(MemoryRepos::default()), false).await;
    let one = platform.actor(one).await.unwrap();
    let refusal = one.save_token(&"of-red".into()).await.unwrap_err();
    assert!(matches!(refusal, PlatformError::Invalid { field: "token", .. }), "{refusal:?}");
    assert!(!one.has_token().await.unwrap());
    let refusal = MemoryRepos::default().check(&"of-red".into(), None).await.unwrap_err();
    assert!(
        matches!(refusal, RepoError::Denied { .. }),
        "a source that asks for none takes none: {refusal:?}"
    );
}

#[tokio::test]
async fn branches_are_listed_with_the_default_one_first() {
    let repos = Arc::new(MemoryRepos::default());
    let mut tree = SourceTree::default();
    tree.insert_file("module/main.tf", "").unwrap();
    for branch in ["main", "develop", "release"] {
        repos.commit("red", branch, tree.clone(), Utc::now()).unwrap();
    }
    repos.create("blank");
    let (platform, [_, one, _, user]) = platform(repos, true).await;
    let one = platform.actor(one).await.unwrap();
    assert_eq!(one.branches("red").await.unwrap(), ["main", "develop", "release"]);
    assert!(one.branches("blank").await.unwrap().is_empty());
    assert!(matches!(one.branches("no").await, Err(PlatformError::Repo(RepoError::NotFound { .. }))));
    let user = platform.actor(user).await.unwrap();
    assert!(matches!(user.branches("red").await, Err(PlatformError::Forbidden { .. })));
}

#[tokio::test]
async fn what_may_only_be_read_is_nobodys_to_publish_from() {
    let repos = Locked(MemoryRepos::default(), &["theirs"]);
    let mut tree = SourceTree::default();
    tree.insert_file("module/main.tf", "").unwrap();
    repos.0.commit("theirs", "main", tree, Utc::now()).unwrap();
    let (platform, [_, one, ..]) = platform(Arc::new(repos), true).await;
    let one = platform.actor(one).await.unwrap();
    one.save_token(&"of-theirs".into()).await.unwrap();
    assert_eq!(one.branches("theirs").await.unwrap(), ["main"], "it can be read");
    assert!(missing(one.connect(Some(connection("theirs"))).await).contains("writing to theirs"));
    assert_eq!(one.connection().await.unwrap(), None);
}
