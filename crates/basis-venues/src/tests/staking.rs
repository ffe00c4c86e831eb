use basis_core::types::InstructionId;
use basis_core::venue_event::{Accrual, EventKind, RedemptionStage};
use serde_json::json;

use crate::testing::chain::{
    ChainDesk, Reported, World, at, claim, claim_rewards, lines, stake, unstake, unwrap, wrap,
};

const LIDO_RATE: &str = "staking_rate.lido.wstETH_ETH";
const ETHERFI_RATE: &str = "staking_rate.etherfi.weETH_ETH";

fn lido_holding(rates: &[&str], balances: &[(&str, &str)]) -> ChainDesk {
    let world = World::new().rates(LIDO_RATE, rates);
    ChainDesk::new(world, &[(&crate::lido::DRIVER, json!({}))], balances)
}

/// Lido at these rates, one a day, and 10 ETH in the wallet.
fn lido(rates: &[&str]) -> ChainDesk {
    lido_holding(rates, &[("ETH", "10")])
}

fn etherfi_in(world: World, rates: &[&str], balances: &[(&str, &str)]) -> ChainDesk {
    let world = world.rates(ETHERFI_RATE, rates);
    ChainDesk::new(world, &[(&crate::etherfi::DRIVER, json!({}))], balances)
}

fn etherfi(rates: &[&str]) -> ChainDesk {
    etherfi_in(World::new(), rates, &[("ETH", "10"), ("weETH", "4")])
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// The only accrual among `events`.
fn accrual(events: &[Reported]) -> &Accrual {
    let accruals = events.iter().map(|event| match &event.kind {
        EventKind::Accrual(accrual) => accrual,
        other => panic!("{other:?}"),
    });
    let accruals: Vec<_> = accruals.collect();
    let [accrual] = accruals[..] else {
        panic!("{accruals:?}")
    };
    accrual
}

/// Hour and amount of the readings that an accrual lies between.
fn readings(accrual: &Accrual) -> [(i64, String); 2] {
    [accrual.before, accrual.after].map(|reading| {
        let hours = reading.at.since(at(0)).nanos() / 3_600_000_000_000;
        (hours, reading.amount.to_string())
    })
}

/// The withdrawal request that an event reports as ready.
fn ready(kind: &EventKind) -> Option<InstructionId> {
    match kind {
        EventKind::Redemption(request) => {
            assert_eq!(request.stage, RedemptionStage::Ready);
            assert_eq!(request.asset.as_str(), "ETH");
            Some(request.instruction)
        }
        _ => None,
    }
}

#[test]
fn ether_becomes_shares_of_the_rebasing_token() {
    let mut desk = lido(&["1.25"]);
    let done = desk.run("lido", stake("ETH", "stETH", "5"));
    assert!(!done.waits);
    assert_eq!(
        lines(&done.entries),
        [
            "wallet.main ETH trade -5 $-10000",
            "wallet.main shares:stETH trade 4 (5) $10000",
            "wallet.main ETH gas -0.0018 $-3.6",
        ]
    );
    assert_eq!(desk.held("wallet.main", "shares:stETH"), pair("4", "5"));
}

#[test]
fn ether_becomes_the_wrapped_token_in_one_operation() {
    let mut desk = lido(&["1.25"]);
    let done = desk.run("lido", stake("ETH", "wstETH", "5"));
    assert_eq!(
        lines(&done.entries),
        [
            "wallet.main ETH trade -5 $-10000",
            "wallet.main wstETH trade 4 $10000",
            "wallet.main ETH gas -0.00418 $-8.36",
        ]
    );
    let mut desk = etherfi(&["1.25"]);
    let done = desk.run("etherfi", stake("ETH", "weETH", "5"));
    assert_eq!(lines(&done.entries)[1], "wallet.main weETH trade 4 $10000");
}

#[test]
fn wrapping_and_unwrapping_round_as_the_contract_does() {
    // 5 ÷ 1.2 shares are rounded down, and so is what they stand for.
    let mut desk = lido(&["1.2"]);
    let done = desk.run("lido", stake("ETH", "stETH", "5"));
    let staked =
        "wallet.main shares:stETH trade 4.166666666666666666 (4.999999999999999999) $10000";
    assert_eq!(lines(&done.entries)[1], staked);
    let done = desk.run("lido", wrap("stETH", "wstETH", "3"));
    // The odd wei of the stake stays with the pool, so 3 stETH are a wei of shares short of 2.5.
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main shares:stETH trade -2.499999999999999999 (-2.999999999999999999) \
             $-5999.999999999999998",
            "wallet.main wstETH trade 2.499999999999999999 $5999.999999999999998",
        ]
    );
    let done = desk.run("lido", wrap("stETH", "wstETH", "all"));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main shares:stETH trade -1.666666666666666666 (-1.999999999999999999) \
             $-3999.999999999999998",
            "wallet.main wstETH trade 1.666666666666666666 $3999.999999999999998",
        ]
    );
    assert_eq!(
        desk.held("wallet.main", "shares:stETH"),
        pair("0.000000000000000001", "0.000000000000000001")
    );
    // The contract sends an amount, of which the shares are rounded down once more.
    let done = desk.run("lido", unwrap("wstETH", "stETH", "1"));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main wstETH trade -1 $-2400",
            "wallet.main shares:stETH trade 0.999999999999999999 (1.199999999999999999) $2400",
        ]
    );
}

