//! Binance as the simulated exchange knows it.

use basis_core::types::Venue;
use basis_protocols::exchange::liquidation::PartialLiquidation;
use basis_sim::exchange::ExchangeProfile;

use super::errors;

/// Names and refusal codes of Binance.
pub(crate) const PROFILE: ExchangeProfile = ExchangeProfile {
    venue: Venue::literal("binance"),
    class_name: "BinanceExecutionInterface",
    spot: errors::SPOT,
    perp: errors::PERP,
    post_only_reason: "the post-only order would immediately match and take",
    reduce_only_skips_notional: true,
    modes: errors::MODES,
    margin_mode_of_account: false,
    amend_whole: true,
    amend_cancels_post_only: true,
    partial_liquidation: PartialLiquidation::OneOrder,
};
