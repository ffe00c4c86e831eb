//! A desk for tests: a chain with both DEXes and a wallet, a market in code, a ledger that is checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::config::Problems;
use basis_core::error::VenueErrorKind;
use basis_core::instruction::{
    AddLiquidity, AmountOrAll, CollectFees, Instruction, Operation, RemoveLiquidity, Swap,
    SwapAmounts, Withdrawal,
};
use basis_core::ledger::LedgerEntry;
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::RuleBook;
use basis_core::types::{
    Account, Asset, InstructionId, Item, Label, SeriesId, Span, Timestamp, Venue,
};
use basis_core::venue_event::{Accrual, EventKind, Position};
use basis_market::{
    BarColumns, GasFees, MarketData, MarketView, RowSeries, SeriesRequest, SeriesRow, ViewPolicy,
};
use basis_sim::chain::SimulatedChain;
use basis_sim::pools::{Dex, PoolSettings};
use basis_testkit::posted;
use basis_testkit::{START, node, p, q, read_rules};
use serde_json::{Value as Json, json};

use crate::{curve, uniswap};

pub(crate) const UNISWAP: Venue = Venue::literal("uniswap");
pub(crate) const CURVE: Venue = Venue::literal("curve");

const DECIMALS: [(&str, u32); 6] = [
    ("USDT", 6),
    ("USDC", 6),
    ("WETH", 18),
    ("EIGEN", 18),
    ("weETH", 18),
    ("ETH", 18),
];

pub(crate) fn id(text: &str) -> SeriesId {
    text.parse().unwrap()
}

pub(crate) fn asset(text: &str) -> Asset {
    Asset::new(text).unwrap()
}

/// USDC for a WETH in the series that moves, of the bar that closes at `hour`.
pub(crate) fn moving_price(hour: i64) -> String {
    format!("{}.5", 1_950 + hour * 37 % 101)
}

/// WETH for a weETH in the pool that is near its rate, of the bar that closes at `hour`.
pub(crate) fn peg_price(hour: i64) -> String {
    format!("1.0{}", 30 + hour * 37 % 31)
}

/// Hourly bars at one price; the one that closes at `gap` is missing.
fn bars(data: &mut MarketData, series: &str, price: &str, gap: Option<i64>) {
    bars_at(data, series, &|_| p(price), gap);
}

/// Hourly bars, each at the price of the hour that it closes at.
fn bars_at(data: &mut MarketData, series: &str, price: &dyn Fn(i64) -> Price, gap: Option<i64>) {
    let hours: Vec<i64> = (0..30).filter(|hour| Some(hour + 1) != gap).collect();
    let prices = || hours.iter().map(|hour| price(hour + 1)).collect::<Vec<_>>();
    data.add_bars(BarColumns {
        id: id(series),
        length: Span::HOUR,
        opened_at: hours
            .iter()
            .map(|h| START.plus(Span::from_hours(*h)))
            .collect(),
        open: prices(),
        high: prices(),
        low: prices(),
        close: prices(),
        volume: vec![q("500000"); hours.len()],
    })
    .unwrap();
}

/// Rows `every` so long from the start on.
fn rows<T: SeriesRow>(data: &mut MarketData, series: &str, every: Span, rows: Vec<T>) {
    let at = (0..).take(rows.len()).map(|n| START.plus(every.times(n)));
    let series = RowSeries::new(id(series), Some(every), at.collect(), rows).unwrap();
    data.add_rows(series).unwrap();
}

fn fixed(text: &str) -> Fixed18 {
    text.parse().unwrap()
}

/// Everything both venues need but for `without`, at hour 1; EIGEN's bar of hour 3 is missing, and
/// weETH's market rate ends after hour 5.
pub(crate) fn view_without(without: &[&str]) -> MarketView {
    let mut data = MarketData::new("in code", true);
    bars(&mut data, "spot.binance.ETHUSDT", "2000", None);
    bars(&mut data, "dex.uniswap.WETHUSDT_3000", "2010", None);
    bars(&mut data, "dex.uniswap.EIGENWETH_3000", "0.0015", Some(3));
    let moving = |hour| p(&moving_price(hour));
    bars_at(&mut data, "dex.uniswap.WETHUSDC_500", &moving, Some(9));
    let near = |hour| p(&peg_price(hour));
    bars_at(&mut data, "dex.curve.weETHWETH_NG", &near, Some(9));
    let rates = ["1.05", "1.06"].map(fixed).to_vec();
    rows(
        &mut data,
        "staking_rate.etherfi.weETH_ETH",
        Span::DAY,
        rates,
    );
    let market = vec![fixed("1.04"); 6];
    rows(
        &mut data,
        "staking_market.curve.weETH_ETH",
        Span::HOUR,
        market,
    );
    let fees = GasFees {
        block: 1,
        base_fee_gwei: fixed("8"),
        priority_fee_gwei: fixed("2"),
        gas_price_gwei: fixed("10"),
    };
    rows(&mut data, "gas.ethereum.gwei", Span::HOUR, vec![fees; 60]);
    let carried = data.ids().filter(|id| !without.contains(&&*id.to_string()));
    let requests: Vec<_> = carried
        .map(|id| SeriesRequest {
            id,
            reference: None,
        })
        .collect();
    let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(hour(1)).unwrap();
    view
}

