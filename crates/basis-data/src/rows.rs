//! Reads CSV files of rows that are no bars: lending reserves, oracle and staking rates, gas, rewards,
//! and the table of risk parameters.
//!
//! **Invariants.** As [`crate::csv`]: exact or refused, nothing skipped. Lending indices and rates are
//! read to 27 decimals, everything else to 18.

use basis_core::num::{Fixed18, Rate};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Span, Timestamp};
use basis_market::{
    AaveEMode, AaveRiskParameters, GasFees, PointSeries, ReserveRow, Reward, RowSeries, SeriesRow,
};

use crate::csv::{Parsed, Problems, Rows, number};
use crate::ray;

/// The header of a file of lending reserves.
pub const RESERVE_HEADER: &str = "timestamp,block,liquidity_index,liquidity_rate,\
    variable_borrow_index,variable_borrow_rate,total_supplied,total_variable_debt,oracle_price_usd";
/// The header of a file of oracle values.
pub const ORACLE_HEADER: &str = "timestamp,price";
/// The header of a file of rates at which a staking protocol redeems.
pub const PROTOCOL_RATE_HEADER: &str = "timestamp,protocol_rate";
/// The header of a file of rates at which a pool trades.
pub const MARKET_RATE_HEADER: &str = "timestamp,market_rate";
/// The header of a file of gas fees.
pub const GAS_HEADER: &str = "timestamp,block,base_fee_gwei,priority_fee_p50_gwei,gas_price_gwei";
/// The header of the file of EIGEN rewards.
pub const EIGEN_HEADER: &str = "staking_period_start,staking_period_end,eigen_earned,eth_restaked,\
    eth_not_restaked,eigen_per_eth";
/// The header of the file of ETHFI top-ups.
pub const TOP_UP_HEADER: &str = "top_up_date,staking_period_start,staking_period_end,ethfi_amount,\
    ethfi_per_eeth_distributed";
/// The header of the table of risk parameters.
pub const RISK_HEADER: &str = "asset,ltv,liquidation_threshold,liquidation_bonus,reserve_factor,\
    optimal_utilization,emode,emode_ltv,emode_liquidation_threshold,emode_liquidation_bonus";

/// What one file of rows holds.
#[derive(Debug)]
pub(crate) enum AnyRows {
    Points(PointSeries),
    Reserves(RowSeries<ReserveRow>),
    Gas(RowSeries<GasFees>),
    Rewards(RowSeries<Reward>),
}

impl AnyRows {
    /// When each row is known.
    pub(crate) fn at(&self) -> &[Timestamp] {
        match self {
            Self::Points(series) => series.at(),
            Self::Reserves(series) => series.at(),
            Self::Gas(series) => series.at(),
            Self::Rewards(series) => series.at(),
        }
    }
}

/// Reads rows that are no bars: those that are well formed, and `limit` of the problems.
pub(crate) fn parse_rows(
    bytes: &[u8],
    id: SeriesId,
    interval: Span,
    limit: usize,
) -> Parsed<AnyRows> {
    let source = Source {
        bytes,
        id,
        interval,
        limit,
    };
    let points = |header| source.parse(header, timestamp, point).map(AnyRows::Points);
    match id.kind {
        SeriesKind::AaveReserve => source
            .parse(RESERVE_HEADER, timestamp, reserve)
            .map(AnyRows::Reserves),
        SeriesKind::Gas => source.parse(GAS_HEADER, timestamp, gas).map(AnyRows::Gas),
        SeriesKind::RewardRate => source
            .parse(EIGEN_HEADER, end_of_period, eigen)
            .map(AnyRows::Rewards),
        SeriesKind::RewardTopUp => source
            .parse(TOP_UP_HEADER, end_of_top_up, top_up)
            .map(AnyRows::Rewards),
        SeriesKind::StakingRate => points(PROTOCOL_RATE_HEADER),
        SeriesKind::StakingMarket => points(MARKET_RATE_HEADER),
        _ => points(ORACLE_HEADER),
    }
}

/// One line of a file with `N` columns, and where to report what is wrong with it.
struct Line<'a, 'p, const N: usize> {
    problems: &'p mut Problems,
    number: u64,
    header: &'static str,
    fields: [&'a [u8]; N],
}

impl<const N: usize> Line<'_, '_, N> {
    /// The name of column `at`; the header is a constant, so the name is one.
    fn column(&self, at: usize) -> &'static str {
        self.header.split(',').nth(at).unwrap_or_default()
    }

