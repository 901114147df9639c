//! Who gets how many minor units: largest remainder, and its mirror for what is taken back.

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::{ChargeTerms, Violation};

/// What a charge earned and to whom, in minor units: `partner + agent + platform = gross`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Shares {
    /// True revenue.
    pub gross: i64,
    /// The partner's share.
    pub partner: i64,
    /// The agent's share.
    pub agent: i64,
    /// What the platform keeps.
    pub platform: i64,
}

/// The whole, in basis points: a constant, so that dividing by it is fast.
const WHOLE: i64 = 10_000;

impl Shares {
    /// Splits `gross` by the rates of a charge. Everybody gets the whole units of the exact share; units left over go to the
    /// largest fractions, among equal ones first to the partner, then to the agent.
    #[inline(always)]
    pub(super) fn split(gross: i64, terms: &ChargeTerms) -> Result<Self, Violation> {
        let (partner, agent) = terms.points();
        let rest = WHOLE.minus(i64::from(partner).plus(i64::from(agent))?)?;
        Self::by_weight(gross, [i64::from(partner), i64::from(agent), rest], WHOLE)
    }

    /// Of what stands, the shares that go when `gross` of it goes; all of it takes everybody's all.
    pub(super) fn mirror(self, gross: i64) -> Result<Self, Violation> {
        Self::by_weight(gross, [self.partner, self.agent, self.platform], self.gross)
    }

    pub(super) fn plus(self, other: Self) -> Result<Self, Violation> {
        Ok(Self {
            gross: self.gross.plus(other.gross)?,
            partner: self.partner.plus(other.partner)?,
            agent: self.agent.plus(other.agent)?,
            platform: self.platform.plus(other.platform)?,
        })
    }

    pub(super) fn minus(self, other: Self) -> Result<Self, Violation> {
        Ok(Self {
            gross: self.gross.minus(other.gross)?,
            partner: self.partner.minus(other.partner)?,
            agent: self.agent.minus(other.agent)?,
            platform: self.platform.minus(other.platform)?,
        })
    }

    pub(super) fn negated(self) -> Result<Self, Violation> {
        Ok(Self {
            gross: self.gross.negated()?,
            partner: self.partner.negated()?,
            agent: self.agent.negated()?,
            platform: self.platform.negated()?,
        })
    }

    #[inline(always)]
    fn by_weight(gross: i64, weights: [i64; 3], all: i64) -> Result<Self, Violation> {
        if gross == 0 {
            return Ok(Self::default());
        }
        let shares = largest_remainder(gross, weights, all);
        let [partner, agent, platform] =
            shares.ok_or(Violation::Inconsistent { what: "revenue without a share" })?;
        Ok(Self { gross, partner, agent, platform })
    }
}

/// Whole numbers that add up to `total` and are in proportion to `weights`, whose sum is `all`; `None` if that is zero.
#[inline(always)]
fn largest_remainder(total: i64, weights: [i64; 3], all: i64) -> Option<[i64; 3]> {
    let [one, two, _] = weights;
    let (first, over_first) = divide(total, one, all)?;
    let (second, over_second) = divide(total, two, all)?;
    // The three fractions add up to the whole units that are left, two at the most: so the third follows from the others.
    let over_both = over_first.checked_add(over_second)?;
    let left = u8::from(over_both > 0).wrapping_add(u8::from(over_both > all));
    let over_third = all.checked_mul(left.into())?.checked_sub(over_both)?;
    // Units go to the largest fractions, one each. No branches: which one is the largest cannot be foreseen.
    let unit = |larger: bool, other_larger: bool| {
        i64::from(u8::from(larger).wrapping_add(u8::from(other_larger)) < left)
    };
    let first = first.checked_add(unit(over_second > over_first, over_third > over_first))?;
    let second = second.checked_add(unit(over_first >= over_second, over_third > over_second))?;
    Some([first, second, total.checked_sub(first)?.checked_sub(second)?])
}

/// `total · weight / all` and the remainder of the division.
#[inline(always)]
fn divide(total: i64, weight: i64, all: i64) -> Option<(i64, i64)> {
    if let Some(product) = total.checked_mul(weight) {
        return Some((product.checked_div(all)?, product.checked_rem(all)?));
    }
    let (product, all) = (i128::from(total).checked_mul(i128::from(weight))?, i128::from(all));
    let quotient = i64::try_from(product.checked_div(all)?).ok()?;
    Some((quotient, i64::try_from(product.checked_rem(all)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_left_over_go_to_the_largest_fraction_then_in_order() {
        for (total, weights, shares) in [
            (300, [2_000, 0, 8_000], [60, 0, 240]),
            (1, [3_333, 3_333, 3_334], [0, 0, 1]),
            (1, [5_000, 0, 5_000], [1, 0, 0]),
            (1, [0, 5_000, 5_000], [0, 1, 0]),
            (2, [3_333, 3_333, 3_334], [1, 0, 1]),
            (2, [1, 1, 1], [1, 1, 0]),
            (10, [2_050, 1_050, 6_900], [2, 1, 7]),
            (i64::MAX, [10_000, 0, 0], [i64::MAX, 0, 0]),
        ] {
            assert_eq!(
                largest_remainder(total, weights, weights.iter().sum()),
                Some(shares),
                "{total} by {weights:?}"
            );
        }
        assert_eq!(largest_remainder(1, [0, 0, 0], 0), None);
    }
}
