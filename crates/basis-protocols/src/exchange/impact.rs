//! What taking liquidity costs, and how much of it there is: half a spread, and an impact that grows with
//! the square root of the order.
//!
//! The cost of an order of q base units is `half_spread` + Y × σ × √(q ÷ V), with σ the root mean square of
//! the bars' returns and V their mean volume. Both means are over the same bars, so that their number
//! cancels out: σ × √(q ÷ V) = √(Σ r² × q ÷ Σ v).
//!
//! **Invariants.** Pure. A cost is rounded up but for its root; a room is rounded down.

use basis_core::num::{Bps, Fixed18, MathError, Price, Quantity, Rate, Rounding};
use basis_core::venue::TakingTerms;

/// How many completed bars of a market an order's impact is computed from.
pub const ACTIVITY_BARS: usize = 24;

/// Decimals of a return, so that its square is exact.
const RETURN_DECIMALS: u32 = 9;

const BPS: i64 = 10_000;

/// What a market did over its newest completed bars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Σ (close ÷ open − 1)² over the bars, each return rounded half-even to 9 decimals.
    pub squared_returns: Fixed18,
    /// Σ volume over the bars, base units.
    pub volume: Quantity,
    /// Base units that the newest of them traded.
    pub last_volume: Quantity,
}

impl Activity {
    /// Returns the activity over `bars`, each as open, close and base units traded, from late to early.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn of(bars: impl IntoIterator<Item = (Price, Price, Quantity)>) -> Result<Self, MathError> {
        let mut activity = Self::default();
        for (at, (open, close, volume)) in bars.into_iter().take(ACTIVITY_BARS).enumerate() {
            let squared = squared_return(open, close)?;
            activity.squared_returns = activity.squared_returns.add(squared)?;
            activity.volume = activity.volume.add(volume)?;
            if at == 0 {
                activity.last_volume = volume;
            }
        }
        Ok(activity)
    }

    /// Returns what taking `quantity` base units (>= 0) costs against the mark; `None` while nothing was
    /// traded that an impact could be measured by.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn cost(&self, terms: &TakingTerms, quantity: Quantity) -> Result<Option<Bps>, MathError> {
        let Some(impact) = self.impact(terms, quantity)? else {
            return Ok(None);
        };
        let cost = terms.half_spread.get().add(impact.get().mul_int(BPS)?)?;
        Ok(Some(Bps::new(cost)))
    }

    /// Returns what of [`Activity::cost`] is more than the half spread.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn impact(
        &self,
        terms: &TakingTerms,
        quantity: Quantity,
    ) -> Result<Option<Rate>, MathError> {
        if terms.impact.is_zero() || quantity.is_zero() {
            return Ok(Some(Rate::ZERO));
        }
        if !self.volume.is_positive() {
            return Ok(None);
        }
        let share = quantity.ratio(self.volume, Rounding::Ceil)?;
        let squared = self.squared_returns.mul(share.get(), Rounding::Ceil)?;
        let impact = terms.impact.mul(squared.sqrt_floor()?, Rounding::Ceil)?;
        Ok(Some(Rate::new(impact)))
    }

    /// Returns the base units that orders may take of the newest bar in all; `None` without a bound.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn most(&self, participation: Option<Rate>) -> Result<Option<Quantity>, MathError> {
        let share = participation.map(|share| self.last_volume.at_rate(share, Rounding::Floor));
        share.transpose()
    }
}

/// Returns the square of a bar's return from `open` to `close`, exact in the return's own decimals.
///
/// # Errors
/// [`MathError`] for an open of zero, or out of range.
pub fn squared_return(open: Price, close: Price) -> Result<Fixed18, MathError> {
    let change = close.get().sub(open.get())?;
    let change = change.div(open.get(), Rounding::HalfEven)?;
    let change = change.round_to_decimals(RETURN_DECIMALS, Rounding::HalfEven)?;
    change.mul(change, Rounding::HalfEven)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open: &str, close: &str, volume: &str) -> (Price, Price, Quantity) {
        (
            open.parse().unwrap(),
            close.parse().unwrap(),
            volume.parse().unwrap(),
        )
    }

    fn terms(half_spread: &str, impact: &str) -> TakingTerms {
        TakingTerms {
            half_spread: half_spread.parse().unwrap(),
            impact: impact.parse().unwrap(),
            max_participation: Some(Rate::literal("0.05")),
        }
    }

    #[test]
    fn the_impact_is_sigma_times_the_root_of_the_share() {
        // Returns of +1 % and −1 %: σ is 1 %. Mean volume 200, an order of 2: √(1 %) of it is 0.1 %.
        let activity = Activity::of([bar("100", "101", "100"), bar("100", "99", "300")]).unwrap();
        let cost = |quantity: &str, impact: &str| {
            let cost = activity.cost(&terms("1", impact), quantity.parse().unwrap());
            cost.unwrap().unwrap()
        };
        assert_eq!(cost("2", "1"), Bps::literal("11"));
        assert_eq!(cost("8", "1"), Bps::literal("21"));
        assert_eq!(cost("2", "0.5"), Bps::literal("6"));
        assert_eq!(cost("2", "0"), Bps::literal("1"));
        assert_eq!(activity.last_volume, Quantity::literal("100"));
    }

    #[test]
    fn bars_beyond_the_newest_twenty_four_do_not_count() {
        let newest = vec![bar("100", "100", "10"); ACTIVITY_BARS];
        let mut more = newest.clone();
        more.push(bar("100", "150", "1000"));
        assert_eq!(Activity::of(newest).unwrap(), Activity::of(more).unwrap());
    }

    #[test]
    fn without_volume_there_is_no_impact_to_measure_and_no_room() {
        let activity = Activity::of([bar("100", "101", "0")]).unwrap();
        let cost = activity.cost(&terms("1", "1"), Quantity::literal("1"));
        assert_eq!(cost.unwrap(), None);
        let room = activity.most(Some(Rate::literal("0.05"))).unwrap();
        assert_eq!(room, Some(Quantity::ZERO));
        assert_eq!(activity.most(None).unwrap(), None);
    }
}
