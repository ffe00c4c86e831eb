//! Series that are no bars: one exact row per instant.
//!
//! What a lending market, an oracle, a staking protocol, a chain or a rewards program recorded. A row
//! is known at its own instant. Indices and rates of a lending market keep the protocol's 27 decimals
//! and never pass through 18.
//!
//! **Invariants.** Instants ascend strictly, and every row has passed its own check.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use basis_core::num::{Fixed18, Rate};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Span, Timestamp};

use super::{MarketData, SeriesError, check_next, check_order};

/// One in ray: 10^27.
const RAY: u128 = 10_u128.pow(27);

/// Rows of one series, sorted by the instant at which they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSeries<T> {
    id: SeriesId,
    interval: Option<Span>,
    at: Vec<Timestamp>,
    rows: Vec<T>,
}

/// Values of an oracle or a staking rate.
pub type PointSeries = RowSeries<Fixed18>;

/// One reading of an Aave V3 reserve, as the pool stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveRow {
    /// The block it was read at.
    pub block: u64,
    /// Liquidity index in ray, 10^27 or more.
    pub liquidity_index_ray: u128,
    /// What suppliers earn, a simple yearly rate (APR) in ray.
    pub liquidity_rate_ray: u128,
    /// Variable borrow index in ray, 10^27 or more.
    pub variable_borrow_index_ray: u128,
    /// What variable debt costs, a yearly rate (APR) in ray.
    pub variable_borrow_rate_ray: u128,
    /// Everything supplied, in whole tokens, >= 0.
    pub total_supplied: Fixed18,
    /// Everything borrowed at the variable rate, in whole tokens, >= 0.
    pub total_variable_debt: Fixed18,
    /// The oracle's price in USD, > 0.
    pub oracle_price_usd: Fixed18,
}

/// What a chain charged around one instant, in gwei (10^-9 ETH) per unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GasFees {
    /// The block it was read at.
    pub block: u64,
    /// Base fee, burned; >= 0.
    pub base_fee_gwei: Fixed18,
    /// Median priority fee of the block, >= 0.
    pub priority_fee_gwei: Fixed18,
    /// What a transaction paid: about the sum of the two; > 0.
    pub gas_price_gwei: Fixed18,
}

/// One payment of a rewards program; it is known, and paid, at the instant of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reward {
    /// The start of the period it is for.
    pub period_start: Timestamp,
    /// The end of the period it is for: the first instant after its last day.
    pub period_end: Timestamp,
    /// Reward tokens paid out to everybody, > 0.
    pub total: Fixed18,
    /// Reward tokens per ETH (eETH) held over the whole period, > 0.
    pub per_eth: Fixed18,
}

/// What one row of a [`RowSeries`] is; the four kinds there are.
pub trait SeriesRow: Copy + fmt::Debug + PartialEq + Sized + sealed::Sealed + 'static {
    /// The kinds of series made of such rows.
    const KINDS: &'static [SeriesKind];

    /// Why this is no such row, with the name of the column to blame.
    ///
    /// # Errors
    /// The column and what is wrong with its value.
    fn check(&self) -> Result<(), (&'static str, String)>;

    /// Its place among what a container keeps for each kind.
    #[doc(hidden)]
    fn of_kind<K: PerKind>(all: &ByKind<K>) -> &K::Of<Self>;

    #[doc(hidden)]
    fn of_kind_mut<K: PerKind>(all: &mut ByKind<K>) -> &mut K::Of<Self>;
}

/// What a container keeps for rows of a kind: a market their series, a view its cursors.
#[doc(hidden)]
pub trait PerKind {
    /// For rows `T`.
    type Of<T: SeriesRow>: Clone + fmt::Debug + Default;
}

/// A container with a place for each kind of row.
#[doc(hidden)]
pub struct ByKind<K: PerKind> {
    pub(crate) points: K::Of<Fixed18>,
    pub(crate) reserves: K::Of<ReserveRow>,
    pub(crate) gas: K::Of<GasFees>,
    pub(crate) rewards: K::Of<Reward>,
}

impl<K: PerKind> Clone for ByKind<K> {
    fn clone(&self) -> Self {
        Self {
            points: self.points.clone(),
            reserves: self.reserves.clone(),
            gas: self.gas.clone(),
            rewards: self.rewards.clone(),
        }
    }
}

impl<K: PerKind> Default for ByKind<K> {
    fn default() -> Self {
        Self {
            points: K::Of::default(),
            reserves: K::Of::default(),
            gas: K::Of::default(),
            rewards: K::Of::default(),
        }
    }
}

