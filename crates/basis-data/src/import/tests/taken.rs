//! Shapes that are taken, each with the file that comes of it.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use super::*;

/// What the file is, its name, text, flags, the file that is written, and its rows without the header.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const KLINE_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
    taker_buy_volume,taker_buy_quote_volume,ignore\n";
const HOUR: &str =
    "1704067200000,42314.00,42603.20,42289.60,42503.50,5432.1,1704070799999,1,9,1,1,0\n";
const BARS: &str = "2024-01-01T00:00:00Z,42314,42603.2,42289.6,42503.5,5432.1\n";
const ONE: &str = "2024-01-01T00:00:00Z,1,4,0.5,2,10\n";
const RATES: &str = "2024-01-01T00:00:00Z,0.0001\n2024-01-01T08:00:00Z,-0.00005\n";

fn hold(rows: &[Row]) {
    for (what, name, text, flags, path, expected) in rows {
        let (desk, report) = Case { name, text, flags }.run();
        let report = report.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(report.series.len(), 1, "{what}");
        let written = desk.read(path);
        let (_, rows) = written.split_once('\n').unwrap();
        assert_eq!(rows, *expected, "{what}");
        // What was written is what a run reads.
        let out = desk.dir.path().join("out");
        let checked = crate::check(&out, &basis_core::rules::RuleBook::default()).unwrap();
        assert_eq!(checked.series.len(), 1, "{what}: {:?}", checked.ignored);
        assert_eq!(checked.series[0].problem_count, 0, "{what}");
    }
}

fn of_binance() -> Vec<Row> {
    let header: &'static str = Box::leak(format!("{KLINE_HEADER}{HOUR}").into_boxed_str());
    let micros: &'static str = Box::leak(
        HOUR.replace("00000,4", "00000000,4")
            .replace("99999,1", "99999999,1")
            .into_boxed_str(),
    );
    let mark: &'static str = Box::leak(HOUR.replace("5432.1", "0").into_boxed_str());
    let um = "format=binance kind=perp";
    vec![
        (
            "archive klines with header",
            "SOLUSDT-1h-2024-01.csv",
            header,
            um,
            "perp/binance/SOLUSDT_1h.csv",
            BARS,
        ),
        (
            "archive klines without header",
            "SOLUSDT-1h-2024-01-01.csv",
            HOUR,
            "format=binance kind=spot",
            "spot/binance/SOLUSDT_1h.csv",
            BARS,
        ),
        (
            "archive klines in microseconds",
            "SOLUSDT-1h-2025-01.csv",
            micros,
            "format=binance kind=spot",
            "spot/binance/SOLUSDT_1h.csv",
            BARS,
        ),
        (
            "archive klines in the folder of spot",
            "spot/monthly/klines/SOLUSDT/1h/SOLUSDT-1h-2024-01.csv",
            HOUR,
            "format=binance",
            "spot/binance/SOLUSDT_1h.csv",
            BARS,
        ),
        (
            "archive klines in the folder of futures",
            "futures/um/monthly/klines/SOLUSDT/1h/SOLUSDT-1h-2024-01.csv",
            header,
            "format=binance",
            "perp/binance/SOLUSDT_1h.csv",
            BARS,
        ),
        (
            "archive mark-price klines",
            "futures/um/monthly/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01.csv",
            mark,
            "format=binance",
            "mark/binance/BTCUSDT_1h.csv",
            "2024-01-01T00:00:00Z,42314,42603.2,42289.6,42503.5,0\n",
        ),
        (
            "archive index-price klines",
            "BTCUSDT-1h-2024-01.csv",
            mark,
            "format=binance kind=index",
            "index/binance/BTCUSDT_1h.csv",
            "2024-01-01T00:00:00Z,42314,42603.2,42289.6,42503.5,0\n",
        ),
        (
            "reply of klines",
            "klines.json",
            r#"[[1704067200000,"1","4","0.5","2","10",1704070799999,"2434.19",308,"1756.8","28.4","0"]]"#,
            "format=binance kind=spot symbol=ETHUSDT",
            "spot/binance/ETHUSDT_1h.csv",
            ONE,
        ),
        (
            "archive funding, a few milliseconds late",
            "1000PEPEUSDT-fundingRate-2024-01.csv",
            "calc_time,funding_interval_hours,last_funding_rate\n1704067200000,8,0.00010000\n1704096000004,8,-0.00005000\n",
            "format=binance",
            "funding/binance/1000PEPEUSDT.csv",
            RATES,
        ),
        (
            "reply of fundingRate",
            "fundingRate.json",
            r#"[{"symbol":"BTCUSDT","fundingRate":"0.00010000","fundingTime":1704067200000,"markPrice":"34287.54619963"},
                {"symbol":"BTCUSDT","fundingRate":"-0.00005000","fundingTime":1704096000000,"markPrice":"1"}]"#,
            "format=binance",
            "funding/binance/BTCUSDT.csv",
            RATES,
        ),
    ]
}

