//! Gas that each on-chain operation uses, as the backtest charges it: one table, a source for each
//! figure.
//!
//! A figure is for a whole transaction, the [`TRANSACTION`] base included, and is the same at every
//! call: it is not an estimate of a particular call, which the live path asks of the node. What a
//! call uses really depends on the tokens (behind a proxy some 5,000 more per movement) and on
//! whether it is the first to use a slot of storage (17,100 more per slot). How a figure was come by
//! says its [`GasSource`]; a test holds the measured ones and, but for Morpho's flash loan, the recorded
//! ones against the contracts.
//!
//! Approvals are operations of their own, for a wallet may have given them before.

use basis_core::num::{Fixed18, MathError, Quantity, Rounding};

/// Gas of any transaction before it does anything (Ethereum Yellow Paper, `G_transaction`).
pub const TRANSACTION: u64 = 21_000;

/// Gas that an Instadapp account adds to a cast, over what its steps would use alone: the account's
/// proxy and look-up of its implementation, authority check and `LogCast`.
///
/// Estimated from the opcodes of `InstaAccountV2` and `cast`: 3 cold calls, 6 cold reads, an event of
/// about 1,000 bytes, calldata.
pub const CAST: u64 = 35_000;

/// Gas that an Instadapp account adds for each step of a cast: the connector's look-up by name, the
/// delegate call, its approvals and its event's encoding.
///
/// Estimated as [`CAST`] is.
pub const CAST_STEP: u64 = 9_000;

/// Gas that a flash loan through Instadapp's `INSTAPOOL` adds to a cast: aggregator, the pool it
/// borrows from, four token movements, and the second cast that the callback runs.
///
/// Estimated: what Aave's own flash loan measures, and the aggregator's share.
pub const CAST_FLASH_LOAN: u64 = 210_000;

/// Something that is done on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GasOperation {
    /// Moving ether to a plain account.
    EthTransfer,
    /// `approve` where nothing was approved.
    Erc20Approve,
    /// `transfer` to an account that had none of the token.
    Erc20Transfer,
    /// `WETH9.deposit`.
    WethDeposit,
    /// `WETH9.withdraw`.
    WethWithdraw,
    /// `SwapRouter02.exactInputSingle`, `exactOutputSingle` and their like.
    UniswapV3Swap {
        /// Initialized ticks that the price crosses.
        ticks_crossed: u32,
    },
    /// `NonfungiblePositionManager.mint` of a new position with its ticks.
    UniswapV3Mint,
    /// `NonfungiblePositionManager.increaseLiquidity`.
    UniswapV3Increase,
    /// `NonfungiblePositionManager.decreaseLiquidity`.
    UniswapV3Burn,
    /// `NonfungiblePositionManager.collect`.
    UniswapV3Collect,
    /// `exchange` in a pool of two coins.
    CurveExchange2,
    /// `exchange` in a pool of three coins.
    CurveExchange3,
    /// `add_liquidity` with all coins.
    CurveAddLiquidity,
    /// `remove_liquidity`, all coins in proportion.
    CurveRemoveLiquidity,
    /// `remove_liquidity_one_coin`.
    CurveRemoveOneCoin,
    /// `remove_liquidity_imbalance` of all coins.
    CurveRemoveImbalance,
    /// `Pool.supply` that becomes collateral.
    AaveSupply,
    /// `Pool.withdraw` with debt open.
    AaveWithdraw,
    /// `Pool.borrow` of a first debt.
    AaveBorrow,
    /// `Pool.repay` of a part.
    AaveRepay,
    /// `Pool.setUserEMode`.
    AaveSetEMode,
    /// `Pool.flashLoanSimple` with a receiver that does nothing else.
    AaveFlashLoanSimple,
    /// `Pool.liquidationCall`.
    AaveLiquidation,
    /// `Morpho.supply`.
    MorphoSupply,
    /// `Morpho.withdraw`.
    MorphoWithdraw,
    /// `Morpho.borrow`.
    MorphoBorrow,
    /// `Morpho.repay`.
    MorphoRepay,
    /// `Morpho.supplyCollateral`.
    MorphoSupplyCollateral,
    /// `Morpho.withdrawCollateral`.
    MorphoWithdrawCollateral,
    /// `Morpho.liquidate`.
    MorphoLiquidate,
    /// `Morpho.flashLoan` with a receiver that does nothing else.
    MorphoFlashLoan,
    /// `Lido.submit`.
    LidoSubmit,
    /// `WstETH.wrap`.
    LidoWrap,
    /// `WstETH.unwrap`.
    LidoUnwrap,
    /// `WithdrawalQueueERC721.requestWithdrawals`, one request of stETH.
    LidoRequestWithdrawal,
    /// `WithdrawalQueueERC721.claimWithdrawal`, one request.
    LidoClaimWithdrawal,
    /// EtherFi's `LiquidityPool.deposit`.
    EtherFiDeposit,
    /// `WeETH.wrap`.
    EtherFiWrap,
    /// `WeETH.unwrap`.
    EtherFiUnwrap,
    /// EtherFi's `LiquidityPool.requestWithdraw`.
    EtherFiRequestWithdrawal,
    /// `WithdrawRequestNFT.claimWithdraw`.
    EtherFiClaimWithdrawal,
    /// Claim of KING from the Merkle distributor.
    KingClaim,
    /// Redemption of KING for the tokens behind it.
    KingUnwrap,
}

