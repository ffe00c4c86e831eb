//! What a Bybit in process is made of.

use basis_core::num::{Quantity, Rate};
use basis_core::rules::{InstrumentRules, MakerTaker, RuleSnapshot};
use basis_core::types::Asset;

use crate::server::unified::Category;
use crate::server::venue::{Behavior, Latency};

impl Category {
    /// Returns Bybit's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
        }
    }
}

/// How many requests are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one address in five seconds; more are answered 403.
    pub requests_5s: u32,
    /// How long an address that asked too much is answered 403, in seconds.
    pub ban_s: i64,
    /// What the limits of endpoints are multiplied by; 1 as documented.
    pub endpoint_factor: u32,
    /// Active spot orders of an account.
    pub spot_orders_max: usize,
    /// Active orders of an account in one perpetual.
    pub linear_orders_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_5s: 600,
            ban_s: 600,
            endpoint_factor: 1,
            spot_orders_max: 500,
            linear_orders_max: 500,
        }
    }
}

/// What the venue is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of ids and drawn faults.
    pub seed: u64,
    /// The number before that of the first order.
    pub first_id: u64,
    /// What is traded.
    pub listings: Vec<InstrumentRules>,
    /// How many requests are taken.
    pub limits: Limits,
    /// How long the ways take.
    pub latency: Latency,
    /// What it does to its readers.
    pub behavior: Behavior,
    /// How long after it was taken a placement, an amendment or a cancellation reaches the engine, in
    /// milliseconds.
    pub engine_ms: i64,
    /// How far the venue's clock is ahead of the caller's, in milliseconds.
    pub clock_ahead_ms: i64,
    /// Whether it has transfers: the demo has none.
    pub has_wallet: bool,
}

impl Settings {
    /// Takes the instruments of `rules`.
    #[must_use]
    pub fn of_rules(rules: &RuleSnapshot, seed: u64) -> Self {
        Self {
            seed,
            first_id: 1_000_000,
            listings: rules.instruments.clone(),
            limits: Limits::default(),
            latency: Latency::default(),
            behavior: Behavior::default(),
            engine_ms: 0,
            clock_ahead_ms: 0,
            has_wallet: true,
        }
    }
}

/// An account as it starts.
#[derive(Clone, Debug, Default)]
pub struct AccountSettings {
    /// Balances of the unified account.
    pub unified: Vec<(Asset, Quantity)>,
    /// Balances of the funding account.
    pub fund: Vec<(Asset, Quantity)>,
    /// Fee rates of spot; a rate below zero is a rebate.
    pub spot_fees: MakerTaker,
    /// Fee rates of perpetuals.
    pub linear_fees: MakerTaker,
}

impl AccountSettings {
    /// The entry tier: 0.1 % on spot, 0.02 % and 0.055 % on perpetuals.
    #[must_use]
    pub fn entry_tier() -> Self {
        Self {
            spot_fees: MakerTaker {
                maker: Rate::literal("0.001"),
                taker: Rate::literal("0.001"),
            },
            linear_fees: MakerTaker {
                maker: Rate::literal("0.0002"),
                taker: Rate::literal("0.00055"),
            },
            ..Self::default()
        }
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the venue's own switches")]
pub struct Permissions {
    /// Nothing but read.
    pub read_only: bool,
    /// Orders and settings of perpetuals.
    pub contracts: bool,
    /// Spot orders.
    pub spot: bool,
    /// Transfers between the account's own accounts.
    pub transfer: bool,
    /// Withdrawals. Nothing here withdraws; `query-api` says it.
    pub withdraw: bool,
    /// Whether only known addresses are let in.
    pub ip_restrict: bool,
}

impl Permissions {
    /// All but withdrawals.
    #[must_use]
    pub const fn trading() -> Self {
        Self {
            read_only: false,
            contracts: true,
            spot: true,
            transfer: true,
            withdraw: false,
            ip_restrict: true,
        }
    }
}
