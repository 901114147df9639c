//! The randomness of a simulation: ChaCha with 8 rounds, the same on every machine for ever.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Draws from one stream of a seed.
///
/// The key is the seed as 8 bytes, least significant first, and 24 zero bytes; the nonce is the number of the stream: 0 for
/// the market, `index + 1` for the account with that index. So every account can be drawn without those before it.
#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from);
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`; 0 if that is 0. The high half of the product: no numbers are thrown away, so every draw takes
    /// as much of the stream.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let product = u128::from(self.any()) * u128::from(limit);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// Whether something that happens so many times in a thousand does.
    pub(super) fn chance(&mut self, in_a_thousand: u64) -> bool {
        self.below(1_000) < in_a_thousand
    }

    /// A place in a list of this length.
    pub(super) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of these.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.place(N)]
    }

    /// Any 16 bytes.
    pub(super) fn bytes(&mut self) -> [u8; 16] {
        let number = (u128::from(self.any()) << 64) | u128::from(self.any());
        number.to_be_bytes()
    }
}
