//! The outside auditor over runs that use the chain: lending, staking, leverage; and that it finds a
//! changed digit in each kind of line they leave.
//!
//! As in `audit`, the tests need `python3` and the recorded data, and say so when they pass without.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use basis::core::num::Value;
use basis::protocols::gas::{CAST, CAST_FLASH_LOAN, CAST_STEP, GasOperation as Op, TRANSACTION};

use crate::audit::{
    assert_agrees, assert_found_in, audit, copy_of, data_directory, fresh, python, text,
};
use crate::runner::usual_arguments;

const OWN_SIZE_OFF: &str = "venue_settings.aave.own_size=false";
const WITHDRAWAL: &str = "withdrawals=[{ at: 2024-08-01T00:00:00Z, amount: 20 }]";

/// From the first rows of the liquid staking tokens.
const BEGINNING: &str = "2024-05-15";

fn backtest(data: &Path, name: &str, mode: &str, to: &str, settings: &[&str]) -> PathBuf {
    backtest_from(data, name, mode, (BEGINNING, to), settings)
}

fn backtest_from(
    data: &Path,
    name: &str,
    mode: &str,
    (from, to): (&str, &str),
    settings: &[&str],
) -> PathBuf {
    let out = fresh(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", mode, "--from", from, "--to", to]);
    command.args(usual_arguments(&["backtest", mode]));
    for setting in settings {
        command.args(["--set", setting]);
    }
    let done = command
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    out
}

/// The run must agree and have had what each of `kinds` counts.
pub(crate) fn assert_checked(run: &Path, data: &Path, kinds: &[&str]) {
    let report = assert_agrees(run, Some(data));
    assert!(!report.contains("SKIPPED"), "{report}");
    assert!(!report.contains("exit value:"), "{report}");
    for kind in kinds {
        assert!(report.contains(&format!(" in chain: {kind}")), "{report}");
    }
}

/// Three months of leverage with the pool's recorded indices.
fn leveraged(data: &Path) -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| {
        let dates = ("2024-07-08", "2024-10-10");
        backtest_from(data, "leveraged", "eth_leveraged", dates, &[OWN_SIZE_OFF])
    })
}

/// A stake that leaves through the queue.
fn queued(data: &Path) -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| {
        let settings = ["exit_route=queue", WITHDRAWAL];
        backtest(data, "queued", "eth_staking_only", "2024-08-20", &settings)
    })
}

#[test]
fn a_year_of_each_mode_agrees() {
    let Some(data) = data_directory() else { return };
    let year = |mode| backtest(&data, mode, mode, "2025-05-30", &[]);
    assert_checked(
        &year("pure_lending"),
        &data,
        &["interest", "lending", "gas"],
    );
    assert_checked(
        &year("eth_staking_only"),
        &data,
        &["staking", "reward", "rewards", "swaps", "gas"],
    );
    let kinds = [
        "borrow_cost",
        "interest",
        "flash loans",
        "health",
        "swaps",
        "reward",
        "staking",
    ];
    assert_checked(&year("eth_leveraged"), &data, &kinds);
}

#[test]
fn hedged_stakes_agree() {
    let Some(data) = data_directory() else { return };
    let settings = [
        "data.gaps=hold",
        "data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT",
        "data.proxies.funding.okx.ETHUSDT=funding.bybit.ETHUSDT",
    ];
    for (mode, kinds) in [
        (
            "usdt_market_neutral",
            ["flash loans", "health", "swaps"].as_slice(),
        ),
        ("usdt_market_neutral_no_leverage", &["staking", "reward"]),
    ] {
        let run = backtest(&data, mode, mode, "2024-10-31", &settings);
        assert_checked(&run, &data, kinds);
    }
}

#[test]
fn lending_does_without_the_oracle_of_what_it_lends() {
    let Some(data) = data_directory() else { return };
    let other = fresh("no-oracle");
    let oracle = Path::new("aave/oracle/USDT_USD_1d.csv");
    copy_beside(&data, &other, oracle);
    fs::remove_file(other.join(oracle)).unwrap();
    let settings = ["withdrawals=[{ at: 2024-06-01T07:00:00Z, amount: 20000 }]"];
    let run = |data, name| backtest(data, name, "pure_lending", "2024-06-20", &settings);
    let (with, without) = (run(&data, "oracle"), run(&other, "no-oracle-run"));
    assert_checked(&without, &other, &["interest", "lending"]);
    for table in ["ledger.csv", "equity.csv"] {
        let read = |run: &Path| fs::read_to_string(run.join(table)).unwrap();
        assert_eq!(read(&with), read(&without), "{table}");
    }
}

