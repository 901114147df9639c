//! Whatever is changed behind the ledger, verifying finds it: every column of every row of every table, as the schema has them.

use rad_billing::SqliteLedger;
use rad_core::conformance::ledger;
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Finding, Ledger, LedgerError, RevenueQuery};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row as _};

use crate::{Database, database};

/// A database that somebody whom nothing keeps from it changes by SQL.
pub(crate) trait Tampered {
    /// How SQL asks whether two values are the same, empty ones included.
    const SAME: &str;

    /// Every column of every table of the ledger, table by table.
    async fn columns(&self) -> Vec<(String, Column)>;

    /// What a query gives, whose columns are all text.
    async fn texts(&self, sql: &str) -> Vec<Row>;

    /// Changes something: how many rows, if the database lets anybody do that.
    async fn run(&self, sql: &str) -> Result<u64, sqlx::Error>;

    /// SQL for a column as text.
    fn as_text(&self, column: &Column) -> String;

    /// SQL for a value that was read as text.
    fn literal(&self, kind: Kind, text: &str) -> String;
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) can_be_empty: bool,
    pub(crate) in_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// As text, hexadecimal digits.
    Bytes,
    Text,
    Number,
    /// As text, a number of microseconds.
    Time,
    Flag,
}

/// A row, every value as text.
pub(crate) type Row = Vec<Option<String>>;

/// A table as it is, and the place of each column.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

/// The books of some accounts, in which every kind of entry happened.
pub(crate) struct Books<'a, T> {
    database: &'a T,
    ledger: &'a dyn Ledger,
    accounts: Vec<AccountId>,
    tables: Vec<Table>,
    random: fastrand::Rng,
    tried: usize,
}

