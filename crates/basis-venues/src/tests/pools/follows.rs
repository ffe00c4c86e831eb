//! Pools that an outside trader keeps at a recorded price.

use basis_core::instruction::AmountOrAll;
use basis_core::ledger::EntryKind;
use basis_core::num::uint256::{amount_of, units_of};
use basis_core::num::{Price, Quantity, Rounding, U256, Value};
use basis_protocols::curve_stableswap as stable;
use basis_protocols::uniswap_v3::{Owner, PairDecimals, Pool, PositionKey, SwapRequest};
use basis_testkit::q;
use serde_json::{Value as Json, json};

use crate::testing::pools::{
    CURVE, Desk, UNISWAP, add, collect, hour, moving_price, peg_price, read, remove, remove_one,
    swap, view_without,
};
use crate::{curve, uniswap};

const TICKS: (i32, i32) = (-202_000, -198_600);
const DECIMALS: PairDecimals = PairDecimals {
    token0: 18,
    token1: 6,
};

fn pools() -> Json {
    json!({ "moving": {
        "model": "state", "assets": ["WETH", "USDC"], "fee": "500", "tick_spacing": "10",
        "price": "1234", "follows": "dex.uniswap.WETHUSDC_500",
        "ranges": [{ "lower": "-240000", "upper": "-160000", "liquidity": "5000000000000000" }],
    }})
}

fn desk() -> Desk {
    Desk::new(&[("WETH", "100"), ("USDC", "200000")], &pools(), &json!({}))
}

fn key(owner: u8, (tick_lower, tick_upper): (i32, i32)) -> PositionKey {
    PositionKey {
        owner: Owner([owner; 20]),
        tick_lower,
        tick_upper,
    }
}

fn target(hour: i64) -> U256 {
    let price: Price = moving_price(hour).parse().unwrap();
    DECIMALS.sqrt_price_of_token0(price, false).unwrap()
}

/// What the outside trader does.
fn move_to(pool: &mut Pool, hour: i64) {
    let target = target(hour);
    let falls = target < pool.state().sqrt_price_x96;
    let request = SwapRequest::exact_in(falls, U256::ONE << 180).with_limit(target);
    pool.swap(&request).unwrap();
}

fn tokens(units: U256, decimals: u32) -> Quantity {
    Quantity::new(amount_of(units, decimals, Rounding::Down).unwrap())
}

#[test]
fn a_position_is_moved_and_paid_by_whoever_follows_the_recorded_price() {
    let mut desk = desk();
    let mut pool = Pool::new(500, 10).unwrap();
    pool.initialize(target(1)).unwrap();
    pool.mint(key(9, (-240_000, -160_000)), 5_000_000_000_000_000)
        .unwrap();
    assert_eq!(desk.advance(1), 0, "nothing of ours is there");
    let done = desk.execute(UNISWAP, add("moving", Some(TICKS), &["10", "20000"], "0"));
    done.unwrap();
    let weth = "liquidity:WETH:-202000:-198600";
    let (liquidity, _) = desk.held(UNISWAP, "moving", weth);
    let bought = u128::try_from(liquidity.get().mantissa()).unwrap();
    pool.mint(key(1, TICKS), bought).unwrap();
    for at in 2..20 {
        // The bar that closes at 9 is missing: nobody trades, and nothing is asked of the pool.
        let lines = desk.advance(at);
        if at == 9 {
            assert_eq!(lines, 0);
            let refused = desk.refused(UNISWAP, "moving", ["WETH", "USDC"], ["1", "0"]);
            assert!(
                refused.contains("dex.uniswap.WETHUSDC_500 has no fresh price"),
                "{refused}"
            );
            continue;
        }
        move_to(&mut pool, at);
        assert!(lines >= 3, "two trades and a fee");
        assert_eq!(desk.advance(at), 0, "said once");
        let (position, ours) = (
            pool.position_to_date(&key(1, TICKS)).unwrap(),
            key(1, TICKS),
        );
        let held = desk.held(UNISWAP, "moving", weth);
        assert_eq!(held, (liquidity, tokens(pool.principal(&ours).amount0, 18)));
        for (name, owed, decimals) in [
            ("WETH", position.tokens_owed0, 18),
            ("USDC", position.tokens_owed1, 6),
        ] {
            let held = desk.held(UNISWAP, "moving", name).0;
            assert_eq!(held, tokens(U256::from(owed), decimals), "{at}: {name}");
        }
        if at == 5 {
            let out = pool
                .swap(&SwapRequest::exact_in(true, U256::from(10_u64.pow(18))))
                .unwrap();
            let got = desk.swap(UNISWAP, "moving", ["WETH", "USDC"], "1");
            assert_eq!(got, tokens(out.amount_out, 6));
        }
    }
    let names = ["WETH", "USDC"];
    let before = names.map(|name| desk.balance(name));
    let owed = names.map(|name| desk.held(UNISWAP, "moving", name).0);
    desk.execute(UNISWAP, collect("moving", Some(TICKS)))
        .unwrap();
    for ((name, before), owed) in names.iter().zip(before).zip(owed) {
        assert!(owed.is_positive());
        assert_eq!(desk.balance(name), before.add(owed).unwrap());
    }
    let all = remove("moving", Some(TICKS), liquidity, &["0", "0"]);
    desk.execute(UNISWAP, all).unwrap();
    assert_eq!(desk.advance(21), 0, "nothing of ours is left");
}

