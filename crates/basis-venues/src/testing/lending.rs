//! A desk for tests of lending markets: a chain with Aave and Morpho, a market in code, a ledger that
//! is checked after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use basis_core::instruction::{AmountOrAll, Instruction, Lending, Operation};
use basis_core::ledger::{EntryKind, LedgerEntry};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding};
use basis_core::rules::VenueRules;
use basis_core::types::{
    Account, Asset, InstructionId, Item, Label, SeriesId, Span, Timestamp, Venue,
};
use basis_core::venue::DataProvider;
use basis_core::venue_event::{EventKind, LendingHealth, Position};
use basis_market::{
    AaveEMode, AaveRiskParameters, BarColumns, BarSeries, GasFees, MarketData, MarketView,
    ReserveRow, RowSeries, SeriesRequest, SeriesRow, ViewPolicy,
};
use basis_sim::chain::State;
use basis_sim::refusal::Refusal;
use basis_testkit::posted;

use super::chain::{Reported, reported};
use crate::aave::{AAVE, Aave, AaveSettings};
use crate::morpho::{Morpho, MorphoSettings};

/// Midnight of 1 June 2024.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_717_200_000);
pub(crate) const MORPHO: Venue = Venue::literal("morpho");
pub(crate) const WETH: Asset = Asset::literal("WETH");
pub(crate) const WEETH: Asset = Asset::literal("weETH");
pub(crate) const USDT: Asset = Asset::literal("USDT");
pub(crate) const RAY: u128 = 10_u128.pow(27);
const DAYS: i64 = 30;

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn hour(hour: i64) -> Timestamp {
    START.plus(Span::from_hours(hour))
}

#[derive(Debug)]
struct Decimals;

impl DataProvider for Decimals {
    fn rules(&self, _: Venue) -> Option<Arc<VenueRules>> {
        None
    }

    fn decimals(&self, _: Venue, asset: Asset) -> Option<u32> {
        match asset.as_str() {
            "ETH" | "WETH" | "weETH" | "wstETH" => Some(18),
            "USDT" => Some(6),
            _ => None,
        }
    }
}

/// What a reserve's daily rows say.
#[derive(Clone, Copy)]
pub(crate) struct Reserve {
    pub(crate) asset: Asset,
    pub(crate) supplied: i64,
    pub(crate) debt: i64,
    /// Yearly rates in rays.
    pub(crate) supply_rate: u128,
    pub(crate) borrow_rate: u128,
}

/// Four fifths lent, below the kink.
pub(crate) const WETH_RESERVE: Reserve = Reserve {
    asset: WETH,
    supplied: 500_000,
    debt: 400_000,
    supply_rate: RAY / 100_000 * 1_632,
    borrow_rate: RAY / 1_000 * 24,
};
const WEETH_RESERVE: Reserve = Reserve {
    asset: WEETH,
    supplied: 130_000,
    debt: 13_000,
    supply_rate: RAY / 10_000 * 11,
    borrow_rate: RAY / 100 * 2,
};
const USDT_RESERVE: Reserve = Reserve {
    asset: USDT,
    supplied: 400_000_000,
    debt: 360_000_000,
    supply_rate: RAY / 1_000 * 81,
    borrow_rate: RAY / 10,
};

impl Reserve {
    /// The row of a day: indices move about as the rates say, and a bit beside.
    pub(crate) fn row(&self, day: i64) -> ReserveRow {
        let grown = |index: u128, rate: u128| {
            let days = u128::try_from(day).unwrap();
            index
                + index / 10_u128.pow(15) * (rate / 365 / 10_u128.pow(12)) * days
                + 12_345_678_901_234 * days * days
        };
        ReserveRow {
            block: 1,
            liquidity_index_ray: grown(RAY / 100 * 102, self.supply_rate),
            liquidity_rate_ray: self.supply_rate,
            variable_borrow_index_ray: grown(RAY / 100 * 104, self.borrow_rate),
            variable_borrow_rate_ray: self.borrow_rate,
            total_supplied: Fixed18::from_int(self.supplied),
            total_variable_debt: Fixed18::from_int(self.debt),
            oracle_price_usd: Fixed18::ONE,
        }
    }
}

