//! What an order is before it is any venue's: rounded to lot and tick, checked against the filters, a
//! market order turned into a limit at the collar.

use std::borrow::Cow;

use basis_core::error::{Code, ComponentError, Rejection, VenueErrorKind};
use basis_core::instruction::{
    AmendOrder, Instruction, Operation, OrderType, PerpTrade, SpotTrade, TimeInForce,
};
use basis_core::num::{Bps, MathError, Price, Quantity, Rounding};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{InstructionId, InstrumentKind, Side, Symbol};
use basis_protocols::exchange::filters::{self, Filter, FilterFailure, OrderTerms};

/// How far a market order's limit lies from its reference price where nothing else is said, in bps.
pub const COLLAR_WIDTH: Bps = Bps::literal("50");

/// How far from the reference price a market order may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collar {
    /// The price the order is decided on: the best opposite quote, or the mark.
    pub reference: Price,
    /// The most that is given away against it, > 0.
    pub width: Bps,
}

/// An order of ours as the venue has it, for what changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOrder {
    /// Spot or perp.
    pub kind: InstrumentKind,
    /// The instruction that opened it: its client order id derives from it.
    pub instruction: InstructionId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Its direction.
    pub side: Side,
    /// Base units ordered.
    pub quantity: Quantity,
    /// Its limit.
    pub limit_price: Price,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// Whether it only brings a position nearer to zero; such orders skip the minimum notional at USD-M.
    pub reduces: bool,
    /// Base units filled, as far as is known.
    pub filled: Quantity,
}

impl KnownOrder {
    /// Returns the order that `trade` opened, nothing of it filled; `None` for a market order, which never
    /// rests.
    #[must_use]
    pub fn of_spot(instruction: InstructionId, trade: &SpotTrade) -> Option<Self> {
        let limit_price = trade.limit_price?;
        (trade.order_type == OrderType::Limit).then_some(Self {
            kind: InstrumentKind::Spot,
            instruction,
            symbol: trade.symbol,
            side: trade.side,
            quantity: trade.quantity,
            limit_price,
            time_in_force: trade.time_in_force,
            reduces: false,
            filled: Quantity::ZERO,
        })
    }

    /// As [`KnownOrder::of_spot`], of a perpetual.
    #[must_use]
    pub fn of_perp(instruction: InstructionId, trade: &PerpTrade) -> Option<Self> {
        let limit_price = trade.limit_price?;
        (trade.order_type == OrderType::Limit).then_some(Self {
            kind: InstrumentKind::Perp,
            instruction,
            symbol: trade.symbol,
            side: trade.side,
            quantity: trade.quantity,
            limit_price,
            time_in_force: trade.time_in_force,
            reduces: reduces(trade),
            filled: Quantity::ZERO,
        })
    }

    /// Returns the resting order that `opening` opens.
    ///
    /// # Errors
    /// [`ComponentError`] for an instruction that leaves no order in the book.
    pub fn opened_by(opening: &Instruction) -> Result<Self, ComponentError> {
        let order = match &opening.operation {
            Operation::SpotTrade(trade) => Self::of_spot(opening.id, trade),
            Operation::PerpTrade(trade) => Self::of_perp(opening.id, trade),
            _ => None,
        };
        order.ok_or_else(|| {
            let message = format!(
                "the opening instruction is a {}; it must be the limit spot_trade or perp_trade that rests",
                opening.operation.kind()
            );
            ComponentError::new(Code::InstructionInvalid, message)
        })
    }
}

/// Why an instruction becomes no request.
pub(crate) type Refusal = VenueErrorKind;

pub(crate) fn invalid(text: impl Into<String>) -> Refusal {
    VenueErrorKind::InvalidRequest(text.into())
}

pub(crate) fn out_of_range(e: MathError) -> Refusal {
    invalid(format!("an amount is out of range: {e}"))
}