impl<K: PerKind> fmt::Debug for ByKind<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByKind")
            .field("points", &self.points)
            .field("reserves", &self.reserves)
            .field("gas", &self.gas)
            .field("rewards", &self.rewards)
            .finish()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for basis_core::num::Fixed18 {}
    impl Sealed for super::ReserveRow {}
    impl Sealed for super::GasFees {}
    impl Sealed for super::Reward {}
}

/// The place of a kind of row, which differs in the name of a field only.
macro_rules! home {
    ($field:ident) => {
        fn of_kind<K: PerKind>(all: &ByKind<K>) -> &K::Of<Self> {
            &all.$field
        }

        fn of_kind_mut<K: PerKind>(all: &mut ByKind<K>) -> &mut K::Of<Self> {
            &mut all.$field
        }
    };
}

fn positive(column: &'static str, value: Fixed18) -> Result<(), (&'static str, String)> {
    if value.is_positive() {
        return Ok(());
    }
    Err((column, format!("{value} is not above zero")))
}

fn not_negative(column: &'static str, value: Fixed18) -> Result<(), (&'static str, String)> {
    if value.is_negative() {
        return Err((column, format!("{value} is negative")));
    }
    Ok(())
}

impl SeriesRow for Fixed18 {
    const KINDS: &'static [SeriesKind] = &[
        SeriesKind::Oracle,
        SeriesKind::StakingRate,
        SeriesKind::StakingMarket,
    ];

    fn check(&self) -> Result<(), (&'static str, String)> {
        positive("value", *self)
    }

    home!(points);
}

impl SeriesRow for ReserveRow {
    const KINDS: &'static [SeriesKind] = &[SeriesKind::AaveReserve];

    fn check(&self) -> Result<(), (&'static str, String)> {
        for (column, index) in [
            ("liquidity_index", self.liquidity_index_ray),
            ("variable_borrow_index", self.variable_borrow_index_ray),
        ] {
            if index < RAY {
                return Err((column, "is below 1, where every index starts".to_owned()));
            }
        }
        not_negative("total_supplied", self.total_supplied)?;
        not_negative("total_variable_debt", self.total_variable_debt)?;
        positive("oracle_price_usd", self.oracle_price_usd)
    }

    home!(reserves);
}

impl SeriesRow for GasFees {
    const KINDS: &'static [SeriesKind] = &[SeriesKind::Gas];

    fn check(&self) -> Result<(), (&'static str, String)> {
        not_negative("base_fee_gwei", self.base_fee_gwei)?;
        not_negative("priority_fee_p50_gwei", self.priority_fee_gwei)?;
        positive("gas_price_gwei", self.gas_price_gwei)
    }

    home!(gas);
}

impl SeriesRow for Reward {
    const KINDS: &'static [SeriesKind] = &[SeriesKind::RewardRate, SeriesKind::RewardTopUp];

    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.period_end <= self.period_start {
            let what = format!("the period ends before it starts at {}", self.period_start);
            return Err(("staking_period_end", what));
        }
        positive("total", self.total)?;
        positive("per_eth", self.per_eth)
    }

    home!(rewards);
}

impl<T: SeriesRow> RowSeries<T> {
    /// A series of `rows` known at the instants `at`; `interval` is the time from one to the next,
    /// none for dates of their own.
    ///
    /// # Errors
    /// [`SeriesError`] for a kind made of other rows, columns of different lengths, instants that do
    /// not ascend, or a row that fails its check.
    pub fn new(
        id: SeriesId,
        interval: Option<Span>,
        at: Vec<Timestamp>,
        rows: Vec<T>,
    ) -> Result<Self, SeriesError> {
        if !T::KINDS.contains(&id.kind) {
            let what = "is not a kind with such rows";
            return Err(SeriesError::Kind { id, what });
        }
        if rows.len() != at.len() {
            return Err(SeriesError::Length {
                id,
                column: "rows",
                found: rows.len(),
                expected: at.len(),
            });
        }
        check_order(id, &at)?;
        for (row, (at, value)) in at.iter().zip(&rows).enumerate() {
            if let Err((column, what)) = value.check() {
                return Err(SeriesError::Bar {
                    id,
                    row,
                    at: *at,
                    what: format!("{column}: {what}"),
                });
            }
        }
        Ok(Self {
            id,
            interval,
            at,
            rows,
        })
    }

