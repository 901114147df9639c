//! The revenue engine: its format, its worked example, its laws.

mod coverage;
mod decode;
mod example;
mod format;
mod history;
mod journal;
mod laws;
mod naive;
mod refusals;
mod statement_example;
mod statements;

use rad_core::revenue::RevenueLine;

/// Sums over lines: gross, partner, agent, platform, credits, awarded, purchased.
fn sums<'a>(lines: impl IntoIterator<Item = &'a RevenueLine>) -> [i64; 7] {
    lines.into_iter().fold([0; 7], |sum, line| {
        let (credits, awarded, purchased) =
            (line.credits.micros(), line.awarded.micros(), line.purchased.micros());
        let line = [line.gross, line.partner, line.agent, line.platform, credits, awarded, purchased];
        std::array::from_fn(|place| sum[place] + line[place])
    })
}