/// Returns the rules of `symbol`, or the refusal that names it.
pub(crate) fn listed(
    rules: &RuleSnapshot,
    kind: InstrumentKind,
    symbol: Symbol,
) -> Result<&InstrumentRules, Refusal> {
    let listed = rules.instrument(kind, symbol).ok_or_else(|| {
        invalid(format!(
            "the rules list no {kind} {symbol}; read the venue's own list of instruments, or give a file that \
             lists it"
        ))
    })?;
    // Quantities here are base units: sent as they are, they would be so many times too large.
    match &listed.perp {
        Some(perp) if perp.prices_contracts => Err(VenueErrorKind::Unsupported(format!(
            "a contract of {} is {} {}: instruments that count in multiples are not sent in this version",
            listed.venue_symbol, perp.contract_size, listed.base
        ))),
        _ => Ok(listed),
    }
}

/// What a venue does its own way about filters.
#[derive(Clone, Copy)]
pub(crate) struct FilterTerms {
    /// The venue's name of a filter.
    pub(crate) name: fn(InstrumentKind, Filter) -> &'static str,
    /// Whether an order that only reduces may be smaller than the minimum notional.
    pub(crate) reducing_skips_notional: bool,
}

/// What orders of every kind have in common.
pub(crate) struct Order<'a> {
    pub(crate) rules: &'a InstrumentRules,
    pub(crate) side: Side,
    pub(crate) quantity: Quantity,
    pub(crate) order_type: OrderType,
    pub(crate) limit_price: Option<Price>,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) reduces: bool,
}

/// Quantity and price as they are sent.
pub(crate) struct Priced {
    /// Base units, a multiple of the lot.
    pub(crate) quantity: Quantity,
    pub(crate) price: Price,
    pub(crate) time_in_force: TimeInForce,
}

/// Whether an order brings the position it is for nearer to zero: by its word, or in hedge mode by going
/// against the side it names.
pub(crate) fn reduces(trade: &PerpTrade) -> bool {
    let side = trade.position_side;
    trade.reduce_only || side.is_some_and(|side| side.opens_with() != trade.side)
}

impl<'a> Order<'a> {
    /// The order of `trade`.
    pub(crate) fn spot(trade: &SpotTrade, rules: &'a RuleSnapshot) -> Result<Self, Refusal> {
        Ok(Self {
            rules: listed(rules, InstrumentKind::Spot, trade.symbol)?,
            side: trade.side,
            quantity: trade.quantity,
            order_type: trade.order_type,
            limit_price: trade.limit_price,
            time_in_force: trade.time_in_force,
            reduces: false,
        })
    }

    /// The order of `trade`.
    pub(crate) fn perp(trade: &PerpTrade, rules: &'a RuleSnapshot) -> Result<Self, Refusal> {
        Ok(Self {
            rules: listed(rules, InstrumentKind::Perp, trade.symbol)?,
            side: trade.side,
            quantity: trade.quantity,
            order_type: trade.order_type,
            limit_price: trade.limit_price,
            time_in_force: trade.time_in_force,
            reduces: reduces(trade),
        })
    }

    /// What `change` makes of `order`.
    ///
    /// An amendment to what has filled, or less, is refused: the venues cancel the order for it, or call it
    /// filled.
    pub(crate) fn amended(
        change: &AmendOrder,
        order: &KnownOrder,
        rules: &'a RuleSnapshot,
    ) -> Result<Self, Refusal> {
        if change.quantity.is_none() && change.limit_price.is_none() {
            return Err(invalid(
                "an amendment changes quantity or limit_price; this changes neither",
            ));
        }
        let quantity = change.quantity.unwrap_or(order.quantity);
        if quantity <= order.filled {
            return Err(invalid(format!(
                "the new quantity {quantity} is not above what has filled ({}): that would cancel the order",
                order.filled
            )));
        }
        Ok(Self {
            rules: listed(rules, order.kind, order.symbol)?,
            side: order.side,
            quantity,
            order_type: OrderType::Limit,
            limit_price: Some(change.limit_price.unwrap_or(order.limit_price)),
            time_in_force: order.time_in_force,
            reduces: order.reduces,
        })
    }

