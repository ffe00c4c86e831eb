//! `basis instruct`: one instruction, its execution and its ledger lines.

use crate::runner::{Outcome, Scratch};

const BUY: &str =
    r#"{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"market"}}"#;

fn instruct(venue: &str, more: &[&str], instruction: &str) -> Outcome {
    let dir = Scratch::new();
    dir.run(
        &[&["instruct", "--venue", venue], more, &[instruction]].concat(),
        &[],
    )
}

#[test]
fn a_spot_buy_settles_with_balanced_entries() {
    let outcome = instruct("binance", &["--balance", "spot:USDT=1000"], BUY);
    let result = outcome.json();
    assert_eq!(result["status"], "settled");
    assert_eq!(result["synthetic"], true);
    assert!(outcome.err.contains("SYNTHETIC"));
    let fill = &result["fills"][0];
    assert_eq!(fill["quantity"], "0.01");
    let kinds: Vec<_> = result["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].clone())
        .collect();
    assert_eq!(kinds, ["trade", "trade", "fee"]);
}

#[test]
fn the_same_instruction_twice_gives_the_same_answer() {
    let once = || {
        instruct(
            "bybit",
            &["--balance", "bybit.unified:USDT=1000", "--at", "2024-02-01"],
            BUY,
        )
        .out
    };
    assert_eq!(once(), once());
    assert!(once().contains("2024-02-01T00:00:00Z"));
}

#[test]
fn a_refusal_is_the_venues_own_and_fails_the_run() {
    let told = ["error[EXI-001]", "insufficient balance", "0 free"];
    let fund = "note: accounts start empty here; --balance ACCOUNT:ASSET=QTY fills one (accounts of \
                binance: spot, usdm)";
    let empty = instruct("binance", &[], BUY);
    assert!(empty.err.contains(fund), "{empty:?}");
    empty.fails(1, &told);
    let little = instruct("binance", &["--balance", "spot:USDT=1"], BUY);
    assert!(!little.err.contains("start empty"), "{little:?}");
    little.fails(1, &["insufficient balance", "1 free"]);
}

#[test]
fn what_is_no_instruction_of_the_venue_is_refused_with_the_way_out() {
    for (instruction, text) in [
        ("{", "no JSON"),
        ("[]", "expected an object"),
        ("{}", "holds one operation, this has 0"),
        (r#"{"spot_trad":{}}"#, "did you mean `spot_trade`?"),
        (
            r#"{"stake":{"asset_in":"ETH","asset_out":"weETH","amount":"all"}}"#,
            "does not execute stake",
        ),
        (
            r#"{"swap":{"amount_in":1}}"#,
            "binance does not execute swap; it takes spot_trade, perp_trade, cancel_order, \
             amend_order, set_leverage, transfer",
        ),
        (r#"{"stake":{},"spot_trade":{}}"#, "does not execute stake"),
        (&BUY.replace("\"0.01\"", "0.01"), "quote the number"),
        (
            &BUY.replace("market", "iceberg"),
            "unknown variant `iceberg`",
        ),
        (
            &BUY.replace("side", "sied"),
            "spot_trade: unknown field `sied`",
        ),
    ] {
        instruct("binance", &[], instruction).fails(2, &["error[EXI-006]", text]);
    }
}

#[test]
fn slips_of_the_command_line_are_usage_errors() {
    instruct("binanse", &[], BUY).fails(2, &["error[EIF-002]", "did you mean `binance`?"]);
    instruct("binance", &["--balance", "spot:USDT"], BUY).fails(2, &["CFG-005", "there is no `=`"]);
    instruct("binance", &["--balance", "spt:USDT=1"], BUY)
        .fails(2, &["CFG-005", "binance has no account `spt`"]);
    instruct("binance", &["--balance", "spot:USDT=x"], BUY).fails(2, &["CFG-005"]);
    instruct("binance", &["--at", "noon"], BUY).fails(2, &["CFG-004", "`noon` is no date"]);
    instruct("binance", &["--mode", "live"], BUY).fails(
        2,
        &[if cfg!(feature = "live") {
            "--journal FILE"
        } else {
            "EIF-001"
        }],
    );
    instruct("binance", &["--rules", "nowhere.yaml"], BUY).fails(2, &["CFG-002", "nowhere.yaml"]);
}

#[test]
fn the_schema_is_restricted_to_the_venue() {
    let dir = Scratch::new();
    let schema = dir.basis("instruct --venue okx --schema").json();
    let operations: Vec<_> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["required"][0].as_str().unwrap().to_owned())
        .collect();
    let venues = dir.basis("venues --json").json();
    let okx = venues
        .as_array()
        .unwrap()
        .iter()
        .find(|venue| venue["venue"] == "okx")
        .unwrap();
    assert_eq!(serde_json::json!(operations), okx["capabilities"]);
}

#[test]
fn rules_from_a_file_are_used() {
    let dir = Scratch::new();
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../configs/venues/binance.yaml"
    );
    let text = std::fs::read_to_string(rules).unwrap();
    let path = dir.write(
        "mine.yaml",
        &text.replace("taker_bps: 10", "taker_bps: 100"),
    );
    let file = path.to_str().unwrap();
    let result = instruct(
        "binance",
        &["--balance", "spot:USDT=1000", "--rules", file],
        BUY,
    )
    .json();
    assert_eq!(result["fills"][0]["fee_rate"], "0.01");
    instruct("okx", &["--rules", file], BUY)
        .fails(2, &["these are the rules of binance, not of okx"]);
}

#[test]
fn an_instruction_is_read_from_stdin() {
    let dir = Scratch::new();
    let arguments = [
        "instruct",
        "--venue",
        "binance",
        "--balance",
        "spot:USDT=1000",
        "-",
    ];
    assert_eq!(dir.feed(&arguments, BUY).json()["status"], "settled");
    dir.feed(&arguments, "")
        .fails(2, &["error[EXI-006]", "no JSON"]);
}

#[test]
fn the_chain_takes_single_instructions_and_whole_groups() {
    let dir = Scratch::new();
    let instruct = |venue: &str, json: &str| {
        let balances = ["--balance", "main:ETH=10", "--balance", "main:USDT=1000"];
        let arguments = [
            ["instruct", "--venue", venue].as_slice(),
            &balances,
            &[json],
        ]
        .concat();
        dir.run(&arguments, &[])
    };
    let items = |outcome: &crate::runner::Outcome| -> Vec<String> {
        let entries = outcome.json()["entries"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let item = |line: &serde_json::Value| line["item"].as_str().unwrap_or_default().to_owned();
        entries.iter().map(item).collect()
    };
    let supply = r#"{"supply":{"asset":"USDT","amount":{"exactly":"100"}}}"#;
    let lines = items(&instruct("aave", supply));
    assert_eq!(lines.first().map(String::as_str), Some("USDT"));
    assert!(lines.contains(&"shares:USDT".to_owned()), "{lines:?}");
    let group = r#"{"atomic":[
        {"venue":"etherfi","stake":{"asset_in":"ETH","asset_out":"weETH","amount":{"exactly":"5"}}},
        {"venue":"aave","supply":{"asset":"weETH","amount":"all"}}]}"#;
    let lines = items(&instruct("instadapp", group));
    assert_eq!(lines, ["ETH", "weETH", "weETH", "shares:weETH", "ETH"]);
    let too_much = group.replace("\"5\"", "\"50\"");
    instruct("instadapp", &too_much).fails(1, &["step 1, stake", "50 ETH needed, 10 free"]);
    instruct("etherfi", supply).fails(2, &["etherfi does not execute supply"]);
}

