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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, published);
    }

    #[test]
    fn ranges_hold_both_of_their_ends() {
        let mut random = Random::new(1);
        let drawn: Vec<_> = (0..100).map(|_| random.between(-1, 1)).collect();
        assert!([-1, 0, 1].iter().all(|n| drawn.contains(n)));
        assert!(drawn.iter().all(|n| (-1..=1).contains(n)));
        let high = (0..1_000).map(|_| random.uint(U256::ONE, U256::from(3)));
        assert_eq!(high.max(), Some(U256::from(3)));
    }

    #[test]
    fn amounts_have_all_sizes() {
        let mut random = Random::new(2);
        let sizes: Vec<_> = (0..2_000).map(|_| random.amount(100).bit_len()).collect();
        assert!(sizes.contains(&0) && sizes.contains(&100));
        assert!(sizes.iter().all(|size| *size <= 100));
    }
}
