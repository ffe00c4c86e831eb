//! Bounds on what a recorded value can be: a unit error, a cut number or a percentage taken for a fraction
//! is beyond them, a crash is not.
//!
//! **Invariant.** Nothing is changed or left out here: rows beyond a bound are counted and named.

use std::sync::Arc;

use basis_core::num::{Fixed18, Price};
use basis_core::types::{InstrumentKind, SeriesId, SeriesKind, Timestamp};

use super::schedule::Schedule;
use super::series::{Bar, BarSeries, GasFees, MarketData, ReserveRow, Reward};

/// One in 27 decimals.
const RAY: u128 = 10_u128.pow(27);
/// A settlement of a perp that no rules know takes no more than this share of the notional.
const RATE_OF_UNKNOWN_PERP: Fixed18 = Fixed18::literal("0.04");

/// What a value may be at most, and how far it may be from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A price of an asset against another bar or row of it, greater over smaller.
    pub price_ratio_max: Fixed18,
    /// A perp's close against the close of the same symbol's spot at that instant, greater over smaller.
    pub basis_ratio_max: Fixed18,
    /// A dollar token against the dollar, greater over smaller.
    pub peg_ratio_max: Fixed18,
    /// Bars in a row that are alike to the last digit although their price moved: a feed that stands still.
    pub repeated_bars_max: Fixed18,
    /// A rate between an asset and what it stands for against the row before, greater over smaller.
    pub rate_ratio_max: Fixed18,
    /// A yearly lending rate, 1 = 100 %.
    pub lending_rate_max: Fixed18,
    /// A lending index against the row before.
    pub index_ratio_max: Fixed18,
    /// A gas price, gwei.
    pub gas_price_max_gwei: Fixed18,
    /// A reward per ETH, in its token.
    pub reward_per_eth_max: Fixed18,
    /// A settlement's share of the notional; `None`: what the rules of the venue say.
    pub funding_rate_max: Option<Fixed18>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            price_ratio_max: Fixed18::from_int(2),
            basis_ratio_max: Fixed18::literal("1.25"),
            peg_ratio_max: Fixed18::literal("1.2"),
            repeated_bars_max: Fixed18::from_int(3),
            rate_ratio_max: Fixed18::literal("1.25"),
            lending_rate_max: Fixed18::from_int(5),
            index_ratio_max: Fixed18::literal("1.05"),
            gas_price_max_gwei: Fixed18::from_int(10_000),
            reward_per_eth_max: Fixed18::from_int(100),
            funding_rate_max: None,
        }
    }
}

/// Rows of one series beyond a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implausible {
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// What is wrong with the first.
    pub what: String,
    /// The key under `data.bounds` that takes them.
    pub key: &'static str,
    /// Whether the configured bounds refuse one of them; else they are beyond the usual ones alone.
    pub refused: bool,
}

/// What is found beyond a bound: column, value, key of the bound, and the bound.
type Beyond = (&'static str, String, &'static str, Fixed18);

struct Finder<'a> {
    bounds: &'a Bounds,
    usual: Bounds,
    found: Option<Implausible>,
}

impl Finder<'_> {
    /// Looks at one value with the usual bounds, and where it is beyond one with the configured.
    fn look(&mut self, at: Timestamp, judge: impl Fn(&Bounds) -> Option<Beyond>) {
        let Some((column, value, key, bound)) = judge(&self.usual) else {
            return;
        };
        let refused = judge(self.bounds).is_some();
        let found = self.found.get_or_insert_with(|| Implausible {
            rows: 0,
            first: at,
            last: at,
            what: format!("`{column}` {value} at {at} is beyond the bound of {bound}"),
            key,
            refused: false,
        });
        found.rows += 1;
        found.last = at;
        found.refused |= refused;
    }
}

