//! Lido: ether for stETH and wstETH, and the queue back.
//!
//! In backtests it is the simulated staking venue on Lido's own share arithmetic
//! ([`basis_protocols::liquid_staking`]) at the recorded `staking_rate.lido.wstETH_ETH`.
//!
//! | operation | what it does | contract |
//! | --- | --- | --- |
//! | `stake` ETH → stETH | mints shares, rounded down | `Lido.submit` |
//! | `stake` ETH → wstETH | the same in the wrapper, which mints the shares | `WstETH.receive` |
//! | `wrap`, `unwrap` | stETH ↔ wstETH | `WstETH.wrap`, `WstETH.unwrap` |
//! | `unstake` stETH or wstETH → ETH | joins the queue, 100 wei to 1000 stETH a request, more is split; a rest below 100 wei stays | `WithdrawalQueue.requestWithdrawals`, `…WstETH` |
//! | `claim_unstake` | pays the ticket out | `WithdrawalQueue.claimWithdrawal` |
//!
//! A request leaves the queue `queue_delay_hours` after it joined. The queue's real length is not
//! recorded; 72 hours is our assumption, within the one to five days that Lido names for the ordinary
//! case (its staking documentation). It was longer while many validators left.

use basis_core::config::{Node, Problems};
use basis_core::error::{ComponentError, Rejection};
use basis_core::instruction::OperationKind;
use basis_core::num::{Fixed18, MathError, U256};
use basis_core::types::{
    Account, Asset, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue,
};
use basis_core::venue::{ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_protocols::gas::GasOperation;
use basis_protocols::liquid_staking::lido_queue::{REQUEST_MAX, REQUEST_MIN, request_amounts};
use basis_protocols::liquid_staking::{Holder, Lido, LidoError, RequestId};

use crate::chain::{self, OnChainDriver, Refusal};
use crate::credentials;
use crate::driver::{BuildContext, Driver, DriverFacts, VenueDriver};
use crate::staking::{self, Staking, StakingGas, StakingNames, StakingPool, StakingSettings};

const VENUE: Venue = Venue::literal("lido");

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Stake,
    OperationKind::Unstake,
    OperationKind::ClaimUnstake,
    OperationKind::Wrap,
    OperationKind::Unwrap,
];

/// Hours that a request waits, unless the settings say otherwise.
const QUEUE_DELAY_HOURS: i64 = 72;

/// What the factory creates.
struct LidoDriver;

impl Driver for LidoDriver {
    type Settings = StakingSettings;

    const FACTS: DriverFacts = DriverFacts {
        venue: VENUE,
        venue_type: VenueType::OnChain,
        class_name: "LidoExecutionInterface",
        module: module_path!(),
        description: "Lido staking: stETH, wstETH and the withdrawal queue",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials: credentials::ALCHEMY,
        modes: &[ExecutionMode::Backtest],
        operations: OPERATIONS,
        listed: true,
    };

    fn parse(node: &Node, problems: &Problems) -> StakingSettings {
        StakingSettings::read(node, problems, QUEUE_DELAY_HOURS)
    }

    fn build(
        settings: &StakingSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let staking = Staking::<Lido>::new(settings.queue_delay, None);
        chain::create(&ON_CHAIN, Some(Box::new(staking)), context)
    }
}

/// The row of Lido in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<LidoDriver>();

static ON_CHAIN: OnChainDriver = OnChainDriver {
    venue: VENUE,
    operations: OPERATIONS,
};

const US: Holder = Holder::WALLET;
const STETH: Asset = Asset::literal("stETH");

/// Refuses in the contract's words.
fn refusal(e: LidoError) -> Refusal {
    let code = match e {
        LidoError::RequestAmountTooSmall(wei) => return too_small(wei),
        LidoError::Math(e) => return e.into(),
        LidoError::ZeroDeposit => Some("ZERO_DEPOSIT"),
        LidoError::BalanceExceeded { .. } => Some("BALANCE_EXCEEDED"),
        LidoError::RequestNotFoundOrNotFinalized(_) => Some("RequestNotFoundOrNotFinalized"),
        LidoError::RequestAlreadyClaimed(_) => Some("RequestAlreadyClaimed"),
        _ => None,
    };
    Refusal::other(e.to_string(), code)
}

