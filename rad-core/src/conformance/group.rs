//! The contract of [`GroupStore`].

use std::collections::BTreeSet;

use uuid::Uuid;

use super::must;
use crate::access::Publisher;
use crate::group::{Group, GroupName, GroupStore};
use crate::id::AccountId;

/// Groups are kept by owner and name, replaced whole, found by their members, and removed.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_groups(store: &dyn GroupStore) {
    let (owner, other) = (Publisher::Partner(AccountId::new()), Publisher::Partner(AccountId::new()));
    let tag = Uuid::new_v4().simple().to_string();
    let email = |name: &str| format!("{name}-{tag}@example.com");
    let group = |owner, name: &str, members: &[&str]| Group {
        name: GroupName::new(owner, name),
        members: members.iter().map(|name| email(name)).collect(),
    };
    assert!(must("no groups", store.groups(owner).await).is_empty(), "there is none at first");
    let (web, ops) = (group(owner, "Web", &["ann", "bob"]), group(owner, "öps", &["ann"]));
    let theirs = group(other, "web", &["cid"]);
    let common = group(Publisher::Platform, &tag, &["ann"]);
    for group in [&web, &ops, &theirs, &common] {
        must("a group is kept", store.save_group(group).await);
    }
    assert_eq!(
        must("the groups", store.groups(owner).await),
        [web.clone(), ops.clone()],
        "in order of names"
    );
    let of = async |name: &str| must("the groups of an e-mail", store.groups_of(&email(name)).await);
    let names = |groups: &[&Group]| groups.iter().map(|group| group.name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(of("ann").await, names(&[&web, &ops, &common]), "of all owners");
    assert_eq!(of("cid").await, names(&[&theirs]), "a name is its owner's");
    assert!(of("dan").await.is_empty(), "nobody is a member unasked");

    let web = group(owner, "WEB", &["bob", "dan"]);
    must("a group is replaced", store.save_group(&web).await);
    assert_eq!(must("the groups", store.groups(owner).await), [web.clone(), ops.clone()], "whole");
    assert_eq!(of("ann").await, names(&[&ops, &common]), "who left it is out");
    assert_eq!(of("dan").await, names(&[&web]), "who joined it is in");
    let empty = group(owner, "web", &[]);
    must("a group may be empty", store.save_group(&empty).await);
    assert_eq!(must("the groups", store.groups(owner).await), [empty, ops.clone()]);
    for _ in 0..2 {
        must("removing is repeatable", store.remove_group(&web.name).await);
        assert_eq!(must("the groups", store.groups(owner).await), std::slice::from_ref(&ops), "it is gone");
    }
    assert_eq!(of("cid").await, names(&[&theirs]), "and the other's stays");
    must("a group is removed", store.remove_group(&common.name).await);
}
