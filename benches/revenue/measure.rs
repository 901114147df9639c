//! Times, per entry and as ratios.

use std::time::Duration;

use crate::rounds::fastest;

/// The fastest of some rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) elapsed: Duration,
    pub(crate) entries: u64,
}

impl Measured {
    /// Measures `work` on so many entries, as often as asked, and keeps the fastest.
    pub(crate) fn fastest<E>(
        rounds: u32,
        entries: u64,
        work: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        Ok(Self { elapsed: fastest(rounds, work)?, entries })
    }

    /// Nanoseconds an entry.
    pub(crate) fn nanos(self) -> f64 {
        self.elapsed.as_secs_f64() * 1e9 / self.entries as f64
    }

    /// How many times as long as `other` it took.
    pub(crate) fn ratio_to(self, other: Self) -> f64 {
        self.nanos() / other.nanos()
    }
}

/// Prints what was measured and, beside `base`, how many times as long it took.
pub(crate) fn row(name: &str, measured: Measured, base: Option<Measured>) {
    let ratio = base.map_or_else(String::new, |base| format!("{:8.2} ×", measured.ratio_to(base)));
    println!("  {name:<44} {:8.1} ns an entry {ratio}", measured.nanos());
}
