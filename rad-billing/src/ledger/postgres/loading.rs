//! What posting reads, of all accounts of a group at once: heads, open lots, holds, charges, and entries by their keys.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{Charge, EntryKey, Lot, Needs, OpenHold};
use serde::de::DeserializeOwned;
use sqlx::{FromRow, PgConnection};

use super::super::book::{Book, Head};
use super::super::rows::{EntryRow, HeadRow, from_json};
use crate::database::{bytes, failed};

/// Loads the books of accounts, with what entries `need` of their past. With `lock`, nobody else can post to those that
/// have entries before the transaction ends.
pub(super) async fn books(
    connection: &mut PgConnection,
    accounts: &BTreeSet<AccountId>,
    needs: &[(AccountId, Needs)],
    lock: bool,
) -> Result<BTreeMap<AccountId, Book>, BackendError> {
    let mut heads = heads(connection, accounts, lock).await?;
    let mut wanted = Wanted::default();
    for (account, head) in &heads {
        head.owing().into_iter().for_each(|charge| wanted.charges.add(*account, charge));
    }
    for (account, need) in needs.iter().filter(|(account, _)| heads.contains_key(account)) {
        match *need {
            Needs::Nothing => {}
            Needs::Lot(lot) => wanted.lots.add(*account, lot),
            Needs::Charge(charge) => wanted.charges.add(*account, charge),
            Needs::LotAndItsCharges(lot) => {
                wanted.lots.add(*account, lot);
                wanted.charges_of.add(*account, lot);
            }
            _ => return Err(BackendError::permanent("posting an entry", "its kind is not known here")),
        }
    }
    let mut parts = open_parts(connection, heads.keys(), &wanted).await?;
    let lacking = parts.lots_lacking(needs);
    if !lacking.ids.is_empty() {
        parts.add(lots(connection, &lacking).await?)?;
    }
    let book = |account: &AccountId| {
        let head = heads.remove(account).unwrap_or_else(|| Head::new(*account));
        let Part { lots, holds, charges } = parts.0.remove(account).unwrap_or_default();
        let (lots, holds) = (lots.into_values().collect(), holds.into_values().collect());
        Ok((*account, Book::new(head, lots, holds, charges.into_values().collect())?))
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

/// Lots or charges of accounts, as two columns.
#[derive(Default)]
struct Ids {
    accounts: Vec<Vec<u8>>,
    ids: Vec<i64>,
}

impl Ids {
    fn add(&mut self, account: AccountId, id: u64) {
        // A number that the database cannot keep was never given to anything.
        if let Ok(id) = i64::try_from(id) {
            self.accounts.push(account.as_bytes().to_vec());
            self.ids.push(id);
        }
    }
}

/// What is needed beside the open lots and the holds.
#[derive(Default)]
struct Wanted {
    lots: Ids,
    charges: Ids,
    /// Lots of which every charge is wanted that ever took from them.
    charges_of: Ids,
}

/// A row of a state: which table it is of, and what it says.
#[derive(FromRow)]
struct StateRow {
    kind: i32,
    account: Vec<u8>,
    text: String,
}

const LOT: i32 = 1;
const HOLD: i32 = 2;
const CHARGE: i32 = 3;

/// What is open of each account, by id.
#[derive(Default)]
struct Parts(BTreeMap<AccountId, Part>);

#[derive(Default)]
struct Part {
    lots: BTreeMap<u64, Lot>,
    holds: BTreeMap<u64, OpenHold>,
    charges: BTreeMap<u64, Charge>,
}

impl Parts {
    fn add(&mut self, rows: Vec<StateRow>) -> Result<(), BackendError> {
        for row in rows {
            let part = self.0.entry(account_of(&row.account)?).or_default();
            match row.kind {
                LOT => insert(&mut part.lots, &row, |lot: &Lot| lot.id)?,
                HOLD => insert(&mut part.holds, &row, |hold: &OpenHold| hold.id)?,
                CHARGE => insert(&mut part.charges, &row, |charge: &Charge| charge.id)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The lots that needed charges have parts of, and that are not there.
    fn lots_lacking(&self, needs: &[(AccountId, Needs)]) -> Ids {
        let mut lacking = Ids::default();
        for (account, need) in needs {
            let (Needs::Charge(charge), Some(part)) = (need, self.0.get(account)) else { continue };
            let parts = part.charges.get(charge).into_iter().flat_map(|charge| &charge.parts);
            for lot in parts.map(|part| part.lot).filter(|lot| !part.lots.contains_key(lot)) {
                lacking.add(*account, lot);
            }
        }
        lacking
    }
}

fn account_of(stored: &[u8]) -> Result<AccountId, BackendError> {
    let account = bytes(stored).map(AccountId::from_bytes);
    account.ok_or_else(|| BackendError::corrupt("reading a state", "an id has not 16 bytes"))
}

fn insert<T: DeserializeOwned>(
    into: &mut BTreeMap<u64, T>,
    row: &StateRow,
    id: impl Fn(&T) -> u64,
) -> Result<(), BackendError> {
    let value = from_json("of a state", &row.text)?;
    into.insert(id(&value), value);
    Ok(())
}

async fn heads(
    connection: &mut PgConnection,
    accounts: &BTreeSet<AccountId>,
    lock: bool,
) -> Result<BTreeMap<AccountId, Head>, BackendError> {
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
    let head = |row: &HeadRow| {
        let account = account_of(&row.account)?;
        Ok((account, Head::read(account, row)?))
    };
    rows.iter().map(head).collect()
}

async fn open_parts(
    connection: &mut PgConnection,
    accounts: impl Iterator<Item = &AccountId>,
    wanted: &Wanted,
) -> Result<Parts, BackendError> {
    let accounts: Vec<&[u8]> = accounts.map(|account| account.as_bytes().as_slice()).collect();
    let mut parts = Parts::default();
    if accounts.is_empty() {
        return Ok(parts);
    }
    let rows = sqlx::query_as(
        "SELECT 1 AS kind, account, lot AS text FROM ledger_lots WHERE account = ANY($1) AND is_open
         UNION ALL
         SELECT 2, account, hold FROM ledger_holds WHERE account = ANY($1)
         UNION ALL
         SELECT 1, account, lot FROM unnest($2::bytea[], $3::bigint[]) AS wanted (account, id)
         JOIN ledger_lots USING (account, id)
         UNION ALL
         SELECT 3, account, charge FROM unnest($4::bytea[], $5::bigint[]) AS wanted (account, id)
         JOIN ledger_charges USING (account, id)
         UNION ALL
         SELECT 3, taken.account, taken.charge FROM unnest($6::bytea[], $7::bigint[]) AS wanted (account, lot)
         JOIN ledger_charge_lots AS took USING (account, lot)
         JOIN ledger_charges AS taken ON taken.account = took.account AND taken.id = took.charge",
    )
    .bind(accounts)
    .bind(&wanted.lots.accounts)
    .bind(&wanted.lots.ids)
    .bind(&wanted.charges.accounts)
    .bind(&wanted.charges.ids)
    .bind(&wanted.charges_of.accounts)
    .bind(&wanted.charges_of.ids)
    .fetch_all(connection)
    .await
    .map_err(failed("reading states"))?;
    parts.add(rows)?;
    Ok(parts)
}

async fn lots(connection: &mut PgConnection, wanted: &Ids) -> Result<Vec<StateRow>, BackendError> {
    sqlx::query_as(
        "SELECT 1 AS kind, account, lot AS text FROM unnest($1::bytea[], $2::bigint[]) AS wanted (account, id)
         JOIN ledger_lots USING (account, id)",
    )
    .bind(&wanted.accounts)
    .bind(&wanted.ids)
    .fetch_all(connection)
    .await
    .map_err(failed("reading lots"))
}
