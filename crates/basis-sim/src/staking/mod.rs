//! What the simulated liquid-staking venues have in common: the protocol's pool at the recorded rate,
//! our tokens and withdrawal requests in it, and the events that report them.
//!
//! The rebasing token is kept in the wallet as `shares:<token>`: its quantity is the pool's shares, its
//! units what they stand for. The pool reports it and the chain shows it among the wallet's holdings;
//! the wallet itself counts plain assets only. A withdrawal request is a claim on ether, held as ETH in
//! the venue's `queue` account; a loss of the pool while it waits is a `rebase` there.
//!
//! It is not the protocol's oracle: the rate follows the recorded series from row to row and holds in
//! between. Staking limits, pausing other than by an outage, and the liquidity of the queue are not
//! modeled; a withdrawal request is final when the configured delay has passed, but not during an outage.
//!
//! **Invariants.** What [`Protocol::positions`] reports is the sum of the reported changes, to the unit.
//! What the contract rounds is part of the change of the operation that caused it; a unit that another
//! holding gains or loses by it is a `rebase` of its own. An accrual is of one subject, the rebasing
//! token or one withdrawal request, and begins with the reading that the subject's last change ended with.

mod due;
mod operations;
mod pool;
mod rewards;
mod settings;
mod withdrawal_request;

use basis_core::instruction::{ClaimRewards, ClaimUnstake, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, MathError, Quantity, Rounding, U256};
use basis_core::types::{Account, Asset, Item, Label, Span, Timestamp, Venue};
use basis_core::venue::Terms;
use basis_core::venue_event::{Accrual, BalanceChange, Cursor, Events, Position, Subject};
use basis_market::MarketView;

use self::withdrawal_request::WithdrawalRequest;
use crate::chain::{Changes, ETH, Protocol, Sync, Transaction};
use crate::refusal::Refusal;

pub use self::pool::{StakingGas, StakingNames, StakingPool};
pub use self::rewards::{RewardProgram, Rewards};
pub use self::settings::StakingSettings;

/// Decimals of every token of a staking protocol.
const DECIMALS: u32 = 18;

/// One liquid-staking venue.
#[derive(Clone, Debug)]
pub struct Staking<P> {
    queue_delay: Span,
    /// None until the series has shown a rate.
    pool: Option<P>,
    rate: Fixed18,
    synced_to: Timestamp,
    /// Shares and units of the rebasing token as reported so far.
    booked: (U256, U256),
    /// When the newest change of them was reported.
    booked_at: Timestamp,
    withdrawal_requests: Vec<WithdrawalRequest>,
    rewards: Option<Rewards>,
}

/// Wei of an 18-decimal token as a quantity.
///
/// # Errors
/// A refusal when an amount leaves the range.
pub fn quantity(wei: U256) -> Result<Quantity, MathError> {
    let mantissa = i128::try_from(wei).ok();
    let mantissa = mantissa.ok_or(MathError::Overflow { op: "wei" })?;
    Ok(Quantity::new(Fixed18::from_mantissa(mantissa)))
}

/// `after − before` with its sign.
fn change(before: U256, after: U256) -> Result<Quantity, MathError> {
    quantity(after)?.sub(quantity(before)?)
}

/// The accrual of one subject from `before` to `after`, each an instant and wei, as the change of what
/// is at a place.
fn accrual(
    subject: Subject,
    before: (Timestamp, U256),
    after: (Timestamp, U256),
    change: BalanceChange,
) -> Result<Accrual, MathError> {
    let cursor = |(at, wei): (Timestamp, U256)| {
        let amount = quantity(wei)?;
        Ok::<_, MathError>(Cursor { at, amount })
    };
    Ok(Accrual {
        subject,
        before: cursor(before)?,
        after: cursor(after)?,
        changes: vec![change],
    })
}

impl<P: StakingPool> Staking<P> {
    /// A venue whose queue takes `queue_delay`, before the run has shown a rate.
    #[must_use]
    pub fn new(queue_delay: Span, rewards: Option<Rewards>) -> Self {
        Self {
            queue_delay,
            pool: None,
            rate: Fixed18::ZERO,
            synced_to: Timestamp::MIN,
            booked: (U256::ZERO, U256::ZERO),
            booked_at: Timestamp::MIN,
            withdrawal_requests: Vec::new(),
            rewards,
        }
    }

    const SHARES: (Account, Item) = (Account::WALLET, Item::Shares(P::NAMES.rebasing));
    const QUEUE: (Account, Item) = (P::NAMES.queue, Item::Asset(ETH));
    /// Withdrawal requests that have left the queue and wait to be claimed.
    const CLAIMABLE: (Account, Item) = (
        Account::new(P::NAMES.venue, Label::literal("claimable")),
        Item::Asset(ETH),
    );

