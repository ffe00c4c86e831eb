//! `quay`, an exchange that is simulated like the built-in ones under rules and codes of its own.

use basis::core::types::Venue;
use basis::core::venue::CredentialSet;
use basis::protocols::exchange::liquidation::PartialLiquidation;
use basis::sim::exchange::{ExchangeProfile, ModeCodes, RefusalCodes};
use basis::venues::driver::{Exchange, ExchangeVenue, VenueDriver};

/// Its row: `App::builtin().with_venue(DRIVER)?`.
pub const DRIVER: VenueDriver = VenueDriver::of::<Exchange<Quay>>();

/// Its rules; a run names the file under `rules.quay`.
pub const RULES: &str = include_str!("../quay.yaml");

/// The exchange as the factory creates it.
#[derive(Debug)]
pub struct Quay;

impl ExchangeVenue for Quay {
    const PROFILE: &'static ExchangeProfile = &ExchangeProfile {
        venue: Venue::literal("quay"),
        class_name: "QuayExecutionInterface",
        spot: CODES,
        perp: CODES,
        post_only_reason: "would take",
        reduce_only_skips_notional: false,
        modes: MODES,
        margin_mode_of_account: true,
        amend_whole: false,
        amend_cancels_post_only: true,
        partial_liquidation: PartialLiquidation::OneOrder,
    };
    const DESCRIPTION: &'static str = "Quay, an exchange of one's own as an example";
    const CREDENTIALS: CredentialSet = CredentialSet {
        name: "quay",
        variables: &[("api_key", "CEX__QUAY_API_KEY")],
    };
    const MODULE: &'static str = module_path!();
}

const CODES: RefusalCodes = RefusalCodes::all("refused");
const MODES: ModeCodes = ModeCodes::all("refused");
