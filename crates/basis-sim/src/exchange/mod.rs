//! The simulated centralised exchange behind Binance, Bybit and OKX in backtests: spot, linear
//! perps on cross or isolated margin in one-way or hedge mode, funding, liquidation in steps,
//! resting limit orders, borrowing on spot margin, transfers that may fail.
//!
//! It is the venue's rules ([`basis_core::rules`]) applied to the prices of the view. It is not an
//! order book: a taking order fills at the mark plus half spread and impact, or at the open of the next bar
//! (`next_open`), as far as the newest bar has room for it (`max_participation` of its volume); a resting
//! one at its limit, as far as a later bar that trades strictly through it has room. One interface reads one
//! view.
//!
//! **Invariants.** Its tally of cash and positions is changed by its own arithmetic alone; what it
//! reports are facts, and the ledger lines that others make of them add up to the tally (initial
//! balances of the settings apart). A refused instruction changes nothing. An instruction is taken on
//! once. Spot and transfer balances never fall
//! below zero without `spot_margin`; the cash of the perp account may, while unrealised results
//! cover it. Isolated margin is a part of the perp account's cash set aside, not another holding.
//! The ids of fills count up from 1, so two runs agree. Time passes at most once per instant.
//!
//! What is modelled of each venue, from which source, and what is not, stands in
//! `docs/simulated-exchanges.md`. The main simplifications: perps settle in USDT, and only USDT is
//! collateral, also in unified accounts; when several cross positions are liquidated at once each
//! closes at its own worst price of the bar; reduce-only orders are cut to the position at every
//! venue; what a bar has no room for expires at once; what rests goes on resting.

mod advance;
mod amend;
mod books;
mod borrow;
mod closing;
mod fills;
mod leverage;
mod liquidation;
mod next_open;
mod order;
mod orders;
mod pricing;
mod profile;
mod reduction;
mod resting;
mod settings;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use basis_core::error::{ComponentError, VenueError, VenueErrorKind};
use basis_core::health::Health;
use basis_core::in_flight::InFlightTransfers;
use basis_core::instruction::{Instruction, MarginMode, Operation, OperationKind};
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::{InstrumentRules, RuleSnapshot, VenueRules};
use basis_core::types::{Account, Asset, InstructionId, InstrumentKey, Symbol, Timestamp, Venue};
use basis_core::venue::{Capabilities, DataProvider, Dependencies, FillAt, Terms};
use basis_core::venue_event::{AccountSnapshot, EventKind, Events, VenueEvent};
use basis_market::{ExecutionInterface, Horizon};
use basis_market::{MarketView, SlotId};
use basis_protocols::exchange::margin::Margin;

use self::advance::Watch;
use self::books::Books;
use crate::failing::FailingTransfers;
use crate::interface::{Executor, Polls};
use crate::refusal::Refusal;
use crate::settings::check_balances;
use crate::world::SimulatedWorld;

pub use self::profile::{ExchangeProfile, ModeCodes, RefusalCodes};
pub use self::settings::{ExchangeSettings, PositionMode};

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
pub struct SimulatedExchange {
    profile: &'static ExchangeProfile,
    settings: ExchangeSettings,
    capabilities: Capabilities,
    transit: Arc<InFlightTransfers>,
    fill_at: FillAt,
    ready: Option<Ready>,
    books: Books,
    health: Health,
    /// Every instruction that was taken on, refused ones too.
    taken: BTreeSet<InstructionId>,
    /// The instant up to which everything has happened.
    advanced_to: Option<Timestamp>,
    next_trade: u64,
    watch: Watch,
    failing: FailingTransfers,
    polls: Polls,
    /// Base units that orders have taken of the bar that was the newest then, known at the instant.
    taken_of_bar: BTreeMap<InstrumentKey, (Timestamp, Quantity)>,
}

/// What it works with once it has its dependencies.
#[derive(Clone, Debug)]
struct Ready {
    rules: Arc<VenueRules>,
    data: Arc<dyn DataProvider>,
    transit: Arc<InFlightTransfers>,
    fill_at: FillAt,
}

