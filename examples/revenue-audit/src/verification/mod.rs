//! Proves or disproves books: every entry against the one before it, its hash, the engine, what is recorded of it and the
//! share rules of its time. It lists every finding and goes on.

mod finding;
mod found;
mod keys;
mod recorded;
mod stored;
mod tally;

use chrono::{DateTime, Utc};
use rad_core::export::Record;
use rad_core::id::AccountId;
use rad_core::revenue::{AccountState, Body, Effect, Entry, PLATFORM_ACCOUNT, ShareHistory, Violation};
use rad_core::source::Digest;
use serde::Serialize;

pub use self::finding::{Finding, Wrong};
pub use self::stored::add_stored;
pub(crate) use self::stored::failure;

use self::found::{At, Found, Has};
use self::keys::Keys;
use self::tally::Tally;
use crate::checkpoint::Against;
use crate::failure::InputError;
use crate::progress::Progress;
use crate::source::Records;

/// What was looked at, in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    /// Accounts, without the platform's own.
    pub accounts: u64,
    /// Entries, whose numbers, times and keys were looked at.
    pub entries: u64,
    /// Entries that the engine replayed.
    pub replayed: u64,
    /// Entries that could not be replayed, because one before them in the account is refused.
    pub not_replayed: u64,
    /// Hashes that were computed again and compared.
    pub hashes: u64,
    /// Entries whose recorded attribution, lines and balance were compared with the replay.
    pub recorded: u64,
    /// Share rules in the history of the platform's account.
    pub share_rules: u64,
    /// Charges whose terms were compared with the rules of their time.
    pub terms: u64,
    /// Charges whose terms could not be compared, because the source has no sound history of share rules.
    pub terms_unchecked: u64,
    /// Accounts all of whose lots add up, credits and cost.
    pub conserved: u64,
    /// Accounts of a database whose revenue lines and state were compared with their entries.
    pub stored: u64,
}

/// What a verification came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// What was looked at.
    pub checked: Checked,
    /// What the source does not have, so that it could not be checked.
    pub absent: Vec<&'static str>,
    /// What is wrong, in the order of the source.
    pub findings: Vec<Finding>,
    /// How many more findings there are than are listed.
    pub more_findings: u64,
}

