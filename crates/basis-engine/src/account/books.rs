//! The ledger and its projection.
//!
//! **Invariants.** Holdings change only by posting a [`LedgerEntry`]; the same [`Cause`] posts once.
//! Equity = cash + Σ quantity × mark − Σ open cost, and each step's change of it is attributed as
//! the entries arrive, so that no bucket is ever a remainder.

use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

use basis_core::error::{Code, ComponentError};
use basis_core::execution::Position;
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence};
use basis_core::market::{Mark, MarketView, SlotId};
use basis_core::num::{Fixed18, MathError, Price, PriceChange, Quantity, Rounding, Value};
use basis_core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Item, SeriesId, Symbol, Timestamp, Venue,
};
use basis_core::venue::FillAt;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::pnl::Attribution;

/// How items are valued: by the view's marks, but for the underlying in an account of a venue that
/// has a spot series of its own.
#[derive(Clone, Copy, Debug)]
pub struct Pricing {
    /// The underlying.
    pub base: Asset,
    /// The underlying's symbol against the quote asset.
    pub symbol: Symbol,
    /// The reference spot series; values the underlying where a venue has no spot series. The first
    /// spot series of the view.
    pub reference: SeriesId,
}

/// One holding, its price and where the step began.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Whose.
    pub account: Account,
    /// What.
    pub item: Item,
    /// Signed units, scaled ones of an item that is scaled.
    pub quantity: Quantity,
    /// What they stand for, without the sign of a debt.
    pub units: Quantity,
    /// Open cost of a position; zero for assets.
    pub cost: Value,
    /// Units × mark at the last valuation, below zero for a debt; the units themselves for a
    /// stablecoin.
    pub worth: Value,
    /// Units of the underlying that they stood for at the last valuation; zero for what is valued at 1.
    pub delta: Quantity,
    mark: Mark,
    opening: StepOpening,
}

/// A holding as it stood when the step began.
#[derive(Clone, Copy, Debug, Default)]
struct StepOpening {
    /// With the sign of a debt.
    units: Quantity,
    /// Units of the underlying that they stood for.
    delta: Quantity,
    /// The underlying's mark.
    underlying: Price,
    /// Underlying units per unit; 1 but for a mark that is a rate.
    rate: Fixed18,
}

impl StepOpening {
    /// Books what the underlying moved `apart` from the reference, and what the rate grew to `rate` at
    /// the underlying's new mark.
    fn attribute(
        &self,
        step: &mut Attribution,
        apart: PriceChange,
        (underlying, rate, rated): (Price, Fixed18, Option<bool>),
    ) -> Result<(), MathError> {
        if !apart.is_zero() {
            let gain = self.delta.gain(apart, Rounding::HalfEven)?;
            step.basis = step.basis.add(gain)?;
        }
        let Some(is_yield) = rated.filter(|_| rate != self.rate) else {
            return Ok(());
        };
        let grown = underlying
            .get()
            .mul(rate.sub(self.rate)?, Rounding::HalfEven)?;
        let gain = self
            .units
            .gain(PriceChange::new(grown), Rounding::HalfEven)?;
        let bucket = if is_yield {
            &mut step.staking_yield
        } else {
            &mut step.basis
        };
        *bucket = bucket.add(gain)?;
        Ok(())
    }
}

/// The ledger, its sums, and the attribution of the step under way.
#[derive(Debug)]
pub struct Books {
    pricing: Pricing,
    reference: SlotId,
    reference_opening: Price,
    holdings: Vec<Holding>,
    index: FxHashMap<(Account, Item), usize>,
    causes: Causes,
    ledger: Vec<LedgerEntry>,
    cash: Value,
    cost: Value,
    equity: Value,
    equity_open: Value,
    /// When `equity` and every `worth` were last reckoned; `None` after a line was posted.
    valued_at: Option<Timestamp>,
    step: Attribution,
    external_flow: Value,
    /// When the last step was closed.
    closed_at: Timestamp,
}

/// Which causes the ledger holds, by hash and line number: the causes themselves stand in the ledger.
#[derive(Debug, Default)]
struct Causes {
    lines: FxHashMap<u64, usize>,
    /// Lines whose hash another line had first.
    collided: Vec<usize>,
}

