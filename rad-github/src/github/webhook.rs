//! Webhooks: what GitHub tells about a repository, believed only with its signature.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rad_core::source::{CommitId, Digest};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

/// Bytes of a delivery at the most: a push of 2,048 commits stays below. A server can refuse more before it reads it.
pub const LARGEST_DELIVERY: usize = 5 << 20;
/// The shortest secret that is taken.
const SHORTEST_SECRET: usize = 16;

/// A delivery of GitHub's webhooks as it came in.
///
/// ```
/// use rad_github::github::{Delivery, WebhookError};
/// use secrecy::SecretString;
///
/// let delivery = Delivery {
///     event: "push",       // X-GitHub-Event
///     id: "72d3162e",      // X-GitHub-Delivery
///     signature: "sha256=", // X-Hub-Signature-256
///     body: b"{}",
/// };
/// let secrets = [SecretString::from("It's a secret to everybody")];
/// assert_eq!(delivery.read(&secrets), Err(WebhookError::Signature));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The header `X-GitHub-Event`.
    pub event: &'a str,
    /// The header `X-GitHub-Delivery`.
    pub id: &'a str,
    /// The header `X-Hub-Signature-256`.
    pub signature: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// What a delivery tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookEvent {
    /// A branch moved, appeared or went.
    Push(Push),
    /// A repository itself changed.
    Repository(RepositoryChange),
    /// Something else, which is only acknowledged.
    Other {
        /// Its kind.
        event: String,
    },
}

/// A branch that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// `owner/name`.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// Whether it is the repository's default branch.
    pub is_default: bool,
    /// Where it was; `None` if it is new.
    pub before: Option<CommitId>,
    /// Where it is; `None` if it is gone.
    pub after: Option<CommitId>,
}

/// A repository that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryChange {
    /// `owner/name` as it is now.
    pub repository: String,
    /// What happened.
    pub action: RepositoryAction,
}

/// What happened to a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepositoryAction {
    /// It is gone.
    Deleted,
    /// It takes no more commits.
    Archived,
    /// It takes commits again.
    Unarchived,
    /// Everybody may read it.
    Publicized,
    /// Only some may read it.
    Privatized,
    /// It has another name or owner.
    Renamed {
        /// `owner/name` as it was.
        from: String,
    },
    /// Another branch is its default.
    DefaultBranch {
        /// The branch.
        branch: String,
    },
    /// Something that changes nothing for who reads it.
    Other {
        /// GitHub's word for it.
        action: String,
    },
}

/// A delivery that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It is not signed with a secret that is known.
    #[error("the signature is not right: set the same secret here and in the webhook's settings on GitHub")]
    Signature,
    /// It is too long.
    #[error("the delivery has {size} bytes, and the limit is {LARGEST_DELIVERY}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// It is signed, and not what GitHub sends.
    #[error("the delivery cannot be read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// A secret that could be guessed.
    #[error(
        "a webhook's secret has at least {SHORTEST_SECRET} characters: make one with `openssl rand -hex 32`"
    )]
    WeakSecret,
}