/// What one call looks at.
#[derive(Clone, Copy)]
struct Context<'a> {
    view: &'a MarketView,
    rules: &'a VenueRules,
    snapshot: &'a RuleSnapshot,
    data: &'a dyn DataProvider,
    transit: &'a InFlightTransfers,
    fill_at: FillAt,
    /// The instant at which things happen.
    at: Timestamp,
    /// Whether that is the opening of the newest bar, so that positions are valued there.
    at_open: bool,
}

impl Ready {
    fn context<'a>(&'a self, view: &'a MarketView) -> Context<'a> {
        Context {
            view,
            rules: &self.rules,
            snapshot: self.rules.at(view.now()),
            data: &*self.data,
            transit: &self.transit,
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

    /// What a unit is worth at the instant of the call, of what trades in `slot`.
    fn traded_mark(&self, slot: SlotId) -> Price {
        self.mark(self.view.mark_slot(slot))
    }

    /// What a position is worth per unit at the instant of the call.
    fn mark(&self, slot: SlotId) -> Price {
        let quote = self.view.quote(slot);
        if self.at_open { quote.open } else { quote.mark }
    }

    fn decimals(&self, asset: Asset) -> Result<u32, Refusal> {
        self.data.decimals(self.rules.venue, asset).ok_or_else(|| {
            Refusal::invalid(format!(
                "the decimals of {asset} are in no rules file; add it under `assets`"
            ))
        })
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

impl SimulatedExchange {
    /// An exchange without dependencies; until they are set every instruction is refused. What it
    /// sends elsewhere goes through `transit`; taking orders fill at `fill_at`.
    #[must_use]
    pub fn new(
        profile: &'static ExchangeProfile,
        settings: ExchangeSettings,
        transit: Arc<InFlightTransfers>,
        fill_at: FillAt,
    ) -> Self {
        let mut books = Books::default();
        for balance in &settings.initial_balances {
            let account = Account::new(profile.venue, balance.account);
            // Sums of settings cannot leave the range: each is far below it.
            let added = books.cash.add(account, balance.asset, balance.quantity);
            debug_assert!(added.is_ok(), "invariant: initial balances are in range");
        }
        let capabilities = Capabilities {
            operations: OPERATIONS.to_vec(),
            hedge_mode: settings.position_mode == PositionMode::Hedge,
            ..Capabilities::default()
        };
        Self {
            profile,
            settings,
            capabilities,
            transit,
            fill_at,
            ready: None,
            books,
            health: Health::default(),
            taken: BTreeSet::new(),
            advanced_to: None,
            next_trade: 1,
            watch: Watch::default(),
            failing: FailingTransfers::default(),
            polls: Polls::default(),
            taken_of_bar: BTreeMap::new(),
        }
    }

    /// Its name in lists and logs.
    #[must_use]
    pub const fn class_name(&self) -> &'static str {
        self.profile.class_name
    }

    /// Takes over rules that were added since the last call, and reports that there are others.
    fn read_rules(&mut self, view: &MarketView, events: &mut Events) {
        let venue = self.profile.venue;
        let Some(ready) = self.ready.as_mut() else {
            return;
        };
        let Some(rules) = ready.data.rules(venue) else {
            return;
        };
        if Arc::ptr_eq(&rules, &ready.rules) {
            return;
        }
        ready.rules = rules;
        self.watch = Watch::default();
        let from = view.now();
        let kind = EventKind::Rules { from };
        events.push(VenueEvent::new(venue, from, from, kind));
    }

    /// Changes cash, all of it or nothing; what was known of the next step is known no more.
    fn move_cash(&mut self, changes: &[(Account, Asset, Quantity)]) -> Result<(), Refusal> {
        self.books.cash.add_all(changes)?;
        self.watch = Watch::default();
        Ok(())
    }

    /// The event of a setting, cancellation or amendment that took effect.
    fn done(&self, cx: &Context<'_>, instruction: InstructionId) -> VenueEvent {
        self.event(cx, EventKind::Done { instruction })
    }

    /// An event of this venue at the instant of the call.
    fn event(&self, cx: &Context<'_>, kind: EventKind) -> VenueEvent {
        VenueEvent::new(self.profile.venue, cx.at, cx.view.now(), kind)
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

/// Creates the exchange of `profile` in `world`.
///
/// # Errors
/// [`ComponentError`] without rules of the venue, and for initial balances in accounts that they do not
/// name.
pub fn create(
    profile: &'static ExchangeProfile,
    settings: &ExchangeSettings,
    world: SimulatedWorld,
    dependencies: Dependencies,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    check_balances(profile.venue, &dependencies, &settings.initial_balances)?;
    let SimulatedWorld {
        transit, fill_at, ..
    } = world;
    let mut venue = SimulatedExchange::new(profile, settings.clone(), transit, fill_at);
    venue.set_dependencies(dependencies);
    Ok(Box::new(venue))
}

impl Executor for SimulatedExchange {
    fn executing(&self) -> Venue {
        self.profile.venue
    }

    fn take_on(&mut self, instruction: InstructionId) -> bool {
        self.ready.is_none() || self.taken.insert(instruction)
    }

    fn dispatch(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let Some(ready) = self.ready.clone() else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let cx = ready.context(view);
        let id = instruction.id;
        match &instruction.operation {
            Operation::SpotTrade(trade) => self.spot_trade(&cx, id, trade, events),
            Operation::PerpTrade(trade) => self.perp_trade(&cx, id, trade, events),
            Operation::CancelOrder(cancel) => self.cancel_order(&cx, id, cancel, events),
            Operation::AmendOrder(amend) => self.amend_order(&cx, id, amend, events),
            Operation::SetLeverage(set) => self.set_leverage(&cx, id, set, events),
            Operation::Transfer(transfer) => self.transfer(&cx, id, transfer, events),
            other => Err(Refusal::unsupported(
                self.profile.venue,
                other.kind(),
                OPERATIONS,
            )),
        }
    }

    fn health_mut(&mut self) -> &mut Health {
        &mut self.health
    }
}

impl ExecutionInterface for SimulatedExchange {
    fn venue(&self) -> Venue {
        self.profile.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.ready = None;
        if !dependencies.missing().is_empty() {
            return;
        }
        let Some(data) = dependencies.data_provider else {
            return;
        };
        let rules = data.rules(self.profile.venue);
        self.ready = rules.map(|rules| Ready {
            rules,
            data,
            transit: Arc::clone(&self.transit),
            fill_at: self.fill_at,
        });
        self.watch = Watch::default();
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        self.read_rules(view, events);
        self.catch_up(view, events);
        self.execute_each(view, instructions, events);
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        if self.advanced_to != Some(view.now()) {
            self.read_rules(view, events);
        }
        self.catch_up(view, events);
        let perp = self.ready.as_ref();
        let perp = perp.map(|ready| ready.rules.at(view.now()).accounts.perp);
        let (venue, books) = (self.profile.venue, &self.books);
        self.polls.answer(venue, view.now(), events, |account| {
            books.describe(perp, account);
            Ok(())
        });
    }

    fn horizon(&self, _view: &MarketView) -> Horizon {
        if self.polls.is_requested() {
            return Horizon::NOW;
        }
        self.next_step()
    }

    fn terms(&self, view: &MarketView) -> Result<Terms, VenueError> {
        let taken = self.taken_of_bar.iter();
        let newest = taken.filter(|(key, (known_at, _))| {
            let quote = view.quote_of(key.series());
            quote.is_some_and(|quote| quote.known_at == *known_at)
        });
        Ok(Terms {
            taking: Some(self.settings.taking),
            taken: newest.map(|(key, (_, taken))| (*key, *taken)).collect(),
            ..Terms::default()
        })
    }

    fn account(&self) -> &AccountSnapshot {
        &self.polls.account
    }

    fn request_snapshot(&mut self) {
        self.polls.request();
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
