//! The pool's refusals, with its numbers.

use basis_protocols::aave_v3::Revert;
use basis_sim::refusal::Refusal;

/// A refusal of the pool, with its number.
pub(super) fn refused(e: Revert) -> Refusal {
    let code = match e {
        Revert::Pool(e) => Some(e.text()),
        Revert::Arithmetic => Some("0x11"),
        Revert::DivisionByZero => Some("0x12"),
        _ => None,
    };
    Refusal::other(e.to_string(), code)
}
