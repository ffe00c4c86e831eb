//! The ledger and its projection.
//!
//! **Invariants.** Holdings change only by the lines that posting makes of a [`VenueEvent`], and nothing
//! else appends to the ledger. An event is booked whole or not at all, and the same [`EventKey`] once.
//! Equity = cash + Σ quantity × mark − Σ open cost, and each step's change of it is attributed as
//! the lines arrive, so that no bucket is ever a remainder. What has no price counts as 0 and is listed.

mod admitted;
mod holding;
mod saved;
mod staged;

use std::ops::Range;
use std::sync::Arc;

use basis_core::error::{Code, ComponentError};
use basis_core::journal::PostedMark;
use basis_core::ledger::LedgerEntry;
use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Item, SeriesId, Symbol, Timestamp, Venue,
};
use basis_core::venue_event::{EventKey, Position, VenueEvent};
use basis_market::{Mark, MarketView, SlotId};
use rustc_hash::FxHashMap;

use self::admitted::Admitted;
pub use self::holding::Holding;
use self::holding::{StepOpening, delta, signed};
pub(crate) use self::saved::SavedBooks;
use self::staged::Staged;
pub(crate) use self::staged::opens_cost;
use crate::pnl::Attribution;
use crate::posting::{self, Held, NotedMarks, Posting};

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

/// The ledger, its sums, and the attribution of the step under way.
#[derive(Debug)]
pub struct Books {
    pricing: Pricing,
    reference: SlotId,
    reference_opening: Price,
    holdings: Vec<Holding>,
    index: FxHashMap<(Account, Item), usize>,
    admitted: Admitted,
    ledger: Vec<LedgerEntry>,
    cash: Value,
    cost: Value,
    equity: Value,
    equity_open: Value,
    /// When `equity` and every `worth` were last computed; `None` after a line was posted.
    valued_at: Option<Timestamp>,
    unpriced: Vec<(Account, Item)>,
    step: Attribution,
    external_flow: Value,
    /// When the last step was closed.
    closed_at: Timestamp,
    /// Whether lines were posted since moves of marks were last attributed.
    posted: bool,
    /// Whether the marks that posting reads are noted.
    notes_marks: bool,
    /// Taken out while an event is booked.
    scratch: Option<Box<Scratch>>,
}

/// The memory that one event after the other is booked in.
#[derive(Debug, Default)]
struct Scratch {
    posting: Posting,
    staged: Staged,
    marks: Vec<PostedMark>,
}