#[test]
fn a_new_rate_rebases_up_and_down_and_holds_between_rows() {
    let mut desk = lido(&["1.25", "1.26", "1.24", "1.24"]);
    assert_eq!(desk.to(1), []);
    desk.run("lido", stake("ETH", "stETH", "5"));
    assert_eq!(desk.to(23), []);
    let events = desk.to(30);
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.at, at(24));
    let subject = accrual(&events).subject.to_string();
    assert_eq!(subject, "wallet.main:shares:stETH");
    let expected = [(1, "5".to_owned()), (24, "5.04".to_owned())];
    assert_eq!(readings(accrual(&events)), expected);
    assert_eq!(
        lines(&event.entries),
        ["wallet.main shares:stETH rebase 0 (0.04) $80"]
    );
    let events = desk.to(80);
    let expected = [(24, "5.04".to_owned()), (48, "4.96".to_owned())];
    assert_eq!(readings(accrual(&events)), expected);
    let events: Vec<_> = events.iter().map(|e| (e.at, lines(&e.entries))).collect();
    let down = "wallet.main shares:stETH rebase 0 (-0.08) $-160".to_owned();
    assert_eq!(events, [(at(48), vec![down])]);
    assert_eq!(desk.held("wallet.main", "shares:stETH"), pair("4", "4.96"));
}

#[test]
fn what_a_transaction_has_to_catch_up_with_comes_before_its_own_lines() {
    let mut desk = lido(&["1.25", "1.26"]);
    desk.run("lido", stake("ETH", "stETH", "5"));
    desk.view.advance_to(at(25)).unwrap();
    let done = desk.run("lido", stake("ETH", "wstETH", "1.26"));
    assert_eq!(
        lines(&done.entries)[..3],
        [
            "wallet.main shares:stETH rebase 0 (0.04) $80",
            "wallet.main ETH trade -1.26 $-2520",
            "wallet.main wstETH trade 1 $2520",
        ]
    );
    let [rebase, mined] = &done.events[..] else {
        panic!("{:?}", done.events)
    };
    assert_eq!(rebase.at, at(24));
    assert!(matches!(rebase.kind, EventKind::Accrual(_)));
    assert!(matches!(mined.kind, EventKind::Transaction(_)));
    assert_eq!(desk.to(26), [], "nothing is said twice");
}

