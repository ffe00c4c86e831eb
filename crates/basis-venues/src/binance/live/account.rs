//! What the venue says we hold, as a window: it was true at some instant between the first request and the
//! last answer.

use std::collections::VecDeque;

use basis_core::num::Rounding;
use basis_core::types::{Account, Asset, InstrumentKey, Item};
use basis_core::venue_event::{AccountSnapshot, EventKind, IsolatedMargin, OpenOrder, Position};
use basis_live::actor::Output;

use super::purpose::{Answered, Purpose};
use super::{BinanceMachine, Product};
use crate::binance::codec::replies::{self, Balance, OrderReply, PerpPosition};
use crate::binance::codec::{Draft, instruction_of, open_orders, reads};

/// A reading of the account under way.
#[derive(Debug, Default)]
pub(super) struct AccountRead {
    /// What is still to be asked; the first is under way.
    parts: VecDeque<Part>,
    found: AccountSnapshot,
    /// Whether another one was asked for meanwhile.
    wanted: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Balances(Product),
    Positions,
    Orders(Product),
}

impl Part {
    fn draft(self) -> Draft {
        match self {
            Self::Balances(product) => reads::balances(product),
            Self::Positions => reads::positions(None),
            Self::Orders(product) => open_orders(product),
        }
    }
}

impl BinanceMachine {
    /// Reads the account anew, or once more after the reading under way.
    pub(super) fn request_account(&mut self) {
        if !self.account.parts.is_empty() {
            self.account.wanted = true;
            return;
        }
        for product in self.settings.products() {
            self.account.parts.push_back(Part::Balances(product));
            self.account.parts.push_back(Part::Orders(product));
            if product == Product::UsdM {
                self.account.parts.push_back(Part::Positions);
            }
        }
        self.account.found = AccountSnapshot::at(self.now);
        self.ask_account();
    }

    fn ask_account(&mut self) {
        if let Some(part) = self.account.parts.front() {
            let draft = part.draft();
            self.wire.read(self.now, draft, Purpose::Account);
        }
    }

    /// Gives a reading up; the engine is told and asks again.
    pub(super) fn account_failed(&mut self) {
        self.account.parts.clear();
        let kind = basis_core::error::VenueErrorKind::Unavailable(
            "the account could not be read".to_owned(),
        );
        let error = basis_core::error::VenueError::new(Self::VENUE, "account", kind);
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
        let taken = match part {
            Part::Balances(Product::UsdM) => {
                let account = self.rules.accounts.perp;
                replies::perp_balances(&body).map(|rows| self.take_balances(account, &rows))
            }
            Part::Balances(_) => {
                let account = self.rules.accounts.spot;
                replies::spot_balances(&body).map(|rows| self.take_balances(account, &rows))
            }
            Part::Positions => replies::positions(&body).map(|rows| self.take_positions(&rows)),
            Part::Orders(product) => {
                replies::orders(&body).map(|rows| self.take_orders(product, &rows))
            }
        };
        if let Err(e) = taken {
            self.unreadable("the account", &e);
            return self.account_failed();
        }
        self.account.parts.pop_front();
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

    /// The assets of the managed instruments, and what fees may be taken in.
    fn is_managed(&self, name: &str) -> Option<Asset> {
        let asset = Asset::new(name).ok()?;
        let symbols = &self.settings.symbols;
        let mut own = self.rules.instruments.iter();
        let is_leg = own.any(|rules| {
            symbols.contains(&rules.key.symbol) && (rules.base == asset || rules.quote == asset)
        });
        (is_leg || name == "BNB").then_some(asset)
    }

    fn take_balances(&mut self, account: Account, rows: &[Balance]) {
        for row in rows.iter().filter(|row| !row.total.is_zero()) {
            if let Some(asset) = self.is_managed(&row.asset) {
                let position = Position::new(account, Item::Asset(asset), row.total);
                self.account.found.positions.push(position);
            }
        }
    }

    pub(super) fn instrument(&self, product: Product, symbol: &str) -> Option<InstrumentKey> {
        let mut own = self.rules.instruments.iter();
        let own = own.find(|rules| {
            let of = super::admit::product_of(rules.key.kind);
            of == product && rules.venue_symbol.as_str() == symbol
        })?;
        let is_managed = self.settings.symbols.contains(&own.key.symbol);
        is_managed.then_some(own.key)
    }

    fn take_positions(&mut self, rows: &[PerpPosition]) {
        let account = self.rules.accounts.perp;
        for row in rows.iter().filter(|row| !row.position_amt.is_zero()) {
            let Some(instrument) = self.instrument(Product::UsdM, &row.symbol) else {
                continue;
            };
            let instrument = instrument.sided(row.position_side);
            let cost = row
                .position_amt
                .notional(row.entry_price, Rounding::HalfEven);
            let position = Position {
                open_cost: cost.ok(),
                ..Position::new(account, Item::Position(instrument), row.position_amt)
            };
            self.account.found.positions.push(position);
            if row.isolated_wallet.is_positive() {
                self.account.found.isolated.push(IsolatedMargin {
                    account,
                    instrument,
                    margin: row.isolated_wallet,
                });
            }
        }
    }

    fn take_orders(&mut self, product: Product, rows: &[OrderReply]) {
        for row in rows {
            let Some(instrument) = self.instrument(product, &row.symbol) else {
                continue;
            };
            let instruction = instruction_of(self.settings.book, &row.client_order_id);
            match (instruction, row.side, row.quantity) {
                (Some(instruction), Some(side), Some(quantity)) => {
                    self.account.found.orders.push(OpenOrder {
                        instruction,
                        venue_order_id: Some(row.order_id.to_string().into()),
                        instrument,
                        side,
                        quantity,
                        filled: row.filled,
                        state: row.state,
                    });
                }
                _ => self.foreign(row),
            }
        }
    }

    /// Says of an order of somebody else that it is there; it is left alone.
    pub(super) fn foreign(&mut self, row: &OrderReply) {
        self.notice(format!(
            "order {} of {} ({}) is none of this book and is left alone",
            row.order_id, row.symbol, row.client_order_id
        ));
    }
}
