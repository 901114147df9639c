//! A row of a result.

use std::str::FromStr;

use rad_core::error::BackendError;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::column::Column;
use crate::error::failed;

const READING: &str = "reading a row";

/// A row of a result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

impl Row {
    /// The value of a column; an [`Option`] where it may be empty.
    ///
    /// # Errors
    /// [`Corrupt`](rad_core::error::FailureKind::Corrupt) if there is no such column or its value is not valid.
    pub fn get<T: Column>(&self, name: &'static str) -> Result<T, BackendError> {
        T::read(self, name)?.ok_or_else(|| invalid(name))
    }

    /// What a column means in the domain, by what it is stored as.
    ///
    /// # Errors
    /// As [`get`](Self::get), and where `read` finds no meaning.
    pub fn read<Stored: Column, T>(
        &self,
        name: &'static str,
        read: impl FnOnce(Stored) -> Option<T>,
    ) -> Result<T, BackendError> {
        self.valid(name, read)?.ok_or_else(|| invalid(name))
    }

    /// What the text of a column stands for.
    ///
    /// # Errors
    /// As [`get`](Self::get), and where the text stands for nothing.
    pub fn parse<T: FromStr>(&self, name: &'static str) -> Result<T, BackendError> {
        self.read(name, |text: String| text.parse().ok())
    }

    /// What a column holds as JSON.
    ///
    /// # Errors
    /// As [`get`](Self::get), and where it is no JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, BackendError> {
        let text: String = self.get(name)?;
        serde_json::from_str(&text).map_err(|error| BackendError::corrupt(READING, error))
    }

    /// The word of a closed set, such as a status, as serde reads it; an [`Option`] where it may be empty.
    ///
    /// # Errors
    /// As [`get`](Self::get), and where the set has no such word.
    pub fn word<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, BackendError> {
        let word = match self.get::<Option<String>>(name)? {
            Some(word) => serde_json::Value::String(word),
            None => serde_json::Value::Null,
        };
        serde_json::from_value(word).map_err(|error| BackendError::corrupt(READING, error))
    }
}

macro_rules! stored {
    ($($bounds:tt)*) => {
        impl Row {
            /// A column as the database gives it.
            pub(crate) fn stored<T>(&self, name: &'static str) -> Result<Option<T>, BackendError>
            where
                T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + $($bounds)*
            {
                let stored = match self {
                    Self::Sqlite(row) => row.try_get::<Option<T>, _>(name),
                    #[cfg(feature = "postgres")]
                    Self::Postgres(row) => row.try_get::<Option<T>, _>(name),
                };
                stored.map_err(failed(READING))
            }
        }
    };
}

#[cfg(feature = "postgres")]
stored!(for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>);
#[cfg(not(feature = "postgres"))]
stored!(Sized);

pub(crate) fn invalid(name: &'static str) -> BackendError {
    BackendError::corrupt(READING, format!("column {name} has no valid value"))
}