/// The rows of `series` known in `(from, to]` that are beyond a bound; settlements by the cap of the rules,
/// else the first tier's maintenance margin, which no settlement of one instant exceeds.
pub(super) fn implausible(
    data: &MarketData,
    bounds: &Bounds,
    series: SeriesId,
    schedule: Schedule<'_>,
    range: (Timestamp, Timestamp),
) -> Option<Implausible> {
    let mut finder = Finder {
        bounds,
        usual: Bounds::default(),
        found: None,
    };
    match series.kind {
        SeriesKind::Funding => funding(data, series, schedule, range, &mut finder),
        SeriesKind::Spot | SeriesKind::Dex => {
            prices(data.bars(series)?, None, range, &mut finder);
        }
        SeriesKind::Perp | SeriesKind::Mark | SeriesKind::Index => {
            let beside = beside(data, series).map(AsRef::as_ref);
            prices(data.bars(series)?, beside, range, &mut finder);
        }
        SeriesKind::Peg => pegs(data.bars(series)?, range, &mut finder),
        SeriesKind::AaveReserve => reserves(data, series, range, &mut finder),
        SeriesKind::Oracle | SeriesKind::StakingRate | SeriesKind::StakingMarket => {
            points(data, series, range, &mut finder);
        }
        SeriesKind::Gas => {
            let rows = data.rows::<GasFees>(series)?;
            let limit = |b: &Bounds| b.gas_price_max_gwei;
            for (at, row) in inside(rows.at(), rows.rows(), range) {
                finder.look(at, |b| {
                    let highest = row.gas_price_gwei.max(row.base_fee_gwei);
                    above("gas_price_gwei", highest, "gas_price_max_gwei", limit(b))
                });
            }
        }
        SeriesKind::RewardRate | SeriesKind::RewardTopUp => {
            let rows = data.rows::<Reward>(series)?;
            for (at, row) in inside(rows.at(), rows.rows(), range) {
                finder.look(at, |b| {
                    let key = "reward_per_eth_max";
                    above("per ETH", row.per_eth, key, b.reward_per_eth_max)
                });
            }
        }
    }
    finder.found
}

/// What the price of a perp, its mark and its index follow: spot of the symbol, or where no venue has that the
/// index of the perp's own.
fn beside(data: &MarketData, series: SeriesId) -> Option<&Arc<BarSeries>> {
    let is_spot = |id: &SeriesId| id.kind == SeriesKind::Spot && id.symbol == series.symbol;
    let index = series.of_kind(SeriesKind::Index);
    let spot = data.ids().find(is_spot);
    spot.or_else(|| (index != series).then_some(index))
        .and_then(|id| data.bars(id))
}

/// The rows known within a range.
fn inside<'a, T: Copy>(
    times: &'a [Timestamp],
    rows: &'a [T],
    (from, to): (Timestamp, Timestamp),
) -> impl Iterator<Item = (Timestamp, T)> + 'a {
    let first = times.partition_point(|at| *at <= from).saturating_sub(1);
    let pairs = times.iter().zip(rows).skip(first);
    pairs
        .map(|(at, row)| (*at, *row))
        .take_while(move |(at, _)| *at <= to)
}

fn above(
    column: &'static str,
    value: Fixed18,
    key: &'static str,
    bound: Fixed18,
) -> Option<Beyond> {
    (value > bound).then(|| (column, value.to_string(), key, bound))
}

/// Whether one of two positive numbers is more than `ratio` times the other.
fn apart(a: Fixed18, b: Fixed18, ratio: Fixed18) -> bool {
    let (less, more) = if a < b { (a, b) } else { (b, a) };
    // Nearly every pair is within a factor of two: one addition says so.
    if ratio >= Fixed18::from_int(2) && less.add(less).is_ok_and(|twice| more <= twice) {
        return false;
    }
    let rounding = basis_core::num::Rounding::Down;
    less.mul(ratio, rounding).is_ok_and(|most| more > most)
}

