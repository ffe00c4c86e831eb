//! Legs addressed to protocols.

use basis_core::instruction::{AmountOrAll, Lending, Operation};
use basis_core::plan::Leg;
use basis_core::types::{Asset, Venue};

/// Which way a lending leg goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum LendingKind {
    /// Into the protocol.
    Supply,
    /// Out of the protocol.
    Withdraw,
}

/// A lending leg in the only market that `venue` has for `asset`.
pub(in super::super) fn lending(
    venue: Venue,
    kind: LendingKind,
    asset: Asset,
    amount: AmountOrAll,
) -> Leg {
    let lending = Lending {
        asset,
        amount,
        market: None,
    };
    let operation = match kind {
        LendingKind::Supply => Operation::Supply(lending),
        LendingKind::Withdraw => Operation::Withdraw(lending),
    };
    Leg::new(venue, operation)
}