/// What posting an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// Its key was admitted before: nothing.
    Repeated,
    /// It was taken.
    New {
        /// Its lines, by index in the ledger; empty for an event that posts none.
        lines: Range<usize>,
        /// Holdings that got a line without a price.
        unpriced: Vec<(Account, Item)>,
        /// The marks that posting read, where the books note them.
        marks: Vec<PostedMark>,
    },
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
            admitted: Admitted::default(),
            ledger: Vec::new(),
            cash: Value::ZERO,
            cost: Value::ZERO,
            equity: Value::ZERO,
            equity_open: Value::ZERO,
            valued_at: None,
            unpriced: Vec::new(),
            step: Attribution::default(),
            external_flow: Value::ZERO,
            closed_at: Timestamp::MIN,
            posted: false,
            notes_marks: false,
            scratch: Some(Box::default()),
        })
    }

    /// Makes room for `lines`, so that a run does not copy its ledger again and again as it grows.
    pub fn reserve(&mut self, lines: usize) {
        self.ledger.reserve(lines);
        self.admitted.reserve(lines);
    }

    /// Books an event: its lines as posting makes them, all or none. An event without a key posts nothing,
    /// and one whose key was admitted before changes nothing.
    ///
    /// # Errors
    /// EXI-007 for an impossible event; POS-001 for a result without its position; POS-002
    /// when an amount leaves the range. The books are then as before, and the key is free.
    pub fn post(
        &mut self,
        view: &MarketView,
        event: &VenueEvent,
    ) -> Result<Posted, ComponentError> {
        let first = self.ledger.len();
        let Some(key) = event.key() else {
            return Ok(Posted::New {
                lines: first..first,
                unpriced: Vec::new(),
                marks: Vec::new(),
            });
        };
        let hash = Admitted::hash(&key);
        if self.admitted.holds(hash, &key, &self.ledger) {
            return Ok(Posted::Repeated);
        }
        let key = Arc::new(key);
        let mut scratch = self.scratch.take().unwrap_or_default();
        let computed = self.compute(view, event, &key, &mut scratch);
        if computed.is_ok() {
            self.append(hash, &key, &mut scratch);
        }
        let unpriced = std::mem::take(&mut scratch.posting.unpriced);
        let marks = std::mem::take(&mut scratch.marks);
        scratch.posting.lines.clear();
        self.scratch = Some(scratch);
        computed.map_err(|e| named(event.venue, &key, e))?;
        Ok(Posted::New {
            lines: first..self.ledger.len(),
            unpriced,
            marks,
        })
    }

    /// Computes the lines of an event and every sum that they change, and changes nothing.
    fn compute(
        &self,
        view: &MarketView,
        event: &VenueEvent,
        key: &Arc<EventKey>,
        scratch: &mut Scratch,
    ) -> Result<(), ComponentError> {
        let Scratch {
            posting,
            staged,
            marks,
        } = scratch;
        if self.notes_marks {
            let noting = NotedMarks::new(view);
            posting::write_lines(event, key, &noting, self, posting)?;
            *marks = noting.into_noted();
        } else {
            posting::write_lines(event, key, view, self, posting)?;
        }
        if posting.lines.is_empty() {
            return Ok(());
        }
        staged.begin(self);
        for entry in &posting.lines {
            staged.add(self, view, entry)?;
        }
        Ok(())
    }

    /// Takes over what [`Self::compute`] found; the only way into the ledger.
    fn append(&mut self, hash: u64, key: &Arc<EventKey>, scratch: &mut Scratch) {
        let Scratch {
            posting, staged, ..
        } = scratch;
        let first = self.ledger.len();
        let Some(line) = posting.lines.first() else {
            self.admitted.admit(hash, key, None, &self.ledger);
            return;
        };
        let posted_under = Arc::clone(&line.cause.event);
        self.extend_ledger(&mut posting.lines);
        if Arc::ptr_eq(&posted_under, key) {
            self.admitted.admit(hash, key, Some(first), &self.ledger);
        } else {
            self.admitted.admit(hash, key, None, &self.ledger);
            let hash = Admitted::hash(&posted_under);
            self.admitted
                .admit(hash, &posted_under, Some(first), &self.ledger);
        }
        for opened in staged.opened.drain(..) {
            let at = self.holdings.len();
            self.index.insert((opened.account, opened.item), at);
            self.holdings.push(opened);
        }
        for (at, amounts) in staged.touched.drain(..) {
            if let Some(holding) = self.holdings.get_mut(at) {
                holding.quantity = amounts.quantity;
                holding.units = amounts.units;
                holding.cost = amounts.cost;
            }
        }
        self.cash = staged.cash;
        self.cost = staged.cost;
        self.step = staged.step;
        self.external_flow = staged.external_flow;
        self.valued_at = None;
        self.posted = true;
    }

    /// Adds lines to the ledger: those of an event, or those that a journal gives back.
    fn extend_ledger(&mut self, lines: &mut Vec<LedgerEntry>) {
        self.ledger.append(lines);
    }

    /// How an item in an account is valued; `None` when no series of the view values it.
    fn mark_of(&self, view: &MarketView, account: Account, item: Item) -> Option<Mark> {
        let asset = match item {
            Item::Asset(asset)
            | Item::Shares(asset)
            | Item::Debt(asset)
            | Item::Liquidity { asset, .. } => asset,
            Item::Position(key) => return view.mark_of_instrument(key),
        };
        if asset == self.pricing.base {
            let symbol = self.pricing.symbol;
            let own = InstrumentKey::new(account.venue, InstrumentKind::Spot, symbol);
            let slot = view.slot(own.series()).unwrap_or(self.reference);
            return Some(Mark::Series(slot));
        }
        view.mark_of(asset)
    }

    /// Values every holding at the view's marks; what has no price counts as 0 and is listed by
    /// [`Self::unpriced`].
    ///
    /// # Errors
    /// POS-002 when a value leaves the range.
    pub fn value(&mut self, view: &MarketView) -> Result<Value, ComponentError> {
        if self.valued_at == Some(view.now()) {
            return Ok(self.equity);
        }
        let mut equity = self.cash.sub(self.cost)?;
        self.unpriced.clear();
        for holding in &mut self.holdings {
            if holding.mark == Some(Mark::Par) {
                holding.value = Value::new(holding.signed_units()?.get());
                continue;
            }
            (holding.value, holding.delta) = (Value::ZERO, Quantity::ZERO);
            if holding.units.is_zero() {
                continue;
            }
            let price = match holding.mark {
                Some(mark) => view.price_usd(mark)?.map(|price| (mark, price)),
                None => None,
            };
            holding.is_priced = price.is_some();
            let Some((mark, price)) = price else {
                self.unpriced.push((holding.account, holding.item));
                continue;
            };
            let units = holding.signed_units()?;
            holding.value = units.notional(price, Rounding::HalfEven)?;
            holding.delta = delta(view, mark, units)?;
            equity = equity.add(holding.value)?;
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
        let net_delta = self.attribute_moves(view)?;
        let mut attribution = std::mem::take(&mut self.step);
        let external_flow = std::mem::take(&mut self.external_flow);
        let explained = attribution.total()?;
        attribution.residual = equity.sub(before)?.sub(external_flow)?.sub(explained)?;
        self.equity_open = equity;
        self.closed_at = view.now();
        Ok(StepClose {
            equity,
            external_flow,
            attribution,
            net_delta,
        })
    }

    /// Attributes within a step what marks have moved by now, where lines were posted since that was last
    /// done: what they brought moves with its marks from here on.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range.
    pub(crate) fn mark_between_steps(&mut self, view: &MarketView) -> Result<(), ComponentError> {
        if self.posted {
            self.value(view)?;
            self.attribute_moves(view)?;
        }
        Ok(())
    }

    /// Attributes the moves of marks since this was last done, and yields the net delta.
    fn attribute_moves(&mut self, view: &MarketView) -> Result<Quantity, ComponentError> {
        let reference = view.quote(self.reference).mark;
        let reference_move = reference.diff(self.reference_opening);
        let mut delta_at_open = Quantity::ZERO;
        let mut net_delta = Quantity::ZERO;
        for holding in &mut self.holdings {
            if holding.units.is_zero() && holding.opening.units.is_zero() {
                // Nothing at either end of the step: no mark of an empty opening is ever read.
                continue;
            }
            let Some(mark) = holding.mark else {
                // Counted as 0 at either end.
                continue;
            };
            let (slot, rated) = match mark {
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
                Some(_) => view.rate_of(mark).unwrap_or(holding.opening.rate),
            };
            let opening = holding.opening;
            if opening.units.is_zero() {
                // Nothing that a mark could have moved.
            } else if !opening.is_priced {
                opening.attribute_first_price(&mut self.step, view.price_usd(mark)?)?;
            } else {
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
                is_priced: holding.is_priced,
            };
        }
        if !delta_at_open.is_zero() {
            let gain = delta_at_open.gain(reference_move, Rounding::HalfEven)?;
            self.step.price = self.step.price.add(gain)?;
        }
        self.reference_opening = reference;
        self.posted = false;
        Ok(net_delta)
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

    /// What a posted line did to the delta: units of the underlying at the view, signed; zero for what is
    /// valued at 1 or has no price.
    ///
    /// # Errors
    /// POS-002 when the amount leaves the range.
    pub(crate) fn delta_of(
        &self,
        view: &MarketView,
        line: &LedgerEntry,
    ) -> Result<Quantity, MathError> {
        let held = self.holding(line.account, line.item);
        let Some(mark) = held.and_then(Holding::mark) else {
            return Ok(Quantity::ZERO);
        };
        delta(view, mark, signed(line.item, line.units)?)
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

    /// Holdings that the last valuation found no price for, and counted as 0.
    #[must_use]
    pub fn unpriced(&self) -> &[(Account, Item)] {
        &self.unpriced
    }

    /// Equity at the last valuation, USD.
    #[must_use]
    pub const fn equity(&self) -> Value {
        self.equity
    }

    /// The slot of the reference price.
    #[must_use]
    pub const fn reference(&self) -> SlotId {
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

impl Held for Books {
    fn open_position(
        &self,
        account: Account,
        instrument: InstrumentKey,
    ) -> Option<(Quantity, Value)> {
        let position = self.holding(account, Item::Position(instrument))?;
        Some((position.quantity, position.cost))
    }

    fn lines_under(&self, key: &EventKey) -> Vec<LedgerEntry> {
        self.admitted.lines(key, &self.ledger).to_vec()
    }
}

/// The failure with the event that it is about.
fn named(venue: Venue, key: &EventKey, e: ComponentError) -> ComponentError {
    let message = format!("{venue} reports {key}: {}", e.message);
    ComponentError { message, ..e }
}