/// Judges the closes of a dollar token against the dollar.
fn pegs(bars: &BarSeries, (from, to): (Timestamp, Timestamp), finder: &mut Finder<'_>) {
    for row in bars.closed_by(from).saturating_sub(1)..bars.closed_by(to) {
        let Some(bar) = bars.bar(row) else { break };
        finder.look(bar.opened_at, |bounds| {
            let ratio = bounds.peg_ratio_max;
            let prices = [("high", bar.high), ("low", bar.low)];
            let found = prices
                .into_iter()
                .find(|(_, price)| apart(price.get(), Fixed18::ONE, ratio));
            found.map(|(column, price)| (column, price.to_string(), "peg_ratio_max", ratio))
        });
    }
}

/// Judges each bar once: by itself, beside the one before, and beside the spot bar that closed with it.
fn prices(
    bars: &BarSeries,
    spot: Option<&BarSeries>,
    (from, to): (Timestamp, Timestamp),
    finder: &mut Finder<'_>,
) {
    let first = bars.closed_by(from).saturating_sub(1);
    let last = bars.closed_by(to);
    let (mut before, mut alike) = (None::<Bar>, 0_i64);
    for row in first..last {
        let Some(bar) = bars.bar(row) else { break };
        let moves = bar.high > bar.low;
        let is_alike = moves && before.is_some_and(|before| figures(&before) == figures(&bar));
        alike = if is_alike { alike.saturating_add(1) } else { 1 };
        let closed_at = bar.opened_at.plus(bars.length);
        finder.look(bar.opened_at, |bounds| {
            jump(&bar, before.as_ref(), bounds.price_ratio_max)
                .or_else(|| repeated(&bar, alike, bounds.repeated_bars_max))
                .or_else(|| far_from(spot?, &bar, closed_at, bounds.basis_ratio_max))
        });
        before = Some(bar);
    }
}

fn figures(bar: &Bar) -> [Price; 4] {
    [bar.open, bar.high, bar.low, bar.close]
}

fn jump(bar: &Bar, before: Option<&Bar>, ratio: Fixed18) -> Option<Beyond> {
    let before = before.map(|before| before.close.get());
    let pairs = [
        ("high", bar.high.get(), Some(bar.low.get())),
        ("open", bar.open.get(), before),
        ("close", bar.close.get(), before),
    ];
    pairs.into_iter().find_map(|(column, value, other)| {
        let other = other.filter(|other| apart(value, *other, ratio))?;
        let value = format!("{value} after {other}");
        Some((column, value, "price_ratio_max", ratio))
    })
}

/// The bar came `alike` times in a row: a feed that stands still.
fn repeated(bar: &Bar, alike: i64, most: Fixed18) -> Option<Beyond> {
    (Fixed18::from_int(alike) > most).then(|| {
        let value = format!("{}, the same bar {alike} times in a row,", bar.close);
        ("close", value, "repeated_bars_max", most)
    })
}

/// A perp cannot leave its spot far behind: a file of another pair, or of another unit, can.
fn far_from(spot: &BarSeries, perp: &Bar, closed_at: Timestamp, ratio: Fixed18) -> Option<Beyond> {
    let row = spot.closed_by(closed_at).checked_sub(1)?;
    let other = spot
        .bar(row)
        .filter(|other| other.opened_at.plus(spot.length) == closed_at)?;
    let (close, other) = (perp.close.get(), other.close.get());
    apart(close, other, ratio).then(|| {
        let value = format!("{close} beside {other} of {}", spot.id);
        ("close", value, "basis_ratio_max", ratio)
    })
}

