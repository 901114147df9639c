//! The compact form: what follows from the entries, for ledgers that keep it. A first byte says which form it is, so that a
//! later one can be told from it; it is not part of any hash.

use super::super::{
    Balance, Charge, Debt, DebtChange, DebtOf, Effect, LineKind, Lot, Move, OpenHold, Part, Place, Policies,
    RevenueLine, Shares, Snapshot,
};
use super::{Coded, CodingError, Sink, Source, codes, fields, variants};

/// The compact form that is written.
const FORM: u8 = 1;

/// A value with a compact form.
///
/// ```
/// use rad_core::revenue::{Compact, Effect};
///
/// let bytes = Effect::default().to_compact();
/// assert_eq!(Effect::from_compact(&bytes), Ok(Effect::default()));
/// assert!(Effect::from_compact(&bytes[1..]).is_err());
/// ```
pub trait Compact: Sized {
    /// The bytes: equal values have equal ones.
    fn to_compact(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        self.compact_into(&mut out);
        out
    }

    /// Puts the bytes into `out` instead of what is there.
    fn compact_into(&self, out: &mut Vec<u8>);

    /// The value of these bytes.
    ///
    /// # Errors
    /// Where they are none.
    fn from_compact(bytes: &[u8]) -> Result<Self, CodingError>;
}

macro_rules! compact {
    ($($type:ident),*) => {$(
        impl Compact for $type {
            fn compact_into(&self, out: &mut Vec<u8>) {
                out.clear();
                let mut out = Buffer(out);
                out.put(&[FORM]);
                self.write(&mut out);
            }

            fn from_compact(bytes: &[u8]) -> Result<Self, CodingError> {
                read(bytes)
            }
        }
    )*};
}

compact!(Effect, Lot, OpenHold, Charge, Snapshot);

fn read<T: Coded>(bytes: &[u8]) -> Result<T, CodingError> {
    let mut source = Source::compact(bytes);
    match source.byte()? {
        FORM => source.all(),
        form => Err(source.no_code("a compact form", form)),
    }
}

/// Numbers take seven bits a byte, least significant first; the eighth bit says that another byte follows.
struct Buffer<'a>(&'a mut Vec<u8>);

impl Sink for Buffer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn nat(&mut self, mut number: u64) {
        let (mut bytes, mut count) = ([0; 10], 1_usize);
        for byte in &mut bytes {
            // The lowest seven bits, and the sign that more follow.
            *byte = number.to_le_bytes()[0] | 0x80;
            number >>= 7;
            if number == 0 {
                *byte &= 0x7f;
                break;
            }
            count = count.saturating_add(1);
        }
        self.0.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }

    #[inline]
    fn int(&mut self, number: i64) {
        self.nat(fold(number));
    }
}

/// Small numbers of either sign as small ones without: 0, -1, 1, -2 … as 0, 1, 2, 3 …
const fn fold(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The inverse of [`fold`].
pub(super) const fn unfold(number: u64) -> i64 {
    let sign = if number & 1 == 0 { 0 } else { -1 };
    (number >> 1).cast_signed() ^ sign
}

fields!(Effect { moves, parts, lines, debts, lapsed, balance_after });
fields!(Move { lot, bucket, from, to, credits });
fields!(Part { charge, entry, lot, bucket, credits, cost, gross, gross_minor });
fields!(RevenueLine {
    account,
    entry,
    charge,
    original,
    kind,
    at,
    module,
    deployment,
    publisher,
    agent_account,
    policies,
    credits,
    awarded,
    purchased,
    currency,
    gross,
    partner,
    agent,
    platform,
});
fields!(Policies { rule_version, burn, basis, allowance_earns, rounding });
fields!(DebtChange { of, credits });
fields!(Balance { awarded, purchased, held_awarded, held_purchased, frozen, debt });

fields!(Snapshot { account, seq, last, currency, volume, paid, lots, holds, charges, debts });
fields!(Lot {
    id,
    source,
    bucket,
    credits,
    cost,
    expires,
    is_frozen,
    open,
    frozen,
    held,
    expired,
    removed,
    reversed,
    unspent_cost,
    reversed_cost,
    earned,
    booked,
});
fields!(OpenHold { id, amount, burn, expires, deployment, module, parts });
fields!(Charge { id, deployment, burn, terms, credits, refunded, shares, parts });
fields!(Shares { gross, partner, agent, platform });
fields!(Debt { entry, of, credits });

codes!(Place {
    Outside = 0,
    Open = 1,
    Frozen = 2,
    Held = 3,
    Spent = 4,
    Expired = 5,
    Removed = 6,
    Reversed = 7,
});
codes!(LineKind { Charge = 1, Refund = 2, Reversal = 3, Repayment = 4 });
variants!(DebtOf { Charge = 1, Hold = 2 });
