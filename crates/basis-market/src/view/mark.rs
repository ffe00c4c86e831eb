//! What a unit of an asset is worth in USD, and how much of its underlying it is.
//!
//! One place for both sides: simulated venues write it into the lines they report, the books value
//! holdings by it. Tokens that stand for ETH are worth what their protocol redeems them for (design
//! §6: liquid staking tokens at the protocol rate), not what a pool pays for them; that is a price of
//! a trade.
//!
//! **Invariant.** The marks follow from the series a view carries, and from nothing else.

use basis_core::num::{Fixed18, MathError, Price, Rounding};
use basis_core::types::{Asset, InstrumentKey, SeriesKind};

use super::row_view::PointSlot;
use super::{MarketView, PriceState, SlotId};

/// Assets valued at exactly one dollar.
const DOLLARS: [Asset; 4] = [
    Asset::literal("USDT"),
    Asset::literal("USDC"),
    Asset::literal("DAI"),
    Asset::literal("USD"),
];

/// Whether a unit of `asset` is valued at exactly one dollar, whatever the market says.
#[must_use]
pub fn is_dollar(asset: Asset) -> bool {
    DOLLARS.contains(&asset)
}

/// What each of them is worth.
const DOLLAR: Price = Price::literal("1");

/// Assets a unit of which is one ether: wrapped, or rebasing to it.
const ETHERS: [Asset; 3] = [
    Asset::literal("WETH"),
    Asset::literal("stETH"),
    Asset::literal("eETH"),
];

const ETH: Asset = Asset::literal("ETH");

/// Decimals of a held mark; below every venue's tick.
const HELD_MARK_DECIMALS: u32 = 8;

/// How a unit of an asset is valued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One dollar.
    Par,
    /// The mark of a price series.
    Series(SlotId),
    /// So many units of the underlying, at the underlying's mark.
    Rate {
        /// Underlying units per unit.
        rate: RateSource,
        /// The price series of the underlying.
        underlying: SlotId,
        /// Whether the rate is a protocol's own, so that its growth is yield and not a price move.
        is_yield: bool,
    },
}

/// Where a rate is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateSource {
    /// A series of values.
    Point(PointSlot),
    /// The closes of a pool's bars.
    Bars(SlotId),
}

/// How every asset of a view is valued, the reference series first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Vec<(Asset, Mark)>);

impl Marks {
    /// Works out how the series of `view` value assets.
    pub(crate) fn of(view: &MarketView) -> Self {
        let mut marks = Self::default();
        let asset = |text: &str| Asset::new(text).ok();
        for (id, slot) in view.series() {
            let symbol = id.symbol.as_str();
            let mut dollars = DOLLARS.iter();
            let base = dollars.find_map(|quote| symbol.strip_suffix(quote.as_str()));
            if id.kind == SeriesKind::Spot
                && let Some(base) = base.and_then(asset)
            {
                marks.add(base, Mark::Series(slot));
            }
        }
        let Some(Mark::Series(underlying)) = marks.find(ETH) else {
            return marks;
        };
        for token in ETHERS {
            marks.add(token, Mark::Series(underlying));
        }
        for (id, slot) in view.points() {
            if id.kind == SeriesKind::StakingRate
                && let Some(token) = id.symbol.as_str().strip_suffix("_ETH").and_then(asset)
            {
                let rate = RateSource::Point(slot);
                marks.add(
                    token,
                    Mark::Rate {
                        rate,
                        underlying,
                        is_yield: true,
                    },
                );
            }
        }
        for (id, slot) in view.series() {
            // `EIGENWETH_3000`: what is left of the symbol before the pool's quote and fee.
            let pair = id.symbol.as_str().split('_').next().unwrap_or_default();
            if id.kind == SeriesKind::Dex
                && let Some(token) = pair.strip_suffix("WETH").and_then(asset)
            {
                let rate = RateSource::Bars(slot);
                marks.add(
                    token,
                    Mark::Rate {
                        rate,
                        underlying,
                        is_yield: false,
                    },
                );
            }
        }
        marks
    }

