//! What differs between the simulated exchanges: names, and the codes of their refusals.

use basis_core::types::Venue;

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
    /// A post-only order that would take; `None` where the venue accepts and then cancels it.
    pub post_only: Option<&'static str>,
    /// A fill-or-kill order that cannot fill; `None` where the venue accepts and then expires it.
    pub fill_or_kill: Option<&'static str>,
}

/// One exchange for the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CexProfile {
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
}
