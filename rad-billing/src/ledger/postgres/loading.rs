//! What posting reads, of all accounts of a group at once: heads, open lots, holds, charges, and entries by their keys.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::PgConnection;

use super::super::book::{Book, Parts};
use super::super::rows::{CHARGE, EntryRow, HeadRow, LOT, StateRow};
use crate::database::{bytes, failed};

/// Reads the books of accounts, given their heads, with what entries need of their past.
pub(super) async fn books(
    connection: &mut PgConnection,
    heads: &BTreeMap<AccountId, HeadRow>,
    needs: &[(AccountId, Needs)],
) -> Result<BTreeMap<AccountId, Book>, BackendError> {
    let mut wanted = Ids::default();
    let mut charges_of = Ids::default();
    let needs = || needs.iter().filter(|(account, _)| heads.contains_key(account));
    for (account, need) in needs() {
        match *need {
            Needs::Nothing => {}
            Needs::Lot(lot) => wanted.add(*account, LOT, lot),
            Needs::Charge(charge) => wanted.add(*account, CHARGE, charge),
            Needs::LotAndItsCharges(lot) => {
                wanted.add(*account, LOT, lot);
                charges_of.add(*account, LOT, lot);
            }
            _ => return Err(BackendError::permanent("posting an entry", "its kind is not known here")),
        }
    }
    if !charges_of.ids.is_empty() {
        wanted.append(charges(connection, &charges_of).await?);
    }
    let mut state = State::default();
    state.add(open_rows(connection, heads.keys(), &wanted).await?)?;
    let unchanged = state.charges_lacking(&wanted)?;
    if !unchanged.ids.is_empty() {
        state.add_made(&entries(connection, &unchanged).await?)?;
    }
    let lacking = state.lots_lacking(needs());
    if !lacking.ids.is_empty() {
        state.add(rows(connection, &lacking).await?)?;
    }
    let book = |(account, head): (&AccountId, &HeadRow)| {
        Ok((*account, Book::new(head, state.0.remove(account).unwrap_or_default())?))
    };
    heads.iter().map(book).collect()
}

/// The entries of accounts after those with these numbers, in order.
pub(super) async fn entries_after(
    connection: &mut PgConnection,
    places: &[(AccountId, i64)],
) -> Result<Vec<EntryRow>, BackendError> {
    let accounts: Vec<&[u8]> = places.iter().map(|(account, _)| account.as_bytes().as_slice()).collect();
    let numbers: Vec<i64> = places.iter().map(|(_, seq)| *seq).collect();
    sqlx::query_as(
        "SELECT entry.* FROM unnest($1::bytea[], $2::bigint[]) AS known (account, seq)
         JOIN ledger_entries AS entry ON entry.account = known.account AND entry.seq > known.seq
         ORDER BY entry.account, entry.seq",
    )
    .bind(accounts)
    .bind(numbers)
    .fetch_all(connection)
    .await
    .map_err(failed("reading what others posted"))
}

/// The entries with these keys, of those that are there.
pub(super) async fn by_keys(
    connection: &mut PgConnection,
    keys: &[(AccountId, EntryKey)],
) -> Result<Vec<Posted>, BackendError> {
    let accounts: Vec<&[u8]> = keys.iter().map(|(account, _)| account.as_bytes().as_slice()).collect();
    let keys: Vec<&[u8]> = keys.iter().map(|(_, key)| key.as_bytes().as_slice()).collect();
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT entry.* FROM unnest($1::bytea[], $2::bytea[]) AS wanted (account, key)
         JOIN ledger_entries AS entry ON entry.account = wanted.account AND entry.key = wanted.key",
    )
    .bind(accounts)
    .bind(keys)
    .fetch_all(connection)
    .await
    .map_err(failed("looking for keys"))?;
    rows.iter().map(EntryRow::posted).collect()
}

/// Rows of states, by what names them, as columns.
#[derive(Default)]
struct Ids {
    accounts: Vec<Vec<u8>>,
    kinds: Vec<i16>,
    ids: Vec<i64>,
}

impl Ids {
    fn add(&mut self, account: AccountId, kind: i16, id: u64) {
        // A number that the database cannot keep was never given to anything.
        if let Ok(id) = i64::try_from(id) {
            self.push(account.as_bytes().to_vec(), kind, id);
        }
    }

    fn push(&mut self, account: Vec<u8>, kind: i16, id: i64) {
        self.accounts.push(account);
        self.kinds.push(kind);
        self.ids.push(id);
    }

    fn append(&mut self, charges: Vec<(Vec<u8>, i64)>) {
        charges.into_iter().for_each(|(account, id)| self.push(account, CHARGE, id));
    }

    fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, i16, i64)> {
        let names = self.accounts.iter().zip(&self.kinds).zip(&self.ids);
        names.map(|((account, kind), id)| (account, *kind, *id))
    }
}

/// What was read of each account.
#[derive(Default)]
struct State(BTreeMap<AccountId, Parts>);

impl State {
    fn add(&mut self, rows: Vec<StateRow>) -> Result<(), BackendError> {
        rows.iter().try_for_each(|row| row.add_to(self.0.entry(row.owner()?).or_default()))
    }

