//! Margin of linear perpetual futures: tiers, initial and maintenance margin, liquidation price. Free
//! functions over the rules of an instrument.
//!
//! Sources: Binance USD-M, Bybit v5 and OKX v5 margin documentation (facts sheet §2.10, §3.9, §4.9).

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::rules::{MarginTier, PerpRules, TierMethod, TierUnit};

use super::position::PerpPosition;

/// The price at which `wallet` plus the position's unrealised result meets its maintenance
/// margin: wallet + q·p − c = |q|·p·r − d, so p = (c − wallet − d) ÷ (q − |q|·r), with rate r
/// and deduction d of the tier that the position falls into at p.
///
/// Isolated: `wallet` is the position's own margin. Cross: the account's cash less what other
/// positions keep isolated, less their maintenance, plus their unrealised result; this is
/// Binance's published formula (facts sheet §2.10), and Bybit's and OKX's without closing fees.
///
/// Not positive: no price reaches it. `None` when no tier holds its own solution, which happens
/// only with tables whose margin jumps at a bound.
///
/// # Errors
/// [`MathError`] out of range, or for a flat position.
pub fn liquidation_price(
    rules: &PerpRules,
    position: &PerpPosition,
    wallet: Value,
    rounding: Rounding,
) -> Result<Option<Fixed18>, MathError> {
    let size = position.quantity.abs()?.get();
    let last = rules.tiers.last().map(|tier| tier.up_to);
    let mut below = None;
    for tier in &rules.tiers {
        let deduction = match rules.tier_method {
            TierMethod::Deduction => tier.deduction,
            TierMethod::Whole => Value::ZERO,
        };
        let numerator = position.cost.sub(wallet)?.sub(deduction)?.get();
        let margin = size.mul(tier.maintenance_margin_rate.get(), Rounding::HalfEven)?;
        let denominator = position.quantity.get().sub(margin)?;
        let price = numerator.div(denominator, rounding)?;
        let measure = match rules.tier_unit {
            TierUnit::Notional if price.is_positive() => size.mul(price, Rounding::Ceil)?,
            TierUnit::Notional => Fixed18::ZERO,
            TierUnit::Base => size,
        };
        let above_floor = below.is_none_or(|floor| measure > floor);
        let within = measure <= tier.up_to || Some(tier.up_to) == last;
        if above_floor && within {
            return Ok(Some(price));
        }
        below = Some(tier.up_to);
    }
    Ok(None)
}

/// The tier of a position of `size` base units (>= 0) worth `notional`; `None` above the last.
#[must_use]
pub fn tier(rules: &PerpRules, size: Quantity, notional: Value) -> Option<&MarginTier> {
    let measure = match rules.tier_unit {
        TierUnit::Notional => notional.get(),
        TierUnit::Base => size.get(),
    };
    rules.tiers.iter().find(|tier| measure <= tier.up_to)
}

/// Maintenance margin of signed `quantity` at `mark`, rounded up. Above the last tier the last
/// tier's rate applies: such a position cannot be opened, but a price can lift it there.
///
/// # Errors
/// [`MathError`] out of range.
pub fn maintenance_margin(
    rules: &PerpRules,
    quantity: Quantity,
    mark: Price,
) -> Result<Value, MathError> {
    let size = quantity.abs()?;
    maintenance_of(rules, size, size.notional(mark, Rounding::Ceil)?)
}

/// As [`maintenance_margin`], for a `size` (>= 0) whose worth at mark is known.
///
/// # Errors
/// [`MathError`] out of range.
pub fn maintenance_of(
    rules: &PerpRules,
    size: Quantity,
    notional: Value,
) -> Result<Value, MathError> {
    let (gross, deduction) = maintenance_parts(rules, size, notional)?;
    gross.sub(deduction)
}

/// What [`maintenance_of`] is made of: notional × the tier's rate, rounded up, which
/// moves with the price, and the tier's deduction, which does not.
///
/// # Errors
/// [`MathError`] out of range.
pub fn maintenance_parts(
    rules: &PerpRules,
    size: Quantity,
    notional: Value,
) -> Result<(Value, Value), MathError> {
    let Some(tier) = tier(rules, size, notional).or(rules.tiers.last()) else {
        return Ok((Value::ZERO, Value::ZERO));
    };
    let gross = notional.at_rate(tier.maintenance_margin_rate, Rounding::Ceil)?;
    let deduction = match rules.tier_method {
        TierMethod::Deduction => tier.deduction,
        TierMethod::Whole => Value::ZERO,
    };
    Ok((gross, deduction))
}

/// Initial margin of signed `quantity` at `mark` and `leverage` (>= 1), rounded up.
///
/// # Errors
/// [`MathError`] out of range.
pub fn initial_margin(
    quantity: Quantity,
    mark: Price,
    leverage: Fixed18,
) -> Result<Value, MathError> {
    let notional = quantity.abs()?.notional(mark, Rounding::Ceil)?;
    Ok(Value::new(notional.get().div(leverage, Rounding::Ceil)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    fn p(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn v(text: &str) -> Value {
        text.parse().unwrap()
    }

    #[test]
    fn short_opened_in_two_fills_and_reduced_settles_against_average_cost() {
        let flat = PerpPosition::default();
        let one = flat.fill(q("-1"), p("60000"), 6).unwrap().after;
        let two = one.fill(q("-1"), p("62000"), 6).unwrap().after;
        assert_eq!(
            two,
            PerpPosition {
                quantity: q("-2"),
                cost: v("-122000")
            }
        );
        let reduced = two.fill(q("0.5"), p("60000"), 6).unwrap();
        // Average cost 61,000; half a coin bought back 1,000 lower earns 500.
        assert_eq!(reduced.realized, v("500"));
        assert_eq!(
            reduced.after,
            PerpPosition {
                quantity: q("-1.5"),
                cost: v("-91500")
            }
        );
    }

    #[test]
    fn rounding_of_a_settlement_stays_in_the_open_cost() {
        let open = PerpPosition {
            quantity: q("-3"),
            cost: v("-100"),
        };
        let change = open.fill(q("1"), p("33"), 6).unwrap();
        assert_eq!(change.realized, v("0.333333"), "33.33… − 33, rounded down");
        let mark = p("33");
        let before = open.unrealized(mark).unwrap();
        let after = change
            .after
            .unrealized(mark)
            .unwrap()
            .add(change.realized)
            .unwrap();
        assert_eq!(before, after, "a fill at mark moves nothing");
    }

    #[test]
    fn a_fill_through_zero_closes_then_opens() {
        let open = PerpPosition {
            quantity: q("-1"),
            cost: v("-60000"),
        };
        let change = open.fill(q("3"), p("59000"), 6).unwrap();
        assert_eq!(change.realized, v("1000"));
        assert_eq!(
            change.after,
            PerpPosition {
                quantity: q("2"),
                cost: v("118000")
            }
        );
    }

    #[test]
    fn longs_pay_shorts_when_the_rate_is_positive() {
        let short = PerpPosition {
            quantity: q("-2"),
            cost: v("-120000"),
        };
        let rate = "0.0001".parse().unwrap();
        assert_eq!(short.funding(p("60000"), rate, 6).unwrap(), q("12"));
        let long = PerpPosition {
            quantity: q("2"),
            cost: v("120000"),
        };
        assert_eq!(long.funding(p("60000"), rate, 6).unwrap(), q("-12"));
        let tiny = "0.0000000001".parse().unwrap();
        assert_eq!(
            long.funding(p("1"), tiny, 6).unwrap(),
            q("-0.000001"),
            "against us"
        );
    }
}
