//! Leaving through an order book: slices of what a bar has room for, one a bar.

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{Account, InstrumentKey, InstrumentKind, Item};
use basis_core::venue::TakingTerms;
use basis_market::{MarketView, SlotId};

use super::{ExitCost, first_of, hours_of};
use crate::account::Books;
use crate::strategy::Venues;

/// One market, and the holdings that are traded in it on the way out.
#[derive(Clone, Debug)]
pub(super) struct MarketExit {
    account: Account,
    key: InstrumentKey,
    slot: SlotId,
    fee: Rate,
    taking: TakingTerms,
    bar_hours: Fixed18,
    holdings: Vec<usize>,
    /// Whether dollars are turned into base units: then what is held is their value.
    buys: bool,
    half_spread: Rate,
    /// What an order cost when the market could last be traded.
    last_cost: Rate,
}

impl MarketExit {
    /// The market of `key`; `None` where it has no price series or no order book.
    pub(super) fn of(
        view: &MarketView,
        venues: &dyn Venues,
        rules: &RuleSnapshot,
        key: InstrumentKey,
        account: Account,
    ) -> Result<Option<Self>, ComponentError> {
        let Some(slot) = view.slot(key.series()) else {
            return Ok(None);
        };
        let Some(taking) = venues.terms(key.venue, view)?.taking else {
            return Ok(None);
        };
        let fee = match key.kind.contract() {
            InstrumentKind::Perp => rules.fees.perp.taker,
            _ => rules.fees.spot.taker,
        };
        let half_spread = taking.half_spread.to_rate(Rounding::Ceil)?;
        Ok(Some(Self {
            account,
            key,
            slot,
            fee,
            taking,
            bar_hours: hours_of(view.bar_length(slot)),
            holdings: Vec::new(),
            buys: false,
            half_spread,
            last_cost: half_spread,
        }))
    }

    /// The same with the holding at `at`.
    pub(super) fn with(mut self, at: usize) -> Self {
        self.holdings.push(at);
        self
    }

    /// The same where dollars buy base units.
    pub(super) const fn buys(mut self) -> Self {
        self.buys = true;
        self
    }

    /// The account that its costs are counted to: where the first of what it trades is.
    pub(super) fn account_of(&self, books: &Books) -> Account {
        first_of(books, &self.holdings).unwrap_or(self.account)
    }

    pub(super) fn is_spot(&self) -> bool {
        self.key.kind == InstrumentKind::Spot
    }

    /// Whether `other` is the same market for the same account.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.key, self.account) == (other.key, other.account)
    }

    /// Takes over what `before` has measured.
    pub(super) const fn remember(&mut self, before: &Self) {
        self.last_cost = before.last_cost;
    }

    /// What leaving through it takes now.
    pub(super) fn leave(
        &mut self,
        books: &Books,
        view: &MarketView,
    ) -> Result<ExitCost, ComponentError> {
        let quote = view.quote(self.slot);
        let mut held = Quantity::ZERO;
        let mut value = Value::ZERO;
        for &at in &self.holdings {
            let Some(holding) = books.holding_at(Some(at)) else {
                continue;
            };
            if self.buys {
                value = value.add(holding.value)?;
            } else if matches!(holding.item, Item::Position(_)) {
                held = held.add(holding.quantity)?;
            } else {
                held = held.add(holding.delta)?;
            }
        }
        if self.buys && quote.mark.is_positive() {
            held = value.max(Value::ZERO).per(quote.mark, Rounding::Ceil)?;
        }
        let held = held.abs()?;
        if held.is_zero() {
            return Ok(ExitCost::NONE);
        }
        let mut hours = None;
        if quote.state.is_tradable() {
            let activity = view.activity(self.slot)?;
            let room = activity.most(self.taking.max_participation)?;
            let slice = room.map_or(held, |room| held.min(room));
            if slice.is_positive()
                && let Some(impact) = activity.impact(&self.taking, slice)?
            {
                self.last_cost = self.half_spread.add(impact)?;
                hours = Some(self.hours(held, slice)?);
            }
        }
        let notional = held.notional(quote.mark, Rounding::Ceil)?;
        let rate = self.fee.add(self.last_cost)?;
        Ok(ExitCost {
            cost: notional.at_rate(rate, Rounding::Ceil)?,
            hours,
        })
    }

    /// Hours until the last of the slices, the first of which goes now.
    fn hours(&self, held: Quantity, slice: Quantity) -> Result<Fixed18, ComponentError> {
        if slice >= held {
            return Ok(Fixed18::ZERO);
        }
        let slices = held.ratio(slice, Rounding::Ceil)?.get();
        let slices = slices.round_to_decimals(0, Rounding::Ceil)?;
        Ok(slices
            .sub(Fixed18::ONE)?
            .mul(self.bar_hours, Rounding::Ceil)?)
    }
}
