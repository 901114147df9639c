//! What posting writes: everything of a group as columns, in one statement.

use rad_core::error::BackendError;
use rad_core::ledger::Posted;
use sqlx::{PgConnection, query::Query};

use super::super::book::{Book, Changes};
use super::super::micros::Micros;
use super::super::rows::{EntryRow, LineRow, number};
use crate::database::failed;

/// The first time that `timestamptz` keeps, in 4714 BC; its last one is later than any that an entry can have.
const FIRST: Micros = Micros(-210_866_803_200_000_000);

/// Everything that a group writes, column by column.
#[derive(Debug, Default)]
pub(super) struct Writes {
    entries: EntryColumns,
    lines: LineColumns,
    charge_lots: ChargeLotColumns,
    heads: HeadColumns,
    lots: LotColumns,
    holds: TextColumns,
    closed_holds: IdColumns,
    charges: TextColumns,
}

#[derive(Debug, Default)]
struct EntryColumns {
    account: Vec<Vec<u8>>,
    seq: Vec<i64>,
    at: Vec<Micros>,
    key: Vec<Vec<u8>>,
    actor: Vec<Option<Vec<u8>>>,
    kind: Vec<String>,
    category: Vec<Option<String>>,
    deployment: Vec<Option<String>>,
    body: Vec<String>,
    effect: Vec<String>,
    hash: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct LineColumns {
    account: Vec<Vec<u8>>,
    entry: Vec<i64>,
    place: Vec<i64>,
    at: Vec<Micros>,
    partner: Vec<Option<Vec<u8>>>,
    agent: Vec<Option<Vec<u8>>>,
    module: Vec<Vec<u8>>,
    gross: Vec<i64>,
    partner_share: Vec<i64>,
    agent_share: Vec<i64>,
    platform_share: Vec<i64>,
    line: Vec<String>,
}

#[derive(Debug, Default)]
struct ChargeLotColumns {
    account: Vec<Vec<u8>>,
    lot: Vec<i64>,
    charge: Vec<i64>,
}

#[derive(Debug, Default)]
struct HeadColumns {
    account: Vec<Vec<u8>>,
    seq: Vec<i64>,
    hash: Vec<Vec<u8>>,
    state: Vec<String>,
    before: Vec<i64>,
}

#[derive(Debug, Default)]
struct LotColumns {
    rows: TextColumns,
    is_open: Vec<bool>,
}

#[derive(Debug, Default)]
struct TextColumns {
    ids: IdColumns,
    text: Vec<String>,
}

#[derive(Debug, Default)]
struct IdColumns {
    account: Vec<Vec<u8>>,
    id: Vec<i64>,
}

impl Writes {
    /// Adds an entry, its revenue lines, and which lots its charges took from.
    pub(super) fn append(&mut self, posted: &Posted) -> Result<(), BackendError> {
        let row = EntryRow::of(posted)?;
        if row.at < FIRST {
            let at = posted.entry.at;
            let problem =
                format!("the time {at} is before 4714-11-24 BC, the first that PostgreSQL can keep");
            return Err(BackendError::permanent("appending an entry", problem));
        }
        self.entries.push(row);
        for (place, line) in posted.effect.lines.iter().enumerate() {
            self.lines.push(LineRow::of(place, line)?);
        }
        for part in &posted.effect.parts {
            self.charge_lots.account.push(posted.entry.account.as_bytes().to_vec());
            self.charge_lots.lot.push(number(part.lot)?);
            self.charge_lots.charge.push(number(part.charge)?);
        }
        Ok(())
    }

    /// Adds the head of an account and the rows of its state that changed.
    pub(super) fn save(&mut self, book: &Book) -> Result<(), BackendError> {
        let Changes { head, before, lots, holds, closed_holds, charges } = book.changes()?;
        let account = head.account;
        for (id, is_open, lot) in lots {
            self.lots.rows.push(&account, id, lot);
            self.lots.is_open.push(is_open);
        }
        holds.into_iter().for_each(|(id, hold)| self.holds.push(&account, id, hold));
        closed_holds.into_iter().for_each(|id| self.closed_holds.push(&account, id));
        charges.into_iter().for_each(|(id, charge)| self.charges.push(&account, id, charge));
        self.heads.account.push(account);
        self.heads.seq.push(head.seq);
        self.heads.hash.push(head.hash);
        self.heads.state.push(head.state);
        self.heads.before.push(before);
        Ok(())
    }

