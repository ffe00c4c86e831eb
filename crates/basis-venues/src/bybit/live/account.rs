//! What the venue says we hold, as a window: it was true at some instant between the first request and the
//! last answer.

use std::collections::{BTreeSet, VecDeque};

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::num::Rounding;
use basis_core::types::{Account, Asset, InstrumentKey, InstrumentKind, Item, Label};
use basis_core::venue_event::{AccountSnapshot, EventKind, OpenOrder, Position};
use basis_live::actor::Output;

use super::BybitMachine;
use super::purpose::{Answered, Purpose};
use crate::bybit::codec::replies::{self, Balance, DecodeError, OrderReply};
use crate::bybit::codec::{Category, open_orders, reads};
use crate::wire::{JsonDraft, Range, instruction_of};

/// The funding account.
const FUNDING: Account = Account::new(BybitMachine::VENUE, Label::literal("funding"));
/// Rows of a page of orders and of positions, the most that the venue gives.
const ORDERS: u32 = 50;
const POSITIONS: u32 = 200;

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

#[derive(Clone, Copy, Debug)]
enum Part {
    Unified,
    Funding,
    Positions(Asset),
    Orders(Category, Asset),
}

impl Part {
    fn draft(self, cursor: Option<String>) -> JsonDraft {
        let page = |rows| Range {
            rows: Some(rows),
            cursor,
            ..Range::default()
        };
        match self {
            Self::Unified => reads::balances(),
            Self::Funding => reads::funding_balances(),
            Self::Positions(settle) => reads::positions(settle, &page(POSITIONS)),
            Self::Orders(category, settle) => open_orders(category, settle, &page(ORDERS)),
        }
    }
}

impl BybitMachine {
    /// Reads the account anew, or once more after the reading under way.
    pub(super) fn request_account(&mut self) {
        if !self.account.parts.is_empty() {
            self.account.wanted = true;
            return;
        }
        let perps = self.rules.instruments.iter();
        let perps = perps.filter(|rules| rules.key.kind == InstrumentKind::Perp);
        let settles: BTreeSet<Asset> = perps.map(|rules| rules.quote).collect();
        let mut parts: VecDeque<Part> = [Part::Unified].into();
        if self.settings.endpoint.has_wallet {
            parts.push_back(Part::Funding);
        }
        if self.settings.spot {
            // All of spot at once: the asset is not asked for there.
            let any = settles.first().copied().unwrap_or(Asset::literal("USDT"));
            parts.push_back(Part::Orders(Category::Spot, any));
        }
        if self.settings.linear {
            for settle in settles {
                parts.push_back(Part::Positions(settle));
                parts.push_back(Part::Orders(Category::Linear, settle));
            }
        }
        self.account.parts = parts;
        self.account.found = AccountSnapshot::at(self.now);
        self.ask_account();
    }

    fn ask_account(&mut self) {
        if let Some(part) = self.account.parts.front() {
            let draft = part.draft(self.account.cursor.clone());
            self.wire.read(self.now, draft, Purpose::Account);
        }
    }

    /// Gives a reading up; the engine is told and asks again.
    pub(super) fn account_failed(&mut self) {
        self.account.parts.clear();
        self.account.cursor = None;
        let kind = VenueErrorKind::Unavailable("the account could not be read".to_owned());
        let error = VenueError::new(Self::VENUE, "account", kind);
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
        match self.take_part(part, &body) {
            Ok(next) => {
                if next.is_none() {
                    self.account.parts.pop_front();
                }
                self.account.cursor = next;
            }
            Err(e) => {
                self.unreadable("the account", &e);
                return self.account_failed();
            }
        }
        if !self.account.parts.is_empty() {
            return self.ask_account();
        }
        self.account_read();
    }

    /// Takes a page; returns where the next one begins.
    fn take_part(&mut self, part: Part, body: &[u8]) -> Result<Option<String>, DecodeError> {
        match part {
            Part::Unified => {
                let account = self.rules.accounts.perp;
                let unified = replies::balances(body)?;
                self.take_balances(account, &unified.balances);
                Ok(None)
            }
            Part::Funding => {
                self.take_balances(FUNDING, &replies::funding_balances(body)?);
                Ok(None)
            }
            Part::Positions(_) => {
                let page = replies::positions(body)?;
                for row in &page.rows {
                    self.take_position(row)?;
                }
                Ok(page.next)
            }
            Part::Orders(category, _) => {
                let page = replies::orders(body)?;
                self.take_orders(category, &page.rows);
                Ok(page.next)
            }
        }
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

    fn take_balances(&mut self, account: Account, rows: &[Balance]) {
        for row in rows.iter().filter(|row| !row.total.is_zero()) {
            if let Some(asset) = self.is_managed(&row.coin) {
                let position = Position::new(account, Item::Asset(asset), row.total);
                self.account.found.positions.push(position);
            }
        }
    }

    fn instrument(&self, category: Category, symbol: &str) -> Option<InstrumentKey> {
        let mut own = self.rules.instruments.iter();
        let own = own.find(|rules| {
            Category::of(rules.key.kind) == category && rules.venue_symbol.as_str() == symbol
        })?;
        let is_managed = self.settings.symbols.contains(&own.key.symbol);
        is_managed.then_some(own.key)
    }

    fn take_position(&mut self, row: &replies::Position) -> Result<(), DecodeError> {
        let amount = row.amount()?;
        let Some(instrument) = self.instrument(Category::Linear, &row.symbol) else {
            return Ok(());
        };
        if amount.is_zero() {
            return Ok(());
        }
        let instrument = instrument.sided(row.position_idx);
        let account = self.rules.accounts.perp;
        let cost = row
            .avg_price
            .map(|price| amount.notional(price, Rounding::HalfEven));
        let position = Position {
            open_cost: cost.and_then(Result::ok),
            ..Position::new(account, Item::Position(instrument), amount)
        };
        self.account.found.positions.push(position);
        Ok(())
    }

    fn take_orders(&mut self, category: Category, rows: &[OrderReply]) {
        for row in rows {
            let Some(instrument) = self.instrument(category, &row.symbol) else {
                continue;
            };
            match instruction_of(self.settings.book, &row.order_link_id) {
                Some(instruction) => self.account.found.orders.push(OpenOrder {
                    instruction,
                    venue_order_id: Some(row.order_id.clone().into()),
                    instrument: instrument.sided(row.position_idx),
                    side: row.side,
                    quantity: row.qty,
                    filled: row.cum_exec_qty,
                    state: row.state(),
                }),
                None => self.foreign(row),
            }
        }
    }

    /// Says of an order of somebody else that it is there; it is left alone.
    pub(super) fn foreign(&mut self, row: &OrderReply) {
        self.notice(format!(
            "order {} of {} ({}) is none of this book and is left alone",
            row.order_id, row.symbol, row.order_link_id
        ));
    }
}
