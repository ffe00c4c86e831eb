//! What the contracts say to what stays below a minimum or goes above a maximum.

use basis_sim::pools::RevertMessages;

pub(super) const REVERTS: RevertMessages = RevertMessages {
    swapped: "Too little received",
    requested: Some("Too much requested"),
    added: "Price slippage check",
    removed: "Price slippage check",
};
