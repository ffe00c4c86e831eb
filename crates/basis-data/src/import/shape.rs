//! The shapes of files that are known, each as a map of its columns.
//!
//! Where each comes from stands in `docs/data.md`. A file with another header, or another number of
//! columns, is no known shape and is refused: a column that a venue adds may mean something.

use super::map::Mapping;

/// How the rows of a shape stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// CSV whose first line is these names.
    Header,
    /// CSV with these names as the first line, or without.
    MaybeHeader,
    /// CSV whose first line has all that is needed, in any order.
    Named,
    /// JSON, a list of lists of so many values.
    Arrays,
    /// JSON, a list of objects that have all that is needed.
    Objects,
    /// Tardis' derivative ticker, of which settlements are made.
    Ticker,
    /// A reply of `eth_feeHistory`.
    Fees,
}

/// One shape.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Whose files have it, where that is one venue.
    pub(super) venue: Option<&'static str>,
    pub(super) form: Form,
    pub(super) names: Vec<String>,
    pub(super) map: Mapping,
    /// The map of a table whose amounts are in the token's smallest unit: `%` stands for its decimals.
    counted: Option<&'static str>,
}

/// The name of the shape that has rates and no indices.
pub(super) const YIELDS: &str = "DefiLlama chart of lending and borrowing";
/// The name of the layout's own shapes.
const LAYOUT: &str = "layout of basis";

impl Shape {
    /// Whether its indices have to be made of its rates.
    pub(super) fn accrues(&self) -> bool {
        self.name == YIELDS
    }

    /// Whether it is a file of the layout itself.
    pub(super) fn is_layout(&self) -> bool {
        self.name == LAYOUT
    }

    /// The shape for a token of so many decimals, as the request and the file say it.
    ///
    /// # Errors
    /// The shape needs them and neither says it, or they contradict each other.
    pub(super) fn of_decimals(
        &self,
        given: Option<u8>,
        said: Option<&String>,
    ) -> Result<Self, String> {
        let Some(map) = self.counted else {
            return Ok(self.clone());
        };
        let given = given.map(|decimals| decimals.to_string());
        if let (Some(given), Some(said)) = (&given, said)
            && given != said
        {
            return Err(format!("is of a token with {said} decimals, not {given}"));
        }
        let Some(decimals) = given.as_ref().or(said) else {
            return Err(
                "has amounts in the token's smallest unit; say how many decimals it has, e.g. \
                 --decimals 6 for USDT"
                    .to_owned(),
            );
        };
        let mut shape = self.clone();
        shape.map = Mapping::parse(&map.replace('%', decimals))?;
        Ok(shape)
    }
}

/// Format, name, form, names of the columns, map.
type Row = (&'static str, &'static str, Form, &'static str, &'static str);

const BARS: &str = "timestamp=timestamp,open=open,high=high,low=low,close=close,volume=volume";
const KLINES: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
    taker_buy_volume,taker_buy_quote_volume,ignore";
const KLINES_MAP: &str =
    "timestamp=open_time,open=open,high=high,low=low,close=close,volume=volume,closes=close_time";
const OKX_CANDLES: &str = "ts,o,h,l,c,vol,volCcy,volCcyQuote,confirm";
const TICKER: &str = "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,\
    predicted_funding_rate,open_interest,last_price,index_price,mark_price";

