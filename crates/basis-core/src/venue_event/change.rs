//! What a venue can know of a changed holding without valuing it.

use serde::{Deserialize, Serialize};

use super::EntryKind;
use crate::num::Quantity;
use crate::types::{Account, Asset, Item};

/// One change of one holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceChange {
    /// Whose.
    pub account: Account,
    /// What is counted.
    pub item: Item,
    /// Signed change: units of an asset, or scaled units where the item is scaled; above zero is more
    /// debt. Zero where only what the holding stands for changed.
    pub quantity: Quantity,
    /// Signed change of what the holding stands for, after the protocol's own rounding; `quantity` where
    /// nothing is scaled.
    pub units: Quantity,
    /// Why.
    pub kind: EntryKind,
    /// The exchange it is a side of.
    pub exchange: Option<Exchange>,
}

/// The side of an exchange that a change is. All changes of one number within one event are one
/// exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Which exchange of the event.
    pub number: u32,
    /// Whether this side is valued at its own mark and prices the exchange; the other sides share the
    /// negated sum.
    pub prices: bool,
}

impl BalanceChange {
    /// A change of `quantity` units of an asset.
    #[must_use]
    pub const fn asset(
        kind: EntryKind,
        account: Account,
        asset: Asset,
        quantity: Quantity,
    ) -> Self {
        Self::scaled(kind, (account, Item::Asset(asset)), quantity, quantity)
    }

    /// A change of `quantity` scaled units that stand for `units`.
    #[must_use]
    pub const fn scaled(
        kind: EntryKind,
        (account, item): (Account, Item),
        quantity: Quantity,
        units: Quantity,
    ) -> Self {
        Self {
            account,
            item,
            quantity,
            units,
            kind,
            exchange: None,
        }
    }

    /// The same as a side of the exchange `number`.
    #[must_use]
    pub const fn exchanged(self, number: u32, prices: bool) -> Self {
        Self {
            exchange: Some(Exchange { number, prices }),
            ..self
        }
    }
}
