//! Moving assets between accounts of a simulated venue and out of it.
//!
//! What has left one account and not reached the next is held by [`Account::IN_FLIGHT`] and is
//! nobody's collateral.

use basis_core::error::Rejection;
use basis_core::execution::{Execution, ExecutionStatus, VenueEvent, VenueEventKind};
use basis_core::instruction::Transfer;
use basis_core::ledger::{EntryKind, LedgerEntry, Occurrence};
use basis_core::market::MarketView;
use basis_core::num::{MathError, Price, Quantity, Rounding};
use basis_core::rules::{RuleSnapshot, WithdrawalRules};
use basis_core::transit::Shipment;
use basis_core::types::{Account, InstructionId, Span, Timestamp, Venue};
use basis_core::venue::DataProvider;

use super::books::{Lines, dollar_price};
use super::refusal::Refusal;
use super::{Context, SimulatedCex};

/// A transfer that the rules allow: what it costs and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) fee: Quantity,
    pub(crate) delay: Span,
    internal: bool,
}

/// Checks a transfer against the rules, balances apart.
pub(crate) fn route(
    venue: Venue,
    snapshot: &RuleSnapshot,
    data: &dyn DataProvider,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<Route, Refusal> {
    let Transfer {
        asset,
        amount,
        from,
        to,
    } = *transfer;
    let accounts = snapshot.accounts;
    let known = [accounts.deposit, accounts.spot, accounts.perp];
    if !known.contains(&from) {
        return Err(Refusal::invalid(format!(
            "{from} is no account of {venue}; it has {}",
            account_names(&known)
        )));
    }
    if !amount.is_positive() {
        return Err(Refusal::invalid(format!(
            "a transfer of {amount} {asset}: the amount must be above zero"
        )));
    }
    if from == to {
        return Err(Refusal::invalid(format!("{from} cannot pay itself")));
    }
    if to.venue == venue {
        if !known.contains(&to) {
            return Err(Refusal::invalid(format!(
                "{to} is no account of {venue}; it has {}",
                account_names(&known)
            )));
        }
        check_decimals(transfer, data.decimals(asset))?;
        return Ok(Route {
            fee: snapshot.transfers.internal_fee,
            delay: snapshot.transfers.internal_delay,
            internal: true,
        });
    }
    let rules = withdrawal(snapshot, transfer)?;
    if from != accounts.deposit {
        return Err(Refusal::other(
            format!(
                "withdrawals leave from {}; transfer the {asset} from {from} to it first",
                accounts.deposit
            ),
            None,
        ));
    }
    let Some(receiver) = data.rules(to.venue) else {
        return Err(Refusal::invalid(format!(
            "{to} receives no deposits: {} has no rules that name an account for them, so what is sent \
             there would be lost; on-chain venues take what they need from the wallet",
            to.venue
        )));
    };
    let deposit = receiver.at(now).accounts.deposit;
    if deposit != to {
        return Err(Refusal::invalid(format!(
            "deposits at {} arrive in {deposit}, not in {to}",
            to.venue
        )));
    }
    Ok(Route {
        fee: rules.fee,
        delay: rules.delay,
        internal: false,
    })
}

/// Refuses what would leave `venue` while a shock has its withdrawals halted, or it is out.
pub(crate) fn refuse_halted(venue: Venue, view: &MarketView) -> Result<(), Refusal> {
    if !view.withdrawals_halted(venue) && !view.is_out(venue) {
        return Ok(());
    }
    Err(Refusal::other(
        format!("withdrawals from {venue} are halted at {}", view.now()),
        None,
    ))
}

fn withdrawal<'a>(
    snapshot: &'a RuleSnapshot,
    transfer: &Transfer,
) -> Result<&'a WithdrawalRules, Refusal> {
    let (asset, amount, venue) = (transfer.asset, transfer.amount, transfer.from.venue);
    let Some(rules) = snapshot.withdrawal(asset) else {
        return Err(Refusal::other(
            format!("{venue} has no network over which {asset} leaves"),
            None,
        ));
    };
    if amount < rules.minimum {
        let reason = Rejection::BelowMinimum {
            what: "withdrawal",
            asset,
            value: amount,
            minimum: rules.minimum,
        };
        return Err(Refusal::rejected(reason, None));
    }
    check_decimals(transfer, Some(rules.decimals))?;
    Ok(rules)
}

