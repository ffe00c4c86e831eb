//! What a strategy may ask of a venue: one closed set over exchange, swap, lending, staking and
//! flash loan.
//!
//! The JSON form is externally tagged with decimals as strings, for example
//! `{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"market"}}`.
//! An instruction is addressed to a venue by the [`Leg`](crate::plan::Leg) that carries it.

mod amount;
mod removal;
mod swap;

use serde::{Deserialize, Serialize};

use crate::num::{Fixed18, Price, Quantity};
use crate::types::{
    Account, Asset, InstructionId, Label, PositionSide, Side, Symbol, Timestamp, Venue,
};

pub use self::removal::{RemoveLiquidity, Withdrawal};
pub use self::swap::{Swap, SwapAmounts};

/// One request to one venue, with the number that makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Never reused; the client order id and the journal key derive from it.
    #[serde(default)]
    pub id: InstructionId,
    /// Who executes it when it is a step of an [`Operation::Atomic`]; absent elsewhere, and in a step
    /// that only one venue of the group can execute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<Venue>,
    /// What to do.
    #[serde(flatten)]
    pub operation: Operation,
}

impl Instruction {
    /// `operation` with its number, addressed by the leg that carries it.
    #[must_use]
    pub const fn new(id: InstructionId, operation: Operation) -> Self {
        Self {
            id,
            venue: None,
            operation,
        }
    }

    /// A step of an [`Operation::Atomic`] that `venue` executes.
    #[must_use]
    pub const fn step(venue: Venue, operation: Operation) -> Self {
        Self {
            id: InstructionId::plain(0),
            venue: Some(venue),
            operation,
        }
    }
}

/// The closed set of things to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Buy or sell an asset for immediate delivery.
    SpotTrade(SpotTrade),
    /// Change a perpetual position.
    PerpTrade(PerpTrade),
    /// Take a resting order back.
    CancelOrder(CancelOrder),
    /// Change price or quantity of a resting order.
    AmendOrder(AmendOrder),
    /// Set leverage, and with it the initial margin, of a perpetual.
    SetLeverage(SetLeverage),
    /// Exchange one asset for another in a pool.
    Swap(Swap),
    /// Put liquidity into a pool.
    AddLiquidity(AddLiquidity),
    /// Take liquidity out of a pool.
    RemoveLiquidity(RemoveLiquidity),
    /// Collect the fees a liquidity position has earned.
    CollectFees(CollectFees),
    /// Supply an asset to a lending market.
    Supply(Lending),
    /// Withdraw a supplied asset.
    Withdraw(Lending),
    /// Borrow an asset.
    Borrow(Lending),
    /// Repay a debt.
    Repay(Lending),
    /// Choose the efficiency-mode category of the lending account.
    SetEMode(SetEMode),
    /// Stake an asset for its liquid staking token.
    Stake(Staking),
    /// Ask for a liquid staking token to be redeemed; it may join a queue.
    Unstake(Staking),
    /// Claim a redemption that has left the queue.
    ClaimUnstake(ClaimUnstake),
    /// Wrap an asset, for example stETH into wstETH or ETH into WETH.
    Wrap(Staking),
    /// The reverse of a wrap.
    Unwrap(Staking),
    /// Claim rewards that a protocol has accrued.
    ClaimRewards(ClaimRewards),
    /// Borrow within one transaction; only as the first step of an [`Operation::Atomic`].
    FlashLoan(FlashLoan),
    /// Move an asset between accounts, inside a venue or from one venue to another.
    Transfer(Transfer),
    /// All of these or none, in order, in one transaction.
    Atomic(Vec<Instruction>),
}

/// How an order wants to be priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderType {
    /// Take what the book offers now.
    Market,
    /// Not worse than the limit price.
    Limit,
}

/// How long an order stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Good till cancelled.
    #[default]
    Gtc,
    /// Immediate or cancel.
    Ioc,
    /// Fill or kill.
    Fok,
    /// Refused or cancelled when it would take liquidity.
    PostOnly,
}

/// A spot order. `quantity` is in base units, > 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpotTrade {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Buy adds base units.
    pub side: Side,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// Market or limit.
    pub order_type: OrderType,
    /// Required by a limit order: quote per base unit, > 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_price: Option<Price>,
    /// How long a limit order stays.
    #[serde(default)]
    pub time_in_force: TimeInForce,
}

