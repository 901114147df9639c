//! Deliveries are believed with their signature alone, once, and whatever they hold.

use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use rad_github::github::{
    Delivery, LARGEST_DELIVERY, Push, RepositoryAction, RepositoryChange, WebhookError, WebhookEvent,
};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "It's a Secret to Everybody";

fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn read(delivery: Delivery<'_>) -> Result<WebhookEvent, WebhookError> {
    delivery.read(&[SECRET.into()])
}

fn receive(event: &str, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
    read(Delivery { event, id: "1", signature: &signature(SECRET, body), body })
}

fn told(event: &str, body: &Value) -> WebhookEvent {
    receive(event, body.to_string().as_bytes()).unwrap()
}

#[test]
fn githubs_own_example_is_right_and_everything_else_is_not() {
    // docs.github.com, "Validating webhook deliveries".
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(signature(SECRET, b"Hello, World!"), right);
    let delivery = Delivery { event: "ping", id: "1", signature: right, body: b"Hello, World!" };
    assert_eq!(read(delivery), Ok(WebhookEvent::Other { event: "ping".to_owned() }));
    let upper = right.to_uppercase().replace("SHA256", "sha256");
    let short = &right[..right.len() - 2];
    for wrong in ["", "sha256=", "sha1=757107ea", short, &right[7..], &format!("{right}00")] {
        let refusal = read(Delivery { signature: wrong, ..delivery });
        assert_eq!(refusal, Err(WebhookError::Signature), "{wrong:?}");
    }
    assert!(read(Delivery { signature: &upper, ..delivery }).is_ok(), "hexadecimal in capitals");
    assert_eq!(read(Delivery { body: b"Hello, World?", ..delivery }), Err(WebhookError::Signature));
    let both = ["a new secret, for later".into(), SECRET.into()];
    assert!(delivery.read(&both).is_ok(), "while one secret replaces another, either is right");
    let signed = signature("a new secret, for later", delivery.body);
    assert!(Delivery { signature: &signed, ..delivery }.read(&both).is_ok());
    assert_eq!(delivery.read(&[]), Err(WebhookError::Signature));
    assert_eq!(delivery.read(&["short".into()]), Err(WebhookError::WeakSecret));
    let long = vec![b' '; LARGEST_DELIVERY + 1];
    let refusal = read(Delivery { body: &long, ..delivery });
    assert_eq!(refusal, Err(WebhookError::TooLarge { size: LARGEST_DELIVERY + 1 }));
}

