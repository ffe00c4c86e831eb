//! What each venue is asked: its script of valid instructions, and what it must refuse.

use std::marker::PhantomData;

use basis::core::instruction::Operation;

use super::market::Bench;
use super::script::{
    Script, Status, add_liquidity, amend, atomic, cancel, claim, claim_rewards, collect_fees,
    e_mode, flash_loan, lend, leverage, limit, perp, remove_exactly, remove_liquidity, remove_one,
    spot, staking, swap, swap_for, transfer,
};

/// Instructions that prepare a state, and those that it must refuse.
pub type Probe = (Vec<Operation>, Vec<Operation>);

/// An operation of any amount, and an amount that is too much.
pub type Amount = (fn(&str) -> Operation, &'static str);

/// One venue under the suite.
#[derive(Debug)]
pub struct Subject {
    /// Its name.
    pub venue: &'static str,
    /// Valid instructions in order: fund, act, undo.
    pub script: fn(&mut Script),
    /// Unknown asset, symbol, pool, market, account, order, withdrawal request.
    pub unknown: fn() -> Vec<Operation>,
    /// Everything that has an amount, and an amount above what is there.
    pub amounts: &'static [Amount],
    /// Below a minimum, above a cap or maximum.
    pub bounds: fn() -> Probe,
    /// More decimals than the asset has.
    pub finer: fn() -> Vec<Operation>,
    /// What needs a price or a rate.
    pub priced: fn() -> Probe,
    /// Series without which the preparation or the instruction of `priced` is refused.
    pub needs: &'static [&'static str],
    /// Operations that could be a step of a group; empty where none can.
    pub step: fn() -> Option<Operation>,
    /// Where it is asked.
    pub bench: Bench,
}

const GAS: &str = "gas.ethereum.gwei";

/// An exchange with one account, which deposits arrive in and orders are paid from, and with spot and perp
/// of ETHUSDT.
pub trait OneAccount {
    /// Its name.
    const VENUE: &'static str;
    /// Its account without the venue.
    const ACCOUNT: &'static str;
    /// The account with the venue, as `bybit.unified`.
    const PLACE: &'static str;
    /// The series of its spot market.
    const SPOT: &'static [&'static str];
    /// Where it is asked.
    const BENCH: Bench;
}

struct Bybit;

impl OneAccount for Bybit {
    const VENUE: &'static str = "bybit";
    const ACCOUNT: &'static str = "unified";
    const PLACE: &'static str = "bybit.unified";
    const SPOT: &'static [&'static str] = &["spot.bybit.ETHUSDT"];
    const BENCH: Bench = Bench::BUILTIN;
}

struct Amounts<E>(PhantomData<E>);

impl<E: OneAccount> Amounts<E> {
    const ALL: &'static [Amount] = &[
        (|q| spot("ETHUSDT", "buy", q), "100"),
        (|q| spot("ETHUSDT", "sell", q), "11"),
        (|q| perp("ETHUSDT", "sell", q, false), "100"),
        (|q| transfer("USDT", q, E::PLACE, "wallet.main"), "1000000"),
    ];
}

impl Subject {
    /// The exchange `E`, which begins with 50,000 USDT and 10 ETH.
    #[must_use]
    pub const fn exchange<E: OneAccount>() -> Self {
        Self {
            venue: E::VENUE,
            script: |script| exchange(script, E::VENUE, E::PLACE),
            unknown: || unknown_at_exchange(E::VENUE, E::ACCOUNT),
            amounts: Amounts::<E>::ALL,
            bounds: || bounds_at_exchange(E::PLACE),
            finer: || finer_at_exchange(E::PLACE),
            priced: || (Vec::new(), vec![spot("ETHUSDT", "buy", "1")]),
            needs: E::SPOT,
            step: || None,
            bench: E::BENCH,
        }
    }
}

