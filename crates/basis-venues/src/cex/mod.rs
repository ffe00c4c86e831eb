//! The simulated centralised exchange behind Binance, Bybit and OKX in backtests: spot, linear
//! perps on cross or isolated margin in one-way or hedge mode, funding, liquidation in steps,
//! resting limit orders, borrowing on spot margin, transfers that may fail.
//!
//! It is the venue's rules ([`basis_core::rules`]) applied to the prices of the view. It is not an
//! order book: a taking order fills whole at the mark plus slippage, or at the open of the next bar
//! (`next_open`); a resting one whole at its limit when a later bar trades strictly through it. One
//! interface reads one view.
//!
//! **Invariants.** Every holding is the sum of reported ledger lines (initial balances of the
//! settings apart). A refused instruction changes nothing. Spot and transfer balances never fall
//! below zero without `spot_margin`; the cash of the perp account may, while unrealised results
//! cover it. Isolated margin is a part of the perp account's cash set aside, not another holding.
//! The ids of fills count up from 1, so two runs agree.
//!
//! What is modelled of each venue, from which source, and what is not, stands in
//! `docs/simulated-exchanges.md`. The main simplifications: perps settle in USDT, and only USDT is
//! collateral, also in unified accounts; when several cross positions are liquidated at once each
//! closes at its own worst price of the bar; reduce-only orders are cut to the position at every
//! venue; orders fill whole or not at all.

mod advance;
mod amend;
mod books;
mod borrow;
mod closing;
mod creation;
mod failing;
mod fills;
mod filters;
mod leverage;
mod liquidation;
mod margin;
mod next_open;
mod orders;
mod pricing;
mod profile;
mod reduction;
mod refusal;
mod resting;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transfer;

use std::sync::Arc;

use async_trait::async_trait;

use basis_core::error::{ComponentError, VenueError, VenueErrorKind};
use basis_core::execution::{Execution, IsolatedMargin, Position, VenueEvent};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, MarginMode, Operation, OperationKind};
use basis_core::ledger::LedgerEntry;
use basis_core::market::{MarketView, SlotId};
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::{InstrumentRules, RuleSnapshot, VenueRules};
use basis_core::transit::Transit;
use basis_core::types::{Account, Asset, InstrumentKey, Span, Symbol, Timestamp, Venue};
use basis_core::venue::{Capabilities, DataProvider, Dependencies, ExecutionInterface, FillAt};

use self::advance::Watch;
use self::books::{Books, OpenPosition};
use self::failing::FailingTransfers;
use self::margin::Margin;
use self::refusal::Refusal;

pub use self::profile::{CexProfile, ModeCodes, PartialLiquidation, RefusalCodes};
pub use self::settings::{
    CexSettings, FailingTransfer, FailureStage, InitialBalance, PositionMode, Slippage,
    TransferFailure,
};

pub(crate) use self::books::{Holdings, Lines, dollar_price};
pub(crate) use self::creation::{backtest_only, build, check_accounts, no_rules};
pub(crate) use self::failing::FailingTransfers as Failing;
pub(crate) use self::refusal::Refusal as TransferRefusal;
pub(crate) use self::settings::{
    parse_settings, read_balances, read_common, read_transfer_failures,
};
pub(crate) use self::transfer::{arrival, departure, refuse_halted, route};

/// What perps settle in, and the only collateral.
pub(crate) const SETTLEMENT: Asset = Asset::literal("USDT");

/// Operations of a simulated exchange.
pub const OPERATIONS: &[OperationKind] = &[
    OperationKind::SpotTrade,
    OperationKind::PerpTrade,
    OperationKind::CancelOrder,
    OperationKind::AmendOrder,
    OperationKind::SetLeverage,
    OperationKind::Transfer,
];

/// A simulated exchange.
#[derive(Debug)]
pub struct SimulatedCex {
    profile: &'static CexProfile,
    settings: CexSettings,
    world: Option<World>,
    books: Books,
    health: Health,
    /// The instant of the last [`ExecutionInterface::advance`], or of an instruction without a position.
    advanced_to: Option<Timestamp>,
    next_trade: u64,
    watch: Watch,
    failing: FailingTransfers,
    /// What an instruction caused beside its execution; reported by the next advance.
    notices: Vec<VenueEvent>,
}

/// The dependencies it works with.
#[derive(Clone, Debug)]
struct World {
    rules: Arc<VenueRules>,
    data: Arc<dyn DataProvider>,
    transit: Option<Arc<Transit>>,
    fill_at: FillAt,
}

