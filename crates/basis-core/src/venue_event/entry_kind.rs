//! Kinds of changes, which are the kinds of ledger lines.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a holding changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A fill: asset legs of a spot trade, or the position leg of a perp trade; also what a pool turned
    /// of one asset of our liquidity into another, with quantity 0.
    Trade,
    /// The result of reducing a perp position, settled in the quote asset.
    RealizedPnl,
    /// A venue's trading fee; also the units that a pool's rounding keeps of our liquidity.
    Fee,
    /// A funding payment; negative when we pay.
    Funding,
    /// Interest earned.
    Interest,
    /// Interest owed.
    BorrowCost,
    /// A reward paid out.
    Reward,
    /// Fees that a liquidity position has earned from swaps.
    LiquidityFee,
    /// A change of a rebasing balance.
    Rebase,
    /// Gas paid.
    Gas,
    /// An asset moved between our accounts.
    Transfer,
    /// What moving it cost.
    TransferCost,
    /// A liquidation's fee or loss beyond the trade itself.
    Liquidation,
    /// What somebody else bears: a debt that nothing stands behind any more stays with its lender, an
    /// insurance fund makes an account good.
    WriteOff,
    /// Capital that came from outside.
    Deposit,
    /// Capital that went outside.
    Withdrawal,
}

impl EntryKind {
    /// The name in `ledger.csv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::RealizedPnl => "realized_pnl",
            Self::Fee => "fee",
            Self::Funding => "funding",
            Self::Interest => "interest",
            Self::BorrowCost => "borrow_cost",
            Self::Reward => "reward",
            Self::LiquidityFee => "liquidity_fee",
            Self::Rebase => "rebase",
            Self::Gas => "gas",
            Self::Transfer => "transfer",
            Self::TransferCost => "transfer_cost",
            Self::Liquidation => "liquidation",
            Self::WriteOff => "write_off",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
