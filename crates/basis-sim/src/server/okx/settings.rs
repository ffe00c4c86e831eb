//! What an OKX in process is made of.

use basis_core::num::{Fixed18, Quantity, Rate};
use basis_core::rules::{InstrumentRules, MakerTaker, RuleSnapshot, WithdrawalRules};
use basis_core::types::{Asset, Span};

use crate::server::venue::{Behavior, Latency};

/// How many requests are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the limits of endpoints are multiplied by; 1 as documented.
    pub endpoint_factor: u32,
    /// New and amended orders of an account in two seconds, cancellations not counted.
    pub orders_2s: u32,
    /// Pending orders of an account in one instrument.
    pub pending_of_instrument: usize,
    /// Pending orders of an account.
    pub pending: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            endpoint_factor: 1,
            orders_2s: 1_000,
            pending_of_instrument: 500,
            pending: 4_000,
        }
    }
}

/// A chain that a currency moves over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The currency.
    pub coin: Asset,
    /// The venue's name of it, as `USDT-ERC20`.
    pub name: String,
    /// What a withdrawal costs, on top of its amount.
    pub fee: Quantity,
    /// The smallest withdrawal.
    pub minimum: Quantity,
    /// Decimals of an accepted amount.
    pub decimals: u32,
    /// From request to credit at the other end.
    pub delay: Span,
}

impl Chain {
    fn of_rules(rules: &WithdrawalRules) -> Self {
        let network = match rules.network.as_str() {
            "ethereum" => "ERC20",
            "bitcoin" => "Bitcoin",
            "arbitrum" => "Arbitrum One",
            other => other,
        };
        Self {
            coin: rules.asset,
            name: format!("{}-{network}", rules.asset),
            fee: rules.fee,
            minimum: rules.minimum,
            decimals: rules.decimals,
            delay: rules.delay,
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
    /// Over what currencies come and go.
    pub chains: Vec<Chain>,
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
    /// Whether it is the demo.
    pub is_demo: bool,
}

impl Settings {
    /// Takes the instruments and chains of `rules`.
    #[must_use]
    pub fn of_rules(rules: &RuleSnapshot, seed: u64) -> Self {
        let chains = rules.transfers.withdrawals.iter().map(Chain::of_rules);
        Self {
            seed,
            first_id: 1_000_000,
            listings: rules.instruments.clone(),
            chains: chains.collect(),
            limits: Limits::default(),
            latency: Latency::default(),
            behavior: Behavior::default(),
            engine_ms: 0,
            clock_ahead_ms: 0,
            is_demo: false,
        }
    }
}

/// What an account can do, as its owner set it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountLevel {
    /// Spot alone.
    Spot,
    /// Spot and swaps, margin by currency.
    #[default]
    Futures,
    /// All currencies stand for all positions.
    MultiCurrency,
    /// Margin by the risk of the whole.
    Portfolio,
}

impl AccountLevel {
    /// Returns OKX's number.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Spot => "1",
            Self::Futures => "2",
            Self::MultiCurrency => "3",
            Self::Portfolio => "4",
        }
    }

    /// The mode that spot orders trade in.
    pub(super) const fn spot_mode(self) -> &'static str {
        match self {
            Self::Spot | Self::Futures => "cash",
            Self::MultiCurrency | Self::Portfolio => "cross",
        }
    }
}

/// An account as it starts.
#[derive(Clone, Debug, Default)]
pub struct AccountSettings {
    /// Balances of the trading account.
    pub trading: Vec<(Asset, Quantity)>,
    /// Balances of the funding account.
    pub funding: Vec<(Asset, Quantity)>,
    /// Fee rates of spot; a rate below zero is a rebate.
    pub spot_fees: MakerTaker,
    /// Fee rates of swaps.
    pub swap_fees: MakerTaker,
    /// What it can do.
    pub level: AccountLevel,
    /// Addresses that it may withdraw to.
    pub addresses: Vec<String>,
}

impl AccountSettings {
    /// The entry tier: 0.08 % and 0.1 % on spot, 0.02 % and 0.05 % on swaps.
    #[must_use]
    pub fn entry_tier() -> Self {
        Self {
            spot_fees: MakerTaker {
                maker: Rate::literal("0.0008"),
                taker: Rate::literal("0.001"),
            },
            swap_fees: MakerTaker {
                maker: Rate::literal("0.0002"),
                taker: Rate::literal("0.0005"),
            },
            ..Self::default()
        }
    }
}

/// What a key may do beside reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Orders, settings, transfers between the account's own accounts.
    pub trade: bool,
    /// Withdrawals.
    pub withdraw: bool,
    /// Whether only known addresses are let in.
    pub ip_restrict: bool,
}

impl Permissions {
    /// All but withdrawals.
    #[must_use]
    pub const fn trading() -> Self {
        Self {
            trade: true,
            withdraw: false,
            ip_restrict: true,
        }
    }
}

/// The leverage before anybody sets one.
pub(super) const LEVERAGE: Fixed18 = Fixed18::from_int(3);
