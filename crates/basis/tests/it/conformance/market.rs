//! The market and the settings that every case meets.
//!
//! The built-in synthetic market over thirty days: everything ends at once, so that a view beyond its end
//! shows nothing fresh. OKX has no spot series there; Bybit's fills it, named in the policy.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use basis::assembly::World;
use basis::config::{embedded, yaml};
use basis::core::config::{Node, Problems};
use basis::core::rules::{RuleBook, VenueRules};
use basis::core::types::{Asset, SeriesId, SeriesKind, Span, Symbol, Timestamp};
use basis::core::venue::FillAt;
use basis::data::{SyntheticSpec, synthetic};
use basis::engine::account::Pricing;
use basis::market::{MarketData, MarketView, SeriesRequest, ViewPolicy};

const DAYS: usize = 30;

/// Hours from the market's start at which a desk opens.
pub(super) const OPENING: i64 = 24;

/// Hours from the market's start at which nothing is fresh any more.
pub(super) const STALE: i64 = 24 * 34;

/// What `venue_settings` of every world says: balances to act with, pools, markets and caps small enough
/// to be met.
const SETTINGS: &str = r#"
binance:
  slippage: none
  initial_balances: { spot: { USDT: 50000, ETH: 10 }, usdm: { USDT: 50000 } }
bybit:
  slippage: none
  initial_balances: { unified: { USDT: 50000, ETH: 10 } }
okx:
  slippage: none
  initial_balances: { funding: { USDT: 50000 }, trading: { USDT: 50000, ETH: 10 } }
uniswap:
  pools:
    ranges:
      model: state
      assets: [WETH, weETH]
      fee: 3000
      tick_spacing: 60
      price: 1
      ranges:
        - { lower: -600, upper: 600, liquidity: "1000000000000000000000" }
    followed:
      model: state
      assets: [WETH, USDT]
      fee: 3000
      tick_spacing: 60
      price: 2500
      follows: dex.uniswap.WETHUSDT_3000
      ranges:
        - { lower: -240000, upper: -150000, liquidity: "500000000000000000" }
curve:
  pools:
    three:
      model: state
      assets: [weETH, WETH, USDC]
      fee: 1000000
      a: 200
      balances: [1000, 1050, 900]
      offpeg_fee_multiplier: 20000000000
      rates: [staking_rate.etherfi.weETH_ETH, 1, 1]
    tied:
      model: state
      assets: [weETH, WETH]
      fee: 4000000
      a: 100
      balances: [2000, 2100]
      rates: [staking_rate.etherfi.weETH_ETH, 1]
      follows: staking_market.curve.weETH_ETH
aave:
  supply_caps: { wstETH: 1000 }
  borrow_caps: { USDT: 1000 }
morpho:
  markets:
    - { name: weeth_weth, loan: WETH, collateral: weETH, lltv: 0.945, total_supply: 10000, total_borrow: 9900 }
    - { name: weeth_usdc, loan: USDC, collateral: weETH, lltv: 0.86, total_supply: 10000000, total_borrow: 8000000 }
  balances: { WETH: 500 }
lido:
  queue_delay_hours: 24
etherfi:
  queue_delay_hours: 24
instadapp:
  network: mainnet
wallet:
  initial_balances:
    main: { ETH: 1000, WETH: 1000, weETH: 1000, wstETH: 1000, USDT: 100000, USDC: 100000 }
"#;

/// What the settings say the wallet holds in ether.
const ETHER: &str = "ETH: 1000, WETH";

pub(super) fn settings() -> Node {
    parsed(SETTINGS)
}

/// The same with a wallet that cannot pay gas.
pub(super) fn settings_without_ether() -> Node {
    assert!(SETTINGS.contains(ETHER));
    parsed(&SETTINGS.replace(ETHER, "WETH"))
}

pub(super) fn parsed(text: &str) -> Node {
    yaml::parse(text, "conformance").unwrap()
}

/// The rules built into the program, but that the wallet sends no less than 0.01 ETH.
pub(super) fn rules() -> Arc<RuleBook> {
    static RULES: OnceLock<Arc<RuleBook>> = OnceLock::new();
    Arc::clone(RULES.get_or_init(|| {
        let problems = Problems::new();
        let read = |file: &embedded::Embedded| {
            let minimum = "asset: ETH, network: ethereum, fee: 0.0011, minimum: 0,";
            let raised = minimum.replace("minimum: 0,", "minimum: 0.01,");
            let text = file.text.replace(minimum, &raised);
            assert_eq!(text != file.text, file.name == "wallet", "{}", file.name);
            let tree = yaml::parse(&text, file.source).unwrap();
            VenueRules::read(&tree, &problems).unwrap()
        };
        let book = RuleBook::new(embedded::VENUES.iter().map(read));
        assert_eq!(problems.into_sorted(), []);
        Arc::new(book)
    }))
}

fn data() -> Arc<MarketData> {
    static DATA: OnceLock<Arc<MarketData>> = OnceLock::new();
    Arc::clone(DATA.get_or_init(|| {
        Arc::new(synthetic(&SyntheticSpec {
            bars: DAYS * 24,
            ..SyntheticSpec::default()
        }))
    }))
}

/// So many hours after the market's start.
pub(super) fn hour(hour: i64) -> Timestamp {
    SyntheticSpec::default().start.plus(Span::from_hours(hour))
}

/// A view of the whole market at the opening, but for the series `without`.
pub(super) fn view(without: Option<&str>) -> MarketView {
    let data = data();
    let spot = |venue: &str| -> SeriesId { format!("spot.{venue}.ETHUSDT").parse().unwrap() };
    let carried = data
        .ids()
        .filter(|id| id.kind != SeriesKind::Funding)
        .chain([spot("okx")]);
    let requests: Vec<_> = carried
        .filter(|id| without != Some(&*id.to_string()))
        .map(|id| SeriesRequest {
            id,
            reference: None,
        })
        .collect();
    let policy = ViewPolicy {
        proxies: BTreeMap::from([(spot("okx"), spot("bybit"))]),
        ..ViewPolicy::default()
    };
    let mut view = MarketView::new(data, &requests, policy).unwrap();
    // The step before, so that the bar that ends now is the view's newest step.
    view.advance_to(hour(OPENING - 1)).unwrap();
    view.advance_to(hour(OPENING)).unwrap();
    view
}

/// A world of its own at the instant of `view`.
pub(super) fn world(view: &MarketView) -> World {
    World::new(view.now(), rules(), FillAt::Close)
}

/// How the books value what there is: the reference is the first spot series of ether that the view has.
pub(super) fn pricing(view: &MarketView) -> Pricing {
    let symbol = Symbol::literal("ETHUSDT");
    let series =
        ["binance", "bybit"].map(|venue| format!("spot.{venue}.{symbol}").parse().unwrap());
    let read = series.into_iter().find(|id| view.slot(*id).is_some());
    Pricing {
        base: Asset::literal("ETH"),
        symbol,
        reference: read.unwrap(),
    }
}