pub(crate) fn hour(hour: i64) -> Timestamp {
    START.plus(Span::from_hours(hour))
}

pub(crate) fn rule_book() -> RuleBook {
    let assets = DECIMALS
        .map(|(asset, decimals)| json!({ "asset": asset, "decimals": decimals.to_string() }));
    RuleBook::new([read_rules(&json!({
        "venue": "wallet",
        "snapshots": [{
            "effective_from": "2024-01-01",
            "accounts": { "deposit": "main", "spot": "main", "perp": "main" },
            "fees": {
                "spot": { "maker_bps": "0", "taker_bps": "0" },
                "perp": { "maker_bps": "0", "taker_bps": "0" },
                "spot_buy_fee_asset": "base",
            },
            "instruments": [],
            "transfers": { "internal": { "delay_seconds": "0", "fee": "0" }, "withdrawals": [] },
            "assets": assets,
        }],
    }))])
}

/// What the section `settings` of a DEX reads as, and the problems with it.
pub(crate) fn read(dex: &Dex, settings: &Json) -> (PoolSettings, Vec<String>) {
    let problems = Problems::new();
    let read = PoolSettings::read(dex, &node(settings), &problems);
    let problems = problems.into_sorted();
    (read, problems.iter().map(ToString::to_string).collect())
}

fn settings(dex: &Dex, json: &Json) -> PoolSettings {
    let (read, problems) = read(dex, json);
    assert_eq!(problems, Vec::<String>::new());
    read
}

/// What an instruction came to.
#[derive(Debug)]
pub(crate) struct Execution {
    /// Every line, those of what had to be caught up with first.
    pub(crate) entries: Vec<LedgerEntry>,
}

/// A wallet, both venues, and every line of what they have reported.
pub(crate) struct Desk {
    pub(crate) chain: SimulatedChain,
    pub(crate) view: MarketView,
    pub(crate) book: RuleBook,
    initial: BTreeMap<Asset, Quantity>,
    ledger: Vec<LedgerEntry>,
    /// What pools did by themselves.
    pub(crate) accruals: Vec<Accrual>,
    next: u32,
}

impl Desk {
    /// A desk with 10 ETH and `balances`, and both venues with these `pools` beside their own.
    pub(crate) fn new(balances: &[(&str, &str)], uniswap: &Json, curve: &Json) -> Self {
        let chain = SimulatedChain::default();
        let mut initial = BTreeMap::new();
        for (name, quantity) in [("ETH", "10")].iter().chain(balances) {
            let quantity = q(quantity);
            initial.insert(asset(name), quantity);
            let mut state = chain.state();
            state
                .wallet
                .add(Account::WALLET, asset(name), quantity)
                .unwrap();
        }
        let uniswap = settings(&uniswap::DEX, &json!({ "pools": uniswap }));
        let curve = settings(&curve::DEX, &json!({ "pools": curve }));
        for protocol in [uniswap::protocol(&uniswap), curve::protocol(&curve)] {
            chain.state().install(Box::new(protocol));
        }
        Self {
            chain,
            view: view_without(&[]),
            book: rule_book(),
            initial,
            ledger: Vec::new(),
            accruals: Vec::new(),
            next: 1,
        }
    }

    pub(crate) fn balance(&self, name: &str) -> Quantity {
        self.chain.state().wallet.get(Account::WALLET, asset(name))
    }

