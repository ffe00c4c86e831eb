//! Prices as lending markets see them: their oracles, moved along between two recordings.
//!
//! An oracle is recorded once a day and read at every hour. Between two rows the price of ether
//! follows the reference spot price (the row × spot now ÷ spot at the row), rates of staking tokens and
//! prices of stablecoins hold (design §6). At the instant of a row the price is the recorded one to the
//! last digit.
//!
//! One place for everybody: simulated lending markets compute health factors by it, risk and stress
//! tests ask the same functions.
//!
//! **Invariant.** Nothing looks ahead: what is read is known at the view's instant, spot at the row
//! included, and a price follows from the view alone, whoever asks and however often.

use basis_core::num::uint256::mul_div_floor;
use basis_core::num::{Fixed18, MathError, Price, Rounding, U256};
use basis_core::types::{Asset, SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue};

use super::mark::held_mark;
use super::mark::{Mark, RateSource};
use super::row_view::{Known, PointSlot};
use super::{MarketView, PriceState, SlotId};

/// Decimals of a price of Aave's oracle, whose base currency is the US dollar.
const DECIMALS: u32 = 8;

const AAVE: Venue = Venue::literal("aave");
const ETHER: Asset = Asset::literal("ETH");
const WRAPPED: Asset = Asset::literal("WETH");

/// A price of an oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleQuote {
    /// USD per unit, with 8 decimals.
    pub price: Price,
    /// The worst of the values it is made of; no operation may use a price that is not tradable.
    pub state: PriceState,
    /// The series of the worst value.
    pub series: SeriesId,
    /// How old that value is.
    pub age: Span,
}

/// What a unit of collateral is worth in another asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleRatio {
    /// Units of the one asset per unit of the other × 10^36, rounded down.
    pub scaled_1e36: U256,
    /// The worst of the values it is made of.
    pub state: PriceState,
    /// The series of the worst value.
    pub series: SeriesId,
    /// How old that value is.
    pub age: Span,
}

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// The run does not read the series.
    #[error("the run reads no {0}, without which the oracle has no price")]
    NotRead(SeriesId),
    /// The series has shown nothing yet.
    #[error("{0} has no value yet, so the oracle has no price")]
    NoValue(SeriesId),
    /// Nothing that the run reads values the asset.
    #[error("no series that the run reads values {0}")]
    Unvalued(Asset),
    /// A price out of range.
    #[error(transparent)]
    Math(#[from] MathError),
}

/// What an oracle's row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Dollar,
    Ether,
}

impl Unit {
    /// How the symbol of its series ends.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Dollar => "_USD",
            Self::Ether => "_ETH",
        }
    }
}

/// One of Aave's recorded oracles.
#[derive(Clone, Copy, Debug)]
struct Feed {
    asset: Asset,
    unit: Unit,
    id: SeriesId,
    slot: PointSlot,
}

/// Spot at an instant of the past.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    at: Timestamp,
    spot: SlotId,
    /// None while spot had not begun.
    mark: Option<Price>,
}

/// Aave's oracles of a view: found once, because a pool asks for every price at every step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracles {
    feeds: Vec<Feed>,
    /// Spot at the newest row of ether's price.
    anchor: Option<Anchor>,
    /// Ether's price at an instant.
    ether: Option<(Timestamp, Result<OracleQuote, OracleError>)>,
}

impl Oracles {
    pub(crate) fn of(view: &MarketView) -> Self {
        let points = view.points();
        let points = points.filter(|(id, _)| id.kind == SeriesKind::Oracle && id.venue == AAVE);
        let feeds = points.filter_map(|(id, slot)| {
            let units = [Unit::Dollar, Unit::Ether].into_iter();
            let mut named = units.filter_map(|unit| {
                let name = id.symbol.as_str().strip_suffix(unit.suffix())?;
                Some((Asset::new(name).ok()?, unit))
            });
            let (asset, unit) = named.next()?;
            Some(Feed {
                asset,
                unit,
                id,
                slot,
            })
        });
        Self {
            feeds: feeds.collect(),
            anchor: None,
            ether: None,
        }
    }

    fn find(&self, asset: Asset, unit: Unit) -> Option<Feed> {
        let mut feeds = self.feeds.iter();
        let found = feeds.find(|feed| feed.asset == asset && feed.unit == unit);
        found.copied()
    }
}

/// The worst value so far.
#[derive(Clone, Copy)]
struct Worst {
    state: PriceState,
    series: SeriesId,
    age: Span,
}

impl Worst {
    fn and(self, other: Self) -> Self {
        if self.state.is_tradable() && !other.state.is_tradable() {
            return other;
        }
        self
    }
}