    fn text(&self, at: usize) -> &[u8] {
        self.fields.get(at).copied().unwrap_or_default()
    }

    fn refuse<T>(&mut self, at: usize, what: impl Into<String>) -> Option<T> {
        let (column, text) = (self.column(at), self.fields.get(at).copied());
        let text = text.unwrap_or_default();
        self.problems.add(self.number, Some(column), text, what);
        None
    }

    fn fixed(&mut self, at: usize) -> Option<Fixed18> {
        let (column, text) = (self.column(at), self.fields.get(at).copied());
        number(self.problems, self.number, column, text.unwrap_or_default())
    }

    fn positive(&mut self, at: usize) -> Option<Fixed18> {
        let value = self.fixed(at)?;
        if value.is_positive() {
            return Some(value);
        }
        self.refuse(at, "must be above zero")
    }

    fn not_negative(&mut self, at: usize) -> Option<Fixed18> {
        let value = self.fixed(at)?;
        if value.is_negative() {
            return self.refuse(at, "is negative");
        }
        Some(value)
    }

    fn ray(&mut self, at: usize) -> Option<u128> {
        match ray::parse(self.text(at)) {
            Ok(value) => Some(value),
            Err(e) => self.refuse(at, e.what()),
        }
    }

    fn block(&mut self, at: usize) -> Option<u64> {
        let text = std::str::from_utf8(self.text(at)).unwrap_or_default();
        match text.parse() {
            Ok(block) => Some(block),
            Err(_) => self.refuse(at, "is no block number"),
        }
    }

    /// The first instant of the day in column `at`.
    fn day(&mut self, at: usize) -> Option<Timestamp> {
        let day = day(self.text(at));
        day.or_else(|| self.refuse(at, "is no date; expected e.g. 2024-05-01"))
    }
}

fn day(text: &[u8]) -> Option<Timestamp> {
    if text.len() != 10 {
        return None;
    }
    Timestamp::parse_bytes(&[text, b"T00:00:00Z"].concat())
}

/// A file to read, whatever its rows are.
#[derive(Clone, Copy)]
struct Source<'a> {
    bytes: &'a [u8],
    id: SeriesId,
    interval: Span,
    limit: usize,
}