fn check_decimals(transfer: &Transfer, decimals: Option<u32>) -> Result<(), Refusal> {
    let (asset, amount) = (transfer.asset, transfer.amount);
    let Some(decimals) = decimals else {
        return Err(Refusal::invalid(format!(
            "the decimals of {asset} are in no rules file; add it under `assets`"
        )));
    };
    if amount.get().round_to_decimals(decimals, Rounding::Down)? != amount.get() {
        return Err(Refusal::other(
            format!("a transfer of {amount} {asset} has more than {decimals} decimals"),
            None,
        ));
    }
    Ok(())
}

fn account_names(accounts: &[Account]) -> String {
    let mut names: Vec<_> = accounts.iter().map(ToString::to_string).collect();
    names.dedup();
    names.join(", ")
}

/// The lines of a departure; the other side is `to` itself when nothing is under way.
pub(crate) fn departure(
    now: Timestamp,
    instruction: InstructionId,
    transfer: &Transfer,
    fee: Quantity,
    to: Account,
    price: Price,
) -> Result<Vec<LedgerEntry>, MathError> {
    let occurrence = Occurrence::TransferOut(instruction);
    let mut lines = Lines::new(now, occurrence, Some(instruction));
    let (asset, amount) = (transfer.asset, transfer.amount);
    let from = (transfer.from, asset);
    lines.booked(EntryKind::Transfer, from, amount.neg()?, price)?;
    if !fee.is_zero() {
        lines.booked(EntryKind::TransferCost, from, fee.neg()?, price)?;
    }
    lines.booked(EntryKind::Transfer, (to, asset), amount, price)?;
    Ok(lines.entries)
}

/// The event of an arrival.
pub(crate) fn arrival(
    venue: Venue,
    view: &MarketView,
    shipment: &Shipment,
) -> Result<VenueEvent, MathError> {
    let Shipment {
        instruction,
        to,
        asset,
        amount,
        arrives_at,
    } = *shipment;
    let price = dollar_price(view, asset, venue);
    let occurrence = Occurrence::TransferIn(instruction);
    let mut lines = Lines::new(arrives_at, occurrence, Some(instruction));
    let flight = (Account::IN_FLIGHT, asset);
    lines.booked(EntryKind::Transfer, flight, amount.neg()?, price)?;
    lines.booked(EntryKind::Transfer, (to, asset), amount, price)?;
    Ok(VenueEvent {
        venue,
        at: arrives_at,
        kind: VenueEventKind::TransferArrived {
            instruction,
            account: to,
            asset,
            amount,
        },
        entries: lines.entries,
    })
}

impl SimulatedCex {
    pub(super) fn transfer(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        transfer: &Transfer,
    ) -> Result<Execution, Refusal> {
        let venue = self.profile.venue;
        let now = cx.view.now();
        let route = route(venue, cx.snapshot, cx.data, transfer, now)?;
        if transfer.to.venue != venue {
            refuse_halted(venue, cx.view)?;
        }
        let needed = transfer.amount.add(route.fee)?;
        if transfer.from == cx.snapshot.accounts.spot && self.has_debts(cx) {
            let text = format!(
                "{} owes borrowed assets; buy them back first",
                transfer.from
            );
            return Err(Refusal::other(text, None));
        }
        self.require_free(cx, transfer.from, transfer.asset, needed, None)?;
        let failures = &self.settings.transfer_failures;
        let returns = self.failing.count(failures, instruction, route.fee)?;
        let price = dollar_price(cx.view, transfer.asset, venue);
        if route.internal && route.delay == Span::ZERO && !returns {
            let to = transfer.to;
            let entries = departure(now, instruction, transfer, route.fee, to, price)?;
            self.commit(&entries)?;
            let mut execution = self.done(cx, instruction, ExecutionStatus::Settled);
            execution.entries = entries;
            return Ok(execution);
        }
        let transit = cx.transit()?;
        let to = Account::IN_FLIGHT;
        let entries = departure(now, instruction, transfer, route.fee, to, price)?;
        self.commit(&entries)?;
        let arrives_at = now.plus(route.delay);
        transit.send(Shipment {
            instruction,
            to: if returns { transfer.from } else { transfer.to },
            asset: transfer.asset,
            amount: transfer.amount,
            arrives_at,
        });
        let until = Some(arrives_at);
        let mut execution = self.done(cx, instruction, ExecutionStatus::Pending { until });
        execution.entries = entries;
        Ok(execution)
    }
}