/// What a world is made of.
pub(crate) struct World {
    pub(crate) settings: AaveSettings,
    pub(crate) morpho: MorphoSettings,
    /// Closes of ether's hourly bars.
    pub(crate) spot: fn(i64) -> i64,
    /// Series the view does not carry.
    pub(crate) without: Vec<&'static str>,
    /// Days without rows of the reserves.
    pub(crate) gap: std::ops::Range<i64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            settings: AaveSettings::default(),
            morpho: MorphoSettings::default(),
            spot: |_| 3_000,
            without: Vec::new(),
            gap: 0..0,
        }
    }
}

fn risk(asset: Asset, terms: [&'static str; 5], correlated: bool) -> AaveRiskParameters {
    let [ltv, threshold, bonus, factor, optimal] = terms.map(Rate::literal);
    AaveRiskParameters {
        asset,
        ltv,
        liquidation_threshold: threshold,
        liquidation_bonus: bonus,
        reserve_factor: factor,
        optimal_utilization: optimal,
        emode: correlated.then(|| AaveEMode {
            category: Label::literal("ETH-correlated"),
            ltv: Rate::literal("0.93"),
            liquidation_threshold: Rate::literal("0.95"),
            liquidation_bonus: Rate::literal("0.01"),
        }),
    }
}

/// The table of the shared data, without wstETH.
fn risk_table() -> Vec<AaveRiskParameters> {
    vec![
        risk(WETH, ["0.805", "0.83", "0.05", "0.15", "0.92"], true),
        risk(WEETH, ["0.775", "0.8", "0.07", "0.45", "0.3"], true),
        risk(USDT, ["0.75", "0.78", "0.045", "0.1", "0.92"], false),
    ]
}

fn add<T: SeriesRow>(data: &mut MarketData, id: &str, at: Vec<Timestamp>, rows: Vec<T>) {
    let interval = if rows.len() > 1 {
        Span::DAY
    } else {
        Span::DAY.times(DAYS)
    };
    let series = RowSeries::new(id.parse().unwrap(), Some(interval), at, rows).unwrap();
    data.add_rows(series).unwrap();
}

/// ETH per weETH on a day, in mantissas of 18 decimals.
pub(crate) fn weeth_rate(day: i64) -> Fixed18 {
    let grown = Fixed18::from_int(day).mul(Fixed18::literal("0.0001"), Rounding::Down);
    Fixed18::literal("1.04").add(grown.unwrap()).unwrap()
}

impl World {
    pub(crate) fn data(&self) -> MarketData {
        let mut data = self.data_without_reserves();
        let kept = (0..DAYS).filter(|day| !self.gap.contains(day));
        let kept: Vec<i64> = kept.collect();
        let at: Vec<_> = kept.iter().map(|day| hour(24 * day)).collect();
        for reserve in [WETH_RESERVE, WEETH_RESERVE, USDT_RESERVE] {
            let rows = kept.iter().map(|day| reserve.row(*day)).collect();
            let id = format!("aave_reserve.aave.{}", reserve.asset);
            add(&mut data, &id, at.clone(), rows);
        }
        data
    }

    pub(crate) fn data_without_reserves(&self) -> MarketData {
        let mut data = MarketData::new("test", true);
        let hours = DAYS * 24;
        // A bar opens an hour before it is known, so that spot is known from the start.
        let close = |n| Price::new(Fixed18::from_int((self.spot)(n))).unwrap();
        let closes: Vec<Price> = (0..hours).map(close).collect();
        let columns = BarColumns {
            id: "spot.bybit.ETHUSDT".parse().unwrap(),
            length: Span::HOUR,
            opened_at: (0..hours).map(|n| hour(n - 1)).collect(),
            open: closes.clone(),
            high: closes.clone(),
            low: closes.clone(),
            volume: vec![Quantity::ZERO; closes.len()],
            close: closes,
        };
        data.add_bars(BarSeries::try_from(columns).unwrap())
            .unwrap();
        let days: Vec<i64> = (0..DAYS).collect();
        let at = |days: &[i64]| days.iter().map(|day| hour(24 * day)).collect::<Vec<_>>();
        let spot = |day: &i64| Fixed18::from_int((self.spot)(24 * day));
        let rate = |day: &i64| weeth_rate(*day);
        let points = |of: &dyn Fn(&i64) -> Fixed18| days.iter().map(of).collect::<Vec<_>>();
        add(&mut data, "oracle.aave.WETH_USD", at(&days), points(&spot));
        add(&mut data, "oracle.aave.weETH_ETH", at(&days), points(&rate));
        let one = |_: &i64| Fixed18::ONE;
        add(&mut data, "oracle.aave.USDT_USD", at(&days), points(&one));
        add(
            &mut data,
            "staking_rate.etherfi.weETH_ETH",
            at(&days),
            points(&rate),
        );
        let fees = GasFees {
            block: 1,
            base_fee_gwei: Fixed18::from_int(9),
            priority_fee_gwei: Fixed18::ONE,
            gas_price_gwei: Fixed18::from_int(10),
        };
        add(&mut data, "gas.ethereum.gwei", vec![START], vec![fees]);
        data.set_risk_parameters(risk_table());
        data
    }
}

/// What an instruction came to.
#[derive(Debug)]
pub(crate) struct Done {
    /// The lines of its transaction, after those of what had to be caught up with.
    pub(crate) entries: Vec<LedgerEntry>,
}

/// The chain at work.
pub(crate) struct Desk {
    pub(crate) state: State,
    pub(crate) view: MarketView,
    pub(crate) ledger: Vec<LedgerEntry>,
    /// What happened without a transaction, as the venues reported it when asked.
    pub(crate) events: Vec<Reported>,
    initial: Vec<Position>,
    next_id: u32,
}

impl Desk {
    /// A million of everything in the wallet.
    pub(crate) fn new(world: &World) -> Self {
        Self::on(world.data(), world)
    }

    pub(crate) fn on(data: MarketData, world: &World) -> Self {
        let carried: Vec<SeriesId> = data
            .ids()
            .filter(|id| !world.without.contains(&id.to_string().as_str()))
            .collect();
        let requests: Vec<_> = carried
            .into_iter()
            .map(|id| SeriesRequest {
                id,
                reference: None,
            })
            .collect();
        let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
        view.advance_to(START).unwrap();
        let mut state = State::default();
        for asset in ["ETH", "WETH", "weETH", "USDT"] {
            let asset = Asset::literal(asset);
            state
                .wallet
                .add(Account::WALLET, asset, q("1000000"))
                .unwrap();
        }
        state.install(Box::new(Aave::new(world.settings.clone())));
        state.install(Box::new(Morpho::new(&world.morpho)));
        Self {
            initial: state.wallet.positions().collect(),
            state,
            view,
            ledger: Vec::new(),
            events: Vec::new(),
            next_id: 1,
        }
    }

    /// Moves to an hour; both venues report.
    pub(crate) fn at(&mut self, to: i64) {
        self.view.advance_to(hour(to)).unwrap();
        self.report().unwrap();
    }

    pub(crate) fn report(&mut self) -> Result<(), Refusal> {
        for venue in [AAVE, MORPHO] {
            let mut events = Vec::new();
            self.state
                .advance(venue, &self.view, &Decimals, &mut events)?;
            for event in events {
                let event = reported(event, &self.view);
                assert_eq!((event.venue, event.at), (venue, self.view.now()));
                self.ledger.extend(event.entries.clone());
                self.events.push(event);
            }
        }
        self.check();
        Ok(())
    }

    pub(crate) fn run(&mut self, venue: Venue, operation: Operation) -> Result<Done, Refusal> {
        let id = InstructionId::plain(self.next_id);
        self.next_id += 1;
        let instruction = Instruction::new(id, operation);
        let mut events = Vec::new();
        let done = self
            .state
            .execute(venue, &self.view, &Decimals, &instruction, &mut events);
        if let Err(refusal) = done {
            assert_eq!(events, [], "a refusal reports nothing");
            return Err(refusal);
        }
        let mined = events.last().unwrap();
        assert!(matches!(mined.kind, EventKind::Transaction(_)), "{mined:?}");
        let entries = posted(&events, &self.view);
        self.ledger.extend(entries.clone());
        self.check();
        Ok(Done { entries })
    }

    /// Refuses, changes nothing, and says why.
    pub(crate) fn refused(&mut self, venue: Venue, operation: Operation) -> String {
        let before = format!("{:?}", self.state);
        let refusal = self.run(venue, operation).unwrap_err();
        assert_eq!(
            format!("{:?}", self.state),
            before,
            "a refusal changes nothing"
        );
        refusal.0.to_string()
    }

    pub(crate) fn positions(&self) -> Vec<Position> {
        let of = |venue| {
            let mut positions = Vec::new();
            self.state.positions(venue, &mut positions).unwrap();
            positions
        };
        [of(AAVE), of(MORPHO)].concat()
    }

    pub(crate) fn units(&self, account: &str, item: Item) -> Quantity {
        let positions = self.positions();
        let found = positions
            .iter()
            .find(|p| p.account.to_string() == account && p.item == item);
        found.map_or(Quantity::ZERO, |p| p.units)
    }

    pub(crate) fn quantity(&self, account: &str, item: Item) -> Quantity {
        let positions = self.positions();
        let found = positions
            .iter()
            .find(|p| p.account.to_string() == account && p.item == item);
        found.map_or(Quantity::ZERO, |p| p.quantity)
    }

    pub(crate) fn lending(&self, venue: Venue) -> Vec<LendingHealth> {
        let mut lending = Vec::new();
        self.state.lending(venue, &mut lending).unwrap();
        lending
    }

    /// Sum of the units of the lines of a kind.
    pub(crate) fn booked(&self, kind: EntryKind, item: Item) -> Quantity {
        let lines = self.ledger.iter();
        lines
            .filter(|line| line.kind == kind && line.item == item)
            .fold(Quantity::ZERO, |sum, line| sum.add(line.units).unwrap())
    }

    /// The ledger's sums are what wallet and protocols hold, to the unit, and no cause is there twice.
    fn check(&self) {
        let mut sums: BTreeMap<(Account, Item), (Quantity, Quantity)> = BTreeMap::new();
        for position in &self.initial {
            sums.insert(
                (position.account, position.item),
                (position.quantity, position.units),
            );
        }
        let mut causes = BTreeSet::new();
        for line in &self.ledger {
            assert!(causes.insert(&line.cause), "{} is there twice", line.cause);
            let sum = sums.entry((line.account, line.item)).or_default();
            sum.0 = sum.0.add(line.quantity).unwrap();
            sum.1 = sum.1.add(line.units).unwrap();
        }
        sums.retain(|_, sum| *sum != (Quantity::ZERO, Quantity::ZERO));
        let mut held = self.positions();
        held.extend(self.state.wallet.positions());
        let held: BTreeMap<_, _> = held
            .iter()
            .map(|p| ((p.account, p.item), (p.quantity, p.units)))
            .collect();
        assert_eq!(sums, held);
    }
}

pub(crate) fn exactly(asset: Asset, amount: &str) -> Lending {
    Lending {
        asset,
        amount: AmountOrAll::Exactly(q(amount)),
        market: None,
    }
}

pub(crate) fn all(asset: Asset) -> Lending {
    Lending {
        asset,
        amount: AmountOrAll::All,
        market: None,
    }
}

/// The lines of an execution, one text each: kind, account, item, quantity, units, value.
pub(crate) fn texts(lines: &[LedgerEntry]) -> Vec<String> {
    let text = |line: &LedgerEntry| {
        format!(
            "{} {} {} {} {} {}",
            line.kind, line.account, line.item, line.quantity, line.units, line.value
        )
    };
    lines.iter().map(text).collect()
}