const POOL: &str = "venue_settings.uniswap.pools={ own: { model: state, assets: [WETH, weETH], fee: 3000, \
    tick_spacing: 60, price: 0.95, ranges: [{ lower: -6000, upper: 6000, liquidity: 1000000000000000000000 }] } }";

#[test]
fn liquidity_goes_into_a_pool_whose_state_is_set() {
    let balances = ["--balance", "main:ETH=10", "--balance", "main:WETH=5"];
    let more = [&balances[..], &["--balance", "main:weETH=5", "--set", POOL]].concat();
    let add = |pool: &str| {
        format!(
            r#"{{"add_liquidity":{{"pool":"{pool}","amounts":["2","2"],"ticks":[-1200,0],"minimum_liquidity":"1"}}}}"#
        )
    };
    let result = instruct("uniswap", &more, &add("own")).json();
    let lines = result["entries"].as_array().unwrap();
    let of = |item: &str| lines.iter().find(|line| line["item"] == item).unwrap();
    let (weth, eeth) = (of("liquidity:WETH:-1200:0"), of("liquidity:weETH:-1200:0"));
    assert_eq!(weth["account"], "uniswap.own", "{weth}");
    assert_eq!(
        (&weth["kind"], &eeth["quantity"]),
        (&eeth["kind"], &weth["quantity"])
    );
    instruct("uniswap", &more, &add("WETHUSDT"))
        .fails(1, &["EXI-006", "give a state in the settings"]);
    let sets = |set| ["--set", set];
    instruct("binance", &sets("risk.net_delta_halt=1"), BUY)
        .fails(2, &["CFG-005", "venue_settings.VENUE"]);
    instruct("binance", &sets("venue_settings.curve.pools={}"), BUY).fails(2, &["takes no part"]);
    instruct("curve", &sets("venue_settings.curv.pools={}"), &add("own"))
        .fails(2, &["did you mean `curve`?"]);
}

#[test]
fn a_swap_names_its_exact_input_or_its_exact_output() {
    let more = ["--balance", "main:ETH=1", "--balance", "main:WETH=2"];
    let swap = |amounts: &str| {
        format!(
            r#"{{"swap":{{"pool":"WETHUSDT","asset_in":"WETH","asset_out":"USDT",{amounts}}}}}"#
        )
    };
    let output = swap(r#""amount_out":"1000","maximum_in":"1.5""#);
    let result = instruct("uniswap", &more, &output).json();
    let lines = result["entries"].as_array().unwrap();
    assert_eq!(lines[1]["item"], "USDT");
    assert_eq!(lines[1]["quantity"], "1000");
    let little = output.replace("1.5", "0.01");
    instruct("uniswap", &more, &little)
        .fails(1, &["above the maximum of 0.01", "Too much requested"]);
    let mixed = swap(r#""amount_in":"1","maximum_in":"1""#);
    instruct("uniswap", &more, &mixed).fails(2, &["error[EXI-006]", "are of two pairs"]);
    let lone = swap(r#""amount_out":"1""#);
    instruct("uniswap", &more, &lone).fails(2, &["missing field `maximum_in` beside `amount_out`"]);
    let at_curve = output
        .replace("WETHUSDT", "weETHWETH")
        .replace("USDT", "weETH");
    instruct("curve", &more, &at_curve).fails(1, &["name `amount_in` and `minimum_out`"]);
    let schema = Scratch::new()
        .basis("instruct --venue uniswap --schema")
        .json();
    let forms = &schema["oneOf"][0]["properties"]["swap"]["oneOf"];
    for (at, field) in ["amount_in", "amount_out"].into_iter().enumerate() {
        assert!(forms[at]["properties"][field].is_object(), "{forms}");
    }
}
