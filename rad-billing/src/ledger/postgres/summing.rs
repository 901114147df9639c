//! Whether the sums of days are those of the lines, found out in one pass over each, without adding up by groups, of which there
//! may be millions.
//!
//! What is summed up gets a weight that is drawn for it, under a key that nobody knows. Lines count for every sum they belong to,
//! and sums against them: if all are right nothing is left. If one is wrong, something is, but for one time in 2⁶⁴.

use std::hash::{BuildHasher as _, RandomState};

use rad_core::error::BackendError;
use sqlx::postgres::PgPool;

use super::super::totals::DAY;
use super::super::verifying::{Cells, StoredRow as _};
use super::copying::{CopiedCells, CopiedRow, Moment};

const LINES: &str = "SELECT at, partner, agent, module, gross, partner_share, agent_share FROM ledger_lines";
const DELTAS: &str = "SELECT day, partner, agent, module, lines, gross, partner_share, agent_share
    FROM ledger_revenue_deltas";
const DAYS: &str = "SELECT scope, day, partner, agent, module, lines, gross, partner_share, agent_share
    FROM ledger_revenue_days";

/// Compares all sums with all lines, as they are at one moment.
pub(super) async fn sums_are_right(pool: &PgPool) -> Result<bool, BackendError> {
    let mut moment = Moment::begin(pool).await?;
    let mut scale = Scale { key: RandomState::new(), left: [0; 4] };
    let add_line = |row: CopiedRow| {
        let mut cells = row.cells();
        let day = cells.time("at")?.0.div_euclid(DAY);
        let of = scale.read_of(&mut cells)?;
        scale.add_to_all(1, day, of, read_sums(1, &mut cells)?);
        Ok(())
    };
    moment.each_row(LINES, add_line).await?;
    let add_delta = |row: CopiedRow| {
        let mut cells = row.cells();
        let (day, of) = (cells.number("day")?, scale.read_of(&mut cells)?);
        scale.add_to_all(-1, day, of, read_sums(cells.number("lines")?, &mut cells)?);
        Ok(())
    };
    moment.each_row(DELTAS, add_delta).await?;
    let add_day = |row: CopiedRow| {
        let mut cells = row.cells();
        let (scope, day) = (cells.small_number("scope")?, cells.number("day")?);
        let of = scale.read_of(&mut cells)?;
        scale.add(-1, (scope, day, of), read_sums(cells.number("lines")?, &mut cells)?);
        Ok(())
    };
    moment.each_row(DAYS, add_day).await?;
    moment.end().await?;
    Ok(scale.left == [0; 4])
}

fn read_sums(lines: i64, cells: &mut CopiedCells<'_>) -> Result<[i64; 4], BackendError> {
    Ok([lines, cells.number("gross")?, cells.number("partner_share")?, cells.number("agent_share")?])
}

/// Who and what is summed up: partner, agent and module, by hashes.
type Of = [u64; 3];

/// What lines weigh more than sums.
struct Scale {
    key: RandomState,
    /// Of the number of lines, gross, partners' and agents' shares.
    left: [i128; 4],
}

impl Scale {
    /// Nobody is the same as an empty id: lines have the one, sums the other.
    fn read_of(&self, cells: &mut CopiedCells<'_>) -> Result<Of, BackendError> {
        let mut next = |name| Ok(self.key.hash_one(cells.bytes_or_null(name)?.unwrap_or_default()));
        Ok([next("partner")?, next("agent")?, next("module")?])
    }

    /// Adds what belongs to the sums of all scopes.
    fn add_to_all(&mut self, sign: i128, day: i64, of: Of, values: [i64; 4]) {
        let nobody = self.key.hash_one([0_u8; 0].as_slice());
        for scope in 0..8_i16 {
            let mut named = of;
            for (bit, one) in named.iter_mut().enumerate() {
                if scope & (1 << bit) == 0 {
                    *one = nobody;
                }
            }
            self.add(sign, (scope, day, named), values);
        }
    }

    fn add(&mut self, sign: i128, sum: (i16, i64, Of), values: [i64; 4]) {
        let weight = sign.wrapping_mul(i128::from(self.key.hash_one(sum)));
        for (left, value) in self.left.iter_mut().zip(values) {
            *left = left.wrapping_add(weight.wrapping_mul(i128::from(value)));
        }
    }
}
