//! Small things that were taken without a word or blamed on the wrong place.

use crate::runner::Scratch;

fn market_buy(dir: &Scratch, balance: &str, more: &str) -> crate::runner::Outcome {
    let trade = format!(
        "{{\"spot_trade\":{{\"symbol\":\"BTCUSDT\",\"side\":\"buy\",\"quantity\":\"0.01\",\
         \"order_type\":\"market\"{more}}}}}"
    );
    let at = ["instruct", "--venue", "binance", "--balance", balance];
    dir.run(&[&at[..], &[&trade]].concat(), &[])
}

#[test]
fn a_limit_price_on_a_market_order_is_refused_as_the_venue_does() {
    let dir = Scratch::new();
    assert_eq!(market_buy(&dir, "spot:USDT=10000", "").code, 0);
    let refused = market_buy(&dir, "spot:USDT=10000", ",\"limit_price\":\"20000\"");
    refused.fails(1, &["a market order has no limit_price", "-1106"]);
}

#[test]
fn a_balance_in_an_asset_that_no_rules_know_is_refused() {
    let dir = Scratch::new();
    let refused = market_buy(&dir, "spot:FOO=5", "");
    refused.fails(2, &["--balance spot:FOO=5: no rules know the asset FOO"]);
}

#[test]
fn wrong_shares_are_blamed_on_who_gave_them() {
    let dir = Scratch::new();
    let refused = dir.basis("check btc_basis --set hedge_allocation.okx=0.9");
    refused.fails(
        2,
        &["--set: hedge_allocation: the shares sum to 1.6; they must sum to 1"],
    );
}

#[test]
fn a_proxy_for_a_series_that_is_not_read_is_said_to_be_needless() {
    let dir = Scratch::new();
    let proxy = "data.proxies.perp.okx.SOLUSDT=perp.bybit.SOLUSDT";
    let run = format!("backtest btc_basis --from 2024-03-01 --to 2024-03-01 --set {proxy}");
    let why = "btc_basis does not read perp.okx.SOLUSDT; leave the proxy out";
    dir.basis(&run)
        .fails(2, &["data.proxies.perp.okx.SOLUSDT", why]);
}

#[test]
fn a_configuration_of_a_data_check_is_of_one_mode() {
    let dir = Scratch::new();
    dir.write("mine.yaml", "reserve_ratio: 0.1\n");
    let refused = dir.basis("data check data --config mine.yaml");
    refused.fails(2, &["give --mode MODE with --config"]);
}

#[test]
fn quiet_leaves_nothing_beside_the_result() {
    let dir = Scratch::new();
    let days = "--from 2024-03-01 --to 2024-03-02";
    let quiet = dir.basis(&format!("backtest btc_basis {days} --json -q"));
    quiet.json();
    assert_eq!(quiet.err, "");
    let spoken = dir.basis(&format!("backtest btc_basis {days} --json"));
    assert!(spoken.err.contains("SYNTHETIC"), "{}", spoken.err);
}
