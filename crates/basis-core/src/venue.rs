//! What an execution interface can do, and what it works with.

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::event::EventSink;
use crate::instruction::OperationKind;
use crate::journal::Outbox;
use crate::num::{Bps, Fixed18, Quantity, Rate};
use crate::rules::{RuleBook, SharedRules, VenueRules};
use crate::transport::Transport;
use crate::types::{Account, Asset, InstrumentKey, Item, Label, Span, Timestamp, Venue};
use crate::venue_event::Position;

/// Whether interfaces simulate or trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExecutionMode {
    /// Simulated venues on recorded data.
    Backtest,
    /// Real venues.
    Live,
}

impl ExecutionMode {
    /// `backtest` or `live`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::Live => "live",
        }
    }
}

/// What sort of venue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VenueType {
    /// A centralised exchange.
    Cex,
    /// A decentralised exchange.
    Dex,
    /// An on-chain protocol.
    OnChain,
}

impl VenueType {
    /// `CEX`, `DEX` or `OnChain`, as the specification writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cex => "CEX",
            Self::Dex => "DEX",
            Self::OnChain => "OnChain",
        }
    }
}

/// At which price the orders that a simulated venue takes at once fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FillAt {
    /// At the close of the bar that the decision saw.
    #[default]
    Close,
    /// At the open of the bar after it: the fill is known only with that bar.
    NextOpen,
}

impl FillAt {
    /// How long after the instant of the decision an order fills at the next open: an instant of its
    /// own, so that what was settled at the decision's instant came before it.
    pub const NEXT_OPEN_DELAY: Span = Span::from_nanos(1);

    /// `close` or `next_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::NextOpen => "next_open",
        }
    }
}

/// What an interface can do; anything else is refused as unsupported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The operations it executes.
    pub operations: Vec<OperationKind>,
    /// Whether it holds a long and a short position of each perp, so that orders must name theirs.
    pub hedge_mode: bool,
    /// How long balances may not show yet what was reported, or show already what was not: for so long a
    /// difference says nothing. Zero for a venue whose snapshots are exact, as simulated ones are.
    pub visibility_delay: Span,
}

/// What a venue says of how it deals, so that whoever plans needs no constants of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long a redemption waits in the venue's queue; `None` where there is none.
    pub unstake_delay: Option<Span>,
    /// When the last of the withdrawal requests that wait there leaves the queue; `None` while none waits.
    pub unstake_ends: Option<Timestamp>,
    /// What it lends for the length of a transaction.
    pub flash_loans: Vec<FlashLoanTerms>,
    /// Efficiency modes of a lending market.
    pub e_modes: Vec<EModeTerms>,
    /// Its pools.
    pub pools: Vec<PoolTerms>,
    /// How its order books take market orders; `None` for a venue without any.
    pub taking: Option<TakingTerms>,
    /// Base units that orders of ours have taken of the newest bars, by instrument.
    pub taken: Vec<(InstrumentKey, Quantity)>,
}

/// What taking liquidity from an order book costs against the mark, and how much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakingTerms {
    /// What the smallest order costs, >= 0.
    pub half_spread: Bps,
    /// Impact of an order as large as the mean volume of a bar, in standard deviations of the bars'
    /// returns, >= 0: the Y of Y × σ × √(q ÷ V).
    pub impact: Fixed18,
    /// The part of the newest bar's volume that orders take at most; `None` without a bound.
    pub max_participation: Option<Rate>,
}

impl TakingTerms {
    /// How much more of a bar an order may take that reduces: a sale of spot, or a reduce-only order.
    pub const URGENT: i64 = 4;

    /// Every order of any size costs `half_spread`.
    #[must_use]
    pub const fn fixed(half_spread: Bps) -> Self {
        Self {
            half_spread,
            impact: Fixed18::ZERO,
            max_participation: None,
        }
    }

