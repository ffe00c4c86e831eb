//! What the contracts say to what stays below a minimum or goes above a maximum.

use basis_sim::pools::Words;

pub(super) const WORDS: Words = Words {
    swapped: "Too little received",
    requested: Some("Too much requested"),
    added: "Price slippage check",
    removed: "Price slippage check",
};
