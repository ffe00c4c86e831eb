//! An order at the venue, and the venue's filters on it.

use basis_core::error::Rejection;
use basis_core::instruction::{OrderType, TimeInForce};
use basis_core::num::{Price, Quantity};
use basis_core::rules::InstrumentRules;
use basis_core::types::{InstructionId, InstrumentKey, Side};
use basis_core::venue_event::Text;
use basis_protocols::exchange::filters::{self, FilterFailure, OrderTerms};

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
    fn terms(&self) -> OrderTerms {
        OrderTerms {
            quantity: self.quantity,
            order_type: self.order_type,
            limit_price: self.limit_price,
        }
    }

    /// The limit of a limit order.
    pub(crate) fn limit(&self) -> Option<Price> {
        self.terms().limit()
    }

    /// Refuses what does not pass a filter, with the venue's code.
    fn refused(&self, failure: FilterFailure) -> Refusal {
        let code = self.codes.of(failure.filter);
        let reason = Rejection::Filter {
            instrument: failure.instrument,
            what: Text::Borrowed(failure.what),
            value: failure.value,
            bound: failure.bound,
        };
        Refusal::rejected(reason, code)
    }

    /// Quantity, step, bounds and tick, in this order.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let passed = filters::check(self.rules, &self.terms());
        passed.map_err(|failure| self.refused(failure))
    }

    /// Quantity × limit, or × mark for a market order.
    pub(crate) fn check_notional(
        &self,
        profile: &ExchangeProfile,
        mark: Price,
    ) -> Result<(), Refusal> {
        if self.reduce_only && profile.reduce_only_skips_notional {
            return Ok(());
        }
        let price = self.limit().unwrap_or(mark);
        match filters::notional_failure(self.rules, self.quantity, price)? {
            Some(failure) => Err(self.refused(failure)),
            None => Ok(()),
        }
    }
}
