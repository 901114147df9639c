//! Groups that modules trust, in either database.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::group::{Group, GroupName, GroupStore, MOST_MEMBERSHIPS};
use rad_sql::{Database, sql};

/// A [`GroupStore`] in a SQLite file or a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct SqlGroups {
    database: Database,
}

impl SqlGroups {
    /// The groups in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl GroupStore for SqlGroups {
    async fn groups(&self, owner: Publisher) -> Result<Vec<Group>, BackendError> {
        let list = sql("SELECT g.name, m.email FROM catalog_groups g
             LEFT JOIN catalog_group_members m ON m.owner = g.owner AND m.name = g.name
             WHERE g.owner = $1");
        let mut groups: BTreeMap<GroupName, BTreeSet<String>> = BTreeMap::new();
        for row in list.bind(owner).rows(&self.database, "listing groups").await? {
            let name = GroupName::new(owner, &row.get::<String>("name")?);
            groups.entry(name).or_default().extend(row.get::<Option<String>>("email")?);
        }
        Ok(groups.into_iter().map(|(name, members)| Group { name, members }).collect())
    }

    async fn save_group(&self, group: &Group) -> Result<(), BackendError> {
        const SAVING: &str = "keeping a group";
        let (owner, name) = (group.name.owner(), group.name.name());
        let mut transaction = self.database.begin().await?;
        sql("INSERT INTO catalog_groups (owner, name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(owner)
            .bind(name)
            .execute(&mut transaction, SAVING)
            .await?;
        // Of two who save the same group one waits for the other.
        let mine = sql("SELECT 1 FROM catalog_groups WHERE owner = $1 AND name = $2").for_update();
        mine.bind(owner).bind(name).rows(&mut transaction, SAVING).await?;
        let clear = sql("DELETE FROM catalog_group_members WHERE owner = $1 AND name = $2");
        clear.bind(owner).bind(name).execute(&mut transaction, SAVING).await?;
        for email in &group.members {
            sql("INSERT INTO catalog_group_members (owner, name, email) VALUES ($1, $2, $3)")
                .bind(owner)
                .bind(name)
                .bind(email)
                .execute(&mut transaction, SAVING)
                .await?;
        }
        transaction.commit(SAVING).await
    }

    async fn remove_group(&self, name: &GroupName) -> Result<(), BackendError> {
        let remove = sql("DELETE FROM catalog_groups WHERE owner = $1 AND name = $2");
        remove.bind(name.owner()).bind(name.name()).execute(&self.database, "removing a group").await?;
        Ok(())
    }

    async fn groups_of(&self, email: &str) -> Result<BTreeSet<GroupName>, BackendError> {
        // The platform is stored as no bytes at all, which come first.
        let mut list = sql("SELECT owner, name FROM catalog_group_members WHERE email = ");
        list.push_bind(email).push(" ORDER BY owner, name LIMIT ").push_bind(MOST_MEMBERSHIPS as u64);
        let rows = list.rows(&self.database, "reading the groups of somebody").await?;
        let name = |row: &rad_sql::Row| Ok(GroupName::new(row.get("owner")?, &row.get::<String>("name")?));
        rows.iter().map(name).collect()
    }
}