    /// Executes; the ledger must sum up to the wallet, and a refusal must change nothing.
    pub(crate) fn execute(
        &mut self,
        venue: Venue,
        operation: Operation,
    ) -> Result<Execution, VenueErrorKind> {
        let instruction = Instruction::new(InstructionId::plain(self.next), operation);
        self.next += 1;
        let state = || format!("{:?}", self.chain.state());
        let before = state();
        let mut events = Vec::new();
        let result =
            self.chain
                .state()
                .execute(venue, &self.view, &self.book, &instruction, &mut events);
        match result {
            Ok(()) => {
                let entries = posted(&events, &self.view);
                self.ledger.extend(entries.iter().cloned());
                self.check();
                Ok(Execution { entries })
            }
            Err(refusal) => {
                assert_eq!(state(), before, "a refused instruction changes nothing");
                assert_eq!(events, [], "and reports nothing");
                Err(*refusal.0)
            }
        }
    }

    /// Wallet and pools hold the sum of the lines, quantity and units.
    fn check(&self) {
        let of_wallet = |asset: Asset| (Account::WALLET, Item::Asset(asset));
        let initial = self.initial.iter();
        let mut sums: BTreeMap<_, _> = initial.map(|(a, q)| (of_wallet(*a), (*q, *q))).collect();
        let mut causes = Vec::new();
        for line in &self.ledger {
            let sum = sums.entry((line.account, line.item)).or_default();
            sum.0 = sum.0.add(line.quantity).unwrap();
            sum.1 = sum.1.add(line.units).unwrap();
            causes.push(line.cause.clone());
        }
        sums.retain(|_, (quantity, units)| !quantity.is_zero() || !units.is_zero());
        let mut held = BTreeMap::new();
        for venue in [Venue::WALLET, UNISWAP, CURVE] {
            for row in self.positions(venue) {
                held.insert((row.account, row.item), (row.quantity, row.units));
            }
        }
        assert_eq!(held, sums);
        let count = causes.len();
        causes.sort();
        causes.dedup();
        assert_eq!(causes.len(), count, "every line has a cause of its own");
    }

    /// To `hour` of the market, where both venues say what happened by itself; how many lines.
    pub(crate) fn advance(&mut self, to: i64) -> usize {
        self.view.advance_to(hour(to)).unwrap();
        let before = self.ledger.len();
        for venue in [UNISWAP, CURVE] {
            let mut events = Vec::new();
            let advanced = self
                .chain
                .state()
                .advance(venue, &self.view, &self.book, &mut events);
            advanced.unwrap();
            self.ledger.extend(posted(&events, &self.view));
            self.accruals.extend(events.into_iter().map(|event| {
                assert_eq!((event.venue, event.at), (venue, self.view.now()));
                let EventKind::Accrual(accrual) = event.kind else {
                    panic!("{event:?}")
                };
                accrual
            }));
        }
        self.check();
        self.ledger.len() - before
    }

    /// What we hold at `venue`.
    pub(crate) fn positions(&self, venue: Venue) -> Vec<Position> {
        let mut positions = Vec::new();
        let state = self.chain.state();
        state.positions(venue, &mut positions).unwrap();
        positions
    }

    /// The newest lines, so many.
    pub(crate) fn newest(&self, count: usize) -> &[LedgerEntry] {
        &self.ledger[self.ledger.len() - count..]
    }

    /// Quantity and units of an item in the account of a pool; zero when it is not there.
    pub(crate) fn held(&self, venue: Venue, pool: &str, item: &str) -> (Quantity, Quantity) {
        let key = (
            Account::new(venue, Label::new(pool).unwrap()),
            item.parse::<Item>().unwrap(),
        );
        let rows = self.positions(venue);
        let row = rows.iter().find(|row| (row.account, row.item) == key);
        row.map_or_else(Default::default, |row| (row.quantity, row.units))
    }

    /// Swaps without a minimum and returns what came out.
    pub(crate) fn swap(
        &mut self,
        venue: Venue,
        pool: &str,
        way: [&str; 2],
        amount: &str,
    ) -> Quantity {
        let before = self.balance(way[1]);
        self.execute(venue, swap(pool, way, amount, "0")).unwrap();
        self.balance(way[1]).sub(before).unwrap()
    }

    /// The text of the refusal of a swap.
    pub(crate) fn refused(
        &mut self,
        venue: Venue,
        pool: &str,
        way: [&str; 2],
        amounts: [&str; 2],
    ) -> String {
        let [amount, minimum] = amounts;
        self.execute(venue, swap(pool, way, amount, minimum))
            .unwrap_err()
            .to_string()
    }
}

pub(crate) fn swap(pool: &str, way: [&str; 2], amount_in: &str, minimum_out: &str) -> Operation {
    Operation::Swap(Swap {
        pool: Label::new(pool).unwrap(),
        asset_in: asset(way[0]),
        asset_out: asset(way[1]),
        amounts: SwapAmounts::ExactInput {
            amount_in: amount(amount_in),
            minimum_out: q(minimum_out),
        },
    })
}