#[test]
fn recorded_indices_are_met_where_own_size_is_off() {
    let Some(data) = data_directory() else { return };
    let settings = [
        OWN_SIZE_OFF,
        "withdrawals=[{ at: 2024-07-01T07:00:00Z, amount: 20000 }]",
        "deposits=[{ at: 2024-08-01T05:00:00Z, amount: 30000 }]",
    ];
    let mode = "pure_lending";
    let run = backtest(&data, "indices", mode, "2024-09-30", &settings);
    assert_checked(&run, &data, &["index", "interest", "lending"]);
    assert_checked(leveraged(&data), &data, &["index", "borrow_cost"]);
}

#[test]
fn queues_pools_and_the_other_token_agree() {
    let Some(data) = data_directory() else { return };
    assert_checked(
        queued(&data),
        &data,
        &["rebase", "transfer", "withdrawal requests"],
    );
    let run = |name, mode, settings: &[&str]| backtest(&data, name, mode, "2024-09-30", settings);
    let lido = "lst_type=wstETH";
    let many = "withdrawals=[{ at: 2024-07-01T00:00:00Z, amount: 1500 }]";
    let large = ["exit_route=queue", lido, "initial_capital=3000", many];
    let queue = run("lido-queue", "eth_staking_only", &large);
    assert_checked(&queue, &data, &["withdrawal requests", "staking"]);
    let market = ["exit_route=market", "stake_route=market", lido, WITHDRAWAL];
    let pool = run("lido-pool", "eth_staking_only", &market);
    assert_checked(&pool, &data, &["swaps"]);
    let loops = run("lido-loop", "eth_leveraged", &[lido, WITHDRAWAL]);
    assert_checked(&loops, &data, &["flash loans", "swaps", "health"]);
    let bought = ["stake_route=market", "initial_capital=5", OWN_SIZE_OFF];
    let bought = run("bought-loop", "eth_leveraged", &bought);
    assert_checked(&bought, &data, &["flash loans", "swaps", "index"]);
}

/// Flash loans of the lending pool itself, whose premium its suppliers share.
#[test]
fn loops_on_the_lender_s_own_flash_loans_agree() {
    let Some(data) = data_directory() else { return };
    // Morpho has nothing to lend, so the strategy turns to whoever has.
    let poor = "venue_settings.morpho.balances.WETH=0";
    for own_size in ["true", "false"] {
        let own_size = format!("venue_settings.aave.own_size={own_size}");
        let settings = [poor, &own_size, WITHDRAWAL];
        let mode = "eth_leveraged";
        let run = backtest(&data, "own-loans", mode, "2024-08-10", &settings);
        assert_checked(&run, &data, &["flash loans", "fee", "borrow_cost"]);
    }
}

/// A pool whose price is recorded once a day, so that the sales of a day meet what those before them have
/// moved.
#[test]
fn sales_that_meet_a_pool_they_have_moved_agree() {
    let Some(data) = data_directory() else { return };
    let other = fresh("daily-market");
    let hourly = Path::new("staking/weETH_ETH_market_1h.csv");
    copy_beside(&data, &other, hourly);
    let rows = fs::read_to_string(other.join(hourly)).unwrap();
    let daily = rows
        .lines()
        .filter(|row| row.starts_with("timestamp") || row.contains("T00:"));
    let daily: String = daily.map(|row| format!("{row}\n")).collect();
    fs::remove_file(other.join(hourly)).unwrap();
    fs::write(other.join("staking/weETH_ETH_market_1d.csv"), daily).unwrap();
    let settings = [WITHDRAWAL, "exit_route=market"];
    let mode = "eth_leveraged";
    let run = backtest(&other, "moved-pool", mode, "2024-08-10", &settings);
    assert_checked(&run, &other, &["swaps", "flash loans"]);
    let ledger = fs::read_to_string(run.join("ledger.csv")).unwrap();
    let sold = |row: &&str| row.contains(",weETH,-") && row.contains(",trade,");
    let sales: Vec<_> = ledger.lines().filter(sold).collect();
    let of_a_day = sales.iter().filter(|row| row.contains("2024-08-05T"));
    assert!(of_a_day.count() > 1, "{sales:?}");
}

