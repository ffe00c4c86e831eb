//! What swaps, ours and an outside trader's, do to our positions.

use basis_core::ledger::EntryKind;
use basis_core::num::Quantity;
use basis_core::types::{Account, Item, Timestamp, Venue};
use basis_core::venue_event::{
    Accrual, BalanceChange, Cursor, EventKind, Events, Subject, VenueEvent,
};

use super::requests::unreachable;
use super::{Earned, Model, Pool, SimulatedDex, Stake};
use crate::chain::{Changes, Sync, Transaction, price_of};
use crate::refusal::Refusal;

impl Pool {
    /// What a swap did to a position of ours, `before` and `after` it; `earned` is what the swap's fee
    /// added to the units of one asset, by its place. One asset turned into another is exchange
    /// `number`.
    fn changes(
        &self,
        venue: Venue,
        (before, after): (&Stake, &Stake),
        earned: Option<Earned>,
        number: u32,
    ) -> Result<Vec<BalanceChange>, Refusal> {
        let mut changes = Vec::new();
        let (account, kind) = (self.account(venue), EntryKind::LiquidityFee);
        let items = self.items(after.ticks);
        let mut rest = difference(&after.units, &before.units)?;
        if let Some(Earned { place, units: fee }) = earned.filter(|fee| !fee.units.is_zero())
            && let (Some(rest), Some(item)) = (rest.get_mut(place), items.get(place))
        {
            changes.book(kind, (account, *item), Quantity::ZERO, fee)?;
            *rest = rest.sub(fee)?;
        }
        turn(&mut changes, account, &items, &rest, number)?;
        let fees = difference(&after.owed, &before.owed)?;
        for (asset, fee) in self.assets.iter().zip(fees) {
            if !fee.is_zero() {
                changes.push(BalanceChange::asset(kind, account, *asset, fee));
            }
        }
        Ok(changes)
    }

    /// What a position did by itself until `at`, and notes that it is reported.
    fn accrual(
        &mut self,
        venue: Venue,
        at: Timestamp,
        (before, after): (&Stake, &Stake),
        changes: Vec<BalanceChange>,
    ) -> Result<Accrual, Refusal> {
        let first = self.items(after.ticks).into_iter().next();
        let item = first.ok_or_else(|| unreachable(self.name))?;
        let known = self.reported.get(&after.ticks).copied();
        let accrual = Accrual {
            subject: Subject::Pool {
                account: self.account(venue),
                item,
            },
            before: known.unwrap_or_else(|| before.reading(Timestamp::MIN)),
            after: after.reading(at),
            changes,
        };
        self.note(at, after);
        Ok(accrual)
    }

    /// Notes that a position was reported as `stake` at `at`.
    pub(super) fn note(&mut self, at: Timestamp, stake: &Stake) {
        if stake.is_empty() {
            self.reported.remove(&stake.ticks);
        } else {
            self.reported.insert(stake.ticks, stake.reading(at));
        }
    }
}

impl Stake {
    /// The reading that names its accruals: units of its first item at `at`.
    fn reading(&self, at: Timestamp) -> Cursor {
        let amount = self.units.first().copied().unwrap_or_default();
        Cursor { at, amount }
    }

    fn is_empty(&self) -> bool {
        self.liquidity.is_zero() && self.owed.iter().all(|owed| owed.is_zero())
    }
}

impl SimulatedDex {
    /// Moves every pool that follows a series to its newest value, and reports what that did to our
    /// positions, each for itself.
    pub(super) fn follow(
        &mut self,
        context: &Sync<'_>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let (venue, now) = (self.venue, context.view.now());
        for pool in &mut self.pools {
            if pool.follows().is_none() {
                continue;
            }
            let before = pool.stakes()?;
            let Model::State(contract) = &mut pool.model else {
                continue;
            };
            let Some(followed) = contract.follow(pool.name, &pool.assets, context)? else {
                continue;
            };
            let earned = followed.earned;
            for (before, after) in before.iter().zip(pool.stakes()?) {
                let changes = pool.changes(venue, (before, &after), earned, 0)?;
                if changes.is_empty() {
                    continue;
                }
                for change in &changes {
                    price_of(context.view, change.item)?;
                }
                let accrual = pool.accrual(venue, now, (before, &after), changes)?;
                let kind = EventKind::Accrual(accrual);
                events.push(VenueEvent::new(venue, now, now, kind));
            }
        }
        Ok(())
    }

    /// Whether a pool moves by itself and has to be moved along: where it holds liquidity of ours, and
    /// always where the fees of those moves stay in what it exchanges (Curve).
    pub(super) fn is_moved(&self) -> bool {
        let mut following = self.pools.iter().filter(|pool| pool.follows().is_some());
        following.any(|pool| match &pool.model {
            Model::Bars(_) => false,
            Model::State(pool) => pool.is_moved(),
        })
    }

    /// Adds what a swap did to our positions in the pool at `at`: `earned` is what the swap's fee added
    /// to the units of one asset, by its place.
    pub(super) fn swapped(
        &mut self,
        transaction: &mut Transaction<'_>,
        at: usize,
        before: &[Stake],
        earned: Option<Earned>,
    ) -> Result<(), Refusal> {
        let venue = self.venue;
        let Some(pool) = self.pools.get_mut(at) else {
            return Ok(());
        };
        for (before, after) in before.iter().zip(pool.stakes()?) {
            let number = transaction.next_exchange();
            let changes = pool.changes(venue, (before, &after), earned, number)?;
            if changes.is_empty() {
                continue;
            }
            for change in changes {
                transaction.push(change)?;
            }
            pool.note(transaction.now(), &after);
        }
        Ok(())
    }
}

/// What each amount has gained.
pub(super) fn difference(
    after: &[Quantity],
    before: &[Quantity],
) -> Result<Vec<Quantity>, Refusal> {
    let pairs = after.iter().zip(before);
    Ok(pairs
        .map(|(after, before)| after.sub(*before))
        .collect::<Result<_, _>>()?)
}

/// Adds changes of units that no amount explains: sides of exchange `number` where some came for what
/// left, which all that left prices; of kind `fee` where rounding moved units one way only.
pub(super) fn turn(
    into: &mut dyn Changes,
    account: Account,
    items: &[Item],
    changes: &[Quantity],
    number: u32,
) -> Result<(), Refusal> {
    let came = changes.iter().any(|units| units.is_positive());
    let left = changes.iter().any(|units| units.is_negative());
    let moved = items.iter().zip(changes);
    for (item, units) in moved.filter(|(_, units)| !units.is_zero()) {
        let place = (account, *item);
        if came && left {
            into.trade(place, (Quantity::ZERO, *units), number, units.is_negative())?;
        } else {
            into.book(EntryKind::Fee, place, Quantity::ZERO, *units)?;
        }
    }
    Ok(())
}
