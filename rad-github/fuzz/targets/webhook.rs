//! Deliveries that are signed: an event or a refusal, whatever is in them.
#![no_main]

use hmac::{Hmac, KeyInit as _, Mac as _};
use libfuzzer_sys::fuzz_target;
use rad_github::github::{Delivery, WebhookError};
use sha2::Sha256;

const SECRET: &str = "a secret of the fuzz target";

fuzz_target!(|data: (u8, &[u8])| {
    let (kind, body) = data;
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
});