/// The built-in venues, in the order of the registry.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        venue: "binance",
        script: |script| {
            exchange(script, "binance", "binance.spot");
            let within = |units| transfer("USDT", units, "binance.spot", "binance.usdm");
            script.settle("binance", within("100"));
        },
        unknown: || unknown_at_exchange("binance", "spot"),
        amounts: &[
            (|q| spot("ETHUSDT", "buy", q), "100"),
            (|q| spot("ETHUSDT", "sell", q), "11"),
            (|q| perp("ETHUSDT", "sell", q, false), "100"),
            (
                |q| transfer("USDT", q, "binance.spot", "wallet.main"),
                "1000000",
            ),
            (
                |q| transfer("USDT", q, "binance.spot", "binance.usdm"),
                "1000000",
            ),
        ],
        bounds: || bounds_at_exchange("binance.spot"),
        finer: || finer_at_exchange("binance.spot"),
        priced: || (Vec::new(), vec![spot("ETHUSDT", "buy", "1")]),
        needs: &["spot.binance.ETHUSDT"],
        step: || None,
        bench: Bench::BUILTIN,
    },
    Subject::exchange::<Bybit>(),
    Subject {
        venue: "okx",
        script: |script| {
            exchange(script, "okx", "okx.funding");
            let within = |units| transfer("USDT", units, "okx.funding", "okx.trading");
            script.settle("okx", within("100"));
        },
        unknown: || unknown_at_exchange("okx", "funding"),
        amounts: &[
            (|q| spot("ETHUSDT", "buy", q), "100"),
            (|q| spot("ETHUSDT", "sell", q), "11"),
            (|q| perp("ETHUSDT", "sell", q, false), "100"),
            (
                |q| transfer("USDT", q, "okx.funding", "wallet.main"),
                "1000000",
            ),
            (
                |q| transfer("USDT", q, "okx.trading", "okx.funding"),
                "1000000",
            ),
        ],
        bounds: || bounds_at_exchange("okx.funding"),
        finer: || finer_at_exchange("okx.funding"),
        priced: || (Vec::new(), vec![spot("ETHUSDT", "buy", "1")]),
        needs: &["spot.okx.ETHUSDT"],
        step: || None,
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "uniswap",
        script: |script| {
            let mut swap = |pool, way, units| {
                script.settle("uniswap", swap(pool, way, units, "0"));
            };
            swap("WETHUSDT", ["WETH", "USDT"], "2");
            swap("WETHUSDT", ["USDT", "WETH"], "1234.567891");
            swap("EIGENWETH", ["WETH", "EIGEN"], "1");
            swap("wstETHWETH", ["wstETH", "WETH"], "1.5");
            swap("ranges", ["WETH", "weETH"], "3");
            swap("ranges", ["weETH", "WETH"], "1");
            in_exchange_for(script);
            in_ranges(script);
            in_followed(script);
        },
        unknown: || {
            vec![
                swap("nowhere", ["WETH", "USDT"], "1", "0"),
                swap("WETHUSDT", ["WETH", "DOGE"], "1", "0"),
                swap("WETHUSDT", ["ETH", "USDT"], "1", "0"),
                swap("WETHUSDT", ["WETH", "WETH"], "1", "0"),
                swap_for("nowhere", ["WETH", "USDT"], "1", "1"),
                swap_for("ranges", ["WETH", "DOGE"], "1", "1"),
                add_liquidity("nowhere", WIDE, &["1", "1"]),
                add_liquidity("WETHUSDT", WIDE, &["1", "1"]),
                add_liquidity("ranges", None, &["1", "1"]),
                add_liquidity("ranges", Some([-120, 121]), &["1", "1"]),
                add_liquidity("ranges", Some([120, -120]), &["1", "1"]),
                add_liquidity("ranges", Some([-887_280, 120]), &["1", "1"]),
                add_liquidity("ranges", WIDE, &["1", "1", "1"]),
                remove_liquidity("nowhere", WIDE, "1", &["0", "0"]),
                remove_liquidity("ranges", Some([-6_000, 6_000]), "1", &["0", "0"]),
                remove_liquidity("ranges", WIDE, "1", &["0"]),
                remove_one("ranges", "1", "WETH", "0"),
                remove_exactly("ranges", &["1", "1"], "3"),
                collect_fees("nowhere", WIDE),
                collect_fees("ranges", Some([-6_000, 6_000])),
            ]
        },
        amounts: &[
            (|q| swap("WETHUSDT", ["WETH", "USDT"], q, "0"), "1000.1"),
            (|q| swap("ranges", ["weETH", "WETH"], q, "0"), "1000.1"),
            (
                |q| swap_for("WETHUSDT", ["WETH", "USDT"], q, "1000"),
                "20000000",
            ),
            (|q| swap_for("ranges", ["weETH", "WETH"], q, "1000"), "900"),
            (|q| add_liquidity("ranges", WIDE, &[q, q]), "2000"),
            (
                |q| remove_liquidity("ranges", WIDE, q, &["0", "0"]),
                "1000000",
            ),
        ],
        bounds: || {
            let more = swap("WETHUSDT", ["WETH", "USDT"], "1", "1000000");
            (
                vec![add_liquidity("ranges", WIDE, &["1", "1"])],
                vec![
                    more,
                    swap("ranges", ["WETH", "weETH"], "900", "0"),
                    swap_for("WETHUSDT", ["WETH", "USDT"], "1000", "0.01"),
                    swap_for("ranges", ["WETH", "weETH"], "1", "0.5"),
                    remove_liquidity("ranges", WIDE, "1", &["1", "1"]),
                ],
            )
        },
        finer: || {
            vec![
                swap("WETHUSDT", ["USDT", "WETH"], "1.0000001", "0"),
                swap_for("WETHUSDT", ["WETH", "USDT"], "1.0000001", "1"),
            ]
        },
        priced: || {
            let swap = swap("WETHUSDT", ["WETH", "USDT"], "1", "0");
            let output = swap_for("WETHUSDT", ["WETH", "USDT"], "100", "1");
            (Vec::new(), vec![swap, output])
        },
        needs: &["dex.uniswap.WETHUSDT_3000", GAS],
        step: || Some(add_liquidity("ranges", WIDE, &["10", "10"])),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "curve",
        script: |script| {
            let mut swap = |pool, way, units| {
                script.settle("curve", swap(pool, way, units, "0"));
            };
            swap("weETHWETH", ["weETH", "WETH"], "2");
            swap("weETHWETH", ["WETH", "weETH"], "1.5");
            swap("three", ["weETH", "USDC"], "5");
            swap("three", ["USDC", "WETH"], "1.234567");
            in_three(script);
            in_tied(script);
            script.wait(30);
        },
        unknown: || {
            vec![
                swap("nowhere", ["weETH", "WETH"], "1", "0"),
                swap("weETHWETH", ["weETH", "USDT"], "1", "0"),
                swap("three", ["DOGE", "WETH"], "1", "0"),
                // What its contracts do not know.
                swap_for("weETHWETH", ["weETH", "WETH"], "1", "2"),
                swap_for("three", ["weETH", "WETH"], "1", "2"),
                add_liquidity("nowhere", None, &["1", "1"]),
                add_liquidity("weETHWETH", None, &["1", "1"]),
                add_liquidity("three", None, &["1", "1"]),
                add_liquidity("three", WIDE, &["1", "1", "1"]),
                remove_liquidity("nowhere", None, "1", &["0", "0"]),
                remove_liquidity("three", None, "1", &["0", "0"]),
                remove_one("nowhere", "1", "WETH", "0"),
                remove_one("three", "1", "DOGE", "0"),
                remove_one("three", "1", "ETH", "0"),
                remove_exactly("nowhere", &["1", "1"], "3"),
                remove_exactly("three", &["1", "1"], "3"),
                remove_exactly("weETHWETH", &["1", "1"], "3"),
            ]
        },
        amounts: &[
            (|q| swap("weETHWETH", ["weETH", "WETH"], q, "0"), "1000.1"),
            (|q| swap("three", ["USDC", "WETH"], q, "0"), "100001"),
            (|q| add_liquidity("three", None, &[q, q, q]), "2000"),
            (
                |q| remove_liquidity("three", None, q, &["0", "0", "0"]),
                "1000000",
            ),
            (|q| remove_one("three", q, "USDC", "0"), "1000000"),
            (|q| remove_exactly("three", &[q, q, q], "1000000"), "100000"),
        ],
        bounds: || {
            let more = |pool| swap(pool, ["weETH", "WETH"], "1", "2");
            let out = remove_liquidity("three", None, "1", &["1", "1", "1"]);
            (
                vec![add_liquidity("three", None, &["1", "1", "1"])],
                vec![
                    more("weETHWETH"),
                    more("three"),
                    out,
                    remove_one("three", "1", "USDC", "2"),
                    remove_exactly("three", &["1", "1", "0"], "1"),
                ],
            )
        },
        finer: || {
            vec![
                swap("three", ["USDC", "WETH"], "1.0000001", "0"),
                add_liquidity("three", None, &["1", "1", "1.0000001"]),
                remove_exactly("three", &["1", "1", "1.0000001"], "4"),
            ]
        },
        priced: || {
            let swap = swap("weETHWETH", ["weETH", "WETH"], "1", "0");
            (Vec::new(), vec![swap])
        },
        needs: &["staking_market.curve.weETH_ETH", GAS],
        step: || Some(add_liquidity("three", None, &["1", "0", "2"])),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "aave",
        script: |script| {
            let mut settle = |operation| script.settle("aave", operation);
            settle(lend("supply", "weETH", "10", ""));
            settle(lend("supply", "USDT", "1234.567891", ""));
            settle(e_mode(1));
            settle(lend("borrow", "WETH", "8", ""));
            script.wait(42);
            // Amounts that leave what is left a unit more or less than the difference.
            for _ in 0..8 {
                script.settle("aave", lend("supply", "weETH", "0.123456789123456789", ""));
                script.settle("aave", lend("borrow", "WETH", "0.111111111111111111", ""));
                script.wait(1);
                script.settle(
                    "aave",
                    lend("withdraw", "weETH", "0.033333333333333333", ""),
                );
                script.settle("aave", lend("repay", "WETH", "0.077777777777777777", ""));
            }
            let mut settle = |operation| script.settle("aave", operation);
            settle(lend("repay", "WETH", "3", ""));
            settle(lend("withdraw", "weETH", "1", ""));
            settle(lend("repay", "WETH", "all", ""));
            settle(e_mode(0));
            settle(lend("withdraw", "weETH", "all", ""));
            settle(lend("withdraw", "USDT", "all", "main"));
            script.wait(2);
        },
        unknown: || {
            let mut refused: Vec<_> = ["supply", "withdraw", "borrow", "repay"]
                .map(|kind| lend(kind, "DOGE", "1", ""))
                .into();
            refused.extend([
                lend("supply", "WETH", "1", "nowhere"),
                lend("supply", "ETH", "1", ""),
                e_mode(200),
            ]);
            refused
        },
        amounts: &[
            (|q| lend("supply", "WETH", q, ""), "1000.1"),
            (|q| lend("withdraw", "WETH", q, ""), "1000.1"),
            (|q| lend("borrow", "WETH", q, ""), "1000.1"),
            (|q| lend("repay", "WETH", q, ""), "1000.1"),
        ],
        bounds: || {
            let collateral = lend("supply", "weETH", "100", "");
            let supply = lend("supply", "wstETH", "1", "");
            (
                vec![collateral],
                vec![supply, lend("borrow", "USDT", "1", "")],
            )
        },
        finer: || {
            let all = ["supply", "withdraw", "borrow", "repay"];
            all.map(|kind| lend(kind, "USDT", "1.0000001", "")).into()
        },
        priced: || {
            let collateral = lend("supply", "weETH", "10", "");
            (vec![collateral], vec![lend("borrow", "WETH", "1", "")])
        },
        needs: &["aave_reserve.aave.weETH", "aave_reserve.aave.WETH", GAS],
        step: || Some(lend("supply", "weETH", "2", "")),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "morpho",
        script: |script| {
            let (ether, dollar) = ("weeth_weth", "weeth_usdc");
            let mut settle = |operation| script.settle("morpho", operation);
            settle(lend("supply", "WETH", "20", ether));
            settle(lend("supply", "weETH", "10", ether));
            settle(lend("borrow", "WETH", "5", ether));
            settle(lend("supply", "USDC", "1234.567891", dollar));
            settle(lend("supply", "weETH", "1", dollar));
            settle(lend("borrow", "USDC", "1000.000001", dollar));
            script.wait(50);
            let mut settle = |operation| script.settle("morpho", operation);
            settle(lend("repay", "WETH", "2", ether));
            settle(lend("repay", "WETH", "all", ether));
            settle(lend("repay", "USDC", "all", dollar));
            settle(lend("withdraw", "weETH", "all", ether));
            settle(lend("withdraw", "weETH", "all", dollar));
            settle(lend("withdraw", "WETH", "1", ether));
            settle(lend("withdraw", "WETH", "all", ether));
            settle(lend("withdraw", "USDC", "all", dollar));
            script.wait(2);
        },
        unknown: || {
            let mut refused: Vec<_> = ["supply", "withdraw", "borrow", "repay"]
                .map(|kind| lend(kind, "DOGE", "1", "weeth_weth"))
                .into();
            refused.extend([
                lend("supply", "WETH", "1", "nowhere"),
                lend("supply", "ETH", "1", "weeth_weth"),
                lend("borrow", "weETH", "1", "weeth_weth"),
                lend("supply", "weETH", "1", ""),
            ]);
            refused
        },
        amounts: &[
            (|q| lend("supply", "WETH", q, "weeth_weth"), "1000.1"),
            (|q| lend("supply", "weETH", q, "weeth_weth"), "1000.1"),
            (|q| lend("withdraw", "WETH", q, "weeth_weth"), "1000.1"),
            (|q| lend("withdraw", "weETH", q, "weeth_weth"), "1000.1"),
            (|q| lend("borrow", "WETH", q, "weeth_weth"), "1000.1"),
            (|q| lend("repay", "WETH", q, "weeth_weth"), "1000.1"),
        ],
        bounds: || {
            let collateral = lend("supply", "weETH", "900", "weeth_weth");
            // The market has 100 to lend.
            (
                vec![collateral],
                vec![lend("borrow", "WETH", "101", "weeth_weth")],
            )
        },
        finer: || {
            let all = ["supply", "withdraw", "borrow", "repay"];
            all.map(|kind| lend(kind, "USDC", "1.0000001", "weeth_usdc"))
                .into()
        },
        priced: || {
            let collateral = lend("supply", "weETH", "10", "weeth_weth");
            (
                vec![collateral],
                vec![lend("borrow", "WETH", "1", "weeth_weth")],
            )
        },
        needs: &["staking_rate.etherfi.weETH_ETH", GAS],
        step: || Some(lend("supply", "weETH", "2", "weeth_weth")),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "lido",
        script: |script| staked(script, "lido", ["stETH", "wstETH"], &[]),
        unknown: || unknown_at_staking(["stETH", "wstETH"]),
        amounts: &[
            (|q| staking("stake", ["ETH", "stETH"], q), "1000.1"),
            (|q| staking("stake", ["ETH", "wstETH"], q), "1000.1"),
            (|q| staking("wrap", ["stETH", "wstETH"], q), "1000.1"),
            (|q| staking("unwrap", ["wstETH", "stETH"], q), "1000.1"),
            (|q| staking("unstake", ["stETH", "ETH"], q), "1000.1"),
            (|q| staking("unstake", ["wstETH", "ETH"], q), "1000.1"),
        ],
        bounds: || {
            let little = |asset, wei| staking("unstake", [asset, "ETH"], wei);
            let refused = vec![
                little("stETH", "0.000000000000000099"),
                little("wstETH", "0.00000000000000008"),
            ];
            (vec![staking("stake", ["ETH", "stETH"], "1")], refused)
        },
        finer: Vec::new,
        priced: || (Vec::new(), vec![staking("stake", ["ETH", "stETH"], "1")]),
        needs: &["staking_rate.lido.wstETH_ETH", GAS],
        step: || Some(staking("stake", ["ETH", "stETH"], "3")),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "etherfi",
        script: |script| staked(script, "etherfi", ["eETH", "weETH"], &["EIGEN", "ETHFI"]),
        unknown: || {
            let mut refused = unknown_at_staking(["eETH", "weETH"]);
            refused.push(claim_rewards("DOGE"));
            refused
        },
        amounts: &[
            (|q| staking("stake", ["ETH", "eETH"], q), "1000.1"),
            (|q| staking("stake", ["ETH", "weETH"], q), "1000.1"),
            (|q| staking("wrap", ["eETH", "weETH"], q), "1000.1"),
            (|q| staking("unwrap", ["weETH", "eETH"], q), "1000.1"),
            (|q| staking("unstake", ["eETH", "ETH"], q), "1000.1"),
            (|q| staking("unstake", ["weETH", "ETH"], q), "1000.1"),
        ],
        bounds: || {
            // A wei is worth less than a share.
            let wei = "0.000000000000000001";
            let stake = |units| staking("stake", ["ETH", "eETH"], units);
            (vec![stake("1")], vec![stake(wei)])
        },
        finer: Vec::new,
        priced: || (Vec::new(), vec![staking("stake", ["ETH", "eETH"], "1")]),
        needs: &["staking_rate.etherfi.weETH_ETH", GAS],
        step: || Some(staking("stake", ["ETH", "eETH"], "3")),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "instadapp",
        script: |script| {
            let open = atomic(&[
                ("aave", flash_loan("WETH", "20")),
                ("wallet", staking("unwrap", ["WETH", "ETH"], "20")),
                ("etherfi", staking("stake", ["ETH", "weETH"], "20")),
                ("aave", lend("supply", "weETH", "19", "")),
                ("aave", e_mode(1)),
                ("aave", lend("borrow", "WETH", "12", "")),
            ]);
            script.settle("instadapp", open);
            script.wait(30);
            let close = atomic(&[
                ("morpho", flash_loan("WETH", "13")),
                ("aave", lend("repay", "WETH", "all", "")),
                ("aave", lend("withdraw", "weETH", "all", "")),
                ("curve", swap("weETHWETH", ["weETH", "WETH"], "10", "9")),
            ]);
            script.settle("instadapp", close);
            script.settle("instadapp", one_swap("1"));
            let route = atomic(&[
                ("curve", swap("three", ["WETH", "USDC"], "2", "0")),
                ("curve", swap("three", ["USDC", "weETH"], "all", "0")),
                ("uniswap", swap("ranges", ["weETH", "WETH"], "1", "0")),
            ]);
            script.settle("instadapp", route);
            script.settle("instadapp", repaid_from_collateral());
            script.wait(2);
        },
        unknown: || {
            let usual = || swap("WETHUSDT", ["WETH", "USDT"], "1", "0");
            vec![
                atomic(&[]),
                atomic(&[("binance", usual())]),
                atomic(&[("nowhere", usual())]),
                atomic(&[("uniswap", swap("WETHUSDT", ["DOGE", "USDT"], "1", "0"))]),
                atomic(&[("aave", flash_loan("DOGE", "1")), ("uniswap", usual())]),
            ]
        },
        amounts: &[(one_swap, "1000.1"), (one_loan, "1000000000")],
        bounds: || (Vec::new(), vec![one_loan("3000000"), bounded_swap()]),
        finer: || {
            let finer = swap("WETHUSDT", ["USDT", "WETH"], "1.0000001", "0");
            vec![atomic(&[("uniswap", finer)])]
        },
        priced: || (Vec::new(), vec![one_swap("1")]),
        needs: &["dex.uniswap.WETHUSDT_3000", GAS],
        step: || Some(swap("WETHUSDT", ["WETH", "USDT"], "1", "0")),
        bench: Bench::BUILTIN,
    },
    Subject {
        venue: "wallet",
        script: |script| {
            script.settle("wallet", staking("wrap", ["ETH", "WETH"], "5"));
            script.settle("wallet", staking("unwrap", ["WETH", "ETH"], "2"));
            let send = |asset, units, to| transfer(asset, units, "wallet.main", to);
            script.act(
                "wallet",
                send("USDT", "1000", "binance.spot"),
                Status::Pending,
            );
            script.act("wallet", send("ETH", "2", "okx.funding"), Status::Pending);
            script.wait(3);
        },
        unknown: || {
            vec![
                staking("wrap", ["DOGE", "WETH"], "1"),
                staking("unwrap", ["WETH", "DOGE"], "1"),
                transfer("DOGE", "100", "wallet.main", "binance.spot"),
                transfer("USDT", "100", "wallet.other", "binance.spot"),
                transfer("USDT", "100", "wallet.main", "binance.usdm"),
                transfer("USDT", "100", "wallet.main", "wallet.main"),
                transfer("USDT", "100", "wallet.main", "nowhere.main"),
                transfer("USDT", "100", "wallet.main", "aave.main"),
            ]
        },
        amounts: &[
            (|q| staking("wrap", ["ETH", "WETH"], q), "1000.1"),
            (|q| staking("unwrap", ["WETH", "ETH"], q), "1000.1"),
            (
                |q| transfer("USDT", q, "wallet.main", "binance.spot"),
                "100001",
            ),
        ],
        bounds: || {
            let little = transfer("ETH", "0.009", "wallet.main", "binance.spot");
            (Vec::new(), vec![little])
        },
        finer: || vec![transfer("USDT", "1.0000001", "wallet.main", "binance.spot")],
        priced: || (Vec::new(), vec![staking("wrap", ["ETH", "WETH"], "1")]),
        needs: &[GAS],
        step: || Some(staking("wrap", ["ETH", "WETH"], "2")),
        bench: Bench::BUILTIN,
    },
];

