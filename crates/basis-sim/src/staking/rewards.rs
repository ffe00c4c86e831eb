//! Rewards for holding a token: who held how much for how long, and what that was paid.
//!
//! A program pays so many tokens per ETH held over a whole period. What we held is a step function of
//! time, kept as its running integral, so that a part of a period is paid in proportion:
//!
//! reward = per ETH × ∫ value held dt over the period ÷ length of the period, rounded down to the unit.
//!
//! A period that began before us counts from our start on. EtherFi pays in KING, a basket of EIGEN and
//! ETHFI that its holder redeems; the recorded series are the two assets themselves, so the detour
//! through the basket is left out: it would add the basket's own rounding and no amount of ours.

use std::sync::Arc;

use basis_core::num::{MathError, Quantity, U256};
use basis_core::types::{Asset, Label, SeriesId, Span, Timestamp};
use basis_market::Reward;
use basis_protocols::liquid_staking::shares::ONE_TOKEN;

use super::quantity;
use crate::refusal::Refusal;

/// One program.
#[derive(Clone, Copy, Debug)]
pub struct RewardProgram {
    /// Its name, unique within the venue; payments are known by it.
    pub name: Label,
    /// What it pays.
    pub asset: Asset,
    /// The recorded payments.
    pub series: SeriesId,
}

/// Programs, what we have held, and what waits to be claimed.
#[derive(Clone, Debug)]
pub struct Rewards {
    /// What pays.
    pub(super) programs: &'static [RewardProgram],
    history: History,
    /// Wrapped tokens held outside the pool, as last seen.
    pub(super) outside: U256,
    /// Changes of it that the history has not taken in, from early to late.
    pub(super) changes: Vec<(Timestamp, U256)>,
    /// What waits to be claimed, in the order of the programs.
    pub(super) claimable: Vec<Quantity>,
}

impl Rewards {
    /// Programs that have paid nothing yet.
    #[must_use]
    pub fn new(programs: &'static [RewardProgram]) -> Self {
        Self {
            programs,
            history: History::default(),
            outside: U256::ZERO,
            changes: Vec::new(),
            claimable: vec![Quantity::ZERO; programs.len()],
        }
    }

    /// Notes that `units` wrapped tokens are held outside the pool from `at` on.
    pub(super) fn observe(&mut self, at: Timestamp, units: U256) {
        let latest = self.changes.last().map_or(self.outside, |last| last.1);
        if units != latest {
            self.changes.push((at, units));
        }
    }

    /// Whether there is anything to keep an eye on: after the first holding always, for a period is
    /// paid long after its end.
    pub(super) fn is_awake(&self) -> bool {
        !self.changes.is_empty() || !self.history.is_empty()
    }

    /// From `at` on, `wei` of ether are held.
    pub(super) fn hold(&mut self, at: Timestamp, wei: U256) -> Result<(), MathError> {
        self.history.set(at, wei)
    }

    /// Adds a payment of program `index` and returns it.
    pub(super) fn pay(&mut self, index: usize, reward: &Reward) -> Result<Quantity, Refusal> {
        let whole = nanos(reward.period_end.since(reward.period_start));
        let until = self.history.until(reward.period_end)?;
        let held = until.saturating_sub(self.history.until(reward.period_start)?);
        let per_eth = U256::from(reward.per_eth.mantissa().unsigned_abs());
        let divisor = product(whole, ONE_TOKEN)?;
        let paid = basis_core::num::uint256::mul_div_floor(per_eth, held, divisor)?;
        let paid = quantity(paid)?;
        if let Some(claimable) = self.claimable.get_mut(index) {
            *claimable = claimable.add(paid)?;
        }
        Ok(paid)
    }
}

/// Most steps that a copy of the history copies.
const RECENT_MAX: usize = 64;

/// A step function of time and its integral, wei × nanoseconds.
///
/// Every transaction keeps a copy of its protocols aside, so that what is long past is shared.
#[derive(Clone, Debug, Default)]
struct History {
    past: Arc<Vec<Step>>,
    recent: Vec<Step>,
}

/// From `at` on the function is `value`; `integral` is its integral up to there.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: Timestamp,
    integral: U256,
    value: U256,
}

impl Step {
    fn until(&self, at: Timestamp) -> Result<U256, MathError> {
        let since = product(self.value, nanos(at.since(self.at)))?;
        self.integral
            .checked_add(since)
            .ok_or(MathError::Overflow256 { op: "held" })
    }
}

