//! Reading the states that a run's keeper stored: for each file a head that names a slot, and the parts in it.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Secret;
use rad_core::source::Digest;

use super::manifest::{HEAD, KEPT, RUN};
use crate::terraform::state::State;

/// A state larger than this is not kept.
pub(super) const LARGEST: u64 = 256 * 1024 * 1024;

/// The newest complete state among Secrets, of one run or of several; of two with one serial, the one that the engine
/// could not write to its place.
pub(super) fn newest(secrets: &[Secret]) -> Option<Bytes> {
    let by_name: BTreeMap<&str, &Secret> =
        secrets.iter().filter_map(|secret| Some((secret.metadata.name.as_deref()?, secret))).collect();
    let heads = by_name.iter().filter(|(_, secret)| label(secret, KEPT) == Some(HEAD));
    let mut states: Vec<(u64, bool, Bytes)> = heads
        .filter_map(|(name, head)| {
            let state = assembled(name, head, &by_name)?;
            Some((State::serial_of(&state)?, name.ends_with("-errored"), state))
        })
        .collect();
    states.sort_unstable_by_key(|(serial, errored, _)| (*serial, *errored));
    states.pop().map(|(_, _, state)| state)
}

/// The runs to which Secrets belong.
pub(super) fn runs(secrets: &[Secret]) -> Vec<String> {
    let mut runs: Vec<String> =
        secrets.iter().filter_map(|secret| label(secret, RUN)).map(str::to_owned).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

fn assembled(name: &str, head: &Secret, secrets: &BTreeMap<&str, &Secret>) -> Option<Bytes> {
    let head = String::from_utf8(value(head, HEAD)?.to_vec()).ok()?;
    let mut words = head.split(' ');
    let (slot, parts, digest) = (words.next()?, words.next()?.parse::<usize>().ok()?, words.next()?);
    let mut packed = Vec::new();
    for part in 0..parts.min(secrets.len()) {
        let secret = secrets.get(&*format!("{name}-{slot}-{part}"))?;
        packed.extend_from_slice(value(secret, "part")?);
    }
    let mut state = Vec::new();
    GzDecoder::new(&*packed).take(LARGEST).read_to_end(&mut state).ok()?;
    (Digest::of(&state).to_string() == digest).then(|| state.into())
}

fn value<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    Some(&secret.data.as_ref()?.get(key)?.0)
}

fn label<'a>(secret: &'a Secret, label: &str) -> Option<&'a str> {
    secret.metadata.labels.as_ref()?.get(label).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use k8s_openapi::ByteString;

    use super::*;

    fn state(serial: u64) -> Vec<u8> {
        format!("{{\n  \"version\": 4,\n  \"serial\": {serial},\n  \"lineage\": \"x\"\n}}\n").into_bytes()
    }

    fn secret(name: &str, kind: &str, key: &str, content: &[u8]) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.to_owned());
        let labels = [(KEPT.to_owned(), kind.to_owned()), (RUN.to_owned(), "r".to_owned())];
        secret.metadata.labels = Some(labels.into());
        secret.data = Some([(key.to_owned(), ByteString(content.to_vec()))].into());
        secret
    }

    /// A state as the keeper stores it, in two parts.
    fn kept(kind: &str, slot: &str, state: &[u8]) -> Vec<Secret> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(state).unwrap();
        let packed = packed.finish().unwrap();
        let digest = Digest::of(state);
        let (first, second) = packed.split_at(packed.len() / 2);
        vec![
            secret(&format!("j-{kind}-{slot}-0"), "part", "part", first),
            secret(&format!("j-{kind}-{slot}-1"), "part", "part", second),
            secret(&format!("j-{kind}"), HEAD, HEAD, format!("{slot} 2 {digest}").as_bytes()),
        ]
    }

    #[test]
    fn the_newest_complete_state_is_put_together() {
        assert_eq!(newest(&[]), None);
        let mut secrets = kept("state", "a", &state(3));
        assert_eq!(newest(&secrets).unwrap(), state(3));
        // What the next one has written of the other slot so far changes nothing.
        secrets.extend(kept("state", "b", &state(4)).drain(..1));
        assert_eq!(newest(&secrets).unwrap(), state(3));
        secrets.extend(kept("errored", "a", &state(3)));
        assert_eq!(runs(&secrets), ["r"]);
        secrets.extend(kept("errored", "b", b"{\n \"serial\": 9 }\n"));
        assert_eq!(newest(&secrets).unwrap(), state(3), "what is no state is none");
    }

    #[test]
    fn a_state_that_could_not_be_written_to_its_place_counts() {
        let mut secrets = kept("state", "a", &state(3));
        secrets.extend(kept("errored", "a", &state(4)));
        assert_eq!(newest(&secrets).unwrap(), state(4));
        let mut torn = kept("state", "a", &state(5));
        torn.remove(1);
        assert_eq!(newest(&torn), None, "a part is missing");
    }
}
