//! What a simulated venue holds for us, and the ledger lines that say so.
//!
//! **Invariant.** Cash changes only by posting the lines that the caller reports, so the sum of all
//! lines is what [`Books::holdings`] lists.

use std::collections::BTreeMap;

use basis_core::execution::Position;
use basis_core::instruction::{MarginMode, TimeInForce};
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence};
use basis_core::market::{MarketView, SlotId};
use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::protocol::perp::PerpPosition;
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, Item, SeriesId, SeriesKind, Side, Symbol,
    Timestamp, Venue,
};

/// The price of what the run values at one dollar.
pub(crate) const ONE_DOLLAR: Price = Price::literal("1");

/// Whether the run values the asset at one dollar.
pub(crate) fn is_dollar(asset: Asset) -> bool {
    matches!(asset.as_str(), "USDT" | "USDC" | "DAI" | "USD")
}

/// The dollar price of `asset` for lines that no trade priced: what the view values it at, the
/// `preferred` venue's own spot first. Zero when nobody shows one; the lines of a transfer cancel out
/// all the same.
pub(crate) fn dollar_price(view: &MarketView, asset: Asset, preferred: Venue) -> Price {
    if is_dollar(asset) {
        return ONE_DOLLAR;
    }
    let own = ["USDT", "USDC"].iter().find_map(|quote| {
        let symbol = Symbol::new(&format!("{}{quote}", asset.as_str())).ok()?;
        view.quote_of(SeriesId::new(SeriesKind::Spot, preferred, symbol))
    });
    if let Some(quote) = own {
        return quote.mark;
    }
    let mark = view.mark_of(asset);
    let price = mark.and_then(|mark| view.dollars(mark).ok().flatten());
    price.unwrap_or(Price::ZERO)
}

/// Quantities of assets by account, sorted, zeros left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    rows: Vec<((Account, Asset), Quantity)>,
}

impl Holdings {
    pub(crate) fn get(&self, account: Account, asset: Asset) -> Quantity {
        self.rows
            .binary_search_by_key(&(account, asset), |row| row.0)
            .ok()
            .and_then(|at| self.rows.get(at))
            .map_or(Quantity::ZERO, |row| row.1)
    }

    pub(crate) fn add(
        &mut self,
        account: Account,
        asset: Asset,
        change: Quantity,
    ) -> Result<(), MathError> {
        let after = self.get(account, asset).add(change)?;
        match self
            .rows
            .binary_search_by_key(&(account, asset), |row| row.0)
        {
            Ok(at) if after.is_zero() => {
                self.rows.remove(at);
            }
            Ok(at) => {
                if let Some(row) = self.rows.get_mut(at) {
                    row.1 = after;
                }
            }
            Err(_) if after.is_zero() => {}
            Err(at) => self.rows.insert(at, ((account, asset), after)),
        }
        Ok(())
    }

    /// Applies the asset lines that concern `venue`.
    pub(crate) fn post(&mut self, venue: Venue, entries: &[LedgerEntry]) -> Result<(), MathError> {
        for entry in entries {
            if let Item::Asset(asset) = entry.item
                && entry.account.venue == venue
            {
                self.add(entry.account, asset, entry.quantity)?;
            }
        }
        Ok(())
    }

    /// What one account holds.
    pub(crate) fn of(&self, account: Account) -> impl Iterator<Item = (Asset, Quantity)> {
        let rows = self.rows.iter().filter(move |row| row.0.0 == account);
        rows.map(|row| (row.0.1, row.1))
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = Position> {
        self.rows.iter().map(|&((account, asset), quantity)| {
            Position::new(account, Item::Asset(asset), quantity)
        })
    }
}

/// The lines of one occurrence, numbered as they are added.
#[derive(Debug)]
pub(crate) struct Lines {
    at: Timestamp,
    occurrence: Occurrence,
    instruction: Option<InstructionId>,
    first: u8,
    pub(crate) entries: Vec<LedgerEntry>,
}

impl Lines {
    pub(crate) const fn new(
        at: Timestamp,
        occurrence: Occurrence,
        instruction: Option<InstructionId>,
    ) -> Self {
        Self {
            at,
            occurrence,
            instruction,
            first: 0,
            entries: Vec::new(),
        }
    }

    /// Numbers lines from `first` on: for an occurrence that others report lines of, too.
    pub(crate) const fn numbered_from(mut self, first: u8) -> Self {
        self.first = first;
        self
    }

    /// A trade line: `value` is what was paid (> 0) or received (< 0) for `quantity`.
    pub(crate) fn trade(
        &mut self,
        account: Account,
        item: Item,
        quantity: Quantity,
        value: Value,
        reference_price: Price,
    ) {
        self.push(
            EntryKind::Trade,
            (account, item),
            quantity,
            value,
            reference_price,
        );
    }

    /// Any other line of an asset, worth quantity × reference price.
    pub(crate) fn booked(
        &mut self,
        kind: EntryKind,
        (account, asset): (Account, Asset),
        quantity: Quantity,
        reference_price: Price,
    ) -> Result<(), MathError> {
        let value = quantity.notional(reference_price, Rounding::HalfEven)?;
        self.push(
            kind,
            (account, Item::Asset(asset)),
            quantity,
            value,
            reference_price,
        );
        Ok(())
    }

