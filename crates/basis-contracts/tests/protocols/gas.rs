//! The gas table against the contracts: what is said to be measured or recorded must be near what
//! they use here.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::path::Path;

use basis_contracts::aave::{self, EMode, ReserveConfig, Version};
use basis_contracts::abi::{Token, call, from_address, tuple};
use basis_contracts::artifact::{Artifact, installed};
use basis_contracts::morpho::{self, Irm};
use basis_contracts::uniswap;
use basis_contracts::{Address, Evm, U256, args, user};
use basis_protocols::gas::GasOperation;
use serde_json::Value;

const MORPHO_PARAMS: &str = "(address,address,address,address,uint256)";

fn whole(n: u64) -> U256 {
    U256::from(n) * U256::from(10).pow(U256::from(18))
}

/// Says that the table is within `percent` of what was used.
fn hold(operation: GasOperation, used: u64, percent: u64) {
    let table = operation.gas();
    let apart = table.abs_diff(used);
    assert!(
        apart * 100 <= used * percent,
        "{operation:?}: {table} in the table, {used} used"
    );
}

/// The gas of a transaction ten minutes later.
fn used(evm: &mut Evm, from: Address, to: Address, signature: &str, arguments: &[Token]) -> u64 {
    evm.advance(600);
    let output = evm.send(from, to, call(signature, arguments)).unwrap();
    output.gas_used
}

#[test]
fn ether_and_tokens_use_what_the_table_says() {
    let artifact = "node_modules/canonical-weth/build/contracts/WETH9.json";
    if !installed(&[artifact]) {
        return;
    }
    let (mut evm, me, other) = (Evm::new(), user(1), user(2));
    let weth = Artifact::load(artifact).deploy(&mut evm, &[]);
    evm.set_balance(me, whole(100));
    let sent = evm.send_value(me, other, Vec::new(), whole(1)).unwrap();
    assert_eq!(sent.gas_used, GasOperation::EthTransfer.gas());
    let deposit = call("deposit()", &[]);
    let deposited = evm.send_value(me, weth, deposit, whole(10)).unwrap();
    hold(GasOperation::WethDeposit, deposited.gas_used, 1);
    for (operation, signature, arguments) in [
        (
            GasOperation::WethWithdraw,
            "withdraw(uint256)",
            args![whole(1)],
        ),
        (
            GasOperation::Erc20Approve,
            "approve(address,uint256)",
            args![other, whole(1)],
        ),
        (
            GasOperation::Erc20Transfer,
            "transfer(address,uint256)",
            args![other, whole(1)],
        ),
    ] {
        hold(operation, used(&mut evm, me, weth, signature, arguments), 1);
    }
}

/// An Aave market of WETH and wstETH with lenders and debt in both.
fn aave_market() -> Option<aave::Market> {
    let weth = ReserveConfig {
        symbol: "WETH",
        decimals: 18,
        price: 300_000_000_000,
        ltv: 8_050,
        liquidation_threshold: 8_300,
        liquidation_bonus: 10_500,
        ..ReserveConfig::default()
    };
    let wsteth = ReserveConfig {
        symbol: "wstETH",
        price: 360_000_000_000,
        ..weth
    };
    let e_mode = EMode {
        category: 1,
        ltv: 9_300,
        liquidation_threshold: 9_500,
        liquidation_bonus: 10_100,
        reserves: vec![0, 1],
    };
    let mut market = aave::Market::new(Version::V32, &[weth, wsteth], &[e_mode])?;
    for (lender, reserve, other) in [(user(0), 0, 1), (user(2), 1, 0)] {
        market.supply(lender, reserve, whole(1_000)).unwrap();
        market.evm.advance(600);
        if reserve == 1 {
            market.borrow(lender, other, whole(1)).unwrap();
        }
    }
    Some(market)
}

