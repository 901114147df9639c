//! Refuses records that are out of account order, which a reader with the state of one account in memory cannot follow.

use rad_core::export::Record;
use rad_core::id::AccountId;

use super::Records;
use crate::failure::{InputError, InputFault};

/// Records whose accounts come by ascending id, each in one piece.
pub(super) struct InOrder<R> {
    records: R,
    account: Option<AccountId>,
}

impl<R: Records> InOrder<R> {
    pub(super) const fn new(records: R) -> Self {
        Self { records, account: None }
    }
}

impl<R: Records> Records for InOrder<R> {
    fn next(&mut self, record: &mut Record) -> Result<bool, InputError> {
        if !self.records.next(record)? {
            return Ok(false);
        }
        let account = record.entry.account;
        match self.account.replace(account) {
            Some(after) if account < after => {
                let fault = InputFault::AccountOrder { line: self.line(), account, after };
                Err(InputError::new(self.name(), fault))
            }
            _ => Ok(true),
        }
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.records.progress()
    }

    fn line(&self) -> Option<u64> {
        self.records.line()
    }

    fn name(&self) -> &str {
        self.records.name()
    }
}
