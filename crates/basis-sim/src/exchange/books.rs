//! What a simulated venue holds for us: its own tally.
//!
//! **Invariant.** The venue's own arithmetic changes it, once per operation and whole or not at all;
//! nothing here is computed from an event or from a ledger line.

use std::collections::BTreeMap;

use basis_core::instruction::{MarginMode, TimeInForce};
use basis_core::num::{Fixed18, MathError, Price, Quantity};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, Item, Side, Symbol, Timestamp,
};
use basis_core::venue_event::{AccountSnapshot, IsolatedMargin, OpenOrder, OrderState, Position};
use basis_market::SlotId;
use basis_protocols::exchange::PerpPosition;

use super::pricing::Met;
use crate::holdings::Holdings;

/// An open perp position and where its mark stands in the view.
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
    /// What is left of it.
    pub(crate) quantity: Quantity,
    /// What bars had room for so far.
    pub(crate) filled: Quantity,
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
    /// The market as it was then: what it did before the fill.
    pub(crate) met: Met,
    /// Whether it is the part of a larger order that the market had room for.
    pub(crate) is_cut: bool,
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

    /// Sets what a position keeps for itself; `None` in cross mode.
    pub(crate) fn set_margin(&mut self, key: InstrumentKey, margin: Option<Quantity>) {
        if let Some(open) = self.positions.iter_mut().find(|open| open.key == key) {
            open.margin = margin;
        }
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

    /// Describes everything that is held, into the room of the last answer; positions are in the account
    /// `perp`.
    pub(crate) fn describe(&self, perp: Option<Account>, snapshot: &mut AccountSnapshot) {
        let AccountSnapshot {
            positions,
            isolated,
            orders,
            ..
        } = snapshot;
        positions.clear();
        self.holdings(perp, positions);
        isolated.clear();
        let accounts = perp.into_iter();
        isolated.extend(accounts.flat_map(|account| self.isolated_margins(account)));
        orders.clear();
        orders.extend(self.open_orders());
    }

    /// Adds everything that is not zero to empty `rows`, sorted by account and item.
    fn holdings(&self, perp: Option<Account>, rows: &mut Vec<Position>) {
        rows.extend(self.cash.positions());
        if let Some(account) = perp {
            rows.extend(self.positions.iter().map(|open| Position {
                open_cost: Some(open.position.cost),
                ..Position::new(account, Item::Position(open.key), open.position.quantity)
            }));
        }
        // By reference: a key of both is a hundred bytes to copy for every comparison.
        rows.sort_by(|a, b| a.account.cmp(&b.account).then_with(|| a.item.cmp(&b.item)));
    }

    /// What isolated positions keep of the cash of the perp account, by instrument.
    fn isolated_margins(&self, account: Account) -> impl Iterator<Item = IsolatedMargin> + '_ {
        let own = move |open: &OpenPosition| {
            Some(IsolatedMargin {
                account,
                instrument: open.key,
                margin: open.margin?,
            })
        };
        self.positions.iter().filter_map(own)
    }

    /// Every order that may still fill: what rests, then what waits for the next open.
    fn open_orders(&self) -> impl Iterator<Item = OpenOrder> + '_ {
        let resting = self.orders.iter().map(|order| {
            let of = (order.instruction, order.key, order.side, order.quantity);
            (of, OrderState::Working)
        });
        let pending = self.pending.iter().map(|order| {
            let of = (order.instruction, order.key, order.side, order.quantity);
            (of, OrderState::Submitted)
        });
        resting.chain(pending).map(
            |((instruction, instrument, side, quantity), state)| OpenOrder {
                instruction,
                venue_order_id: None,
                instrument,
                side,
                quantity,
                filled: Quantity::ZERO,
                state,
            },
        )
    }
}
