//! Groups that a publisher's modules trust: the platform's, which admins look after, and each partner's own.

use std::collections::BTreeSet;

use super::{Actor, PlatformError};
use crate::directory::{DirectoryError, normalise_email};
use crate::group::{Group, GroupName};

impl Actor {
    /// The groups that the account looks after: the platform's for an admin, its own for a partner.
    ///
    /// A module that names a group in `trusted_groups` is shown to the members of the group its publisher has by that name, and
    /// of the platform's group by that name.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn groups(&self) -> Result<Vec<Group>, PlatformError> {
        Ok(self.parts.groups.groups(self.publishes_as()?).await?)
    }

    /// Keeps a group with exactly these members, in place of the one of that name if there is one.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish; [`Invalid`](PlatformError::Invalid) for a name that is empty or longer than 254
    /// bytes, an e-mail that is none, more than 1,000 members or more than 200 groups.
    pub async fn save_group(
        &self,
        name: &str,
        members: impl IntoIterator<Item = &str>,
    ) -> Result<Group, PlatformError> {
        let name = GroupName::new(self.publishes_as()?, name);
        if name.name().is_empty() || name.name().len() > Group::LONGEST_NAME {
            return Err(invalid("name", format!("a group's name has 1 to {} bytes", Group::LONGEST_NAME)));
        }
        let members: BTreeSet<String> = members.into_iter().map(member).collect::<Result<_, _>>()?;
        if members.len() > Group::MOST_MEMBERS {
            let reason =
                format!("{} are too many: a group has at most {}", members.len(), Group::MOST_MEMBERS);
            return Err(invalid("members", reason));
        }
        let groups = self.parts.groups.groups(name.owner()).await?;
        if groups.len() >= Group::MOST && groups.iter().all(|group| group.name != name) {
            return Err(invalid("name", format!("there are {} groups: remove one first", groups.len())));
        }
        let group = Group { name, members };
        self.parts.groups.save_group(&group).await?;
        Ok(group)
    }

    /// Removes a group: modules that name it are no longer shown to its members.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn remove_group(&self, name: &str) -> Result<(), PlatformError> {
        Ok(self.parts.groups.remove_group(&GroupName::new(self.publishes_as()?, name)).await?)
    }
}

fn member(email: &str) -> Result<String, PlatformError> {
    normalise_email(email).map_err(|error| match error {
        error @ DirectoryError::InvalidEmail { .. } => invalid("members", error.to_string()),
        error => error.into(),
    })
}

fn invalid(field: &'static str, reason: String) -> PlatformError {
    PlatformError::Invalid { field, reason }
}