const SHAPES: [Row; 24] = [
    (
        "binance",
        "Binance archive klines",
        Form::MaybeHeader,
        KLINES,
        KLINES_MAP,
    ),
    (
        "binance",
        "Binance klines reply",
        Form::Arrays,
        KLINES,
        KLINES_MAP,
    ),
    (
        "binance",
        "Binance archive funding",
        Form::Header,
        "calc_time,funding_interval_hours,last_funding_rate",
        "kind=funding,timestamp=calc_time,funding_rate=last_funding_rate",
    ),
    (
        "binance",
        "Binance fundingRate reply",
        Form::Objects,
        "",
        "kind=funding,timestamp=fundingTime,funding_rate=fundingRate,symbol=@symbol",
    ),
    (
        "bybit",
        "Bybit kline reply",
        Form::Arrays,
        "start,open,high,low,close,volume,turnover",
        "timestamp=start,open=open,high=high,low=low,close=close,volume=volume",
    ),
    (
        "bybit",
        "Bybit mark or index kline reply",
        Form::Arrays,
        "start,open,high,low,close",
        "timestamp=start,open=open,high=high,low=low,close=close,volume=const:0",
    ),
    (
        "bybit",
        "Bybit funding history reply",
        Form::Objects,
        "",
        "kind=funding,timestamp=fundingRateTimestamp,funding_rate=fundingRate,symbol=@symbol",
    ),
    (
        "okx",
        "OKX candles reply",
        Form::Arrays,
        OKX_CANDLES,
        "timestamp=ts,open=o,high=h,low=l,close=c,volume=vol,confirm=confirm:1",
    ),
    (
        "okx",
        "OKX mark or index candles reply",
        Form::Arrays,
        "ts,o,h,l,c,confirm",
        "timestamp=ts,open=o,high=h,low=l,close=c,volume=const:0,confirm=confirm:1",
    ),
    (
        "okx",
        "OKX funding history reply",
        Form::Objects,
        "",
        "kind=funding,timestamp=fundingTime,funding_rate=realizedRate,symbol=@instId",
    ),
    (
        "okx",
        "OKX candle download",
        Form::Header,
        "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm",
        "timestamp=open_time,open=open,high=high,low=low,close=close,volume=vol,\
         symbol=@instrument_name,confirm=confirm:1",
    ),
    (
        "okx",
        "OKX funding download",
        Form::Header,
        "instrument_name,funding_rate,funding_time",
        "kind=funding,timestamp=funding_time,funding_rate=funding_rate,symbol=@instrument_name",
    ),
    (
        "ccxt",
        "CCXT OHLCV",
        Form::Arrays,
        "timestamp,open,high,low,close,volume",
        BARS,
    ),
    (
        "ccxt",
        "CCXT OHLCV table",
        Form::MaybeHeader,
        "timestamp,open,high,low,close,volume",
        BARS,
    ),
    (
        "ccxt",
        "CCXT OHLCV table",
        Form::Header,
        "date,open,high,low,close,volume",
        "timestamp=date,open=open,high=high,low=low,close=close,volume=volume",
    ),
    (
        "ccxt",
        "CCXT funding rate history",
        Form::Objects,
        "",
        "kind=funding,timestamp=timestamp,funding_rate=fundingRate,symbol=@symbol",
    ),
    (
        "ccxt",
        "CCXT funding rate table",
        Form::Named,
        "",
        "kind=funding,timestamp=timestamp,funding_rate=fundingRate,symbol=@symbol",
    ),
    (
        "tardis",
        "Tardis derivative ticker",
        Form::Ticker,
        TICKER,
        "kind=funding,timestamp=timestamp:us,funding_rate=funding_rate,symbol=@symbol",
    ),
    (
        "aave",
        "Aave subgraph, reserveParamsHistoryItems",
        Form::Objects,
        "",
        SUBGRAPH,
    ),
    (
        "aave",
        "Aave subgraph, reserveParamsHistoryItems",
        Form::Named,
        "",
        SUBGRAPH,
    ),
    ("aave", "Aave reserve table", Form::Named, "", RESERVE_TABLE),
    (
        "aave",
        "Aave reserve table",
        Form::Objects,
        "",
        RESERVE_TABLE,
    ),
    (
        "defillama",
        YIELDS,
        Form::Objects,
        "",
        "kind=aave_reserve,timestamp=timestamp,block=const:0,liquidity_index=const:1,\
         liquidity_rate=apyBase*1e-2,variable_borrow_index=const:1,\
         variable_borrow_rate=apyBaseBorrow*1e-2,total_supplied=totalSupplyUsd,\
         total_variable_debt=totalBorrowUsd,oracle_price_usd=const:1",
    ),
    (
        "feehistory",
        "fee history reply",
        Form::Fees,
        "",
        "kind=gas,interval=1h,timestamp=oldestBlock,block=oldestBlock,\
         base_fee_gwei=baseFeePerGas*1e-9,priority_fee_p50_gwei=reward*1e-9",
    ),
];

/// Rates and indices in ray, amounts in the token's smallest unit: `%` stands for its decimals.
const SUBGRAPH: &str = "kind=aave_reserve,timestamp=timestamp:s,block=const:0,\
    liquidity_index=liquidityIndex*1e-27,liquidity_rate=liquidityRate*1e-27,\
    variable_borrow_index=variableBorrowIndex*1e-27,\
    variable_borrow_rate=variableBorrowRate*1e-27,total_supplied=totalATokenSupply*1e-%,\
    total_variable_debt=totalCurrentVariableDebt*1e-%,oracle_price_usd=priceInUsd";
