//! The parts of the API's answers that are read; everything else in them is ignored.

use chrono::{DateTime, Utc};
use rad_core::repo::Repository;
use rad_core::source::CommitId;
use serde::Deserialize;

use super::repositories::{GitHubRepository, Permissions, Visibility};

#[derive(Debug, Deserialize)]
pub(super) struct WireRepository {
    full_name: String,
    default_branch: Option<String>,
    private: bool,
    visibility: Option<Visibility>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    permissions: Permissions,
    /// In KiB; 0 while a repository is empty, and also while it is very small.
    pub(super) size: Option<u64>,
}

impl From<WireRepository> for GitHubRepository {
    fn from(wire: WireRepository) -> Self {
        let visibility =
            wire.visibility.unwrap_or(if wire.private { Visibility::Private } else { Visibility::Public });
        let repository = Repository {
            name: wire.full_name,
            default_branch: wire.default_branch,
            private: wire.private,
            archived: wire.archived,
            read_only: !wire.permissions.push,
        };
        Self { repository, visibility, permissions: wire.permissions }
    }
}

/// A page of an App's repositories.
#[derive(Debug, Deserialize)]
pub(super) struct InstallationPage {
    pub(super) repositories: Vec<WireRepository>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

/// A branch, with the commit at its tip.
#[derive(Debug, Deserialize)]
pub(super) struct WireBranch {
    pub(super) name: String,
    pub(super) commit: WireCommit,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireCommit {
    pub(super) sha: CommitId,
    commit: Option<CommitDetail>,
}

impl WireCommit {
    pub(super) fn committed_at(&self) -> Option<DateTime<Utc>> {
        self.commit.as_ref()?.committer.as_ref()?.date
    }
}

#[derive(Debug, Deserialize)]
struct CommitDetail {
    committer: Option<Signature>,
}

#[derive(Debug, Deserialize)]
struct Signature {
    date: Option<DateTime<Utc>>,
}

/// An answer of the GraphQL API about a default branch.
#[derive(Debug, Deserialize)]
pub(super) struct GraphAnswer {
    pub(super) data: Option<GraphData>,
    #[serde(default)]
    pub(super) errors: Vec<GraphError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphData {
    pub(super) repository: Option<GraphRepository>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GraphRepository {
    pub(super) default_branch_ref: Option<GraphRef>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphRef {
    pub(super) name: String,
    pub(super) target: GraphTarget,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GraphTarget {
    pub(super) oid: CommitId,
    pub(super) committed_date: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphError {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) message: String,
}
