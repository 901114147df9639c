//! Replaying the histories of a bundle up to the heads that its manifest names.

use std::collections::BTreeMap;
use std::path::{self, Path};

use rad_core::export::Record;
use rad_core::id::AccountId;
use rad_core::revenue::statement::{Drawing, Period, Statement};
use rad_core::revenue::{AccountState, Effect, EntryId, PLATFORM_ACCOUNT, ShareHistory};
use rad_core::source::Digest;

use super::check::Findings;
use super::{ENTRIES, Head, MANIFEST, Manifest, name};
use crate::failure::{Failure, InputError, InputFault};
use crate::progress::Progress;
use crate::source::{self, Records, Wanted};

/// What the entries of a bundle come to.
pub(super) struct Replayed {
    /// How many were applied.
    pub(super) entries: u64,
    /// The statement they give; `None` if one of them could not be.
    pub(super) statement: Option<Statement>,
}

/// Follows the entries of a bundle.
pub(super) fn replay(path: &Path, manifest: &Manifest, findings: &mut Findings) -> Result<Replayed, Failure> {
    let period = Period::new(manifest.period_start, manifest.period_end).map_err(|error| {
        let mend = "give the directory of a statement as it was drawn".to_owned();
        let fault = InputFault::Argument { value: error.to_string(), reason: "period_end".to_owned(), mend };
        InputError::new(MANIFEST, fault)
    })?;
    // From the root on, so that no directory's name is taken for a database's.
    let path = path::absolute(path).map_err(|error| InputError::new(name(path), InputFault::Open(error)))?;
    let mut records = source::open(&name(&path), Wanted::Entries)?;
    let mut heads = BTreeMap::new();
    for head in &manifest.heads {
        if heads.insert(head.account, *head).is_some() {
            findings.add(
                MANIFEST,
                Some(format!("heads, account {}", head.account)),
                "it stands there twice".into(),
            );
        }
    }
    let mut follower = Follower {
        heads,
        drawing: Drawing::new(manifest.subject, period),
        state: AccountState::new(PLATFORM_ACCOUNT),
        head: Digest::ZERO,
        effect: Effect::default(),
        rules: None,
        broken: None,
        entries: 0,
        whole: true,
    };
    follower.follow_all(&mut *records, manifest.entries(), findings)?;
    let Follower { heads, drawing, entries, whole, .. } = follower;
    for head in heads.values() {
        let place = Some(format!("account {}", head.account));
        findings.add(
            ENTRIES,
            place,
            format!("it has no entries; the manifest has its entry {} as head", head.seq),
        );
    }
    let statement = match drawing.finish() {
        Ok(statement) => Some(statement).filter(|_| whole),
        Err(violation) => {
            findings.add(ENTRIES, None, format!("they make no statement: {violation}"));
            None
        }
    };
    Ok(Replayed { entries, statement })
}

struct Follower {
    /// Heads whose accounts have not come yet.
    heads: BTreeMap<AccountId, Head>,
    drawing: Drawing,
    state: AccountState,
    /// The hash of the last entry of the account at hand.
    head: Digest,
    effect: Effect,
    /// The share rules, where the bundle has their history.
    rules: Option<ShareHistory>,
    /// The account at hand, if one of its entries cannot be.
    broken: Option<AccountId>,
    entries: u64,
    whole: bool,
}

impl Follower {
    fn follow_all(
        &mut self,
        records: &mut dyn Records,
        most: u64,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let (mut record, mut progress) = (Record::default(), Progress::new());
        let mut read = 0_u64;
        loop {
            match records.next(&mut record) {
                Ok(false) => break,
                Ok(true) => progress.note(records),
                // Bytes that are not those of the bundle need not be readable.
                Err(error) if findings.concern(ENTRIES) => {
                    findings.add(
                        ENTRIES,
                        records.line().map(|line| format!("line {line}")),
                        error.to_string(),
                    );
                    self.whole = false;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
            if record.entry.account != self.state.account() {
                self.end_account(findings);
                self.state.reset(record.entry.account);
                self.head = Digest::ZERO;
                self.broken = None;
            }
            self.follow(&record, findings);
            read = read.saturating_add(1);
            if read > most {
                let problem = format!("there are more entries than the {most} that the heads count");
                findings.add(ENTRIES, None, problem);
                self.whole = false;
                break;
            }
        }
        self.end_account(findings);
        Ok(())
    }

    fn follow(&mut self, record: &Record, findings: &mut Findings) {
        let entry = &record.entry;
        if self.broken == Some(entry.account) {
            return;
        }
        let expected = entry.hash(&self.head);
        match self.problem(record, expected) {
            None => {
                self.head = expected;
                self.entries = self.entries.saturating_add(1);
            }
            Some(problem) => {
                findings.add(ENTRIES, Some(place(entry.id())), problem);
                self.broken = Some(entry.account);
                self.whole = false;
            }
        }
    }

    /// Applies an entry; gives what is wrong with it.
    fn problem(&mut self, record: &Record, expected: Digest) -> Option<String> {
        let (entry, last) = (&record.entry, self.state.seq());
        let next = last.saturating_add(1);
        if entry.seq != next {
            return Some(format!("it stands after entry {last}, where entry {next} should"));
        }
        match record.hash {
            Some(hash) if hash == expected => {}
            Some(hash) => return Some(format!("its hash is {expected}; {hash} is recorded")),
            None => return Some("it has no hash".to_owned()),
        }
        if let Err(violation) = self.state.apply_into(entry, &mut self.effect) {
            return Some(format!("it could not have been posted: {violation}"));
        }
        if entry.account == PLATFORM_ACCOUNT
            && let Err(violation) = self.rules.get_or_insert_default().add(entry)
        {
            return Some(format!("it could not have been posted: {violation}"));
        }
        if let Some(Err(error)) = self.rules.as_ref().map(|rules| rules.check(entry)) {
            return Some(error.to_string());
        }
        self.drawing.take(entry, &self.effect).err().map(|violation| violation.to_string())
    }

    /// Compares where the history of the account at hand ends with its head.
    fn end_account(&mut self, findings: &mut Findings) {
        let (account, seq) = (self.state.account(), self.state.seq());
        if seq == 0 && self.broken.is_none() {
            return;
        }
        let head = self.heads.remove(&account);
        if self.broken.is_some() {
            return;
        }
        let place = Some(place(EntryId { account, seq }));
        match head {
            None => findings.add(MANIFEST, place, "heads: the account is not among them".to_owned()),
            Some(head) if head.seq != seq => {
                let problem = format!("the history ends here; the manifest's head is entry {}", head.seq);
                findings.add(ENTRIES, place, problem);
            }
            Some(head) if head.hash != self.head => {
                let problem = format!("heads: the hash is {}; the entries give {}", head.hash, self.head);
                findings.add(MANIFEST, place, problem);
            }
            Some(_) => {}
        }
    }
}

fn place(entry: EntryId) -> String {
    format!("entry {entry}")
}
