//! Files that are refused, each with what the message must say.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use super::*;

const KLINE: &str =
    "1704067200000,42314.00,42603.20,42289.60,42503.50,5432.1,1704070799999,1,9,1,1,0\n";

/// Name, text, flags, and what the message says.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

fn hold(rows: &[Row<'_>]) {
    for (name, text, flags, expected) in rows {
        let (desk, report) = Case { name, text, flags }.run();
        let said = report
            .err()
            .unwrap_or_else(|| panic!("{name} ({expected}) was taken"));
        assert!(said.contains(expected), "{name}: {said}");
        assert!(desk.is_empty(), "{name}: something was written");
    }
}

#[test]
fn files_that_are_not_what_they_are_said_to_be() {
    let with = |from: &str, to: &str| KLINE.replace(from, to);
    let silent: String = (0..24)
        .map(|hour| {
            let open = 1_704_067_200_000_i64 + hour * 3_600_000;
            format!("{open},2,3,1,2,0,{},0,0,0,0,0\n", open + 3_599_999)
        })
        .collect();
    hold(&[
        (
            "BTCUSDT-1h-2024-01.csv",
            KLINE,
            "format=binance",
            "say --kind spot, perp, mark, index or peg",
        ),
        (
            "klines.csv",
            KLINE,
            "format=binance kind=spot",
            "say --symbol",
        ),
        (
            "BTCUSDT_240329-1h-2024-01.csv",
            KLINE,
            "format=binance kind=perp symbol=BTCUSDT_240329",
            "expires",
        ),
        (
            "BTCUSDT-4h-2024-01.csv",
            KLINE,
            "format=binance kind=spot",
            "spans 1h, not 4h",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            &with("42603.20", "1"),
            "format=binance kind=spot",
            "BTCUSDT-1h-2024-01.csv:1, column `high`",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            &with("42314.00", "nan"),
            "format=binance kind=spot",
            "line 1 column `open`: `nan` is no finite decimal number",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            &KLINE[..40],
            "format=binance kind=spot",
            "Name its columns with --map",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            &format!("{KLINE}1704070800000,1,2"),
            "format=binance kind=spot",
            "line 2 has 3 fields, expected 12; is the file cut off?",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            &silent,
            "format=binance kind=perp",
            "has no volume in any of 24 bars",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            "<?xml version=\"1.0\"?><Error/>",
            "format=binance kind=spot",
            "the download answered with an error",
        ),
        (
            "BTCUSDT-1h-2024-01.csv",
            "\n",
            "format=binance kind=spot",
            "is empty",
        ),
        (
            "futures/um/monthly/premiumIndexKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01.csv",
            "1704067200000,0.0001,0.0002,0.00005,0.0001,0,1704070799999,0,12,0,0,0\n",
            "format=binance",
            "is no price and is read by nothing",
        ),
        (
            "BTCUSD_PERP-1h-2024-01.csv",
            KLINE,
            "format=binance kind=perp",
            "only linear contracts are run",
        ),
        (
            "ETHUSDT-1h-2024-01.csv",
            KLINE,
            "format=binance kind=perp symbol=BTCUSDT",
            "is of ETHUSDT, not of BTCUSDT; leave --symbol out or name other files",
        ),
        (
            "ETHUSDT-fundingRate-2024-01.csv",
            "calc_time,funding_interval_hours,last_funding_rate\n1704067200000,8,0.0001\n",
            "format=binance symbol=BTCUSDT",
            "is of ETHUSDT, not of BTCUSDT",
        ),
        (
            "BTCUSDT-bookDepth-2024-01-01.csv",
            "timestamp,percentage,depth,notional\n2024-01-01 00:00:08,-5,1,1\n",
            "format=binance kind=perp",
            "is none of: Binance archive klines",
        ),
        (
            "BTCUSDT-metrics-2024-01-01.csv",
            "create_time,symbol,sum_open_interest\n2024-01-01 00:05:00,BTCUSDT,1\n",
            "format=binance",
            "is none of: Binance archive klines",
        ),
        (
            "BTCUSDT-trades-2024-01.csv",
            "1,2,3,4,1704067200000,true\n",
            "format=binance kind=spot",
            "its first line is `1,2,3,4,",
        ),
        (
            "error.json",
            r#"{"code":-1121,"msg":"Invalid symbol."}"#,
            "format=binance",
            "is an error of the venue: -1121 Invalid symbol.",
        ),
        (
            "BTCUSDT-fundingRate-2024-01.csv",
            "calc_time,funding_interval_hours,last_funding_rate\n1704067200000,8,\n",
            "format=binance",
            "column `funding_rate`: `` is empty",
        ),
        (
            "BTCUSDT-fundingRate-2024-01.csv",
            "calc_time,funding_interval_hours,last_funding_rate\n1704067200000,8,0.1\n",
            "format=binance kind=spot",
            "holds funding rows, not spot",
        ),
        (
            "x.csv",
            "a,b\n1,2\n",
            "format=kraken",
            "format `kraken` is not read; there is binance",
        ),
    ]);
}

#[test]
fn replies_that_are_of_no_market_of_ours() {
    let kline = r#"{"retCode":0,"result":{"symbol":"BTCUSD","category":"inverse","list":[["1670608800000","17071","17073","17027","17055.5","268611","15.7"]]}}"#;
    let linear = r#"{"retCode":0,"result":{"symbol":"BTCUSDT","category":"linear","list":[["1670608800000","2","3","1","2","5","1"]]}}"#;
    let mark = r#"{"retCode":0,"result":{"symbol":"BTCUSDT","category":"linear","list":[["1704067200000","2","3","1","2"]]}}"#;
    hold(&[
        ("k.json", kline, "format=bybit", "is of category inverse"),
        (
            "k.json",
            linear,
            "format=bybit symbol=SOLUSDT interval=1h",
            "is of BTCUSDT, not of SOLUSDT",
        ),
        (
            "BTCUSDT2024-01-01.csv",
            "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n1704067200.1,BTCUSDT,Buy,1,1,x,y,1,1,1\n",
            "format=bybit kind=perp",
            "is none of: Bybit kline reply",
        ),
        (
            "BTC-USDT-SWAP-trades-2024-01-01.csv",
            "instrument_name,trade_id,side,price,size,created_time\nBTC-USDT-SWAP,1,buy,1,1,1704067200000\n",
            "format=okx",
            "is none of: OKX candles reply",
        ),
        (
            "k.json",
            linear,
            "format=bybit",
            "has one bar, which says no interval; say --interval",
        ),
        (
            "k.json",
            linear,
            "format=bybit kind=spot interval=1h",
            "is of category perp, not spot",
        ),
        (
            "k.json",
            mark,
            "format=bybit interval=1h",
            "say --kind mark or --kind index",
        ),
        (
            "k.json",
            mark,
            "format=bybit interval=1h kind=perp",
            "say --kind mark or --kind index",
        ),
        (
            "k.json",
            r#"{"retCode":10001,"retMsg":"params error"}"#,
            "format=bybit",
            "error of the venue: 10001",
        ),
        (
            "k.json",
            r#"{"retCode":0,"result":{"category":"linear","list":[]}}"#,
            "format=bybit",
            "has no rows",
        ),
        ("k.json", "[[1,2", "format=bybit kind=perp", "cut off"),
        (
            "k.csv",
            "2024.01.01,00:00,1,2,1,2,3,4\n",
            "format=bybit kind=perp",
            "Name its columns with --map",
        ),
        (
            "c.json",
            r#"{"code":"0","data":[["1704038400000","2","3","1","2","1","1","1","1"]]}"#,
            "format=okx kind=perp symbol=BTC-USDT-SWAP interval=1d",
            "is not a multiple of the bar length 1d",
        ),
        (
            "c.json",
            r#"{"code":"0","data":[["1704067200000","2","3","1","2","1","1","1","0"]]}"#,
            "format=okx kind=perp symbol=BTC-USDT-SWAP interval=1h",
            "has no row to import",
        ),
        (
            "f.json",
            r#"{"code":"0","data":[{"instId":"BTC-USD-SWAP","realizedRate":"0.1","fundingTime":"1704067200000"}]}"#,
            "format=okx",
            "only linear contracts are run",
        ),
        (
            "f.json",
            r#"{"code":"0","data":[{"instId":"BTC-USDT-SWAP","fundingRate":"0.1","fundingTime":"1704067200000"}]}"#,
            "format=okx",
            "OKX funding history reply",
        ),
        (
            "f.csv",
            "instrument_name,funding_rate,funding_time\nBTC-USDT-SWAP,0.1,1704067200000\nETH-USDT-SWAP,0.1,1704067200000\n",
            "format=okx",
            "say which with --symbol",
        ),
        (
            "f.csv",
            "instrument_name,contract_type,funding_rate,real_funding_rate,funding_time\nBTC-USDT-SWAP,x,1,1,1\n",
            "format=okx",
            "is none of: OKX candles reply",
        ),
    ]);
}

#[test]
fn tables_of_others() {
    let header = "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,\
                  predicted_funding_rate,open_interest,last_price,index_price,mark_price\n";
    let dydx =
        format!("{header}dydx-v4,BTC-USD,1743465600448717,1743465600448717,,0.00004,,7,,,8\n");
    let late = format!(
        "{header}bybit,BTCUSDT,1704060000000000,1704060000000001,1704067200000000,0.1,,1,9,9,9\n\
         bybit,BTCUSDT,1704067201000000,1704067201000001,1704096000000000,0.1,,1,9,9,9\n"
    );
    let rates = "map kind=funding,venue=bybit,symbol=BTCUSDT,timestamp=t,funding_rate=r";
    hold(&[
        (
            "o.csv",
            "timestamp,open,high,low,close,volume\n1704067200000,1,1,1,1,1\n",
            "format=ccxt kind=spot symbol=BTCUSDT interval=1h",
            "say --venue",
        ),
        (
            "o.json",
            r#"[{"symbol":"BTC/USD:BTC","fundingRate":0.1,"timestamp":1704067200000}]"#,
            "format=ccxt venue=bybit",
            "only linear contracts are run",
        ),
        (
            "t.csv",
            &dydx,
            "format=tardis",
            "is of exchange dydx-v4; read are binance-futures, bybit, okex-swap",
        ),
        (
            "t.csv",
            &late,
            "format=tardis",
            "what was settled is not known; add the file of that day",
        ),
        (
            "a.csv",
            "evt_block_time,reserve,liquidityRate\n2024-01-01,0x,1\n",
            "format=aave symbol=USDT decimals=6",
            "is none of: Aave subgraph",
        ),
        (
            "a.json",
            r#"[{"timestamp":1704067200,"liquidityIndex":"1","liquidityRate":"1","variableBorrowIndex":"1","variableBorrowRate":"1","totalATokenSupply":"1","totalCurrentVariableDebt":"1","priceInUsd":"1"}]"#,
            "format=aave symbol=USDT",
            "--decimals 6 for USDT",
        ),
        (
            "f.csv",
            "t,r\nyesterday,0.1\n",
            rates,
            "`yesterday` is no instant",
        ),
        (
            "f.csv",
            "t,r\n1704067200,\"0,1\"\n",
            rates,
            "a quoted field that holds a separator",
        ),
        (
            "f.csv",
            "t,x\n1704067200,1\n",
            rates,
            "is none of: mapped columns; its first line is `t,x`",
        ),
        (
            "f.csv",
            "t,r\n1704067200,1\n",
            "map kind=funding,venue=bybit,symbol=BTCUSDT,timestamp=t",
            "the map says nothing of `funding_rate`",
        ),
        (
            "f.csv",
            "t,r\n1704067200,1\n",
            "map kind=funding,venue=bybit,symbol=BTCUSDT,timestamp=t,funding_rate=r,price=r",
            "the map sets `price`, which is none of funding_rate",
        ),
        (
            "s.csv",
            "t,r\n2024-01-01,1.1\n",
            "map kind=staking_rate,symbol=rETH_ETH,timestamp=t,protocol_rate=r",
            "no protocol is known for rETH",
        ),
        (
            "llama.json",
            r#"{"status":"success","data":[{"timestamp":"2024-01-01T23:01:33.443Z","tvlUsd":1000,"apy":3.1,"apyBase":3.1,"apyReward":null,"il7d":null,"apyBase7d":null}]}"#,
            "format=aave symbol=USDT decimals=6",
            "is DefiLlama's chart of a pool: a yearly yield, with neither the index nor the debt",
        ),
        (
            "fees.json",
            r#"{"jsonrpc":"2.0","id":1,"result":{"oldestBlock":"0x1208a9f","reward":[["0x1"]],"baseFeePerGas":["0x2","0x2"],"gasUsedRatio":[0.5]}}"#,
            "format=feehistory",
            "say one block and its instant, e.g. --anchor",
        ),
        (
            "fees.json",
            r#"{"oldestBlock":"0x1208a9f","baseFeePerGas":["0x2","0x2"],"gasUsedRatio":[0.5]}"#,
            "format=feehistory anchor=18909855@2024-01-01T00:00:00Z",
            "has no `reward`; ask for a percentile",
        ),
        (
            "fees.json",
            r#"{"oldestBlock":"0x1208a9f","reward":[["0x1"]],"baseFeePerGas":["0x2"],"gasUsedRatio":[0.5,0.5]}"#,
            "format=feehistory anchor=18909855@2024-01-01T00:00:00Z",
            "is the file cut off?",
        ),
        (
            "fees.json",
            r#"{"oldestBlock":"0x1208aa0","reward":[["0x1"]],"baseFeePerGas":["0x2","0x2"],"gasUsedRatio":[0.5]}"#,
            "format=feehistory anchor=18909855@2024-01-01T00:00:00Z",
            "has no row to import",
        ),
        (
            "usdt.json",
            r#"{"data":{"reserve":{"symbol":"USDT","decimals":6,"reserveFactor":"1000","paramsHistory":[{"timestamp":1704067200,"liquidityIndex":"1","liquidityRate":"1","variableBorrowIndex":"1","variableBorrowRate":"1","totalATokenSupply":"1","totalCurrentVariableDebt":"1","priceInUsd":"1"}]}}}"#,
            "format=aave",
            "has risk parameters without baseLTVasCollateral, reserveLiquidationThreshold",
        ),
        (
            "usdt.json",
            r#"{"data":{"reserveParamsHistoryItems":[{"reserve":{"id":"0xa"},"timestamp":1},{"reserve":{"id":"0xb"},"timestamp":2}]}}"#,
            "format=aave symbol=USDT decimals=6",
            "has rows of several reserves",
        ),
        (
            "usdt.json",
            r#"{"data":{"reserve":{"symbol":"USDT","decimals":6,"paramsHistory":[{"timestamp":1704067200,"liquidityIndex":"1","liquidityRate":"1","variableBorrowIndex":"1","variableBorrowRate":"1","totalATokenSupply":"1","totalCurrentVariableDebt":"1","priceInUsd":"1"}]}}}"#,
            "format=aave symbol=USDC",
            "is of USDT, not of USDC; leave --symbol out",
        ),
        (
            "usdt.json",
            r#"{"data":{"reserve":{"symbol":"USDT","decimals":6,"paramsHistory":[{"timestamp":1704067200,"liquidityIndex":"1","liquidityRate":"1","variableBorrowIndex":"1","variableBorrowRate":"1","totalATokenSupply":"1","totalCurrentVariableDebt":"1","priceInUsd":"1"}]}}}"#,
            "format=aave decimals=18",
            "is of a token with 6 decimals, not 18",
        ),
        (
            "BTC_USDT_USDT-8h-funding_rate.json",
            "[[1704067200000,-2.1e-05,0.0,0.0,0.0,0.0]]",
            "format=ccxt venue=binance kind=perp",
            "is no price: it must be above zero",
        ),
        (
            "funding.json",
            r#"[{"info":{},"symbol":"BTC/USDT:USDT","code":"USDT","timestamp":1704067200000,"id":"1","amount":-0.5}]"#,
            "format=ccxt venue=bybit",
            "is none of: CCXT OHLCV",
        ),
        (
            "prices.json",
            r#"{"prices":[[1704067200000,42000.1]],"market_caps":[],"total_volumes":[]}"#,
            "map kind=spot,venue=binance,symbol=BTCUSDT,columns=t p,timestamp=t,open=p,high=p,low=p,close=p,volume=const:0",
            "has no list of rows; it has market_caps, prices, total_volumes",
        ),
        (
            "llama.json",
            r#"{"status":"success","data":[{"timestamp":"2024-01-01T23:01:33.443Z","tvlUsd":1000,"apy":3.1,"apyBase":3.1,"apyReward":null,"il7d":null,"apyBase7d":null}]}"#,
            "format=defillama symbol=USDT",
            "import the chart of lending and borrowing (chartLendBorrow)",
        ),
        (
            "llama.json",
            LEND_BORROW,
            "format=defillama symbol=WETH",
            "only tokens of a dollar are taken",
        ),
        (
            "llama.json",
            r#"{"status":"success","data":[{"timestamp":"2024-01-01T23:01:33.443Z","totalSupplyUsd":1000,"totalBorrowUsd":null,"debtCeilingUsd":null,"apyBase":3.1,"apyReward":null,"apyBaseBorrow":4.2,"apyRewardBorrow":null}]}"#,
            "format=defillama symbol=USDT",
            "row 1 column `total_variable_debt`: `` is empty",
        ),
        (
            "s.csv",
            "t,r\n2024-01-01,0\n",
            "map kind=staking_rate,symbol=weETH_ETH,timestamp=t,protocol_rate=r",
            "must be above zero",
        ),
    ]);
}

#[test]
fn broken_archives_and_folders() {
    let desk = Desk::new();
    let mut cut = zip_of(&[("BTCUSDT-1h-2024-01.csv", KLINE)]);
    cut.truncate(cut.len() / 2);
    let mut short = gzip(KLINE);
    short.truncate(short.len() - 9);
    for (file, expected) in [
        (desk.file("cut.zip", cut), "is the download complete?"),
        (desk.file("cut.csv.gz", short), "is the download complete?"),
        (
            desk.file("a.csv.bz2", b"BZh91AY&SY\x01\x02"),
            "packed with bzip2; unpack it first",
        ),
        (
            desk.file("a.csv.xz", b"\xFD7zXZ\x00\x00"),
            "packed with xz; unpack it first",
        ),
        (
            desk.file("a.csv.zst", b"\x28\xB5\x2F\xFD\x00"),
            "packed with zstd; unpack it first",
        ),
        (
            desk.file("a.feather", b"ARROW1\x00\x00\xff"),
            "is Feather; save the frame as Parquet or CSV",
        ),
        (
            desk.file("a.h5", b"\x89HDF\r\n\x1a\n"),
            "is HDF5; save the frame as Parquet or CSV",
        ),
        (
            desk.file("a.pkl", b"\x80\x04\x95\x00"),
            "is a pickle of Python",
        ),
        (
            desk.file("a.csv", b"\xFF\xFEa\x00,\x00b\x00"),
            "is UTF-16; save it as UTF-8",
        ),
        (
            desk.file("a.xlsx", zip_of(&[("xl/workbook.xml", "<x/>")])),
            "is part of a workbook; save the sheet as CSV",
        ),
        (desk.dir.path().to_owned(), "is a directory"),
        (desk.dir.path().join("absent.csv"), "does not exist"),
    ] {
        let files = [file];
        let said = desk
            .import(request("format=binance kind=spot", &files, &[]))
            .unwrap_err();
        assert!(said.contains(expected), "{said}");
        assert!(desk.is_empty());
    }
}