#[test]
fn pushes_say_which_branch_moved() {
    let (before, after, zero) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
    let repository = json!({ "full_name": "octo/modules", "default_branch": "main" });
    let body = |extra: Value| {
        let mut body =
            json!({ "ref": "refs/heads/main", "repository": repository, "before": before, "after": after });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let push = Push {
        repository: "octo/modules".to_owned(),
        branch: "main".to_owned(),
        is_default: true,
        before: Some(before.parse().unwrap()),
        after: Some(after.parse().unwrap()),
    };
    assert_eq!(told("push", &body(json!({}))), WebhookEvent::Push(push.clone()));
    let other = json!({ "ref": "refs/heads/feature/x", "created": true, "before": zero });
    let made = Push { branch: "feature/x".to_owned(), is_default: false, before: None, ..push.clone() };
    assert_eq!(told("push", &body(other)), WebhookEvent::Push(made));
    let gone = Push { after: None, ..push };
    assert_eq!(told("push", &body(json!({ "deleted": true, "after": zero }))), WebhookEvent::Push(gone));
    let tag = told("push", &body(json!({ "ref": "refs/tags/v1" })));
    assert_eq!(tag, WebhookEvent::Other { event: "push".to_owned() });
    for wrong in [json!({}), body(json!({ "after": "main" })), body(json!({ "repository": 1 })), json!([])] {
        let refusal = receive("push", wrong.to_string().as_bytes());
        assert!(matches!(refusal, Err(WebhookError::Malformed { .. })), "{wrong}: {refusal:?}");
    }
    let form = receive("push", b"payload=%7B%7D").unwrap_err().to_string();
    assert!(form.contains("application/json"), "{form}");
}

#[test]
fn repositories_say_what_became_of_them() {
    let change = |action: &str, changes: Value| {
        let repository = json!({ "full_name": "octo/modules", "default_branch": "trunk" });
        let body = json!({ "action": action, "repository": repository, "changes": changes });
        match told("repository", &body) {
            WebhookEvent::Repository(RepositoryChange { repository, action }) => {
                assert_eq!(repository, "octo/modules");
                action
            }
            other => panic!("a change of a repository, not {other:?}"),
        }
    };
    assert_eq!(change("deleted", json!({})), RepositoryAction::Deleted);
    assert_eq!(change("archived", json!({})), RepositoryAction::Archived);
    assert_eq!(change("unarchived", json!({})), RepositoryAction::Unarchived);
    assert_eq!(change("publicized", json!({})), RepositoryAction::Publicized);
    assert_eq!(change("privatized", json!({})), RepositoryAction::Privatized);
    let renamed = |from: &str| RepositoryAction::Renamed { from: from.to_owned() };
    assert_eq!(
        change("renamed", json!({ "repository": { "name": { "from": "old" } } })),
        renamed("octo/old")
    );
    for kind in ["user", "organization"] {
        let owner = json!({ "owner": { "from": { kind: { "login": "acme" } } } });
        assert_eq!(change("transferred", owner), renamed("acme/modules"));
    }
    let edited = change("edited", json!({ "default_branch": { "from": "main" } }));
    assert_eq!(edited, RepositoryAction::DefaultBranch { branch: "trunk".to_owned() });
    for action in ["edited", "created", "renamed", "transferred"] {
        let other = RepositoryAction::Other { action: action.to_owned() };
        assert_eq!(change(action, json!({ "description": { "from": "x" } })), other);
    }
}

#[test]
fn a_delivery_is_known_again_by_its_id_or_its_body() {
    let keys = |id, signature| Delivery { event: "push", id, signature, body: b"" }.keys();
    let first = keys("1", "sha256=ab");
    assert_eq!(keys("1", "sha256=ab"), first);
    assert_eq!(keys("2", "sha256=AB")[1], first[1], "another id, the same body");
    assert_eq!(keys("1", "sha256=cd")[0], first[0]);
    assert_ne!(keys("2", "sha256=cd")[0], first[0]);
    assert_ne!(keys("1", "1")[0], keys("1", "1")[1]);
}

/// JSON that looks like a delivery, or not.
fn bodies() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "refs/(heads|tags)/[a-z/.]{0,9}".prop_map(Value::from),
        "[0-9a-f]{40}|[a-z]+/[a-z]+|\\PC{0,20}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "ref",
        "before",
        "after",
        "created",
        "deleted",
        "repository",
        "full_name",
        "default_branch",
        "action",
        "changes",
        "owner",
        "from",
        "user",
        "login",
        "name",
    ]);
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(
        event in prop_oneof![Just("push"), Just("repository"), Just("ping")],
        body in bodies(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = body.to_string();
        let _ = receive(event, text.as_bytes());
        let cut = cut.index(text.len() + 1);
        let _ = receive(event, &text.as_bytes()[..cut]);
    }

    #[test]
    fn no_bytes_at_all_are_believed_without_a_signature(
        body in prop::collection::vec(any::<u8>(), 0..300),
        signature in "(sha256=)?[0-9a-f]{0,70}",
    ) {
        let delivery = Delivery { event: "push", id: "1", signature: &signature, body: &body };
        prop_assert_eq!(read(delivery), Err(WebhookError::Signature));
        let _ = receive("push", &body);
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = format!("{{\"changes\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let refusal = receive("repository", deep.as_bytes());
    assert!(matches!(refusal, Err(WebhookError::Malformed { .. })), "{refusal:?}");
}
