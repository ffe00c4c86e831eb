//! Binance: spot and USD-M perpetuals.
//!
//! In backtests it is the [simulated exchange](basis_sim::exchange) under Binance's rules
//! (`configs/venues/binance.yaml`) and refusal codes. Spot and perps keep separate accounts
//! (`spot`, `usdm`); USD-M waives its minimum notional for reduce-only orders.
//!
//! Margin mode and leverage belong to a symbol; lower leverage under an isolated position is refused.
//! A perp order is amended with quantity and price both and queues anew; a spot order only shrinks.
//!
//! Live, [`codec`] makes requests of instructions and facts of what answers say ([`answer`], [`codes`]); `live`
//! decides what is sent and when, and what became of it.
//!
//! Codes (`errors`): Binance API error lists of spot and USD-M.

pub mod answer;
pub mod codec;
pub mod codes;
mod dry_run;
mod errors;
#[cfg(feature = "live")]
pub mod live;
mod simulated;
#[cfg(feature = "live")]
mod weights;

use basis_core::venue::CredentialSet;
use basis_sim::exchange::ExchangeProfile;

use self::simulated::PROFILE;
use crate::credentials;
use crate::driver::{DryRunner, Exchange, ExchangeVenue, VenueDriver};

/// Binance as the factory creates it.
#[derive(Debug)]
pub struct Binance;

impl ExchangeVenue for Binance {
    const PROFILE: &'static ExchangeProfile = &PROFILE;
    const DESCRIPTION: &'static str = "Binance spot and perpetual trading";
    const CREDENTIALS: CredentialSet = credentials::BINANCE;
    const MODULE: &'static str = module_path!();
    const DRY_RUN: Option<DryRunner> = Some(dry_run::dry_run);
    #[cfg(feature = "live")]
    const LIVE: Option<crate::driver::LiveBuilder> = Some(live::build);
}

/// The row of Binance in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Exchange<Binance>>();
