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
use basis::venues::driver::VenueDriver;
use basis::venues::factory::{ExecutionInterfaceFactory, FactorySettings};
use basis::venues::registry::Registry;

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

/// A venue beside the built-in ones.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// Its row.
    pub driver: VenueDriver,
    /// Its section of `venue_settings`, with balances to act with, as YAML under its own name.
    pub settings: &'static str,
    /// Its rules, as the files under `configs/venues`.
    pub rules: &'static str,
    /// Its series and those of the synthetic market that stand in for them.
    pub series: &'static [(&'static str, &'static str)],
}

/// The venues, settings, rules and series that a case meets: the built-in ones, and maybe one more.
#[derive(Clone, Copy, Debug)]
pub struct Bench {
    added: Option<Added>,
}

impl Bench {
    /// The built-in venues.
    pub const BUILTIN: Self = Self { added: None };

    /// The built-in venues and this one.
    #[must_use]
    pub const fn with(added: Added) -> Self {
        Self { added: Some(added) }
    }

    pub(super) fn registry(self) -> Registry {
        let builtin = Registry::builtin();
        match self.added {
            Some(added) => builtin.with(added.driver).unwrap(),
            None => builtin,
        }
    }

    /// A factory of a backtest in `world`.
    pub(super) fn factory(
        self,
        world: &World,
        settings: FactorySettings,
    ) -> ExecutionInterfaceFactory {
        world.factory(&self.registry(), settings, "")
    }

    pub(super) fn settings(self) -> Node {
        parsed(&format!("{}{SETTINGS}", self.own_settings()))
    }

    /// The same with a wallet that cannot pay gas.
    pub(super) fn settings_without_ether(self) -> Node {
        assert!(SETTINGS.contains(ETHER));
        let settings = SETTINGS.replace(ETHER, "WETH");
        parsed(&format!("{}{settings}", self.own_settings()))
    }

    fn own_settings(self) -> &'static str {
        self.added.map_or("", |added| added.settings)
    }

    /// The rules built into the program, but that the wallet sends no less than 0.01 ETH, and those of the
    /// venue beside them.
    pub(super) fn rules(self) -> Arc<RuleBook> {
        let Some(added) = self.added else {
            static RULES: OnceLock<Arc<RuleBook>> = OnceLock::new();
            return Arc::clone(RULES.get_or_init(|| Arc::new(RuleBook::new(builtin_rules()))));
        };
        let own = read_rules(added.rules, "the rules of the venue");
        Arc::new(RuleBook::new(builtin_rules().chain([own])))
    }

    /// A view of the whole market at the opening, but for the series `without`.
    pub(super) fn view(self, without: Option<&str>) -> MarketView {
        let data = data();
        let id = |text: &str| -> SeriesId { text.parse().unwrap() };
        let own = self.added.map_or(&[][..], |added| added.series);
        let own = own.iter().map(|(own, other)| (id(own), id(other)));
        let okx = (id("spot.okx.ETHUSDT"), id("spot.bybit.ETHUSDT"));
        let proxies: BTreeMap<_, _> = own.chain([okx]).collect();
        let carried = data
            .ids()
            .chain(proxies.keys().copied())
            .filter(|id| id.kind != SeriesKind::Funding);
        let requests: Vec<_> = carried
            .filter(|id| without != Some(&*id.to_string()))
            .map(|id| SeriesRequest {
                id,
                reference: None,
            })
            .collect();
        let policy = ViewPolicy {
            proxies,
            ..ViewPolicy::default()
        };
        let mut view = MarketView::new(data, &requests, policy).unwrap();
        // The step before, so that the bar that ends now is the view's newest step.
        view.advance_to(hour(OPENING - 1)).unwrap();
        view.advance_to(hour(OPENING)).unwrap();
        view
    }

    /// A world of its own at the instant of `view`.
    pub(super) fn world(self, view: &MarketView) -> World {
        World::new(view.now(), self.rules(), FillAt::Close)
    }
}

fn builtin_rules() -> impl Iterator<Item = VenueRules> {
    embedded::VENUES.iter().map(|file| {
        let minimum = "asset: ETH, network: ethereum, fee: 0.0011, minimum: 0,";
        let raised = minimum.replace("minimum: 0,", "minimum: 0.01,");
        let text = file.text.replace(minimum, &raised);
        assert_eq!(text != file.text, file.name == "wallet", "{}", file.name);
        read_rules(&text, file.source)
    })
}

fn read_rules(text: &str, source: &str) -> VenueRules {
    let problems = Problems::new();
    let tree = yaml::parse(text, source).unwrap();
    let rules = VenueRules::read(&tree, &problems);
    assert_eq!(problems.into_sorted(), [], "{source}");
    rules.unwrap()
}

pub(super) fn parsed(text: &str) -> Node {
    yaml::parse(text, "conformance").unwrap()
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