/// A range of the pool `ranges`.
const WIDE: Option<[i32; 2]> = Some([-600, 540]);

/// Swaps of an exact output, in pools of prices and of a state.
fn in_exchange_for(script: &mut Script) {
    let mut settle = |operation| script.settle("uniswap", operation);
    settle(swap_for("WETHUSDT", ["WETH", "USDT"], "1500.000001", "1.5"));
    settle(swap_for("WETHUSDT", ["USDT", "WETH"], "0.25", "1000"));
    settle(swap_for(
        "ranges",
        ["weETH", "WETH"],
        "2.123456789012345678",
        "3",
    ));
}

/// Debt repaid out of its own collateral, of which exactly what the flash loan asks is sold.
fn repaid_from_collateral() -> Operation {
    atomic(&[
        ("morpho", flash_loan("WETH", "1.5")),
        ("aave", lend("supply", "weETH", "5", "")),
        ("aave", lend("borrow", "WETH", "1.5", "")),
        ("aave", lend("repay", "WETH", "all", "")),
        ("aave", lend("withdraw", "weETH", "all", "")),
        ("uniswap", swap_for("ranges", ["weETH", "WETH"], "1.5", "2")),
    ])
}

/// Liquidity in two ranges that our own swaps earn fees in and leave.
fn in_ranges(script: &mut Script) {
    let near = Some([-60, 0]);
    let mut settle = |operation| script.settle("uniswap", operation);
    settle(add_liquidity(
        "ranges",
        WIDE,
        &["20", "21.987654321012345678"],
    ));
    settle(add_liquidity("ranges", near, &["5", "5"]));
    settle(swap("ranges", ["WETH", "weETH"], "7.123456789", "0"));
    settle(swap("ranges", ["weETH", "WETH"], "11", "0"));
    settle(collect_fees("ranges", WIDE));
    settle(add_liquidity("ranges", WIDE, &["1", "1"]));
    settle(swap("ranges", ["WETH", "weETH"], "4", "0"));
    settle(remove_liquidity(
        "ranges",
        WIDE,
        "123.456789012345678901",
        &["0.1", "0"],
    ));
    settle(remove_liquidity("ranges", near, "1", &["0", "0"]));
    settle(collect_fees("ranges", near));
    script.wait(2);
    script.settle("uniswap", swap("ranges", ["weETH", "WETH"], "2", "0"));
}

