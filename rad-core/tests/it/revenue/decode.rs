//! A reader of canonical bytes, written from `FORMAT.md` alone: what it reads back is what was written, so no two entries
//! share their bytes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::money::{Amount, Credits, CreditsPerUnit, Currency, Money, Rate};
use rad_core::revenue::{
    Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, Entry, EntryKey, Expiry, Freeze, Grant, Hold,
    LotSource, Paid, PartnerRate, ProjectDebit, Reason, Refund, Release, RevenueBasis, Reversal,
    ReversalCause, Rounding, ShareRules, Unfreeze,
};
use rust_decimal::Decimal;

/// Reads an entry to its last byte.
pub(super) fn decode(bytes: &[u8]) -> Entry {
    let mut reader = Reader(bytes);
    let entry = Entry {
        account: AccountId::from_bytes(reader.take()),
        seq: reader.u64(),
        at: reader.time(),
        key: EntryKey::from_bytes(reader.take()),
        actor: reader.option(|r| AccountId::from_bytes(r.take())),
        body: reader.body(),
    };
    assert!(reader.0.is_empty(), "{} bytes too many", reader.0.len());
    entry
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().unwrap();
        self.0 = rest;
        *taken
    }

    fn body(&mut self) -> Body {
        match self.u8() {
            0x01 => Body::Grant(self.grant()),
            0x02 => Body::Hold(Hold {
                amount: self.credits(),
                burn: BurnOrder::ALL[usize::from(self.u8())],
                expires: self.option(Self::time),
                deployment: self.option(Self::deployment),
                module: self.option(|r| ModuleId::from_bytes(r.take())),
            }),
            0x03 => {
                let (hold, amount, deployment) = (self.u64(), self.credits(), self.deployment());
                Body::Capture(Capture { hold, amount, deployment, terms: Arc::new(self.terms()) })
            }
            0x04 => Body::Release(Release { hold: self.u64() }),
            0x05 => {
                Body::Refund(Refund { charge: self.u64(), amount: self.credits(), reason: self.reason() })
            }
            0x06 => Body::Freeze(Freeze { lot: self.u64() }),
            0x07 => Body::Unfreeze(Unfreeze { lot: self.u64() }),
            0x08 => Body::Reversal(Reversal {
                lot: self.u64(),
                amount: self.credits(),
                cause: if self.u8() == 1 { ReversalCause::PaymentRefund } else { ReversalCause::DisputeLost },
            }),
            0x09 => Body::Expiry(Expiry { lot: self.u64() }),
            0x0a => Body::ProjectDebit(ProjectDebit {
                amount: self.credits(),
                project: self.take(),
                deployment: self.option(Self::deployment),
            }),
            0x0b => Body::Adjustment(Adjustment {
                bucket: self.bucket(),
                amount: self.credits(),
                reason: self.reason(),
            }),
            0x0c => Body::ShareRules(Arc::new(self.share_rules())),
            other => panic!("kind {other}"),
        }
    }

    fn grant(&mut self) -> Grant {
        use LotSource::{Adjustment, AdminAward, PartnerAllowance, Purchase, Referral, Signup, Subscription};
        let sources = [Signup, Referral, AdminAward, Purchase, Subscription, PartnerAllowance, Adjustment];
        Grant {
            source: sources[usize::from(self.u8()) - 1],
            bucket: self.bucket(),
            credits: self.credits(),
            cost: Amount::from_micros(self.i64()),
            paid: self.option(|r| {
                let (amount, currency) = (Amount::from_micros(r.i64()), r.currency());
                let (digits, scale) = (i128::from_be_bytes(r.take()), u32::from_be_bytes(r.take()));
                let rate = Decimal::from_i128_with_scale(digits, scale);
                Box::new(Paid { money: Money::of(amount, currency), rate })
            }),
            expires: self.option(Self::time),
            reference: self.option(Self::take),
        }
    }

    fn terms(&mut self) -> ChargeTerms {
        let (module, commit) = (ModuleId::from_bytes(self.take()), self.text().parse().unwrap());
        let publisher = self.option(|r| AccountId::from_bytes(r.take()));
        let agent = self.option(|r| AccountId::from_bytes(r.take()));
        let (partner_share, agent_share, rule_version) = (self.rate(), self.rate(), self.u32());
        let (basis, allowance_earns) = (self.basis(), self.option(Self::price));
        let currency = self.currency();
        ChargeTerms {
            module,
            commit,
            publisher,
            agent,
            partner_share,
            agent_share,
            rule_version,
            basis,
            allowance_earns,
            rounding: self.rounding(),
            currency,
        }
    }

    fn rounding(&mut self) -> Rounding {
        assert_eq!(self.u8(), 1, "the one rounding rule");
        Rounding::default()
    }

    fn share_rules(&mut self) -> ShareRules {
        let (version, effective, currency) = (self.u32(), self.time(), self.currency());
        let (partner_share, agent_share) = (self.rate(), self.rate());
        let own = |r: &mut Self| PartnerRate { partner: AccountId::from_bytes(r.take()), share: r.rate() };
        let overrides = (0..self.u64()).map(|_| own(self)).collect();
        let (basis, allowance_earns) = (self.basis(), self.option(Self::price));
        ShareRules {
            version,
            effective,
            currency,
            partner_share,
            agent_share,
            overrides,
            basis,
            allowance_earns,
            rounding: self.rounding(),
        }
    }

    fn basis(&mut self) -> RevenueBasis {
        self.option(Self::price).map_or(RevenueBasis::LotCost, RevenueBasis::CreditsPerUnit)
    }

    fn bucket(&mut self) -> Bucket {
        if self.u8() == 1 { Bucket::Awarded } else { Bucket::Purchased }
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| read(self))
    }

    fn flag(&mut self) -> bool {
        match self.u8() {
            0 => false,
            1 => true,
            other => panic!("{other} is neither yes nor no"),
        }
    }

    fn text(&mut self) -> String {
        let (taken, rest) =
            self.0.split_at(self.0[..8].try_into().map(u64::from_be_bytes).unwrap() as usize + 8);
        self.0 = rest;
        String::from_utf8(taken[8..].to_vec()).unwrap()
    }

    fn reason(&mut self) -> Reason {
        Reason::new(&self.text()).unwrap()
    }

    fn deployment(&mut self) -> DeploymentId {
        std::str::from_utf8(&self.take::<12>()).unwrap().parse().unwrap()
    }

    fn currency(&mut self) -> Currency {
        std::str::from_utf8(&self.take::<3>()).unwrap().parse().unwrap()
    }

    fn time(&mut self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.i64()).unwrap()
    }

    fn credits(&mut self) -> Credits {
        Credits::from_micros(self.i64())
    }

    fn rate(&mut self) -> Rate {
        Rate::from_basis_points(u16::from_be_bytes(self.take())).unwrap()
    }

    fn price(&mut self) -> CreditsPerUnit {
        CreditsPerUnit::from_hundredths(self.u32()).unwrap()
    }

    fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }
}
