//! The order filters of a venue: quantity, lot size, bounds, tick size and notional, in this order.

use std::fmt;

use basis_core::instruction::OrderType;
use basis_core::num::{MathError, Price, Quantity, Rounding};
use basis_core::rules::InstrumentRules;
use basis_core::types::InstrumentKey;

/// The filter that an order does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The quantity is zero or below.
    NoQuantity,
    /// The quantity is off the step.
    LotSize,
    /// The quantity is below the minimum.
    QuantityMin,
    /// The quantity is above the maximum of its order type.
    QuantityMax,
    /// The limit price is absent, not above zero, or off the step.
    TickSize,
    /// Quantity × price is below the minimum.
    NotionalMin,
}

/// An order that does not pass a filter: the value, and the bound that it misses, as the venue counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterFailure {
    /// Of what.
    pub instrument: InstrumentKey,
    /// Which filter.
    pub filter: Filter,
    /// `quantity`, `price` or `notional`.
    pub what: &'static str,
    /// The value.
    pub value: String,
    /// The bound.
    pub bound: String,
}

impl fmt::Display for FilterFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instrument,
            what,
            value,
            bound,
            ..
        } = self;
        write!(f, "{instrument}: {what} {value}: {bound}")
    }
}

impl std::error::Error for FilterFailure {}

/// What the filters look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// Base units.
    pub quantity: Quantity,
    /// Market or limit.
    pub order_type: OrderType,
    /// Quote per base; of a limit order.
    pub limit_price: Option<Price>,
}

impl OrderTerms {
    /// Returns the limit of a limit order.
    #[must_use]
    pub fn limit(&self) -> Option<Price> {
        match self.order_type {
            OrderType::Market => None,
            OrderType::Limit => self.limit_price,
        }
    }
}

/// Checks quantity, step, bounds and tick, in this order.
///
/// # Errors
/// [`FilterFailure`] of the first filter that the order does not pass.
pub fn check(rules: &InstrumentRules, order: &OrderTerms) -> Result<(), FilterFailure> {
    let quantity = order.quantity;
    let fails = |filter, bound: String| Err(quantity_failure(rules, quantity, filter, bound));
    if !quantity.is_positive() {
        return fails(Filter::NoQuantity, "it must be above zero".to_owned());
    }
    if !quantity.is_multiple_of(rules.lot_size) {
        let bound = format!("the lot size of {}", counted(rules, rules.lot_size));
        return fails(Filter::LotSize, bound);
    }
    if quantity < rules.min_quantity {
        let bound = format!("the minimum of {}", counted(rules, rules.min_quantity));
        return fails(Filter::QuantityMin, bound);
    }
    let max = match order.order_type {
        OrderType::Market => rules.max_market_quantity.min(rules.max_quantity),
        OrderType::Limit => rules.max_quantity,
    };
    if quantity > max {
        let bound = format!("the maximum of {}", counted(rules, max));
        return fails(Filter::QuantityMax, bound);
    }
    match order.order_type {
        OrderType::Market => Ok(()),
        OrderType::Limit => check_tick(rules, order.limit_price),
    }
}

fn check_tick(rules: &InstrumentRules, limit: Option<Price>) -> Result<(), FilterFailure> {
    let fails = |value: String, bound: String| {
        Err(FilterFailure {
            instrument: rules.key,
            filter: Filter::TickSize,
            what: "price",
            value,
            bound,
        })
    };
    let Some(limit) = limit.filter(|limit| limit.is_positive()) else {
        let bound = "a limit order needs a limit_price above zero".to_owned();
        return fails("none".to_owned(), bound);
    };
    if limit.is_multiple_of(rules.tick_size) {
        return Ok(());
    }
    let bound = format!("the tick size of {}", rules.tick_size);
    fails(limit.to_string(), bound)
}