#[test]
fn archives_and_compressed_files() {
    let name = "BTCUSDT-1h-2024-01";
    let both = zip_of(&[(&format!("{name}.csv"), HOUR)]);
    for (file, bytes) in [
        (format!("{name}.zip"), both),
        (format!("{name}.csv.gz"), gzip(HOUR)),
    ] {
        let desk = Desk::new();
        let files = [desk.file(&file, bytes)];
        desk.import(request("format=binance kind=spot", &files, &[]))
            .unwrap();
        let written = desk.read("spot/binance/BTCUSDT_1h.csv");
        assert_eq!(
            written,
            format!("timestamp,open,high,low,close,volume\n{BARS}"),
            "{file}"
        );
    }
}

fn of_bybit() -> Vec<Row> {
    vec![
        (
            "reply of kline, linear",
            "kline.json",
            r#"{"retCode":0,"retMsg":"OK","result":{"symbol":"SOLUSDT","category":"linear","list":[["1704070800000","1","4","0.5","2","10","20"],["1704067200000","1","4","0.5","2","10","20"]]},"retExtInfo":{},"time":1672025956592}"#,
            "format=bybit",
            "perp/bybit/SOLUSDT_1h.csv",
            "2024-01-01T00:00:00Z,1,4,0.5,2,10\n2024-01-01T01:00:00Z,1,4,0.5,2,10\n",
        ),
        (
            "reply of kline, spot",
            "kline.json",
            r#"{"retCode":0,"result":{"symbol":"SOLUSDT","category":"spot","list":[["1704067200000","1","4","0.5","2","10","20"]]}}"#,
            "format=bybit interval=1h",
            "spot/bybit/SOLUSDT_1h.csv",
            ONE,
        ),
        (
            "reply of mark-price-kline",
            "mark.json",
            r#"{"retCode":0,"result":{"symbol":"BTCUSDT","category":"linear","list":[["1704067200000","17164.16","17164.16","17121.5","17131.64"]]}}"#,
            "format=bybit kind=mark interval=1h",
            "mark/bybit/BTCUSDT_1h.csv",
            "2024-01-01T00:00:00Z,17164.16,17164.16,17121.5,17131.64,0\n",
        ),
        (
            "reply of index-price-kline",
            "index.json",
            r#"{"retCode":0,"result":{"symbol":"BTCUSDT","category":"linear","list":[["1704067200000","17164.16","17164.16","17121.5","17131.64"]]}}"#,
            "format=bybit kind=index interval=1h",
            "index/bybit/BTCUSDT_1h.csv",
            "2024-01-01T00:00:00Z,17164.16,17164.16,17121.5,17131.64,0\n",
        ),
        (
            "list of a kline reply alone",
            "list.json",
            r#"[["1704067200000","1","4","0.5","2","10","20"]]"#,
            "format=bybit kind=perp symbol=1000PEPEUSDT interval=60m",
            "perp/bybit/1000PEPEUSDT_1h.csv",
            ONE,
        ),
        (
            "reply of funding/history",
            "history.json",
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"symbol":"BTCUSDT","fundingRate":"-0.00005","fundingRateTimestamp":"1704096000000"},{"symbol":"BTCUSDT","fundingRate":"0.0001","fundingRateTimestamp":"1704067200000"}]},"time":1709891679050}"#,
            "format=bybit",
            "funding/bybit/BTCUSDT.csv",
            RATES,
        ),
    ]
}

