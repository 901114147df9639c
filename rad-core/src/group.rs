//! Groups of people that modules trust by name.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::access::Publisher;
use crate::error::BackendError;

/// The name of a group, together with whose group it is: two publishers may each have a group of one name.
///
/// ```
/// use rad_core::access::Publisher;
/// use rad_core::group::GroupName;
///
/// let name = GroupName::new(Publisher::Platform, " Team@Example.com ");
/// assert_eq!(name.name(), "team@example.com");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupName {
    owner: Publisher,
    name: String,
}

impl GroupName {
    /// The name as it is compared: without white space around it, in lower case.
    pub fn new(owner: Publisher, name: &str) -> Self {
        Self { owner, name: name.trim().to_lowercase() }
    }

    /// Whose group it is.
    pub const fn owner(&self) -> Publisher {
        self.owner
    }

    /// The name, as modules write it in `trusted_groups`, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A group of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// The members' e-mails, [normalised](crate::directory::normalise_email); they need not have accounts yet.
    pub members: BTreeSet<String>,
}

impl Group {
    /// The longest name, in bytes.
    pub const LONGEST_NAME: usize = 254;
    /// The most members of one group.
    pub const MOST_MEMBERS: usize = 1_000;
    /// The most groups of one owner.
    pub const MOST: usize = 200;
}

/// The most groups that one e-mail is told to be in.
pub const MOST_MEMBERSHIPS: usize = 1_000;

/// Stores groups.
///
/// # Contract
/// - A group is replaced whole: nobody sees a part of its new members.
/// - Of an e-mail in more than [`MOST_MEMBERSHIPS`] groups, those of the platform count first.
#[async_trait]
pub trait GroupStore: Send + Sync + fmt::Debug {
    /// The groups of an owner, in the order of their names.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn groups(&self, owner: Publisher) -> Result<Vec<Group>, BackendError>;

    /// Keeps a group in place of the one of that name, if there is one.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn save_group(&self, group: &Group) -> Result<(), BackendError>;

    /// Removes a group; one that is not there is no error.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn remove_group(&self, name: &GroupName) -> Result<(), BackendError>;

    /// The groups that an e-mail, normalised, is a member of.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn groups_of(&self, email: &str) -> Result<BTreeSet<GroupName>, BackendError>;
}