/// Liquidity that an outside trader moves and pays for.
fn in_followed(script: &mut Script) {
    let ticks = Some([-210_000, -180_000]);
    let mut settle = |operation| script.settle("uniswap", operation);
    settle(add_liquidity("followed", ticks, &["10", "20000"]));
    script.wait(30);
    let mut settle = |operation| script.settle("uniswap", operation);
    settle(collect_fees("followed", ticks));
    settle(swap("followed", ["WETH", "USDT"], "1", "0"));
    script.wait(3);
}

/// Pool tokens from a deposit out of proportion, fees, and a part of them back.
fn in_three(script: &mut Script) {
    let mut settle = |operation| script.settle("curve", operation);
    settle(add_liquidity("three", None, &["30", "0", "40.123456"]));
    settle(swap("three", ["weETH", "WETH"], "60", "0"));
    settle(add_liquidity("three", None, &["1", "1", "1"]));
    settle(swap("three", ["WETH", "USDC"], "30", "0"));
    settle(remove_liquidity(
        "three",
        None,
        "12.345678901234567891",
        &["1", "1", "1"],
    ));
    settle(remove_one("three", "5.000000000000000001", "USDC", "4"));
    settle(remove_exactly("three", &["1.5", "0", "2.000001"], "4"));
    script.wait(26);
    let mut settle = |operation| script.settle("curve", operation);
    settle(swap("three", ["USDC", "weETH"], "2", "0"));
    settle(remove_exactly("three", &["0", "3", "0"], "4"));
    settle(remove_liquidity("three", None, "10", &["0", "0", "0"]));
    settle(remove_one("three", "all", "WETH", "1"));
}

