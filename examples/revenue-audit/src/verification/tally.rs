//! Conservation, counted a second time: moves and parts of all entries of an account against the state they lead to.

use std::collections::BTreeMap;

use rad_core::revenue::{AccountState, Effect, Lot, Place};

use super::finding::Wrong;
use crate::figures::Sum;

/// What the effects of an account's entries add up to, lot by lot, in millionths.
#[derive(Debug, Default)]
pub(super) struct Tally {
    lots: BTreeMap<u64, LotTally>,
}

#[derive(Debug, Default)]
struct LotTally {
    granted: i128,
    /// Credits by place, in the order of [`PLACES`].
    places: [i128; PLACES.len()],
    attributed: i128,
    cost: i128,
}

const PLACES: [(Place, &str); 7] = [
    (Place::Open, "open credits"),
    (Place::Frozen, "frozen credits"),
    (Place::Held, "held credits"),
    (Place::Spent, "spent credits"),
    (Place::Expired, "expired credits"),
    (Place::Removed, "removed credits"),
    (Place::Reversed, "reversed credits"),
];

impl Tally {
    pub(super) fn clear(&mut self) {
        self.lots.clear();
    }

    /// Adds what an entry did.
    pub(super) fn add(&mut self, effect: &Effect, found: &mut impl FnMut(Wrong)) {
        for change in &effect.moves {
            let lot = self.lots.entry(change.lot).or_default();
            let credits = i128::from(change.credits.micros());
            *lot.place(change.from) -= credits;
            *lot.place(change.to) += credits;
        }
        for part in &effect.parts {
            let lot = self.lots.entry(part.lot).or_default();
            lot.attributed += i128::from(part.credits.micros());
            lot.cost += i128::from(part.cost.micros());
        }
        for line in &effect.lines {
            let shares = [line.partner, line.agent, line.platform].map(i128::from);
            if shares.iter().sum::<i128>() != i128::from(line.gross) {
                found(Wrong::SharesDiffer { charge: line.charge });
            }
        }
    }

    /// Compares with the account's state in the end.
    pub(super) fn check(&self, state: &AccountState, found: &mut impl FnMut(Wrong)) {
        for lot in state.lots() {
            let nothing = LotTally::default();
            let tally = self.lots.get(&lot.id).unwrap_or(&nothing);
            for (what, expected, actual) in tally.figures(lot) {
                let (expected, actual) = (Sum::of_micros(expected.into()), Sum::of_micros(actual));
                if expected != actual {
                    found(Wrong::NotConserved { lot: lot.id, what, expected, actual });
                }
            }
        }
    }
}

impl LotTally {
    fn place(&mut self, place: Place) -> &mut i128 {
        let index = PLACES.iter().position(|(other, _)| *other == place);
        match index.and_then(|index| self.places.get_mut(index)) {
            Some(sum) => sum,
            None => &mut self.granted,
        }
    }

    /// Every figure of a lot: its name, what the state says, what the effects add up to.
    fn figures<'a>(&'a self, lot: &'a Lot) -> impl Iterator<Item = (&'static str, i64, i128)> + 'a {
        let places = PLACES.iter().zip(self.places).map(|((place, name), actual)| {
            let expected = match place {
                Place::Open => lot.open,
                Place::Frozen => lot.frozen,
                Place::Held => lot.held,
                Place::Expired => lot.expired,
                Place::Removed => lot.removed,
                Place::Reversed => lot.reversed,
                _ => lot.spent(),
            };
            (*name, expected.micros(), actual)
        });
        places.chain([
            ("the number of credits granted", lot.credits.micros(), -self.granted),
            ("the number of credits attributed to charges", lot.spent().micros(), self.attributed),
            ("the cost attributed to charges", lot.spent_cost().micros(), self.cost),
        ])
    }
}
