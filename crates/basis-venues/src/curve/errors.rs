//! What the contracts say to what stays below a minimum or goes above a maximum.

use basis_sim::pools::Words;

pub(super) const WORDS: Words = Words {
    swapped: "Exchange resulted in fewer coins than expected",
    requested: None,
    added: "Slippage screwed you",
    removed: "Withdrawal resulted in fewer coins than expected",
};