    /// Which series.
    #[must_use]
    pub const fn id(&self) -> SeriesId {
        self.id
    }

    /// The time from one row to the next; none for dates of their own.
    #[must_use]
    pub const fn interval(&self) -> Option<Span> {
        self.interval
    }

    /// When each row is known, strictly ascending.
    #[must_use]
    pub fn at(&self) -> &[Timestamp] {
        &self.at
    }

    /// Every row, from early to late.
    #[must_use]
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// Refuses a row that does not come after the last one, or fails its check.
    pub(crate) fn check_next(&self, at: Timestamp, row: &T) -> Result<(), SeriesError> {
        check_next(self.id, &self.at, at)?;
        row.check().map_err(|(column, what)| SeriesError::Bar {
            id: self.id,
            row: self.at.len(),
            at,
            what: format!("{column}: {what}"),
        })
    }

    /// Appends a row that has been checked.
    pub(crate) fn push(&mut self, at: Timestamp, row: T) {
        self.at.push(at);
        self.rows.push(row);
    }

    /// Drops the first `count` rows, at most those there are.
    pub(crate) fn drop_first(&mut self, count: usize) {
        self.at.drain(..count.min(self.at.len()));
        self.rows.drain(..count.min(self.rows.len()));
    }

    /// How many rows are known at `now`.
    #[must_use]
    pub fn known_by(&self, now: Timestamp) -> usize {
        self.at.partition_point(|at| *at <= now)
    }
}

/// The row series of a market.
#[derive(Debug)]
pub(crate) enum StoredRows {}

impl PerKind for StoredRows {
    type Of<T: SeriesRow> = BTreeMap<SeriesId, Arc<RowSeries<T>>>;
}

/// The row series of a market, by what their rows are.
pub(crate) type RowStore = ByKind<StoredRows>;

impl RowStore {
    pub(crate) fn ids(&self) -> impl Iterator<Item = SeriesId> + '_ {
        let ids = self.points.keys().chain(self.reserves.keys());
        ids.chain(self.gas.keys())
            .chain(self.rewards.keys())
            .copied()
    }

    /// Instants and interval of `id`, whatever its rows are.
    pub(crate) fn times(&self, id: SeriesId) -> Option<(&[Timestamp], Option<Span>)> {
        fn of<T>(series: &RowSeries<T>) -> (&[Timestamp], Option<Span>) {
            (&series.at, series.interval)
        }
        match id.kind {
            SeriesKind::Oracle | SeriesKind::StakingRate | SeriesKind::StakingMarket => {
                self.points.get(&id).map(|series| of(series))
            }
            SeriesKind::AaveReserve => self.reserves.get(&id).map(|series| of(series)),
            SeriesKind::Gas => self.gas.get(&id).map(|series| of(series)),
            SeriesKind::RewardRate | SeriesKind::RewardTopUp => {
                self.rewards.get(&id).map(|series| of(series))
            }
            SeriesKind::Spot
            | SeriesKind::Perp
            | SeriesKind::Mark
            | SeriesKind::Index
            | SeriesKind::Peg
            | SeriesKind::Dex
            | SeriesKind::Funding => None,
        }
    }
}

impl MarketData {
    /// Adds rows.
    ///
    /// # Errors
    /// [`SeriesError::Kind`] when they are there already.
    pub fn add_rows<T: SeriesRow>(&mut self, series: RowSeries<T>) -> Result<(), SeriesError> {
        let id = series.id;
        match T::of_kind_mut(&mut self.rows).insert(id, Arc::new(series)) {
            None => Ok(()),
            Some(_) => Err(SeriesError::Kind {
                id,
                what: "was added twice",
            }),
        }
    }

    /// The rows of `id`; `None` when they are not there, or are rows of another kind.
    #[must_use]
    pub fn rows<T: SeriesRow>(&self, id: SeriesId) -> Option<&Arc<RowSeries<T>>> {
        T::of_kind(&self.rows).get(&id)
    }

    /// Sets the table of Aave's risk parameters; one snapshot for the whole range, which is the one
    /// thing here that is not point-in-time.
    pub fn set_risk_parameters(&mut self, table: Vec<AaveRiskParameters>) {
        self.risk_parameters = table.into();
    }

    /// Aave's risk parameters of every asset there is.
    #[must_use]
    pub fn risk_parameters(&self) -> &[AaveRiskParameters] {
        &self.risk_parameters
    }