fn of_okx() -> Vec<Row> {
    let candles = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm\n\
                   BTC-USDT-SWAP,1,4,0.5,2,10,0.1,12,1704067200000,1\n";
    vec![
        (
            "reply of candles, the last unfinished",
            "candles.json",
            r#"{"code":"0","msg":"","data":[["1704070800000","1","4","0.5","2","10","0.1","12","0"],["1704067200000","1","4","0.5","2","10","0.1","12","1"]]}"#,
            "format=okx kind=perp symbol=BTC-USDT-SWAP interval=1h",
            "perp/okx/BTCUSDT_1h.csv",
            ONE,
        ),
        (
            "reply of mark-price-candles",
            "mark.json",
            r#"{"code":"0","msg":"","data":[["1704067200000","1","4","0.5","2","1"]]}"#,
            "format=okx kind=mark symbol=BTC-USDT-SWAP interval=1h",
            "mark/okx/BTCUSDT_1h.csv",
            "2024-01-01T00:00:00Z,1,4,0.5,2,0\n",
        ),
        (
            "reply of index-candles",
            "index.json",
            r#"{"code":"0","msg":"","data":[["1704067200000","1","4","0.5","2","1"]]}"#,
            "format=okx kind=index symbol=BTC-USDT interval=1h",
            "index/okx/BTCUSDT_1h.csv",
            "2024-01-01T00:00:00Z,1,4,0.5,2,0\n",
        ),
        (
            "reply of funding-rate-history",
            "history.json",
            r#"{"code":"0","msg":"","data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","fundingRate":"9","realizedRate":"-0.00005","fundingTime":"1704096000000"},{"instType":"SWAP","instId":"BTC-USDT-SWAP","fundingRate":"9","realizedRate":"0.0001","fundingTime":"1704067200000"}]}"#,
            "format=okx",
            "funding/okx/BTCUSDT.csv",
            RATES,
        ),
        (
            "candle download of a swap",
            "BTC-USDT-SWAP-candlesticks-2024-01.csv",
            candles,
            "format=okx interval=1h",
            "perp/okx/BTCUSDT_1h.csv",
            ONE,
        ),
        (
            "candle download of spot",
            "BTC-USDT-candlesticks-2024-01.csv",
            "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm\n\
             BTC-USDT,1,4,0.5,2,10,0.1,12,1704067200000,1\n",
            "format=okx interval=1m",
            "spot/okx/BTCUSDT_1m.csv",
            ONE,
        ),
        (
            "funding download of all swaps",
            "allswap-fundingrates-2024-01-01.csv",
            "instrument_name,funding_rate,funding_time\r\nBTC-USDT-SWAP,0.0001,1704067200000\r\n\
             ETH-USDT-SWAP,0.0002,1704067200000\r\nBTC-USD-SWAP,-0.01,1704067200000\r\n\
             BTC-USDT-SWAP,-0.00005,1704096000000\r\n",
            "format=okx symbol=BTC-USDT-SWAP",
            "funding/okx/BTCUSDT.csv",
            RATES,
        ),
    ]
}

