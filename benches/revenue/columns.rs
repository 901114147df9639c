//! The history as plain columns, for the engines that are measured beside ours.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use rad_core::id::ModuleId;
use rad_core::money::Credits;
use rad_core::revenue::{Body, Bucket, Entry};

/// Which entries stand for a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChargedBy {
    /// Captures, as in a market where holds are released and captured in part.
    Captures,
    /// Holds, where each is captured whole: which credits pay is decided when they are reserved.
    Holds,
}

/// Writes one file of little-endian 64-bit numbers a column: account and module as running numbers, sequence, credits
/// granted to each bucket, credits charged. What neither grants nor charges has zeros. Gives the modules in the order of
/// their numbers.
pub(crate) fn write(entries: &[Entry], charged_by: ChargedBy, dir: &Path) -> anyhow::Result<Vec<ModuleId>> {
    let names = ["account", "seq", "module", "awarded", "purchased", "charged"];
    let open = |name: &&str| File::create(dir.join(name)).map(BufWriter::new);
    let mut files = names.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let (mut account, mut last) = (0_i64, None);
    let (mut numbers, mut modules) = (HashMap::new(), Vec::new());
    for entry in entries {
        if last.replace(entry.account).is_some_and(|last| last != entry.account) {
            account += 1;
        }
        let mut values = [account, i64::try_from(entry.seq)?, -1, 0, 0, 0];
        let [_, _, module, awarded, purchased, charged] = &mut values;
        match &entry.body {
            Body::Grant(grant) if grant.bucket == Bucket::Awarded => *awarded = grant.credits.micros(),
            Body::Grant(grant) => *purchased = grant.credits.micros(),
            _ => {}
        }
        if let Some((id, amount)) = charge(&entry.body, charged_by) {
            *module = *numbers.entry(id).or_insert_with(|| {
                modules.push(id);
                modules.len() as i64 - 1
            });
            *charged = amount.micros();
        }
        for (file, value) in files.iter_mut().zip(values) {
            file.write_all(&value.to_le_bytes())?;
        }
    }
    files.iter_mut().try_for_each(|file| file.flush())?;
    Ok(modules)
}

/// The module and the credits of a charge.
fn charge(body: &Body, charged_by: ChargedBy) -> Option<(ModuleId, Credits)> {
    match (body, charged_by) {
        (Body::Capture(capture), ChargedBy::Captures) => Some((capture.terms.module, capture.amount)),
        (Body::Hold(hold), ChargedBy::Holds) => Some((hold.module?, hold.amount)),
        _ => None,
    }
}
