//! Refusals in the contract's words.

use basis_protocols::liquid_staking::EtherFiError;
use basis_sim::refusal::Refusal;

/// Refuses in the contract's words.
pub(super) fn refusal(e: EtherFiError) -> Refusal {
    let code = match e {
        EtherFiError::Math(e) => return e.into(),
        EtherFiError::InvalidAmount(_) => Some("InvalidAmount()"),
        EtherFiError::TransferExceedsBalance { .. } => Some("TRANSFER_AMOUNT_EXCEEDS_BALANCE"),
        EtherFiError::RequestNotFinalized(_) => Some("Request is not finalized"),
        EtherFiError::AlreadyClaimed(_) => Some("Already Claimed"),
        _ => None,
    };
    Refusal::other(e.to_string(), code)
}
