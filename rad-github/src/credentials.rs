//! Tokens and keys of publishers, sealed, in either database.

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::credential::{CredentialKind, CredentialStore};
use rad_core::error::BackendError;
use rad_core::seal::Keyring;
use rad_sql::{Database, Row, sql};
use secrecy::{ExposeSecret as _, SecretString};

const SAVING: &str = "saving a credential";

/// A [`CredentialStore`] in a SQLite file or a PostgreSQL database; the keys that open it are not in there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::access::Publisher;
/// use rad_core::credential::{CredentialKind, CredentialStore as _};
/// use rad_core::seal::Keyring;
/// use rad_github::SqlCredentials;
///
/// # let directory = tempfile::tempdir()?;
/// # let (path, key) = (directory.path().join("rad.db"), directory.path().join("rad.key"));
/// let database = rad_sql::sqlite::open(&path).await?.into();
/// rad_github::migrate(&database).await?;
/// let store = SqlCredentials::new(database, Keyring::from_file(&key)?);
/// store.set_credential(Publisher::Platform, CredentialKind::Repository, Some(&"ghp_…".into())).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqlCredentials {
    database: Database,
    keys: Keyring,
}

impl SqlCredentials {
    /// The credentials in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>, keys: Keyring) -> Self {
        Self { database: database.into(), keys }
    }

    /// Seals what older keys sealed with the first key of the ring, and tells how much that was. Afterwards the older keys
    /// can be put away.
    ///
    /// # Errors
    /// [`Corrupt`](rad_core::error::FailureKind::Corrupt) for what no key opens, or a failure of the database.
    pub async fn reseal(&self) -> Result<u64, BackendError> {
        let list = sql("SELECT publisher, kind, sealed FROM catalog_credentials");
        let mut sealed_anew = 0;
        for row in list.rows(&self.database, "reading credentials").await? {
            let (publisher, kind): (Publisher, String) = (row.get("publisher")?, row.get("kind")?);
            let old: Vec<u8> = row.get("sealed")?;
            let Some(new) = self.keys.resealed(&place(publisher, &kind), &old)? else { continue };
            // One that was saved meanwhile is sealed with the first key already.
            let update = sql(
                "UPDATE catalog_credentials SET sealed = $1 WHERE publisher = $2 AND kind = $3 AND sealed = $4",
            );
            let update = update.bind(new).bind(publisher).bind(kind).bind(old);
            sealed_anew += update.execute(&self.database, "sealing credentials anew").await?;
        }
        Ok(sealed_anew)
    }

    fn sealed(
        &self,
        publisher: Publisher,
        kind: &str,
        credential: &SecretString,
    ) -> Result<Vec<u8>, BackendError> {
        self.keys.seal(&place(publisher, kind), credential.expose_secret().as_bytes())
    }

    fn unsealed(&self, publisher: Publisher, kind: &str, row: &Row) -> Result<SecretString, BackendError> {
        let sealed: Vec<u8> = row.get("sealed")?;
        let plain = self.keys.unseal(&place(publisher, kind), &sealed)?;
        let text = String::from_utf8(plain)
            .map_err(|_| BackendError::corrupt("reading a credential", "it is no text"))?;
        Ok(text.into())
    }
}

#[async_trait]
impl CredentialStore for SqlCredentials {
    async fn credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
    ) -> Result<Option<SecretString>, BackendError> {
        let find = sql("SELECT sealed FROM catalog_credentials WHERE publisher = $1 AND kind = $2");
        let find = find.bind(publisher).bind(kind.as_str());
        let Some(row) = find.optional(&self.database, "reading a credential").await? else {
            return Ok(None);
        };
        Ok(Some(self.unsealed(publisher, kind.as_str(), &row)?))
    }

    async fn set_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        credential: Option<&SecretString>,
    ) -> Result<(), BackendError> {
        let kind = kind.as_str();
        let change = match credential {
            Some(credential) => {
                let sealed = self.sealed(publisher, kind, credential)?;
                sql("INSERT INTO catalog_credentials (publisher, kind, sealed) VALUES ($1, $2, $3)
                     ON CONFLICT (publisher, kind) DO UPDATE SET sealed = excluded.sealed")
                .bind(publisher)
                .bind(kind)
                .bind(sealed)
            }
            None => sql("DELETE FROM catalog_credentials WHERE publisher = $1 AND kind = $2")
                .bind(publisher)
                .bind(kind),
        };
        change.execute(&self.database, SAVING).await?;
        Ok(())
    }

    async fn replace_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        before: Option<&SecretString>,
        credential: &SecretString,
    ) -> Result<bool, BackendError> {
        let kind = kind.as_str();
        let sealed = self.sealed(publisher, kind, credential)?;
        let mut transaction = self.database.begin().await?;
        let find = sql("SELECT sealed FROM catalog_credentials WHERE publisher = $1 AND kind = $2");
        let find = find.bind(publisher).bind(kind).for_update();
        let there = match find.optional(&mut transaction, SAVING).await? {
            Some(row) => Some(self.unsealed(publisher, kind, &row)?),
            None => None,
        };
        if there.as_ref().map(|there| there.expose_secret()) != before.map(|before| before.expose_secret()) {
            return Ok(false);
        }
        let change = match there {
            Some(_) => sql("UPDATE catalog_credentials SET sealed = $3 WHERE publisher = $1 AND kind = $2"),
            // Somebody else can have been first: what is not there cannot be waited for.
            None => sql("INSERT INTO catalog_credentials (publisher, kind, sealed) VALUES ($1, $2, $3)
                         ON CONFLICT DO NOTHING"),
        };
        let change = change.bind(publisher).bind(kind).bind(sealed);
        let changed = change.execute(&mut transaction, SAVING).await?;
        transaction.commit(SAVING).await?;
        Ok(changed == 1)
    }
}

/// What a credential is sealed for, so that one publisher's does not serve another.
fn place(publisher: Publisher, kind: &str) -> String {
    let publisher =
        publisher.partner().map_or_else(String::new, |partner| partner.to_string().replace('-', ""));
    format!("credential:{publisher}:{kind}")
}
