//! Versions of a deployment's state.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{AccountId, RunId};

/// How many versions of a state are kept where nothing else is said.
pub const STATE_VERSIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// A version of a deployment's state: what a run left, or what somebody restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// Counts up from 1 in each deployment.
    pub number: u64,
    /// What the engine counts its changes with; 0 where the state does not say.
    pub serial: u64,
    /// Bytes.
    pub size: u64,
    /// When it was saved last.
    pub saved_at: DateTime<Utc>,
    /// Where it comes from.
    pub origin: StateOrigin,
}

/// Where a version of a state comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateOrigin {
    /// A run wrote it.
    Run {
        /// The run.
        run: RunId,
        /// The epoch of the lease under which it did.
        epoch: u64,
    },
    /// Somebody restored an older version.
    Restored {
        /// The number of that version.
        from: u64,
        /// Who did.
        by: AccountId,
    },
}

/// The serial number in a state.
pub fn state_serial(state: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Serial {
        serial: u64,
    }
    serde_json::from_slice::<Serial>(state).ok().map(|state| state.serial)
}

/// The same state with another serial number, all else as it was written; `None` for what is no state.
pub fn with_serial(state: &[u8], serial: u64) -> Option<Bytes> {
    state_serial(state)?;
    // Kept as text: numbers may be larger or finer than those of this program.
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(state).ok()?;
    fields.insert("serial".to_owned(), RawValue::from_string(serial.to_string()).ok()?);
    serde_json::to_vec(&fields).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_serial_changes() {
        let state =
            br#"{"version": 4, "serial": 7, "resources": [{"n": 123456789012345678901234567890.10}]}"#;
        let next = with_serial(state, 8).unwrap();
        assert_eq!(state_serial(&next), Some(8));
        let text = String::from_utf8(next.to_vec()).unwrap();
        assert!(text.contains(r#"[{"n": 123456789012345678901234567890.10}]"#), "{text}");
        for no_state in [&b""[..], b"{}", b"[1]", br#"{"serial": -1}"#] {
            assert_eq!(with_serial(no_state, 8), None);
        }
    }

    #[test]
    fn twenty_versions_are_kept_by_default() {
        assert_eq!(STATE_VERSIONS.get(), 20);
    }
}