fn funding(
    data: &MarketData,
    series: SeriesId,
    schedule: Schedule<'_>,
    range: (Timestamp, Timestamp),
    finder: &mut Finder<'_>,
) {
    let Some(rates) = data.rates(series) else {
        return;
    };
    let cap = |at| match schedule {
        Schedule::Every(_) => RATE_OF_UNKNOWN_PERP,
        Schedule::Settlements(rules) => rules
            .at(at)
            .instrument(InstrumentKind::Perp, series.symbol)
            .and_then(|instrument| instrument.perp.as_ref())
            .and_then(|perp| {
                let tier = perp.tiers.first().map(|tier| tier.maintenance_margin_rate);
                perp.funding_rate_max.or(tier)
            })
            .map_or(RATE_OF_UNKNOWN_PERP, |rate| rate.get()),
    };
    // Who looks back for a carry reads what was settled before the run, too.
    let until = (Timestamp::MIN, range.1);
    for (at, rate) in inside(&rates.at, &rates.rate, until) {
        finder.look(at, |bounds| {
            let bound = bounds.funding_rate_max.unwrap_or_else(|| cap(at));
            let size = rate.get().abs().ok()?;
            (size > bound).then(|| {
                let value = rate.get().to_string();
                ("funding_rate", value, "funding_rate_max", bound)
            })
        });
    }
}

fn reserves(
    data: &MarketData,
    series: SeriesId,
    range: (Timestamp, Timestamp),
    finder: &mut Finder<'_>,
) {
    let Some(rows) = data.rows::<ReserveRow>(series) else {
        return;
    };
    let mut before: Option<ReserveRow> = None;
    for (at, row) in inside(rows.at(), rows.rows(), range) {
        finder.look(at, |bounds| {
            let highest = row.liquidity_rate_ray.max(row.variable_borrow_rate_ray);
            let limit = ray(bounds.lending_rate_max);
            if highest > limit {
                let value = fraction(highest);
                let key = "lending_rate_max";
                return Some(("rate", value.to_string(), key, bounds.lending_rate_max));
            }
            let before = before?;
            let ratio = bounds.index_ratio_max;
            let grown = [
                (before.liquidity_index_ray, row.liquidity_index_ray),
                (
                    before.variable_borrow_index_ray,
                    row.variable_borrow_index_ray,
                ),
            ]
            .into_iter()
            .find(|(old, new)| apart(fraction(*old), fraction(*new), ratio));
            if let Some((old, new)) = grown {
                let text = format!("{} after {}", fraction(new), fraction(old));
                return Some(("index", text, "index_ratio_max", ratio));
            }
            let (old, new) = (before.oracle_price_usd, row.oracle_price_usd);
            apart(old, new, bounds.price_ratio_max).then(|| {
                let text = format!("{new} after {old}");
                (
                    "oracle_price_usd",
                    text,
                    "price_ratio_max",
                    bounds.price_ratio_max,
                )
            })
        });
        before = Some(row);
    }
}

fn points(
    data: &MarketData,
    series: SeriesId,
    range: (Timestamp, Timestamp),
    finder: &mut Finder<'_>,
) {
    let Some(rows) = data.rows::<Fixed18>(series) else {
        return;
    };
    let is_price = series.symbol.as_str().ends_with("_USD");
    let mut before: Option<Fixed18> = None;
    for (at, value) in inside(rows.at(), rows.rows(), range) {
        finder.look(at, |bounds| {
            let (key, ratio) = if is_price {
                ("price_ratio_max", bounds.price_ratio_max)
            } else {
                ("rate_ratio_max", bounds.rate_ratio_max)
            };
            let before = before.filter(|before| apart(*before, value, ratio))?;
            Some(("value", format!("{value} after {before}"), key, ratio))
        });
        before = Some(value);
    }
}

/// A number of 18 decimals in 27; a bound beyond the range bounds nothing.
fn ray(number: Fixed18) -> u128 {
    let mantissa = u128::try_from(number.mantissa()).unwrap_or_default();
    mantissa.saturating_mul(RAY / 10_u128.pow(18))
}