#[test]
fn a_redemption_waits_in_the_queue_and_is_claimed() {
    let mut desk = lido(&["1.25", "1.26", "1.27", "1.28", "1.29"]);
    desk.run("lido", stake("ETH", "wstETH", "5"));
    let done = desk.run("lido", unstake("wstETH", "2"));
    assert!(done.waits);
    assert_eq!(
        lines(&done.entries),
        [
            "wallet.main wstETH trade -2 $-5000",
            "lido.queue ETH trade 2.5 $5000",
            "wallet.main ETH gas -0.00644 $-12.88",
        ]
    );
    let (code, text) = desk.refused("lido", claim(2));
    assert_eq!(code.as_deref(), Some("RequestNotFoundOrNotFinalized"));
    assert_eq!(
        text,
        "the withdrawal request of instruction 2 leaves the queue at 2024-01-04T00:00:00Z"
    );
    assert_eq!(desk.to(71), []);
    let events = desk.to(75);
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.at, at(72));
    assert_eq!(
        lines(&event.entries),
        [
            "lido.queue ETH transfer -2.5 $-5000",
            "lido.claimable ETH transfer 2.5 $5000",
        ]
    );
    assert_eq!(ready(&event.kind), Some(InstructionId::plain(2)));
    let done = desk.run("lido", claim(2));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "lido.claimable ETH transfer -2.5 $-5000",
            "wallet.main ETH transfer 2.5 $5000",
        ]
    );
    let (_, text) = desk.refused("lido", claim(2));
    assert!(
        text.contains("instruction 2 has no withdrawal request"),
        "{text}"
    );
    assert_eq!(desk.to(90), []);
}

#[test]
fn a_request_that_a_transaction_finds_ready_is_reported_before_it() {
    let mut desk = lido(&["1.25", "1.25", "1.25", "1.25"]);
    desk.run("lido", stake("ETH", "stETH", "5"));
    let queued = desk.run("lido", unstake("stETH", "all"));
    assert_eq!(
        lines(&queued.entries)[..2],
        [
            "wallet.main shares:stETH trade -4 (-5) $-10000",
            "lido.queue ETH trade 5 $10000",
        ]
    );
    desk.view.advance_to(at(72)).unwrap();
    let done = desk.run("lido", claim(2));
    let [left, mined] = &done.events[..] else {
        panic!("{:?}", done.events)
    };
    assert_eq!((left.venue.as_str(), left.at), ("lido", at(72)));
    assert_eq!(ready(&left.kind), Some(InstructionId::plain(2)));
    assert!(matches!(mined.kind, EventKind::Transaction(_)));
    assert_eq!(desk.to(72), [], "reported once");
}

#[test]
fn a_loss_of_the_pool_reaches_requests_that_wait() {
    let mut desk = lido(&["1.25", "1.2", "1.24", "1.24", "1.3"]);
    desk.run("lido", stake("ETH", "wstETH", "5"));
    desk.run("lido", unstake("wstETH", "2"));
    let events = desk.to(71);
    let first = accrual(&events[..1]);
    assert_eq!(first.subject.to_string(), "lido.queue:request:2");
    let [was, low] = [(0, "2.5".to_owned()), (24, "2.4".to_owned())];
    assert_eq!(readings(first), [was, low.clone()]);
    let expected = [low, (48, "2.48".to_owned())];
    assert_eq!(readings(accrual(&events[1..])), expected);
    let said: Vec<_> = events.iter().flat_map(|e| lines(&e.entries)).collect();
    assert_eq!(
        said,
        [
            "lido.queue ETH rebase -0.1 $-200",
            "lido.queue ETH rebase 0.08 $160",
        ]
    );
    desk.to(72);
    assert_eq!(desk.to(100), [], "final is final");
    let done = desk.run("lido", claim(2));
    assert_eq!(
        lines(&done.entries)[1],
        "wallet.main ETH transfer 2.48 $4960"
    );
}

#[test]
fn large_redemptions_are_split_and_tiny_ones_refused() {
    let mut desk = lido_holding(&["1.25"], &[("ETH", "1"), ("wstETH", "2000")]);
    let done = desk.run("lido", unstake("wstETH", "1700"));
    // Three requests: 800, 800 and 100 wstETH, each at most 1000 stETH.
    assert_eq!(
        lines(&done.entries)[1..],
        [
            "lido.queue ETH trade 2125 $4250000",
            "wallet.main ETH gas -0.01472 $-29.44",
        ]
    );
    let (code, text) = desk.refused("lido", unstake("wstETH", "0.000000000000000079"));
    assert_eq!(code.as_deref(), Some("RequestAmountTooSmall"));
    assert_eq!(
        text,
        "withdrawal of 0.000000000000000098 stETH is below the minimum of 0.0000000000000001"
    );
}