/// What the query of `docs/data.md` gives.
const RESERVE_TABLE: &str = "kind=aave_reserve,timestamp=block_time,block=block_number,\
    liquidity_index=liquidity_index*1e-27,liquidity_rate=liquidity_rate*1e-27,\
    variable_borrow_index=variable_borrow_index*1e-27,\
    variable_borrow_rate=variable_borrow_rate*1e-27,total_supplied=total_supplied*1e-%,\
    total_variable_debt=total_variable_debt*1e-%,oracle_price_usd=price_usd";

/// The formats, each with the venue whose files it reads, where that is one.
pub const FORMATS: [(&str, Option<&str>); 9] = [
    ("binance", Some("binance")),
    ("bybit", Some("bybit")),
    ("okx", Some("okx")),
    ("ccxt", None),
    ("tardis", None),
    ("aave", Some("aave")),
    ("defillama", Some("aave")),
    ("feehistory", Some("ethereum")),
    ("basis", None),
];

/// The shapes of `format`.
///
/// # Errors
/// The format is unknown.
pub(super) fn shapes(format: &str) -> Result<Vec<Shape>, String> {
    let Some((_, venue)) = FORMATS.iter().find(|(known, _)| *known == format) else {
        let known = FORMATS.map(|(known, _)| known).join(", ");
        return Err(format!(
            "format `{format}` is not read; there is {known}, and any table by --map"
        ));
    };
    let of_format = SHAPES.iter().filter(|(known, ..)| *known == format);
    let mut shapes = Vec::new();
    for (_, name, form, names, map) in of_format {
        shapes.push(Shape {
            name,
            venue: *venue,
            form: *form,
            names: names.split(',').map(str::to_owned).collect(),
            map: Mapping::parse(&map.replace('%', "0"))?,
            counted: map.contains('%').then_some(*map),
        });
    }
    if format == "basis" {
        shapes.extend(layout());
    }
    Ok(shapes)
}

/// The files of the layout itself, by their headers.
pub(super) fn layout() -> Vec<Shape> {
    use super::kind::Kind;
    let mut shapes: Vec<Shape> = Vec::new();
    for (_, kind) in Kind::ALL {
        let header = kind.header();
        if shapes.iter().any(|known| known.names.join(",") == header) {
            continue;
        }
        let items: Vec<_> = header
            .split(',')
            .map(|name| format!("{name}={name}"))
            .collect();
        let mut text = items.join(",");
        if !kind.has_bars() {
            text = format!("kind={},{text}", kind.as_str());
        }
        if let Ok(map) = Mapping::parse(&text) {
            shapes.push(Shape {
                name: LAYOUT,
                venue: None,
                form: Form::Header,
                names: header.split(',').map(str::to_owned).collect(),
                map,
                counted: None,
            });
        }
    }
    shapes
}

/// The shape of a map of the user's.
pub(super) fn mapped(map: Mapping, json: bool) -> Shape {
    let form = match (json, map.columns.is_empty()) {
        (true, true) => Form::Objects,
        (true, false) => Form::Arrays,
        (false, true) => Form::Named,
        (false, false) => Form::MaybeHeader,
    };
    Shape {
        name: "mapped columns",
        venue: None,
        form,
        names: map.columns.clone(),
        map,
        counted: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_maps_all_columns_of_its_kind() {
        for (format, _) in FORMATS {
            for shape in shapes(format).unwrap() {
                let kind = shape.map.kind.unwrap_or(super::super::kind::Kind::Spot);
                for (column, _) in kind.columns() {
                    let mapped = shape.map.values.iter().any(|(name, _)| name == column);
                    // Left out it is both fees together.
                    let summed = column == "gas_price_gwei";
                    assert!(mapped || summed, "{}: {column}", shape.name);
                }
                for needed in shape.map.needed() {
                    let known = shape.names.iter().any(|name| name == needed);
                    let any_order = matches!(shape.form, Form::Named | Form::Objects | Form::Fees);
                    assert!(known || any_order, "{}: {needed}", shape.name);
                }
            }
        }
    }

    #[test]
    fn an_unknown_format_and_a_token_without_decimals_are_told() {
        assert!(shapes("kraken").unwrap_err().contains("by --map"));
        let aave = shapes("aave").unwrap();
        let of = |given, said: Option<&str>| {
            let said = said.map(str::to_owned);
            aave[0]
                .of_decimals(given, said.as_ref())
                .map(|shape| shape.map)
        };
        assert!(of(None, None).unwrap_err().contains("--decimals 6"));
        assert!(
            of(Some(6), Some("18"))
                .unwrap_err()
                .contains("18 decimals, not 6")
        );
        assert_eq!(of(Some(6), None), of(None, Some("6")));
        assert_ne!(of(Some(6), None), of(Some(18), None));
    }
}