/// A number of 27 decimals in 18, rounded down.
fn fraction(ray: u128) -> Fixed18 {
    let mantissa = ray / (RAY / 10_u128.pow(18));
    Fixed18::from_mantissa(i128::try_from(mantissa).unwrap_or(i128::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{BarColumns, RateSeries};
    use basis_core::num::{Quantity, Rate};
    use basis_core::types::Span;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hour))
    }

    fn found(data: &MarketData, series: &str, bounds: &Bounds) -> Option<Implausible> {
        let range = (at(0), at(1_000));
        implausible(
            data,
            bounds,
            series.parse().unwrap(),
            Span::HOUR.into(),
            range,
        )
    }

    #[test]
    fn a_crash_passes_and_a_shifted_point_does_not() {
        let name = "perp.okx.BTCUSDT";
        let mut data = MarketData::new("test", false);
        data.add_bars(bars(name, &["100", "55", "90", "9", "91"]))
            .unwrap();
        let refused = found(&data, name, &Bounds::default()).unwrap();
        assert_eq!(
            (refused.rows, refused.first, refused.refused),
            (2, at(3), true)
        );
        assert!(refused.what.contains("9 after 90"), "{}", refused.what);
        let wide = Bounds {
            price_ratio_max: Fixed18::from_int(11),
            ..Bounds::default()
        };
        assert!(!found(&data, name, &wide).unwrap().refused);
    }

    fn bars(name: &str, closes: &[&str]) -> BarColumns {
        let prices: Vec<_> = closes.iter().map(|text| Price::literal(text)).collect();
        BarColumns {
            id: name.parse().unwrap(),
            length: Span::HOUR,
            opened_at: (0..).map(at).take(prices.len()).collect(),
            open: prices.clone(),
            high: prices.clone(),
            low: prices.clone(),
            volume: vec![Quantity::ZERO; prices.len()],
            close: prices,
        }
    }

    #[test]
    fn a_perp_far_from_its_spot_is_beyond_the_bound() {
        let mut data = MarketData::new("test", false);
        data.add_bars(bars("spot.okx.BTCUSDT", &["100", "100", "100"]))
            .unwrap();
        data.add_bars(bars("perp.okx.BTCUSDT", &["101", "126", "124"]))
            .unwrap();
        data.add_bars(bars("perp.okx.ETHUSDT", &["7", "7", "7"]))
            .unwrap();
        let refused = found(&data, "perp.okx.BTCUSDT", &Bounds::default()).unwrap();
        assert_eq!((refused.rows, refused.first), (1, at(1)));
        assert_eq!(refused.key, "basis_ratio_max");
        assert!(
            refused.what.contains("126 beside 100 of spot.okx.BTCUSDT"),
            "{}",
            refused.what
        );
        assert_eq!(found(&data, "perp.okx.ETHUSDT", &Bounds::default()), None);
    }

    #[test]
    fn a_feed_that_stands_still_is_beyond_the_bound_and_a_quiet_market_is_not() {
        let name = "perp.okx.BTCUSDT";
        let data = |high: &str| {
            let columns = BarColumns {
                high: vec![Price::literal(high); 6],
                ..bars(name, &["100"; 6])
            };
            let mut data = MarketData::new("test", false);
            data.add_bars(columns).unwrap();
            data
        };
        let refused = found(&data("101"), name, &Bounds::default()).unwrap();
        assert_eq!((refused.rows, refused.first), (3, at(3)));
        assert_eq!(refused.key, "repeated_bars_max");
        assert!(refused.refused);
        assert_eq!(found(&data("100"), name, &Bounds::default()), None);
    }

    #[test]
    fn a_percentage_taken_for_a_fraction_is_beyond_the_bound() {
        let name = "funding.okx.BTCUSDT";
        let mut data = MarketData::new("test", false);
        let rates = RateSeries {
            id: name.parse().unwrap(),
            at: vec![at(0), at(8), at(16)],
            rate: ["0.0001", "-0.041", "0.04"].map(Rate::literal).to_vec(),
        };
        data.add_rates(rates).unwrap();
        let refused = found(&data, name, &Bounds::default()).unwrap();
        assert_eq!((refused.rows, refused.first), (1, at(8)));
        assert_eq!(refused.key, "funding_rate_max");
    }
}
