//! The one execution interface, and the rows from which the factory creates it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::{Node, Problems};
use crate::error::{ComponentError, VenueError};
use crate::event::EventSink;
use crate::execution::{Execution, IsolatedMargin, LendingHealth, Position, VenueEvent};
use crate::executor::BoxFuture;
use crate::health::Health;
use crate::instruction::{Instruction, OperationKind};
use crate::market::MarketView;
use crate::num::{Bps, Quantity, Rate};
use crate::rules::VenueRules;
use crate::secret::Credentials;
use crate::transit::Transit;
use crate::transport::Transport;
use crate::types::{Account, Asset, Item, Label, Span, Timestamp, Venue};

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
}

/// What a venue says of how it deals, so that whoever plans needs no constants of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long a redemption waits in the venue's queue; `None` where there is none.
    pub unstake_delay: Option<Span>,
    /// What it lends for the length of a transaction.
    pub flash_loans: Vec<FlashLoanTerms>,
    /// Efficiency modes of a lending market.
    pub e_modes: Vec<EModeTerms>,
    /// Its pools.
    pub pools: Vec<PoolTerms>,
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

    /// Decimals of `asset`: ledger quantities are multiples of ten to the minus this.
    fn decimals(&self, asset: Asset) -> Option<u32>;
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
    /// Time and async sleep.
    pub clock: Option<Arc<dyn Clock>>,
    /// The network; live only.
    pub transport: Option<Arc<dyn Transport>>,
    /// Capital on its way between simulated venues; backtest only.
    pub transit: Option<Arc<Transit>>,
    /// The chain that the on-chain interfaces share.
    pub chain: Option<Arc<dyn Chain>>,
    /// When taking orders fill; backtest only.
    pub fill_at: FillAt,
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

/// The one interface to every venue, simulated and real.
///
/// A simulated venue's futures are ready at the first poll. A real one's futures bound their own
/// time: none pends for ever, and none is dropped in flight.
#[async_trait]
pub trait ExecutionInterface: Send {
    /// The venue behind it.
    fn venue(&self) -> Venue;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Hands it its dependencies; until then every instruction is refused as not ready.
    fn set_dependencies(&mut self, dependencies: Dependencies);

    /// Executes one instruction and reports what the venue confirmed.
    ///
    /// # Errors
    /// [`VenueError`]; its kind says whether the venue may have acted.
    async fn execute_instruction(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError>;

    /// Executes all legs of a block on this venue: one after the other unless overridden.
    async fn execute_legs(
        &mut self,
        view: &MarketView,
        legs: &[&Instruction],
    ) -> Vec<Result<Execution, VenueError>> {
        let mut results = Vec::with_capacity(legs.len());
        for leg in legs {
            results.push(self.execute_instruction(view, leg).await);
        }
        results
    }

    /// Everything that happened since the last call and that no [`Execution`] carried, in order of
    /// time. Funding and interest reach the ledger only this way, in both modes.
    ///
    /// # Errors
    /// [`VenueError`] when the venue cannot be asked.
    async fn advance(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, VenueError>;

    /// When [`ExecutionInterface::advance`] next has something to do; `None` for a quiet venue.
    /// An instant in the past means: at every step.
    fn next_event_at(&self) -> Option<Timestamp>;

    /// Whether [`ExecutionInterface::advance`] has something to do at this view; the engine does not
    /// ask a venue that has not. Provided: whether `next_event_at` has come. A venue that must look at
    /// every price answers here at once, without a future.
    fn is_due(&self, view: &MarketView) -> bool {
        self.next_event_at().is_some_and(|due| due <= view.now())
    }

    /// What the venue says we hold, amounts in flight included where it keeps them.
    ///
    /// # Errors
    /// [`VenueError`] when the venue cannot be asked.
    async fn positions(&mut self, view: &MarketView) -> Result<Vec<Position>, VenueError>;

    /// How far the lending accounts are from liquidation, in order of account. Provided: there are none.
    ///
    /// # Errors
    /// [`VenueError`] when the venue cannot be asked.
    async fn lending(&mut self, _view: &MarketView) -> Result<Vec<LendingHealth>, VenueError> {
        Ok(Vec::new())
    }

    /// Collateral that stands for single positions alone, so that risk is reckoned as the venue does it.
    /// Provided: none, all positions share the account's.
    fn isolated_margins(&self, _view: &MarketView) -> Vec<IsolatedMargin> {
        Vec::new()
    }

    /// How the venue deals at this instant: queues, flash loans, efficiency modes, pools. Provided: it has none
    /// of them.
    ///
    /// # Errors
    /// [`VenueError`] when the venue cannot say.
    fn terms(&self, _view: &MarketView) -> Result<Terms, VenueError> {
        Ok(Terms::default())
    }

    /// How the interface is.
    fn health(&self) -> Health;
}

impl fmt::Debug for dyn ExecutionInterface + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionInterface")
            .field("venue", &self.venue())
            .finish_non_exhaustive()
    }
}

/// A validated section `venue_settings.<venue>`.
#[derive(Clone)]
pub struct VenueSettings {
    /// The venue.
    pub venue: Venue,
    /// Its section as written; a driver may read it again.
    pub node: Node,
    /// What the driver's parser made of it.
    pub parsed: Arc<dyn Any + Send + Sync>,
    /// The venue's credentials; live only.
    pub credentials: Option<Arc<Credentials>>,
}

impl fmt::Debug for VenueSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VenueSettings")
            .field("venue", &self.venue)
            .finish_non_exhaustive()
    }
}

impl VenueSettings {
    /// What the driver's parser made of the section, if it is a `T`.
    #[must_use]
    pub fn parsed<T: 'static>(&self) -> Option<&T> {
        self.parsed.downcast_ref()
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

/// Creates one interface.
pub type BuildInterface =
    for<'a> fn(
        &'a VenueSettings,
        ExecutionMode,
        Dependencies,
    ) -> BoxFuture<'a, Result<Box<dyn ExecutionInterface>, ComponentError>>;

/// Reads a section `venue_settings.<venue>`. Every problem goes to `Problems` with its place;
/// whether a problem fails the venue or is a warning with the default is the factory's decision.
pub type ParseSettings = fn(&Node, &Problems) -> Arc<dyn Any + Send + Sync>;

/// One row of the driver table: all the factory knows of a venue.
#[derive(Clone, Copy, Debug)]
pub struct VenueDriver {
    /// The venue.
    pub venue: Venue,
    /// What sort of venue it is.
    pub venue_type: VenueType,
    /// `BinanceExecutionInterface`.
    pub class_name: &'static str,
    /// The module it lives in.
    pub module: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Dependencies by the specification's names.
    pub dependencies: &'static [&'static str],
    /// The credentials live trading needs.
    pub credentials: CredentialSet,
    /// Modes that work.
    pub modes: &'static [ExecutionMode],
    /// Operations the interface executes.
    pub operations: &'static [OperationKind],
    /// Whether users see it in lists; the wallet is internal.
    pub listed: bool,
    /// Reads the venue's settings.
    pub parse_settings: ParseSettings,
    /// Creates the interface.
    pub build: BuildInterface,
}
