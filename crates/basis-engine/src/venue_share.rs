//! What one exchange may hold of the equity: spot, margin, and what is on its way there.
//!
//! A target is checked at the start ([`size`](crate::size)); here it is what is sent to an exchange from elsewhere.
//! A move of the price alone forces nothing, and what leaves or is traded at an exchange changes nothing. Capital in
//! kind goes to the exchange that sells a part of it, whole, before its margins can be raised: of such a run only
//! the target is checked.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::Operation;
use basis_core::num::{Quantity, Rounding, Value};
use basis_core::plan::Block;
use basis_core::rules::RuleBook;
use basis_core::types::{Account, Asset, InstructionId, Item, Timestamp, Venue};
use basis_market::{Mark, MarketView};
use serde::{Deserialize, Serialize};

use crate::account::Books;
use crate::config::RunConfig;

/// A transfer that has left its account and has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransfer {
    /// The instruction that sent it.
    pub instruction: InstructionId,
    /// What.
    pub asset: Asset,
    /// Units that arrive, > 0.
    pub amount: Quantity,
    /// Where it left.
    pub from: Account,
    /// Where it will arrive.
    pub to: Account,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// What is held and on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread<'a> {
    pub(crate) books: &'a Books,
    pub(crate) in_flight: &'a [OpenTransfer],
    pub(crate) view: &'a MarketView,
    pub(crate) rules: &'a RuleBook,
    pub(crate) config: &'a RunConfig,
}

impl Spread<'_> {
    /// USD that may still be sent to `venue`, below zero where it holds more than it may; `None` where nothing
    /// bounds it: no exchange, no bound, capital in kind.
    pub(crate) fn room_at(&self, venue: Venue) -> Result<Option<Value>, ComponentError> {
        let Some(bound) = self.config.risk.venue_share else {
            return Ok(None);
        };
        if self.config.is_in_kind() || !self.is_exchange(venue) {
            return Ok(None);
        }
        let equity = self.books.equity().max(Value::ZERO);
        let most = equity.at_rate(bound.of(venue), Rounding::Floor)?;
        Ok(Some(most.sub(self.held_at(venue)?)?))
    }

    /// Refuses a block that sends more to an exchange than it may hold.
    ///
    /// # Errors
    /// RISK-002 with what the exchange holds, what would come, and the bound; POS-002 out of range.
    pub(crate) fn approve(&self, block: &Block) -> Result<(), ComponentError> {
        if self.config.risk.venue_share.is_none() {
            return Ok(());
        }
        let mut coming: Vec<(Venue, Value)> = Vec::new();
        for leg in &block.legs {
            let Operation::Transfer(transfer) = &leg.instruction.operation else {
                continue;
            };
            let venue = transfer.to.venue;
            if venue == transfer.from.venue {
                continue;
            }
            let value = self.value_of(transfer.asset, transfer.amount)?;
            match coming.iter_mut().find(|(of, _)| *of == venue) {
                Some((_, sum)) => *sum = sum.add(value)?,
                None => coming.push((venue, value)),
            }
        }
        for (venue, value) in coming {
            let Some(room) = self.room_at(venue)? else {
                continue;
            };
            if value > room {
                let held = self.held_at(venue)?;
                let bound = self.config.risk.venue_share.map(|bound| bound.of(venue));
                let message = format!(
                    "a transfer of {value} USD to {venue}, which holds {held} USD with what is on its way, would bring \
                     it above {} of the equity {} (risk.venue_share_max); send at most {} USD",
                    bound.unwrap_or_default(),
                    self.books.equity(),
                    room.max(Value::ZERO),
                );
                return Err(ComponentError::new(Code::RiskRefused, message));
            }
        }
        Ok(())
    }

    /// What `venue` holds of the book, unrealized results included, and what is on its way there.
    fn held_at(&self, venue: Venue) -> Result<Value, ComponentError> {
        let mut sum = Value::ZERO;
        for holding in self.books.holdings() {
            if holding.account.venue != venue {
                continue;
            }
            let value = match holding.item {
                Item::Position(_) => holding.value.sub(holding.cost)?,
                _ => holding.value,
            };
            sum = sum.add(value)?;
        }
        for transfer in self.in_flight.iter().filter(|it| it.to.venue == venue) {
            sum = sum.add(self.value_of(transfer.asset, transfer.amount)?)?;
        }
        Ok(sum)
    }

    fn value_of(&self, asset: Asset, amount: Quantity) -> Result<Value, ComponentError> {
        match self.view.mark_of(asset) {
            Some(Mark::Par) => Ok(Value::new(amount.get())),
            Some(mark) => {
                let price = self.view.price_usd(mark)?.unwrap_or_default();
                Ok(amount.notional(price, Rounding::Ceil)?)
            }
            None => Ok(Value::ZERO),
        }
    }

    /// Whether `venue` lists something to trade: only there is a counterparty with our money.
    fn is_exchange(&self, venue: Venue) -> bool {
        let rules = self.rules.venue(venue);
        let rules = rules.map(|rules| rules.at(self.view.now()));
        rules.is_some_and(|rules| !rules.instruments.is_empty())
    }
}
