//! Bybit as the simulated exchange knows it.

use basis_core::types::Venue;
use basis_protocols::exchange::liquidation::PartialLiquidation;
use basis_sim::exchange::ExchangeProfile;

use super::errors;

/// Names and refusal codes of Bybit.
pub(crate) const PROFILE: ExchangeProfile = ExchangeProfile {
    venue: Venue::literal("bybit"),
    class_name: "BybitExecutionInterface",
    spot: errors::SPOT,
    perp: errors::PERP,
    post_only_reason: "canceled by the venue: EC_PostOnlyWillTakeLiquidity",
    reduce_only_skips_notional: false,
    modes: errors::MODES,
    margin_mode_of_account: true,
    amend_whole: false,
    amend_cancels_post_only: true,
    partial_liquidation: PartialLiquidation::OneOrder,
};