/// A loop so large that its own debt costs more than the stake earns, and nobody who watches it.
#[test]
fn liquidations_of_the_lending_account_agree() {
    let Some(data) = data_directory() else { return };
    let mut settings = vec![
        "initial_capital=9000",
        "max_ltv=0.93",
        "target_ltv=0.925",
        "equity_deviation=0.9",
        "venue_settings.morpho.balances.WETH=5000000",
        "risk.health_factor_warn=1.01",
    ];
    settings.extend([
        "risk.health_factor_reduce_only=1",
        "risk.health_factor_deleverage=1",
        "risk.health_factor_halt=1",
    ]);
    let mode = "eth_leveraged";
    let run = backtest(&data, "liquidated", mode, "2024-08-20", &settings);
    assert_checked(&run, &data, &["liquidation", "borrow_cost"]);
    let place = ("ledger.csv", "quantity");
    for (name, item) in [("seized", ",shares:weETH,"), ("repaid", ",debt:WETH,")] {
        let matches = |row: &str| row.contains(",liquidation,") && row.contains(item);
        assert_found_in(&run, &data, name, place, matches);
    }
}

#[test]
fn the_synthetic_market_is_audited_as_far_as_its_files_go() {
    if !python() {
        return;
    }
    for mode in ["pure_lending", "eth_staking_only", "eth_leveraged"] {
        let out = fresh(mode);
        let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
        command.args(["backtest", mode, "--out"]).arg(&out);
        let done = command.env_remove("BASIS_DATA_DIR").output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        let report = assert_agrees(&out, None);
        assert!(report.contains("SKIPPED: the market is synthetic"));
        assert!(report.contains(" in chain: gas"), "{report}");
    }
}

/// The auditor over the leveraged run with one digit of the ledger changed.
fn assert_ledger_found(name: &str, column: &str, matches: impl Fn(&str) -> bool) {
    let Some(data) = data_directory() else { return };
    let place = ("ledger.csv", column);
    assert_found_in(leveraged(&data), &data, name, place, matches);
}

#[test]
fn exits_of_stakes_and_loans_by_other_rules_than_the_run_s_are_found() {
    let Some(data) = data_directory() else { return };
    let config = "config.yaml";
    let other = |original, name, from: &str, to: &str, what: &str| {
        let run = changed(original, name, config, |text| text.replace(from, to));
        assert_reported(&run, &data, what);
    };
    let (queue, pool) = ("exit_route: \"queue\"", "exit_route: \"market\"");
    other(
        queued(&data),
        "exit-route",
        queue,
        pool,
        "exit cost of wallet.main",
    );
    let (fee, more) = ("flash_loan_bps: 5", "flash_loan_bps: 6");
    other(
        leveraged(&data),
        "exit-loan",
        fee,
        more,
        "exit cost of aave.main",
    );
    let cell = ("positions.csv", "exit_cost_usd");
    let staked = |row: &str| row.contains("aave.main,shares:weETH") && row.contains("T10:");
    assert_found_in(leveraged(&data), &data, "exit-stake", cell, staked);
}

#[test]
fn a_changed_unit_of_interest_is_found() {
    let early = |row: &str| row.contains(",interest,") && row.contains("2024-08-01T05:");
    assert_ledger_found("interest", "units", early);
    let early = |row: &str| row.contains(",borrow_cost,") && row.contains("2024-08-01T05:");
    assert_ledger_found("borrow-cost", "units", early);
}

#[test]
fn a_changed_scaled_balance_is_found() {
    assert_ledger_found("scaled", "quantity", |row| row.contains(",shares:weETH,9"));
    assert_ledger_found("owed", "quantity", |row| row.contains(",debt:WETH,8"));
}

#[test]
fn changed_gas_is_found() {
    assert_ledger_found("gas", "quantity", |row| row.contains(",gas,"));
    assert_ledger_found("gas-value", "value_usd", |row| row.contains(",gas,"));
}

