//! Orders that nobody placed.

/// What the venue did by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// A liquidation.
    Liquidation,
    /// Auto-deleveraging against somebody else's liquidation.
    AutoDeleverage,
    /// The settlement of a delisted or delivered contract.
    Settlement,
}