    /// Rounds to lot and tick and checks the filters. Nothing is rounded against the instruction: quantities
    /// go down, the price of a buy down and that of a sell up. A market order leaves as an IOC limit at the
    /// collar.
    pub(crate) fn price(
        &self,
        collar: Option<Collar>,
        terms: FilterTerms,
    ) -> Result<Priced, Refusal> {
        let rules = self.rules;
        let named = |failure| named(failure, terms.name);
        let (wanted, time_in_force) = match self.order_type {
            OrderType::Limit => (self.limit_price, self.time_in_force),
            OrderType::Market => (Some(self.collared(collar)?), self.time_of_market()?),
        };
        let lot = rules.lot_size;
        let quantity = self.quantity.round_to_lot(lot, Rounding::Down);
        let quantity = quantity.map_err(out_of_range)?;
        if quantity.is_zero() && self.quantity.is_positive() {
            return Err(named(FilterFailure {
                instrument: rules.key,
                filter: Filter::LotSize,
                what: "quantity",
                value: format!("{} {}", self.quantity, rules.base),
                bound: format!("the lot size of {lot} {}", rules.base),
            }));
        }
        let price = match wanted.filter(|price| price.is_positive()) {
            Some(wanted) => Some(to_tick(wanted, self.side, rules).map_err(named)?),
            None => None,
        };
        let checked = OrderTerms {
            quantity,
            order_type: OrderType::Limit,
            limit_price: price,
        };
        filters::check(rules, &checked).map_err(named)?;
        let Some(price) = price else {
            return Err(invalid("a limit order needs a limit_price above zero"));
        };
        if !(self.reduces && terms.reducing_skips_notional) {
            let failure = filters::notional_failure(rules, quantity, price);
            if let Some(failure) = failure.map_err(out_of_range)? {
                return Err(named(failure));
            }
        }
        Ok(Priced {
            quantity,
            price,
            time_in_force,
        })
    }

    fn time_of_market(&self) -> Result<TimeInForce, Refusal> {
        match self.time_in_force {
            TimeInForce::Gtc | TimeInForce::Ioc => Ok(TimeInForce::Ioc),
            TimeInForce::Fok => Ok(TimeInForce::Fok),
            TimeInForce::PostOnly => Err(invalid("a market order cannot be post_only")),
        }
    }

    fn collared(&self, collar: Option<Collar>) -> Result<Price, Refusal> {
        let Some(Collar { reference, width }) = collar else {
            return Err(invalid(
                "a market order leaves as a limit at the collar, and there is no price to measure the \
                 collar from",
            ));
        };
        if !width.get().is_positive() {
            return Err(invalid(format!(
                "the collar of {width} bps is not above zero"
            )));
        }
        let (width, rounding) = match self.side {
            Side::Buy => (width, Rounding::Floor),
            Side::Sell => {
                let below = width.get().neg().map_err(out_of_range)?;
                (Bps::new(below), Rounding::Ceil)
            }
        };
        reference.shift_bps(width, rounding).map_err(out_of_range)
    }
}

/// Rounds a price to the tick: never worse than it was asked.
fn to_tick(price: Price, of: Side, rules: &InstrumentRules) -> Result<Price, FilterFailure> {
    let rounding = match of {
        Side::Buy => Rounding::Floor,
        Side::Sell => Rounding::Ceil,
    };
    let rounded = price.round_to_tick(rules.tick_size, rounding);
    match rounded {
        Ok(rounded) if rounded.is_positive() => Ok(rounded),
        _ => Err(FilterFailure {
            instrument: rules.key,
            filter: Filter::TickSize,
            what: "price",
            value: price.to_string(),
            bound: format!("the tick size of {}", rules.tick_size),
        }),
    }
}

/// The refusal of a filter, by the venue's name of it.
fn named(failure: FilterFailure, name: fn(InstrumentKind, Filter) -> &'static str) -> Refusal {
    let name = name(failure.instrument.kind, failure.filter);
    VenueErrorKind::Rejected {
        reason: Rejection::Filter {
            instrument: failure.instrument,
            what: Cow::Borrowed(failure.what),
            value: failure.value,
            bound: format!("{name}: {}", failure.bound),
        },
        venue_code: None,
    }
}