fn of_libraries() -> Vec<Row> {
    let ticker = "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,\
                  predicted_funding_rate,open_interest,last_price,index_price,mark_price\n\
                  binance-futures,BTCUSDT,1704067190000000,1704067190000001,1704067200000000,0.0001,,1,9,9,9\n\
                  binance-futures,BTCUSDT,1704067200500000,1704067200500001,1704067200000000,0.0009,,1,9,9,9\n\
                  binance-futures,BTCUSDT,1704067201000000,1704067201000001,1704096000000000,0.5,,1,9,9,9\n\
                  binance-futures,BTCUSDT,1704095999000000,1704095999000001,1704096000000000,-0.00005,,1,9,9,9\n\
                  binance-futures,BTCUSDT,1704096001000000,1704096001000001,1704124800000000,0.7,,1,9,9,9\n";
    let of = |exchange: &str, symbol: &str| -> &'static str {
        let text = ticker.replace("binance-futures", exchange);
        Box::leak(text.replace("BTCUSDT", symbol).into_boxed_str())
    };
    let (of_bybit, of_okx) = (of("bybit", "BTCUSDT"), of("okex-swap", "BTC-USDT-SWAP"));
    vec![
        (
            "fetch_ohlcv as JSON, spot",
            "BTC_USDT-1h.json",
            "[[1704067200000,1.0,4.0,0.5,2,10]]",
            "format=ccxt venue=bybit kind=spot",
            "spot/bybit/BTCUSDT_1h.csv",
            ONE,
        ),
        (
            "fetch_ohlcv as JSON, swap, exponents",
            "BTC_USDT_USDT-1h-futures.json",
            "[[1704067200000, 1, 4, 5e-1, 2.0, 1E1]]",
            "format=ccxt venue=okx kind=perp",
            "perp/okx/BTCUSDT_1h.csv",
            ONE,
        ),
        (
            "fetch_ohlcv as a table with header",
            "ohlcv.csv",
            "timestamp,open,high,low,close,volume\n1704067200000,1.0,4.0,0.5,2.0,10.0\n",
            "format=ccxt venue=bybit symbol=SOL/USDT:USDT interval=1h",
            "perp/bybit/SOLUSDT_1h.csv",
            ONE,
        ),
        (
            "fetch_ohlcv as a table without header",
            "ohlcv.csv",
            "1704067200000,1.0,4.0,0.5,2.0,10.0\n",
            "format=ccxt venue=bybit symbol=SOL/USDT interval=1h kind=spot",
            "spot/bybit/SOLUSDT_1h.csv",
            ONE,
        ),
        (
            "fetch_ohlcv as a table of dates",
            "ohlcv.csv",
            "date,open,high,low,close,volume\n2024-01-01 00:00:00+00:00,1,4,0.5,2,10\n",
            "format=ccxt venue=bybit kind=spot symbol=SOLUSDT interval=1h",
            "spot/bybit/SOLUSDT_1h.csv",
            ONE,
        ),
        (
            "fetch_funding_rate_history as JSON",
            "history.json",
            r#"[{"info":{"symbol":"BTCUSDT"},"symbol":"BTC/USDT:USDT","fundingRate":0.0001,"timestamp":1704067200000,"datetime":"2024-01-01T00:00:00.000Z"},
                {"info":{},"symbol":"BTC/USDT:USDT","fundingRate":-5e-05,"timestamp":1704096000002,"datetime":"2024-01-01T08:00:00.002Z"}]"#,
            "format=ccxt venue=binance",
            "funding/binance/BTCUSDT.csv",
            RATES,
        ),
        (
            "fetch_funding_rate_history as a table",
            "rates.csv",
            "timestamp,symbol,fundingRate\n1704067200000,BTC/USDT:USDT,0.0001\n1704096000000,BTC/USDT:USDT,-5e-05\n",
            "format=ccxt venue=bybit",
            "funding/bybit/BTCUSDT.csv",
            RATES,
        ),
        (
            "derivative_ticker",
            "binance-futures_derivative_ticker_2024-01-01_BTCUSDT.csv",
            ticker,
            "format=tardis",
            "funding/binance/BTCUSDT.csv",
            RATES,
        ),
        (
            "derivative_ticker of bybit",
            "bybit_derivative_ticker_2024-01-01_BTCUSDT.csv",
            of_bybit,
            "format=tardis",
            "funding/bybit/BTCUSDT.csv",
            RATES,
        ),
        (
            "derivative_ticker of okex-swap",
            "okex-swap_derivative_ticker_2024-01-01_BTC-USDT-SWAP.csv",
            of_okx,
            "format=tardis",
            "funding/okx/BTCUSDT.csv",
            RATES,
        ),
        (
            "spot of the layout",
            "BTCUSDT_1h.csv",
            "timestamp,open,high,low,close,volume\n2024-01-01T00:00:00Z,1,4,0.5,2,10\n",
            "format=basis venue=binance kind=spot",
            "spot/binance/BTCUSDT_1h.csv",
            ONE,
        ),
    ]
}

const RESERVE: &str =
    "2024-01-01T00:00:00Z,18908895,1.05,0.03,1.07,0.045,1000000,400000.5,0.9998\n";

