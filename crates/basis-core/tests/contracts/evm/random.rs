//! Random numbers that are the same on every machine: Steele, Lea and Flood's `SplitMix64`.

use super::U256;

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Creates the generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number in `0..end`; `end` > 0.
    pub fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap()
    }

    /// Returns a number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(i128::from(high) - i128::from(low) + 1).unwrap();
        let offset = i128::from(self.below(span));
        i64::try_from(i128::from(low) + offset).unwrap()
    }

    /// Returns true once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Returns one of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len().try_into().unwrap());
        &items[usize::try_from(at).unwrap()]
    }

    /// Returns an index into a list of `length` items.
    pub fn index(&mut self, length: usize) -> usize {
        let at = self.below(length.try_into().unwrap());
        usize::try_from(at).unwrap()
    }

    /// Returns a number of at most `bits` bits whose size is spread evenly over them: as many of ten
    /// bits as of a hundred. Amounts of all sizes come from it; it may be 0.
    pub fn amount(&mut self, bits: u32) -> U256 {
        let bits = self.below(u64::from(bits) + 1);
        let limbs = [self.next(), self.next(), self.next(), self.next()];
        let number = U256::from_limbs(limbs);
        if bits == 0 {
            return U256::ZERO;
        }
        number >> usize::try_from(256 - bits).unwrap()
    }

    /// Returns a number in `low..=high`.
    pub fn uint(&mut self, low: U256, high: U256) -> U256 {
        let limbs = [self.next(), self.next(), self.next(), self.next()];
        let number = U256::from_limbs(limbs);
        match (high - low).checked_add(U256::ONE) {
            Some(span) => low + number % span,
            None => number,
        }
    }
}