impl MarketView {
    /// What Aave's oracle says a unit of `asset` is worth.
    ///
    /// Ether and wrapped ether: `oracle.aave.WETH_USD` × spot now ÷ spot at the row, half-even; spot is
    /// the series the run values ether by. A token with a rate in ether (`oracle.aave.<asset>_ETH`):
    /// ether's price × the rate, half-even, for the recorded rates are quotients of
    /// the recorded prices. Everything else: `oracle.aave.<asset>_USD`.
    ///
    /// # Errors
    /// [`OracleError`] naming the series that is missing.
    pub fn aave_oracle(&self, asset: Asset) -> Result<OracleQuote, OracleError> {
        if asset == ETHER || asset == WRAPPED {
            return self.ether_oracle();
        }
        let is_staked = matches!(self.mark_of(asset), Some(Mark::Rate { .. }));
        if is_staked || self.oracles.find(asset, Unit::Ether).is_some() {
            let ether = self.ether_oracle()?;
            let (rate, worst) = self.oracle_row(asset, Unit::Ether)?;
            let price = ether.price.get().mul(*rate.row, Rounding::HalfEven)?;
            return quote(price, Rounding::HalfEven, ether.worst().and(worst));
        }
        let (row, worst) = self.oracle_row(asset, Unit::Dollar)?;
        quote(*row.row, Rounding::Down, worst)
    }

    fn ether_oracle(&self) -> Result<OracleQuote, OracleError> {
        match self.oracles.ether {
            Some((at, quote)) if at == self.now() => quote,
            _ => self.compute_ether(),
        }
    }

    fn compute_ether(&self) -> Result<OracleQuote, OracleError> {
        let (row, worst) = self.oracle_row(WRAPPED, Unit::Dollar)?;
        let recorded = Price::new(*row.row)?;
        if row.known_at == self.now() {
            return quote(recorded.get(), Rounding::Down, worst);
        }
        let Some(Mark::Series(spot)) = self.mark_of(ETHER) else {
            return Err(OracleError::Unvalued(ETHER));
        };
        let (now, of_spot) = self.spot_now(spot)?;
        let then = match self.oracles.anchor {
            Some(anchor) if anchor.at == row.known_at && anchor.spot == spot => anchor.mark,
            _ => self.mark_at(spot, row.known_at)?,
        };
        // Spot that begins after the row moved from its own first value.
        let then = then.unwrap_or(now);
        let price = held_mark(recorded, now, then)?;
        quote(price.get(), Rounding::Down, worst.and(of_spot))
    }

    /// What a unit of `collateral` is worth in units of `loan` by protocol rates, as the oracle of a
    /// Morpho market answers: two tokens of the same underlying by their rates alone, else by the
    /// dollars the run values them at (ether's spot price × the rate).
    ///
    /// # Errors
    /// [`OracleError`] naming the asset or series that is missing.
    pub fn protocol_ratio(
        &self,
        collateral: Asset,
        loan: Asset,
    ) -> Result<OracleRatio, OracleError> {
        let above = self.mark_of(collateral);
        let above = above.ok_or(OracleError::Unvalued(collateral))?;
        let below = self.mark_of(loan).ok_or(OracleError::Unvalued(loan))?;
        let same = underlying(above).is_some() && underlying(above) == underlying(below);
        let side = |mark: Mark, asset: Asset| -> Result<(Fixed18, Option<Worst>), OracleError> {
            let rate = self.rate_of_mark(mark, asset)?;
            if same {
                return Ok(rate);
            }
            let Some(spot) = underlying(mark) else {
                return Ok(rate);
            };
            let (price, worst) = self.spot_now(spot)?;
            let value = price.get().mul(rate.0, Rounding::Down)?;
            Ok((
                value,
                Some(rate.1.map_or(worst, |of_rate| of_rate.and(worst))),
            ))
        };
        let (numerator, first) = side(above, collateral)?;
        let (denominator, second) = side(below, loan)?;
        let worst = match (first, second) {
            (Some(first), Some(second)) => first.and(second),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Err(OracleError::Unvalued(collateral)),
        };
        let scale = U256::from(10_u64).pow(U256::from(36_u64));
        let mantissa = |value: Fixed18| U256::from(value.mantissa().unsigned_abs());
        Ok(OracleRatio {
            scaled_1e36: mul_div_floor(mantissa(numerator), scale, mantissa(denominator))?,
            state: worst.state,
            series: worst.series,
            age: worst.age,
        })
    }

