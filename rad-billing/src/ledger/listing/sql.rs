//! SQL being written for a database.

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Sqlite};

use super::super::micros::Micros;

/// SQL being written for a database.
pub(in super::super) trait Sql {
    /// An expression for the day of the column `at`: whole days since 1970 in UTC.
    const DAY: &'static str;
    /// The function that finds a text in another, and gives 0 if it is not there.
    const FIND: &'static str;

    fn text(&mut self, sql: &'static str) -> &mut Self;
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self;
    fn name(&mut self, name: String) -> &mut Self;
    fn number(&mut self, number: i64) -> &mut Self;
    fn time(&mut self, time: Micros) -> &mut Self;
}

/// The first whole microsecond at or after a time: what is stored has whole ones, so what is not before the one is not
/// before the other.
pub(in super::super) fn ceiling(time: DateTime<Utc>) -> Micros {
    let micros = time.timestamp_micros();
    let has_rest = !time.timestamp_subsec_nanos().is_multiple_of(1_000);
    Micros(micros.saturating_add(i64::from(has_rest)))
}

macro_rules! write_sql_for {
    ($database:ty, first: $first:expr, day: $day:expr, find: $find:expr $(,)?) => {
        impl Sql for QueryBuilder<$database> {
            const DAY: &'static str = $day;
            const FIND: &'static str = $find;

            fn text(&mut self, sql: &'static str) -> &mut Self {
                self.push(sql)
            }

            fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
                self.push_bind(bytes.to_vec())
            }

            fn name(&mut self, name: String) -> &mut Self {
                self.push_bind(name)
            }

            fn number(&mut self, number: i64) -> &mut Self {
                self.push_bind(number)
            }

            fn time(&mut self, time: Micros) -> &mut Self {
                self.push_bind(time.max($first))
            }
        }
    };
}

write_sql_for!(
    Sqlite,
    first: Micros(i64::MIN),
    // Division rounds towards 1970.
    day: "(at / 86400000000 - (at % 86400000000 < 0))",
    find: "instr",
);
#[cfg(feature = "postgres")]
write_sql_for!(
    sqlx::Postgres,
    first: Micros::FIRST_IN_POSTGRES,
    day: "CAST(floor(extract(epoch FROM at) / 86400) AS bigint)",
    find: "strpos",
);
