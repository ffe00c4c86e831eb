//! What the contracts say to what stays below a minimum or goes above a maximum.

use basis_sim::pools::RevertMessages;

pub(super) const REVERTS: RevertMessages = RevertMessages {
    swapped: "Exchange resulted in fewer coins than expected",
    requested: None,
    added: "Slippage screwed you",
    removed: "Withdrawal resulted in fewer coins than expected",
};