/// Pool tokens whose pool an outside trader moves and pays for.
fn in_tied(script: &mut Script) {
    script.settle("curve", add_liquidity("tied", None, &["10", "5"]));
    script.wait(30);
    let mut settle = |operation| script.settle("curve", operation);
    settle(swap("tied", ["weETH", "WETH"], "20", "0"));
    settle(remove_one("tied", "5", "weETH", "4"));
    script.wait(3);
    let mut settle = |operation| script.settle("curve", operation);
    settle(remove_exactly("tied", &["1", "2"], "4"));
}

fn one_swap(units: &str) -> Operation {
    atomic(&[("uniswap", swap("WETHUSDT", ["WETH", "USDT"], units, "0"))])
}

fn bounded_swap() -> Operation {
    let more = swap("WETHUSDT", ["WETH", "USDT"], "1", "1000000");
    atomic(&[("uniswap", more)])
}

fn one_loan(units: &str) -> Operation {
    let step = swap("WETHUSDT", ["WETH", "USDT"], "1", "0");
    atomic(&[("aave", flash_loan("WETH", units)), ("uniswap", step)])
}

/// What an exchange does; `deposit` is where transfers leave from.
fn exchange(script: &mut Script, venue: &'static str, deposit: &str) {
    script.settle(venue, spot("ETHUSDT", "buy", "0.5"));
    let order = script.act(venue, limit("buy", "0.5", "1500"), Status::Open);
    script.settle(venue, amend("ETHUSDT", order, "0.4"));
    script.settle(venue, cancel("ETHUSDT", order));
    script.settle(venue, leverage("ETHUSDT", "3"));
    script.settle(venue, perp("ETHUSDT", "sell", "0.5", false));
    let withdrawal = transfer("USDT", "100", deposit, "wallet.main");
    script.act(venue, withdrawal, Status::Pending);
    script.wait(20);
    script.settle(venue, perp("ETHUSDT", "buy", "0.5", true));
    script.settle(venue, spot("ETHUSDT", "sell", "0.4"));
    script.wait(2);
}

