//! What an account still acts upon: the last few of something.

use super::dice::Dice;

/// How many are kept.
const MEMORY: usize = 12;

/// The last few of something.
#[derive(Debug)]
pub(super) struct Recent<T>(Vec<T>);

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, item: T) {
        if self.0.len() >= MEMORY {
            self.0.remove(0);
        }
        self.0.push(item);
    }

    /// Takes any of them.
    pub(super) fn take(&mut self, dice: &mut Dice) -> Option<T> {
        (!self.0.is_empty()).then(|| self.0.swap_remove(dice.place(self.0.len())))
    }

    /// Takes the first that is so.
    pub(super) fn take_first(&mut self, is_so: impl Fn(&T) -> bool) -> Option<T> {
        self.0.iter().position(is_so).map(|place| self.0.remove(place))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