impl<'a, T: Tampered> Books<'a, T> {
    pub(crate) async fn read(database: &'a T, ledger: &'a dyn Ledger) -> Self {
        let accounts = ledger.accounts(None, 1_000).await.unwrap();
        let mut tables: Vec<Table> = Vec::new();
        for (table, column) in database.columns().await {
            match tables.last_mut().filter(|last| last.name == table) {
                Some(last) => last.columns.push(column),
                None => tables.push(Table { name: table, columns: vec![column], rows: Vec::new() }),
            }
        }
        for table in &mut tables {
            let columns: Vec<String> = table.columns.iter().map(|column| database.as_text(column)).collect();
            let keys: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
            let sql =
                format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), table.name, keys.join(", "));
            table.rows = database.texts(&sql).await;
        }
        let random = fastrand::Rng::with_seed(crate::load::seed());
        let books = Self { database, ledger, accounts, tables, random, tried: 0 };
        assert_eq!(books.findings().await, [], "nothing is changed yet");
        books
    }

    async fn findings(&self) -> Vec<Finding> {
        let mut findings = self.ledger.verify_range(None, None).await.unwrap().findings;
        // Sums are of no account.
        let account = AccountId::from_bytes([0; 16]);
        let wrong = self.ledger.verify_totals().await.unwrap();
        findings.extend(wrong.iter().map(|wrong| Finding { account, seq: None, problem: wrong.to_string() }));
        findings
    }

    /// That a change of a row is found, and at the entry if it was made to one; and takes it back.
    async fn is_found(&mut self, table: usize, row: &Row, change: &str, undo: &str) {
        let Some(found) = self.findings_after(change).await else { return };
        let table = &self.tables[table];
        if table.name == "ledger_entries" {
            let value = |name| {
                let place = table.columns.iter().position(|column| column.name == name).unwrap();
                row[place].as_ref().unwrap()
            };
            let account = value("account").to_lowercase();
            let of_account = |finding: &&Finding| finding.account.to_string().replace('-', "") == account;
            let first = found.iter().filter(of_account).filter_map(|finding| finding.seq).min();
            let seq = value("seq").parse().unwrap();
            assert_eq!(first, Some(seq), "{change}: found elsewhere: {found:?}");
        }
        assert_eq!(self.database.run(undo).await.unwrap(), 1, "{undo}");
    }

    /// That what is changed is read as it is now, or said to be corrupt.
    async fn is_read_or_corrupt(&self, change: &str) {
        for account in self.accounts.iter().copied() {
            let entries = EntryQuery { oldest_first: true, limit: 100, ..EntryQuery::new(account) };
            let revenue = RevenueQuery { account: Some(account), limit: 100, ..RevenueQuery::default() };
            let failures = [
                self.ledger.state(account).await.err(),
                self.ledger.entries(&entries).await.err(),
                self.ledger.revenue(&revenue).await.err(),
            ];
            for failure in failures.into_iter().flatten() {
                let LedgerError::Backend(error) = failure else { panic!("{change}: {failure:?}") };
                assert_eq!(error.kind(), FailureKind::Corrupt, "{change}: {error:?}");
            }
        }
    }

    /// What is found after a change, if it can be made at all.
    async fn findings_after(&mut self, change: &str) -> Option<Vec<Finding>> {
        match self.database.run(change).await {
            // What the database itself refuses, whatever is switched off, nobody can do to it.
            Err(error) if error.as_database_error().is_some() => return None,
            done => assert_eq!(done.unwrap(), 1, "{change}"),
        }
        self.tried += 1;
        self.is_read_or_corrupt(change).await;
        let found = self.findings().await;
        assert!(!found.is_empty(), "{change}: nothing is found");
        Some(found)
    }

    /// Changes every column of every row: bits, values of other rows, nothing instead of something and something instead of
    /// nothing. Of long values some bits of `tries` bytes.
    pub(crate) async fn every_change_is_found(&mut self, tries: usize) {
        for table in 0..self.tables.len() {
            for row in 0..self.tables[table].rows.len() {
                for column in 0..self.tables[table].columns.len() {
                    let Table { name, columns, .. } = &self.tables[table];
                    if name == "ledger_revenue_deltas" && columns[column].name == "id" {
                        // It tells rows apart and says nothing.
                        continue;
                    }
                    for wrong in self.wrong_values(table, row, column, tries) {
                        let original = self.tables[table].rows[row].clone();
                        let mut changed = original.clone();
                        changed[column] = wrong;
                        let change = self.update(table, &original, &changed, column);
                        let undo = self.update(table, &changed, &original, column);
                        self.is_found(table, &original, &change, &undo).await;
                    }
                }
            }
        }
        self.end().await;
    }

    /// Removes every row, and adds copies of every row at other places.
    pub(crate) async fn every_row_that_goes_or_comes_is_found(&mut self) {
        for table in 0..self.tables.len() {
            for row in self.tables[table].rows.clone() {
                let (insert, delete) = (self.insert(table, &row), self.delete(table, &row));
                self.is_found(table, &row, &delete, &insert).await;
                for column in 0..self.tables[table].columns.len() {
                    let Column { in_key, kind, .. } = self.tables[table].columns[column];
                    let (true, Some(value)) = (in_key, &row[column]) else { continue };
                    let mut copy = row.clone();
                    copy[column] = Some(match kind {
                        Kind::Number | Kind::Time => number(&row[column], |number| number + 1_000),
                        // Of another account, which has nothing else.
                        _ => flipped(kind, value, 1, &mut self.random).remove(0),
                    });
                    if self.findings_after(&self.insert(table, &copy)).await.is_some() {
                        assert_eq!(self.database.run(&self.delete(table, &copy)).await.unwrap(), 1);
                    }
                }
            }
        }
        self.end().await;
    }

    /// Lets every two rows that follow each other in an account change their places.
    pub(crate) async fn swapped_entries_are_found(&mut self) {
        let table = self.tables.iter().position(|table| table.name == "ledger_entries").unwrap();
        let place = |name: &str| self.tables[table].columns.iter().position(|column| column.name == name);
        let (account, seq) = (place("account").unwrap(), place("seq").unwrap());
        let mut rows = self.tables[table].rows.clone();
        rows.sort_by_key(|row| (row[account].clone(), row[seq].as_ref().unwrap().parse::<u64>().unwrap()));
        for two in rows.windows(2).filter(|two| two[0][account] == two[1][account]) {
            let at = |row: &Row, seq_of: &str| {
                let mut moved = row.clone();
                moved[seq] = Some(seq_of.to_owned());
                moved
            };
            let (one, other) = (&two[0], &two[1]);
            let numbers = [one, other].map(|row| row[seq].clone().unwrap());
            let aside = at(one, "999999");
            let (one_there, other_there) = (at(one, &numbers[1]), at(other, &numbers[0]));
            let there = [(one, &aside), (other, &other_there), (&aside, &one_there)];
            let back = [(&one_there, &aside), (&other_there, other), (&aside, one)];
            for (from, to) in there {
                self.database.run(&self.update(table, from, to, seq)).await.unwrap();
            }
            let first = self.findings().await.iter().filter_map(|finding| finding.seq).min();
            assert_eq!(first, numbers[0].parse().ok(), "{numbers:?} changed their places");
            for (from, to) in back {
                self.database.run(&self.update(table, from, to, seq)).await.unwrap();
            }
        }
        self.end().await;
    }

    async fn end(&self) {
        assert_eq!(self.findings().await, [], "every change was taken back");
    }

    fn wrong_values(&mut self, table: usize, row: usize, column: usize, tries: usize) -> Vec<Option<String>> {
        let Table { columns, rows, .. } = &self.tables[table];
        let (Column { kind, can_be_empty, .. }, original) = (&columns[column], &rows[row][column]);
        let Some(text) = original else {
            return vec![Some(something(*kind))];
        };
        let mut wrong = match kind {
            Kind::Bytes | Kind::Text => flipped(*kind, text, tries, &mut self.random),
            Kind::Number | Kind::Time => {
                [1, 0x100].map(|bit| number(original, |number| number ^ bit)).to_vec()
            }
            Kind::Flag => vec![if text.starts_with('t') { "false" } else { "true" }.to_owned()],
        };
        let other = rows.iter().filter_map(|row| row[column].clone()).find(|other| other != text);
        wrong.extend(other);
        let empty = can_be_empty.then_some(None);
        wrong.into_iter().map(Some).chain(empty).collect()
    }

    fn update(&self, table: usize, from: &Row, to: &Row, column: usize) -> String {
        let name = &self.tables[table].columns[column].name;
        let value = self.value(table, to, column);
        format!("UPDATE {} SET {name} = {value} WHERE {}", self.tables[table].name, self.is_row(table, from))
    }

    fn delete(&self, table: usize, row: &Row) -> String {
        format!("DELETE FROM {} WHERE {}", self.tables[table].name, self.is_row(table, row))
    }

    fn insert(&self, table: usize, row: &Row) -> String {
        let Table { name, columns, .. } = &self.tables[table];
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let values: Vec<String> = (0..row.len()).map(|column| self.value(table, row, column)).collect();
        format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), values.join(", "))
    }

    fn is_row(&self, table: usize, row: &Row) -> String {
        let same = |column| {
            let Column { name, .. } = &self.tables[table].columns[column];
            format!("{name} {} {}", T::SAME, self.value(table, row, column))
        };
        (0..row.len()).map(same).collect::<Vec<_>>().join(" AND ")
    }

    fn value(&self, table: usize, row: &Row, column: usize) -> String {
        let kind = self.tables[table].columns[column].kind;
        row[column].as_ref().map_or_else(|| "NULL".to_owned(), |text| self.database.literal(kind, text))
    }

    /// How many changes there were.
    pub(crate) fn tried(&self) -> usize {
        self.tried
    }
}