fn of_chains() -> Vec<Row> {
    vec![
        (
            "reserveParamsHistoryItems as JSON",
            "usdt.json",
            r#"{"data":{"reserveParamsHistoryItems":[{"timestamp":1704067200,"liquidityIndex":"1050000000000000000000000000","liquidityRate":"30000000000000000000000000","variableBorrowIndex":"1070000000000000000000000000","variableBorrowRate":"45000000000000000000000000","totalATokenSupply":"1000000000000","totalCurrentVariableDebt":"400000500000","priceInUsd":"0.9998","reserve":{"id":"0x"}}]}}"#,
            "format=aave symbol=USDT decimals=6",
            "aave/reserves/USDT_1d.csv",
            "2024-01-01T00:00:00Z,0,1.05,0.03,1.07,0.045,1000000,400000.5,0.9998\n",
        ),
        (
            "reserveParamsHistoryItems as a table",
            "usdt.csv",
            "timestamp,liquidityIndex,liquidityRate,variableBorrowIndex,variableBorrowRate,totalATokenSupply,totalCurrentVariableDebt,priceInUsd\n\
             1704067200,1050000000000000000000000000,30000000000000000000000000,1070000000000000000000000000,45000000000000000000000000,1000000000000,400000500000,0.9998\n",
            "format=aave symbol=USDT decimals=6",
            "aave/reserves/USDT_1d.csv",
            "2024-01-01T00:00:00Z,0,1.05,0.03,1.07,0.045,1000000,400000.5,0.9998\n",
        ),
        (
            "reserveParamsHistoryItems with the reserve of each row",
            "usdt.json",
            r#"{"data":{"reserveParamsHistoryItems":[{"timestamp":1704067200,"liquidityIndex":"1050000000000000000000000000","liquidityRate":"30000000000000000000000000","variableBorrowIndex":"1070000000000000000000000000","variableBorrowRate":"45000000000000000000000000","totalATokenSupply":"1000000000000","totalCurrentVariableDebt":"400000500000","priceInUsd":"0.9998","reserve":{"symbol":"USDT","decimals":6}}]}}"#,
            "format=aave",
            "aave/reserves/USDT_1d.csv",
            "2024-01-01T00:00:00Z,0,1.05,0.03,1.07,0.045,1000000,400000.5,0.9998\n",
        ),
        (
            "reserve table of a warehouse as the JSON of a query",
            "dune.json",
            r#"{"execution_id":"01HKZ","state":"QUERY_STATE_COMPLETED","result":{"rows":[{"block_time":"2024-01-01 00:00:00.000 UTC","block_number":18908895,"liquidity_index":"1050000000000000000000000000","liquidity_rate":"30000000000000000000000000","variable_borrow_index":"1070000000000000000000000000","variable_borrow_rate":"45000000000000000000000000","total_supplied":"1000000000000","total_variable_debt":"400000500000","price_usd":0.9998}],"metadata":{"column_names":["block_time"]}}}"#,
            "format=aave symbol=USDT decimals=6",
            "aave/reserves/USDT_1d.csv",
            RESERVE,
        ),
        (
            "chart of lending and borrowing",
            "llama.json",
            LEND_BORROW,
            "format=defillama symbol=USDT",
            "aave/reserves/USDT_1d.csv",
            // A day at 3.65 % is 0.0001; one at 7.3 % is 0.0002, and its square's half and cube's sixth.
            "2024-01-01T23:00:00Z,0,1,0.0365,1,0.073,1000,400.5,1\n\
             2024-01-02T23:00:00Z,0,1.0001,0.04,1.000200020001333333,0.08,1100,500,1\n",
        ),
        (
            "reserve table of a warehouse",
            "dune.csv",
            "block_time,block_number,liquidity_index,liquidity_rate,variable_borrow_index,variable_borrow_rate,total_supplied,total_variable_debt,price_usd\n\
             2024-01-01 00:00:00.000 UTC,18908895,1050000000000000000000000000,30000000000000000000000000,1070000000000000000000000000,45000000000000000000000000,1000000000000,400000500000,0.9998\n",
            "format=aave symbol=USDT decimals=6",
            "aave/reserves/USDT_1d.csv",
            RESERVE,
        ),
        (
            "share rate of a staking protocol, wei",
            "steth.csv",
            "day;share_rate\n2024-01-01;1150000000000000000\n2024-01-02;1150100000000000000\n",
            "map kind=staking_rate,symbol=wstETH_ETH,timestamp=day,protocol_rate=share_rate*1e-18",
            "staking/wstETH_ETH_protocol_1d.csv",
            "2024-01-01T00:00:00Z,1.15\n2024-01-02T00:00:00Z,1.1501\n",
        ),
        (
            "pool price of a staking token",
            "pool.csv",
            "time\tprice\n1704067200\t0.9991\n",
            "map kind=staking_market,symbol=weETH_ETH,timestamp=time,market_rate=price",
            "staking/weETH_ETH_market_1h.csv",
            "2024-01-01T00:00:00Z,0.9991\n",
        ),
        (
            "fees of blocks in wei, table",
            "blocks.csv",
            "time,number,base_fee_per_gas,priority\n2024-01-01 00:00:00.000 UTC,18908895,11970000000,100000000\n",
            "map kind=gas,venue=ethereum,timestamp=time,block=number,base_fee_gwei=base_fee_per_gas*1e-9,priority_fee_p50_gwei=priority*1e-9",
            "gas/ethereum_1h.csv",
            "2024-01-01T00:00:00Z,18908895,11.97,0.1,12.07\n",
        ),
        (
            "fees of blocks in hexadecimal, JSON",
            "fees.json",
            r#"[{"timestamp":1704067200,"block":"0x1208a9f","baseFeePerGas":"0x2c977b480","reward":"0x5f5e100"}]"#,
            "map kind=gas,venue=ethereum,timestamp=timestamp:s,block=block,base_fee_gwei=baseFeePerGas*1e-9,priority_fee_p50_gwei=reward*1e-9",
            "gas/ethereum_1h.csv",
            "2024-01-01T00:00:00Z,18909855,11.97,0.1,12.07\n",
        ),
        (
            "eth_feeHistory",
            "history.json",
            r#"{"jsonrpc":"2.0","id":1,"result":{"oldestBlock":"0x1208a9e","reward":[["0x1","0x2"],["0x5f5e0ff","0x5f5e100"]],"baseFeePerGas":["0x1","0x2c977b480","0x3"],"gasUsedRatio":[0.1,0.9]}}"#,
            "format=feehistory anchor=18909855@2024-01-01T00:00:03Z",
            "gas/ethereum_1h.csv",
            "2024-01-01T00:00:03Z,18909855,11.97,0.1,12.07\n",
        ),
        (
            "fetch_ohlcv of a dollar token",
            "kraken.json",
            "[[1704067200000,1.0001,1.0003,0.9998,1.0002,123]]",
            "format=ccxt kind=peg symbol=USDT/USD interval=1h",
            "peg/USDTUSD_1h.csv",
            "2024-01-01T00:00:00Z,1.0001,1.0003,0.9998,1.0002,123\n",
        ),
        (
            "answers of an oracle, eight decimals",
            "oracle.csv",
            "updatedAt,answer\n1704067200,99980000\n",
            "map kind=oracle,symbol=USDT_USD,timestamp=updatedAt,price=answer*1e-8",
            "aave/oracle/USDT_USD_1d.csv",
            "2024-01-01T00:00:00Z,0.9998\n",
        ),
    ]
}