impl Delivery<'_> {
    /// What the delivery tells, if it is signed with any of these secrets: several while one replaces another.
    ///
    /// # Errors
    /// [`WebhookError`]; nothing of what is not signed is read.
    pub fn read(self, secrets: &[SecretString]) -> Result<WebhookEvent, WebhookError> {
        let size = self.body.len();
        if size > LARGEST_DELIVERY {
            return Err(WebhookError::TooLarge { size });
        }
        if secrets.iter().any(|secret| secret.expose_secret().len() < SHORTEST_SECRET) {
            return Err(WebhookError::WeakSecret);
        }
        if !self.is_signed(secrets) {
            return Err(WebhookError::Signature);
        }
        if self.id.is_empty() {
            let reason = "it has no X-GitHub-Delivery, by which a repeated one is known".to_owned();
            return Err(WebhookError::Malformed { reason });
        }
        match self.event {
            "push" => push(json(self.body)?),
            "repository" => Ok(WebhookEvent::Repository(change(json(self.body)?))),
            event => Ok(WebhookEvent::Other { event: event.chars().take(60).collect() }),
        }
    }

    /// What a signed delivery is known again by: its id, and its signature, which stands for its body. The signature does not
    /// cover the id, so that either tells that a delivery came before.
    pub fn keys(self) -> [Digest; 2] {
        let signature = self.signature.to_ascii_lowercase();
        let of = |kind: &str, text: &str| Digest::of(format!("github {kind}:{text}").as_bytes());
        [of("id", self.id), of("signature", &signature)]
    }

    /// Compares with every secret, in a time that tells nothing of either.
    fn is_signed(self, secrets: &[SecretString]) -> bool {
        let Some(signature) = self.signature.strip_prefix("sha256=") else { return false };
        let Ok(signature) = signature.parse::<Digest>() else { return false };
        secrets.iter().fold(false, |signed, secret| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes());
            let right =
                mac.is_ok_and(|mac| mac.chain_update(self.body).verify_slice(signature.as_bytes()).is_ok());
            signed | right
        })
    }
}

#[derive(Deserialize)]
struct WirePush {
    r#ref: String,
    before: Option<String>,
    after: Option<String>,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    deleted: bool,
    repository: WireRepository,
}

#[derive(Deserialize)]
struct WireRepository {
    full_name: String,
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct WireChange {
    action: String,
    repository: WireRepository,
    #[serde(default)]
    changes: serde_json::Value,
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WebhookError> {
    serde_json::from_slice(body).map_err(|error| {
        let reason = if body.starts_with(b"payload=") {
            "it is form data: choose the content type application/json in the webhook's settings".to_owned()
        } else {
            error.to_string()
        };
        WebhookError::Malformed { reason }
    })
}

fn push(wire: WirePush) -> Result<WebhookEvent, WebhookError> {
    // Tags are pushed too.
    let Some(branch) = wire.r#ref.strip_prefix("refs/heads/") else {
        return Ok(WebhookEvent::Other { event: "push".to_owned() });
    };
    let commit = |text: Option<String>, absent: bool| match text.filter(|_| !absent) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| WebhookError::Malformed {
            reason: "a commit in it is not 40 or 64 hexadecimal digits".to_owned(),
        }),
    };
    Ok(WebhookEvent::Push(Push {
        branch: branch.to_owned(),
        is_default: wire.repository.default_branch.as_deref() == Some(branch),
        before: commit(wire.before, wire.created)?,
        after: commit(wire.after, wire.deleted)?,
        repository: wire.repository.full_name,
    }))
}

fn change(wire: WireChange) -> RepositoryChange {
    let repository = wire.repository.full_name;
    let former = |pointer: &str| wire.changes.pointer(pointer)?.as_str().map(str::to_owned);
    let (owner, name) = repository.split_once('/').unwrap_or(("", &repository));
    let action = match wire.action.as_str() {
        "deleted" => RepositoryAction::Deleted,
        "archived" => RepositoryAction::Archived,
        "unarchived" => RepositoryAction::Unarchived,
        "publicized" => RepositoryAction::Publicized,
        "privatized" => RepositoryAction::Privatized,
        "renamed" => match former("/repository/name/from") {
            Some(from) => RepositoryAction::Renamed { from: format!("{owner}/{from}") },
            None => RepositoryAction::Other { action: wire.action },
        },
        "transferred" => {
            let from = former("/owner/from/user/login").or_else(|| former("/owner/from/organization/login"));
            match from {
                Some(from) => RepositoryAction::Renamed { from: format!("{from}/{name}") },
                None => RepositoryAction::Other { action: wire.action },
            }
        }
        "edited" => match (former("/default_branch/from"), wire.repository.default_branch) {
            (Some(_), Some(branch)) => RepositoryAction::DefaultBranch { branch },
            _ => RepositoryAction::Other { action: wire.action },
        },
        _ => RepositoryAction::Other { action: wire.action.chars().take(60).collect() },
    };
    RepositoryChange { repository, action }
}
