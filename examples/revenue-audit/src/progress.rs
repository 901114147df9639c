//! A progress bar on standard error: there on a terminal, and only on long work.

use indicatif::{ProgressBar, ProgressStyle};

use crate::source::Records;

/// Records between two looks at how far the source is.
const STEP: u64 = 8_192;

/// How far the work on a source or output is.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    until_look: u64,
}

impl Progress {
    /// Nothing is done yet.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), until_look: STEP }
    }

    /// Notes that one more record was read.
    pub fn note(&mut self, records: &dyn Records) {
        self.note_of(|| records.progress());
    }

    /// Notes that one more record was dealt with; `progress` says how many of how many, in any unit.
    pub fn note_of(&mut self, progress: impl FnOnce() -> Option<(u64, u64)>) {
        self.until_look = self.until_look.saturating_sub(1);
        if self.until_look > 0 {
            return;
        }
        self.until_look = STEP;
        let Some((done, of)) = progress() else { return };
        if self.bar.length() != Some(of) {
            self.bar = bar(of);
        }
        self.bar.set_position(done.min(of));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar; indicatif draws nothing where standard error is no terminal.
fn bar(of: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{percent:>3} % {wide_bar} {eta} left");
    ProgressBar::new(of).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