/// A perpetual-future order. `quantity` is in base units, > 0, at every venue: an adapter whose
/// venue counts contracts converts once, at its edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerpTrade {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Buy makes the position longer or less short.
    pub side: Side,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// Market or limit.
    pub order_type: OrderType,
    /// Required by a limit order: quote per base unit, > 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_price: Option<Price>,
    /// How long a limit order stays.
    #[serde(default)]
    pub time_in_force: TimeInForce,
    /// Only ever brings the position nearer to zero.
    #[serde(default)]
    pub reduce_only: bool,
    /// Which of the two positions of hedge mode is meant; required there, refused in one-way mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_side: Option<PositionSide>,
}

/// Whether positions share the account's collateral or keep their own.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum MarginMode {
    /// All of the account's free collateral stands for every position.
    #[default]
    Cross,
    /// Each position stands on the margin put aside for it.
    Isolated,
}

impl MarginMode {
    /// `cross` or `isolated`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cross => "cross",
            Self::Isolated => "isolated",
        }
    }
}

/// Cancels the order that an earlier instruction opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelOrder {
    /// Canonical symbol of the order.
    pub symbol: Symbol,
    /// The instruction that opened it.
    pub order: InstructionId,
}

/// Amends the order that an earlier instruction opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmendOrder {
    /// Canonical symbol of the order.
    pub symbol: Symbol,
    /// The instruction that opened it.
    pub order: InstructionId,
    /// New total quantity in base units, what is filled included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// New limit price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_price: Option<Price>,
}

/// Sets the leverage of a perpetual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLeverage {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Notional per unit of initial margin, >= 1, at most the venue's bound.
    pub leverage: Fixed18,
    /// Changes the margin mode with it; absent leaves it. One value for the whole account where the
    /// venue has it so (Bybit).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_mode: Option<MarginMode>,
}

/// Puts liquidity into a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddLiquidity {
    /// The pool, by the name it has in the venue's settings.
    pub pool: Label,
    /// Most units of each of the pool's assets, in the pool's order.
    pub amounts: Vec<Quantity>,
    /// The price range of a concentrated position, lower tick then upper tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks: Option<(i32, i32)>,
    /// The least liquidity (or pool tokens) that is acceptable.
    pub minimum_liquidity: Fixed18,
}

/// Collects earned fees of a liquidity position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectFees {
    /// The pool, by the name it has in the venue's settings.
    pub pool: Label,
    /// The price range of a concentrated position, lower tick then upper tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks: Option<(i32, i32)>,
}

/// Supply, withdraw, borrow or repay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lending {
    /// The asset.
    pub asset: Asset,
    /// How much.
    pub amount: AmountOrAll,
    /// The market, where the venue has several for one asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Label>,
}

/// An amount in the asset's own units (of liquidity: as positions count it), or everything there is.
///
/// Read from a plain decimal (`"1.5"`), `{"exactly":"1.5"}` or `"all"`; written as one of the last two,
/// where a field says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountOrAll {
    /// Exactly this many units, > 0.
    Exactly(Quantity),
    /// All that is supplied, owed or held.
    All,
}

/// Chooses an efficiency-mode category; 0 leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetEMode {
    /// The category's number at the pool.
    pub category: u8,
}

/// Stake, unstake, wrap or unwrap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staking {
    /// What is given.
    pub asset_in: Asset,
    /// What is received.
    pub asset_out: Asset,
    /// Units given.
    pub amount: AmountOrAll,
}

/// Claims withdrawal requests that have left the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimUnstake {
    /// The instruction whose unstake joined the queue; absent claims every withdrawal request that is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<InstructionId>,
}

/// Claims accrued rewards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRewards {
    /// The reward asset; absent claims every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<Asset>,
}

/// Borrows within one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashLoan {
    /// The asset.
    pub asset: Asset,
    /// Units borrowed, > 0; repaid with the premium by the end of the transaction.
    pub amount: Quantity,
}

/// Moves an asset from an account of the addressed venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The asset.
    pub asset: Asset,
    /// Units that arrive, > 0; a fee comes on top.
    pub amount: Quantity,
    /// The account that pays, at the addressed venue.
    pub from: Account,
    /// The account that receives; at the same venue for an internal transfer.
    pub to: Account,
}

