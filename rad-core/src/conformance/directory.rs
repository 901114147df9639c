//! The contracts of [`Directory`] and [`SessionStore`].

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{must, must_fail, side_by_side};
use crate::access::{Publisher, Role, Roles};
use crate::directory::{Account, AccountQuery, Directory, DirectoryError, NewAccount, SessionStore};
use crate::id::AccountId;
use crate::money::Credits;
use crate::page::Page;
use crate::repo::RepoConnection;
use crate::source::Digest;

/// What is read after a write returned is what was written.
///
/// # Panics
/// If the contract is broken.
pub async fn reads_what_was_written(directory: &dyn Directory) {
    let tag = tag();
    let agent = create(directory, new(&format!("agent-{tag}"), Role::Agent)).await;
    let wanted = NewAccount {
        email: format!("  User-{tag}@Example.COM "),
        referred_by: Some(agent.id),
        password_hash: Some(SecretString::from("$argon2id$v=19$example")),
        ..new("", Role::User)
    };
    let made = create(directory, wanted).await;
    assert_eq!(made.email, format!("user-{tag}@example.com"), "e-mails are stored normalised");
    assert_eq!(made.referred_by, Some(agent.id), "the referrer is kept");
    assert_eq!(made.created_at, time(), "the time is kept to the microsecond");

    let by_id = must("an account is found by its id", directory.account(made.id).await);
    assert_eq!(by_id, made, "what is read is what was written");
    let shouted = format!("USER-{}@EXAMPLE.com", tag.to_uppercase());
    let by_email = must("an account is found by e-mail", directory.account_by_email(&shouted).await);
    assert_eq!(by_email, made, "an account is found by its e-mail, whatever the case");

    let hash = must("a password hash can be read", directory.password_hash(made.id).await);
    let hash = hash.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(hash, Some("$argon2id$v=19$example"), "the password hash is kept as it is");
    let hash = must("a missing password hash can be read", directory.password_hash(agent.id).await);
    assert!(hash.is_none(), "an account made without a password has none");

    let roles = Roles::from([Role::User, Role::Partner, Role::Finance]);
    must("roles can be replaced", directory.set_roles(made.id, roles).await);
    let changed = must("an account is found by its id", directory.account(made.id).await);
    assert_eq!(changed, Account { roles, ..made }, "roles are replaced, and nothing else");
}

/// What an account is promised is owed until it is noted as given.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_what_accounts_are_owed(directory: &dyn Directory) {
    let tag = tag();
    let promised: Credits = must("credits are read", "12.5".parse());
    let account = new(&format!("owed-{tag}"), Role::User);
    let owed = must("a new account is made", directory.create(account, promised, time()).await);
    let nothing = create(directory, new(&format!("free-{tag}"), Role::User)).await;
    let found = must("what is owed can be read", directory.welcomes(u32::MAX).await);
    let of = |id| found.iter().find(|welcome| welcome.account == id);
    assert_eq!(
        of(owed.id).map(|welcome| (welcome.credits, welcome.since)),
        Some((promised, owed.created_at))
    );
    assert_eq!(of(nothing.id), None, "who was promised nothing is owed nothing");
    assert_eq!(must("what is owed can be read", directory.welcomes(1).await).len(), 1, "the limit is kept");
    for _ in 0..2 {
        must("what was given can be noted, again too", directory.welcomed(owed.id).await);
    }
    let left = must("what is owed can be read", directory.welcomes(u32::MAX).await);
    assert!(left.iter().all(|welcome| welcome.account != owed.id), "what was given is no longer owed");
    let refusal = must_fail("a welcome of nobody", directory.welcomed(AccountId::new()).await);
    assert!(matches!(refusal, DirectoryError::NotFound), "what is not there is NotFound: {refusal:?}");
}

