//! What a venue says we hold.

use serde::{Deserialize, Serialize};

use super::{OrderState, Text};
use crate::num::{Quantity, Rate, Value};
use crate::types::{Account, InstructionId, InstrumentKey, Item, Side, Timestamp};

/// Everything a venue says of our accounts there. No venue gives a sequence with its balances, so it is
/// a window: it was true at some instant between `asked` and `answered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSnapshot {
    /// When it was asked for.
    pub asked: Timestamp,
    /// When the answer was complete.
    pub answered: Timestamp,
    /// Every holding that is not zero, sorted by account and item; in flight included where the venue
    /// keeps it.
    pub positions: Vec<Position>,
    /// Collateral that stands for single positions alone.
    pub isolated: Vec<IsolatedMargin>,
    /// How far the lending accounts are from liquidation, in order of account.
    pub lending: Vec<LendingHealth>,
    /// Orders of ours that may still fill.
    pub orders: Vec<OpenOrder>,
}

impl Default for AccountSnapshot {
    fn default() -> Self {
        Self {
            asked: Timestamp::MIN,
            answered: Timestamp::MIN,
            positions: Vec::new(),
            isolated: Vec::new(),
            lending: Vec::new(),
            orders: Vec::new(),
        }
    }
}

impl AccountSnapshot {
    /// A snapshot with nothing in it, asked and answered at `at`.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self {
            asked: at,
            answered: at,
            ..Self::default()
        }
    }

    /// What contradicts itself in it, in words; `None` when nothing does: it was answered after it was
    /// asked, no holding stands twice, no debt is below zero.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        if self.answered < self.asked {
            return Some(format!(
                "it was answered at {} before it was asked for at {}",
                self.answered, self.asked
            ));
        }
        for (at, position) in self.positions.iter().enumerate() {
            let same = |other: &&Position| {
                other.account == position.account && other.item == position.item
            };
            let later = self
                .positions
                .get(at.saturating_add(1)..)
                .unwrap_or_default();
            if let Some(other) = later.iter().find(same) {
                return Some(format!(
                    "{} in {} is both {} and {}",
                    position.item, position.account, position.quantity, other.quantity
                ));
            }
            if position.item.is_debt() && position.quantity.is_negative() {
                return Some(format!(
                    "{} in {} is a debt of {}",
                    position.item, position.account, position.quantity
                ));
            }
        }
        None
    }
}

/// What a venue says we hold of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Whose.
    pub account: Account,
    /// What.
    pub item: Item,
    /// Signed units, scaled ones where the item is scaled.
    pub quantity: Quantity,
    /// What they stand for now, after the protocol's own rounding; `quantity` where nothing is scaled.
    pub units: Quantity,
    /// Open cost of a perp position, signed as its quantity: quantity × the venue's average entry price,
    /// where it gives one.
    pub open_cost: Option<Value>,
}

impl Position {
    /// A holding of an item that is not scaled.
    #[must_use]
    pub const fn new(account: Account, item: Item, quantity: Quantity) -> Self {
        Self::scaled(account, item, quantity, quantity)
    }

    /// A holding of `quantity` scaled units that stand for `units`.
    #[must_use]
    pub const fn scaled(account: Account, item: Item, quantity: Quantity, units: Quantity) -> Self {
        Self {
            account,
            item,
            quantity,
            units,
            open_cost: None,
        }
    }
}

/// Collateral that stands for one position alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolatedMargin {
    /// The perp account it is a part of.
    pub account: Account,
    /// The position, with its side in hedge mode.
    pub instrument: InstrumentKey,
    /// Units of the quote asset, unrealised result left out.
    pub margin: Quantity,
}

/// How far one lending account is from liquidation, as its protocol computes it with its own oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LendingHealth {
    /// The account at the protocol.
    pub account: Account,
    /// Value of the collateral at the protocol's oracle, in the protocol's base currency (USD at Aave,
    /// the borrowed asset at Morpho).
    pub collateral: Value,
    /// Value of the debt, in the same currency.
    pub debt: Value,
    /// Debt over collateral at which liquidation begins, weighted over the collateral: Aave's
    /// liquidation threshold, Morpho's LLTV.
    pub liquidation_threshold: Rate,
    /// Most debt over collateral that a new loan may lead to.
    pub max_ltv: Rate,
    /// Collateral × threshold ÷ debt; the protocol liquidates below 1. `None` without debt.
    pub health_factor: Option<Rate>,
    /// Yearly rate that the collateral earns at the protocol, its staking yield left out.
    pub supply_rate: Rate,
    /// Yearly rate that the debt costs.
    pub borrow_rate: Rate,
}

/// An order of ours that may still fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrder {
    /// The instruction behind it.
    pub instruction: InstructionId,
    /// The venue's id of it, where there is one.
    pub venue_order_id: Option<Text>,
    /// Where, with its side in hedge mode.
    pub instrument: InstrumentKey,
    /// Its direction.
    pub side: Side,
    /// Base units ordered, > 0.
    pub quantity: Quantity,
    /// Base units filled so far, >= 0.
    pub filled: Quantity,
    /// Its state.
    pub state: OrderState,
}
