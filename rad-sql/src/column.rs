//! What is read from a column.

use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, ModuleId, OrderId, RefineId, RunId};
use rad_core::money::{Amount, Credits};
use rad_core::source::Digest;

use crate::row::{Row, invalid};

/// What a column can be read as: the same types that a [`Value`](crate::Value) can be made from.
pub trait Column: Sized {
    /// Reads a column that may be empty.
    ///
    /// # Errors
    /// [`Corrupt`](rad_core::error::FailureKind::Corrupt) if there is no such column or its value is not valid.
    fn read(row: &Row, name: &'static str) -> Result<Option<Self>, BackendError>;
}

macro_rules! stored_as_is {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &Row, name: &'static str) -> Result<Option<Self>, BackendError> {
                row.stored(name)
            }
        }
    )*};
}

stored_as_is!(Vec<u8>, String, i64, bool);

impl Column for DateTime<Utc> {
    fn read(row: &Row, name: &'static str) -> Result<Option<Self>, BackendError> {
        match row {
            Row::Sqlite(_) => row.valid(name, DateTime::from_timestamp_micros),
            #[cfg(feature = "postgres")]
            Row::Postgres(_) => row.stored(name),
        }
    }
}

/// Types that are stored as another one.
macro_rules! stored_within {
    ($($type:ty: |$stored:ident: $within:ty| $read:expr),* $(,)?) => {$(
        impl Column for $type {
            fn read(row: &Row, name: &'static str) -> Result<Option<Self>, BackendError> {
                row.valid(name, |$stored: $within| $read)
            }
        }
    )*};
}

stored_within! {
    AccountId: |bytes: Vec<u8>| bytes.try_into().ok().map(Self::from_bytes),
    ModuleId: |bytes: Vec<u8>| bytes.try_into().ok().map(Self::from_bytes),
    OrderId: |bytes: Vec<u8>| bytes.try_into().ok().map(Self::from_bytes),
    RefineId: |bytes: Vec<u8>| bytes.try_into().ok().map(Self::from_bytes),
    RunId: |bytes: Vec<u8>| bytes.try_into().ok().map(Self::from_bytes),
    Digest: |bytes: Vec<u8>| bytes.try_into().ok().map(Self::from_bytes),
    Publisher: |bytes: Vec<u8>| Publisher::from_bytes(&bytes),
    DeploymentId: |text: String| text.parse().ok(),
    u8: |number: i64| number.try_into().ok(),
    u32: |number: i64| number.try_into().ok(),
    u64: |number: i64| number.try_into().ok(),
    Credits: |micros: i64| Some(Self::from_micros(micros)),
    Amount: |micros: i64| Some(Self::from_micros(micros)),
}

impl<T: Column> Column for Option<T> {
    fn read(row: &Row, name: &'static str) -> Result<Option<Self>, BackendError> {
        T::read(row, name).map(Some)
    }
}

impl Row {
    /// A column that is stored as a `Stored`, if it is not empty.
    pub(crate) fn valid<Stored: Column, T>(
        &self,
        name: &'static str,
        read: impl FnOnce(Stored) -> Option<T>,
    ) -> Result<Option<T>, BackendError> {
        Stored::read(self, name)?.map(|stored| read(stored).ok_or_else(|| invalid(name))).transpose()
    }
}
