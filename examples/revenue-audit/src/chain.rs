//! The hash chain of one account, followed through the records of a source.

use rad_core::export::Record;
use rad_core::source::Digest;

use crate::failure::Altered;

/// The hash of the last entry so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chain {
    head: Digest,
}

impl Chain {
    /// Takes the next entry of the account and gives its hash. Where the source records none, it is computed.
    ///
    /// # Errors
    /// [`Altered`] if another one is recorded.
    pub fn follow(
        &mut self,
        record: &Record,
        source: &str,
        line: Option<u64>,
    ) -> Result<Digest, Box<Altered>> {
        let hash = record.entry.hash(&self.head);
        if let Some(recorded) = record.hash.filter(|recorded| *recorded != hash) {
            let (source, entry) = (source.to_owned(), record.entry.id());
            return Err(Box::new(Altered { source, line, entry, hash, recorded }));
        }
        self.head = hash;
        Ok(hash)
    }
}