#[test]
fn tokens_from_elsewhere_redeem_like_minted_ones() {
    let mut desk = etherfi(&["1.25"]);
    let done = desk.run("etherfi", unstake("weETH", "all"));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main weETH trade -4 $-10000",
            "etherfi.queue ETH trade 5 $10000",
        ]
    );
    assert!(done.waits);
    let (_, text) = desk.refused("etherfi", claim(1));
    assert_eq!(
        text,
        "the withdrawal request of instruction 1 leaves the queue at 2024-01-08T00:00:00Z"
    );
    desk.run("etherfi", stake("ETH", "eETH", "2.5"));
    let done = desk.run("etherfi", wrap("eETH", "weETH", "1.25"));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main shares:eETH trade -1 (-1.25) $-2500",
            "wallet.main weETH trade 1 $2500",
        ]
    );
    desk.run("etherfi", unwrap("weETH", "eETH", "1"));
    assert_eq!(desk.held("wallet.main", "shares:eETH"), pair("2", "2.5"));
    desk.run("etherfi", unstake("eETH", "1.25"));
    assert_eq!(desk.held("etherfi.queue", "ETH").0, "6.25");
}

#[test]
fn the_delay_of_the_queue_is_a_setting() {
    let world = World::new().rates(LIDO_RATE, &["1.25"]);
    let settings = json!({ "queue_delay_hours": "5", "venue_type": "OnChain" });
    let drivers = [(&crate::lido::DRIVER, settings)];
    let mut desk = ChainDesk::new(world, &drivers, &[("ETH", "10")]);
    desk.run("lido", stake("ETH", "stETH", "5"));
    desk.run("lido", unstake("stETH", "5"));
    assert_eq!(desk.to(4), []);
    assert_eq!(desk.to(5).len(), 1);
}

/// EIGEN at 4 dollars and ETHFI at 2, each with one program.
fn rewarded(balances: &[(&str, &str)]) -> ChainDesk {
    let mut world = World::new();
    world.bars("dex.uniswap.EIGENWETH_3000", "0.002");
    world.bars("dex.uniswap.ETHFIWETH_3000", "0.001");
    let world = world
        .rewards(
            "reward_rate.etherfi.EIGEN",
            &[(48, 0, 48, "0.1"), (96, 48, 96, "0.2")],
        )
        .rewards("reward_top_up.etherfi.ETHFI", &[(120, 0, 48, "0.05")]);
    etherfi_in(
        world,
        &["1.25", "1.5", "1.5", "1.5", "1.5", "1.5"],
        balances,
    )
}

#[test]
fn rewards_are_paid_for_what_was_held_and_for_how_long() {
    let mut desk = rewarded(&[("ETH", "20")]);
    desk.to(12);
    // From hour 12: 4 weETH, 5 ETH; from hour 24 the same stand for 6; from hour 36 with 2 eETH shares 9.
    desk.run("etherfi", stake("ETH", "weETH", "5"));
    desk.to(36);
    desk.run("etherfi", stake("ETH", "eETH", "3"));
    // (12 × 5 + 12 × 6 + 12 × 9) ÷ 48 = 5 ETH over the whole period.
    let events = desk.to(50);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].at, at(48));
    assert_eq!(
        lines(&events[0].entries),
        ["etherfi.rewards EIGEN reward 0.5 $2"]
    );
    let EventKind::Reward(reward) = &events[0].kind else {
        panic!("{:?}", events[0])
    };
    let named = (reward.program.as_str(), reward.payment);
    assert_eq!(named, ("eigen", at(48)));
    desk.to(72);
    desk.run("etherfi", unstake("weETH", "all"));
    // The first half of the second period 9 ETH, then 3.
    let events = desk.to(97);
    assert_eq!(
        lines(&events[0].entries),
        ["etherfi.rewards EIGEN reward 1.2 $4.8"]
    );
    // Topped up for the first period long after its end.
    let events = desk.to(120);
    assert_eq!(
        lines(&events[0].entries),
        ["etherfi.rewards ETHFI reward 0.25 $0.5"]
    );
}