fn by_maps() -> Vec<Row> {
    vec![
        (
            "funding in percent",
            "percent.csv",
            "Date|Rate %\n2024-01-01 00:00:00|0.01\n2024-01-01 08:00:00|-0.005\n",
            "map kind=funding,venue=bybit,symbol=BTCUSDT,timestamp=Date,funding_rate=Rate %*1e-2",
            "funding/bybit/BTCUSDT.csv",
            RATES,
        ),
        (
            "MetaTrader klines by columns",
            "BTCUSDT_60_2024-01-01_2024-01-31.csv",
            "2024.01.01,03:00,1,4,0.5,2,10,7\n",
            "map kind=perp,venue=bybit,symbol=BTCUSDT,interval=1h,columns=date time open high low close volume ticks,timestamp=date+time,open=open,high=high,low=low,close=close,volume=volume",
            "perp/bybit/BTCUSDT_1h.csv",
            "2024-01-01T03:00:00Z,1,4,0.5,2,10\n",
        ),
        (
            "rows in nanoseconds",
            "rows.json",
            r#"{"items":[{"t":1704067200000000000,"o":1,"h":4,"l":0.5,"c":2,"v":null,"n":10}]}"#,
            "map kind=dex,venue=uniswap,symbol=WETHUSDT_3000,interval=1h,timestamp=t:ns,open=o,high=h,low=l,close=c,volume=n",
            "dex/uniswap/WETHUSDT_3000_1h.csv",
            ONE,
        ),
        (
            "OHLCVT download of Kraken",
            "USDTUSD_60.csv",
            "1704067200,1,4,0.5,2,10,7\n",
            "map kind=peg,symbol=USDTUSD,interval=1h,columns=time open high low close volume trades,timestamp=time:s,open=open,high=high,low=low,close=close,volume=volume",
            "peg/USDTUSD_1h.csv",
            ONE,
        ),
        (
            "reply of candles of Coinbase",
            "candles.json",
            "[[1704067200,0.5,4,1,2,10]]",
            "map kind=peg,symbol=USDTUSD,interval=1h,columns=time low high open close volume,timestamp=time:s,open=open,high=high,low=low,close=close,volume=volume",
            "peg/USDTUSD_1h.csv",
            ONE,
        ),
        (
            "klines of a vendor that names itself above the header",
            "Binance_BTCUSDT_1h.csv",
            "https://www.example.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n\
             1704067200000,2024-01-01 00:00:00,BTCUSDT,1,4,0.5,2,10,20,5\n",
            "map kind=spot,venue=binance,symbol=BTCUSDT,interval=1h,timestamp=unix,open=open,high=high,low=low,close=close,volume=Volume BTC",
            "spot/binance/BTCUSDT_1h.csv",
            ONE,
        ),
        (
            "ohlcv_list of a pool, GeckoTerminal",
            "ohlcv.json",
            r#"{"data":{"id":"x","type":"ohlcv_request_response","attributes":{"ohlcv_list":[[1704067200,1,4,0.5,2,10]]}},"meta":{"base":{"symbol":"WETH"}}}"#,
            "map kind=dex,venue=uniswap,symbol=WETHUSDT_3000,interval=1h,columns=t o h l c v,timestamp=t:s,open=o,high=h,low=l,close=c,volume=v",
            "dex/uniswap/WETHUSDT_3000_1h.csv",
            ONE,
        ),
        (
            "poolHourDatas of Uniswap's subgraph",
            "pool.json",
            r#"{"data":{"poolHourDatas":[{"periodStartUnix":1704067200,"open":"1","high":"4","low":"0.5","close":"2","volumeUSD":"10"}]}}"#,
            "map kind=dex,venue=uniswap,symbol=WETHUSDT_3000,interval=1h,timestamp=periodStartUnix:s,open=open,high=high,low=low,close=close,volume=volumeUSD",
            "dex/uniswap/WETHUSDT_3000_1h.csv",
            ONE,
        ),
        (
            "average gas price of Etherscan",
            "export-AvgGasPrice.csv",
            "\"Date(UTC)\",\"UnixTimeStamp\",\"Value (Wei)\"\r\n\"1/1/2024\",\"1704067200\",\"11970000000\"\r\n",
            "map kind=gas,venue=ethereum,interval=1d,timestamp=UnixTimeStamp:s,block=const:0,base_fee_gwei=Value (Wei)*1e-9,priority_fee_p50_gwei=const:0",
            "gas/ethereum_1d.csv",
            "2024-01-01T00:00:00Z,0,11.97,0,11.97\n",
        ),
    ]
}

