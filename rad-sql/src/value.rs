//! What is bound to a statement.

use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, ModuleId, OrderId, RefineId, RunId};
use rad_core::money::{Amount, Credits};
use rad_core::source::Digest;
use serde::Serialize;

/// A value for a place of a statement.
///
/// Ids and digests are their bytes, credits and amounts their micro-units, times microseconds since 1970 in SQLite and
/// `timestamptz` in PostgreSQL. A publisher is the partner's account, or no bytes for the platform.
#[derive(Clone)]
pub struct Value(pub(crate) Bound);

/// The kinds of values that both databases know.
#[derive(Clone)]
pub(crate) enum Bound {
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
    Integer(Option<i64>),
    Flag(Option<bool>),
    Time(Option<DateTime<Utc>>),
}

/// A value as JSON text.
///
/// # Errors
/// [`Permanent`](rad_core::error::FailureKind::Permanent) for what has no JSON.
pub fn json(value: &impl Serialize) -> Result<String, BackendError> {
    serde_json::to_string(value).map_err(|error| BackendError::permanent("writing JSON", error))
}

/// A word of a closed set, such as a status, as serde writes it.
///
/// # Errors
/// [`Permanent`](rad_core::error::FailureKind::Permanent) for what is more than a word.
pub fn word(value: impl Serialize) -> Result<String, BackendError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(BackendError::permanent("writing a row", "it is not a word")),
    }
}

macro_rules! bound_as {
    ($kind:ident: $($type:ty => |$value:ident| $stored:expr),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self(Bound::$kind(Some($stored)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self(Bound::$kind(value.map(|$value| $stored)))
            }
        }
    )*};
}

bound_as! { Bytes:
    Vec<u8> => |value| value,
    &[u8] => |value| value.to_vec(),
    AccountId => |value| value.as_bytes().to_vec(),
    ModuleId => |value| value.as_bytes().to_vec(),
    OrderId => |value| value.as_bytes().to_vec(),
    RefineId => |value| value.as_bytes().to_vec(),
    RunId => |value| value.as_bytes().to_vec(),
    &Digest => |value| value.as_bytes().to_vec(),
    Publisher => |value| value.as_bytes().to_vec(),
}

bound_as! { Text:
    String => |value| value,
    &String => |value| value.clone(),
    &str => |value| value.to_owned(),
    DeploymentId => |value| value.to_string(),
}

bound_as! { Integer:
    i64 => |value| value,
    u8 => |value| i64::from(value),
    u32 => |value| i64::from(value),
    // What no column holds is more than any column holds.
    u64 => |value| i64::try_from(value).unwrap_or(i64::MAX),
    Credits => |value| value.micros(),
    Amount => |value| value.micros(),
}

bound_as! { Flag: bool => |value| value }

bound_as! { Time: DateTime<Utc> => |value| value }