    /// Adds charges that are as the entries that made them say.
    fn add_made(&mut self, entries: &[EntryRow]) -> Result<(), BackendError> {
        for entry in entries {
            self.0.entry(entry.owner()?).or_default().charges.extend(entry.charge()?);
        }
        Ok(())
    }

    /// The wanted charges without a row.
    fn charges_lacking(&self, wanted: &Ids) -> Result<Ids, BackendError> {
        let mut lacking = Ids::default();
        for (account, kind, id) in wanted.iter().filter(|(_, kind, _)| *kind == CHARGE) {
            let known = self.0.get(&account_of(account)?).map(|parts| parts.charges.as_slice());
            if !known.unwrap_or_default().iter().any(|charge| i64::try_from(charge.id) == Ok(id)) {
                lacking.push(account.clone(), kind, id);
            }
        }
        Ok(lacking)
    }

    /// The lots that needed charges have parts of, and that are not there.
    fn lots_lacking<'n>(&self, needs: impl Iterator<Item = &'n (AccountId, Needs)>) -> Ids {
        let mut lacking = Ids::default();
        for (account, need) in needs {
            let (Needs::Charge(id), Some(known)) = (need, self.0.get(account)) else { continue };
            let charge = known.charges.iter().find(|charge| charge.id == *id);
            let lots: BTreeSet<u64> =
                charge.iter().flat_map(|charge| &charge.parts).map(|part| part.lot).collect();
            for lot in lots.into_iter().filter(|lot| !known.lots.iter().any(|known| known.id == *lot)) {
                lacking.add(*account, LOT, lot);
            }
        }
        lacking
    }
}

fn account_of(stored: &[u8]) -> Result<AccountId, BackendError> {
    let account = bytes(stored).map(AccountId::from_bytes);
    account.ok_or_else(|| BackendError::corrupt("reading a state", "an id has not 16 bytes"))
}

/// The heads of accounts, of those that have one. With `lock`, nobody else can post to these before the transaction ends.
pub(super) async fn heads(
    connection: &mut PgConnection,
    accounts: &BTreeSet<AccountId>,
    lock: bool,
) -> Result<Vec<HeadRow>, BackendError> {
    // In the order of ids, so that groups that share accounts wait for each other and never in a circle.
    let sql = match lock {
        true => "SELECT * FROM ledger_accounts WHERE account = ANY($1) ORDER BY account FOR UPDATE",
        false => "SELECT * FROM ledger_accounts WHERE account = ANY($1)",
    };
    let ids: Vec<&[u8]> = accounts.iter().map(|account| account.as_bytes().as_slice()).collect();
    sqlx::query_as(sql).bind(ids).fetch_all(connection).await.map_err(failed("reading the heads of accounts"))
}

/// Every charge that ever took from lots.
async fn charges(connection: &mut PgConnection, lots: &Ids) -> Result<Vec<(Vec<u8>, i64)>, BackendError> {
    sqlx::query_as(
        "SELECT took.account, took.charge FROM unnest($1::bytea[], $2::bigint[]) AS wanted (account, lot)
         JOIN ledger_charge_lots AS took USING (account, lot)",
    )
    .bind(&lots.accounts)
    .bind(&lots.ids)
    .fetch_all(connection)
    .await
    .map_err(failed("reading the charges of lots"))
}

/// The entries that made charges.
async fn entries(connection: &mut PgConnection, charges: &Ids) -> Result<Vec<EntryRow>, BackendError> {
    sqlx::query_as(
        "SELECT entry.* FROM unnest($1::bytea[], $2::bigint[]) AS wanted (account, seq)
         JOIN ledger_entries AS entry ON entry.account = wanted.account AND entry.seq = wanted.seq",
    )
    .bind(&charges.accounts)
    .bind(&charges.ids)
    .fetch_all(connection)
    .await
    .map_err(failed("reading charges"))
}

/// The rows that are open, and those that are wanted beside them, some perhaps twice.
async fn open_rows(
    connection: &mut PgConnection,
    accounts: impl Iterator<Item = &AccountId>,
    wanted: &Ids,
) -> Result<Vec<StateRow>, BackendError> {
    let accounts: Vec<&[u8]> = accounts.map(|account| account.as_bytes().as_slice()).collect();
    sqlx::query_as(
        "SELECT account, kind, id, is_open, value FROM ledger_state WHERE account = ANY($1) AND is_open = 1
         UNION ALL
         SELECT account, kind, id, is_open, value
         FROM unnest($2::bytea[], $3::smallint[], $4::bigint[]) AS wanted (account, kind, id)
         JOIN ledger_state USING (account, kind, id)",
    )
    .bind(accounts)
    .bind(&wanted.accounts)
    .bind(&wanted.kinds)
    .bind(&wanted.ids)
    .fetch_all(connection)
    .await
    .map_err(failed("reading states"))
}

async fn rows(connection: &mut PgConnection, wanted: &Ids) -> Result<Vec<StateRow>, BackendError> {
    sqlx::query_as(
        "SELECT account, kind, id, is_open, value
         FROM unnest($1::bytea[], $2::smallint[], $3::bigint[]) AS wanted (account, kind, id)
         JOIN ledger_state USING (account, kind, id)",
    )
    .bind(&wanted.accounts)
    .bind(&wanted.kinds)
    .bind(&wanted.ids)
    .fetch_all(connection)
    .await
    .map_err(failed("reading lots"))
}
