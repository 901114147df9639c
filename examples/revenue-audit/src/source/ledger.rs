//! Ledgers in databases, opened for reading alone.
//!
//! A thread of its own reads pages ahead and decodes them, while the records of the page before are replayed. All of it is
//! one snapshot: what is posted meanwhile is not seen.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rad_billing::ledger::Export;
use rad_billing::{PostgresLedger, SqliteLedger, postgres, sqlite};
use rad_core::checkpoint::Checkpoints;
use rad_core::error::BackendError;
use rad_core::export::{Record, Recorded};
use rad_core::ledger::Posted;
use secrecy::SecretString;
use tokio::runtime::Runtime;

use super::{Records, Wanted};
use crate::failure::{InputError, InputFault};

/// Pages that are read before they are asked for.
const AHEAD: usize = 2;

/// Where a ledger is.
#[derive(Debug, Clone)]
pub(super) enum Address {
    /// A file.
    Sqlite(PathBuf),
    /// A server, with the password.
    Postgres(SecretString),
}

impl Address {
    /// The address that a source names: `sqlite:PATH`, `postgres://…`.
    pub(super) fn of(source: &str) -> Option<Self> {
        if let Some(path) = source.strip_prefix("sqlite:") {
            return Some(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()));
        }
        let is_postgres = source.starts_with("postgres:") || source.starts_with("postgresql:");
        is_postgres.then(|| Self::Postgres(source.to_owned().into()))
    }

    /// The address without anything secret.
    fn name(&self) -> Result<String, InputError> {
        match self {
            Self::Sqlite(path) => Ok(format!("sqlite:{}", path.display())),
            Self::Postgres(url) => postgres::name(url).map_err(|error| unread("postgres:…", error)),
        }
    }

    async fn ledger(&self) -> Result<Arc<dyn Checkpoints>, BackendError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteLedger::new(sqlite::open_read_only(path).await?)),
            Self::Postgres(url) => Arc::new(PostgresLedger::new(postgres::open_read_only(url).await?)),
        })
    }

    async fn export(&self) -> Result<Export, BackendError> {
        match self {
            Self::Sqlite(path) => SqliteLedger::new(sqlite::open_read_only(path).await?).export().await,
            Self::Postgres(url) => PostgresLedger::new(postgres::open_read_only(url).await?).export().await,
        }
    }
}

/// Opens the ledger at an address.
pub(super) fn open(address: Address, wanted: Wanted) -> Result<LedgerRecords, InputError> {
    let name = address.name()?;
    if let Address::Sqlite(path) = &address {
        // The database would only say that it could not open it.
        check_file(path).map_err(|error| InputError::new(&name, InputFault::Open(error)))?;
    }
    let (sender, pages) = sync_channel(AHEAD);
    let reader = thread::Builder::new().name("ledger".into());
    let started = reader.spawn(move || read(&address, wanted, &sender));
    started.map_err(|error| InputError::new(&name, InputFault::Open(error)))?;
    let (page, with_recorded) = (Vec::new().into_iter(), wanted == Wanted::Recorded);
    let mut records = LedgerRecords { name, pages, page, with_recorded, done: 0, entries: 0 };
    match records.receive()? {
        Read::Begun(entries) => records.entries = entries,
        Read::Page(_) => return Err(records.stopped()),
    }
    Ok(records)
}

/// A ledger in a database, opened for reading alone, for what more it knows than its entries.
pub struct LedgerAt {
    name: String,
    runtime: Runtime,
    ledger: Arc<dyn Checkpoints>,
}

impl LedgerAt {
    /// Opens the ledger that a source names; `None` if it names a file.
    ///
    /// # Errors
    /// [`InputError`] if it cannot be opened.
    pub fn open(source: &str) -> Result<Option<Self>, InputError> {
        let Some(address) = Address::of(source) else { return Ok(None) };
        let name = address.name()?;
        let runtime = Runtime::new().map_err(|error| InputError::new(&name, InputFault::Open(error)))?;
        let ledger = runtime.block_on(address.ledger()).map_err(|error| unread(&name, error))?;
        Ok(Some(Self { name, runtime, ledger }))
    }

    /// Does something with the ledger.
    ///
    /// # Errors
    /// [`InputFault::Database`].
    pub fn run<'a, T, F>(&'a self, work: impl FnOnce(&'a Arc<dyn Checkpoints>) -> F) -> Result<T, InputError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        self.runtime.block_on(work(&self.ledger)).map_err(|error| unread(&self.name, error))
    }
}

/// The records of a ledger.
pub(super) struct LedgerRecords {
    name: String,
    pages: Receiver<Result<Read, BackendError>>,
    page: std::vec::IntoIter<Posted>,
    with_recorded: bool,
    done: u64,
    entries: u64,
}

/// What the reading thread sends: first how many entries there are, then pages, the last of which is empty.
enum Read {
    Begun(u64),
    Page(Vec<Posted>),
}

impl LedgerRecords {
    fn receive(&self) -> Result<Read, InputError> {
        match self.pages.recv() {
            Ok(read) => read.map_err(|error| unread(&self.name, error)),
            Err(_) => Err(self.stopped()),
        }
    }

    fn stopped(&self) -> InputError {
        unread(&self.name, BackendError::unavailable("reading entries", "the reader stopped"))
    }
}

impl Records for LedgerRecords {
    fn next(&mut self, record: &mut Record) -> Result<bool, InputError> {
        let posted = match self.page.next() {
            Some(posted) => posted,
            None => {
                let Read::Page(page) = self.receive()? else { return Err(self.stopped()) };
                self.page = page.into_iter();
                let Some(posted) = self.page.next() else { return Ok(false) };
                posted
            }
        };
        self.done += 1;
        let recorded = self.with_recorded.then(|| Recorded::from(&posted.effect));
        *record = Record { entry: posted.entry, hash: Some(posted.hash), recorded };
        Ok(true)
    }

    fn progress(&self) -> Option<(u64, u64)> {
        Some((self.done, self.entries))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

fn unread(name: &str, error: BackendError) -> InputError {
    InputError::new(name, InputFault::Database(error))
}

fn check_file(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path).map(drop)
}

/// Reads until the end, a failure, or nobody wants more.
fn read(address: &Address, wanted: Wanted, pages: &SyncSender<Result<Read, BackendError>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let read = match runtime {
        Ok(runtime) => runtime.block_on(read_pages(address, wanted, pages)),
        Err(error) => Err(BackendError::unavailable("starting to read", error)),
    };
    if let Err(error) = read {
        // Nobody listens any more if this fails.
        let _ = pages.send(Err(error));
    }
}

async fn read_pages(
    address: &Address,
    wanted: Wanted,
    pages: &SyncSender<Result<Read, BackendError>>,
) -> Result<(), BackendError> {
    let mut export = address.export().await?;
    if wanted == Wanted::Entries {
        export = export.without_effects();
    }
    let mut is_wanted = pages.send(Ok(Read::Begun(export.entries()))).is_ok();
    while is_wanted {
        let page = export.next_page().await?;
        let is_last = page.is_empty();
        is_wanted = pages.send(Ok(Read::Page(page))).is_ok() && !is_last;
    }
    Ok(())
}
