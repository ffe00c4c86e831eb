//! Capital between two simulated accounts, and between the simulated world and outside.
//!
//! A simulated venue that sends an asset to another venue leaves it here; the receiving venue
//! collects it when its time has come. Deposits and withdrawals of the run wait here too until the
//! wallet takes them. In live the world itself does this.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::num::Quantity;
use crate::types::{Account, Asset, InstructionId, Span, Timestamp};

/// One amount on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlightTransfer {
    /// The transfer that sent it.
    pub instruction: InstructionId,
    /// Where it left; of what comes back, where it had been sent to.
    pub from: Account,
    /// Where it will arrive.
    pub to: Account,
    /// What.
    pub asset: Asset,
    /// How much arrives, > 0.
    pub amount: Quantity,
    /// When.
    pub arrives_at: Timestamp,
}

/// Capital that comes from outside or goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalFlow {
    /// When it is due.
    pub at: Timestamp,
    /// Distinguishes several at one instant; part of the ledger's cause.
    pub number: u32,
    /// What.
    pub asset: Asset,
    /// Signed units: a deposit is above zero, a withdrawal below. Of a withdrawal paid in parts what is left.
    pub amount: Quantity,
    /// Parts of a withdrawal that have been paid.
    pub parts: u32,
}

/// How a withdrawal is paid that the wallet does not cover whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidInParts {
    /// The smallest part, > 0.
    pub least: Quantity,
    /// What stays in the wallet until the whole is covered: it pays for gas.
    pub kept: Quantity,
    /// How long after its instant the first part is paid at the earliest: by then it has been refused where it
    /// asks for more than there is.
    pub after: Span,
}

impl PaidInParts {
    /// What of a wallet that holds `held` is paid at `now` of the withdrawal `flow` that it does not cover;
    /// `None` where that is too little, or too soon.
    #[must_use]
    pub fn part(&self, now: Timestamp, flow: &ExternalFlow, held: Quantity) -> Option<Quantity> {
        if now.since(flow.at) < self.after {
            return None;
        }
        let free = held.sub(self.kept).ok()?;
        (free.is_positive() && free >= self.least).then_some(free)
    }
}

/// Why an external flow is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalFlowError {
    /// An amount of zero or less.
    #[error("{amount} {asset} is no amount to deposit or withdraw; it must be above zero")]
    NotPositive {
        /// The asset.
        asset: Asset,
        /// The refused amount.
        amount: Quantity,
    },
    /// The instant and number are taken.
    #[error("external flow {number} at {at} is there already; give each its own number")]
    Duplicate {
        /// The instant.
        at: Timestamp,
        /// The number.
        number: u32,
    },
}

/// All amounts on their way in one simulated world.
#[derive(Debug, Default)]
pub struct InFlightTransfers {
    in_flight: Mutex<Vec<InFlightTransfer>>,
    /// How many there are: every venue asks at every step, and mostly nothing is on its way.
    count: AtomicUsize,
    /// Sorted by instant and number.
    external: Mutex<Vec<ExternalFlow>>,
    /// How withdrawals are paid in parts; `None`: only whole.
    in_parts: Mutex<Option<PaidInParts>>,
}

impl InFlightTransfers {
    /// Sends `transfer` off.
    pub fn send(&self, transfer: InFlightTransfer) {
        self.with(|in_flight| in_flight.push(transfer));
    }

    /// Takes what has arrived for the venue of `to` by `now`, in order of arrival.
    #[must_use]
    pub fn collect(&self, venue: crate::types::Venue, now: Timestamp) -> Vec<InFlightTransfer> {
        self.with(|in_flight| {
            if in_flight.is_empty() {
                return Vec::new();
            }
            let arrived = |t: &InFlightTransfer| t.to.venue == venue && t.arrives_at <= now;
            let mut taken: Vec<_> = in_flight.iter().filter(|t| arrived(t)).copied().collect();
            in_flight.retain(|t| !arrived(t));
            taken.sort_by_key(|s| (s.arrives_at, s.instruction));
            taken
        })
    }