/// What one call looks at.
#[derive(Clone, Copy)]
struct Context<'a> {
    view: &'a MarketView,
    rules: &'a VenueRules,
    snapshot: &'a RuleSnapshot,
    data: &'a dyn DataProvider,
    transit: Option<&'a Transit>,
    fill_at: FillAt,
    /// The instant at which things happen.
    at: Timestamp,
    /// Whether that is the opening of the newest bar, so that positions are valued there.
    at_open: bool,
}

impl World {
    fn context<'a>(&'a self, view: &'a MarketView) -> Context<'a> {
        Context {
            view,
            rules: &self.rules,
            snapshot: self.rules.at(view.now()),
            data: &*self.data,
            transit: self.transit.as_deref(),
            fill_at: self.fill_at,
            at: view.now(),
            at_open: false,
        }
    }
}

impl<'a> Context<'a> {
    /// The same at the opening of the newest bar, which was at `at`.
    fn opening(&self, at: Timestamp) -> Self {
        Self {
            snapshot: self.rules.at(at),
            at,
            at_open: true,
            ..*self
        }
    }

    /// What a position is worth per unit at the instant of the call.
    fn mark(&self, slot: SlotId) -> Price {
        let quote = self.view.quote(slot);
        if self.at_open { quote.open } else { quote.mark }
    }

    fn decimals(&self, asset: Asset) -> Result<u32, Refusal> {
        self.data.decimals(asset).ok_or_else(|| {
            Refusal::invalid(format!(
                "the decimals of {asset} are in no rules file; add it under `assets`"
            ))
        })
    }

    fn transit(&self) -> Result<&'a Transit, Refusal> {
        self.transit
            .ok_or_else(|| Refusal::new(VenueErrorKind::NotReady))
    }

    /// The rules of an instrument we hold: those in force, else the newest that know it.
    fn held_rules(&self, key: InstrumentKey) -> Result<&'a InstrumentRules, Refusal> {
        let newest = || self.rules.snapshots().iter().rev();
        self.snapshot
            .instrument(key.kind, key.symbol)
            .or_else(|| newest().find_map(|s| s.instrument(key.kind, key.symbol)))
            .ok_or_else(|| Refusal::invalid(format!("{key} is in no rule snapshot")))
    }
}

impl SimulatedCex {
    /// An exchange without dependencies; until they are set every instruction is refused.
    #[must_use]
    pub fn new(profile: &'static CexProfile, settings: CexSettings) -> Self {
        let mut books = Books::default();
        for balance in &settings.initial_balances {
            let account = Account::new(profile.venue, balance.account);
            // Sums of settings cannot leave the range: each is far below it.
            let added = books.cash.add(account, balance.asset, balance.quantity);
            debug_assert!(added.is_ok(), "invariant: initial balances are in range");
        }
        Self {
            profile,
            settings,
            world: None,
            books,
            health: Health::default(),
            advanced_to: None,
            next_trade: 1,
            watch: Watch::default(),
            failing: FailingTransfers::default(),
            notices: Vec::new(),
        }
    }

