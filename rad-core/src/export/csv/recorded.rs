//! What the books say an entry did, from and to its columns.

use super::columns::{BALANCE, Column as C};
use super::row::Row;
use super::write::Cells;
use crate::export::cell::{Cell, Flaw};
use crate::export::{ReadError, Recorded, RecordedLine};
use crate::revenue::{Balance, Part};

/// Reads the recorded columns of a row into `recorded`.
pub(super) fn read(row: &Row<'_>, recorded: &mut Recorded) -> Result<(), ReadError> {
    row.check(BALANCE, u64::MAX, "records with a balance, parts or lines")?;
    row.list_into(C::Parts, &mut recorded.parts)?;
    row.list_into(C::Lines, &mut recorded.lines)?;
    recorded.balance_after = Balance {
        awarded: row.get(C::BalanceAwarded)?,
        purchased: row.get(C::BalancePurchased)?,
        held_awarded: row.get(C::BalanceHeldAwarded)?,
        held_purchased: row.get(C::BalanceHeldPurchased)?,
        frozen: row.get(C::BalanceFrozen)?,
        debt: row.get(C::BalanceDebt)?,
    };
    Ok(())
}

/// Writes the recorded columns.
pub(super) fn write(recorded: &Recorded, cells: &mut Cells) {
    let balance = &recorded.balance_after;
    cells.put_list(C::Parts, &recorded.parts);
    cells.put_list(C::Lines, &recorded.lines);
    cells.put(C::BalanceAwarded, &balance.awarded);
    cells.put(C::BalancePurchased, &balance.purchased);
    cells.put(C::BalanceHeldAwarded, &balance.held_awarded);
    cells.put(C::BalanceHeldPurchased, &balance.held_purchased);
    cells.put(C::BalanceFrozen, &balance.frozen);
    cells.put(C::BalanceDebt, &balance.debt);
}

impl Cell for Part {
    const WANTED: &'static str = "charge:entry:lot:bucket:credits:cost:gross:gross_minor";

    fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut fields = Fields(Some(bytes));
        let part = Self {
            charge: fields.next()?,
            entry: fields.next()?,
            lot: fields.next()?,
            bucket: fields.next()?,
            credits: fields.next()?,
            cost: fields.next()?,
            gross: fields.next()?,
            gross_minor: fields.next()?,
        };
        fields.end().map(|()| part)
    }

    fn write(&self, out: &mut Vec<u8>) {
        for number in [self.charge, self.entry, self.lot] {
            number.write(out);
            out.push(b':');
        }
        self.bucket.write(out);
        out.push(b':');
        self.credits.write(out);
        for amount in [self.cost, self.gross] {
            out.push(b':');
            amount.write(out);
        }
        out.push(b':');
        self.gross_minor.write(out);
    }
}

impl Cell for RecordedLine {
    const WANTED: &'static str = "charge:gross:partner:agent:platform";

    fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut fields = Fields(Some(bytes));
        let line = Self {
            charge: fields.next()?,
            gross: fields.next()?,
            partner: fields.next()?,
            agent: fields.next()?,
            platform: fields.next()?,
        };
        fields.end().map(|()| line)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.charge.write(out);
        for minor in [self.gross, self.partner, self.agent, self.platform] {
            out.push(b':');
            minor.write(out);
        }
    }
}

/// The fields of one item, which colons separate.
struct Fields<'a>(Option<&'a [u8]>);

impl Fields<'_> {
    fn next<T: Cell>(&mut self) -> Result<T, Flaw> {
        let bytes = self.0.ok_or(Flaw::Form)?;
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (field, rest) = match colon.and_then(|colon| bytes.split_at_checked(colon)) {
            Some((field, rest)) => (field, rest.get(1..)),
            None => (bytes, None),
        };
        self.0 = rest;
        T::parse(field)
    }

    const fn end(&self) -> Result<(), Flaw> {
        if self.0.is_none() { Ok(()) } else { Err(Flaw::Form) }
    }
}