    /// The first series that values an asset counts.
    fn add(&mut self, asset: Asset, mark: Mark) {
        if self.find(asset).is_none() {
            self.0.push((asset, mark));
        }
    }

    pub(crate) fn find(&self, asset: Asset) -> Option<Mark> {
        if is_dollar(asset) {
            return Some(Mark::Par);
        }
        let known = self.0.iter().find(|(known, _)| *known == asset);
        known.map(|(_, mark)| *mark)
    }
}

impl MarketView {
    /// How a unit of `asset` is valued; `None` when no series of the view values it.
    #[must_use]
    pub fn mark_of(&self, asset: Asset) -> Option<Mark> {
        self.marks.find(asset)
    }

    /// The mark of an instrument: of a perp in its mark series where the view carries one. `None` when
    /// nothing of the view prices it.
    #[must_use]
    pub fn mark_of_instrument(&self, key: InstrumentKey) -> Option<Mark> {
        let slot = self.slot(key.series())?;
        Some(Mark::Series(self.mark_slot(slot)))
    }

    /// Every asset that stands for another: wrapped forms of ether, tokens valued at a rate.
    pub fn tokens(&self) -> impl Iterator<Item = (Asset, Mark)> + '_ {
        let is_token = |(asset, mark): &&(Asset, Mark)| {
            matches!(mark, Mark::Rate { .. }) || ETHERS.contains(asset)
        };
        self.marks.0.iter().filter(is_token).copied()
    }

    /// Where the value of a mark comes from: what is least certain of its series.
    #[must_use]
    pub fn state_of(&self, mark: Mark) -> PriceState {
        match mark {
            Mark::Par => PriceState::Fresh,
            Mark::Series(slot) => self.quote(slot).state,
            Mark::Rate {
                rate, underlying, ..
            } => {
                let rate = match rate {
                    RateSource::Point(slot) => self.point(slot).map(|point| point.state),
                    RateSource::Bars(slot) => Some(self.quote(slot).state),
                };
                let rate = rate.unwrap_or(PriceState::Missing);
                rate.max(self.quote(underlying).state)
            }
        }
    }

    /// Underlying units that a unit stands for: the rate of a rate, 1 for everything else. `None` while
    /// the series has shown nothing.
    #[inline]
    #[must_use]
    pub fn rate_of(&self, mark: Mark) -> Option<Fixed18> {
        match mark {
            Mark::Par | Mark::Series(_) => Some(Fixed18::ONE),
            Mark::Rate { rate, .. } => match rate {
                RateSource::Point(slot) => self.point(slot).map(|point| point.value),
                RateSource::Bars(slot) => {
                    let quote = self.quote(slot);
                    (quote.state != PriceState::Missing).then(|| quote.mark.get())
                }
            },
        }
    }

    /// What a unit is worth in USD; rates × marks are rounded half-even at 18 decimals. `None` while a
    /// series has shown nothing.
    ///
    /// # Errors
    /// [`MathError`] when the product leaves the range.
    #[inline]
    pub fn price_usd(&self, mark: Mark) -> Result<Option<Price>, MathError> {
        let shown = |slot| {
            let quote = self.quote(slot);
            (quote.state != PriceState::Missing).then_some(quote.mark)
        };
        match mark {
            Mark::Par => Ok(Some(DOLLAR)),
            Mark::Series(slot) => Ok(shown(slot)),
            Mark::Rate { underlying, .. } => {
                let (Some(rate), Some(price)) = (self.rate_of(mark), shown(underlying)) else {
                    return Ok(None);
                };
                let value = price.get().mul(rate, Rounding::HalfEven)?;
                Ok(Some(Price::new(value)?))
            }
        }
    }
}

