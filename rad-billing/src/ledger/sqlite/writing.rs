//! What posting writes: a group in one trip to the thread of the connection.

use rad_core::error::BackendError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection};

use super::super::posting::Writes;
use super::statements::Row;
use crate::database::failed;

/// The most rows that a statement takes.
const MOST: usize = 32;

/// How many rows statements take: few different numbers, for every text is prepared and kept. What is lacking is filled up
/// with rows of nothing, which statements leave out.
const SIZES: [usize; 3] = [1, 8, MOST];

const WRITING: &str = "writing entries";

/// The transaction that a group is written in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum During {
    /// One that has begun.
    Begun,
    /// One of its own.
    Own,
}

/// Writes everything and commits, if every account still has the last entry that its book was loaded with; a conflict if not.
pub(super) async fn execute(
    writes: Writes,
    during: During,
    connection: &mut SqliteConnection,
) -> Result<(), BackendError> {
    let Writes { heads, entries, lines, took, state, gone, deltas } = writes;
    let deltas = deltas.into_rows();
    let sizes = [heads.len(), entries.len(), lines.len(), took.len(), state.len(), gone.len(), deltas.len()];
    let mut trips = Trips { is_one: sizes.into_iter().all(|size| size <= MOST), trips: Vec::new() };
    if during == During::Own {
        // Nobody else can write until it ends.
        trips.send("BEGIN IMMEDIATE;");
    }
    trips.write(heads)?;
    trips.write(entries)?;
    trips.write(lines)?;
    trips.write(took)?;
    trips.write(state)?;
    trips.write(gone)?;
    trips.write(deltas)?;
    trips.send("COMMIT;");
    for Trip { sql, arguments } in trips.trips {
        let done = sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await;
        done.map_err(failed(WRITING))?;
    }
    Ok(())
}

/// What the thread of the connection is given to do.
#[derive(Debug)]
struct Trips {
    /// Whether it is given everything at once. A large group is written statement by statement: every text made of several
    /// large ones would be kept, too.
    is_one: bool,
    trips: Vec<Trip>,
}

/// One or more statements and their parameters.
#[derive(Debug, Default)]
struct Trip {
    sql: String,
    arguments: SqliteArguments,
}

impl Trips {
    fn send(&mut self, sql: &str) {
        self.next().sql.push_str(sql);
    }

    /// The trip that takes the next statement.
    fn next(&mut self) -> &mut Trip {
        if self.trips.is_empty() || !self.is_one {
            self.trips.push(Trip::default());
        }
        let last = self.trips.len() - 1;
        &mut self.trips[last]
    }

    fn write<R: Row>(&mut self, rows: Vec<R>) -> Result<(), BackendError> {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let size = SIZES.into_iter().find(|size| rows.len() <= *size).unwrap_or(MOST);
            let Trip { sql, arguments } = self.next();
            let all = arguments.len() + size * R::COLUMNS;
            arguments.reserve(size * R::COLUMNS, 0);
            let mut bound = rows.by_ref().take(size).try_for_each(|row| row.bind(arguments));
            while bound.is_ok() && arguments.len() < all {
                bound = arguments.add(None::<i64>);
            }
            bound.map_err(|error| failed(WRITING)(sqlx::Error::Encode(error)))?;
            let [before, after] = R::STATEMENT;
            let row = format!("({})", vec!["?"; R::COLUMNS].join(","));
            sql.extend([before, &vec![row; size].join(","), after]);
        }
        Ok(())
    }
}