impl Causes {
    /// Notes `cause` as that of the ledger's next line; `false` when a line has it already.
    fn admit(&mut self, cause: &Cause, ledger: &[LedgerEntry]) -> bool {
        let holds = |line: &usize| ledger.get(*line).is_some_and(|entry| entry.cause == *cause);
        match self.lines.entry(FxBuildHasher.hash_one(cause)) {
            Entry::Vacant(free) => {
                free.insert(ledger.len());
                true
            }
            Entry::Occupied(taken) => {
                if holds(taken.get()) || self.collided.iter().any(holds) {
                    return false;
                }
                self.collided.push(ledger.len());
                true
            }
        }
    }
}

/// What the end of a step found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepClose {
    pub(crate) equity: Value,
    pub(crate) external_flow: Value,
    pub(crate) attribution: Attribution,
    pub(crate) net_delta: Quantity,
}

impl Books {
    /// Empty books.
    ///
    /// # Errors
    /// EXP-001 when the view does not carry the reference series.
    pub fn new(pricing: Pricing, view: &MarketView) -> Result<Self, ComponentError> {
        let reference = view.slot(pricing.reference).ok_or_else(|| {
            ComponentError::new(
                Code::ExposureUnpriced,
                format!(
                    "reference_price {} is not among the run's series",
                    pricing.reference
                ),
            )
        })?;
        Ok(Self {
            pricing,
            reference,
            reference_opening: Price::ZERO,
            holdings: Vec::new(),
            index: FxHashMap::default(),
            causes: Causes::default(),
            ledger: Vec::new(),
            cash: Value::ZERO,
            cost: Value::ZERO,
            equity: Value::ZERO,
            equity_open: Value::ZERO,
            valued_at: None,
            step: Attribution::default(),
            external_flow: Value::ZERO,
            closed_at: Timestamp::MIN,
        })
    }

    /// Makes room for `lines`, so that a run does not copy its ledger again and again as it grows.
    pub fn reserve(&mut self, lines: usize) {
        self.ledger.reserve(lines);
        self.causes.lines.reserve(lines);
    }

    /// Posts one line; `false` when its cause was posted before and nothing changed.
    ///
    /// # Errors
    /// EXP-001 for an item without a price; POS-002 when an amount leaves the range.
    pub fn post(&mut self, view: &MarketView, entry: LedgerEntry) -> Result<bool, ComponentError> {
        if !self.causes.admit(&entry.cause, &self.ledger) {
            return Ok(false);
        }
        self.valued_at = None;
        let holding = self.holding_mut(view, entry.account, entry.item)?;
        holding.quantity = holding.quantity.add(entry.quantity)?;
        holding.units = holding.units.add(entry.units)?;
        let (mut cash, mut cost) = (Value::ZERO, Value::ZERO);
        if holding.mark == Mark::Par {
            cash = Value::new(signed(entry.item, entry.units)?.get());
        } else if entry.kind == EntryKind::Trade && matches!(entry.item, Item::Position(_)) {
            holding.cost = holding.cost.add(entry.value)?;
            cost = entry.value;
        }
        let mark = holding.mark;
        self.cost = self.cost.add(cost)?;
        self.cash = self.cash.add(cash)?;
        if entry.kind == EntryKind::RealizedPnl {
            self.settle(&entry)?;
        }
        self.attribute(view, &entry, mark)?;
        self.ledger.push(entry);
        Ok(true)
    }

    /// Moves a realised result from the open cost of its position, which its cause names.
    fn settle(&mut self, entry: &LedgerEntry) -> Result<(), ComponentError> {
        let instrument = instrument_of(&entry.cause.occurrence).ok_or_else(|| {
            let message = format!("realized_pnl line {} names no instrument", entry.cause);
            ComponentError::new(Code::PositionInvalid, message)
        })?;
        let result = Value::new(entry.quantity.get());
        let key = (entry.account, Item::Position(instrument));
        let position = self
            .index
            .get(&key)
            .and_then(|&at| self.holdings.get_mut(at));
        let Some(position) = position else {
            let message = format!(
                "realized_pnl of {instrument} without a position in {}",
                entry.account
            );
            return Err(ComponentError::new(Code::PositionInvalid, message));
        };
        position.cost = position.cost.add(result)?;
        self.cost = self.cost.add(result)?;
        Ok(())
    }