#[test]
fn an_accrual_begins_where_the_last_report_of_its_position_ended() {
    let mut desk = desk();
    desk.advance(1);
    let weth = "liquidity:WETH:-202000:-198600";
    let units = |desk: &Desk| desk.held(UNISWAP, "moving", weth).1;
    let opened = add("moving", Some(TICKS), &["10", "20000"], "0");
    desk.execute(UNISWAP, opened).unwrap();
    let mut last = (hour(1), units(&desk));
    for at in 2..8 {
        desk.advance(at);
        let accrual = desk.accruals.last().unwrap();
        assert_eq!(desk.accruals.len(), usize::try_from(at).unwrap() - 1);
        let subject = accrual.subject.to_string();
        assert_eq!(subject, format!("uniswap.moving:pool:{weth}"));
        assert_eq!((accrual.before.at, accrual.before.amount), last);
        last = (hour(at), units(&desk));
        assert_eq!((accrual.after.at, accrual.after.amount), last);
        if at == 5 {
            desk.swap(UNISWAP, "moving", ["WETH", "USDC"], "1");
            last.1 = units(&desk);
        }
    }
}

#[test]
fn one_that_is_not_asked_meets_the_newest_price_all_the_same() {
    let mut asked = desk();
    for at in 1..12 {
        asked.advance(at);
    }
    let mut quiet = desk();
    quiet.view.advance_to(hour(11)).unwrap();
    let [asked, quiet] =
        [&mut asked, &mut quiet].map(|desk| desk.swap(UNISWAP, "moving", ["USDC", "WETH"], "5000"));
    assert_eq!(asked, quiet);
}

#[test]
fn a_series_that_is_not_read_or_of_no_pool_is_refused() {
    let mut desk = desk();
    desk.view = view_without(&["dex.uniswap.WETHUSDC_500"]);
    let refused = desk.execute(UNISWAP, swap("moving", ["WETH", "USDC"], "1", "0"));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("dex.uniswap.WETHUSDC_500, which the run does not read"),
        "{refused}"
    );
    let said = desk.chain.assumptions().join("\n");
    assert!(
        said.contains("moving: exact over the state given in the settings; at each value of"),
        "{said}"
    );
    let mut pools = pools();
    pools["moving"]["follows"] = json!("spot.binance.ETHUSDT");
    let (_, problems) = read(&uniswap::DEX, &json!({ "pools": pools }));
    assert!(
        problems
            .iter()
            .any(|p| p.contains("is no series of a pool")),
        "{problems:?}"
    );
}

const PEG: &str = "dex.curve.weETHWETH_NG";
const TEMPLATES: [(&str, stable::Template); 3] = [
    ("three_pool", stable::Template::ThreePool),
    ("base", stable::Template::Base),
    ("stableswap_ng", stable::Template::StableSwapNg),
];

fn tied(template: &str) -> Json {
    let mut pool = json!({
        "model": "state", "template": template, "assets": ["weETH", "WETH"], "fee": "4000000",
        "a": "100", "balances": ["2000", "2200"], "follows": PEG,
    });
    if template == "stableswap_ng" {
        pool["rates"] = json!(["staking_rate.etherfi.weETH_ETH", "1"]);
        pool["offpeg_fee_multiplier"] = json!("20000000000");
    }
    json!({ "tied": pool })
}

