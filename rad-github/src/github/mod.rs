//! Modules from GitHub and GitHub Enterprise, over [octocrab](https://docs.rs/octocrab).

mod app;
mod archive;
pub(crate) mod ask;
mod breaker;
mod change;
mod config;
mod download;
pub(crate) mod failure;
mod heads;
mod memory;
pub(crate) mod name;
mod rate;
mod repositories;
mod source;
mod token;
pub(crate) mod transport;
mod webhook;
mod wire;

pub use app::{AppInstallation, AppKeyError};
pub use archive::{ArchiveError, ArchiveLimits, read_archive};
pub use change::PullRequest;
pub use config::{ConfigError, GitHubBuilder, Patience};
pub use repositories::{GitHubRepository, Permissions, RepositoryPages, Visibility};
pub use source::GitHub;
pub use token::{TokenKind, TokenReport};
pub use webhook::{
    Delivery, LARGEST_DELIVERY, Push, RepositoryAction, RepositoryChange, WebhookError, WebhookEvent,
};