    /// When the next amount arrives for `venue`.
    #[must_use]
    pub fn next_arrival(&self, venue: crate::types::Venue) -> Option<Timestamp> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.with(|in_flight| {
            in_flight
                .iter()
                .filter(|s| s.to.venue == venue)
                .map(|s| s.arrives_at)
                .min()
        })
    }

    /// Everything on its way, for reconciliation.
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlightTransfer> {
        self.with(|in_flight| in_flight.clone())
    }

    /// Queues a deposit of `amount` (> 0) that the wallet receives at `at`.
    ///
    /// # Errors
    /// [`ExternalFlowError`] for an amount of zero or less, or a number used before at `at`.
    pub fn deposit(
        &self,
        asset: Asset,
        amount: Quantity,
        at: Timestamp,
        number: u32,
    ) -> Result<(), ExternalFlowError> {
        self.queue(asset, amount, (at, number), amount)
    }

    /// Queues a withdrawal of `amount` (> 0) that the wallet pays at `at`, or later when its free
    /// balance covers it; until then [`InFlightTransfers::external_queued`] shows it.
    ///
    /// # Errors
    /// [`ExternalFlowError`] for an amount of zero or less, or a number used before at `at`.
    pub fn withdraw(
        &self,
        asset: Asset,
        amount: Quantity,
        at: Timestamp,
        number: u32,
    ) -> Result<(), ExternalFlowError> {
        let signed = amount.neg().unwrap_or(Quantity::ZERO);
        self.queue(asset, amount, (at, number), signed)
    }

    fn queue(
        &self,
        asset: Asset,
        amount: Quantity,
        (at, number): (Timestamp, u32),
        signed: Quantity,
    ) -> Result<(), ExternalFlowError> {
        if !amount.is_positive() {
            return Err(ExternalFlowError::NotPositive { asset, amount });
        }
        let mut flows = self.external();
        match flows.binary_search_by_key(&(at, number), |flow| (flow.at, flow.number)) {
            Ok(_) => Err(ExternalFlowError::Duplicate { at, number }),
            Err(place) => {
                let flow = ExternalFlow {
                    at,
                    number,
                    asset,
                    amount: signed,
                    parts: 0,
                };
                flows.insert(place, flow);
                Ok(())
            }
        }
    }

    /// Lets withdrawals be paid in parts from now on.
    pub fn pay_in_parts(&self, rule: PaidInParts) {
        *self.in_parts.lock().unwrap_or_else(PoisonError::into_inner) = Some(rule);
    }

    /// How a withdrawal is paid that is not covered whole; `None` where it waits for all of it.
    #[must_use]
    pub fn paid_in_parts(&self) -> Option<PaidInParts> {
        *self.in_parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers every external flow due by `now` to `accept`, by instant and number, and keeps those
    /// it does not take, as it leaves them.
    pub fn take_external(&self, now: Timestamp, mut accept: impl FnMut(&mut ExternalFlow) -> bool) {
        self.external()
            .retain_mut(|flow| flow.at > now || !accept(flow));
    }

    /// When the next external flow is due; in the past for a withdrawal that is not covered yet.
    #[must_use]
    pub fn next_external(&self) -> Option<Timestamp> {
        self.external().first().map(|flow| flow.at)
    }

    /// Every external flow that has not been taken, by instant and number.
    #[must_use]
    pub fn external_queued(&self) -> Vec<ExternalFlow> {
        self.external().clone()
    }

    fn external(&self) -> MutexGuard<'_, Vec<ExternalFlow>> {
        self.external.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<InFlightTransfer>) -> T) -> T {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let answer = f(&mut in_flight);
        self.count.store(in_flight.len(), Ordering::Release);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_paid_a_step_later_and_leaves_what_is_kept() {
        let transit = InFlightTransfers::default();
        let (usdt, at) = (Asset::literal("USDT"), Timestamp::from_seconds);
        let amount = |text: &str| text.parse::<Quantity>().unwrap();
        transit.withdraw(usdt, amount("50"), at(20), 1).unwrap();
        let rule = PaidInParts {
            least: amount("10"),
            kept: amount("3"),
            after: Span::from_seconds(5),
        };
        assert_eq!(transit.paid_in_parts(), None);
        transit.pay_in_parts(rule);
        assert_eq!(transit.paid_in_parts(), Some(rule));
        let flow = transit.external_queued()[0];
        for (now, held, part) in [(24, "30", None), (25, "30", Some("27")), (25, "12", None)] {
            let part = part.map(amount);
            assert_eq!(
                rule.part(at(now), &flow, amount(held)),
                part,
                "{now} {held}"
            );
        }
        transit.take_external(at(25), |flow| {
            flow.amount = flow.amount.add(amount("27")).unwrap();
            flow.parts += 1;
            false
        });
        let [left] = transit.external_queued()[..] else {
            panic!("it is still owed")
        };
        assert_eq!((left.amount, left.parts), (amount("-23"), 1));
    }

    #[test]
    fn a_withdrawal_nobody_takes_stays_queued_and_due() {
        let transit = InFlightTransfers::default();
        let usdt = Asset::literal("USDT");
        let at = Timestamp::from_seconds;
        let amount = |text: &str| text.parse::<Quantity>().unwrap();
        transit.withdraw(usdt, amount("5"), at(20), 0).unwrap();
        transit.deposit(usdt, amount("3"), at(10), 1).unwrap();
        assert_eq!(transit.next_external(), Some(at(10)));
        let mut seen = Vec::new();
        transit.take_external(at(20), |flow| {
            seen.push(flow.amount);
            flow.amount.is_positive()
        });
        assert_eq!(seen, [amount("3"), amount("-5")]);
        assert_eq!(transit.external_queued().len(), 1);
        assert_eq!(transit.next_external(), Some(at(20)));
    }

    #[test]
    fn flows_without_amount_or_with_a_used_number_are_refused() {
        let transit = InFlightTransfers::default();
        let usdt = Asset::literal("USDT");
        let one: Quantity = "1".parse().unwrap();
        let zero = transit.deposit(usdt, Quantity::ZERO, Timestamp::EPOCH, 0);
        assert!(matches!(zero, Err(ExternalFlowError::NotPositive { .. })));
        transit.deposit(usdt, one, Timestamp::EPOCH, 0).unwrap();
        let again = transit.withdraw(usdt, one, Timestamp::EPOCH, 0);
        assert!(matches!(again, Err(ExternalFlowError::Duplicate { .. })));
    }
}