    /// The part of the newest bar's volume that orders which reduce, or those which do not, take at most.
    #[must_use]
    pub fn participation(&self, reduces: bool) -> Option<Rate> {
        let most = self.max_participation?;
        if !reduces {
            return Some(most);
        }
        let urgent = most.get().mul_int(Self::URGENT).unwrap_or(Fixed18::ONE);
        Some(Rate::new(urgent.min(Fixed18::ONE)))
    }
}

/// A flash loan as it is to be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashLoanTerms {
    /// What is lent.
    pub asset: Asset,
    /// Asked for on top, >= 0, of the amount.
    pub premium: Bps,
    /// The most that can be lent, >= 0.
    pub available: Quantity,
}

/// An efficiency mode: assets that follow each other and so may be lent against more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EModeTerms {
    /// What `set_e_mode` takes, above 0.
    pub category: u8,
    /// What counts as its collateral and can be borrowed in it.
    pub assets: Vec<Asset>,
}

/// A pool of a DEX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolTerms {
    /// What a swap calls it.
    pub pool: Label,
    /// What it exchanges, in the pool's order.
    pub assets: Vec<Asset>,
    /// What a swap pays of the amount it gives (Uniswap) or takes (Curve), 0 to below 1; the least of it
    /// where it grows, as Curve's does off the peg.
    pub fee: Rate,
}

/// Read access to the books.
pub trait PositionReader: Send + Sync + fmt::Debug {
    /// The holding of `item` in `account` after the last reconciled block; zero when there is none.
    fn quantity(&self, account: Account, item: Item) -> Quantity;

    /// Every holding that is not zero, sorted.
    fn positions(&self) -> Vec<Position>;
}

/// Rules and metadata of venues. Prices come from the view alone.
pub trait DataProvider: Send + Sync + fmt::Debug {
    /// The dated rules of `venue`.
    fn rules(&self, venue: Venue) -> Option<Arc<VenueRules>>;

    /// Decimals with which `venue` keeps `asset`: quantities of its accounts are multiples of ten to the
    /// minus this. On the chain all venues share the token's, which the wallet's rules have.
    fn decimals(&self, venue: Venue, asset: Asset) -> Option<u32>;
}

impl DataProvider for RuleBook {
    fn rules(&self, venue: Venue) -> Option<Arc<VenueRules>> {
        self.venue(venue).cloned()
    }

    fn decimals(&self, venue: Venue, asset: Asset) -> Option<u32> {
        self.asset_decimals(venue, asset)
    }
}

impl DataProvider for SharedRules {
    fn rules(&self, venue: Venue) -> Option<Arc<VenueRules>> {
        self.book().rules(venue)
    }

    fn decimals(&self, venue: Venue, asset: Asset) -> Option<u32> {
        self.book().decimals(venue, asset)
    }
}

/// Shared handles an interface works with.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    /// Read access to the books (`position_monitor` in the specification).
    pub position_reader: Option<Arc<dyn PositionReader>>,
    /// Where events go (`event_logger`).
    pub event_sink: Option<Arc<dyn EventSink>>,
    /// Rules and metadata (`data_provider`).
    pub data_provider: Option<Arc<dyn DataProvider>>,
    /// Time.
    pub clock: Option<Arc<dyn Clock>>,
    /// The network; live only.
    pub transport: Option<Arc<dyn Transport>>,
    /// Where what is about to be sent is written down first; live only.
    pub outbox: Option<Arc<dyn Outbox>>,
}

impl Dependencies {
    /// Names of the handles that every interface needs and that are not there, as the
    /// specification calls them.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let needed = [
            ("position_monitor", self.position_reader.is_none()),
            ("event_logger", self.event_sink.is_none()),
            ("data_provider", self.data_provider.is_none()),
        ];
        needed
            .into_iter()
            .filter_map(|(name, missing)| missing.then_some(name))
            .collect()
    }
}

/// Which environment variables hold a venue's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialSet {
    /// The name of the set, `binance` or `alchemy`.
    pub name: &'static str,
    /// Field and variable suffix after `BASIS_<ENV>__`, as
    /// `("api_key", "CEX__BYBIT_API_KEY")`.
    pub variables: &'static [(&'static str, &'static str)],
}
