//! The venue's order filters.

use basis_core::error::Rejection;
use basis_core::instruction::{OrderType, TimeInForce};
use basis_core::num::{Price, Quantity, Rounding};
use basis_core::rules::InstrumentRules;
use basis_core::types::{InstructionId, InstrumentKey, Side};
use basis_core::venue_event::Text;

use super::profile::{ExchangeProfile, RefusalCodes};
use crate::refusal::Refusal;

/// A spot or perp order in one shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) instruction: InstructionId,
    pub(crate) rules: &'a InstrumentRules,
    /// The position it trades: that of the rules, or one side of it in hedge mode.
    pub(crate) key: InstrumentKey,
    pub(crate) codes: &'static RefusalCodes,
    pub(crate) side: Side,
    /// Base units.
    pub(crate) quantity: Quantity,
    pub(crate) order_type: OrderType,
    pub(crate) limit_price: Option<Price>,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) reduce_only: bool,
}

impl Order<'_> {
    /// The limit of a limit order.
    pub(crate) fn limit(&self) -> Option<Price> {
        match self.order_type {
            OrderType::Market => None,
            OrderType::Limit => self.limit_price,
        }
    }

    fn filter(
        &self,
        what: &'static str,
        value: &dyn std::fmt::Display,
        bound: String,
        code: &'static str,
    ) -> Refusal {
        let reason = Rejection::Filter {
            instrument: self.rules.key,
            what: Text::Borrowed(what),
            value: value.to_string(),
            bound,
        };
        Refusal::rejected(reason, code)
    }

    /// A quantity as the venue counts it.
    fn counted(&self, quantity: Quantity) -> String {
        let base = self.rules.base;
        match &self.rules.perp {
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

    /// Quantity, step, bounds and tick, in this order.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let (rules, codes, quantity) = (self.rules, self.codes, self.quantity);
        let refused = |bound: String, code| {
            Err(self.filter("quantity", &self.counted(quantity), bound, code))
        };
        if !quantity.is_positive() {
            return refused("it must be above zero".to_owned(), codes.no_quantity);
        }
        if !quantity.is_multiple_of(rules.lot_size) {
            let bound = format!("the lot size of {}", self.counted(rules.lot_size));
            return refused(bound, codes.lot_size);
        }
        if quantity < rules.min_quantity {
            let bound = format!("the minimum of {}", self.counted(rules.min_quantity));
            return refused(bound, codes.quantity_min);
        }
        let max = match self.order_type {
            OrderType::Market => rules.max_market_quantity.min(rules.max_quantity),
            OrderType::Limit => rules.max_quantity,
        };
        if quantity > max {
            let bound = format!("the maximum of {}", self.counted(max));
            return refused(bound, codes.quantity_max);
        }
        if self.order_type == OrderType::Limit {
            let Some(limit) = self.limit_price.filter(|limit| limit.is_positive()) else {
                let bound = "a limit order needs a limit_price above zero".to_owned();
                return Err(self.filter("price", &"none", bound, codes.tick_size));
            };
            if !limit.is_multiple_of(rules.tick_size) {
                let bound = format!("the tick size of {}", rules.tick_size);
                return Err(self.filter("price", &limit, bound, codes.tick_size));
            }
        }
        Ok(())
    }

    /// Quantity × limit, or × mark for a market order.
    pub(crate) fn check_notional(
        &self,
        profile: &ExchangeProfile,
        mark: Price,
    ) -> Result<(), Refusal> {
        let waived = self.reduce_only && profile.reduce_only_skips_notional;
        let floor = self.rules.min_notional;
        if waived || floor.is_zero() {
            return Ok(());
        }
        let price = self.limit().unwrap_or(mark);
        let notional = self.quantity.notional(price, Rounding::Floor)?;
        if notional < floor {
            let bound = format!("the minimum of {floor} {}", self.rules.quote);
            return Err(self.filter("notional", &notional, bound, self.codes.notional_min));
        }
        Ok(())
    }
}