    fn attribute(
        &mut self,
        view: &MarketView,
        entry: &LedgerEntry,
        mark: Mark,
    ) -> Result<(), ComponentError> {
        let step = &mut self.step;
        let bucket = match entry.kind {
            EntryKind::Trade => {
                let at_mark = signed(entry.item, entry.units)?
                    .notional(entry.reference_price, Rounding::HalfEven)?;
                step.slippage = step.slippage.add(at_mark.sub(entry.value)?)?;
                None
            }
            EntryKind::RealizedPnl | EntryKind::Transfer => None,
            EntryKind::Deposit | EntryKind::Withdrawal => Some(&mut self.external_flow),
            EntryKind::Fee => Some(&mut step.fees),
            EntryKind::Funding => Some(&mut step.funding),
            EntryKind::Interest => Some(&mut step.interest),
            EntryKind::Rebase => Some(&mut step.staking_yield),
            EntryKind::BorrowCost => Some(&mut step.borrow_cost),
            EntryKind::Reward => Some(&mut step.rewards),
            EntryKind::LiquidityFee => Some(&mut step.liquidity_fees),
            EntryKind::Gas => Some(&mut step.gas),
            EntryKind::TransferCost => Some(&mut step.transfer_cost),
            EntryKind::Liquidation => Some(&mut step.liquidation),
            other => {
                let message = format!("ledger kind {other} of {} is not attributed", entry.cause);
                return Err(ComponentError::new(Code::PnlOpen, message));
            }
        };
        if let Some(bucket) = bucket {
            *bucket = bucket.add(entry.value)?;
        }
        if mark != Mark::Par
            && let Some(now) = view.dollars(mark)?
        {
            self.drift(view, entry, now.diff(entry.reference_price))?;
        }
        Ok(())
    }

    /// Attributes what the mark has `moved` between the line and the step's end. A line at the opening
    /// of the step's bar divides it like any move, for the reference's open is recorded; the reference
    /// at a moment within the bar is not, and there the whole drift counts as its own.
    fn drift(
        &mut self,
        view: &MarketView,
        entry: &LedgerEntry,
        moved: PriceChange,
    ) -> Result<(), ComponentError> {
        let units = signed(entry.item, entry.units)?;
        let gain = |moved| units.gain(moved, Rounding::HalfEven);
        if entry.at == self.closed_at.plus(FillAt::NEXT_OPEN_DELAY) {
            let reference = view.quote(self.reference);
            let reference_move = reference.mark.diff(reference.open);
            let apart = gain(moved.sub(reference_move)?)?;
            self.step.basis = self.step.basis.add(apart)?;
            self.step.price = self.step.price.add(gain(reference_move)?)?;
        } else if !moved.is_zero() {
            self.step.price = self.step.price.add(gain(moved)?)?;
        }
        Ok(())
    }

    fn holding_mut(
        &mut self,
        view: &MarketView,
        account: Account,
        item: Item,
    ) -> Result<&mut Holding, ComponentError> {
        let at = match self.index.get(&(account, item)) {
            Some(&at) => at,
            None => self.open_holding(view, account, item)?,
        };
        self.holdings.get_mut(at).ok_or_else(|| {
            let message = format!("{item} in {account} has an index without a holding");
            ComponentError::new(Code::PositionInvalid, message)
        })
    }

    fn open_holding(
        &mut self,
        view: &MarketView,
        account: Account,
        item: Item,
    ) -> Result<usize, ComponentError> {
        let mark = self.mark_of(view, account, item)?;
        let at = self.holdings.len();
        self.holdings.push(Holding {
            account,
            item,
            quantity: Quantity::ZERO,
            units: Quantity::ZERO,
            cost: Value::ZERO,
            worth: Value::ZERO,
            delta: Quantity::ZERO,
            mark,
            opening: StepOpening::default(),
        });
        self.index.insert((account, item), at);
        Ok(at)
    }