/// Every documented shape, each with a sample of it.
fn all() -> Vec<Row> {
    let of_venues = [of_binance(), of_bybit(), of_okx()].concat();
    [of_venues, of_libraries(), of_chains(), by_maps()].concat()
}

#[test]
fn forty_documented_shapes_and_more_are_taken() {
    let rows = all();
    hold(&rows);
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| row.0).collect();
    assert_eq!(names.len(), rows.len(), "a shape is there twice");
    assert!(names.len() >= 50, "{}", names.len());
}

#[test]
fn no_shape_is_claimed_without_a_sample() {
    let mut seen = Vec::new();
    for (_, name, text, flags, ..) in all() {
        let (_desk, report) = Case { name, text, flags }.run();
        seen.extend(
            report
                .unwrap()
                .sources
                .into_iter()
                .map(|source| source.shape),
        );
    }
    for (format, _) in FORMATS {
        for shape in shape::shapes(format).unwrap() {
            assert!(seen.iter().any(|seen| seen == shape.name), "{}", shape.name);
        }
    }
}

#[test]
fn a_chart_of_yields_is_extended_by_itself_and_never_joined_to_the_contract_s_rows() {
    let desk = Desk::new();
    let symbols = symbols("symbol=USDT");
    let chart = desk.file("llama.json", LEND_BORROW);
    let (first, _) = LEND_BORROW
        .split_once(",{\"timestamp\":\"2024-01-02")
        .unwrap();
    let short = desk.file("short.json", format!("{first}]}}"));
    let contract = desk.file(
        "usdt.json",
        WHOLE
            .replace("weETH", "USDT")
            .replace("1704067200", "1709251200"),
    );
    for files in [[short], [chart.clone()]] {
        let report = desk.import(request("format=defillama", &files, &symbols));
        let said = report.unwrap().assumptions.concat();
        assert!(said.contains("simple yearly rates in percent"), "{said}");
    }
    let rows = desk.read("aave/reserves/USDT_1d.csv");
    assert_eq!(rows.lines().count(), 3);
    let files = [contract];
    let said = desk
        .import(request("format=aave", &files, &symbols))
        .unwrap_err();
    assert!(said.contains("with indices of a chart of yields"), "{said}");
    let other = Desk::new();
    other
        .import(request("format=aave", &files, &symbols))
        .unwrap();
    let said = other
        .import(request(
            "format=defillama",
            std::slice::from_ref(&chart),
            &symbols,
        ))
        .unwrap_err();
    assert!(said.contains("with indices of the contract"), "{said}");
    let both = [chart, files[0].clone()];
    let fresh = Desk::new();
    let said = fresh
        .import(request("format=defillama format=aave", &both, &symbols))
        .unwrap_err();
    assert!(said.contains("is a chart of yields or indices"), "{said}");
}