    fn push(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        quantity: Quantity,
        value: Value,
        reference_price: Price,
    ) {
        let line = u8::try_from(self.entries.len()).unwrap_or(u8::MAX);
        let line = line.saturating_add(self.first);
        self.entries.push(LedgerEntry {
            at: self.at,
            account,
            item,
            quantity,
            units: quantity,
            value,
            kind,
            instruction: self.instruction,
            reference_price,
            cause: Cause::new(self.occurrence.clone(), line),
        });
    }
}

/// An open perp position and where its price stands in the view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenPosition {
    pub(crate) key: InstrumentKey,
    pub(crate) position: PerpPosition,
    pub(crate) slot: SlotId,
    /// The part of the account's cash that stands for this position alone; `None` in cross mode.
    pub(crate) margin: Option<Quantity>,
}

impl OpenPosition {
    pub(crate) const fn is_long(&self) -> bool {
        self.position.quantity.is_positive()
    }
}

/// An order in the book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RestingOrder {
    pub(crate) instruction: InstructionId,
    pub(crate) key: InstrumentKey,
    pub(crate) side: Side,
    pub(crate) quantity: Quantity,
    pub(crate) limit: Price,
    pub(crate) reduce_only: bool,
    pub(crate) post_only: bool,
    /// What it binds until it fills or goes.
    pub(crate) reserved: (Account, Asset, Quantity),
    pub(crate) placed_at: Timestamp,
    pub(crate) slot: SlotId,
}

/// An order that has been sent and fills at the open of the next bar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingOrder {
    pub(crate) instruction: InstructionId,
    pub(crate) key: InstrumentKey,
    pub(crate) side: Side,
    pub(crate) quantity: Quantity,
    /// None for a market order.
    pub(crate) limit: Option<Price>,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) reduce_only: bool,
    /// What it binds until it fills or fails.
    pub(crate) reserved: (Account, Asset, Quantity),
    pub(crate) placed_at: Timestamp,
    /// Base units that the bar before the fill traded, for the slippage model.
    pub(crate) volume: Quantity,
    pub(crate) slot: SlotId,
}

/// Cash, positions, orders and leverage at one venue.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) cash: Holdings,
    /// Sorted by instrument.
    pub(crate) positions: Vec<OpenPosition>,
    /// In the order they were placed.
    pub(crate) orders: Vec<RestingOrder>,
    /// Taking orders that wait for the next bar to open, in the order they were placed.
    pub(crate) pending: Vec<PendingOrder>,
    pub(crate) leverage: BTreeMap<Symbol, Fixed18>,
    /// Where it is not that of the settings.
    pub(crate) margin_modes: BTreeMap<Symbol, MarginMode>,
}

impl Books {
    /// What orders that have not filled bind of an asset.
    pub(crate) fn reserved(&self, account: Account, asset: Asset) -> Result<Quantity, MathError> {
        let resting = self.orders.iter().map(|order| order.reserved);
        let pending = self.pending.iter().map(|order| order.reserved);
        resting
            .chain(pending)
            .filter(|reserved| (reserved.0, reserved.1) == (account, asset))
            .try_fold(Quantity::ZERO, |sum, reserved| sum.add(reserved.2))
    }

    pub(crate) fn open(&self, key: InstrumentKey) -> Option<OpenPosition> {
        self.positions.iter().find(|open| open.key == key).copied()
    }

    pub(crate) fn position(&self, key: InstrumentKey) -> PerpPosition {
        self.open(key)
            .map_or_else(PerpPosition::default, |open| open.position)
    }

    /// What isolated positions keep of the account's cash, `without` one of them.
    pub(crate) fn isolated(&self, without: Option<InstrumentKey>) -> Result<Quantity, MathError> {
        self.positions
            .iter()
            .filter(|open| Some(open.key) != without)
            .filter_map(|open| open.margin)
            .try_fold(Quantity::ZERO, Quantity::add)
    }

    /// Moves the margin of an isolated position; nothing in cross mode.
    pub(crate) fn move_margin(
        &mut self,
        key: InstrumentKey,
        change: Quantity,
    ) -> Result<(), MathError> {
        let open = self.positions.iter_mut().find(|open| open.key == key);
        if let Some(margin) = open.and_then(|open| open.margin.as_mut()) {
            *margin = margin.add(change)?;
        }
        Ok(())
    }

    /// Replaces a position; a flat one goes.
    pub(crate) fn set_position(&mut self, open: OpenPosition) {
        let flat = open.position.quantity.is_zero();
        match self.positions.binary_search_by_key(&open.key, |o| o.key) {
            Ok(at) if flat => {
                self.positions.remove(at);
            }
            Ok(at) => {
                if let Some(row) = self.positions.get_mut(at) {
                    *row = open;
                }
            }
            Err(_) if flat => {}
            Err(at) => self.positions.insert(at, open),
        }
    }

    /// Everything that is not zero, sorted by account and item.
    pub(crate) fn holdings(&self, perp: Option<Account>) -> Vec<Position> {
        let mut rows: Vec<Position> = self.cash.positions().collect();
        if let Some(account) = perp {
            rows.extend(self.positions.iter().map(|open| {
                Position::new(account, Item::Position(open.key), open.position.quantity)
            }));
        }
        rows.sort_by_key(|row| (row.account, row.item));
        rows
    }
}