impl History {
    fn set(&mut self, at: Timestamp, value: U256) -> Result<(), MathError> {
        let Some(last) = self.recent.last_mut() else {
            if !value.is_zero() {
                let integral = U256::ZERO;
                self.recent.push(Step {
                    at,
                    integral,
                    value,
                });
            }
            return Ok(());
        };
        if last.value == value {
            return Ok(());
        }
        if last.at == at {
            last.value = value;
            return Ok(());
        }
        let integral = last.until(at)?;
        if self.recent.len() == RECENT_MAX {
            Arc::make_mut(&mut self.past).append(&mut self.recent);
        }
        self.recent.push(Step {
            at,
            integral,
            value,
        });
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    fn until(&self, at: Timestamp) -> Result<U256, MathError> {
        let step = [&self.recent, &*self.past].into_iter().find_map(|steps| {
            let known = steps.partition_point(|step| step.at <= at);
            known.checked_sub(1).and_then(|last| steps.get(last))
        });
        step.map_or(Ok(U256::ZERO), |step| step.until(at))
    }
}

fn nanos(span: Span) -> U256 {
    U256::from(u64::try_from(span.nanos()).unwrap_or_default())
}

fn product(a: U256, b: U256) -> Result<U256, MathError> {
    a.checked_mul(b)
        .ok_or(MathError::Overflow256 { op: "held × time" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use basis_core::num::Fixed18;

    fn at(hours: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hours))
    }

    fn tokens(count: u64) -> U256 {
        ONE_TOKEN * U256::from(count)
    }

    const PROGRAMS: &[RewardProgram] = &[RewardProgram {
        name: Label::literal("eigen"),
        asset: Asset::literal("EIGEN"),
        series: SeriesId::new(
            basis_core::types::SeriesKind::RewardRate,
            basis_core::types::Venue::literal("etherfi"),
            basis_core::types::Symbol::literal("EIGEN"),
        ),
    }];

    fn reward(start: i64, end: i64) -> Reward {
        Reward {
            period_start: at(start),
            period_end: at(end),
            total: Fixed18::ONE,
            per_eth: Fixed18::literal("0.3"),
        }
    }

    #[test]
    fn what_was_held_is_weighted_by_time() {
        let mut rewards = Rewards::new(PROGRAMS);
        let paid = |rewards: &mut Rewards, start, end| {
            let paid = rewards.pay(0, &reward(start, end)).unwrap();
            paid.to_string()
        };
        assert_eq!(paid(&mut rewards, 0, 10), "0");
        rewards.hold(at(10), tokens(2)).unwrap();
        rewards.hold(at(15), tokens(4)).unwrap();
        rewards.hold(at(20), U256::ZERO).unwrap();
        assert_eq!(paid(&mut rewards, 10, 20), "0.9", "3 ETH on average");
        assert_eq!(paid(&mut rewards, 0, 20), "0.45", "from our start on");
        assert_eq!(
            paid(&mut rewards, 12, 17),
            "0.84",
            "2 × 3 h + 4 × 2 h over 5"
        );
        assert_eq!(paid(&mut rewards, 15, 25), "0.6");
        assert_eq!(paid(&mut rewards, 20, 25), "0");
        assert_eq!(rewards.claimable[0].to_string(), "2.79");
    }

    #[test]
    fn a_long_history_is_remembered_whole_and_a_copy_keeps_its_own() {
        let mut rewards = Rewards::new(PROGRAMS);
        let mut early = None;
        // One token in the first hour, two in the second, and so on.
        for (hour, held) in (0..).zip(1..=5 * RECENT_MAX as u64) {
            rewards.hold(at(hour), tokens(held)).unwrap();
            if hour == 100 {
                early = Some(rewards.clone());
            }
        }
        let paid = |rewards: &mut Rewards, start, end| {
            let paid = rewards.pay(0, &reward(start, end)).unwrap();
            paid.to_string()
        };
        assert_eq!(
            paid(&mut rewards, 0, 10),
            "1.65",
            "0.3 of 5.5 ETH on average"
        );
        assert_eq!(paid(&mut rewards, 60, 70), "19.65", "across two parts");
        assert_eq!(paid(&mut rewards, 310, 320), "94.65");
        let mut early = early.unwrap();
        assert_eq!(paid(&mut early, 60, 70), "19.65");
        assert_eq!(paid(&mut early, 100, 110), "30.3", "its last step holds");
    }

    #[test]
    fn the_last_value_of_an_instant_counts() {
        let mut rewards = Rewards::new(PROGRAMS);
        assert!(!rewards.is_awake());
        rewards.hold(at(0), tokens(7)).unwrap();
        rewards.hold(at(0), tokens(1)).unwrap();
        let paid = rewards.pay(0, &reward(0, 1)).unwrap();
        assert_eq!(paid.to_string(), "0.3");
        assert!(rewards.is_awake());
    }
}
