//! What an entry does, from and to the columns of its kind.

use std::sync::Arc;

use super::columns::{Column as C, PAID};
use super::row::Row;
use super::terms::{Rules, Terms, read_rules, write_rules, write_terms};
use super::write::Cells;
use crate::export::ReadError;
use crate::export::cell::{Cell, Flaw};
use crate::money::Money;
use crate::revenue::{
    Adjustment, Body, Capture, EntryKind, Expiry, Freeze, Grant, Hold, Paid, PartnerRate, ProjectDebit,
    Refund, Release, Reversal, ShareRules, Unfreeze,
};

/// Reads the body of a row whose columns are those of its kind.
pub(super) fn read(row: &Row<'_>, kind: EntryKind, terms: &mut Terms) -> Result<Body, ReadError> {
    Ok(match kind {
        EntryKind::Grant => Body::Grant(read_grant(row)?),
        EntryKind::Hold => Body::Hold(Hold {
            amount: row.get(C::Credits)?,
            burn: row.get(C::Burn)?,
            expires: row.option(C::Expires)?,
            deployment: row.option(C::Deployment)?,
            module: row.option(C::Module)?,
        }),
        EntryKind::Capture => Body::Capture(Capture {
            hold: row.get(C::Hold)?,
            amount: row.get(C::Credits)?,
            deployment: row.get(C::Deployment)?,
            terms: terms.of(row)?,
        }),
        EntryKind::Release => Body::Release(Release { hold: row.get(C::Hold)? }),
        EntryKind::Refund => Body::Refund(Refund {
            charge: row.get(C::Charge)?,
            amount: row.get(C::Credits)?,
            reason: row.get(C::Reason)?,
        }),
        EntryKind::Freeze => Body::Freeze(Freeze { lot: row.get(C::Lot)? }),
        EntryKind::Unfreeze => Body::Unfreeze(Unfreeze { lot: row.get(C::Lot)? }),
        EntryKind::Reversal => Body::Reversal(Reversal {
            lot: row.get(C::Lot)?,
            amount: row.get(C::Credits)?,
            cause: row.get(C::Cause)?,
        }),
        EntryKind::Expiry => Body::Expiry(Expiry { lot: row.get(C::Lot)? }),
        EntryKind::ProjectDebit => Body::ProjectDebit(ProjectDebit {
            amount: row.get(C::Credits)?,
            project: row.get(C::Project)?,
            deployment: row.option(C::Deployment)?,
        }),
        EntryKind::Adjustment => Body::Adjustment(Adjustment {
            bucket: row.get(C::Bucket)?,
            amount: row.get(C::Credits)?,
            reason: row.get(C::Reason)?,
        }),
        EntryKind::ShareRules => Body::ShareRules(Arc::new(read_share_rules(row)?)),
    })
}

fn read_grant(row: &Row<'_>) -> Result<Grant, ReadError> {
    Ok(Grant {
        source: row.get(C::Source)?,
        bucket: row.get(C::Bucket)?,
        credits: row.get(C::Credits)?,
        cost: row.get(C::Cost)?,
        paid: read_paid(row)?.map(Box::new),
        expires: row.option(C::Expires)?,
        reference: row.option(C::Reference)?,
    })
}

fn read_paid(row: &Row<'_>) -> Result<Option<Paid>, ReadError> {
    if row.filled & PAID == 0 {
        return Ok(None);
    }
    row.check(PAID, u64::MAX, "payments")?;
    let money = Money::of(row.get(C::PaidAmount)?, row.get(C::PaidCurrency)?);
    Ok(Some(Paid { money, rate: row.get(C::PaidRate)? }))
}

/// Writes the columns of a body, in their order.
pub(super) fn write(body: &Body, cells: &mut Cells) {
    match body {
        Body::Grant(grant) => write_grant(grant, cells),
        Body::Hold(hold) => {
            cells.put(C::Credits, &hold.amount);
            cells.put_option(C::Expires, hold.expires.as_ref());
            cells.put(C::Burn, &hold.burn);
            cells.put_option(C::Deployment, hold.deployment.as_ref());
            cells.put_option(C::Module, hold.module.as_ref());
        }
        Body::Capture(capture) => {
            cells.put(C::Credits, &capture.amount);
            cells.put(C::Hold, &capture.hold);
            cells.put(C::Deployment, &capture.deployment);
            write_terms(&capture.terms, cells);
        }
        Body::Release(release) => cells.put(C::Hold, &release.hold),
        Body::Refund(refund) => {
            cells.put(C::Credits, &refund.amount);
            cells.put(C::Charge, &refund.charge);
            cells.put(C::Reason, &refund.reason);
        }
        Body::Freeze(Freeze { lot }) | Body::Unfreeze(Unfreeze { lot }) | Body::Expiry(Expiry { lot }) => {
            cells.put(C::Lot, lot);
        }
        Body::Reversal(reversal) => {
            cells.put(C::Credits, &reversal.amount);
            cells.put(C::Lot, &reversal.lot);
            cells.put(C::Cause, &reversal.cause);
        }
        Body::ProjectDebit(debit) => {
            cells.put(C::Credits, &debit.amount);
            cells.put_option(C::Deployment, debit.deployment.as_ref());
            cells.put(C::Project, &debit.project);
        }
        Body::Adjustment(adjustment) => {
            cells.put(C::Bucket, &adjustment.bucket);
            cells.put(C::Credits, &adjustment.amount);
            cells.put(C::Reason, &adjustment.reason);
        }
        Body::ShareRules(rules) => {
            write_rules(&Rules::from(&**rules), cells);
            cells.put(C::Effective, &rules.effective);
            cells.put_list(C::Overrides, &rules.overrides);
        }
    }
}

fn write_grant(grant: &Grant, cells: &mut Cells) {
    cells.put(C::Source, &grant.source);
    cells.put(C::Bucket, &grant.bucket);
    cells.put(C::Credits, &grant.credits);
    cells.put(C::Cost, &grant.cost);
    if let Some(paid) = grant.paid.as_deref() {
        cells.put(C::PaidAmount, &paid.money.amount());
        cells.put(C::PaidCurrency, &paid.money.currency());
        cells.put(C::PaidRate, &paid.rate);
    }
    cells.put_option(C::Expires, grant.expires.as_ref());
    cells.put_option(C::Reference, grant.reference.as_ref());
}

fn read_share_rules(row: &Row<'_>) -> Result<ShareRules, ReadError> {
    let rules = read_rules(row)?;
    Ok(ShareRules {
        version: rules.version,
        effective: row.get(C::Effective)?,
        currency: rules.currency,
        partner_share: rules.partner_share,
        agent_share: rules.agent_share,
        overrides: row.list(C::Overrides)?,
        basis: rules.basis,
        allowance_earns: rules.allowance_earns,
        rounding: rules.rounding,
    })
}

impl Cell for PartnerRate {
    const WANTED: &'static str = "partner:share, the partner's id and a percentage";

    fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let colon = bytes.iter().position(|byte| *byte == b':').ok_or(Flaw::Form)?;
        match bytes.split_at_checked(colon) {
            Some((partner, [_, share @ ..])) => {
                Ok(Self { partner: Cell::parse(partner)?, share: Cell::parse(share)? })
            }
            _ => Err(Flaw::Form),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.partner.write(out);
        out.push(b':');
        self.share.write(out);
    }
}
