//! Branches and their heads.

use chrono::TimeDelta;
use http::Method;
use rad_core::error::BackendError;
use rad_core::repo::{Head, RepoError};
use serde_json::json;

use super::ask::{Answer, Ask};
use super::failure::ApiError;
use super::memory::KnownHead;
use super::name::{encoded, is_branch};
use super::rate;
use super::repositories::next_page;
use super::source::{At, GitHub};
use super::wire::{GraphAnswer, Named, WireBranch, WireCommit};

/// Pages of 100 branches that are read at the most.
const BRANCH_PAGES: usize = 100;
/// Asks for the default branch and its head in one call, which the REST API cannot tell together.
const DEFAULT_HEAD: &str = "query($owner:String!,$name:String!){repository(owner:$owner,name:$name){defaultBranchRef{name \
     target{oid ... on Commit{committedDate}}}}}";

impl GitHub {
    /// The names of the branches, in order.
    pub(super) async fn branch_names(&self, at: &At<'_>) -> Result<Vec<String>, RepoError> {
        let mut path = at.path("/branches?per_page=100");
        let mut names = Vec::new();
        for _ in 0..BRANCH_PAGES {
            let answer = self.ask(at, &Ask::get(path)).await?;
            let page: Vec<Named> = answer.json().map_err(|e| e.about(at.name.full))?;
            names.extend(page.into_iter().map(|branch| branch.name));
            match next_page(self, &answer).map_err(|e| e.about(at.name.full))? {
                Some(next) => path = next,
                None => {
                    names.sort();
                    names.dedup();
                    return Ok(names);
                }
            }
        }
        let what = "the number of branches".to_owned();
        Err(RepoError::TooLarge { what, limit: BRANCH_PAGES as u64 * 100 })
    }

    /// The head of a branch that was asked for by name.
    pub(super) async fn named_head(&self, at: &At<'_>, branch: &str) -> Result<Head, RepoError> {
        if !is_branch(branch) {
            return Err(self.no_branch(at, branch).await);
        }
        let path = at.path(&format!("/branches/{}", encoded(branch)));
        let read = |answer: &Answer| {
            let found: WireBranch = answer.json()?;
            let committed_at = found.commit.committed_at();
            Ok(Head { branch: found.name, commit: found.commit.sha, committed_at })
        };
        match self.known_or_new_head(at, Some(branch), path, read).await {
            Err(RepoError::NotFound { .. }) => Err(self.no_branch(at, branch).await),
            other => other,
        }
    }

    /// The head of the default branch.
    pub(super) async fn default_head(&self, at: &At<'_>) -> Result<Head, RepoError> {
        let now = self.inner.transport.now();
        let seen = at.seen();
        if let Some(branch) = self.inner.memory.default_branch(&seen, now) {
            let read = |answer: &Answer| {
                let newest = answer.json::<Vec<WireCommit>>()?.into_iter().next();
                let newest =
                    newest.ok_or_else(|| ApiError::Unreadable("a branch without a commit".into()))?;
                let committed_at = newest.committed_at();
                Ok(Head { branch: branch.clone(), commit: newest.sha, committed_at })
            };
            return self.known_or_new_head(at, None, at.path("/commits?per_page=1"), read).await;
        }
        if at.who.is_anonymous() {
            // Only the GraphQL API tells the name together with the head, and it is not for everybody.
            let branch = self.described(at).await?.repository.default_branch;
            let empty = || RepoError::Empty { repository: at.name.full.to_owned() };
            return self.named_head(at, &branch.ok_or_else(empty)?).await;
        }
        let head = self.asked_default_head(at).await?;
        self.inner.memory.learn_default(&seen, &head.branch, now);
        self.inner.memory.learn_head(&seen, None, KnownHead { head: head.clone(), etag: None }, now);
        Ok(head)
    }

    /// Asks what the default branch is and where it stands.
    async fn asked_default_head(&self, at: &At<'_>) -> Result<Head, RepoError> {
        let about = |e: ApiError| e.about(at.name.full);
        let variables = json!({ "owner": at.name.owner, "name": at.name.name });
        let question = json!({ "query": DEFAULT_HEAD, "variables": variables });
        let path = self.inner.transport.api.graphql();
        let ask = Ask::write(Method::POST, path, &question).map_err(about)?.repeatable();
        let answer = self.ask(at, &ask.at_origin()).await?;
        let read: GraphAnswer = answer.json().map_err(about)?;
        if let Some(found) = read.data.and_then(|data| data.repository) {
            let empty = || RepoError::Empty { repository: at.name.full.to_owned() };
            let branch = found.default_branch_ref.ok_or_else(empty)?;
            let (commit, committed_at) = (branch.target.oid, branch.target.committed_date);
            return Ok(Head { branch: branch.name, commit, committed_at });
        }
        self.inner.memory.forget(&at.seen());
        Err(match read.errors.into_iter().next() {
            Some(error) if error.kind == "RATE_LIMITED" => {
                let until = rate::reset(&answer.headers);
                let until = until.unwrap_or(self.inner.transport.now() + TimeDelta::minutes(1));
                about(self.inner.transport.limit(&at.who, until))
            }
            Some(error) if error.kind == "FORBIDDEN" => {
                RepoError::Denied { missing: format!("GitHub refuses: {}", error.message) }
            }
            Some(error) if error.kind != "NOT_FOUND" => {
                BackendError::permanent("asking GitHub", error.message).into()
            }
            _ => RepoError::NotFound { repository: at.name.full.to_owned() },
        })
    }

    /// The head that `path` tells, or the one known before if GitHub says that it did not change.
    async fn known_or_new_head(
        &self,
        at: &At<'_>,
        branch: Option<&str>,
        path: String,
        read: impl Fn(&Answer) -> Result<Head, ApiError>,
    ) -> Result<Head, RepoError> {
        let seen = at.seen();
        let known = self.inner.memory.head(&seen, branch);
        let ask = Ask::get(path).unless(known.as_ref().and_then(|known| known.etag.clone()));
        let answer = self.ask(at, &ask).await?;
        let fresh = match known {
            Some(known) if answer.is_unchanged() => known,
            _ => KnownHead { head: read(&answer).map_err(|e| e.about(at.name.full))?, etag: answer.etag() },
        };
        let head = fresh.head.clone();
        self.inner.memory.learn_head(&seen, branch, fresh, self.inner.transport.now());
        Ok(head)
    }

    /// Why there is no such branch: names some of those there are.
    pub(super) async fn no_branch(&self, at: &At<'_>, branch: &str) -> RepoError {
        let path = at.path(&format!("/branches?per_page={}", RepoError::MOST_BRANCHES));
        match self.json::<Vec<Named>>(at, &Ask::get(path)).await {
            Err(error) => error,
            Ok(some) => {
                RepoError::no_branch(at.name.full, branch, some.into_iter().map(|branch| branch.name))
            }
        }
    }
}