#[test]
fn aave_uses_what_the_table_says() {
    let Some(mut market) = aave_market() else {
        return;
    };
    let (me, pool) = (user(1), market.pool);
    let (weth, wsteth) = (market.asset(0), market.asset(1));
    let evm = &mut market.evm;
    for (operation, signature, arguments) in [
        (
            GasOperation::AaveSupply,
            "supply(address,uint256,address,uint16)",
            args![wsteth, whole(10), me, 0_u8],
        ),
        (
            GasOperation::AaveSetEMode,
            "setUserEMode(uint8)",
            args![1_u8],
        ),
        (
            GasOperation::AaveBorrow,
            "borrow(address,uint256,uint256,uint16,address)",
            args![weth, whole(10), 2_u8, 0_u8, me],
        ),
        (
            GasOperation::AaveRepay,
            "repay(address,uint256,uint256,address)",
            args![weth, whole(1), 2_u8, me],
        ),
        (
            GasOperation::AaveWithdraw,
            "withdraw(address,uint256,address)",
            args![wsteth, whole(1), me],
        ),
    ] {
        hold(operation, used(evm, me, pool, signature, arguments), 5);
    }
    evm.advance(600);
    let flash = market.flash_loan(0, whole(10)).unwrap();
    hold(GasOperation::AaveFlashLoanSimple, flash.gas_used, 5);
    market.set_price(1, U256::from(300_000_000_000_u64));
    market.evm.advance(600);
    let what = aave::Liquidation {
        collateral: 1,
        debt: 0,
        user: me,
        debt_to_cover: whole(1),
        receive_a_token: false,
    };
    let liquidated = market.liquidate(user(3), what).unwrap();
    hold(GasOperation::AaveLiquidation, liquidated.gas_used, 5);
}

/// Operation, signature and arguments of what a user of Morpho does.
type Acts = Vec<(GasOperation, String, Vec<Token>)>;

/// Each of a user's operations for one whole token.
fn morpho_acts(params: &Token, me: Address) -> Acts {
    let lend = |name: &str, last: Token| {
        let kind = match last {
            Token::Bytes(_) => "bytes",
            _ => "address",
        };
        let signature = format!("{name}({MORPHO_PARAMS},uint256,uint256,address,{kind})");
        let amounts = [whole(1).into(), 0_u8.into(), me.into(), last];
        (signature, [vec![params.clone()], amounts.to_vec()].concat())
    };
    let pledge = |name: &str, kind: &str, last: Token| {
        let signature = format!("{name}({MORPHO_PARAMS},uint256,address,{kind})");
        let arguments = vec![params.clone(), whole(1).into(), me.into(), last];
        (signature, arguments)
    };
    let none = || Token::Bytes(Vec::new());
    [
        (GasOperation::MorphoSupply, lend("supply", none())),
        (GasOperation::MorphoWithdraw, lend("withdraw", me.into())),
        (GasOperation::MorphoBorrow, lend("borrow", me.into())),
        (GasOperation::MorphoRepay, lend("repay", none())),
        (
            GasOperation::MorphoSupplyCollateral,
            pledge("supplyCollateral", "bytes", none()),
        ),
        (
            GasOperation::MorphoWithdrawCollateral,
            pledge("withdrawCollateral", "address", me.into()),
        ),
    ]
    .into_iter()
    .map(|(operation, (signature, arguments))| (operation, signature, arguments))
    .collect()
}

#[test]
fn morpho_uses_what_the_table_says() {
    let config = morpho::Config {
        loan_decimals: 18,
        collateral_decimals: 18,
        lltv: U256::from(945_000_000_000_000_000_u64),
        fee: U256::ZERO,
        irm: Irm::Adaptive,
    };
    let Some(mut market) = morpho::Market::new(config) else {
        return;
    };
    let (me, lender, morpho) = (user(1), user(0), market.morpho);
    let amount = morpho::Amount::Assets(whole(1_000));
    market.supply(lender, amount).unwrap();
    market.supply(me, morpho::Amount::Assets(whole(1))).unwrap();
    market.supply_collateral(me, whole(100)).unwrap();
    market
        .borrow(me, morpho::Amount::Assets(whole(50)))
        .unwrap();
    let params = tuple(args![
        market.loan.address,
        market.collateral.address,
        market.oracle,
        market.irm,
        market.lltv,
    ]);
    for (operation, signature, arguments) in morpho_acts(&params, me) {
        let gas = used(&mut market.evm, me, morpho, &signature, &arguments);
        // Recorded with a simpler rate model.
        hold(operation, gas, 5);
    }
    let price = market.price() / U256::from(2);
    market.set_price(price);
    let signature = format!("liquidate({MORPHO_PARAMS},address,uint256,uint256,bytes)");
    let arguments = [params, me.into(), whole(1).into(), 0_u8.into(), "".into()];
    let gas = used(&mut market.evm, lender, morpho, &signature, &arguments);
    hold(GasOperation::MorphoLiquidate, gas, 5);
}