    /// Its name in lists and logs.
    #[must_use]
    pub const fn class_name(&self) -> &'static str {
        self.profile.class_name
    }

    /// Executes one instruction; what [`ExecutionInterface::execute_instruction`] wraps.
    ///
    /// # Errors
    /// [`VenueError`], after which nothing has changed.
    pub fn execute(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError> {
        let now = view.now();
        match self.dispatch(view, instruction) {
            Ok(execution) => {
                self.health.succeeded(now, Span::ZERO);
                Ok(execution)
            }
            Err(refusal) => {
                let operation = instruction.operation.kind().as_str();
                let e = VenueError::new(self.profile.venue, operation, *refusal.0);
                self.health.failed(now, &ComponentError::from(e.clone()));
                Err(e)
            }
        }
    }

    fn dispatch(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, Refusal> {
        let Some(world) = self.world.clone() else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let cx = world.context(view);
        if (self.books.positions.is_empty() && !self.has_debts(&cx)) || !self.has_work(view) {
            // A venue with nothing to do is not advanced at every step; what opens now must not settle
            // funding of the time before it.
            self.advanced_to = Some(view.now());
        }
        let id = instruction.id;
        match &instruction.operation {
            Operation::SpotTrade(trade) => self.spot_trade(&cx, id, trade),
            Operation::PerpTrade(trade) => self.perp_trade(&cx, id, trade),
            Operation::CancelOrder(cancel) => self.cancel_order(&cx, id, cancel),
            Operation::AmendOrder(amend) => self.amend_order(&cx, id, amend),
            Operation::SetLeverage(set) => self.set_leverage(&cx, id, set),
            Operation::Transfer(transfer) => self.transfer(&cx, id, transfer),
            other => Err(unsupported(self.profile.venue, other.kind(), OPERATIONS)),
        }
    }

    /// Posts lines to the cash they concern.
    fn commit(&mut self, entries: &[LedgerEntry]) -> Result<(), Refusal> {
        self.books.cash.post(self.profile.venue, entries)?;
        self.watch = Watch::default();
        Ok(())
    }

    fn leverage(&self, symbol: Symbol) -> Fixed18 {
        self.books
            .leverage
            .get(&symbol)
            .copied()
            .unwrap_or(self.settings.leverage)
    }

    fn margin_mode(&self, symbol: Symbol) -> MarginMode {
        self.books
            .margin_modes
            .get(&symbol)
            .copied()
            .unwrap_or(self.settings.margin_mode)
    }

    /// Balance and initial margin of the cross positions at marks, `without` one instrument. What
    /// isolated positions keep is no part of it.
    fn margin(
        &self,
        cx: &Context<'_>,
        cash: Quantity,
        without: Option<InstrumentKey>,
    ) -> Result<Margin, Refusal> {
        let mut margin = Margin::of_cash(cash.sub(self.books.isolated(without)?)?);
        for open in &self.books.positions {
            if Some(open.key) == without || open.margin.is_some() {
                continue;
            }
            let rules = cx.held_rules(open.key)?;
            let mark = cx.mark(open.slot);
            let leverage = self.leverage(open.key.symbol);
            margin.add(rules, &open.position, mark, Some(leverage))?;
        }
        Ok(margin)
    }

    /// What may leave an account: cash that neither orders nor margin bind.
    fn free(&self, cx: &Context<'_>, account: Account, asset: Asset) -> Result<Quantity, Refusal> {
        let cash = self.books.cash.get(account, asset);
        let mut free = cash;
        if asset == SETTLEMENT
            && account == cx.snapshot.accounts.perp
            && !self.books.positions.is_empty()
        {
            let available = self.margin(cx, cash, None)?.available()?;
            free = free.min(Quantity::new(available.get()));
        }
        Ok(free.sub(self.books.reserved(account, asset)?)?)
    }
}

/// The refusal of an operation that is none of those a venue has.
pub(crate) fn unsupported(
    venue: Venue,
    operation: OperationKind,
    has: &[OperationKind],
) -> Refusal {
    let has: Vec<_> = has.iter().map(|kind| kind.as_str()).collect();
    Refusal::new(VenueErrorKind::Unsupported(format!(
        "{venue} has no {operation}; it has {}",
        has.join(", ")
    )))
}

#[async_trait]
impl ExecutionInterface for SimulatedCex {
    fn venue(&self) -> Venue {
        self.profile.venue
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            operations: OPERATIONS.to_vec(),
            hedge_mode: self.settings.position_mode == PositionMode::Hedge,
        }
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.world = None;
        if !dependencies.missing().is_empty() {
            return;
        }
        let Some(data) = dependencies.data_provider else {
            return;
        };
        let rules = data.rules(self.profile.venue);
        self.world = rules.map(|rules| World {
            rules,
            data,
            transit: dependencies.transit,
            fill_at: dependencies.fill_at,
        });
        self.watch = Watch::default();
    }

    async fn execute_instruction(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError> {
        self.execute(view, instruction)
    }

    async fn advance(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, VenueError> {
        self.advance_to(view).map_err(|refusal| {
            let e = VenueError::new(self.profile.venue, "advance", *refusal.0);
            let failure = ComponentError::from(e.clone());
            self.health.failed(view.now(), &failure);
            e
        })
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let busy = !self.books.positions.is_empty()
            || !self.books.orders.is_empty()
            || !self.books.pending.is_empty();
        if busy || !self.notices.is_empty() || self.may_owe() {
            return Some(Timestamp::MIN);
        }
        let transit = self.world.as_ref()?.transit.as_ref()?;
        transit.next_arrival(self.profile.venue)
    }

    fn is_due(&self, view: &MarketView) -> bool {
        self.has_work(view)
    }

    async fn positions(&mut self, view: &MarketView) -> Result<Vec<Position>, VenueError> {
        let perp = self
            .world
            .as_ref()
            .map(|world| world.rules.at(view.now()).accounts.perp);
        Ok(self.books.holdings(perp))
    }

    fn isolated_margins(&self, view: &MarketView) -> Vec<IsolatedMargin> {
        let own = |open: &OpenPosition| Some((open.key, open.margin?));
        if !self
            .books
            .positions
            .iter()
            .any(|open| open.margin.is_some())
        {
            return Vec::new();
        }
        let Some(world) = &self.world else {
            return Vec::new();
        };
        let account = world.rules.at(view.now()).accounts.perp;
        let margins = self.books.positions.iter().filter_map(own);
        margins
            .map(|(instrument, margin)| IsolatedMargin {
                account,
                instrument,
                margin,
            })
            .collect()
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