fn stable_desk(pools: &Json) -> Desk {
    Desk::new(&[("weETH", "100"), ("WETH", "100")], &json!({}), pools)
}

fn wei(amount: &str) -> U256 {
    units_of(q(amount).get(), 18, Rounding::Down).unwrap()
}

/// weETH in the common unit, at hours of the first day.
fn rate(template: stable::Template) -> U256 {
    match template {
        stable::Template::StableSwapNg => wei("1.05"),
        _ => stable::RATE_ONE,
    }
}

/// The pool of [`tied`], made by hand.
fn stable_pool(template: stable::Template) -> stable::Pool {
    let ng = template == stable::Template::StableSwapNg;
    let parameters = stable::Parameters {
        template,
        amplification: stable::Amplification::constant(100 * template.a_precision()),
        fee: 4_000_000,
        admin_fee: 5_000_000_000,
        offpeg_fee_multiplier: if ng { 20_000_000_000 } else { 0 },
        rates: stable::PerCoin::new(&[rate(template), stable::RATE_ONE]).unwrap(),
    };
    let balances = [wei("2000"), wei("2200")];
    let pool = |supply| stable::Pool::with_state(parameters, &balances, &[U256::ZERO; 2], supply);
    let supply = pool(U256::ZERO).unwrap().invariant().unwrap();
    pool(supply).unwrap()
}

/// weETH for a WETH in the common unit, of WETH for a weETH in whole units.
fn stable_target(template: stable::Template, hour: i64) -> U256 {
    rate(template) * stable::RATE_ONE / wei(&peg_price(hour))
}

#[test]
#[expect(clippy::too_many_lines, reason = "the life of one position, in order")]
fn a_stable_pool_is_moved_to_each_price_and_its_tokens_keep_the_fees() {
    for (name, template) in TEMPLATES {
        let (mut desk, mut pool) = (stable_desk(&tied(name)), stable_pool(template));
        let move_to = |pool: &mut stable::Pool, hour: i64| {
            let target = stable_target(template, hour);
            let moved = pool.exchange_to_price(target).unwrap();
            assert!(
                pool.get_p(0).unwrap().abs_diff(target) < U256::from(100),
                "{name} {hour}"
            );
            moved
        };
        move_to(&mut pool, 1);
        assert_eq!(desk.advance(1), 0, "nothing of ours is there");
        let minted = pool
            .add_liquidity(&[wei("10"), wei("5")], U256::ZERO)
            .unwrap()
            .minted;
        let done = desk.execute(CURVE, add("tied", None, &["10", "5"], "0"));
        done.unwrap();
        let items = ["liquidity:weETH", "liquidity:WETH"];
        for at in 2..20 {
            let lines = desk.advance(at);
            // The bar that closes at 9 is missing: nobody trades, and nothing is asked of the pool.
            if at == 9 {
                assert_eq!(lines, 0);
                let refused = desk.refused(CURVE, "tied", ["weETH", "WETH"], ["1", "0"]);
                let text = format!("{PEG} has no fresh price");
                assert!(refused.contains(&text), "{refused}");
                continue;
            }
            let moved = move_to(&mut pool, at).unwrap();
            assert_eq!(lines, 3, "two trades and a fee");
            let kept = moved.exchange.fee - moved.exchange.admin_fee;
            let share = tokens(kept * minted / pool.lp_supply(), 18);
            let newest = desk.newest(lines);
            let fees = newest
                .iter()
                .filter(|line| line.kind == EntryKind::LiquidityFee);
            let fees: Vec<_> = fees
                .map(|line| (line.item.to_string(), line.units))
                .collect();
            assert_eq!(fees, [(items[moved.coin_out].to_owned(), share)]);
            let trades = newest.iter().filter(|line| line.kind == EntryKind::Trade);
            let turned = trades
                .map(|line| line.value)
                .try_fold(Value::ZERO, Value::add);
            assert_eq!(turned, Ok(Value::ZERO));
            let cause = newest[0].cause.to_string();
            let subject = "accrual:curve.tied:pool:liquidity:weETH:";
            assert!(cause.starts_with(subject), "{cause}");
            assert_eq!(desk.advance(at), 0, "said once");
            let paid = { pool }.remove_liquidity(minted, &[U256::ZERO; 2]).unwrap();
            for (item, units) in items.iter().zip(paid.iter()) {
                let held = desk.held(CURVE, "tied", item);
                assert_eq!(
                    held,
                    (tokens(minted, 18), tokens(*units, 18)),
                    "{name} {at}"
                );
            }
            if at == 5 {
                let out = pool.exchange(0, 1, wei("40"), U256::ZERO).unwrap();
                let got = desk.swap(CURVE, "tied", ["weETH", "WETH"], "40");
                assert_eq!(got, tokens(out.received, 18));
            }
        }
        let out = pool
            .remove_liquidity_one_coin(minted, 1, U256::ZERO)
            .unwrap();
        let before = desk.balance("WETH");
        let all = remove_one("tied", AmountOrAll::All, "WETH", "0");
        desk.execute(CURVE, all).unwrap();
        assert_eq!(
            desk.balance("WETH"),
            before.add(tokens(out.received, 18)).unwrap()
        );
        assert_eq!(desk.advance(21), 0, "nothing of ours is left");
    }
}

