//! What differs between the simulated exchanges: names, and the codes of their refusals.

use basis_core::types::Venue;
use basis_protocols::exchange::filters::Filter;
use basis_protocols::exchange::liquidation::PartialLiquidation;

/// Codes by which a venue refuses orders of one product. The numbers are those of its live API, so
/// that a refusal reads the same in backtest and live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalCodes {
    /// No such instrument.
    pub unknown_symbol: &'static str,
    /// Quantity zero or negative.
    pub no_quantity: &'static str,
    /// Quantity off the step.
    pub lot_size: &'static str,
    /// Quantity below the minimum.
    pub quantity_min: &'static str,
    /// Quantity above the maximum.
    pub quantity_max: &'static str,
    /// Price off the step, zero or absent.
    pub tick_size: &'static str,
    /// Quantity × price below the minimum.
    pub notional_min: &'static str,
    /// Balance or margin too small.
    pub funds: &'static str,
    /// Nothing to reduce.
    pub reduce_only: &'static str,
    /// Position above what the last tier, or the leverage chosen, allows.
    pub position_limit: &'static str,
    /// Leverage out of bounds.
    pub leverage: &'static str,
    /// No such open order.
    pub no_order: &'static str,
    /// A limit price on a market order; `None` where the venue has no word for it.
    pub unwanted_price: Option<&'static str>,
    /// A post-only order that would take; `None` where the venue accepts and then cancels it.
    pub post_only: Option<&'static str>,
    /// A fill-or-kill order that cannot fill; `None` where the venue accepts and then expires it.
    pub fill_or_kill: Option<&'static str>,
}

impl RefusalCodes {
    /// One code for everything, of a venue that has no finer ones; what a venue may accept it accepts.
    #[must_use]
    pub const fn all(code: &'static str) -> Self {
        Self {
            unknown_symbol: code,
            no_quantity: code,
            lot_size: code,
            quantity_min: code,
            quantity_max: code,
            tick_size: code,
            unwanted_price: None,
            notional_min: code,
            funds: code,
            reduce_only: code,
            position_limit: code,
            leverage: code,
            no_order: code,
            post_only: None,
            fill_or_kill: None,
        }
    }

    /// The code of an order that does not pass a filter.
    pub(crate) const fn of(&self, filter: Filter) -> &'static str {
        match filter {
            Filter::NoQuantity => self.no_quantity,
            Filter::LotSize => self.lot_size,
            Filter::QuantityMin => self.quantity_min,
            Filter::QuantityMax => self.quantity_max,
            Filter::TickSize => self.tick_size,
            Filter::NotionalMin => self.notional_min,
        }
    }
}

/// Codes by which a venue refuses changes of modes, leverage and orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeCodes {
    /// A position side that does not fit the position mode, or none where one is needed.
    pub position_side: &'static str,
    /// Reduce-only in hedge mode; `None` where the venue takes it.
    pub hedge_reduce_only: Option<&'static str>,
    /// Open positions block a change of margin mode.
    pub margin_mode_positions: &'static str,
    /// Open orders block a change of margin mode.
    pub margin_mode_orders: &'static str,
    /// Lower leverage under an isolated position; `None` where the venue asks for more margin
    /// instead.
    pub isolated_leverage: Option<&'static str>,
    /// Leverage whose initial margin the account does not cover.
    pub leverage_funds: &'static str,
    /// No such open order to amend.
    pub no_amend: &'static str,
    /// An amendment without what the venue wants to be told.
    pub amend_incomplete: &'static str,
    /// A spot amendment that the venue does not do; `None` where spot orders are amended like perps.
    pub spot_amend: Option<&'static str>,
}

impl ModeCodes {
    /// One code for everything, of a venue that has no finer ones; what a venue may take it takes.
    #[must_use]
    pub const fn all(code: &'static str) -> Self {
        Self {
            position_side: code,
            hedge_reduce_only: None,
            margin_mode_positions: code,
            margin_mode_orders: code,
            isolated_leverage: None,
            leverage_funds: code,
            no_amend: code,
            amend_incomplete: code,
            spot_amend: None,
        }
    }
}

/// One exchange for the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeProfile {
    /// The venue.
    pub venue: Venue,
    /// The interface's name in lists and logs.
    pub class_name: &'static str,
    /// Refusals of spot orders.
    pub spot: RefusalCodes,
    /// Refusals of perp orders.
    pub perp: RefusalCodes,
    /// The venue's word for a post-only order that would take.
    pub post_only_reason: &'static str,
    /// Whether the minimum notional is waived for reduce-only perp orders.
    pub reduce_only_skips_notional: bool,
    /// Refusals of changes.
    pub modes: ModeCodes,
    /// Whether the margin mode belongs to the account and not to a symbol.
    pub margin_mode_of_account: bool,
    /// Whether a perp order is amended only with quantity and price both, and then queues anew.
    pub amend_whole: bool,
    /// Whether a post-only order whose amended price would take is canceled (else refused).
    pub amend_cancels_post_only: bool,
    /// How it liquidates.
    pub partial_liquidation: PartialLiquidation,
}
