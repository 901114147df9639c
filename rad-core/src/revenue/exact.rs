//! Arithmetic that is exact or an error.

use super::Violation;
use crate::money::{Amount, Credits};

/// Sums and differences of what the engine counts.
pub(super) trait Exact: Sized {
    /// The sum.
    fn plus(self, other: Self) -> Result<Self, Violation>;

    /// The difference, which must not be negative.
    fn minus(self, other: Self) -> Result<Self, Violation>;

    /// The same with the other sign.
    fn negated(self) -> Result<Self, Violation>;
}

impl Exact for i64 {
    #[inline]
    fn plus(self, other: Self) -> Result<Self, Violation> {
        self.checked_add(other).ok_or_else(sum_too_large)
    }

    #[inline]
    fn minus(self, other: Self) -> Result<Self, Violation> {
        // Compared first: one subtraction answers both questions.
        let difference = if self < other { None } else { self.checked_sub(other) };
        difference.ok_or_else(too_little)
    }

    fn negated(self) -> Result<Self, Violation> {
        self.checked_neg().ok_or(Violation::Overflow { what: "a negative number" })
    }
}

macro_rules! exact {
    ($($name:ident),*) => {$(
        impl Exact for $name {
            #[inline]
            fn plus(self, other: Self) -> Result<Self, Violation> {
                self.micros().plus(other.micros()).map(Self::from_micros)
            }

            #[inline]
            fn minus(self, other: Self) -> Result<Self, Violation> {
                self.micros().minus(other.micros()).map(Self::from_micros)
            }

            fn negated(self) -> Result<Self, Violation> {
                self.micros().negated().map(Self::from_micros)
            }
        }
    )*};
}

exact!(Credits, Amount);

/// `⌊whole · part / all⌋` for numbers that are not negative; nothing of nothing is nothing.
#[inline(always)]
pub(super) fn share_of(whole: i64, part: i64, all: i64) -> Result<i64, Violation> {
    if part == all || whole == 0 {
        return Ok(if part == 0 { 0 } else { whole });
    }
    // Sixty-four bits are enough nearly always, and divide several times faster than 128.
    let small = whole.checked_mul(part).and_then(|product| product.checked_div(all));
    small.or_else(|| wide_share_of(whole, part, all)).ok_or_else(share_too_large)
}

// Made out of line: where numbers fit, as they do, nothing is spent on what to say if they did not.

#[cold]
const fn sum_too_large() -> Violation {
    Violation::Overflow { what: "a sum" }
}

#[cold]
const fn share_too_large() -> Violation {
    Violation::Overflow { what: "a share" }
}

#[cold]
pub(super) const fn too_little() -> Violation {
    Violation::Inconsistent { what: "more is taken than there is" }
}

#[cold]
fn wide_share_of(whole: i64, part: i64, all: i64) -> Option<i64> {
    let product = i128::from(whole).checked_mul(i128::from(part))?;
    i64::try_from(product.checked_div(i128::from(all))?).ok()
}