impl Verification {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.more_findings == 0
    }

    /// Adds a finding, or counts it if there are `most` already.
    pub fn add(&mut self, finding: Finding, most: usize) {
        if self.findings.len() < most {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

/// Verifies a source, compares it with a checkpoint file where there is one, and lists up to `most` findings.
///
/// # Errors
/// [`InputError`] if the source or the file cannot be read to its end.
pub fn verify(
    records: &mut dyn Records,
    against: Option<&mut Against>,
    most: usize,
) -> Result<Verification, InputError> {
    let (mut record, mut progress) = (Record::default(), Progress::new());
    let (mut verifier, mut against) = (Verifier::new(most), against);
    while records.next(&mut record)? {
        progress.note(&*records);
        verifier.look_at(&record, records.line());
        if let Some(against) = &mut against {
            verifier.compare(&record, records.line(), against)?;
        }
    }
    if let Some(against) = against {
        against.finish(&mut |differs| verifier.found.differs(differs, None))?;
    }
    Ok(verifier.finish())
}

/// The state of a verification: one account's, and what was found so far.
struct Verifier {
    state: AccountState,
    effect: Effect,
    /// Whether everything of the account so far went through the engine.
    sound: bool,
    /// The entry before, as it stands there.
    last: Option<Last>,
    head: Digest,
    keys: Keys,
    tally: Tally,
    rules: ShareHistory,
    rules_sound: bool,
    checked: Checked,
    found: Found,
}

#[derive(Clone, Copy)]
struct Last {
    seq: u64,
    at: DateTime<Utc>,
    line: Option<u64>,
}

impl Verifier {
    fn new(most: usize) -> Self {
        Self {
            state: AccountState::new(PLATFORM_ACCOUNT),
            effect: Effect::default(),
            sound: true,
            last: None,
            head: Digest::ZERO,
            keys: Keys::default(),
            tally: Tally::default(),
            rules: ShareHistory::new(),
            rules_sound: true,
            checked: Checked::default(),
            found: Found::new(most),
        }
    }

    fn look_at(&mut self, record: &Record, line: Option<u64>) {
        let entry = &record.entry;
        if entry.account != self.state.account() || self.last.is_none() {
            self.end_account();
            self.begin_account(entry.account);
        }
        let at = At { account: entry.account, seq: entry.seq, line };
        self.checked.entries += 1;
        if let Err(wrong) = self.keys.note(entry) {
            self.found.add(at, wrong);
        }
        if let Some(last) = self.last.filter(|last| entry.seq <= last.seq) {
            // Not the next entry but one too many: what follows may well go on behind the one before it.
            let expected = last.seq.saturating_add(1);
            self.found.add(at, Wrong::Refused(Violation::OutOfSequence { expected, actual: entry.seq }));
            self.checked.not_replayed += 1;
            return;
        }
        self.check_hash(record, at);
        self.check_terms(entry, at);
        self.note_rules(entry);
        if self.sound {
            self.replay(record, at);
        } else {
            self.check_place(entry, at);
        }
        self.last = Some(Last { seq: entry.seq, at: entry.at, line });
    }

    fn begin_account(&mut self, account: AccountId) {
        self.state.reset(account);
        self.sound = true;
        self.last = None;
        self.head = Digest::ZERO;
        self.keys.clear();
        self.tally.clear();
        self.checked.accounts += u64::from(account != PLATFORM_ACCOUNT);
    }

    fn end_account(&mut self) {
        let account = self.state.account();
        let Some(last) = self.last.filter(|_| self.sound && account != PLATFORM_ACCOUNT) else { return };
        let (at, before) = (At { account, seq: last.seq, line: last.line }, self.found.count());
        self.tally.check(&self.state, &mut |wrong| self.found.add(at, wrong));
        self.checked.conserved += u64::from(self.found.count() == before);
    }

    /// The chain goes on behind what is recorded, so that one altered entry is one finding.
    fn check_hash(&mut self, record: &Record, at: At) {
        let expected = record.entry.hash(&self.head);
        self.head = record.hash.unwrap_or(expected);
        match record.hash {
            Some(actual) => {
                self.checked.hashes += 1;
                if actual != expected {
                    self.found.add(at, Wrong::HashDiffers { expected, actual });
                }
            }
            None => self.found.add(at, Wrong::HashMissing),
        }
    }

    /// Compares an entry with the checkpoint: its hash as it follows from what is there, if none is recorded.
    fn compare(
        &mut self,
        record: &Record,
        line: Option<u64>,
        against: &mut Against,
    ) -> Result<(), InputError> {
        let Entry { account, seq, .. } = record.entry;
        let (hash, found) = (self.head, &mut self.found);
        against.look_at(account, seq, hash, &mut |differs| found.differs(differs, Some((account, line))))
    }

    fn check_terms(&mut self, entry: &Entry, at: At) {
        if !matches!(entry.body, Body::Capture(_)) {
            return;
        }
        if !self.rules_sound || self.checked.share_rules == 0 {
            self.checked.terms_unchecked += 1;
            return;
        }
        self.checked.terms += 1;
        if let Err(error) = self.rules.check(entry) {
            self.found.add(at, Wrong::Terms(error));
        }
    }

    /// Takes share rules into the history that charges are compared with. What is wrong with them the replay says.
    fn note_rules(&mut self, entry: &Entry) {
        if entry.account == PLATFORM_ACCOUNT {
            self.rules_sound = self.rules_sound && self.rules.add(entry).is_ok();
            self.checked.share_rules += u64::from(self.rules_sound);
        }
    }

    fn replay(&mut self, record: &Record, at: At) {
        if let Err(violation) = self.state.apply_into(&record.entry, &mut self.effect) {
            self.found.add(at, Wrong::Refused(violation));
            self.sound = false;
            self.checked.not_replayed += 1;
            return;
        }
        self.checked.replayed += 1;
        self.tally.add(&self.effect, &mut |wrong| self.found.add(at, wrong));
        match &record.recorded {
            Some(recorded) => {
                self.checked.recorded += 1;
                recorded::compare(recorded, &self.effect, &mut |wrong| self.found.add(at, wrong));
            }
            None => self.found.add(at, Wrong::RecordedMissing),
        }
    }

    /// What can be said of an entry after one that is refused: its place.
    fn check_place(&mut self, entry: &Entry, at: At) {
        self.checked.not_replayed += 1;
        let Some(last) = self.last else { return };
        let expected = last.seq.saturating_add(1);
        if entry.seq != expected {
            self.found.add(at, Wrong::Refused(Violation::OutOfSequence { expected, actual: entry.seq }));
        }
        if entry.at < last.at {
            self.found.add(at, Wrong::Refused(Violation::TimeBackwards { last: last.at, at: entry.at }));
        }
    }

    fn finish(mut self) -> Verification {
        self.end_account();
        let checked = self.checked;
        let has = Has { hashes: checked.hashes > 0, recorded: checked.recorded > 0 };
        let (findings, more_findings) = self.found.finish(has);
        let missing = [
            (has.hashes, "hashes: that nothing was altered is not proved"),
            (has.recorded, "recorded results: the books were replayed, and compared with nothing"),
            (checked.share_rules > 0, "share rules: the terms of charges were taken as they are"),
        ];
        let absent = missing.into_iter().filter(|(has, _)| !has && checked.entries > 0).map(|(_, what)| what);
        Verification { checked, absent: absent.collect(), findings, more_findings }
    }
}