/// When a row is known, which must be after the row before.
type Instant<const N: usize> = fn(&mut Rows<'_>, u64, &[&[u8]; N]) -> Option<Timestamp>;

impl<'a> Source<'a> {
    /// The rows that `read` makes of lines; it is also given the row before.
    fn parse<T: SeriesRow, const N: usize>(
        self,
        header: &'static str,
        instant: Instant<N>,
        read: fn(&mut Line<'_, '_, N>, Option<&T>) -> Option<T>,
    ) -> Parsed<RowSeries<T>> {
        let mut file = Rows::new(self.bytes, header, self.limit);
        let (mut at, mut rows): (Vec<Timestamp>, Vec<T>) = (Vec::new(), Vec::new());
        while let Some((number, fields)) = file.next_row::<N>() {
            let Some(known_at) = instant(&mut file, number, &fields) else {
                continue;
            };
            let mut line = Line {
                problems: &mut file.problems,
                number,
                header,
                fields,
            };
            let Some(row) = read(&mut line, rows.last()) else {
                continue;
            };
            if let Err((column, what)) = row.check() {
                let found = header.split(',').position(|name| name == column);
                line.refuse::<()>(found.unwrap_or_default(), what);
                continue;
            }
            // A row before the last good one is a problem already counted.
            if at.last().is_none_or(|last| *last < known_at) {
                at.push(known_at);
                rows.push(row);
            }
        }
        let interval = (self.interval > Span::ZERO).then_some(self.interval);
        Parsed {
            series: RowSeries::new(self.id, interval, at, rows).expect(
                "invariant: every row was checked, in order, and the kind chose the reader",
            ),
            problems: file.problems,
        }
    }
}

fn timestamp<const N: usize>(
    file: &mut Rows<'_>,
    line: u64,
    fields: &[&[u8]; N],
) -> Option<Timestamp> {
    file.timestamp(line, fields.first()?)
}

/// Midnight after a day: the first instant at which nothing of that day is still to come.
fn end_of_day<const N: usize>(
    file: &mut Rows<'_>,
    line: u64,
    column: &'static str,
    text: &[u8],
) -> Option<Timestamp> {
    let Some(start) = day(text) else {
        let what = "is no date; expected e.g. 2024-05-01";
        file.problems.add(line, Some(column), text, what);
        return None;
    };
    file.ascending(line, column, text, start.plus(Span::DAY))
}

fn end_of_period<const N: usize>(
    file: &mut Rows<'_>,
    line: u64,
    fields: &[&[u8]; N],
) -> Option<Timestamp> {
    end_of_day::<N>(file, line, "staking_period_end", fields.get(1)?)
}

fn end_of_top_up<const N: usize>(
    file: &mut Rows<'_>,
    line: u64,
    fields: &[&[u8]; N],
) -> Option<Timestamp> {
    end_of_day::<N>(file, line, "top_up_date", fields.first()?)
}

fn point(line: &mut Line<'_, '_, 2>, _: Option<&Fixed18>) -> Option<Fixed18> {
    line.positive(1)
}

fn reserve(line: &mut Line<'_, '_, 9>, before: Option<&ReserveRow>) -> Option<ReserveRow> {
    let row = ReserveRow {
        block: line.block(1)?,
        liquidity_index_ray: line.ray(2)?,
        liquidity_rate_ray: line.ray(3)?,
        variable_borrow_index_ray: line.ray(4)?,
        variable_borrow_rate_ray: line.ray(5)?,
        total_supplied: line.not_negative(6)?,
        total_variable_debt: line.not_negative(7)?,
        oracle_price_usd: line.positive(8)?,
    };
    let fell = "is below that of the row before; an index never falls";
    if before.is_some_and(|before| row.liquidity_index_ray < before.liquidity_index_ray) {
        return line.refuse(2, fell);
    }
    if before.is_some_and(|before| row.variable_borrow_index_ray < before.variable_borrow_index_ray)
    {
        return line.refuse(4, fell);
    }
    Some(row)
}

fn gas(line: &mut Line<'_, '_, 5>, _: Option<&GasFees>) -> Option<GasFees> {
    Some(GasFees {
        block: line.block(1)?,
        base_fee_gwei: line.not_negative(2)?,
        priority_fee_gwei: line.not_negative(3)?,
        gas_price_gwei: line.positive(4)?,
    })
}

/// The period in columns `first` and the one after it; both are days of it.
fn period<const N: usize>(
    line: &mut Line<'_, '_, N>,
    first: usize,
) -> Option<(Timestamp, Timestamp)> {
    let (start, last) = (line.day(first)?, line.day(first + 1)?);
    if last < start {
        return line.refuse(first + 1, "comes before the start of its period");
    }
    Some((start, last.plus(Span::DAY)))
}

fn eigen(line: &mut Line<'_, '_, 6>, _: Option<&Reward>) -> Option<Reward> {
    let (period_start, period_end) = period(line, 0)?;
    line.not_negative(3)?;
    line.not_negative(4)?;
    Some(Reward {
        period_start,
        period_end,
        total: line.positive(2)?,
        per_eth: line.positive(5)?,
    })
}

fn top_up(line: &mut Line<'_, '_, 5>, _: Option<&Reward>) -> Option<Reward> {
    let (period_start, period_end) = period(line, 1)?;
    Some(Reward {
        period_start,
        period_end,
        total: line.positive(3)?,
        per_eth: line.positive(4)?,
    })
}

/// Reads the table of Aave's risk parameters: the rows that are well formed, and `limit` of the problems.
pub(crate) fn parse_risk_parameters(bytes: &[u8], limit: usize) -> Parsed<Vec<AaveRiskParameters>> {
    let mut file = Rows::new(bytes, RISK_HEADER, limit);
    let mut table: Vec<AaveRiskParameters> = Vec::new();
    while let Some((number, fields)) = file.next_row::<10>() {
        let mut line = Line {
            problems: &mut file.problems,
            number,
            header: RISK_HEADER,
            fields,
        };
        let Some(row) = risk_parameters(&mut line) else {
            continue;
        };
        if table.iter().any(|known| known.asset == row.asset) {
            line.refuse::<()>(0, "is there twice");
            continue;
        }
        table.push(row);
    }
    Parsed {
        series: table,
        problems: file.problems,
    }
}

fn risk_parameters(line: &mut Line<'_, '_, 10>) -> Option<AaveRiskParameters> {
    let asset = label(line, 0)?;
    let asset = Asset::new(asset.as_str()).ok()?;
    Some(AaveRiskParameters {
        asset,
        ltv: fraction(line, 1)?,
        liquidation_threshold: fraction(line, 2)?,
        liquidation_bonus: fraction(line, 3)?,
        reserve_factor: fraction(line, 4)?,
        optimal_utilization: fraction(line, 5)?,
        emode: if (6..10).all(|at| line.text(at).is_empty()) {
            None
        } else {
            Some(AaveEMode {
                category: label(line, 6)?,
                ltv: fraction(line, 7)?,
                liquidation_threshold: fraction(line, 8)?,
                liquidation_bonus: fraction(line, 9)?,
            })
        },
    })
}

fn label(line: &mut Line<'_, '_, 10>, at: usize) -> Option<Label> {
    let text = String::from_utf8_lossy(line.text(at)).into_owned();
    match Label::new(&text) {
        Ok(label) => Some(label),
        Err(e) => line.refuse(at, format!("is no name: {e}")),
    }
}

/// A share of 0 to 1.
fn fraction(line: &mut Line<'_, '_, 10>, at: usize) -> Option<Rate> {
    let value = line.not_negative(at)?;
    if value > Fixed18::ONE {
        return line.refuse(at, "is above 1");
    }
    Some(Rate::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(id: &str, interval: Span, text: &str) -> Vec<String> {
        let parsed = parse_rows(text.as_bytes(), id.parse().unwrap(), interval, 9);
        parsed
            .problems
            .kept
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const WETH: &str = "aave_reserve.aave.WETH";

    fn reserves(lines: &str) -> String {
        format!("{RESERVE_HEADER}\n{lines}")
    }

    #[test]
    fn a_reserve_keeps_its_27_decimals() {
        let text = reserves(
            "2024-01-01T00:00:00Z,18908894,1.000000000000000000000000001,1.40369429193e-05,1.5,0,1e6,2.25,0.99965\n",
        );
        let parsed = parse_rows(text.as_bytes(), WETH.parse().unwrap(), Span::DAY, 9);
        assert_eq!(parsed.problems.count, 0, "{:?}", parsed.problems);
        let AnyRows::Reserves(series) = parsed.series else {
            panic!("not reserves");
        };
        let row = series.rows()[0];
        assert_eq!(row.liquidity_index_ray, 10_u128.pow(27) + 1);
        assert_eq!(row.liquidity_rate_ray, 14_036_942_919_300_000_000_000);
        assert_eq!(row.variable_borrow_rate_ray, 0);
        assert_eq!(row.total_supplied, Fixed18::from_int(1_000_000));
        assert_eq!(
            (row.block, series.interval()),
            (18_908_894, Some(Span::DAY))
        );
    }

    #[test]
    fn every_kind_of_malformed_row_names_its_column() {
        let day = |day, rest: &str| format!("2024-01-0{day}T00:00:00Z,{rest}\n");
        let lines = [
            day(1, "1,1.1,0.01,1.2,0.02,5,4,2000"),
            day(2, "x,1.1,0.01,1.2,0.02,5,4,2000"),
            day(3, "1,1.0999,0.01,1.2,0.02,5,4,2000"),
            day(4, "1,1.1,0.01,1.1,0.02,5,4,2000"),
            day(5, "1,1.1,-0.01,1.2,0.02,5,4,2000"),
            day(6, "1,1.1,0.01,1.2,0.02,-5,4,2000"),
            day(7, "1,1.1,0.01,1.2,0.02,5,4,0"),
            day(6, "1,1.1,0.01,1.2,0.02,5,4,2000"),
        ];
        let found = problems(WETH, Span::DAY, &reserves(&lines.concat()));
        for (found, expected) in found.iter().zip([
            "line 3, column `block`: `x` is no block number",
            "line 4, column `liquidity_index`: `1.0999` is below that of the row before",
            "line 5, column `variable_borrow_index`: `1.1` is below that of the row before",
            "line 6, column `liquidity_rate`: `-0.01` is no decimal number",
            "line 7, column `total_supplied`: `-5` is negative",
            "line 8, column `oracle_price_usd`: `0` must be above zero",
            "line 9, column `timestamp`: `2024-01-06T00:00:00Z` comes before",
        ]) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(found.len(), 7);
        let below = reserves(&day(1, "1,0.9,0.01,1.2,0.02,5,4,2000"));
        let found = problems(WETH, Span::DAY, &below);
        assert!(
            found[0].contains("`liquidity_index`: `0.9` is below 1"),
            "{found:?}"
        );
    }

    #[test]
    fn points_and_gas_have_their_own_headers() {
        let gas = "gas.ethereum.gwei";
        let text = format!("{GAS_HEADER}\n2024-01-01T00:00:00Z,1,11.97,0.1,12.07\n");
        assert_eq!(problems(gas, Span::HOUR, &text), [""; 0]);
        let found = problems(gas, Span::HOUR, "timestamp,price\n");
        assert!(found[0].contains("is not the header"), "{found:?}");
        for (id, header, column) in [
            ("oracle.aave.WETH_USD", ORACLE_HEADER, "price"),
            (
                "staking_rate.lido.wstETH_ETH",
                PROTOCOL_RATE_HEADER,
                "protocol_rate",
            ),
            (
                "staking_market.uniswap.wstETH_ETH",
                MARKET_RATE_HEADER,
                "market_rate",
            ),
        ] {
            let text = format!("{header}\n2024-01-01T00:00:00Z,0\n");
            let found = problems(id, Span::DAY, &text);
            let expected = format!("line 2, column `{column}`: `0` must be above zero");
            assert_eq!(found, [expected]);
        }
    }

    #[test]
    fn rewards_are_known_when_their_day_is_over() {
        let eigen = "reward_rate.etherfi.EIGEN";
        let text = format!("{EIGEN_HEADER}\n2024-08-15,2024-10-05,2478088,1480684,532110,1.25\n");
        let parsed = parse_rows(text.as_bytes(), eigen.parse().unwrap(), Span::ZERO, 9);
        let AnyRows::Rewards(series) = parsed.series else {
            panic!("not rewards");
        };
        let (row, date) = (series.rows()[0], |m, d| {
            Timestamp::from_date(2024, m, d).unwrap()
        });
        assert_eq!(series.at(), [date(10, 6)]);
        assert_eq!(
            (row.period_start, row.period_end),
            (date(8, 15), date(10, 6))
        );
        assert_eq!(row.period_end.since(row.period_start), Span::DAY.times(52));
        assert_eq!(
            (row.per_eth, series.interval()),
            (Fixed18::literal("1.25"), None)
        );
        let top_up = "reward_top_up.etherfi.ETHFI";
        let lines = "2024-10-18,2024-08-15,2024-10-05,500000,0.248\n\
                     2024-10-18,2024-10-06,2024-10-12,41000,0.02\n\
                     2024-10-31,2024-10-13,2024-10-12,27533,0.013\n\
                     31.10.2024,2024-10-13,2024-10-19,27533,0.013\n";
        let found = problems(top_up, Span::ZERO, &format!("{TOP_UP_HEADER}\n{lines}"));
        assert_eq!(
            found,
            [
                "line 3, column `top_up_date`: `2024-10-18` repeats the top_up_date of line 2",
                "line 4, column `staking_period_end`: `2024-10-12` comes before the start of its period",
                "line 5, column `top_up_date`: `31.10.2024` is no date; expected e.g. 2024-05-01",
            ]
        );
    }

    #[test]
    fn risk_parameters_may_lack_an_efficiency_mode_but_not_half_of_one() {
        let text = format!(
            "{RISK_HEADER}\nWETH,0.8,0.83,0.05,0.15,0.9,ETH-correlated,0.93,0.95,0.01\n\
             USDT,0.75,0.78,0.045,0.1,0.92,,,,\nUSDT,0.75,0.78,0.045,0.1,0.92,,,,\n\
             DAI,0.75,0.78,0.045,1.1,0.92,,,,\nUSDC,0.75,0.78,0.045,0.1,0.92,,0.9,,\n"
        );
        let parsed = parse_risk_parameters(text.as_bytes(), 9);
        let kept: Vec<_> = parsed
            .problems
            .kept
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(parsed.series.len(), 2);
        assert_eq!(parsed.series[1].emode, None);
        let emode = parsed.series[0].emode.clone().unwrap();
        assert_eq!(emode.category.as_str(), "ETH-correlated");
        assert_eq!(emode.ltv, Rate::literal("0.93"));
        for (found, expected) in kept.iter().zip([
            "line 4, column `asset`: `USDT` is there twice",
            "line 5, column `reserve_factor`: `1.1` is above 1",
            "line 6, column `emode`: `` is no name",
        ]) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(kept.len(), 3);
    }
}
