//! The contract's refusals, in its own words.

use basis_protocols::morpho_blue::Refusal as Revert;
use basis_sim::refusal::Refusal;

use super::MORPHO;

/// A refusal of the contract in its own words.
pub(super) fn refused(name: impl std::fmt::Display, e: Revert) -> Refusal {
    let code = match e.panic_code() {
        Some(0x11) => Some("0x11"),
        Some(0x12) => Some("0x12"),
        _ => None,
    };
    Refusal::other(format!("{MORPHO} market {name}: {e}"), code)
}
