//! The standard error of a mean of weekly returns, which depend on the weeks before them.
//!
//! Politis and Romano's stationary bootstrap: a resample is made of blocks of the series, taken as a circle, that
//! begin anywhere and go on with probability 1 − 1 ÷ length from week to week.

/// Mean length of a block, weeks.
const BLOCK_WEEKS: f64 = 4.0;
const RESAMPLES: usize = 2_000;
const SEED: u64 = 20_240_101;

/// Returns the standard deviation of the resampled means; zero for fewer than two weeks. The same for the same
/// series.
pub(crate) fn standard_error(weekly: &[f64]) -> f64 {
    if weekly.len() < 2 {
        return 0.0;
    }
    let mut random = SplitMix64(SEED);
    let means: Vec<f64> = (0..RESAMPLES)
        .map(|_| mean(&resample(weekly, &mut random)))
        .collect();
    let middle = mean(&means);
    let squares: Vec<f64> = means.iter().map(|mean| (mean - middle).powi(2)).collect();
    mean(&squares).sqrt()
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    let count = values.iter().fold(0.0, |count, _| count + 1.0_f64);
    values.iter().sum::<f64>() / count.max(1.0)
}

fn resample(weekly: &[f64], random: &mut SplitMix64) -> Vec<f64> {
    let mut at = random.below(weekly.len());
    let mut own = Vec::with_capacity(weekly.len());
    while own.len() < weekly.len() {
        own.extend(weekly.get(at));
        at = match random.fraction() < 1.0 / BLOCK_WEEKS {
            true => random.below(weekly.len()),
            false => (at + 1) % weekly.len(),
        };
    }
    own
}

/// Steele, Lea and Flood's generator: a counter whose every value is mixed.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1).
    fn fraction(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// Below `count`, which is above zero.
    fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Independent draws, half of them 1 and half −1.
    fn coins(count: usize) -> Vec<f64> {
        let mut random = SplitMix64(7);
        let toss = |random: &mut SplitMix64| if random.fraction() < 0.5 { 1.0 } else { -1.0 };
        (0..count).map(|_| toss(&mut random)).collect()
    }

    #[test]
    fn independent_weeks_have_the_textbook_error() {
        // σ ÷ √n is 0.05 for 400 coins of σ 1.
        let error = standard_error(&coins(400));
        assert!((error - 0.05).abs() < 0.01, "{error}");
    }

    #[test]
    fn weeks_that_hang_together_have_a_larger_error() {
        // Each coin four times over: as many weeks, a quarter of the information.
        let slow: Vec<f64> = coins(100).iter().flat_map(|coin| [*coin; 4]).collect();
        let error = standard_error(&slow);
        assert!(error > 0.07, "{error}");
    }

    #[test]
    fn the_error_repeats_and_is_zero_where_nothing_varies() {
        assert!(standard_error(&coins(50)).to_bits() == standard_error(&coins(50)).to_bits());
        assert!(standard_error(&[0.25; 40]).abs() < 1e-15);
        assert!(standard_error(&[1.0]).abs() < 1e-15);
    }
}