/// Something, where nothing is.
fn something(kind: Kind) -> String {
    match kind {
        Kind::Bytes => "30313233343536373839616263646566",
        Kind::Text => "a23456789bcd",
        Kind::Number | Kind::Time => "7",
        Kind::Flag => "true",
    }
    .to_owned()
}

fn number(text: &Option<String>, change: impl Fn(i64) -> i64) -> String {
    change(text.as_ref().unwrap().parse().unwrap()).to_string()
}

/// A value with a flipped bit, so many times: in its first byte, its last, and some between.
fn flipped(kind: Kind, text: &str, tries: usize, random: &mut fastrand::Rng) -> Vec<String> {
    let width = if kind == Kind::Bytes { 2 } else { 1 };
    let bytes = text.len() / width;
    if bytes == 0 {
        return vec![something(kind)];
    }
    let mut places = vec![0, bytes - 1];
    places.extend((2..tries).map(|_| random.usize(..bytes)));
    places.truncate(tries);
    places.sort_unstable();
    places.dedup();
    let flip = |place: usize| {
        let (before, rest) = text.split_at(place * width);
        let (byte, after) = rest.split_at(width);
        match kind {
            Kind::Bytes => {
                let byte = u8::from_str_radix(byte, 16).unwrap() ^ (1 << random.u8(0..8));
                format!("{before}{byte:02x}{after}")
            }
            // One of the lower bits, so that a letter becomes another.
            _ => format!("{before}{}{after}", char::from(byte.as_bytes()[0] ^ (1 << random.u8(0..2)))),
        }
    };
    places.into_iter().map(flip).collect()
}

