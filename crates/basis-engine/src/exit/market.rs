//! Leaving through an order book: slices of what a bar has room for, one a bar.

use std::collections::VecDeque;

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{Account, InstrumentKey, InstrumentKind, Item, Timestamp};
use basis_core::venue::TakingTerms;
use basis_market::{MarketView, PriceState, SlotId};
use basis_protocols::exchange::impact::{ACTIVITY_BARS, Activity, squared_return};

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
    bars: RecentBars,
    /// What an order cost when the market could last be traded.
    last_cost: Rate,
}

/// The newest completed bars, kept along.
#[derive(Clone, Debug, Default)]
struct RecentBars {
    /// When the newest was known, and whose it is.
    newest: Option<(Timestamp, PriceState)>,
    /// Squared return and volume, from early to late.
    bars: VecDeque<(Fixed18, Quantity)>,
    activity: Activity,
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
        Ok(Some(Self {
            account,
            key,
            slot,
            fee,
            taking,
            bar_hours: hours_of(view.bar_length(slot)),
            holdings: Vec::new(),
            buys: false,
            bars: RecentBars::default(),
            last_cost: taking.half_spread.to_rate(Rounding::Ceil)?,
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
    pub(super) fn remember(&mut self, before: &mut Self) {
        self.last_cost = before.last_cost;
        self.bars = std::mem::take(&mut before.bars);
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
        let tradable = quote.state.is_tradable();
        if tradable {
            self.bars.follow(view, self.slot)?;
        }
        let activity = &self.bars.activity;
        let room = activity.most(self.taking.max_participation)?;
        let slice = room.map_or(held, |room| held.min(room));
        let mut hours = None;
        if tradable
            && slice.is_positive()
            && let Some(cost) = activity.cost(&self.taking, slice)?
        {
            self.last_cost = cost.to_rate(Rounding::Ceil)?;
            hours = Some(self.hours(held, slice)?);
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

impl RecentBars {
    /// Takes in the bars that were completed since; from scratch where more than one was, or where another
    /// series is shown.
    fn follow(&mut self, view: &MarketView, slot: SlotId) -> Result<(), ComponentError> {
        let quote = view.quote(slot);
        let newest = (quote.known_at, quote.state);
        if self.newest == Some(newest) {
            return Ok(());
        }
        let next = self.newest.is_some_and(|(known_at, state)| {
            state == quote.state && known_at.plus(view.bar_length(slot)) == quote.known_at
        });
        self.newest = Some(newest);
        let mut bars = view.completed_bars(slot);
        if next && let Some(bar) = bars.next() {
            let row = (squared_return(bar.open, bar.close)?, bar.volume);
            self.push(row)?;
            return Ok(());
        }
        self.bars.clear();
        self.activity = Activity::default();
        let recent: Vec<_> = view.completed_bars(slot).take(ACTIVITY_BARS).collect();
        for bar in recent.into_iter().rev() {
            self.push((squared_return(bar.open, bar.close)?, bar.volume))?;
        }
        Ok(())
    }

    fn push(&mut self, (squared, volume): (Fixed18, Quantity)) -> Result<(), ComponentError> {
        let sums = &mut self.activity;
        if self.bars.len() >= ACTIVITY_BARS
            && let Some((gone, traded)) = self.bars.pop_front()
        {
            sums.squared_returns = sums.squared_returns.sub(gone)?;
            sums.volume = sums.volume.sub(traded)?;
        }
        sums.squared_returns = sums.squared_returns.add(squared)?;
        sums.volume = sums.volume.add(volume)?;
        sums.last_volume = volume;
        self.bars.push_back((squared, volume));
        Ok(())
    }
}
