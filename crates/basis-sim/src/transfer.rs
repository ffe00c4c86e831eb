//! Capital that leaves an account of a simulated venue or arrives in one.
//!
//! What has left one account and not reached the next is held by [`Account::IN_FLIGHT`] and is nobody's
//! collateral. Exchanges and the wallet check and report a transfer by the same functions.

use basis_core::error::Rejection;
use basis_core::instruction::Transfer;
use basis_core::num::{Quantity, Rounding};
use basis_core::rules::{RuleSnapshot, WithdrawalRules};
use basis_core::types::{Account, InstructionId, Span, Timestamp, Venue};
use basis_core::venue::DataProvider;
use basis_core::venue_event::{
    EventKind, Text, TransferId, TransferStage, TransferUpdate, VenueEvent,
};
use basis_market::MarketView;

use crate::refusal::Refusal;

/// A transfer that the rules allow: what it costs and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) fee: Quantity,
    /// Decimals that amounts over it have.
    pub(crate) decimals: u32,
    pub(crate) delay: Span,
    pub(crate) internal: bool,
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
        check_decimals(transfer, data.decimals(venue, asset))?;
        return Ok(Route {
            fee: snapshot.transfers.internal_fee,
            decimals: data.decimals(venue, asset).unwrap_or_default(),
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
    // What the other end cannot keep would be lost.
    check_decimals(transfer, data.decimals(to.venue, asset))?;
    Ok(Route {
        fee: rules.fee,
        decimals: rules.decimals,
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
            what: Text::Borrowed("withdrawal"),
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

/// The event of a departure. Its stage says whether the amount is on its way ([`TransferStage::Sent`],
/// expected `until`) or there already ([`TransferStage::Moved`]).
pub(crate) fn departure(
    venue: Venue,
    now: Timestamp,
    instruction: InstructionId,
    transfer: &Transfer,
    fee: Quantity,
    until: Option<Timestamp>,
    stage: TransferStage,
) -> VenueEvent {
    let update = TransferUpdate {
        id: TransferId::Instruction(instruction),
        instruction: Some(instruction),
        from: transfer.from,
        to: transfer.to,
        asset: transfer.asset,
        amount: transfer.amount,
        fee,
        stage,
        until,
        txid: None,
    };
    VenueEvent::new(venue, now, now, EventKind::Transfer(Box::new(update)))
}