fn too_small(wei: U256) -> Refusal {
    let amounts = staking::quantity(wei).and_then(|value| {
        let minimum = staking::quantity(REQUEST_MIN)?;
        Ok((value, minimum))
    });
    match amounts {
        Ok((value, minimum)) => {
            let reason = Rejection::BelowMinimum {
                what: "withdrawal".into(),
                asset: STETH,
                value,
                minimum,
            };
            Refusal::rejected(reason, Some("RequestAmountTooSmall"))
        }
        Err(e) => e.into(),
    }
}

impl StakingPool for Lido {
    const NAMES: StakingNames = StakingNames {
        venue: VENUE,
        rebasing: STETH,
        wrapped: Asset::literal("wstETH"),
        rate: SeriesId::new(
            SeriesKind::StakingRate,
            VENUE,
            Symbol::literal("wstETH_ETH"),
        ),
        operations: OPERATIONS,
        queue: Account::new(VENUE, Label::literal("queue")),
        rewards: Account::new(VENUE, Label::literal("rewards")),
        not_final: "RequestNotFoundOrNotFinalized",
        gas: StakingGas {
            stake: GasOperation::LidoSubmit,
            wrap: GasOperation::LidoWrap,
            unwrap: GasOperation::LidoUnwrap,
            request: GasOperation::LidoRequestWithdrawal,
            claim: GasOperation::LidoClaimWithdrawal,
        },
    };

    fn at_rate(rate: Fixed18) -> Result<Self, Refusal> {
        Ok(Self::at_rate(rate)?)
    }

    fn set_rate(&mut self, rate: Fixed18) -> Result<(), Refusal> {
        Ok(self.set_rate(rate)?)
    }

    fn shares(&self) -> U256 {
        self.shares_of(US)
    }

    fn balance(&self) -> Result<U256, Refusal> {
        Ok(self.balance_of(US)?)
    }

    fn value_of(&self, shares: U256) -> Result<U256, Refusal> {
        Ok(self.pool().amount_for_shares(shares)?)
    }

    fn stake(&mut self, wei: U256) -> Result<(), Refusal> {
        self.submit(US, wei).map(drop).map_err(refusal)
    }

    fn stake_wrapped(&mut self, wei: U256) -> Result<U256, Refusal> {
        self.stake_and_wrap(US, wei).map_err(refusal)
    }

    fn wrap(&mut self, amount: U256) -> Result<U256, Refusal> {
        self.wrap(US, amount).map_err(refusal)
    }

    fn unwrap(&mut self, amount: U256) -> Result<(), Refusal> {
        known_as_ours(self, amount)?;
        self.unwrap(US, amount).map(drop).map_err(refusal)
    }

    fn request(&mut self, amount: U256, now: Timestamp) -> Result<Vec<RequestId>, Refusal> {
        if amount < REQUEST_MIN {
            return Err(too_small(amount));
        }
        let request = |amount| self.request_withdrawal(US, amount, now).map_err(refusal);
        request_amounts(amount).map(request).collect()
    }

    fn request_wrapped(
        &mut self,
        amount: U256,
        now: Timestamp,
    ) -> Result<(U256, Vec<RequestId>), Refusal> {
        let whole = self.pool().shares_for_amount(REQUEST_MAX)?;
        let (mut taken, mut requests) = (U256::ZERO, Vec::new());
        while taken < amount {
            let next = amount.saturating_sub(taken).min(whole);
            let stands_for = self.pool().amount_for_shares(next)?;
            if stands_for < REQUEST_MIN {
                if requests.is_empty() {
                    return Err(too_small(stands_for));
                }
                break;
            }
            known_as_ours(self, next)?;
            let request = self.request_withdrawal_wrapped(US, next, now);
            requests.push(request.map_err(refusal)?);
            let sum = taken.checked_add(next);
            taken = sum.ok_or(MathError::Overflow256 { op: "wstETH" })?;
        }
        Ok((taken, requests))
    }

    fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Result<(), Refusal> {
        self.finalize_due(now, delay).map(drop).map_err(refusal)
    }

    fn claimable(&self, request: RequestId) -> Result<U256, Refusal> {
        self.ticket_value(request).map_err(refusal)
    }

    fn claim(&mut self, request: RequestId) -> Result<U256, Refusal> {
        self.claim(US, request).map_err(refusal)
    }
}

/// The wallet holds so much wstETH: what it did not mint itself it took over from somebody else.
fn known_as_ours(lido: &mut Lido, amount: U256) -> Result<(), Refusal> {
    let missing = amount.saturating_sub(lido.wrapped_of(US));
    lido.credit_wrapped(US, missing).map_err(refusal)
}