/// E-mails are unique after normalising; of racing creations one wins.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_emails_unique(directory: &dyn Directory) {
    let tag = tag();
    let spellings = ["race", "RACE", "Race", " race"];
    let racing = spellings
        .map(|name| directory.create(new(&format!("{name}-{tag}"), Role::User), Credits::ZERO, time()));
    let mut made = Vec::new();
    for result in side_by_side(racing).await {
        match result {
            Ok(account) => made.push(account),
            Err(DirectoryError::EmailTaken { email }) => {
                assert_eq!(email, format!("race-{tag}@example.com"), "the refusal names the address");
            }
            Err(other) => panic!("a taken e-mail is refused as taken, not {other:?}"),
        }
    }
    assert_eq!(made.len(), 1, "of racing creations with one e-mail one wins");
    let email = format!("race-{tag}@example.com");
    let found = must("the winner is found", directory.account_by_email(&email).await);
    assert_eq!(Some(&found), made.first(), "the losers of the race changed nothing");
}

/// Bad input is refused with its own error.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_bad_input(directory: &dyn Directory) {
    let long = format!("{}@example.com", "a".repeat(250));
    for bad in ["", "nobody", "@example.com", "a@", "a b@example.com", "a@b@example.com", &long] {
        let new = NewAccount { email: bad.to_owned(), ..new("", Role::User) };
        let refusal =
            must_fail("a text that is no e-mail", directory.create(new, Credits::ZERO, time()).await);
        assert!(matches!(refusal, DirectoryError::InvalidEmail { .. }), "{bad:?} is refused: {refusal:?}");
    }
    let nobody = AccountId::new();
    let orphan = NewAccount { referred_by: Some(nobody), ..new(&tag(), Role::User) };
    let connection = connection("owner/modules");
    let refusals = [
        must_fail("an unknown referrer", directory.create(orphan, Credits::ZERO, time()).await),
        must_fail("an unknown id", directory.account(nobody).await),
        must_fail("an unknown e-mail", directory.account_by_email(&format!("{}@example.com", tag())).await),
        must_fail("a text that is no e-mail", directory.account_by_email("nobody").await),
        must_fail("roles of nobody", directory.set_roles(nobody, Roles::default()).await),
        must_fail("a password of nobody", directory.password_hash(nobody).await),
        must_fail(
            "a repository of nobody",
            directory.set_connection(Publisher::Partner(nobody), Some(&connection)).await,
        ),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, DirectoryError::NotFound), "what is not there is NotFound: {refusal:?}");
    }
}

/// Listings are in the order of e-mails, filtered, and can be paged to the end while accounts are added.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_in_pages(directory: &dyn Directory) {
    let tag = tag();
    for n in [3, 0, 4, 1, 2] {
        let role = if n % 2 == 0 { Role::Partner } else { Role::User };
        let new = NewAccount { name: format!("Ünit {tag} {n}"), ..new(&format!("p{n}-{tag}"), role) };
        create(directory, new).await;
    }
    let query = AccountQuery { text: Some(tag.to_uppercase()), limit: 2, ..AccountQuery::default() };
    let first = list(directory, &query).await;
    assert_eq!(emails(&first), [format!("p0-{tag}"), format!("p1-{tag}")], "pages are in order of e-mails");
    create(directory, new(&format!("p0a-{tag}"), Role::User)).await;
    create(directory, new(&format!("p9-{tag}"), Role::User)).await;
    let second = list(directory, &AccountQuery { after: first.next, ..query.clone() }).await;
    assert_eq!(emails(&second), [format!("p2-{tag}"), format!("p3-{tag}")], "no page repeats or skips");
    let third = list(directory, &AccountQuery { after: second.next, ..query.clone() }).await;
    assert_eq!(emails(&third), [format!("p4-{tag}"), format!("p9-{tag}")], "additions ahead are met");
    assert_eq!(third.next, None, "the last page says so, even if it is full");

    let partners = AccountQuery { role: Some(Role::Partner), limit: 100, ..query.clone() };
    let found = list(directory, &partners).await;
    assert_eq!(found.items.len(), 3, "the role filter keeps exactly those who hold the role");
    let by_name = AccountQuery { text: Some(format!("üNIT {tag} 3")), limit: 100, ..query.clone() };
    let found = list(directory, &by_name).await;
    assert_eq!(emails(&found), [format!("p3-{tag}")], "the text filter searches names, whatever the case");
    let wild = AccountQuery { text: Some(format!("%{tag}")), ..query };
    assert_eq!(list(directory, &wild).await, Page::default(), "the text filter has no wild cards");
}

