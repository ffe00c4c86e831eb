//! What the venue says we hold, as a window: it was true at some instant between the first request and the
//! last answer.

use std::collections::VecDeque;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::num::Rounding;
use basis_core::types::{Asset, InstrumentKey, InstrumentKind, Item};
use basis_core::venue_event::{AccountSnapshot, EventKind, OpenOrder, Position};
use basis_live::actor::Output;

use super::Machine;
use super::codec::{BalanceReport, OrderReport, Part, PositionReport};
use super::purpose::{Answered, Purpose};
use crate::wire::instruction_of;

/// A reading of the account under way.
#[derive(Debug, Default)]
pub(super) struct AccountRead {
    /// What is still to be asked; the first is under way.
    parts: VecDeque<Part>,
    /// Where the next page of the first begins.
    cursor: Option<String>,
    found: AccountSnapshot,
    /// Whether another one was asked for meanwhile.
    wanted: bool,
}

impl Machine {
    /// Reads the account anew, or once more after the reading under way.
    pub(super) fn request_account(&mut self) {
        if !self.account.parts.is_empty() {
            self.account.wanted = true;
            return;
        }
        let parts = self.codec.parts(self.setup()).into();
        self.account.parts = parts;
        self.account.found = AccountSnapshot::at(self.now);
        self.ask_account();
    }

    fn ask_account(&mut self) {
        if let Some(part) = self.account.parts.front() {
            let cursor = self.account.cursor.clone();
            let draft = self.codec.part_question(*part, cursor);
            self.wire.read(self.now, draft, Purpose::Account);
        }
    }

    /// Gives a reading up; the engine is told and asks again.
    pub(super) fn account_failed(&mut self) {
        self.account.parts.clear();
        self.account.cursor = None;
        let kind = VenueErrorKind::Unavailable("the account could not be read".to_owned());
        let error = VenueError::new(self.venue(), "account", kind);
        self.disconnected(error);
    }

    pub(super) fn account_answered(&mut self, answered: Answered) {
        let Some(part) = self.account.parts.front().copied() else {
            return;
        };
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => {
                self.read_failed("account", &failure);
                return self.account_failed();
            }
        };
        let page = match self.codec.part(part, &self.rules, &body) {
            Ok(page) => page,
            Err(e) => {
                self.unreadable("the account", &e);
                return self.account_failed();
            }
        };
        self.take_balances(&page.balances);
        for row in &page.positions {
            self.take_position(row);
        }
        if let Part::Orders(kind, _) = part {
            self.take_orders(kind, &page.orders);
        }
        if page.next.is_none() {
            self.account.parts.pop_front();
        }
        self.account.cursor = page.next;
        if !self.account.parts.is_empty() {
            return self.ask_account();
        }
        self.account_read();
    }

    fn account_read(&mut self) {
        self.was_read();
        let mut found = std::mem::take(&mut self.account.found);
        found.answered = self.now;
        found
            .positions
            .sort_by_key(|position| (position.account, position.item));
        let (asked, answered) = (found.asked, found.answered);
        self.out.push(Output::Account(Box::new(found)));
        self.emit(self.now, EventKind::Snapshot { asked, answered });
        if std::mem::take(&mut self.account.wanted) {
            self.request_account();
        }
    }

    /// The assets of the managed instruments.
    fn is_managed(&self, name: &str) -> Option<Asset> {
        let asset = Asset::new(name).ok()?;
        let symbols = &self.settings.symbols;
        let mut own = self.rules.instruments.iter();
        let is_leg = own.any(|rules| {
            symbols.contains(&rules.key.symbol) && (rules.base == asset || rules.quote == asset)
        });
        is_leg.then_some(asset)
    }

    fn take_balances(&mut self, rows: &[BalanceReport]) {
        for row in rows.iter().filter(|row| !row.total.is_zero()) {
            if let Some(asset) = self.is_managed(&row.asset) {
                let position = Position::new(row.account, Item::Asset(asset), row.total);
                self.account.found.positions.push(position);
            }
        }
    }

    fn instrument(&self, kind: InstrumentKind, symbol: &str) -> Option<InstrumentKey> {
        let mut own = self.rules.instruments.iter();
        let own =
            own.find(|rules| rules.key.kind == kind && rules.venue_symbol.as_str() == symbol)?;
        let is_managed = self.settings.symbols.contains(&own.key.symbol);
        is_managed.then_some(own.key)
    }

    fn take_position(&mut self, row: &PositionReport) {
        let Some(instrument) = self.instrument(InstrumentKind::Perp, &row.symbol) else {
            return;
        };
        if row.amount.is_zero() {
            return;
        }
        let instrument = instrument.sided(row.side);
        let account = self.rules.accounts.perp;
        let cost = row
            .entry_price
            .map(|price| row.amount.notional(price, Rounding::HalfEven));
        let position = Position {
            open_cost: cost.and_then(Result::ok),
            ..Position::new(account, Item::Position(instrument), row.amount)
        };
        self.account.found.positions.push(position);
    }

    fn take_orders(&mut self, kind: InstrumentKind, rows: &[OrderReport]) {
        for row in rows {
            let Some(instrument) = self.instrument(kind, &row.symbol) else {
                continue;
            };
            match instruction_of(self.settings.book, &row.client) {
                Some(instruction) => self.account.found.orders.push(OpenOrder {
                    instruction,
                    venue_order_id: Some(row.venue_id.clone().into()),
                    instrument: instrument.sided(row.position_side),
                    side: row.side,
                    quantity: row.quantity,
                    filled: row.filled,
                    state: row.state,
                }),
                None => self.foreign(row),
            }
        }
    }

    /// Says of an order of somebody else that it is there; it is left alone.
    pub(super) fn foreign(&mut self, row: &OrderReport) {
        self.notice(format!(
            "order {} of {} ({}) is none of this book and is left alone",
            row.venue_id, row.symbol, row.client
        ));
    }
}