#[test]
fn tokens_that_arrive_from_outside_earn_from_then_on() {
    let mut desk = rewarded(&[("ETH", "1")]);
    let weeth = crate::testing::chain::asset("weETH");
    let four = basis_testkit::q("4");
    desk.transit.deposit(weeth, four, at(36), 0).unwrap();
    desk.to(36);
    // 12 of 48 hours at 6 ETH.
    let events = desk.to(48);
    assert_eq!(
        lines(&events[0].entries),
        ["etherfi.rewards EIGEN reward 0.15 $0.6"]
    );
}

#[test]
fn rewards_wait_until_they_are_claimed() {
    let mut desk = rewarded(&[("ETH", "20"), ("weETH", "4")]);
    let (code, text) = desk.refused("etherfi", claim_rewards(None));
    assert_eq!(code.as_deref(), Some("NothingToClaim()"));
    assert_eq!(text, "etherfi: no rewards wait to be claimed");
    // What a wallet held before its first transaction is seen from then on.
    desk.run("etherfi", stake("ETH", "eETH", "1.25"));
    desk.to(120);
    let (_, text) = desk.refused("etherfi", claim_rewards(Some("KING")));
    assert!(text.contains("its rewards are EIGEN, ETHFI"), "{text}");
    let done = desk.run("etherfi", claim_rewards(Some("ETHFI")));
    // (24 × 6.25 + 24 × 7.5) ÷ 48 × 0.05
    assert_eq!(
        lines(&done.entries),
        [
            "etherfi.rewards ETHFI transfer -0.34375 $-0.6875",
            "wallet.main ETHFI transfer 0.34375 $0.6875",
            "wallet.main ETH gas -0.00718 $-14.36",
        ]
    );
    desk.run("etherfi", claim_rewards(None));
    assert_eq!(desk.held("wallet.main", "EIGEN").0, "2.1875");
    assert_eq!(desk.held("etherfi.rewards", "EIGEN").0, "0");
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut desk = lido_holding(&["1.25"], &[("ETH", "10"), ("WETH", "3")]);
    let mut said = |operation| desk.refused("lido", operation).1;
    let text = said(stake("WETH", "stETH", "1"));
    assert!(text.contains("unwrap it first"), "{text}");
    let text = said(stake("ETH", "eETH", "1"));
    assert!(text.contains("does not stake ETH into eETH"), "{text}");
    let text = said(stake("ETH", "stETH", "11"));
    assert_eq!(text, "insufficient balance: 11 ETH needed, 10 free");
    let text = said(stake("ETH", "stETH", "0"));
    assert!(text.contains("must be above zero"), "{text}");
    let text = said(wrap("stETH", "wstETH", "1"));
    assert_eq!(text, "insufficient balance: 1 stETH needed, 0 free");
    let text = said(unwrap("wstETH", "stETH", "1"));
    assert_eq!(text, "insufficient balance: 1 wstETH needed, 0 free");
    let text = said(claim(9));
    assert!(
        text.contains("instruction 9 has no withdrawal request"),
        "{text}"
    );
    let text = said(claim_rewards(None));
    assert!(text.contains("executes no claim_rewards"), "{text}");
    // The gas does not fit in any more.
    let text = said(stake("ETH", "stETH", "all"));
    assert_eq!(text, "insufficient balance: 0.0018 ETH needed, 0 free");
}

#[test]
fn a_rate_that_is_missing_or_old_is_named() {
    let world = World::new().rates(LIDO_RATE, &["1.25"]);
    let drivers = [(&crate::lido::DRIVER, json!({}))];
    let mut desk = ChainDesk::without(LIDO_RATE, world, &drivers, &[("ETH", "10")]);
    let (_, text) = desk.refused("lido", stake("ETH", "stETH", "1"));
    assert!(
        text.contains("the run reads no staking_rate.lido.wstETH_ETH"),
        "{text}"
    );
    let mut desk = lido(&["1.25"]);
    desk.to(25);
    let (_, text) = desk.refused("lido", stake("ETH", "stETH", "1"));
    assert_eq!(
        text,
        "staking_rate.lido.wstETH_ETH has no fresh price at 2024-01-02T01:00:00Z (last value 25h \
         old)"
    );
}