/// The position manager is not among the packages: the pool's own calls are a part of what it uses, and
/// the table's figures for it must leave room for them and not much more.
#[test]
fn a_pool_uses_a_part_of_what_the_table_says_of_the_position_manager() {
    let Some(mut market) = uniswap::Market::new(18, 18) else {
        return;
    };
    let price = U256::from(1) << 96;
    let pool = market.create_pool(3_000, price);
    let (others, me, tokens) = (user(0), user(1), whole(1_000).to::<u128>());
    market.mint(pool, others, -6_000, 6_000, tokens).unwrap();
    let paid = [market.token0, market.token1].map(|token| token.address);
    let paid = paid.map(|token| from_address(token).to_be_bytes::<32>());
    let paid = Token::Bytes(paid.concat());
    let mint = "mint(address,int24,int24,uint128,bytes)";
    let minted = args![me, -120_i32, 180_i32, tokens, paid];
    let evm = &mut market.evm;
    let first = used(evm, me, pool.address, mint, minted);
    let more = used(evm, me, pool.address, mint, minted);
    let limit = U256::from(1) << 90;
    for (way, amount) in [(true, 5), (false, 7)] {
        let amount = i128::try_from(whole(amount).to::<u128>()).unwrap();
        let limit = if way { limit } else { price << 6 };
        let amount = basis_contracts::I256::try_from(amount).unwrap();
        market.evm.advance(600);
        market.swap(pool, others, way, amount, limit).unwrap();
    }
    let evm = &mut market.evm;
    let burn = args![-120_i32, 180_i32, tokens];
    let burnt = used(evm, me, pool.address, "burn(int24,int24,uint128)", burn);
    let collect = args![me, -120_i32, 180_i32, u128::MAX, u128::MAX];
    let signature = "collect(address,int24,int24,uint128,uint128)";
    let collected = used(evm, me, pool.address, signature, collect);
    // Beside the pool's own: a token of the position when it is new; its record, read and written; and
    // with a collection the burn of nothing that credits the fees.
    for (operation, used, beside) in [
        (GasOperation::UniswapV3Mint, first, 200_000),
        (GasOperation::UniswapV3Increase, more, 70_000),
        (GasOperation::UniswapV3Burn, burnt, 70_000),
        (GasOperation::UniswapV3Collect, collected, 100_000),
    ] {
        let table = operation.gas();
        assert!(
            used < table && table <= used + beside,
            "{operation:?}: {table} in the table, {used} used by the pool"
        );
    }
}

fn integer(value: &Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn median(mut gas: Vec<u64>) -> u64 {
    gas.sort_unstable();
    gas[gas.len() / 2]
}

#[test]
fn recorded_swaps_and_mints_use_what_the_table_says() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let file = shared.join("vectors/onchain/univ3.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("SKIPPED: {} is not here", file.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let pool = &vectors["scenarios"][0];
    let gas_of = |step: &Value| step["gasUsed"].as_u64();
    let mints = pool["mints"].as_array().unwrap();
    let mints = mints.iter().filter_map(gas_of).collect();
    hold(GasOperation::UniswapV3Mint, median(mints), 1);
    let ticks = pool["ticksAfterMints"].as_object().unwrap().keys();
    let ticks: Vec<i64> = ticks.map(|tick| tick.parse().unwrap()).collect();
    let mut tick = integer(&pool["stateBeforeSwaps"]["tick"]);
    let (mut within, mut of_output) = (Vec::new(), Vec::new());
    for swap in pool["swaps"].as_array().unwrap() {
        let after = integer(&swap["after"]["tick"]);
        let (low, high) = (tick.min(after), tick.max(after));
        let crossed = ticks.iter().any(|tick| low < *tick && *tick <= high);
        if !crossed {
            within.extend(gas_of(swap));
            let of_input = swap["exactIn"].as_bool().unwrap();
            of_output.extend(gas_of(swap).filter(|_| !of_input));
        }
        tick = after;
    }
    let swap = GasOperation::UniswapV3Swap { ticks_crossed: 0 };
    hold(swap, median(within), 2);
    // Those of an exact output are among them, and use no other gas on their own.
    assert!(of_output.len() > 10, "{} exact outputs", of_output.len());
    hold(swap, median(of_output), 3);
}
