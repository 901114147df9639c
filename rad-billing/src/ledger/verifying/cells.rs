//! Rows as they are stored. Whichever database they are of, their columns are read one after the other and nothing is copied:
//! verifying looks at every byte of every row once.

use rad_core::error::BackendError;

use super::super::micros::Micros;

/// A row that was read from a database.
pub(in super::super) trait StoredRow: Send {
    type Cells<'r>: Cells<'r>
    where
        Self: 'r;

    fn cells(&self) -> Self::Cells<'_>;
}

/// The columns of a row from its first on, in the order of the `COLUMNS` that were asked for. Names are for messages.
pub(in super::super) trait Cells<'r> {
    /// Bytes, or those of a text: texts are compared and never read.
    fn bytes_or_null(&mut self, name: &'static str) -> Result<Option<&'r [u8]>, BackendError>;
    fn number(&mut self, name: &'static str) -> Result<i64, BackendError>;
    fn small_number(&mut self, name: &'static str) -> Result<i16, BackendError>;
    fn time(&mut self, name: &'static str) -> Result<Micros, BackendError>;

    #[inline]
    fn bytes(&mut self, name: &'static str) -> Result<&'r [u8], BackendError> {
        self.bytes_or_null(name)?.ok_or_else(|| unreadable(name, "is empty"))
    }
}

/// Says why a column cannot be read.
#[cold]
pub(in super::super) fn unreadable(name: &'static str, problem: &str) -> BackendError {
    BackendError::corrupt("reading a row", format!("column {name} {problem}"))
}

/// What a row says.
pub(super) trait View<'r>: Sized {
    /// Reads the columns that follow the account, which comes first.
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError>;
}

/// A row of `ledger_entries`.
#[derive(Debug)]
pub(super) struct EntryView<'r> {
    pub(super) seq: i64,
    /// The rest, or why it cannot be read.
    pub(super) said: Result<Said<'r>, BackendError>,
}

/// What an entry says beside where it stands.
#[derive(Debug)]
pub(super) struct Said<'r> {
    pub(super) at: Micros,
    pub(super) key: &'r [u8],
    pub(super) actor: Option<&'r [u8]>,
    pub(super) kind: &'r [u8],
    pub(super) category: Option<&'r [u8]>,
    pub(super) deployment: Option<&'r [u8]>,
    pub(super) module: Option<&'r [u8]>,
    pub(super) note: Option<&'r [u8]>,
    pub(super) body: &'r [u8],
    pub(super) effect: &'r [u8],
    pub(super) hash: &'r [u8],
}

/// The columns of an [`EntryView`].
pub(in super::super) const ENTRY: &str =
    "account, seq, at, key, actor, kind, category, deployment, module, note, body, effect, hash";

impl<'r> View<'r> for EntryView<'r> {
    #[inline]
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError> {
        Ok(Self { seq: cells.number("seq")?, said: Said::read(cells) })
    }
}

impl<'r> Said<'r> {
    #[inline]
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError> {
        Ok(Self {
            at: cells.time("at")?,
            key: cells.bytes("key")?,
            actor: cells.bytes_or_null("actor")?,
            kind: cells.bytes("kind")?,
            category: cells.bytes_or_null("category")?,
            deployment: cells.bytes_or_null("deployment")?,
            module: cells.bytes_or_null("module")?,
            note: cells.bytes_or_null("note")?,
            body: cells.bytes("body")?,
            effect: cells.bytes("effect")?,
            hash: cells.bytes("hash")?,
        })
    }
}

/// A row of `ledger_lines`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineView<'r> {
    pub(super) entry: i64,
    pub(super) place: i64,
    pub(super) at: Micros,
    pub(super) partner: Option<&'r [u8]>,
    pub(super) agent: Option<&'r [u8]>,
    pub(super) module: &'r [u8],
    pub(super) gross: i64,
    pub(super) partner_share: i64,
    pub(super) agent_share: i64,
    pub(super) platform_share: i64,
}

/// The columns of a [`LineView`].
pub(in super::super) const LINE: &str =
    "account, entry, place, at, partner, agent, module, gross, partner_share, agent_share, platform_share";

