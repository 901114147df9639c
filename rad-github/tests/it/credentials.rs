//! Tokens at rest: apart, unreadable in the file, and sealed anew when keys change.

use rad_core::access::Publisher;
use rad_core::conformance::credential;
use rad_core::credential::{CredentialKind, CredentialStore as _};
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::seal::Keyring;
use rad_github::SqlCredentials;
use rad_sql::testing::TestDatabase;
use rad_sql::{Database, sql};
use secrecy::ExposeSecret as _;

use crate::one_of_each;

const KIND: CredentialKind = CredentialKind::Repository;

fn store(database: &Database, keys: &Keyring) -> SqlCredentials {
    SqlCredentials::new(database.clone(), keys.clone())
}

async fn read(store: &SqlCredentials, publisher: Publisher) -> Result<Option<String>, FailureKind> {
    let read = store.credential(publisher, KIND).await;
    read.map(|found| found.map(|secret| secret.expose_secret().to_owned())).map_err(|error| error.kind())
}

#[tokio::test]
async fn credentials_keep_the_contract() {
    for test in one_of_each().await {
        let store = store(&test.database, &Keyring::generate());
        credential::keeps_credentials_apart(&store).await;
        credential::replaces_what_did_not_change(&store).await;
    }
}

#[tokio::test]
async fn credentials_are_not_readable_in_the_file() {
    for TestDatabase { database, directory } in one_of_each().await {
        let Some(directory) = directory else { continue };
        let store = store(&database, &Keyring::generate());
        store.set_credential(Publisher::Platform, KIND, Some(&"ghp_at_rest".into())).await.unwrap();
        let mut stored = Vec::new();
        for file in std::fs::read_dir(directory.path()).unwrap().flatten() {
            stored.extend(std::fs::read(file.path()).unwrap());
        }
        let secret = b"ghp_at_rest";
        assert!(!stored.windows(secret.len()).any(|window| window == secret), "it is readable in the file");
    }
}

#[tokio::test]
async fn keys_change_without_losing_a_token() {
    for TestDatabase { database, .. } in &one_of_each().await {
        let (old, new) = (Keyring::generate(), Keyring::generate());
        let (platform, partner) = (Publisher::Platform, Publisher::Partner(AccountId::new()));
        let before = store(database, &old);
        before.set_credential(platform, KIND, Some(&"one".into())).await.unwrap();
        before.set_credential(partner, KIND, Some(&"two".into())).await.unwrap();
        assert_eq!(before.reseal().await.unwrap(), 0);

        let without = store(database, &new);
        assert_eq!(
            read(&without, platform).await,
            Err(FailureKind::Corrupt),
            "the new key alone opens nothing"
        );
        assert_eq!(without.reseal().await.unwrap_err().kind(), FailureKind::Corrupt);
        let both = store(database, &new.clone().and(old));
        assert_eq!(read(&both, partner).await.unwrap().as_deref(), Some("two"));
        both.set_credential(platform, KIND, Some(&"three".into())).await.unwrap();
        assert_eq!(both.reseal().await.unwrap(), 1, "what was saved since is sealed with the new key");
        assert_eq!(read(&without, platform).await.unwrap().as_deref(), Some("three"));
        assert_eq!(read(&without, partner).await.unwrap().as_deref(), Some("two"));
    }
}

#[tokio::test]
async fn a_sealed_token_does_not_serve_another() {
    for TestDatabase { database, .. } in &one_of_each().await {
        let store = store(database, &Keyring::generate());
        let (mine, theirs) = (Publisher::Partner(AccountId::new()), Publisher::Partner(AccountId::new()));
        store.set_credential(mine, KIND, Some(&"mine".into())).await.unwrap();
        store.set_credential(theirs, KIND, Some(&"theirs".into())).await.unwrap();
        let moved = "UPDATE catalog_credentials SET sealed =
                     (SELECT sealed FROM catalog_credentials ORDER BY publisher LIMIT 1)";
        sql(moved).execute(database, "moving").await.unwrap();
        let read = (read(&store, mine).await, read(&store, theirs).await);
        let refused =
            [&read.0, &read.1].into_iter().filter(|read| **read == Err(FailureKind::Corrupt)).count();
        assert_eq!(refused, 1, "{read:?}");
    }
}