fn unknown_at_exchange(venue: &str, account: &str) -> Vec<Operation> {
    let from = format!("{venue}.{account}");
    let nowhere = format!("{venue}.nowhere");
    vec![
        spot("DOGEUSDT", "buy", "1"),
        perp("DOGEUSDT", "buy", "1", false),
        cancel("ETHUSDT", 999_999),
        amend("ETHUSDT", 999_999, "0.4"),
        leverage("DOGEUSDT", "2"),
        transfer("DOGE", "100", &from, "wallet.main"),
        transfer("USDT", "100", &nowhere, "wallet.main"),
        transfer("USDT", "100", &from, &nowhere),
        transfer("USDT", "100", &from, "wallet.nowhere"),
        transfer("USDT", "100", &from, "nowhere.main"),
    ]
}

fn bounds_at_exchange(deposit: &str) -> Probe {
    let refused = vec![
        spot("ETHUSDT", "buy", "0.000001"),
        perp("ETHUSDT", "buy", "0.000001", false),
        spot("ETHUSDT", "buy", "100000"),
        perp("ETHUSDT", "buy", "100000", false),
        leverage("ETHUSDT", "1000"),
        limit("buy", "0.5", "1500.0001"),
        transfer("USDT", "1", deposit, "wallet.main"),
    ];
    (Vec::new(), refused)
}