/// The discriminant of an [`Operation`], for capabilities, events and routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the Operation of the same name")]
pub enum OperationKind {
    SpotTrade,
    PerpTrade,
    CancelOrder,
    AmendOrder,
    SetLeverage,
    Swap,
    AddLiquidity,
    RemoveLiquidity,
    CollectFees,
    Supply,
    Withdraw,
    Borrow,
    Repay,
    SetEMode,
    Stake,
    Unstake,
    ClaimUnstake,
    Wrap,
    Unwrap,
    ClaimRewards,
    FlashLoan,
    Transfer,
    Atomic,
}

impl OperationKind {
    /// Every kind, in the order of the type.
    pub const ALL: [Self; 23] = [
        Self::SpotTrade,
        Self::PerpTrade,
        Self::CancelOrder,
        Self::AmendOrder,
        Self::SetLeverage,
        Self::Swap,
        Self::AddLiquidity,
        Self::RemoveLiquidity,
        Self::CollectFees,
        Self::Supply,
        Self::Withdraw,
        Self::Borrow,
        Self::Repay,
        Self::SetEMode,
        Self::Stake,
        Self::Unstake,
        Self::ClaimUnstake,
        Self::Wrap,
        Self::Unwrap,
        Self::ClaimRewards,
        Self::FlashLoan,
        Self::Transfer,
        Self::Atomic,
    ];

    /// The tag used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpotTrade => "spot_trade",
            Self::PerpTrade => "perp_trade",
            Self::CancelOrder => "cancel_order",
            Self::AmendOrder => "amend_order",
            Self::SetLeverage => "set_leverage",
            Self::Swap => "swap",
            Self::AddLiquidity => "add_liquidity",
            Self::RemoveLiquidity => "remove_liquidity",
            Self::CollectFees => "collect_fees",
            Self::Supply => "supply",
            Self::Withdraw => "withdraw",
            Self::Borrow => "borrow",
            Self::Repay => "repay",
            Self::SetEMode => "set_e_mode",
            Self::Stake => "stake",
            Self::Unstake => "unstake",
            Self::ClaimUnstake => "claim_unstake",
            Self::Wrap => "wrap",
            Self::Unwrap => "unwrap",
            Self::ClaimRewards => "claim_rewards",
            Self::FlashLoan => "flash_loan",
            Self::Transfer => "transfer",
            Self::Atomic => "atomic",
        }
    }
}

impl std::fmt::Display for OperationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Operation {
    /// Which of the set this is.
    #[must_use]
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::SpotTrade(_) => OperationKind::SpotTrade,
            Self::PerpTrade(_) => OperationKind::PerpTrade,
            Self::CancelOrder(_) => OperationKind::CancelOrder,
            Self::AmendOrder(_) => OperationKind::AmendOrder,
            Self::SetLeverage(_) => OperationKind::SetLeverage,
            Self::Swap(_) => OperationKind::Swap,
            Self::AddLiquidity(_) => OperationKind::AddLiquidity,
            Self::RemoveLiquidity(_) => OperationKind::RemoveLiquidity,
            Self::CollectFees(_) => OperationKind::CollectFees,
            Self::Supply(_) => OperationKind::Supply,
            Self::Withdraw(_) => OperationKind::Withdraw,
            Self::Borrow(_) => OperationKind::Borrow,
            Self::Repay(_) => OperationKind::Repay,
            Self::SetEMode(_) => OperationKind::SetEMode,
            Self::Stake(_) => OperationKind::Stake,
            Self::Unstake(_) => OperationKind::Unstake,
            Self::ClaimUnstake(_) => OperationKind::ClaimUnstake,
            Self::Wrap(_) => OperationKind::Wrap,
            Self::Unwrap(_) => OperationKind::Unwrap,
            Self::ClaimRewards(_) => OperationKind::ClaimRewards,
            Self::FlashLoan(_) => OperationKind::FlashLoan,
            Self::Transfer(_) => OperationKind::Transfer,
            Self::Atomic(_) => OperationKind::Atomic,
        }
    }
}

/// An instruction that was sent, or is about to be, and has not ended: the journal's record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInstruction {
    /// The addressed venue.
    pub venue: Venue,
    /// When the block that holds it was submitted.
    pub submitted_at: Timestamp,
    /// What is asked.
    pub instruction: Instruction,
}