/// A reserve with its parameters, as one query of the subgraph asks for both.
const WHOLE: &str = r#"{"data":{"reserve":{"symbol":"weETH","decimals":18,"baseLTVasCollateral":"7750","reserveLiquidationThreshold":"8000","reserveLiquidationBonus":"10700","reserveFactor":"4500","optimalUtilisationRate":"300000000000000000000000000","eMode":{"label":"ETH correlated","ltv":"9300","liquidationThreshold":"9500","liquidationBonus":"10100"},"paramsHistory":[{"timestamp":1704067200,"liquidityIndex":"1050000000000000000000000000","liquidityRate":"0","variableBorrowIndex":"1070000000000000000000000000","variableBorrowRate":"45000000000000000000000000","totalATokenSupply":"1000000000000000000","totalCurrentVariableDebt":"0","priceInUsd":"2400.5"}]}}}"#;

#[test]
fn a_reserve_brings_its_symbol_decimals_and_risk_parameters() {
    let desk = Desk::new();
    let bare = WHOLE.replace("weETH", "USDT").replace("18,", "6,");
    let (before, rest) = bare.split_once("\"eMode\"").unwrap();
    let (_, after) = rest.split_once("},").unwrap();
    let usdt = format!("{before}\"eMode\":null,{after}");
    let files = [
        desk.file("weeth.json", WHOLE),
        desk.file("usdt.json", &usdt),
    ];
    for added in [2, 0] {
        let report = desk.import(request("format=aave", &files, &[])).unwrap();
        let table = report.series.last().unwrap();
        assert_eq!(table.path, "aave/risk_parameters.csv");
        assert_eq!((table.rows, table.added), (2, added));
        assert_eq!(report.series.len(), 3);
        let (_, rows) = desk
            .read(&table.path)
            .split_once('\n')
            .map(|(header, rows)| (header.to_owned(), rows.to_owned()))
            .unwrap();
        assert_eq!(
            rows,
            "USDT,0.775,0.8,0.07,0.45,0.3,,,,\nweETH,0.775,0.8,0.07,0.45,0.3,ETH-correlated,0.93,0.95,0.01\n"
        );
        assert!(
            desk.read("aave/reserves/weETH_1d.csv")
                .ends_with(",0,1.05,0,1.07,0.045,1,0,2400.5\n")
        );
    }
    // Another day's parameters are another table.
    let changed = WHOLE
        .replace("7750", "7800")
        .replace("1704067200", "1704153600");
    let files = [desk.file("later.json", changed)];
    let said = desk
        .import(request("format=aave", &files, &[]))
        .unwrap_err();
    for expected in [
        "weETH,0.78,",
        "are not those of",
        "risk_parameters.csv (weETH,0.775,",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    // A table of the layout is joined to it by its numbers, not by their spelling.
    let other = Desk::new();
    let table = desk
        .read("aave/risk_parameters.csv")
        .replace("0.45,", "0.450,");
    let files = [other.file("risk_parameters.csv", table)];
    let report = other.import(request("format=basis", &files, &[])).unwrap();
    assert_eq!(report.series[0].added, 2);
    assert_eq!(
        other.read("aave/risk_parameters.csv"),
        desk.read("aave/risk_parameters.csv")
    );
}