/// Exactly `amount_out` for at most `maximum_in`.
pub(crate) fn swap_for(
    pool: &str,
    way: [&str; 2],
    amount_out: &str,
    maximum_in: &str,
) -> Operation {
    Operation::Swap(Swap {
        pool: Label::new(pool).unwrap(),
        asset_in: asset(way[0]),
        asset_out: asset(way[1]),
        amounts: SwapAmounts::ExactOutput {
            amount_out: q(amount_out),
            maximum_in: q(maximum_in),
        },
    })
}

/// At most `amounts` into a pool, with a least liquidity.
pub(crate) fn add(
    pool: &str,
    ticks: Option<(i32, i32)>,
    amounts: &[&str],
    minimum: &str,
) -> Operation {
    Operation::AddLiquidity(AddLiquidity {
        pool: Label::new(pool).unwrap(),
        amounts: amounts.iter().map(|amount| q(amount)).collect(),
        ticks,
        minimum_liquidity: fixed(minimum),
    })
}

/// So much liquidity out of a pool.
pub(crate) fn remove(
    pool: &str,
    ticks: Option<(i32, i32)>,
    liquidity: impl Into<AmountOrAll>,
    minimum: &[&str],
) -> Operation {
    let withdrawal = Withdrawal::InProportion {
        liquidity: liquidity.into(),
        ticks,
        minimum_out: minimum.iter().map(|amount| q(amount)).collect(),
    };
    removal(pool, withdrawal)
}

/// So much liquidity out of a pool, for at least so much of one asset alone.
pub(crate) fn remove_one(
    pool: &str,
    liquidity: impl Into<AmountOrAll>,
    name: &str,
    minimum: &str,
) -> Operation {
    let withdrawal = Withdrawal::InOneAsset {
        liquidity: liquidity.into(),
        asset_out: asset(name),
        minimum_out: q(minimum),
    };
    removal(pool, withdrawal)
}

/// Exactly `amounts` out of a pool, for so much liquidity at most.
pub(crate) fn remove_exactly(pool: &str, amounts: &[&str], maximum: &str) -> Operation {
    let withdrawal = Withdrawal::Exactly {
        amounts: amounts.iter().map(|amount| q(amount)).collect(),
        maximum_liquidity: fixed(maximum),
    };
    removal(pool, withdrawal)
}

fn removal(pool: &str, withdrawal: Withdrawal) -> Operation {
    Operation::RemoveLiquidity(RemoveLiquidity {
        pool: Label::new(pool).unwrap(),
        withdrawal,
    })
}

/// The fees of a position.
pub(crate) fn collect(pool: &str, ticks: Option<(i32, i32)>) -> Operation {
    Operation::CollectFees(CollectFees {
        pool: Label::new(pool).unwrap(),
        ticks,
    })
}

/// These steps, all or none, each at the only venue that takes it.
pub(crate) fn group(steps: &[Operation]) -> Operation {
    let step = |operation: &Operation| Instruction::new(InstructionId::plain(0), operation.clone());
    Operation::Atomic(steps.iter().map(step).collect())
}

/// `all`, or a number.
fn amount(text: &str) -> AmountOrAll {
    match text {
        "all" => AmountOrAll::All,
        number => AmountOrAll::Exactly(q(number)),
    }
}

/// A Uniswap pool of WETH and EIGEN at 1: liquidity within `width` ticks of it, and more near it.
pub(crate) fn ranges(name: &str, width: u32, own_size: bool) -> Json {
    json!({ name: {
        "model": "state", "assets": ["WETH", "EIGEN"], "fee": "3000", "tick_spacing": "60",
        "price": "1", "own_size": own_size.to_string(),
        "ranges": [
            { "lower": format!("-{width}"), "upper": width.to_string(),
              "liquidity": "1000000000000000000000" },
            { "lower": "-60", "upper": "60", "liquidity": "5000000000000000000000" },
        ],
    }})
}

/// A Curve pool of three coins, one with a rate, whose fee grows off the peg.
pub(crate) fn stable(own_size: bool) -> Json {
    json!({ "ng": {
        "model": "state", "assets": ["weETH", "WETH", "USDC"], "fee": "1000000", "a": "200",
        "balances": ["1000", "1050", "900"], "offpeg_fee_multiplier": "20000000000",
        "rates": ["staking_rate.etherfi.weETH_ETH", "1", "1"], "own_size": own_size.to_string(),
    }})
}
