//! Spot margin: balances below zero, what limits them, and what they cost.
//!
//! A deliberately small model (assumed; the venues' own differ by asset and tier): with
//! `spot_margin` a spot trade may take the asset it pays with below zero when `borrow` lists it,
//! while the worth of all debts of the account stays within (leverage − 1) × its own worth. Simple
//! interest at the listed rate is charged for every full hour of the clock on what is owed then,
//! rounded up; buying back, or depositing, repays. Resting orders borrow nothing, nothing leaves an
//! account that owes, and a debt is not called.

use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, InstrumentKind, Item, Span, Timestamp};
use basis_core::venue_event::{
    Accrual, BalanceChange, Cursor, EventKind, Events, Subject, VenueEvent,
};
use basis_market::is_dollar;

use super::order::Order;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

/// The dollar tokens in whose spot markets a debt is measured, in this order.
const QUOTES: [Asset; 2] = [SETTLEMENT, Asset::literal("USDC")];

/// The dollar price at which the venue measures a debt against what the account owns: its own spot
/// market first, else what the view values the asset at; zero when nobody shows one.
fn dollar_price(cx: &Context<'_>, asset: Asset) -> Price {
    if is_dollar(asset) {
        return Price::literal("1");
    }
    let own = QUOTES.iter().find_map(|quote| {
        let mut listed = cx.snapshot.instruments.iter();
        let market = listed.find(|rules| {
            let pair = (rules.key.kind, rules.base, rules.quote);
            pair == (InstrumentKind::Spot, asset, *quote)
        })?;
        cx.view.quote_of(market.key.series())
    });
    if let Some(quote) = own {
        return quote.mark;
    }
    let mark = cx.view.mark_of(asset);
    let price = mark.and_then(|mark| cx.view.price_usd(mark).ok().flatten());
    price.unwrap_or(Price::ZERO)
}

impl SimulatedExchange {
    /// Whether there may be debts at all.
    pub(super) fn may_owe(&self) -> bool {
        self.settings.spot_margin
    }

    /// Whether the spot account owes anything now.
    pub(super) fn has_debts(&self, cx: &Context<'_>) -> bool {
        self.may_owe() && self.debts(cx.snapshot.accounts.spot).next().is_some()
    }

    fn debts(&self, account: Account) -> impl Iterator<Item = (Asset, Quantity)> {
        let owed = self.books.cash.of(account);
        owed.filter(|(_, quantity)| quantity.is_negative())
    }

    /// Refuses a spot fill whose payment is neither free nor to be borrowed. `received` is net of
    /// the fee.
    pub(super) fn require_spot(
        &self,
        cx: &Context<'_>,
        (asset, needed): (Asset, Quantity),
        (gained, received): (Asset, Quantity),
        order: &Order<'_>,
        mark: Price,
    ) -> Result<(), Refusal> {
        let account = cx.snapshot.accounts.spot;
        let code = order.codes.funds;
        let plain = self.require_free(cx, account, asset, needed, code);
        let listed = self.settings.borrow.iter().any(|(a, _)| *a == asset);
        // Perps of a unified account stand on the settlement asset: it is not lent out under them.
        let bound = asset == SETTLEMENT
            && account == cx.snapshot.accounts.perp
            && !self.books.positions.is_empty();
        if plain.is_ok() || !self.may_owe() || !listed || bound {
            return plain;
        }
        let base = order.rules.base;
        let (mut own, mut owed) = (Value::ZERO, Value::ZERO);
        let mut add = |asset, quantity: Quantity, price: Price| -> Result<(), Refusal> {
            let price = if asset == base { mark } else { price };
            let value = quantity.notional(price, Rounding::Floor)?;
            own = own.add(value)?;
            if quantity.is_negative() {
                owed = owed.sub(value)?;
            }
            Ok(())
        };
        let holds = |wanted: Asset| self.books.cash.get(account, wanted);
        for (held, quantity) in self.books.cash.of(account) {
            if held != asset && held != gained {
                add(held, quantity, dollar_price(cx, held))?;
            }
        }
        let at = |asset| dollar_price(cx, asset);
        add(asset, holds(asset).sub(needed)?, at(asset))?;
        add(gained, holds(gained).add(received)?, at(gained))?;
        let times = self.settings.spot_margin_leverage.sub(Fixed18::ONE)?;
        let limit = own.get().mul(times, Rounding::Floor)?;
        if owed.get() <= limit {
            Ok(())
        } else {
            let limit = limit.max(Fixed18::ZERO);
            let text = format!(
                "a debt worth {owed} USD would be above {limit}, {times} times the account's own \
                 worth; trade less or deposit first"
            );
            Err(Refusal::other(text, code))
        }
    }

    /// The full hours in (since, now] at which a debt of now costs interest.
    pub(super) fn interest_due(
        &self,
        cx: &Context<'_>,
        since: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + use<> {
        let (hour, now) = (Span::from_hours(1), cx.view.now());
        let first = since.floor_to(hour).plus(hour);
        let first = self.has_debts(cx).then_some(first);
        std::iter::successors(first, move |at| Some(at.plus(hour))).take_while(move |at| *at <= now)
    }

    /// Interest of the full hour at `at` on what is owed then.
    pub(super) fn charge_interest(
        &mut self,
        cx: &Context<'_>,
        at: Timestamp,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let account = cx.snapshot.accounts.spot;
        let debts: Vec<_> = self.debts(account).collect();
        for (asset, quantity) in debts {
            let rates = &self.settings.borrow;
            let Some((_, rate)) = rates.iter().find(|(a, _)| *a == asset) else {
                continue;
            };
            let owed = quantity.abs()?.at_rate(*rate, Rounding::Ceil)?.get();
            let owed = owed.round_to_decimals(cx.decimals(asset)?, Rounding::Ceil)?;
            if owed.is_zero() {
                continue;
            }
            let cost = Quantity::new(owed).neg()?;
            let cursor = |amount| Cursor { at, amount };
            let (before, after) = (cursor(quantity), cursor(quantity.add(cost)?));
            self.move_cash(&[(account, asset, cost)])?;
            let accrual = Accrual {
                subject: Subject::Holding {
                    account,
                    item: Item::Asset(asset),
                },
                before,
                after,
                changes: vec![BalanceChange::asset(
                    EntryKind::BorrowCost,
                    account,
                    asset,
                    cost,
                )],
            };
            let kind = EventKind::Accrual(accrual);
            let (venue, now) = (self.profile.venue, cx.view.now());
            events.push(VenueEvent::new(venue, at, now, kind));
        }
        Ok(())
    }
}