fn finer_at_exchange(deposit: &str) -> Vec<Operation> {
    vec![
        spot("ETHUSDT", "buy", "0.5000000001"),
        perp("ETHUSDT", "buy", "0.5000000001", false),
        transfer("USDT", "100.0000001", deposit, "wallet.main"),
    ]
}

/// What a liquid-staking venue does with its rebasing and its wrapped token.
fn staked(
    script: &mut Script,
    venue: &'static str,
    [rebasing, wrapped]: [&'static str; 2],
    rewards: &[&str],
) {
    script.settle(
        venue,
        staking("stake", ["ETH", rebasing], "10.123456789123456789"),
    );
    script.settle(venue, staking("stake", ["ETH", wrapped], "5"));
    script.settle(venue, staking("wrap", [rebasing, wrapped], "4"));
    script.settle(venue, staking("unwrap", [wrapped, rebasing], "2.5"));
    let unstake = |asset, units| staking("unstake", [asset, "ETH"], units);
    let first = script.act(venue, unstake(rebasing, "3"), Status::Pending);
    let second = script.act(venue, unstake(wrapped, "1"), Status::Pending);
    script.wait(26);
    script.settle(venue, claim(first));
    script.settle(venue, claim(second));
    if !rewards.is_empty() {
        // EIGEN's first payment is at the end of the first week, ETHFI's five days later.
        script.wait(24 * 12);
        for asset in rewards {
            script.settle(venue, claim_rewards(asset));
        }
    }
    let last = script.act(venue, unstake(rebasing, "all"), Status::Pending);
    script.wait(26);
    script.settle(venue, claim(last));
}

fn unknown_at_staking([rebasing, wrapped]: [&str; 2]) -> Vec<Operation> {
    vec![
        staking("stake", ["DOGE", rebasing], "1"),
        staking("stake", ["WETH", rebasing], "1"),
        staking("stake", ["ETH", "DOGE"], "1"),
        staking("unstake", ["DOGE", "ETH"], "1"),
        staking("wrap", [rebasing, "DOGE"], "1"),
        staking("unwrap", [wrapped, "DOGE"], "1"),
        claim(999_999),
    ]
}