    /// How an item in an account is valued.
    fn mark_of(
        &self,
        view: &MarketView,
        account: Account,
        item: Item,
    ) -> Result<Mark, ComponentError> {
        let unpriced = |what: String| ComponentError::new(Code::ExposureUnpriced, what);
        let asset = match item {
            Item::Asset(asset)
            | Item::Shares(asset)
            | Item::Debt(asset)
            | Item::Liquidity { asset, .. } => asset,
            Item::Position(key) => {
                return view.slot(key.series()).map(Mark::Series).ok_or_else(|| {
                    unpriced(format!(
                        "position {key} has no price series {}",
                        key.series()
                    ))
                });
            }
        };
        if asset == self.pricing.base {
            let symbol = self.pricing.symbol;
            let own = InstrumentKey::new(account.venue, InstrumentKind::Spot, symbol);
            let slot = view.slot(own.series()).unwrap_or(self.reference);
            return Ok(Mark::Series(slot));
        }
        view.mark_of(asset)
            .ok_or_else(|| unpriced(format!("{asset} in {account} has no price series")))
    }

    /// Values every holding at the view's marks.
    ///
    /// # Errors
    /// POS-002 when a value leaves the range; EXP-001 when a held item has never had a price.
    pub fn value(&mut self, view: &MarketView) -> Result<Value, ComponentError> {
        if self.valued_at == Some(view.now()) {
            return Ok(self.equity);
        }
        let mut equity = self.cash.sub(self.cost)?;
        for holding in &mut self.holdings {
            (holding.worth, holding.delta) = match holding.mark {
                Mark::Par => (Value::new(holding.signed_units()?.get()), Quantity::ZERO),
                _ if holding.units.is_zero() => (Value::ZERO, Quantity::ZERO),
                mark => {
                    let price = view
                        .dollars(mark)?
                        .ok_or_else(|| never_priced(holding, view))?;
                    let units = holding.signed_units()?;
                    let worth = units.notional(price, Rounding::HalfEven)?;
                    equity = equity.add(worth)?;
                    (worth, delta(view, mark, units)?)
                }
            };
        }
        self.equity = equity;
        self.valued_at = Some(view.now());
        Ok(equity)
    }

    /// Ends the step: values everything, attributes the moves of marks since the last step, and
    /// opens the next one.
    pub(crate) fn close_step(&mut self, view: &MarketView) -> Result<StepClose, ComponentError> {
        let before = self.equity_open;
        let equity = self.value(view)?;
        let reference = view.quote(self.reference).mark;
        let reference_move = reference.diff(self.reference_opening);
        let mut delta_at_open = Quantity::ZERO;
        let mut net_delta = Quantity::ZERO;
        for holding in &mut self.holdings {
            if holding.units.is_zero() && holding.opening.units.is_zero() {
                // Nothing at either end of the step: no mark of an empty opening is ever read.
                continue;
            }
            let (slot, rated) = match holding.mark {
                Mark::Par => continue,
                Mark::Series(slot) => (slot, None),
                Mark::Rate {
                    underlying,
                    is_yield,
                    ..
                } => (underlying, Some(is_yield)),
            };
            let underlying = view.quote(slot).mark;
            let rate = match rated {
                None => Fixed18::ONE,
                Some(_) => view.rate_of(holding.mark).unwrap_or(holding.opening.rate),
            };
            let opening = holding.opening;
            if !opening.units.is_zero() {
                delta_at_open = delta_at_open.add(opening.delta)?;
                let apart = underlying.diff(opening.underlying).sub(reference_move)?;
                opening.attribute(&mut self.step, apart, (underlying, rate, rated))?;
            }
            net_delta = net_delta.add(holding.delta)?;
            holding.opening = StepOpening {
                units: holding.signed_units()?,
                delta: holding.delta,
                underlying,
                rate,
            };
        }
        if !delta_at_open.is_zero() {
            let gain = delta_at_open.gain(reference_move, Rounding::HalfEven)?;
            self.step.price = self.step.price.add(gain)?;
        }
        let mut attribution = std::mem::take(&mut self.step);
        let external_flow = std::mem::take(&mut self.external_flow);
        let explained = attribution.total()?;
        attribution.residual = equity.sub(before)?.sub(external_flow)?.sub(explained)?;
        self.reference_opening = reference;
        self.equity_open = equity;
        self.closed_at = view.now();
        Ok(StepClose {
            equity,
            external_flow,
            attribution,
            net_delta,
        })
    }