#[test]
fn a_changed_reward_is_found() {
    assert_ledger_found("reward", "quantity", |row| row.contains(",reward,"));
    assert_ledger_found("reward-units", "units", |row| row.contains(",reward,"));
}

#[test]
fn a_changed_swap_is_found() {
    let given = |row: &str| row.contains(",EIGEN,-") && row.contains(",trade,");
    assert_ledger_found("given", "quantity", given);
    let sale = |row: &str| row.contains("2024-10-06") && row.contains(",WETH,");
    assert_ledger_found("received", "units", sale);
    assert_ledger_found("exchanged", "value_usd", sale);
}

#[test]
fn a_changed_stake_is_found() {
    let minted = |row: &str| row.contains(",weETH,9") && row.contains(",trade,");
    assert_ledger_found("minted", "quantity", minted);
}

#[test]
fn a_changed_loan_is_found() {
    let lent = |row: &str| row.contains("0000:0:mined#0") && row.contains(",transfer,");
    assert_ledger_found("lent", "quantity", lent);
}

#[test]
fn a_changed_request_is_found() {
    let Some(data) = data_directory() else { return };
    let run = queued(&data);
    for (name, account, kind) in [
        ("joined", ",etherfi.queue,", ",trade,"),
        ("ready", ",etherfi.claimable,", ",transfer,"),
    ] {
        let matches = |row: &str| row.contains(account) && row.contains(kind);
        assert_found_in(run, &data, name, ("ledger.csv", "quantity"), matches);
    }
    let matches = |row: &str| row.contains(",etherfi.claimable,") && row.contains(",transfer,");
    assert_found_in(run, &data, "early", ("ledger.csv", "timestamp"), matches);
}

/// A copy of the run in which `change` was applied to one of its tables.
pub(crate) fn changed(
    original: &Path,
    name: &str,
    table: &str,
    change: impl Fn(&str) -> String,
) -> PathBuf {
    let run = copy_of(original, name);
    let before = fs::read_to_string(original.join(table)).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "nothing was changed");
    fs::write(run.join(table), after).unwrap();
    run
}

pub(crate) fn assert_reported(run: &Path, data: &Path, what: &str) {
    let done = audit(run, Some(data));
    let report = text(&done.stdout);
    assert_eq!(
        done.status.code(),
        Some(1),
        "{report}{}",
        text(&done.stderr)
    );
    assert!(report.contains(what), "no `{what}` in\n{report}");
}