    /// Underlying units per unit, and which series says so.
    fn rate_of_mark(
        &self,
        mark: Mark,
        asset: Asset,
    ) -> Result<(Fixed18, Option<Worst>), OracleError> {
        match mark {
            Mark::Par => Ok((Fixed18::ONE, None)),
            Mark::Series(spot) => {
                let (_, worst) = self.spot_now(spot)?;
                Ok((Fixed18::ONE, Some(worst)))
            }
            Mark::Rate { rate, .. } => {
                let worst = match rate {
                    RateSource::Point(slot) => {
                        let id = self
                            .point_series(slot)
                            .ok_or(OracleError::Unvalued(asset))?;
                        self.known_point(slot, id)?.1
                    }
                    RateSource::Bars(slot) => self.spot_now(slot)?.1,
                };
                let rate = self
                    .rate_of(mark)
                    .ok_or(OracleError::NoValue(worst.series))?;
                Ok((rate, Some(worst)))
            }
        }
    }

    fn spot_now(&self, slot: SlotId) -> Result<(Price, Worst), OracleError> {
        let (series, shown) = (self.id_of(slot), self.quote(slot));
        if shown.state == PriceState::Missing {
            return Err(OracleError::NoValue(series));
        }
        let worst = Worst {
            state: shown.state,
            series,
            age: self.now().since(shown.known_at),
        };
        Ok((shown.mark, worst))
    }

    fn oracle_row(
        &self,
        asset: Asset,
        unit: Unit,
    ) -> Result<(Known<'_, Fixed18>, Worst), OracleError> {
        match self.oracles.find(asset, unit) {
            Some(feed) => self.known_point(feed.slot, feed.id),
            None => Err(OracleError::NotRead(oracle_series(asset, unit)?)),
        }
    }

    /// Computes ether's price at the view's instant; spot at its row is looked up where the row is new.
    pub(crate) fn price_ether(&mut self) -> Result<(), MathError> {
        let Some(feed) = self.oracles.find(WRAPPED, Unit::Dollar) else {
            return Ok(());
        };
        let (Some(row), Some(Mark::Series(spot))) = (self.newest(feed.slot), self.mark_of(ETHER))
        else {
            return Ok(());
        };
        let at = row.known_at;
        if self.oracles.anchor.is_none_or(|anchor| anchor.at != at) {
            let mark = self.mark_at(spot, at)?;
            self.oracles.anchor = Some(Anchor { at, spot, mark });
        }
        self.oracles.ether = Some((self.now(), self.compute_ether()));
        Ok(())
    }

    fn known_point(
        &self,
        slot: PointSlot,
        series: SeriesId,
    ) -> Result<(Known<'_, Fixed18>, Worst), OracleError> {
        let known = self.newest(slot).ok_or(OracleError::NoValue(series))?;
        let worst = Worst {
            state: known.state,
            series,
            age: known.age,
        };
        Ok((known, worst))
    }

    fn point_series(&self, slot: PointSlot) -> Option<SeriesId> {
        let found = self.points().find(|(_, other)| *other == slot);
        found.map(|(id, _)| id)
    }
}

impl OracleQuote {
    const fn worst(&self) -> Worst {
        Worst {
            state: self.state,
            series: self.series,
            age: self.age,
        }
    }

    /// The price as the oracle contract gives it: base currency with 8 decimals.
    ///
    /// # Errors
    /// [`MathError`] never for a price this module made.
    pub fn base_units(&self) -> Result<U256, MathError> {
        basis_core::num::uint256::units_of(self.price.get(), DECIMALS, Rounding::Down)
    }
}

/// The price series an asset's value moves with; none for dollars.
const fn underlying(mark: Mark) -> Option<SlotId> {
    match mark {
        Mark::Par => None,
        Mark::Series(slot) => Some(slot),
        Mark::Rate { underlying, .. } => Some(underlying),
    }
}

fn oracle_series(asset: Asset, unit: Unit) -> Result<SeriesId, OracleError> {
    let symbol = Symbol::new(&format!("{asset}{}", unit.suffix()));
    let symbol = symbol.ok().ok_or(OracleError::Unvalued(asset))?;
    Ok(SeriesId::new(SeriesKind::Oracle, AAVE, symbol))
}

