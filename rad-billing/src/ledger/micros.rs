//! Times as the databases keep them: microseconds since 1970 in SQLite, `timestamptz` in PostgreSQL.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Sqlite, Type};

/// Microseconds since 1970 UTC: every time a column can have, also one that no calendar knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Micros(pub(super) i64);

#[cfg(feature = "postgres")]
impl Micros {
    /// The first time that `timestamptz` keeps, in 4714 BC; its last one is later than any that an entry can have.
    pub(super) const FIRST_IN_POSTGRES: Self = Self(-210_866_803_200_000_000);
}

impl Type<Sqlite> for Micros {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(info: &<Sqlite as Database>::TypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl<'q> Encode<'q, Sqlite> for Micros {
    fn encode_by_ref(
        &self,
        buffer: &mut <Sqlite as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode_by_ref(&self.0, buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Micros {
    fn decode(value: <Sqlite as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<Sqlite>>::decode(value).map(Self)
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use chrono::{DateTime, Utc};
    use sqlx::Postgres;
    use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};

    use super::{BoxDynError, Decode, Encode, IsNull, Micros, Type};

    /// Microseconds from 1970 to 2000, from where PostgreSQL counts.
    const EPOCH: i64 = 946_684_800_000_000;

    impl Micros {
        /// The time that PostgreSQL keeps as this number; none if it is one without end.
        pub(in super::super) fn from_postgres(number: i64) -> Option<Self> {
            number.checked_add(EPOCH).map(Self)
        }
    }

    impl Type<Postgres> for Micros {
        fn type_info() -> PgTypeInfo {
            <DateTime<Utc> as Type<Postgres>>::type_info()
        }
    }

    impl PgHasArrayType for Micros {
        fn array_type_info() -> PgTypeInfo {
            <DateTime<Utc> as PgHasArrayType>::array_type_info()
        }
    }

    impl Encode<'_, Postgres> for Micros {
        fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            let micros = self.0.checked_sub(EPOCH).ok_or("the time is too early for timestamptz")?;
            Encode::<Postgres>::encode(micros, buffer)
        }
    }

    impl<'r> Decode<'r, Postgres> for Micros {
        fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
            let micros = <i64 as Decode<Postgres>>::decode(value)?;
            Ok(Self::from_postgres(micros).ok_or("a time without end")?)
        }
    }
}