    /// The index of a holding, stable for the run; `None` while there never was one.
    #[must_use]
    pub fn position_of(&self, account: Account, item: Item) -> Option<usize> {
        self.index.get(&(account, item)).copied()
    }

    /// The holding at an index of [`Books::position_of`].
    #[must_use]
    pub fn holding_at(&self, index: Option<usize>) -> Option<&Holding> {
        index.and_then(|index| self.holdings.get(index))
    }

    /// Units at an index of [`Books::position_of`].
    #[must_use]
    pub fn quantity_at(&self, index: Option<usize>) -> Quantity {
        self.holding_at(index)
            .map(|holding| holding.quantity)
            .unwrap_or_default()
    }

    /// Units of `item` in `account`.
    #[must_use]
    pub fn quantity(&self, account: Account, item: Item) -> Quantity {
        self.holding(account, item)
            .map(|holding| holding.quantity)
            .unwrap_or_default()
    }

    /// The holding of `item` in `account`, if there ever was one.
    #[must_use]
    pub fn holding(&self, account: Account, item: Item) -> Option<&Holding> {
        self.index
            .get(&(account, item))
            .and_then(|&at| self.holdings.get(at))
    }

    /// Every holding there ever was, in order of first posting.
    #[must_use]
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// Holdings of the accounts of `venue` that are not zero.
    pub fn positions_of(&self, venue: Venue) -> impl Iterator<Item = Position> + '_ {
        self.holdings
            .iter()
            .filter(move |holding| holding.account.venue == venue)
            .filter_map(Holding::position)
    }

    /// Every holding that is not zero.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.holdings.iter().filter_map(Holding::position)
    }

    /// Equity at the last valuation, USD.
    #[must_use]
    pub const fn equity(&self) -> Value {
        self.equity
    }

    /// The slot of the reference price.
    pub(crate) const fn reference(&self) -> SlotId {
        self.reference
    }

    /// The ledger so far.
    #[must_use]
    pub fn ledger(&self) -> &[LedgerEntry] {
        &self.ledger
    }

    /// The pricing rules.
    #[must_use]
    pub const fn pricing(&self) -> &Pricing {
        &self.pricing
    }

    pub(crate) fn into_ledger(self) -> Vec<LedgerEntry> {
        self.ledger
    }
}

/// `units` of `item` with the sign they count with.
#[inline]
fn signed(item: Item, units: Quantity) -> Result<Quantity, MathError> {
    if item.is_debt() {
        units.neg()
    } else {
        Ok(units)
    }
}

impl Holding {
    /// What the holding stands for: above zero for what is ours, below for what we owe.
    ///
    /// # Errors
    /// [`MathError`] for a debt at the very bound of the range.
    #[inline]
    pub fn signed_units(&self) -> Result<Quantity, MathError> {
        signed(self.item, self.units)
    }

    /// The holding as a venue reports it; `None` when it is zero.
    fn position(&self) -> Option<Position> {
        if self.quantity.is_zero() && self.units.is_zero() {
            return None;
        }
        let (account, item) = (self.account, self.item);
        Some(Position::scaled(account, item, self.quantity, self.units))
    }

    /// How it is valued.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }
}

/// Units of the underlying that `units` stand for at the view.
fn delta(view: &MarketView, mark: Mark, units: Quantity) -> Result<Quantity, MathError> {
    match mark {
        Mark::Par => Ok(Quantity::ZERO),
        Mark::Series(_) => Ok(units),
        Mark::Rate { .. } => {
            let rate = view.rate_of(mark).unwrap_or(Fixed18::ZERO);
            Ok(Quantity::new(units.get().mul(rate, Rounding::HalfEven)?))
        }
    }
}

fn never_priced(holding: &Holding, view: &MarketView) -> ComponentError {
    let message = format!(
        "{} in {} has had no price by {}",
        holding.item,
        holding.account,
        view.now()
    );
    ComponentError::new(Code::ExposureUnpriced, message)
}

/// The instrument an occurrence is about.
fn instrument_of(occurrence: &Occurrence) -> Option<InstrumentKey> {
    match occurrence {
        Occurrence::Trade { instrument, .. } | Occurrence::Liquidation { instrument, .. } => {
            Some(*instrument)
        }
        _ => None,
    }
}
