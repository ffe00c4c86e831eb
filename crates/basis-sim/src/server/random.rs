//! Random draws that a seed repeats.

/// Steele, Lea and Flood's `SplitMix64`: a counter whose every value is mixed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Returns the stream of `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Tells whether a draw of `bps` in 10,000 hits.
    pub(super) const fn hits(&mut self, bps: u32) -> bool {
        self.next() % 10_000 < bps as u64
    }

    /// Returns `length` characters out of letters and digits.
    pub(super) fn text(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut letters = ALPHABET.iter().copied().cycle();
        (0..length)
            .filter_map(|_| letters.nth(usize::try_from(self.next() % 62).unwrap_or(0)))
            .map(char::from)
            .collect()
    }
}
