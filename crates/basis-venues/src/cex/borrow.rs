//! Spot margin: balances below zero, what limits them, and what they cost.
//!
//! A deliberately small model (assumed; the venues' own differ by asset and tier): with
//! `spot_margin` a spot trade may take the asset it pays with below zero when `borrow` lists it,
//! while the worth of all debts of the account stays within (leverage − 1) × its own worth. Simple
//! interest at the listed rate is charged for every full hour of the clock on what is owed then,
//! rounded up; buying back, or depositing, repays. Resting orders borrow nothing, nothing leaves an
//! account that owes, and a debt is not called.

use basis_core::execution::{VenueEvent, VenueEventKind};
use basis_core::ledger::{EntryKind, Occurrence};
use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, Label, Span, Timestamp};

use super::books::{Lines, dollar_price};
use super::filters::Order;
use super::refusal::Refusal;
use super::{Context, SETTLEMENT, SimulatedCex};

impl SimulatedCex {
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
            let worth = quantity.notional(price, Rounding::Floor)?;
            own = own.add(worth)?;
            if quantity.is_negative() {
                owed = owed.sub(worth)?;
            }
            Ok(())
        };
        let holds = |wanted: Asset| self.books.cash.get(account, wanted);
        for (held, quantity) in self.books.cash.of(account) {
            if held != asset && held != gained {
                add(
                    held,
                    quantity,
                    dollar_price(cx.view, held, self.profile.venue),
                )?;
            }
        }
        let at = |asset| dollar_price(cx.view, asset, self.profile.venue);
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

    /// Interest of every full hour in (since, now].
    pub(super) fn charge_interest(
        &mut self,
        cx: &Context<'_>,
        since: Timestamp,
        events: &mut Vec<VenueEvent>,
    ) -> Result<(), Refusal> {
        let hour = Span::from_hours(1);
        let account = cx.snapshot.accounts.spot;
        let mut at = since.floor_to(hour).plus(hour);
        while at <= cx.view.now() && self.has_debts(cx) {
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
                let venue = self.profile.venue;
                let name = format!("borrow:{asset}:{at}").into_boxed_str();
                let mut lines = Lines::new(at, Occurrence::Other { venue, name }, None);
                let price = dollar_price(cx.view, asset, venue);
                let cost = Quantity::new(owed).neg()?;
                lines.booked(EntryKind::BorrowCost, (account, asset), cost, price)?;
                self.commit(&lines.entries)?;
                events.push(VenueEvent {
                    venue,
                    at,
                    kind: VenueEventKind::Other {
                        name: Label::literal("borrow_interest"),
                        instruction: None,
                    },
                    entries: lines.entries,
                });
            }
            at = at.plus(hour);
        }
        Ok(())
    }
}
