//! The history as plain columns, for the engines that are measured beside ours.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use rad_core::revenue::{Body, Bucket, Entry};

/// Writes one file of little-endian 64-bit numbers a column: account and module as running numbers, sequence, credits
/// granted to each bucket, credits charged. What neither grants nor charges has zeros.
pub(crate) fn write(entries: &[Entry], dir: &Path) -> anyhow::Result<()> {
    let names = ["account", "seq", "module", "awarded", "purchased", "charged"];
    let open = |name: &&str| File::create(dir.join(name)).map(BufWriter::new);
    let mut files = names.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let (mut account, mut last, mut modules) = (0_i64, None, HashMap::new());
    for entry in entries {
        if last.replace(entry.account).is_some_and(|last| last != entry.account) {
            account += 1;
        }
        let mut values = [account, i64::try_from(entry.seq)?, -1, 0, 0, 0];
        let [_, _, module, awarded, purchased, charged] = &mut values;
        match &entry.body {
            Body::Grant(grant) if grant.bucket == Bucket::Awarded => *awarded = grant.credits.micros(),
            Body::Grant(grant) => *purchased = grant.credits.micros(),
            Body::Capture(capture) => {
                let next = i64::try_from(modules.len())?;
                *module = *modules.entry(capture.terms.module).or_insert(next);
                *charged = capture.amount.micros();
            }
            _ => {}
        }
        for (file, value) in files.iter_mut().zip(values) {
            file.write_all(&value.to_le_bytes())?;
        }
    }
    files.iter_mut().try_for_each(|file| file.flush())?;
    Ok(())
}
