//! Binance: spot and USD-M perpetuals.
//!
//! In backtests it is the [simulated exchange](crate::cex) under Binance's rules
//! (`configs/venues/binance.yaml`) and refusal codes. Spot and perps keep separate accounts
//! (`spot`, `usdm`); USD-M waives its minimum notional for reduce-only orders.
//!
//! Margin mode and leverage belong to a symbol; lower leverage under an isolated position is refused.
//! A perp order is amended with quantity and price both and queues anew; a spot order only shrinks.
//!
//! Codes: Binance API error lists of spot and USD-M.

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::types::Venue;
use basis_market::ExecutionInterface;

use crate::cex::{self, CexProfile, CexSettings, ModeCodes, PartialLiquidation, RefusalCodes};
use crate::credentials;
use crate::driver::{BuildContext, Driver, DriverFacts, VenueDriver};

/// Names and refusal codes of Binance.
pub const PROFILE: CexProfile = CexProfile {
    venue: Venue::literal("binance"),
    class_name: "BinanceExecutionInterface",
    spot: RefusalCodes {
        unknown_symbol: "-1121",
        no_quantity: "-1013",
        lot_size: "-1013",
        quantity_min: "-1013",
        quantity_max: "-1013",
        tick_size: "-1013",
        notional_min: "-1013",
        funds: "-2010",
        reduce_only: "-1106",
        position_limit: "-2010",
        leverage: "-1106",
        no_order: "-2011",
        post_only: Some("-2010"),
        fill_or_kill: None,
    },
    perp: RefusalCodes {
        unknown_symbol: "-1121",
        no_quantity: "-4003",
        lot_size: "-1111",
        quantity_min: "-4004",
        quantity_max: "-4005",
        tick_size: "-4014",
        notional_min: "-4164",
        funds: "-2019",
        reduce_only: "-2022",
        position_limit: "-2027",
        leverage: "-4028",
        no_order: "-2011",
        post_only: Some("-5022"),
        fill_or_kill: Some("-5021"),
    },
    post_only_reason: "the post-only order would immediately match and take",
    reduce_only_skips_notional: true,
    modes: ModeCodes {
        position_side: "-4061",
        hedge_reduce_only: Some("-1106"),
        margin_mode_positions: "-4048",
        margin_mode_orders: "-4047",
        isolated_leverage: Some("-4161"),
        leverage_funds: "-2028",
        no_amend: "-2013",
        amend_incomplete: "-1102",
        spot_amend: Some("-2038"),
    },
    margin_mode_of_account: false,
    amend_whole: true,
    amend_cancels_post_only: true,
    partial_liquidation: PartialLiquidation::OneOrder,
};

/// Binance as the factory creates it.
#[derive(Debug)]
pub struct Binance;

impl Driver for Binance {
    type Settings = CexSettings;

    const FACTS: DriverFacts = cex::facts(
        &PROFILE,
        "Binance spot and perpetual trading",
        credentials::BINANCE,
        module_path!(),
    );

    fn parse(node: &Node, problems: &Problems) -> CexSettings {
        cex::parse_settings(node, problems)
    }

    fn build(
        settings: &CexSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        cex::build(&PROFILE, settings, context)
    }
}

/// The row of Binance in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Binance>();