/// A publisher has at most one repository, replaced and disconnected as a whole.
///
/// # Panics
/// If the contract is broken.
pub async fn connects_repositories(directory: &dyn Directory) {
    let partner = create(directory, new(&tag(), Role::Partner)).await;
    for publisher in [Publisher::Partner(partner.id), Publisher::Platform] {
        let full = RepoConnection {
            branch: Some("main".into()),
            sub_dir: "modules".into(),
            ..connection("owner/first")
        };
        for wanted in [Some(full), Some(connection("owner/second")), None, None] {
            let set = directory.set_connection(publisher, wanted.as_ref()).await;
            must("a repository can be connected, replaced and disconnected", set);
            let found = must("the connection can be read", directory.connection(publisher).await);
            assert_eq!(found, wanted, "the connection of {publisher:?} is what was set last");
        }
    }
}

/// Sessions end at their expiry or when they are closed; unknown ones are none.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_sessions<S: Directory + SessionStore>(store: &S) {
    let account = create(store, new(&tag(), Role::User)).await.id;
    let (token, other) = (digest(), digest());
    let expires = time() + TimeDelta::hours(1);
    must("a session opens", store.open(&token, account, expires).await);
    must("a second session opens", store.open(&other, account, expires).await);
    let found = must("a session can be read", store.session(&token, time()).await);
    assert_eq!(found, Some(account), "an open session names its account");
    let found = must("an unknown session can be read", store.session(&digest(), time()).await);
    assert_eq!(found, None, "a token that was never opened is no session");

    must("a session closes", store.close(&token).await);
    must("closing a session that does not exist is no error", store.close(&token).await);
    let found = must("a closed session can be read", store.session(&token, time()).await);
    assert_eq!(found, None, "a closed session is none");

    let last = expires - TimeDelta::microseconds(1);
    let found = must("a session can be read", store.session(&other, last).await);
    assert_eq!(found, Some(account), "a session lasts until its expiry; closing one leaves the others");
    for late in [expires, expires + TimeDelta::days(1)] {
        let found = must("an expired session can be read", store.session(&other, late).await);
        assert_eq!(found, None, "a session past its expiry is as good as none");
    }
    let refusal = must_fail("a session of nobody", store.open(&digest(), AccountId::new(), expires).await);
    assert!(matches!(refusal, DirectoryError::NotFound), "sessions belong to accounts: {refusal:?}");
}

async fn create(directory: &dyn Directory, new: NewAccount) -> Account {
    must("a new account is made", directory.create(new, Credits::ZERO, time()).await)
}

async fn list(directory: &dyn Directory, query: &AccountQuery) -> Page<Account> {
    must("accounts can be listed", directory.accounts(query).await)
}

fn emails(page: &Page<Account>) -> Vec<String> {
    page.items.iter().map(|account| account.email.replace("@example.com", "")).collect()
}

fn new(name: &str, role: Role) -> NewAccount {
    NewAccount {
        email: format!("{name}@example.com"),
        name: "Somebody".into(),
        roles: Roles::from([role]),
        referred_by: None,
        password_hash: None,
    }
}

fn connection(repository: &str) -> RepoConnection {
    RepoConnection { repository: repository.into(), branch: None, sub_dir: String::new() }
}

/// A text that no other run of a suite uses.
fn tag() -> String {
    AccountId::new().to_string()
}

fn digest() -> Digest {
    Digest::of(AccountId::new().as_bytes())
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap_or_default()
}
