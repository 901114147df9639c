//! The canonical bytes of an entry, as `FORMAT.md` specifies them. Stored hashes depend on every byte: a kind or field
//! that exists never changes, new ones get new codes.

use super::super::{
    Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, Entry, Expiry, Freeze, Grant, Hold, LotSource,
    Paid, PartnerRate, ProjectDebit, Refund, Release, RevenueBasis, Reversal, ReversalCause, Rounding,
    ShareRules, Unfreeze,
};
use super::{Coded, CodingError, Sink, Source, codes, fields, variants};

impl Entry {
    /// The bytes that stand for the entry, in which every field counts.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        self.write(&mut bytes);
        bytes
    }
}

impl Body {
    /// The bytes that stand for the body: the last part of [`Entry::canonical_bytes`].
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        self.write(&mut bytes);
        bytes
    }

    /// The body that these bytes stand for.
    ///
    /// # Errors
    /// Where they are not exactly the canonical bytes of a body.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Result<Self, CodingError> {
        Source::canonical(bytes).all()
    }
}

fields!(Entry { account, seq, at, key, actor, body });

variants!(Body {
    Grant = 1,
    Hold = 2,
    Capture = 3,
    Release = 4,
    Refund = 5,
    Freeze = 6,
    Unfreeze = 7,
    Reversal = 8,
    Expiry = 9,
    ProjectDebit = 10,
    Adjustment = 11,
    ShareRules = 12,
});

fields!(Grant { source, bucket, credits, cost, paid, expires, reference });
fields!(Paid { money, rate });
fields!(Hold { amount, burn, expires, deployment, module });
fields!(Capture { hold, amount, deployment, terms });
fields!(Release { hold });
fields!(Refund { charge, amount, reason });
fields!(Freeze { lot });
fields!(Unfreeze { lot });
fields!(Reversal { lot, amount, cause });
fields!(Expiry { lot });
fields!(ProjectDebit { amount, project, deployment });
fields!(Adjustment { bucket, amount, reason });

fields!(ChargeTerms {
    module,
    commit,
    publisher,
    agent,
    partner_share,
    agent_share,
    rule_version,
    basis,
    allowance_earns,
    currency,
    rounding,
});
fields!(ShareRules {
    version,
    effective,
    currency,
    partner_share,
    agent_share,
    overrides,
    basis,
    allowance_earns,
    rounding,
});
fields!(PartnerRate { partner, share });

codes!(LotSource {
    Signup = 1,
    Referral = 2,
    AdminAward = 3,
    Purchase = 4,
    Subscription = 5,
    PartnerAllowance = 6,
    Adjustment = 7,
});
codes!(Bucket { Awarded = 1, Purchased = 2 });
codes!(BurnOrder { AwardedFirst = 0, PurchasedOnly = 1, PurchasedFirst = 2 });
codes!(ReversalCause { PaymentRefund = 1, DisputeLost = 2 });
codes!(Rounding { FloorThenLargestRemainder = 1 });

impl Coded for RevenueBasis {
    fn write(&self, out: &mut impl Sink) {
        match self {
            Self::LotCost => out.put(&[0]),
            Self::CreditsPerUnit(price) => {
                out.put(&[1]);
                price.write(out);
            }
        }
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let price = Option::read(from)?;
        Ok(price.map_or(Self::LotCost, Self::CreditsPerUnit))
    }
}
