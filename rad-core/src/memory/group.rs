//! Groups in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::access::Publisher;
use crate::error::BackendError;
use crate::group::{Group, GroupName, GroupStore, MOST_MEMBERSHIPS};

/// A [`GroupStore`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryGroups {
    groups: Mutex<BTreeMap<GroupName, BTreeSet<String>>>,
}

impl MemoryGroups {
    fn groups(&self) -> MutexGuard<'_, BTreeMap<GroupName, BTreeSet<String>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl GroupStore for MemoryGroups {
    async fn groups(&self, owner: Publisher) -> Result<Vec<Group>, BackendError> {
        let groups = MemoryGroups::groups(self);
        let own = groups.iter().filter(|(name, _)| name.owner() == owner);
        Ok(own.map(|(name, members)| Group { name: name.clone(), members: members.clone() }).collect())
    }

    async fn save_group(&self, group: &Group) -> Result<(), BackendError> {
        MemoryGroups::groups(self).insert(group.name.clone(), group.members.clone());
        Ok(())
    }

    async fn remove_group(&self, name: &GroupName) -> Result<(), BackendError> {
        MemoryGroups::groups(self).remove(name);
        Ok(())
    }

    async fn groups_of(&self, email: &str) -> Result<BTreeSet<GroupName>, BackendError> {
        let groups = MemoryGroups::groups(self);
        // Names of the platform's groups come first.
        let of = groups.iter().filter(|(_, members)| members.contains(email)).map(|(name, _)| name.clone());
        Ok(of.take(MOST_MEMBERSHIPS).collect())
    }
}