    /// The pool at a rate that is fresh enough to deal at.
    fn pool(&mut self, view: &MarketView) -> Result<&mut P, Refusal> {
        let series = P::NAMES.rate;
        let Some(slot) = view.row_slot::<Fixed18>(series) else {
            return Err(Refusal::invalid(format!(
                "the run reads no {series}, so {} has no rate; add it to the run's data",
                P::NAMES.venue
            )));
        };
        let newest = view.newest(slot);
        if newest.is_some_and(|newest| newest.state.is_tradable())
            && let Some(pool) = &mut self.pool
        {
            return Ok(pool);
        }
        let age = newest.map_or(Span::ZERO, |newest| newest.age);
        Err(Refusal::stale(series, view.now(), age))
    }

    fn balance(&self) -> Result<(U256, U256), Refusal> {
        match &self.pool {
            Some(pool) => Ok((pool.shares(), pool.balance()?)),
            None => Ok((U256::ZERO, U256::ZERO)),
        }
    }

    /// Makes the pool at the first rate that matters; `false` while the series has shown none.
    fn begin(&mut self, context: &Sync<'_>) -> Result<bool, Refusal> {
        let view = context.view;
        let Some(slot) = view.row_slot::<Fixed18>(P::NAMES.rate) else {
            return Ok(false);
        };
        let Some(newest) = view.newest(slot) else {
            return Ok(false);
        };
        for asset in [ETH, P::NAMES.rebasing, P::NAMES.wrapped] {
            if context.data.decimals(P::NAMES.venue, asset) != Some(DECIMALS) {
                return Err(Refusal::invalid(format!(
                    "{} counts {asset} with {DECIMALS} decimals; the rules say otherwise or nothing \
                     under `assets`",
                    P::NAMES.venue
                )));
            }
        }
        // What was held before the first look at it has its time, too.
        let changes = self
            .rewards
            .as_ref()
            .and_then(|rewards| rewards.changes.first());
        let start = changes.map_or(view.now(), |first| first.0);
        let then = view.between(slot, Timestamp::MIN, start).next_back();
        self.rate = then.map_or(*newest.row, |(_, rate)| *rate);
        self.pool = Some(P::at_rate(self.rate)?);
        self.synced_to = start;
        Ok(true)
    }

    /// Adds what an operation's rounding did to other holdings of ours.
    fn settle_in(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Refusal> {
        for accrual in self.settle(transaction.now())? {
            for change in accrual.changes {
                transaction.push(change)?;
            }
        }
        Ok(())
    }

    /// What each holding has gained or lost by `at` since it was reported.
    fn settle(&mut self, at: Timestamp) -> Result<Vec<Accrual>, Refusal> {
        let mut accruals = Vec::new();
        let Some(pool) = &self.pool else {
            return Ok(accruals);
        };
        let kind = EntryKind::Rebase;
        let balance = pool.balance()?;
        if balance != self.booked.1 {
            let units = change(self.booked.1, balance)?;
            let (account, item) = Self::SHARES;
            let before = (self.booked_at, self.booked.1);
            accruals.push(accrual(
                Subject::Holding { account, item },
                before,
                (at, balance),
                BalanceChange::scaled(kind, Self::SHARES, Quantity::ZERO, units),
            )?);
            (self.booked.1, self.booked_at) = (balance, at);
        }
        for withdrawal in &mut self.withdrawal_requests {
            let value = withdrawal.value(pool)?;
            if value == withdrawal.booked {
                continue;
            }
            let units = change(withdrawal.booked, value)?;
            let place = if withdrawal.is_ready {
                Self::CLAIMABLE
            } else {
                Self::QUEUE
            };
            let subject = Subject::Request {
                account: P::NAMES.queue,
                instruction: withdrawal.instruction,
            };
            accruals.push(accrual(
                subject,
                (withdrawal.booked_at, withdrawal.booked),
                (at, value),
                BalanceChange::scaled(kind, place, units, units),
            )?);
            (withdrawal.booked, withdrawal.booked_at) = (value, at);
        }
        Ok(accruals)
    }
}

impl<P: StakingPool> Protocol for Staking<P> {
    fn venue(&self) -> Venue {
        P::NAMES.venue
    }