#[test]
fn a_stable_pool_that_follows_is_moved_along_whether_or_not_it_holds_anything_of_ours() {
    let is_moved = |settings: &Json| {
        let desk = stable_desk(settings);
        let state = desk.chain.state();
        state.protocol(CURVE).unwrap().next_event_at().is_some()
    };
    assert!(is_moved(&tied("base")), "its fees stay in it");
    let mut still = tied("base");
    still["tied"].as_object_mut().unwrap().remove("follows");
    assert!(!is_moved(&still));
    let said = stable_desk(&tied("base")).chain.assumptions().join("\n");
    let text =
        "curve pool tied: exact over the state given in the settings; at each value of dex.curve";
    assert!(said.contains(text), "{said}");
}

#[test]
fn a_stable_pool_that_cannot_follow_says_why() {
    let mut unread = stable_desk(&tied("base"));
    unread.view = view_without(&[PEG]);
    let refused = unread.refused(CURVE, "tied", ["weETH", "WETH"], ["1", "0"]);
    assert!(refused.contains("which the run does not read"), "{refused}");
    let problem = |pools: &Json| {
        let (_, problems) = read(&curve::DEX, &json!({ "pools": pools }));
        problems.join("\n")
    };
    let mut pools = tied("base");
    pools["tied"]["follows"] = json!("staking_market.curve.weETH_ETH");
    assert_eq!(problem(&pools), "");
    let mut paired = stable_desk(&pools);
    // At 1.04 throughout: moved once, and then where we left it.
    let first = paired.swap(CURVE, "tied", ["weETH", "WETH"], "1");
    assert!(first > q("1.039") && first < q("1.04"), "{first}");
    pools["tied"]["follows"] = json!("spot.binance.ETHUSDT");
    let said = problem(&pools);
    assert!(
        said.contains("spot.binance.ETHUSDT is no series of a pool"),
        "{said}"
    );
    let mut three = tied("base");
    three["tied"]["assets"] = json!(["weETH", "WETH", "USDC"]);
    three["tied"]["balances"] = json!(["1", "1", "1"]);
    let said = problem(&three);
    assert!(
        said.contains("follows: only a pool of two coins follows a series"),
        "{said}"
    );
    assert!(said.contains("has 3; leave `follows` out"), "{said}");
    // A price of another kind of pair: to the very end of what the balances reach.
    let mut far = tied("base");
    far["tied"]["follows"] = json!("dex.uniswap.WETHUSDC_500");
    let mut desk = stable_desk(&far);
    let refused = desk.refused(CURVE, "tied", ["weETH", "WETH"], ["1", "0"]);
    let price = moving_price(1);
    let text = format!("pool tied does not reach {price}, which dex.uniswap.WETHUSDC_500 shows");
    assert!(refused.contains(&text), "{refused}");
    let mut events = Vec::new();
    let advanced = desk
        .chain
        .state()
        .advance(CURVE, &desk.view, &desk.book, &mut events);
    assert!(advanced.unwrap_err().0.to_string().contains(&text));
}