/// Drops all triggers, and connects without constraints and without waiting for the disk.
pub(crate) async fn unguarded(database: &Database) -> SqlitePool {
    let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'ledger%'";
    let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(&database.pool).await.unwrap();
    for trigger in triggers {
        let drop = AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
        sqlx::query(drop).execute(&database.pool).await.unwrap();
    }
    let options = database.pool.connect_options().as_ref().clone();
    let options = options
        .foreign_keys(false)
        .synchronous(SqliteSynchronous::Off)
        .pragma("ignore_check_constraints", "ON");
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

/// A file of which triggers, constraints and the wait for the disk are switched off.
struct Unguarded {
    pool: SqlitePool,
    _database: Database,
}

impl Unguarded {
    /// With the books of accounts in which every kind of entry happened.
    async fn with_books() -> Self {
        let database = database().await.unwrap();
        let ledger = SqliteLedger::new(database.pool.clone());
        ledger::posting::does_what_the_engine_does(&ledger).await;
        // Some of the sums of days are folded, some are not.
        assert!(ledger.fold_totals().await.unwrap() > 0);
        ledger::revenue::books_back_what_is_refunded(&ledger).await;
        let pool = unguarded(&database).await;
        Self { pool, _database: database }
    }
}

impl Tampered for Unguarded {
    const SAME: &str = "IS";

    async fn columns(&self) -> Vec<(String, Column)> {
        let columns = self.texts(
            "SELECT t.name, c.name, c.type, CAST(c.\"notnull\" AS TEXT), CAST(c.pk AS TEXT)
             FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name LIKE 'ledger\\_%' ESCAPE '\\' ORDER BY t.name, c.cid",
        );
        let column = |row: Row| {
            let mut row = row.into_iter().map(Option::unwrap);
            let mut next = || row.next().unwrap();
            let (table, name, kind) = (next(), next(), next());
            let kind = match kind.as_str() {
                "BLOB" => Kind::Bytes,
                "TEXT" => Kind::Text,
                "INTEGER" => Kind::Number,
                other => panic!("{table}.{name} is {other}"),
            };
            (table, Column { name, kind, can_be_empty: next() == "0", in_key: next() != "0" })
        };
        columns.await.into_iter().map(column).collect()
    }

    async fn texts(&self, sql: &str) -> Vec<Row> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
    }

    async fn run(&self, sql: &str) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await?.rows_affected())
    }

    fn as_text(&self, Column { name, kind, .. }: &Column) -> String {
        match kind {
            Kind::Bytes => format!("CASE WHEN {name} IS NOT NULL THEN hex({name}) END"),
            _ => format!("CAST({name} AS TEXT)"),
        }
    }

    fn literal(&self, kind: Kind, text: &str) -> String {
        match kind {
            Kind::Bytes => format!("x'{text}'"),
            Kind::Text => format!("'{}'", text.replace('\'', "''")),
            _ => text.to_owned(),
        }
    }
}

#[tokio::test]
async fn a_changed_value_in_any_column_of_any_row_is_found() {
    let database = Unguarded::with_books().await;
    let ledger = SqliteLedger::new(database.pool.clone());
    let mut books = Books::read(&database, &ledger).await;
    books.every_change_is_found(4).await;
    assert!(books.tried() > 800, "only {} changes were tried", books.tried());
}

#[tokio::test]
async fn rows_that_go_or_come_are_found() {
    let database = Unguarded::with_books().await;
    let ledger = SqliteLedger::new(database.pool.clone());
    let mut books = Books::read(&database, &ledger).await;
    books.every_row_that_goes_or_comes_is_found().await;
    assert!(books.tried() > 40, "only {} changes were tried", books.tried());
}

#[tokio::test]
async fn entries_that_change_their_places_are_found() {
    let database = Unguarded::with_books().await;
    let ledger = SqliteLedger::new(database.pool.clone());
    Books::read(&database, &ledger).await.swapped_entries_are_found().await;
}