    fn snapshot(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sync(&mut self, context: &Sync<'_>, events: &mut Events) -> Result<(), Refusal> {
        let view = context.view;
        if self.pool.is_none() && !self.begin(context)? {
            return Ok(());
        }
        for due in self.due(view) {
            self.pass(due, view, events)?;
        }
        if let Some(rewards) = &mut self.rewards {
            rewards.changes.clear();
        }
        self.synced_to = view.now();
        Ok(())
    }

    fn terms(&self, _: &Sync<'_>) -> Result<Terms, Refusal> {
        let waiting = self.withdrawal_requests.iter();
        let waiting = waiting.filter(|withdrawal| !withdrawal.is_ready);
        Ok(Terms {
            unstake_delay: Some(self.queue_delay),
            unstake_ends: waiting.map(|withdrawal| withdrawal.due).max(),
            ..Terms::default()
        })
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let moves = !self.booked.0.is_zero()
            || !self.withdrawal_requests.is_empty()
            || self.rewards.as_ref().is_some_and(Rewards::is_awake);
        moves.then_some(Timestamp::MIN)
    }

    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        let (venue, now) = (P::NAMES.venue, transaction.now());
        if transaction.view().is_out(venue) {
            return Err(Refusal::other(
                format!(
                    "{venue} is out at {now}: nothing is staked, redeemed or claimed there until it is back"
                ),
                None,
            ));
        }
        self.operate(transaction, operation)?;
        self.settle_in(transaction)?;
        self.hold(transaction.now())
    }

    fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        if !self.booked.0.is_zero() || !self.booked.1.is_zero() {
            let (shares, units) = (quantity(self.booked.0)?, quantity(self.booked.1)?);
            let (account, item) = Self::SHARES;
            positions.push(Position::scaled(account, item, shares, units));
        }
        for ((account, item), is_ready) in [(Self::QUEUE, false), (Self::CLAIMABLE, true)] {
            let mut claims = Quantity::ZERO;
            for withdrawal in self
                .withdrawal_requests
                .iter()
                .filter(|t| t.is_ready == is_ready)
            {
                claims = claims.add(quantity(withdrawal.booked)?)?;
            }
            if !claims.is_zero() {
                positions.push(Position::new(account, item, claims));
            }
        }
        if let Some(rewards) = &self.rewards {
            for (program, claimable) in rewards.programs.iter().zip(&rewards.claimable) {
                if !claimable.is_zero() {
                    let item = Item::Asset(program.asset);
                    positions.push(Position::new(P::NAMES.rewards, item, *claimable));
                }
            }
        }
        Ok(())
    }

    /// Withdrawal requests pay ether; what else is ours here are rewards. The wrapped token, which is asked for after
    /// every transaction, is never here.
    fn holding_of(&self, asset: Asset) -> Result<Quantity, Refusal> {
        let mut held = Quantity::ZERO;
        if asset == ETH {
            for withdrawal in &self.withdrawal_requests {
                held = held.add(quantity(withdrawal.booked)?)?;
            }
        }
        if let Some(rewards) = &self.rewards {
            for (program, claimable) in rewards.programs.iter().zip(&rewards.claimable) {
                if program.asset == asset {
                    held = held.add(*claimable)?;
                }
            }
        }
        Ok(held)
    }

    fn accepts(&self, operation: &Operation) -> bool {
        let (rebasing, wrapped) = (P::NAMES.rebasing, P::NAMES.wrapped);
        let ours = |asset: Asset| asset == rebasing || asset == wrapped;
        match operation {
            Operation::Stake(ask) => ours(ask.asset_out),
            Operation::Unstake(ask) => ours(ask.asset_in),
            Operation::Wrap(ask) => ask.asset_in == rebasing,
            Operation::Unwrap(ask) => ask.asset_in == wrapped,
            Operation::ClaimUnstake(ClaimUnstake { request }) => match request {
                Some(request) => self.has_withdrawal_request(*request),
                None => self
                    .withdrawal_requests
                    .iter()
                    .any(|withdrawal| withdrawal.is_ready),
            },
            Operation::ClaimRewards(ClaimRewards { asset }) => {
                let pays = |rewards: &Rewards| match asset {
                    Some(asset) => rewards.programs.iter().any(|p| p.asset == *asset),
                    None => true,
                };
                self.rewards.as_ref().is_some_and(pays)
            }
            _ => false,
        }
    }

    fn watches(&self) -> Option<Asset> {
        self.rewards.as_ref().map(|_| P::NAMES.wrapped)
    }

    fn observe(&mut self, at: Timestamp, held: Quantity) -> Result<(), Refusal> {
        if let Some(rewards) = &mut self.rewards {
            let units = basis_core::num::uint256::units_of(held.get(), DECIMALS, Rounding::Down)?;
            rewards.observe(at, units);
        }
        Ok(())
    }
}
