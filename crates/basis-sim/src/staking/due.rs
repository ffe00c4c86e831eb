//! What a staking venue does by itself: rates, rewards, withdrawal requests that leave the queue.

use basis_core::num::{Fixed18, MathError, U256};
use basis_core::types::{Item, Timestamp};
use basis_core::venue_event::{EventKind, Events, Reward as Payment, VenueEvent};
use basis_market::{MarketView, PriceState, Reward};

use super::{Staking, StakingPool};
use crate::chain::price_of;
use crate::refusal::Refusal;

/// What is due by itself, in the order of one instant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Rate(Fixed18),
    Held(U256),
    WithdrawalRequests,
    Reward(usize, Reward),
}

impl Due {
    const fn rank(&self) -> u8 {
        match self {
            Self::Rate(_) => 0,
            Self::Held(_) => 1,
            Self::WithdrawalRequests => 2,
            Self::Reward(..) => 3,
        }
    }
}

impl<P: StakingPool> Staking<P> {
    /// An event of the venue at `at`.
    pub(super) const fn event(at: Timestamp, view: &MarketView, kind: EventKind) -> VenueEvent {
        VenueEvent::new(P::NAMES.venue, at, view.now(), kind)
    }

    /// Reports what each holding has gained or lost by `at`.
    pub(super) fn accrue(
        &mut self,
        at: Timestamp,
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        for accrual in self.settle(at)? {
            for change in &accrual.changes {
                price_of(view, change.item)?;
            }
            events.push(Self::event(at, view, EventKind::Accrual(accrual)));
        }
        Ok(())
    }

    /// What is due in `(synced_to, now]`, in order.
    pub(super) fn due(&self, view: &MarketView) -> Vec<(Timestamp, Due)> {
        let (after, now) = (self.synced_to, view.now());
        let mut due = Vec::new();
        if let Some(slot) = view.row_slot::<Fixed18>(P::NAMES.rate) {
            let rows = view.between(slot, after, now);
            due.extend(rows.map(|(at, rate)| (at, Due::Rate(*rate))));
            let own = due.last().map_or(self.rate, |last| match last.1 {
                Due::Rate(rate) => rate,
                _ => self.rate,
            });
            // A proxy has no rows of the series' own; the rate goes where the marks go.
            if let Some(newest) = view.newest(slot)
                && newest.state == PriceState::Proxied
                && *newest.row != own
            {
                due.push((newest.known_at.max(after), Due::Rate(*newest.row)));
            }
        }
        // A protocol that is out finalizes nothing; what was due meanwhile leaves when it is back.
        if !view.is_out(P::NAMES.venue) {
            let waiting = self
                .withdrawal_requests
                .iter()
                .filter(|withdrawal| !withdrawal.is_ready);
            let waiting = waiting.filter(|withdrawal| withdrawal.due <= now);
            let at = |due: Timestamp| if due <= after { now } else { due };
            due.extend(waiting.map(|withdrawal| (at(withdrawal.due), Due::WithdrawalRequests)));
        }
        if let Some(rewards) = &self.rewards {
            let changes = rewards.changes.iter();
            due.extend(changes.map(|(at, units)| ((*at).max(after), Due::Held(*units))));
            for (index, program) in rewards.programs.iter().enumerate() {
                let Some(slot) = view.row_slot::<Reward>(program.series) else {
                    continue;
                };
                let rows = view.between(slot, after, now);
                due.extend(rows.map(|(at, row)| (at, Due::Reward(index, *row))));
            }
        }
        due.sort_by_key(|(at, due)| (*at, due.rank()));
        due
    }

    pub(super) fn pass(
        &mut self,
        (at, due): (Timestamp, Due),
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match due {
            Due::Rate(rate) => {
                if let Some(pool) = &mut self.pool {
                    pool.set_rate(rate)?;
                }
                self.rate = rate;
                self.accrue(at, view, events)?;
                self.hold(at)
            }
            Due::Held(units) => {
                if let Some(rewards) = &mut self.rewards {
                    rewards.outside = units;
                }
                self.hold(at)
            }
            Due::WithdrawalRequests => self.finalize(at, view, events),
            Due::Reward(index, reward) => self.pay_reward(at, index, &reward, view, events),
        }
    }

    /// Notes what is held from `at` on, in ether, for the rewards.
    pub(super) fn hold(&mut self, at: Timestamp) -> Result<(), Refusal> {
        let (Some(pool), Some(rewards)) = (&self.pool, &mut self.rewards) else {
            return Ok(());
        };
        let shares = rewards
            .outside
            .checked_add(pool.shares())
            .ok_or(MathError::Overflow256 { op: "held" })?;
        Ok(rewards.hold(at, pool.value_of(shares)?)?)
    }

    fn pay_reward(
        &mut self,
        at: Timestamp,
        index: usize,
        reward: &Reward,
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let Some(rewards) = &mut self.rewards else {
            return Ok(());
        };
        let amount = rewards.pay(index, reward)?;
        let program = rewards.programs.get(index).copied();
        let Some(program) = program.filter(|_| amount.is_positive()) else {
            return Ok(());
        };
        price_of(view, Item::Asset(program.asset))?;
        let payment = Payment {
            account: P::NAMES.rewards,
            asset: program.asset,
            amount,
            program: program.name,
            payment: at,
        };
        events.push(Self::event(at, view, EventKind::Reward(payment)));
        Ok(())
    }
}
