//! What fuzzing looks for: what strangers write is read or refused, without a panic, and what is read holds. Each function takes
//! what libFuzzer makes up; the tests of rad-github call them with the saved seeds.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rad_core::agent::ChangeSet;
use rad_core::module::{DependsOn, Manifest, Values, discover};
use rad_core::source::SourceTree;
use rad_github::github::{ArchiveLimits, Delivery, WebhookError, read_archive};
use rad_github::local::TreeLimits;
use sha2::Sha256;

const SECRET: &str = "a secret of the fuzz target";

/// Archives of strangers: a tree of plain paths within the limits, or a refusal. Tar files are compressed here, so that what
/// changes is looked at and not stopped by a checksum.
pub fn archive(is_packed: bool, bytes: &[u8]) {
    let packed = if is_packed {
        bytes.to_vec()
    } else {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).expect("memory takes everything");
        packed.finish().expect("memory takes everything")
    };
    let limits = ArchiveLimits {
        packed_bytes: 1 << 20,
        unpacked_bytes: 4 << 20,
        ratio: 100,
        tree: TreeLimits::default(),
    };
    for sub_dir in ["", "modules"] {
        let Ok(tree) = read_archive(packed.as_slice(), sub_dir, None, &limits) else { continue };
        assert!(tree.content_bytes() <= limits.unpacked_bytes);
        for (path, _) in tree.iter() {
            assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")), "{path:?} is plain");
        }
    }
}

/// The expressions that show and hide fields: read or refused, printed as written.
pub fn depends_on(text: &str) {
    if let Ok(expression) = text.parse::<DependsOn>() {
        assert_eq!(expression.to_string(), text);
        let one_way = expression.holds(|_| None);
        assert_eq!(expression.holds(|_| None), one_way);
        expression.holds(|name| Some(name.into()));
    }
}

/// The description of a variable: whatever it says, the variable is there.
pub fn hints(description: &str) {
    let source = serde_json::json!({ "variable": { "x": { "type": "string", "description": description } } });
    let mut tree = SourceTree::default();
    tree.insert_file("m/main.tf.json", source.to_string()).expect("a plain path");
    for module in discover(&tree) {
        // Templates in JSON strings are expressions, which a description must not be.
        let Ok(manifest) = module.outcome else { continue };
        assert_eq!(manifest.variables.len(), 1);
        manifest.hidden(&Values::new(), &Values::new(), &Values::new());
        manifest.pages();
    }
}

/// Terraform files: read or refused, and what is read makes a form.
pub fn manifest(is_json: bool, source: &[u8]) {
    let mut tree = SourceTree::default();
    let name = if is_json { "m/main.tf.json" } else { "m/main.tf" };
    tree.insert_file(name, source.to_vec()).expect("a plain path");
    for module in discover(&tree) {
        let Ok(manifest) = module.outcome else { continue };
        manifest.check(&Values::new(), &Values::new(), &Values::new()).ok();
        assert_eq!(manifest.deploy_schema()["type"], "object");
        let text = serde_json::to_string(&manifest).expect("a manifest is JSON");
        assert_eq!(serde_json::from_str::<Manifest>(&text).expect("and is read back"), manifest);
    }
}

/// The changes of an agent: shown or refused, applied whole or not at all.
pub fn patch(patch: &str) {
    let mut tree = SourceTree::default();
    for (path, text) in [("mod/main.tf", "a\nb\nc\n"), ("mod/old.tf", "gone\n"), ("README.md", "# top\n")] {
        tree.insert_file(path, text).expect("a plain path");
    }
    let change = ChangeSet { base: None, patch: patch.to_owned(), message: String::new() };
    change.files().ok();
    if let Ok(changes) = change.changes(&tree, &tree) {
        for change in changes {
            let mut plain = SourceTree::default();
            assert!(plain.insert_file(change.path(), "").is_ok(), "{:?} is plain", change.path());
        }
    }
}

/// Deliveries that are signed: an event or a refusal, whatever is in them.
pub fn webhook(kind: u8, body: &[u8]) {
    let event = ["push", "repository", "ping", "installation"][usize::from(kind % 4)];
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
    mac.update(body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("sha256={signature}");
    let delivery = |signature| Delivery { event, id: "one", signature, body };
    let received = delivery(&signature).read(&[SECRET.into()]);
    assert!(!matches!(received, Err(WebhookError::Signature)), "it is signed");
    let forged = delivery("sha256=00").read(&[SECRET.into()]);
    assert!(
        matches!(forged, Err(WebhookError::Signature | WebhookError::TooLarge { .. })),
        "it is not signed"
    );
}