fn quote(price: Fixed18, rounding: Rounding, worst: Worst) -> Result<OracleQuote, OracleError> {
    Ok(OracleQuote {
        price: Price::new(price.round_to_decimals(DECIMALS, rounding)?)?,
        state: worst.state,
        series: worst.series,
        age: worst.age,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::series::rows::tests::{hour, id};
    use crate::{BarColumns, BarSeries, MarketData, RowSeries, SeriesRequest, ViewPolicy};
    use basis_core::num::Quantity;

    const SERIES: [&str; 6] = [
        "spot.bybit.ETHUSDT",
        "oracle.aave.WETH_USD",
        "oracle.aave.weETH_ETH",
        "oracle.aave.USDT_USD",
        "staking_rate.etherfi.weETH_ETH",
        "staking_rate.lido.wstETH_ETH",
    ];

    /// Spot closes 3,000 at hour 1 and gains 30 an hour; oracles have a row at hour 2 and at hour 26.
    fn view(at: i64) -> MarketView {
        let mut data = MarketData::new("test", true);
        let close = |n: i64| Price::new(Fixed18::from_int(3_000 + 30 * n)).unwrap();
        let closes: Vec<Price> = (0..60).map(close).collect();
        let columns = BarColumns {
            id: id(SERIES[0]),
            length: Span::HOUR,
            opened_at: (0..60).map(hour).collect(),
            open: closes.clone(),
            high: closes.clone(),
            low: closes.clone(),
            volume: vec![Quantity::ZERO; closes.len()],
            close: closes,
        };
        data.add_bars(BarSeries::try_from(columns).unwrap())
            .unwrap();
        let rows: [(&str, [&'static str; 2]); 5] = [
            (SERIES[1], ["3029.5", "3750.123456789"]),
            (SERIES[2], ["1.0381712119204847", "1.04"]),
            (SERIES[3], ["0.99965", "1.0001"]),
            (SERIES[4], ["1.04", "1.05"]),
            (SERIES[5], ["1.16", "1.17"]),
        ];
        for (name, values) in rows {
            let values = values.map(Fixed18::literal).to_vec();
            let at = vec![hour(2), hour(26)];
            let series = RowSeries::new(id(name), Some(Span::DAY), at, values).unwrap();
            data.add_rows(series).unwrap();
        }
        let requests = SERIES.map(|series| SeriesRequest {
            id: id(series),
            reference: None,
        });
        let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
        view.advance_to(hour(at)).unwrap();
        view
    }

    fn price(view: &MarketView, asset: &str) -> String {
        let quote = view.aave_oracle(Asset::literal(asset)).unwrap();
        quote.price.to_string()
    }

    #[test]
    fn a_row_is_the_price_at_its_instant_and_follows_spot_after_it() {
        assert_eq!(price(&view(2), "WETH"), "3029.5");
        // Spot was 3,030 at the row and is 3,090 now.
        assert_eq!(price(&view(4), "WETH"), "3089.49009901");
        assert_eq!(price(&view(4), "ETH"), "3089.49009901");
        assert_eq!(price(&view(26), "WETH"), "3750.12345678");
    }

    #[test]
    fn staked_ether_is_ether_at_the_rate_and_dollars_hold() {
        assert_eq!(price(&view(2), "weETH"), "3145.13968651");
        assert_eq!(price(&view(4), "weETH"), "3207.41968031");
        assert_eq!(price(&view(4), "USDT"), "0.99965");
    }

    #[test]
    fn whoever_asks_late_gets_the_same_price() {
        let late = view(20);
        let mut early = view(3);
        for at in 4..=20 {
            early.advance_to(hour(at)).unwrap();
            early.aave_oracle(Asset::literal("weETH")).unwrap();
        }
        assert_eq!(price(&early, "weETH"), price(&late, "weETH"));
    }

    #[test]
    fn missing_series_are_named_and_old_ones_are_no_prices_to_trade_at() {
        let error = |view: &MarketView, asset| {
            let refused = view.aave_oracle(Asset::literal(asset)).unwrap_err();
            refused.to_string()
        };
        assert!(error(&view(1), "WETH").starts_with("oracle.aave.WETH_USD has no value"));
        assert!(error(&view(2), "wstETH").contains("reads no oracle.aave.wstETH_ETH"));
        assert!(error(&view(2), "DAI").contains("reads no oracle.aave.DAI_USD"));
        let old = view(52).aave_oracle(Asset::literal("weETH")).unwrap();
        assert_eq!(old.state, PriceState::Held);
        assert_eq!(old.series, id(SERIES[1]));
        assert_eq!(old.age, Span::from_hours(26));
    }

    #[test]
    fn ratios_of_one_underlying_are_rates_and_others_go_through_dollars() {
        let view = view(2);
        let ratio = |above, below| {
            let ratio = view.protocol_ratio(Asset::literal(above), Asset::literal(below));
            ratio.unwrap().scaled_1e36.to_string()
        };
        let zeros = |head: &str, digits: usize| format!("{head:0<digits$}");
        assert_eq!(ratio("weETH", "WETH"), zeros("104", 37));
        assert_eq!(ratio("WETH", "USDT"), zeros("303", 40));
        assert_eq!(ratio("weETH", "USDT"), zeros("31512", 40));
        assert_eq!(
            ratio("wstETH", "weETH"),
            "1115384615384615384615384615384615384"
        );
        let nothing = view.protocol_ratio(Asset::literal("USDT"), Asset::literal("DAI"));
        assert_eq!(
            nothing.unwrap_err(),
            OracleError::Unvalued(Asset::literal("USDT"))
        );
    }
}