impl<'r> View<'r> for LineView<'r> {
    #[inline]
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError> {
        Ok(Self {
            entry: cells.number("entry")?,
            place: cells.number("place")?,
            at: cells.time("at")?,
            partner: cells.bytes_or_null("partner")?,
            agent: cells.bytes_or_null("agent")?,
            module: cells.bytes("module")?,
            gross: cells.number("gross")?,
            partner_share: cells.number("partner_share")?,
            agent_share: cells.number("agent_share")?,
            platform_share: cells.number("platform_share")?,
        })
    }
}

/// A row of `ledger_accounts`.
#[derive(Debug)]
pub(super) struct HeadView<'r> {
    pub(super) seq: i64,
    pub(super) hash: &'r [u8],
    pub(super) state: &'r [u8],
}

/// The columns of a [`HeadView`].
pub(in super::super) const HEAD: &str = "account, seq, hash, state";

impl<'r> View<'r> for HeadView<'r> {
    #[inline]
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError> {
        Ok(Self { seq: cells.number("seq")?, hash: cells.bytes("hash")?, state: cells.bytes("state")? })
    }
}

/// A row of `ledger_state`.
#[derive(Debug)]
pub(super) struct StateView<'r> {
    pub(super) kind: i16,
    pub(super) id: i64,
    pub(super) is_open: i16,
    pub(super) value: &'r [u8],
}

/// The columns of a [`StateView`].
pub(in super::super) const STATE: &str = "account, kind, id, is_open, value";

impl<'r> View<'r> for StateView<'r> {
    #[inline]
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError> {
        Ok(Self {
            kind: cells.small_number("kind")?,
            id: cells.number("id")?,
            is_open: cells.small_number("is_open")?,
            value: cells.bytes("value")?,
        })
    }
}

/// A row of `ledger_charge_lots`: a lot, and a charge that took from it.
#[derive(Debug)]
pub(super) struct TookView {
    pub(super) lot: i64,
    pub(super) charge: i64,
}

/// The columns of a [`TookView`].
pub(in super::super) const TOOK: &str = "account, lot, charge";

impl<'r> View<'r> for TookView {
    #[inline]
    fn read(cells: &mut impl Cells<'r>) -> Result<Self, BackendError> {
        Ok(Self { lot: cells.number("lot")?, charge: cells.number("charge")? })
    }
}

/// Goes along rows that are in the order of their accounts.
#[derive(Debug)]
pub(super) struct Cursor<'r, R, V> {
    rest: std::slice::Iter<'r, R>,
    /// The next row and the account that it belongs to.
    next: Option<(&'r [u8], V)>,
    /// Why rows could not be read that it passed over.
    pub(super) unreadable: Vec<BackendError>,
}

impl<'r, R: StoredRow, V: View<'r>> Cursor<'r, R, V> {
    pub(super) fn new(rows: &'r [R]) -> Self {
        let mut cursor = Self { rest: rows.iter(), next: None, unreadable: Vec::new() };
        cursor.advance();
        cursor
    }

    fn advance(&mut self) {
        self.next = None;
        while self.next.is_none() {
            let Some(row) = self.rest.next() else { return };
            let mut cells = row.cells();
            match account(&mut cells).and_then(|account| Ok((account, V::read(&mut cells)?))) {
                Ok(next) => self.next = Some(next),
                Err(error) => self.unreadable.push(error),
            }
        }
    }

    /// The account of the next row.
    pub(super) fn account(&self) -> Option<&'r [u8]> {
        self.next.as_ref().map(|(account, _)| *account)
    }

    /// The next row, if it is the account's, is such a one, and after it the one that follows.
    pub(super) fn take_if(&mut self, account: &[u8], is_such: impl FnOnce(&V) -> bool) -> Option<V> {
        let (_, taken) = self.next.take_if(|(of, next)| *of == account && is_such(next))?;
        self.advance();
        Some(taken)
    }

    /// The next row, if it is the account's.
    pub(super) fn take(&mut self, account: &[u8]) -> Option<V> {
        self.take_if(account, |_| true)
    }
}

/// The account that a row belongs to.
#[inline]
pub(super) fn account<'r>(cells: &mut impl Cells<'r>) -> Result<&'r [u8], BackendError> {
    cells.bytes("account")
}