    /// Writes everything, if every account still has the last entry that its book was loaded with.
    pub(super) async fn execute(self, connection: &mut PgConnection) -> Result<(), BackendError> {
        let query = self.entries.bind(sqlx::query(WRITE));
        let query = self.lines.bind(query);
        let query = query
            .bind(self.charge_lots.account)
            .bind(self.charge_lots.lot)
            .bind(self.charge_lots.charge)
            .bind(self.lots.rows.ids.account)
            .bind(self.lots.rows.ids.id)
            .bind(self.lots.is_open)
            .bind(self.lots.rows.text)
            .bind(self.holds.ids.account)
            .bind(self.holds.ids.id)
            .bind(self.holds.text)
            .bind(self.closed_holds.account)
            .bind(self.closed_holds.id)
            .bind(self.charges.ids.account)
            .bind(self.charges.ids.id)
            .bind(self.charges.text)
            .bind(number(self.heads.account.len() as u64)?)
            .bind(self.heads.account)
            .bind(self.heads.seq)
            .bind(self.heads.hash)
            .bind(self.heads.state)
            .bind(self.heads.before);
        query.execute(connection).await.map_err(failed("writing entries"))?;
        Ok(())
    }
}

type PgQuery<'q> = Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl EntryColumns {
    fn push(&mut self, row: EntryRow) {
        self.account.push(row.account);
        self.seq.push(row.seq);
        self.at.push(row.at);
        self.key.push(row.key);
        self.actor.push(row.actor);
        self.kind.push(row.kind);
        self.category.push(row.category);
        self.deployment.push(row.deployment);
        self.body.push(row.body);
        self.effect.push(row.effect);
        self.hash.push(row.hash);
    }

    fn bind(self, query: PgQuery<'_>) -> PgQuery<'_> {
        query
            .bind(self.account)
            .bind(self.seq)
            .bind(self.at)
            .bind(self.key)
            .bind(self.actor)
            .bind(self.kind)
            .bind(self.category)
            .bind(self.deployment)
            .bind(self.body)
            .bind(self.effect)
            .bind(self.hash)
    }
}

impl LineColumns {
    fn push(&mut self, row: LineRow) {
        self.account.push(row.account);
        self.entry.push(row.entry);
        self.place.push(row.place);
        self.at.push(row.at);
        self.partner.push(row.partner);
        self.agent.push(row.agent);
        self.module.push(row.module);
        self.gross.push(row.gross);
        self.partner_share.push(row.partner_share);
        self.agent_share.push(row.agent_share);
        self.platform_share.push(row.platform_share);
        self.line.push(row.line);
    }

    fn bind(self, query: PgQuery<'_>) -> PgQuery<'_> {
        query
            .bind(self.account)
            .bind(self.entry)
            .bind(self.place)
            .bind(self.at)
            .bind(self.partner)
            .bind(self.agent)
            .bind(self.module)
            .bind(self.gross)
            .bind(self.partner_share)
            .bind(self.agent_share)
            .bind(self.platform_share)
            .bind(self.line)
    }
}

impl TextColumns {
    fn push(&mut self, account: &[u8], id: i64, text: String) {
        self.ids.push(account, id);
        self.text.push(text);
    }
}

impl IdColumns {
    fn push(&mut self, account: &[u8], id: i64) {
        self.account.push(account.to_vec());
        self.id.push(id);
    }
}

const WRITE: &str = "
WITH entries AS (
    INSERT INTO ledger_entries
        (account, seq, at, key, actor, kind, category, deployment, body, effect, hash)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::text[],
        $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[])
), lines AS (
    INSERT INTO ledger_lines
        (account, entry, place, at, partner, agent, module,
         gross, partner_share, agent_share, platform_share, line)
    SELECT * FROM unnest($12::bytea[], $13::bigint[], $14::bigint[], $15::timestamptz[], $16::bytea[], $17::bytea[],
        $18::bytea[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::text[])
), charge_lots AS (
    INSERT INTO ledger_charge_lots (account, lot, charge)
    SELECT * FROM unnest($24::bytea[], $25::bigint[], $26::bigint[])
    ON CONFLICT DO NOTHING
), lots AS (
    INSERT INTO ledger_lots (account, id, is_open, lot)
    SELECT * FROM unnest($27::bytea[], $28::bigint[], $29::boolean[], $30::text[])
    ON CONFLICT (account, id) DO UPDATE SET is_open = excluded.is_open, lot = excluded.lot
), holds AS (
    INSERT INTO ledger_holds (account, id, hold)
    SELECT * FROM unnest($31::bytea[], $32::bigint[], $33::text[])
    ON CONFLICT (account, id) DO UPDATE SET hold = excluded.hold
), closed_holds AS (
    DELETE FROM ledger_holds
    USING unnest($34::bytea[], $35::bigint[]) AS closed (account, id)
    WHERE ledger_holds.account = closed.account AND ledger_holds.id = closed.id
), charges AS (
    INSERT INTO ledger_charges (account, id, charge)
    SELECT * FROM unnest($36::bytea[], $37::bigint[], $38::text[])
    ON CONFLICT (account, id) DO UPDATE SET charge = excluded.charge
), heads AS (
    SELECT * FROM unnest($40::bytea[], $41::bigint[], $42::bytea[], $43::text[], $44::bigint[])
        AS head (account, seq, hash, state, before)
), new_heads AS (
    INSERT INTO ledger_accounts (account, seq, hash, state)
    SELECT account, seq, hash, state FROM heads WHERE before = 0 ORDER BY account
    ON CONFLICT (account) DO NOTHING
    RETURNING 1
), moved_heads AS (
    UPDATE ledger_accounts SET seq = heads.seq, hash = heads.hash, state = heads.state
    FROM heads
    WHERE ledger_accounts.account = heads.account AND ledger_accounts.seq = heads.before
    RETURNING 1
)
SELECT ledger_expects($39, (SELECT count(*) FROM new_heads) + (SELECT count(*) FROM moved_heads))";