#[test]
fn a_loan_that_its_collateral_does_not_pay_for_agrees() {
    let Some(data) = data_directory() else { return };
    let at = "at 2024-06-10T05:00:00Z";
    let shocks = format!("shocks=[\"protocol weETH -50% {at}\", \"oracle weETH -50% {at}\"]");
    let dates = ("2024-06-01", "2024-06-20");
    let run = backtest_from(&data, "lost", "eth_leveraged", dates, &[&shocks]);
    assert_checked(&run, &data, &["liquidation", "lending", "health"]);
    // The lender's loss is not our cost, nor our gain.
    let summary = fs::read(run.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let amount = |text: &serde_json::Value| text.as_str().unwrap().parse::<Value>().unwrap();
    assert!(amount(&summary["written_off"]).is_positive(), "{summary}");
    let cost = amount(&summary["costs"]["liquidation"]);
    assert!(cost.is_positive(), "{cost}");
}

#[test]
fn a_changed_action_day_or_slippage_of_a_transaction_is_found() {
    let Some(data) = data_directory() else { return };
    let original = leveraged(&data);
    let of_group = |row: &str| row.contains(",atomic,");
    let cell = ("executions.csv", "slippage_usd");
    assert_found_in(original, &data, "slippage", cell, of_group);
    let day = ("daily_nav.csv", "equity_share_class");
    assert_found_in(original, &data, "day", day, |row| row.contains(",true,"));
    let table = "executions.csv";
    let (said, instead) = (",entry_full,", ",exit_full,");
    let other = changed(original, "action", table, |text| {
        text.replacen(said, instead, 1)
    });
    assert_reported(&other, &data, "action of its plan");
}

#[test]
fn a_request_that_says_something_else_is_found() {
    let Some(data) = data_directory() else { return };
    let original = leveraged(&data);
    let table = "executions.csv";
    let less = "\"\"minimum_out\"\":\"\"";
    let more = "\"\"minimum_out\"\":\"\"9";
    let greedy = changed(original, "minimum", table, |text| text.replace(less, more));
    assert_reported(&greedy, &data, "the least that was asked for");
    let mode = "{\"\"id\"\":0,\"\"venue\"\":\"\"aave\"\",\"\"set_e_mode\"\":{\"\"category\"\":1}},";
    let without = changed(original, "steps", table, |text| text.replacen(mode, "", 1));
    assert_reported(&without, &data, "of gas of ETH");
    let row = |text: &str| {
        let sale = text.lines().find(|row| row.contains("claim_rewards"));
        text.replace(&format!("{}\n", sale.unwrap()), "")
    };
    let hidden = changed(original, "hidden", table, row);
    assert_reported(&hidden, &data, "is in executions.csv");
}

#[test]
fn interest_and_rewards_that_were_left_out_are_found() {
    let Some(data) = data_directory() else { return };
    for (kind, what) in [
        (",interest,", "shares:weETH"),
        (",reward,", "reward of EIGEN"),
    ] {
        // Numbered anew, so that nothing but the missing line gives it away.
        let drop_one = |text: &str| {
            let gone = text.lines().find(|row| row.contains(kind)).unwrap();
            let kept = text.lines().filter(|row| *row != gone);
            let numbered = kept.enumerate().map(|(at, row)| match at {
                0 => format!("{row}\n"),
                _ => format!("{},{}\n", at - 1, row.split_once(',').unwrap().1),
            });
            numbered.collect()
        };
        let run = changed(leveraged(&data), "left-out", "ledger.csv", drop_one);
        assert_reported(&run, &data, what);
    }
}

/// The auditor over the same run, with one recorded value of the data changed.
#[test]
fn other_indices_rates_and_gas_prices_give_other_numbers() {
    let Some(data) = data_directory() else { return };
    let run = leveraged(&data);
    for (file, day, what) in [
        ("aave/reserves/WETH_1d.csv", "2024-08-01", "debt:WETH"),
        ("aave/reserves/weETH_1d.csv", "2024-08-01", "shares:weETH"),
        (
            "staking/weETH_ETH_protocol_1d.csv",
            "2024-08-01",
            "mark of shares:weETH",
        ),
        ("gas/ethereum_1h.csv", "2024-07-08T01", "of gas of ETH"),
        ("rewards/etherfi_eigen.csv", "2024-08-15", "reward of EIGEN"),
    ] {
        let other = fresh("data");
        let path = other.join(file);
        copy_beside(&data, &other, Path::new(file));
        let text = fs::read_to_string(&path).unwrap();
        let row = text.lines().find(|row| row.starts_with(day)).unwrap();
        // Every number of the row a little higher.
        let fields = row.split(',').enumerate().map(|(at, field)| {
            let is_text = at < 2 && !file.starts_with("staking") || field.contains('-');
            match field.parse::<f64>() {
                Ok(number) if !is_text => format!("{:.12}", number * 1.0001),
                _ => field.to_owned(),
            }
        });
        let higher = fields.collect::<Vec<_>>().join(",");
        assert_ne!(row, higher, "{file}");
        fs::write(&path, text.replace(row, &higher)).unwrap();
        assert_reported(run, &other, what);
    }
}

fn figure(gas: u64) -> String {
    format!("{},{:03}", gas / 1_000, gas % 1_000)
}

fn pair(a: Op, b: Op) -> String {
    [figure(a.gas()), figure(b.gas())].join(", ")
}

/// The page that the auditor's own table is copied from.
fn gas_page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/run-directory.md");
    fs::read_to_string(page).unwrap()
}

#[track_caller]
fn assert_documented(page: &str, name: &str, gas: &str) {
    assert!(
        page.contains(&format!("| {name} | {gas} |")),
        "{name} {gas}"
    );
}