/// A `mark` × `now` ÷ `then`, half-even at eight decimals: how a mark is held through a gap.
///
/// # Errors
/// [`MathError`] when the result leaves the range, or `then` is zero.
pub(crate) fn held_mark(mark: Price, now: Price, then: Price) -> Result<Price, MathError> {
    let value = mark
        .get()
        .mul_div(now.get(), then.get(), Rounding::HalfEven)?
        .round_to_decimals(HELD_MARK_DECIMALS, Rounding::HalfEven)?;
    Price::new(value)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::series::rows::tests::{hour, id, points};
    use crate::{BarColumns, BarSeries, MarketData, SeriesRequest, ViewPolicy};
    use basis_core::num::Quantity;
    use basis_core::types::Span;

    fn bars(series: &str, price: &str) -> BarSeries {
        let price = Price::literal(price);
        let columns = BarColumns {
            id: id(series),
            length: Span::HOUR,
            opened_at: vec![hour(0)],
            open: vec![price],
            high: vec![price],
            low: vec![price],
            close: vec![price],
            volume: vec![Quantity::ZERO],
        };
        columns.try_into().unwrap()
    }

    fn view() -> MarketView {
        let series = [
            "spot.bybit.ETHUSDT",
            "dex.uniswap.EIGENWETH_3000",
            "dex.uniswap.WETHUSDT_3000",
            "staking_rate.etherfi.weETH_ETH",
        ];
        let mut data = MarketData::new("test", true);
        data.add_bars(bars(series[0], "3000")).unwrap();
        data.add_bars(bars(series[1], "0.0015")).unwrap();
        data.add_bars(bars(series[2], "2990")).unwrap();
        data.add_rows(points(series[3], Span::DAY, &[(0, 2)]))
            .unwrap();
        let requests = series.map(|series| SeriesRequest {
            id: id(series),
            reference: None,
        });
        let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
        view.advance_to(hour(1)).unwrap();
        view
    }

    fn dollars(asset: &str) -> Option<Price> {
        let view = view();
        let mark = view.mark_of(Asset::literal(asset))?;
        view.price_usd(mark).unwrap()
    }

    #[test]
    fn tokens_are_worth_their_protocol_s_rate_and_rewards_their_pool_s() {
        let price = |text| Some(Price::literal(text));
        assert_eq!(dollars("USDT"), price("1"));
        assert_eq!(dollars("ETH"), price("3000"));
        assert_eq!(dollars("WETH"), price("3000"), "not what its pool says");
        assert_eq!(dollars("stETH"), price("3000"));
        assert_eq!(dollars("weETH"), price("6000"));
        assert_eq!(dollars("EIGEN"), price("4.5"));
        assert_eq!(dollars("BTC"), None);
    }

    #[test]
    fn only_a_protocol_s_rate_is_yield() {
        let view = view();
        let is_yield = |asset| match view.mark_of(Asset::literal(asset)) {
            Some(Mark::Rate { is_yield, .. }) => Some(is_yield),
            _ => None,
        };
        assert_eq!(is_yield("weETH"), Some(true));
        assert_eq!(is_yield("EIGEN"), Some(false));
        assert_eq!(is_yield("ETH"), None);
    }

    #[test]
    fn a_perp_is_marked_by_its_mark_series_where_the_view_carries_it() {
        let names = ["perp.bybit.ETHUSDT", "mark.bybit.ETHUSDT"];
        let key = InstrumentKey::new(
            id(names[0]).venue,
            basis_core::types::InstrumentKind::Perp,
            id(names[0]).symbol,
        );
        let price = |carried: &[&str]| {
            let mut data = MarketData::new("test", true);
            data.add_bars(bars(names[0], "3000")).unwrap();
            data.add_bars(bars(names[1], "3001.5")).unwrap();
            let requests: Vec<_> = carried
                .iter()
                .map(|series| SeriesRequest {
                    id: id(series),
                    reference: None,
                })
                .collect();
            let mut view =
                MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
            view.advance_to(hour(1)).unwrap();
            let mark = view.mark_of_instrument(key).unwrap();
            view.price_usd(mark).unwrap().unwrap()
        };
        assert_eq!(price(&names), Price::literal("3001.5"));
        assert_eq!(price(&names[..1]), Price::literal("3000"));
    }
}