    /// Aave's risk parameters of `asset`.
    #[must_use]
    pub fn risk_parameters_of(&self, asset: Asset) -> Option<&AaveRiskParameters> {
        self.risk_parameters.iter().find(|row| row.asset == asset)
    }
}

/// Risk parameters of one asset in Aave's main market. All rates are fractions: 0.8 is 80 %.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AaveRiskParameters {
    /// The asset.
    pub asset: Asset,
    /// What may be borrowed against it.
    pub ltv: Rate,
    /// Where a position against it may be liquidated.
    pub liquidation_threshold: Rate,
    /// What a liquidator earns on top.
    pub liquidation_bonus: Rate,
    /// The protocol's part of borrowers' interest.
    pub reserve_factor: Rate,
    /// Utilization at which the rate curve has its kink.
    pub optimal_utilization: Rate,
    /// Its efficiency mode; none when it has none.
    pub emode: Option<AaveEMode>,
}

/// An efficiency mode: what replaces an asset's own parameters while it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AaveEMode {
    /// The category's name, as `ETH-correlated`.
    pub category: Label,
    /// As [`AaveRiskParameters::ltv`].
    pub ltv: Rate,
    /// As [`AaveRiskParameters::liquidation_threshold`].
    pub liquidation_threshold: Rate,
    /// As [`AaveRiskParameters::liquidation_bonus`].
    pub liquidation_bonus: Rate,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    pub(crate) fn hour(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hour))
    }

    pub(crate) fn points(name: &str, every: Span, rows: &[(i64, i64)]) -> PointSeries {
        let at = rows.iter().map(|(at, _)| hour(*at)).collect();
        let values = rows.iter().map(|(_, value)| Fixed18::from_int(*value));
        RowSeries::new(id(name), Some(every), at, values.collect()).unwrap()
    }

    pub(crate) fn reserve(index_ray: u128) -> ReserveRow {
        ReserveRow {
            block: 1,
            liquidity_index_ray: index_ray,
            liquidity_rate_ray: 0,
            variable_borrow_index_ray: RAY,
            variable_borrow_rate_ray: 0,
            total_supplied: Fixed18::ONE,
            total_variable_debt: Fixed18::ZERO,
            oracle_price_usd: Fixed18::ONE,
        }
    }

    #[test]
    fn rows_of_another_kind_length_order_or_content_are_refused() {
        let oracle = id("oracle.aave.WETH_USD");
        let (at, one) = (vec![hour(0), hour(24)], Fixed18::ONE);
        let refused = |id, at: &[Timestamp], rows: &[Fixed18]| {
            let series = RowSeries::new(id, Some(Span::DAY), at.to_vec(), rows.to_vec());
            series.unwrap_err().to_string()
        };
        let message = refused(id("gas.ethereum.gwei"), &at, &[one, one]);
        assert!(message.contains("not a kind with such rows"), "{message}");
        let message = refused(oracle, &at, &[one]);
        assert!(
            message.contains("has 1 rows, the timestamps 2"),
            "{message}"
        );
        let message = refused(oracle, &[hour(24), hour(0)], &[one, one]);
        assert!(
            message.contains("row 1 at 1970-01-01T00:00:00Z"),
            "{message}"
        );
        let message = refused(oracle, &at, &[one, Fixed18::ZERO]);
        assert!(message.ends_with("value: 0 is not above zero"), "{message}");
        let message = RowSeries::new(
            id("aave_reserve.aave.WETH"),
            Some(Span::DAY),
            vec![hour(0)],
            vec![reserve(RAY - 1)],
        )
        .unwrap_err()
        .to_string();
        assert!(message.contains("liquidity_index: is below 1"), "{message}");
    }

    #[test]
    fn a_market_keeps_rows_by_what_they_are() {
        let mut data = MarketData::new("test", true);
        let oracle = "oracle.aave.WETH_USD";
        data.add_rows(points(oracle, Span::DAY, &[(0, 2)])).unwrap();
        let again = data.add_rows(points(oracle, Span::DAY, &[(0, 2)]));
        assert!(again.unwrap_err().to_string().contains("added twice"));
        assert_eq!(data.rows::<Fixed18>(id(oracle)).unwrap().rows().len(), 1);
        assert!(data.rows::<ReserveRow>(id(oracle)).is_none());
        assert!(data.contains(id(oracle)));
        assert_eq!(data.interval(id(oracle)), Some(Span::DAY));
        assert_eq!(data.extent(id(oracle)), Some((hour(0), hour(24))));
    }
}
