//! The contract of [`CredentialStore`].

use secrecy::{ExposeSecret as _, SecretString};

use super::must;
use crate::access::Publisher;
use crate::credential::{CredentialKind, CredentialStore};
use crate::id::AccountId;

/// Credentials are kept apart by publisher and kind, replaced and removed.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_credentials_apart(store: &dyn CredentialStore) {
    let publishers = [Publisher::Partner(AccountId::new()), Publisher::Partner(AccountId::new())];
    let kinds = [CredentialKind::Repository, CredentialKind::Agent, CredentialKind::Webhook];
    let all = || publishers.into_iter().flat_map(|publisher| kinds.map(|kind| (publisher, kind)));
    for (publisher, kind) in all() {
        assert_eq!(read(store, publisher, kind).await, None, "there is none at first");
    }
    for (number, (publisher, kind)) in all().enumerate() {
        let secret = SecretString::from(format!("sécret-{number}"));
        must("a credential is saved", store.set_credential(publisher, kind, Some(&secret)).await);
    }
    for (number, (publisher, kind)) in all().enumerate() {
        let expected = Some(format!("sécret-{number}"));
        assert_eq!(read(store, publisher, kind).await, expected, "each publisher and kind has its own");
    }
    let (publisher, kind) = (publishers[0], kinds[0]);
    let other = SecretString::from("another");
    must("a credential is replaced", store.set_credential(publisher, kind, Some(&other)).await);
    assert_eq!(read(store, publisher, kind).await.as_deref(), Some("another"), "the last one counts");
    for _ in 0..2 {
        must("removing is repeatable", store.set_credential(publisher, kind, None).await);
        assert_eq!(read(store, publisher, kind).await, None, "a removed one is gone");
    }
    assert!(read(store, publishers[1], kind).await.is_some(), "and the others stay");
    assert!(!format!("{store:?}").contains("sécret"), "nothing secret is shown");
}

async fn read(store: &dyn CredentialStore, publisher: Publisher, kind: CredentialKind) -> Option<String> {
    let read = must("a credential can be read", store.credential(publisher, kind).await);
    read.map(|secret| secret.expose_secret().to_owned())
}