/// Returns the failure of an order whose quantity × `price`, rounded down, is below the minimum notional.
///
/// # Errors
/// [`MathError`] out of range.
pub fn notional_failure(
    rules: &InstrumentRules,
    quantity: Quantity,
    price: Price,
) -> Result<Option<FilterFailure>, MathError> {
    let floor = rules.min_notional;
    if floor.is_zero() {
        return Ok(None);
    }
    let notional = quantity.notional(price, Rounding::Floor)?;
    if notional >= floor {
        return Ok(None);
    }
    Ok(Some(FilterFailure {
        instrument: rules.key,
        filter: Filter::NotionalMin,
        what: "notional",
        value: notional.to_string(),
        bound: format!("the minimum of {floor} {}", rules.quote),
    }))
}

fn quantity_failure(
    rules: &InstrumentRules,
    quantity: Quantity,
    filter: Filter,
    bound: String,
) -> FilterFailure {
    FilterFailure {
        instrument: rules.key,
        filter,
        what: "quantity",
        value: counted(rules, quantity),
        bound,
    }
}

/// Returns a quantity as the venue counts it: in contracts where it counts these.
fn counted(rules: &InstrumentRules, quantity: Quantity) -> String {
    let base = rules.base;
    match &rules.perp {
        Some(perp) if perp.counts_contracts => {
            let size = perp.contract_size;
            let contracts = quantity
                .ratio(size, Rounding::HalfEven)
                .map_or_else(|_| "?".to_owned(), |c| c.to_string());
            format!("{contracts} contracts of {size} {base} ({quantity} {base})")
        }
        _ => format!("{quantity} {base}"),
    }
}

#[cfg(test)]
mod tests {
    use basis_core::num::Value;
    use basis_core::types::{Asset, InstrumentKind, Label, Symbol, Venue};

    use super::*;

    fn rules() -> InstrumentRules {
        InstrumentRules {
            key: InstrumentKey {
                venue: Venue::literal("binance"),
                kind: InstrumentKind::Spot,
                symbol: Symbol::literal("BTCUSDT"),
            },
            venue_symbol: Label::literal("BTCUSDT"),
            base: Asset::literal("BTC"),
            quote: Asset::literal("USDT"),
            tick_size: Price::literal("0.5"),
            lot_size: Quantity::literal("0.01"),
            min_quantity: Quantity::literal("0.05"),
            max_quantity: Quantity::literal("100"),
            max_market_quantity: Quantity::literal("10"),
            min_notional: Value::literal("5000"),
            perp: None,
        }
    }

    fn failure(quantity: &str, limit: Option<&str>) -> Option<Filter> {
        let order = OrderTerms {
            quantity: quantity.parse().unwrap(),
            order_type: if limit.is_some() {
                OrderType::Limit
            } else {
                OrderType::Market
            },
            limit_price: limit.map(|limit| limit.parse().unwrap()),
        };
        check(&rules(), &order).err().map(|e| e.filter)
    }

    #[test]
    fn the_first_filter_that_an_order_fails_is_named() {
        assert_eq!(failure("0", None), Some(Filter::NoQuantity));
        assert_eq!(failure("-0.1", None), Some(Filter::NoQuantity));
        assert_eq!(failure("0.005", None), Some(Filter::LotSize));
        assert_eq!(failure("0.04", None), Some(Filter::QuantityMin));
        assert_eq!(failure("0.05", None), None);
        assert_eq!(failure("10", None), None);
        assert_eq!(failure("10.01", None), Some(Filter::QuantityMax));
        assert_eq!(failure("100", Some("50000.5")), None);
        assert_eq!(
            failure("100.01", Some("50000.5")),
            Some(Filter::QuantityMax)
        );
        assert_eq!(failure("1", Some("50000.2")), Some(Filter::TickSize));
        assert_eq!(failure("1", Some("0")), Some(Filter::TickSize));
    }

    #[test]
    fn a_notional_is_rounded_down_before_it_meets_its_minimum() {
        let price = Price::literal("49999.5");
        let failed = notional_failure(&rules(), Quantity::literal("0.1"), price);
        let failed = failed.unwrap().unwrap();
        assert_eq!(failed.filter, Filter::NotionalMin);
        assert_eq!(
            failed.to_string(),
            "binance:spot:BTCUSDT: notional 4999.95: the minimum of 5000 USDT"
        );
        let price = Price::literal("50000");
        let passed = notional_failure(&rules(), Quantity::literal("0.1"), price);
        assert_eq!(passed, Ok(None));
    }
}
