//! Refusals in the contract's words.

use basis_core::error::Rejection;
use basis_core::num::U256;
use basis_protocols::liquid_staking::LidoError;
use basis_protocols::liquid_staking::lido_queue::REQUEST_MIN;
use basis_sim::refusal::Refusal;
use basis_sim::staking;

use super::STETH;

/// Refuses in the contract's words.
pub(super) fn refusal(e: LidoError) -> Refusal {
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

pub(super) fn too_small(wei: U256) -> Refusal {
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
