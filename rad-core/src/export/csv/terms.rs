//! The terms of charges: the same columns give the same shared value.

use std::sync::Arc;

use super::columns::Column as C;
use super::row::Row;
use super::write::Cells;
use crate::export::{Fault, ReadError};
use crate::money::{CreditsPerUnit, Currency, Rate};
use crate::revenue::{ChargeTerms, RevenueBasis, Rounding, ShareRules};

/// The most terms that are kept: a few megabytes, whatever the input.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 12;

/// Terms that were read, by the bytes they were read from.
#[derive(Debug, Default)]
pub(super) struct Terms {
    slots: Vec<Option<Slot>>,
}

#[derive(Debug, Clone)]
struct Slot {
    bytes: Box<[u8]>,
    terms: Arc<ChargeTerms>,
}

impl Terms {
    /// The terms in a row.
    pub(super) fn of(&mut self, row: &Row<'_>) -> Result<Arc<ChargeTerms>, ReadError> {
        let bytes = row.span(C::Module, C::Currency);
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let place = usize::try_from(mix(bytes)).unwrap_or_default();
        match self.slots.get(place) {
            Some(Some(slot)) if *slot.bytes == *bytes => return Ok(slot.terms.clone()),
            _ => {}
        }
        let terms = Arc::new(read_terms(row)?);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(Slot { bytes: bytes.into(), terms: terms.clone() });
        }
        Ok(terms)
    }
}

/// The slot of bytes: fast, and no more than that. Who makes terms collide only makes reading them slower.
fn mix(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let step = |sum: u64, chunk: u64| (sum.rotate_left(5) ^ chunk).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sum = chunks.iter().fold(0, |sum, chunk| step(sum, u64::from_le_bytes(*chunk)));
    rest.iter()
        .fold(sum, |sum, byte| step(sum, u64::from(*byte)))
        .wrapping_shr(u64::BITS.saturating_sub(SLOT_BITS))
}

fn read_terms(row: &Row<'_>) -> Result<ChargeTerms, ReadError> {
    let (module, commit) = (row.get(C::Module)?, row.get(C::Commit)?);
    let (publisher, agent) = (row.option(C::Publisher)?, row.option(C::Agent)?);
    let rules = read_rules(row)?;
    Ok(ChargeTerms {
        module,
        commit,
        publisher,
        agent,
        partner_share: rules.partner_share,
        agent_share: rules.agent_share,
        rule_version: rules.version,
        basis: rules.basis,
        allowance_earns: rules.allowance_earns,
        rounding: rules.rounding,
        currency: rules.currency,
    })
}

/// Writes the columns of the terms, in their order.
pub(super) fn write_terms(terms: &ChargeTerms, cells: &mut Cells) {
    cells.put(C::Module, &terms.module);
    cells.put(C::Commit, &terms.commit);
    cells.put_option(C::Publisher, terms.publisher.as_ref());
    cells.put_option(C::Agent, terms.agent.as_ref());
    write_rules(&Rules::from(terms), cells);
}

/// What captures and share rules both say.
pub(super) struct Rules {
    pub(super) version: u32,
    pub(super) currency: Currency,
    pub(super) partner_share: Rate,
    pub(super) agent_share: Rate,
    pub(super) basis: RevenueBasis,
    pub(super) allowance_earns: Option<CreditsPerUnit>,
    pub(super) rounding: Rounding,
}

macro_rules! rules_of {
    ($($type:ty, $version:ident;)*) => {$(
        impl From<&$type> for Rules {
            fn from(from: &$type) -> Self {
                Self {
                    version: from.$version,
                    currency: from.currency,
                    partner_share: from.partner_share,
                    agent_share: from.agent_share,
                    basis: from.basis,
                    allowance_earns: from.allowance_earns,
                    rounding: from.rounding,
                }
            }
        }
    )*};
}

rules_of! {
    ChargeTerms, rule_version;
    ShareRules, version;
}

pub(super) fn write_rules(rules: &Rules, cells: &mut Cells) {
    cells.put(C::PartnerShare, &rules.partner_share);
    cells.put(C::AgentShare, &rules.agent_share);
    cells.put(C::RuleVersion, &rules.version);
    match rules.basis {
        RevenueBasis::LotCost => cells.put_bytes(C::Basis, LOT_COST),
        RevenueBasis::CreditsPerUnit(price) => {
            cells.put_bytes(C::Basis, CREDITS_PER_UNIT);
            cells.put(C::UnitPrice, &price);
        }
    }
    cells.put_option(C::AllowanceEarns, rules.allowance_earns.as_ref());
    cells.put(C::Rounding, &rules.rounding);
    cells.put(C::Currency, &rules.currency);
}

pub(super) fn read_rules(row: &Row<'_>) -> Result<Rules, ReadError> {
    Ok(Rules {
        partner_share: row.get(C::PartnerShare)?,
        agent_share: row.get(C::AgentShare)?,
        version: row.get(C::RuleVersion)?,
        basis: read_basis(row)?,
        allowance_earns: row.option(C::AllowanceEarns)?,
        rounding: row.get(C::Rounding)?,
        currency: row.get(C::Currency)?,
    })
}

/// The names of the two bases.
const LOT_COST: &[u8] = b"lot_cost";
const CREDITS_PER_UNIT: &[u8] = b"credits_per_unit";

fn read_basis(row: &Row<'_>) -> Result<RevenueBasis, ReadError> {
    let (name, price) = (row.bytes(C::Basis), row.bytes(C::UnitPrice));
    if name == CREDITS_PER_UNIT {
        row.check(C::UnitPrice.bit(), u64::MAX, "prices by credits_per_unit")?;
        return row.get(C::UnitPrice).map(RevenueBasis::CreditsPerUnit);
    }
    if name != LOT_COST {
        return Err(row.error(C::Basis, name, Fault::Unknown { wanted: "lot_cost or credits_per_unit" }));
    }
    match price {
        [] => Ok(RevenueBasis::LotCost),
        price => Err(row.error(C::UnitPrice, price, Fault::Unwanted { of: "prices by lot_cost" })),
    }
}