#[test]
fn the_documented_gas_of_pools_and_markets_is_what_is_charged() {
    let page = gas_page();
    let ticks = |ticks_crossed| Op::UniswapV3Swap { ticks_crossed }.gas();
    for (name, gas) in [
        (
            "Uniswap tick crossed, each further",
            figure(ticks(2) - ticks(1)),
        ),
        (
            "Curve exchange, more coins",
            figure(Op::CurveExchange3.gas()),
        ),
        ("Curve deposit", figure(Op::CurveAddLiquidity.gas())),
        ("Curve withdrawal", figure(Op::CurveRemoveLiquidity.gas())),
        ("Uniswap new position", figure(Op::UniswapV3Mint.gas())),
        (
            "Uniswap more into a position",
            figure(Op::UniswapV3Increase.gas()),
        ),
        (
            "Uniswap removal (without its collection)",
            figure(Op::UniswapV3Burn.gas()),
        ),
        ("Uniswap collection", figure(Op::UniswapV3Collect.gas())),
        (
            "Morpho supply, withdraw",
            pair(Op::MorphoSupply, Op::MorphoWithdraw),
        ),
        (
            "Morpho borrow, repay",
            pair(Op::MorphoBorrow, Op::MorphoRepay),
        ),
        (
            "Morpho collateral in, out",
            pair(Op::MorphoSupplyCollateral, Op::MorphoWithdrawCollateral),
        ),
    ] {
        assert_documented(&page, name, &gas);
    }
    assert_eq!(ticks(1) - ticks(0), ticks(2) - ticks(1));
}

#[test]
fn the_documented_gas_is_what_is_charged() {
    let page = gas_page();
    let swap = Op::UniswapV3Swap { ticks_crossed: 1 };
    for (name, gas) in [
        ("wrap ETH", figure(Op::WethDeposit.gas())),
        ("unwrap WETH", figure(Op::WethWithdraw.gas())),
        ("Aave supply", figure(Op::AaveSupply.gas())),
        ("Aave withdraw", figure(Op::AaveWithdraw.gas())),
        ("Aave borrow", figure(Op::AaveBorrow.gas())),
        ("Aave repay", figure(Op::AaveRepay.gas())),
        ("Aave e-mode", figure(Op::AaveSetEMode.gas())),
        ("Uniswap swap (one tick crossed)", figure(swap.gas())),
        (
            "Curve exchange, two coins",
            figure(Op::CurveExchange2.gas()),
        ),
        ("Lido stake", figure(Op::LidoSubmit.gas())),
        ("Lido wrap, unwrap", pair(Op::LidoWrap, Op::LidoUnwrap)),
        (
            "Lido request, claim (each)",
            pair(Op::LidoRequestWithdrawal, Op::LidoClaimWithdrawal),
        ),
        ("EtherFi stake", figure(Op::EtherFiDeposit.gas())),
        (
            "EtherFi wrap, unwrap",
            pair(Op::EtherFiWrap, Op::EtherFiUnwrap),
        ),
        (
            "EtherFi request, claim (each)",
            pair(Op::EtherFiRequestWithdrawal, Op::EtherFiClaimWithdrawal),
        ),
        ("claim of KING", figure(Op::KingClaim.gas())),
        ("redemption of KING", figure(Op::KingUnwrap.gas())),
    ] {
        assert_documented(&page, name, &gas);
    }
    let group = [TRANSACTION, CAST, CAST_FLASH_LOAN, CAST_STEP].map(figure);
    let [base, cast, loan, step] = group;
    let says = format!("A group costs {base} + {cast}, {loan} more with a flash loan");
    assert!(page.contains(&says), "{says}");
    assert!(page.contains(&format!("+ {step}.")), "{step}");
}

/// A directory as `data`, of links but for a copy of `file`.
fn copy_beside(data: &Path, other: &Path, file: &Path) {
    fs::create_dir_all(other).unwrap();
    let mut names = file.components();
    let first = names.next().unwrap();
    for entry in fs::read_dir(data).unwrap() {
        let name = entry.unwrap().file_name();
        let (from, to) = (data.join(&name), other.join(&name));
        if name != first.as_os_str() {
            symlink(fs::canonicalize(from).unwrap(), to).unwrap();
        } else if names.as_path().as_os_str().is_empty() {
            fs::copy(from, to).unwrap();
        } else {
            copy_beside(&from, &to, names.as_path());
        }
    }
}