/// How a figure was come by, most certain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GasSource {
    /// Ethereum's own definition.
    Protocol,
    /// The gas of recorded transactions with the real contracts; what was taken of them.
    Recorded(&'static str),
    /// The gas of the real contracts in this repository's contract tests; under what circumstances.
    Measured(&'static str),
    /// The figure of a project that has to know it; whose.
    Documented(&'static str),
    /// What such a transaction typically uses on the main network; nothing checks it.
    Estimated(&'static str),
}

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GasFigure {
    /// Gas of the whole transaction, [`TRANSACTION`] included.
    pub gas: u64,
    /// How it was come by.
    pub source: GasSource,
}

impl GasOperation {
    /// Every operation, once.
    pub const ALL: [Self; 43] = [
        Self::EthTransfer,
        Self::Erc20Approve,
        Self::Erc20Transfer,
        Self::WethDeposit,
        Self::WethWithdraw,
        Self::UniswapV3Swap { ticks_crossed: 0 },
        Self::UniswapV3Mint,
        Self::UniswapV3Increase,
        Self::UniswapV3Burn,
        Self::UniswapV3Collect,
        Self::CurveExchange2,
        Self::CurveExchange3,
        Self::CurveAddLiquidity,
        Self::CurveRemoveLiquidity,
        Self::CurveRemoveOneCoin,
        Self::CurveRemoveImbalance,
        Self::AaveSupply,
        Self::AaveWithdraw,
        Self::AaveBorrow,
        Self::AaveRepay,
        Self::AaveSetEMode,
        Self::AaveFlashLoanSimple,
        Self::AaveLiquidation,
        Self::MorphoSupply,
        Self::MorphoWithdraw,
        Self::MorphoBorrow,
        Self::MorphoRepay,
        Self::MorphoSupplyCollateral,
        Self::MorphoWithdrawCollateral,
        Self::MorphoLiquidate,
        Self::MorphoFlashLoan,
        Self::LidoSubmit,
        Self::LidoWrap,
        Self::LidoUnwrap,
        Self::LidoRequestWithdrawal,
        Self::LidoClaimWithdrawal,
        Self::EtherFiDeposit,
        Self::EtherFiWrap,
        Self::EtherFiUnwrap,
        Self::EtherFiRequestWithdrawal,
        Self::EtherFiClaimWithdrawal,
        Self::KingClaim,
        Self::KingUnwrap,
    ];

    /// Returns the gas of a transaction that does only this, [`TRANSACTION`] included.
    #[inline]
    #[must_use]
    pub const fn gas(self) -> u64 {
        self.figure().gas
    }

    /// Returns the line of the table.
    #[must_use]
    #[rustfmt::skip]
    pub const fn figure(self) -> GasFigure {
        let (gas, source) = match self {
            Self::EthTransfer => (TRANSACTION, GasSource::Protocol),
            Self::Erc20Approve => (46_100, GasSource::Measured(WETH9)),
            Self::Erc20Transfer => (51_700, GasSource::Measured(WETH9)),
            Self::WethDeposit => (45_000, GasSource::Measured(WETH9)),
            Self::WethWithdraw => (35_300, GasSource::Measured(WETH9)),
            Self::UniswapV3Swap { ticks_crossed } => return swap(ticks_crossed),
            Self::UniswapV3Mint => (428_000, GasSource::Recorded(NEW_RANGE)),
            Self::UniswapV3Increase => (185_000, GasSource::Estimated(POSITION_MANAGER)),
            Self::UniswapV3Burn => (190_000, GasSource::Estimated(POSITION_MANAGER)),
            Self::UniswapV3Collect => (150_000, GasSource::Estimated(POSITION_MANAGER)),
            Self::CurveExchange2 => (130_000, GasSource::Estimated("stETH/ETH pool")),
            Self::CurveExchange3 => (150_000, GasSource::Documented("tycho-simulation, StableSwap exchange")),
            Self::CurveAddLiquidity => (230_000, GasSource::Estimated("3pool, three coins")),
            Self::CurveRemoveLiquidity => (180_000, GasSource::Estimated("3pool, three coins")),
            Self::CurveRemoveOneCoin => (210_000, GasSource::Estimated("3pool")),
            Self::CurveRemoveImbalance => (230_000, GasSource::Estimated(AS_DEPOSIT)),
            Self::AaveSupply => (177_000, GasSource::Measured(AAVE_FIRST)),
            Self::AaveWithdraw => (198_000, GasSource::Measured(AAVE)),
            Self::AaveBorrow => (255_000, GasSource::Measured(AAVE_FIRST)),
            Self::AaveRepay => (162_000, GasSource::Measured(AAVE)),
            Self::AaveSetEMode => (105_000, GasSource::Measured(AAVE_FIRST)),
            Self::AaveFlashLoanSimple => (172_000, GasSource::Measured(AAVE)),
            Self::AaveLiquidation => (347_000, GasSource::Measured(AAVE)),
            Self::MorphoSupply => (91_000, GasSource::Recorded(MORPHO)),
            Self::MorphoWithdraw => (86_000, GasSource::Recorded(MORPHO)),
            Self::MorphoBorrow => (94_000, GasSource::Recorded(MORPHO)),
            Self::MorphoRepay => (91_000, GasSource::Recorded(MORPHO)),
            Self::MorphoSupplyCollateral => (57_000, GasSource::Recorded(MORPHO)),
            Self::MorphoWithdrawCollateral => (91_000, GasSource::Recorded(MORPHO)),
            Self::MorphoLiquidate => (118_000, GasSource::Recorded(MORPHO)),
            Self::MorphoFlashLoan => (75_000, GasSource::Recorded("through FlashBorrowerMock")),
            Self::LidoSubmit => (90_000, GasSource::Estimated("stETH behind its proxy")),
            Self::LidoWrap => (140_000, GasSource::Documented(LIDO)),
            Self::LidoUnwrap => (115_000, GasSource::Documented(LIDO)),
            Self::LidoRequestWithdrawal => (228_000, GasSource::Documented(LIDO)),
            Self::LidoClaimWithdrawal => (90_000, GasSource::Documented(LIDO)),
            Self::EtherFiDeposit => (91_000, GasSource::Documented(KYBER)),
            Self::EtherFiWrap => (161_000, GasSource::Documented(KYBER)),
            Self::EtherFiUnwrap => (101_000, GasSource::Documented(KYBER)),
            Self::EtherFiRequestWithdrawal => (220_000, GasSource::Estimated("as Lido's request")),
            Self::EtherFiClaimWithdrawal => (110_000, GasSource::Estimated("as Lido's claim, behind a proxy")),
            Self::KingClaim => (130_000, GasSource::Estimated("Merkle proof of 20 levels, a transfer")),
            Self::KingUnwrap => (250_000, GasSource::Estimated("a burn and four transfers")),
        };
        GasFigure { gas, source }
    }
}

const WETH9: &str = "WETH9, first use of the slot that is written";
const NEW_RANGE: &str = "@uniswap/v3-periphery 1.4.4, median of 7 mints, most with new ticks";
const POSITION_MANAGER: &str =
    "through the position manager: the pool's part, measured, and the manager's own";
const AS_DEPOSIT: &str = "3pool, as its deposit: the same three invariants, the coins the other way, a burn for the mint";
const AAVE_FIRST: &str = "Aave 3.2, first use of the user's slots";
const AAVE: &str = "Aave 3.2, with collateral and debt open";
const MORPHO: &str = "@morpho-org/morpho-blue 1.0.0, median";
const LIDO: &str = "lidofinance/ethereum-staking-widget, fallback gas limits, rounded";
const KYBER: &str =
    "KyberNetwork/kyberswap-dex-lib, gas of the call within a route, and the transaction's base";

/// Swaps recorded through `SwapRouter02`: the median without a crossing, and what each crossing of
/// an initialized tick adds when both its words of fee growth are already in use. Exact inputs and exact
/// outputs are among them; the median of the latter alone is 109,058.
const fn swap(ticks_crossed: u32) -> GasFigure {
    const NO_CROSSING: u64 = 112_000;
    const CROSSING: u64 = 26_000;
    GasFigure {
        gas: NO_CROSSING.saturating_add(CROSSING.saturating_mul(ticks_crossed as u64)),
        source: GasSource::Recorded("@uniswap/swap-router-contracts 1.3.1, by ticks crossed"),
    }
}

/// Returns the gas of `steps` executed as one cast of an Instadapp account: the [`TRANSACTION`] base
/// once, each step without its own, [`CAST`], [`CAST_STEP`] for each, and [`CAST_FLASH_LOAN`] when a
/// flash loan stands in front.
///
/// The flash loan is not one of the steps.
#[must_use]
pub fn atomic_gas(steps: &[GasOperation], flash_loan: bool) -> u64 {
    let base = TRANSACTION.saturating_add(CAST);
    let base = base.saturating_add(if flash_loan { CAST_FLASH_LOAN } else { 0 });
    steps.iter().fold(base, |sum, step| {
        let own = step.gas().saturating_sub(TRANSACTION);
        sum.saturating_add(own).saturating_add(CAST_STEP)
    })
}

/// Gwei in an ETH.
const GWEI_PER_ETH: i64 = 1_000_000_000;

/// Returns what `units` of gas cost at `gas_price_gwei`, in ETH, rounded up.
///
/// # Errors
/// [`MathError`] out of range.
pub fn ether_cost(units: u64, gas_price_gwei: Fixed18) -> Result<Quantity, MathError> {
    let units = Fixed18::from_int(i64::try_from(units).unwrap_or(i64::MAX));
    let per_ether = Fixed18::from_int(GWEI_PER_ETH);
    let ether = units.mul_div(gas_price_gwei, per_ether, Rounding::Up)?;
    Ok(Quantity::new(ether))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_operation_is_listed_once_and_costs_a_transaction_at_least() {
        let names: BTreeSet<_> = GasOperation::ALL.map(|op| format!("{op:?}")).into();
        assert_eq!(names.len(), GasOperation::ALL.len());
        for operation in GasOperation::ALL {
            assert!(operation.gas() >= TRANSACTION, "{operation:?}");
            assert!(operation.gas() < 1_000_000, "{operation:?}");
        }
    }

    #[test]
    fn a_swap_costs_more_with_each_tick() {
        let gas = |ticks_crossed| GasOperation::UniswapV3Swap { ticks_crossed }.gas();
        assert_eq!(gas(0), 112_000);
        assert_eq!(gas(1), 138_000);
        assert_eq!(gas(4) - gas(3), gas(1) - gas(0));
    }

    #[test]
    fn a_cast_pays_for_one_transaction() {
        assert_eq!(atomic_gas(&[], false), TRANSACTION + CAST);
        let steps = [GasOperation::AaveSupply, GasOperation::AaveBorrow];
        let alone = 177_000 + 255_000 - 2 * TRANSACTION;
        let cast = TRANSACTION + CAST + alone + 2 * CAST_STEP;
        assert_eq!(atomic_gas(&steps, false), cast);
        assert_eq!(atomic_gas(&steps, true), cast + CAST_FLASH_LOAN);
    }
}
