//! What a venue in process is made of: listings, limits, accounts, behavior.

use basis_core::num::{Fixed18, Price, Quantity, Rate, Value};
use basis_core::rules::{InstrumentRules, MakerTaker, RuleSnapshot};
use basis_core::types::{Asset, InstrumentKind};

use crate::server::venue::{Behavior, Latency};

/// The families of endpoints that trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// `/api/v3`.
    Spot,
    /// `/fapi`: perpetuals settled in the quote asset.
    UsdM,
}

/// How far a limit may be from the reference price, as a multiple of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentPrice {
    /// Highest of a buy.
    pub bid_up: Fixed18,
    /// Lowest of a buy.
    pub bid_down: Fixed18,
    /// Highest of a sale.
    pub ask_up: Fixed18,
    /// Lowest of a sale.
    pub ask_down: Fixed18,
}

/// An instrument with its filters.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Steps, bounds, margin tiers.
    pub rules: InstrumentRules,
    /// Lowest limit; zero for none.
    pub price_min: Price,
    /// Highest limit.
    pub price_max: Price,
    /// The band around the average of recent trades (spot) or the mark (USD-M).
    pub percent_price: PercentPrice,
    /// Largest quantity × price of a spot limit order.
    pub notional_max: Value,
    /// Most open orders of one account.
    pub orders_max: usize,
}

impl Listing {
    /// Takes `rules` with the wider filters of the documentation's samples.
    #[must_use]
    pub fn new(rules: InstrumentRules) -> Self {
        let spot = rules.key.kind == InstrumentKind::Spot;
        let (up, down, price_max) = if spot {
            ("5", "0.2", "1000000")
        } else {
            ("1.05", "0.95", "4529764")
        };
        let (up, down) = (Fixed18::literal(up), Fixed18::literal(down));
        Self {
            price_min: rules.tick_size,
            price_max: Price::literal(price_max),
            percent_price: PercentPrice {
                bid_up: up,
                bid_down: down,
                ask_up: up,
                ask_down: down,
            },
            notional_max: Value::literal("9000000"),
            orders_max: 200,
            rules,
        }
    }

    /// Returns the family that it trades in.
    #[must_use]
    pub fn product(&self) -> Product {
        match self.rules.key.kind {
            InstrumentKind::Spot => Product::Spot,
            _ => Product::UsdM,
        }
    }
}

/// How many requests and orders are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request weight of `/api` a minute.
    pub spot_weight_1m: u32,
    /// Request weight of `/fapi` a minute.
    pub usdm_weight_1m: u32,
    /// Weight of `/sapi` a minute.
    pub wallet_weight_1m: u32,
    /// Unfilled spot orders of an account in 10 seconds.
    pub spot_orders_10s: u32,
    /// Unfilled spot orders of an account in a day.
    pub spot_orders_1d: u32,
    /// USD-M orders of an account in 10 seconds.
    pub usdm_orders_10s: u32,
    /// USD-M orders of an account in a minute.
    pub usdm_orders_1m: u32,
    /// Refusals with 429 that are taken before the address is banned.
    pub refusals_before_ban: u32,
    /// How long a ban lasts, in seconds.
    pub ban_s: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spot_weight_1m: 6000,
            usdm_weight_1m: 2400,
            wallet_weight_1m: 12_000,
            spot_orders_10s: 100,
            spot_orders_1d: 200_000,
            usdm_orders_10s: 300,
            usdm_orders_1m: 1200,
            refusals_before_ban: 10,
            ban_s: 120,
        }
    }
}

/// What the venue is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of ids, listen keys and drawn faults.
    pub seed: u64,
    /// The number before that of the first order and the first trade of each symbol.
    pub first_id: u64,
    /// What is traded.
    pub listings: Vec<Listing>,
    /// Requests and orders.
    pub limits: Limits,
    /// Delays.
    pub latency: Latency,
    /// Stale and repeated answers.
    pub behavior: Behavior,
    /// How far the venue's clock is ahead of the caller's, in milliseconds.
    pub clock_ahead_ms: i64,
    /// Whether there is a wallet: test hosts have no `/sapi`.
    pub has_wallet: bool,
    /// What a BNB costs in USD stablecoins, for fees paid in it.
    pub bnb_price: Price,
}

impl Settings {
    /// Lists what `rules` has.
    #[must_use]
    pub fn of_rules(rules: &RuleSnapshot, seed: u64) -> Self {
        let listings = rules.instruments.iter().cloned().map(Listing::new);
        Self {
            seed,
            first_id: 1_000_000,
            listings: listings.collect(),
            limits: Limits::default(),
            latency: Latency::default(),
            behavior: Behavior::default(),
            clock_ahead_ms: 0,
            has_wallet: true,
            bnb_price: Price::literal("600"),
        }
    }
}

/// An account as it starts.
#[derive(Clone, Debug, Default)]
pub struct AccountSettings {
    /// Balances of the spot wallet.
    pub spot: Vec<(Asset, Quantity)>,
    /// Balances of the USD-M wallet.
    pub usdm: Vec<(Asset, Quantity)>,
    /// Fee rates of spot; a rate below zero is a rebate.
    pub spot_fees: MakerTaker,
    /// Fee rates of USD-M.
    pub usdm_fees: MakerTaker,
    /// Whether spot fees are paid in BNB, at three quarters, while there is enough of it.
    pub spot_bnb_burn: bool,
    /// Whether USD-M fees are paid in BNB, at nine tenths, while there is enough of it.
    pub usdm_bnb_burn: bool,
}

impl AccountSettings {
    /// The entry tier: 0.1 % on spot, 0.02 % and 0.05 % on USD-M.
    #[must_use]
    pub fn entry_tier() -> Self {
        Self {
            spot_fees: MakerTaker {
                maker: Rate::literal("0.001"),
                taker: Rate::literal("0.001"),
            },
            usdm_fees: MakerTaker {
                maker: Rate::literal("0.0002"),
                taker: Rate::literal("0.0005"),
            },
            ..Self::default()
        }
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Reads of the account.
    pub reading: bool,
    /// Spot orders.
    pub spot: bool,
    /// USD-M orders and settings.
    pub futures: bool,
    /// Transfers between the account's wallets.
    pub universal_transfer: bool,
    /// Withdrawals. Nothing here withdraws; `apiRestrictions` says it.
    pub withdrawals: bool,
    /// Whether only known addresses are let in.
    pub ip_restrict: bool,
}

impl Permissions {
    /// All but withdrawals.
    #[must_use]
    pub const fn trading() -> Self {
        Self {
            reading: true,
            spot: true,
            futures: true,
            universal_transfer: true,
            withdrawals: false,
            ip_restrict: true,
        }
    }
}
