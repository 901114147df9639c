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

/// Reads the books of accounts, with what entries `need` of their past. With `lock`, nobody else can post to those that
/// have entries before the transaction ends.
pub(super) async fn books(
    connection: &mut PgConnection,
    accounts: &BTreeSet<AccountId>,
    needs: &[(AccountId, Needs)],
    lock: bool,
) -> Result<BTreeMap<AccountId, Book>, BackendError> {
    let heads = heads(connection, accounts, lock).await?;
    let mut wanted = Wanted::default();
    for (account, need) in needs.iter().filter(|(account, _)| heads.contains_key(account)) {
        match *need {
            Needs::Nothing => {}
            Needs::Lot(lot) => wanted.rows.add(*account, LOT, lot),
            Needs::Charge(charge) => wanted.rows.add(*account, CHARGE, charge),
            Needs::LotAndItsCharges(lot) => {
                wanted.rows.add(*account, LOT, lot);
                wanted.charges_of.add(*account, LOT, lot);
            }
            _ => return Err(BackendError::permanent("posting an entry", "its kind is not known here")),
        }
    }
    let mut state = State::default();
    if !heads.is_empty() {
        state.add(open_rows(connection, heads.keys(), &wanted).await?)?;
        let lacking = state.lots_lacking(needs);
        if !lacking.ids.is_empty() {
            state.add(rows(connection, &lacking).await?)?;
        }
    }
    let book = |account: &AccountId| {
        let book = match heads.get(account) {
            Some(head) => Book::new(head, state.0.remove(account).unwrap_or_default())?,
            None => Book::empty(*account),
        };
        Ok((*account, book))
    };
    accounts.iter().map(book).collect()
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
            self.accounts.push(account.as_bytes().to_vec());
            self.kinds.push(kind);
            self.ids.push(id);
        }
    }
}

/// What is needed beside the open rows.
#[derive(Default)]
struct Wanted {
    rows: Ids,
    /// Lots of which every charge is wanted that ever took from them.
    charges_of: Ids,
}

/// What was read of each account.
#[derive(Default)]
struct State(BTreeMap<AccountId, Parts>);

impl State {
    fn add(&mut self, rows: Vec<StateRow>) -> Result<(), BackendError> {
        rows.iter().try_for_each(|row| row.add_to(self.0.entry(row.owner()?).or_default()))
    }

    /// The lots that needed charges have parts of, and that are not there.
    fn lots_lacking(&self, needs: &[(AccountId, Needs)]) -> Ids {
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

async fn heads(
    connection: &mut PgConnection,
    accounts: &BTreeSet<AccountId>,
    lock: bool,
) -> Result<BTreeMap<AccountId, HeadRow>, BackendError> {
    // In the order of ids, so that groups that share accounts wait for each other and never in a circle.
    let sql = match lock {
        true => "SELECT * FROM ledger_accounts WHERE account = ANY($1) ORDER BY account FOR UPDATE",
        false => "SELECT * FROM ledger_accounts WHERE account = ANY($1)",
    };
    let ids: Vec<&[u8]> = accounts.iter().map(|account| account.as_bytes().as_slice()).collect();
    let rows: Vec<HeadRow> = sqlx::query_as(sql)
        .bind(ids)
        .fetch_all(connection)
        .await
        .map_err(failed("reading the heads of accounts"))?;
    rows.into_iter().map(|row| Ok((account_of(&row.account)?, row))).collect()
}

/// The rows that are open, and those that are wanted beside them, some perhaps twice.
async fn open_rows(
    connection: &mut PgConnection,
    accounts: impl Iterator<Item = &AccountId>,
    wanted: &Wanted,
) -> Result<Vec<StateRow>, BackendError> {
    let accounts: Vec<&[u8]> = accounts.map(|account| account.as_bytes().as_slice()).collect();
    sqlx::query_as(
        "SELECT account, kind, id, is_open, value FROM ledger_state WHERE account = ANY($1) AND is_open = 1
         UNION ALL
         SELECT account, kind, id, is_open, value
         FROM unnest($2::bytea[], $3::smallint[], $4::bigint[]) AS wanted (account, kind, id)
         JOIN ledger_state USING (account, kind, id)
         UNION ALL
         SELECT taken.account, taken.kind, taken.id, taken.is_open, taken.value
         FROM unnest($5::bytea[], $6::bigint[]) AS wanted (account, lot)
         JOIN ledger_charge_lots AS took USING (account, lot)
         JOIN ledger_state AS taken
            ON taken.account = took.account AND taken.kind = 3 AND taken.id = took.charge",
    )
    .bind(accounts)
    .bind(&wanted.rows.accounts)
    .bind(&wanted.rows.kinds)
    .bind(&wanted.rows.ids)
    .bind(&wanted.charges_of.accounts)
    .bind(&wanted.charges_of.ids)
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
