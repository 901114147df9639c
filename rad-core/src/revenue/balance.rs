//! What an account has, and how a fee would split.

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::{Bucket, Place, Violation};
use crate::money::Credits;

/// What an account has at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Awarded credits that can be used.
    pub awarded: Credits,
    /// Purchased credits that can be used.
    pub purchased: Credits,
    /// Awarded credits reserved by holds.
    pub held_awarded: Credits,
    /// Purchased credits reserved by holds.
    pub held_purchased: Credits,
    /// Unspent credits that disputes keep from being used.
    pub frozen: Credits,
    /// Credits owed. While there are any, nothing can be held.
    pub debt: Credits,
}

impl Balance {
    /// Credits that can be used, of both kinds. Debt does not lower it: it forbids holds until it is repaid.
    pub fn spendable(&self) -> Credits {
        // Parts of what was granted to the account, which the engine keeps within bounds.
        self.awarded.checked_add(self.purchased).unwrap_or(Credits::MAX)
    }

    /// Credits reserved by holds, of both kinds.
    pub fn held(&self) -> Credits {
        self.held_awarded.checked_add(self.held_purchased).unwrap_or(Credits::MAX)
    }

    /// Moves credits of a bucket.
    #[inline(always)]
    pub(super) fn shift(
        &mut self,
        bucket: Bucket,
        from: Place,
        to: Place,
        credits: Credits,
    ) -> Result<(), Violation> {
        if let Some(sum) = self.place_mut(bucket, from) {
            *sum = sum.minus(credits)?;
        }
        if let Some(sum) = self.place_mut(bucket, to) {
            *sum = sum.plus(credits)?;
        }
        Ok(())
    }

    /// The sum that credits of a bucket count into while they are in a place.
    #[inline(always)]
    pub(super) fn place_mut(&mut self, bucket: Bucket, place: Place) -> Option<&mut Credits> {
        match (place, bucket) {
            (Place::Open, Bucket::Awarded) => Some(&mut self.awarded),
            (Place::Open, Bucket::Purchased) => Some(&mut self.purchased),
            (Place::Held, Bucket::Awarded) => Some(&mut self.held_awarded),
            (Place::Held, Bucket::Purchased) => Some(&mut self.held_purchased),
            (Place::Frozen, _) => Some(&mut self.frozen),
            _ => None,
        }
    }
}

/// How an amount splits over the two kinds of credits and over lots.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Split {
    /// Awarded credits it takes.
    pub awarded: Credits,
    /// Purchased credits it takes.
    pub purchased: Credits,
    /// The lots it takes them from, in burn order.
    pub parts: Vec<SplitPart>,
}

/// What one lot gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SplitPart {
    /// The lot.
    pub lot: u64,
    /// Its kind.
    pub bucket: Bucket,
    /// How many credits.
    pub credits: Credits,
}
