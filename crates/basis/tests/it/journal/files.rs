//! Journal files as a user meets them: what may change between starts, what is refused, what is found.

use std::path::Path;

use rusqlite::Connection;

use crate::runner::{Outcome, Scratch};

/// A run of three days that left a journal.
fn journaled(scratch: &Scratch) -> Outcome {
    scratch.basis("backtest btc_basis --to 2024-01-03 -q --journal book.journal --out first")
}

/// The same command with other arguments, as a later start.
fn resumed(scratch: &Scratch, mode: &str, others: &str) -> Outcome {
    scratch.basis(&format!(
        "backtest {mode} -q --journal book.journal --resume --json {others}"
    ))
}

fn edit(path: &Path, sql: &str) {
    let file = Connection::open(path).unwrap();
    assert!(file.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
}

#[test]
fn what_decides_from_here_on_may_change() {
    let scratch = Scratch::new();
    assert_eq!(journaled(&scratch).code, 0);
    let longer = resumed(&scratch, "btc_basis", "--to 2024-01-05");
    assert_eq!(longer.json()["counts"]["steps"], 120);
    let other = "--to 2024-01-06 --set risk.net_delta_halt=0.3 --set utilization_band=0.2 --set \
                 hedge_allocation.binance=0.5 --set hedge_allocation.okx=0.2";
    let other = resumed(&scratch, "btc_basis", other);
    assert_eq!(other.json()["counts"]["steps"], 144);
    let starts = scratch.basis("journal book.journal --json").json();
    assert_eq!(starts["starts"].as_array().unwrap().len(), 3);
    // What has ended goes on from nothing and comes to the same.
    let again = resumed(
        &scratch,
        "btc_basis",
        "--to 2024-01-06 --set utilization_band=0.2",
    );
    assert_eq!(again.json()["equity_end"], other.json()["equity_end"]);
}

#[test]
fn what_the_past_rests_on_is_refused_with_both_values() {
    let scratch = Scratch::new();
    assert_eq!(journaled(&scratch).code, 0);
    let refused = |mode: &str, others: &str, texts: &[&str]| {
        resumed(&scratch, mode, others).fails(2, texts);
    };
    let to = "--to 2024-01-03";
    refused(
        "eth_basis",
        to,
        &["EXEC-005", "mode btc_basis", "eth_basis"],
    );
    refused(
        "btc_basis",
        &format!("{to} --capital 5"),
        &["initial_capital 100000", "has 5"],
    );
    refused(
        "btc_basis",
        &format!("{to} --from 2024-01-02"),
        &["from 2024-01-01", "2024-01-02"],
    );
    refused(
        "btc_basis",
        "--to 2024-01-02",
        &["2024-01-04T00:00:00Z", "an end at 2024-01-03"],
    );
    refused(
        "btc_basis",
        &format!("{to} --set data.step_minutes=120"),
        &["data.step_minutes 60", "120"],
    );
    refused(
        "btc_basis",
        &format!("{to} --set venue_settings.okx.slippage_bps=2"),
        &["venue_settings.okx.slippage_bps 1", "has 2"],
    );
    refused(
        "btc_basis",
        &format!("{to} --set fill_at=next_open"),
        &["fill_at close", "next_open"],
    );
    // Nothing of that has touched the journal.
    assert_eq!(scratch.basis("journal book.journal --check").code, 0);
    assert_eq!(resumed(&scratch, "btc_basis", to).code, 0);
}

#[test]
fn other_rules_and_flows_are_refused_with_both_values() {
    let scratch = Scratch::new();
    assert_eq!(journaled(&scratch).code, 0);
    let mut arguments = vec![
        "backtest",
        "btc_basis",
        "-q",
        "--journal",
        "book.journal",
        "--resume",
    ];
    arguments.extend(["--json", "--to", "2024-01-03", "--set"]);
    arguments.push("deposits=[{at: 2024-01-02T00:00:00Z, amount: 5}]");
    let deposit = scratch.run(&arguments, &[]);
    deposit.fails(2, &["EXEC-005", "deposits"]);
    let rules = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../configs/venues/okx.yaml"
    ));
    let rules = rules.unwrap().replace("taker_bps: 5 ", "taker_bps: 6 ");
    scratch.write("okx.yaml", &rules);
    let dearer = resumed(
        &scratch,
        "btc_basis",
        "--to 2024-01-03 --set rules.okx=okx.yaml",
    );
    dearer.fails(2, &["EXEC-005", "rules.okx", "bps 5", "has 6"]);
}

#[test]
fn a_state_of_another_version_is_refused_and_an_other_program_is_not() {
    let scratch = Scratch::new();
    assert_eq!(journaled(&scratch).code, 0);
    let path = scratch.path().join("book.journal");
    let starts = scratch.basis("journal book.journal --json").json();
    assert_eq!(starts["starts"][0]["version"], env!("CARGO_PKG_VERSION"));
    edit(
        &path,
        "UPDATE state SET json = replace(json, '\"version\":', '\"version\":9') WHERE name = 'run'",
    );
    // The state was changed by hand, and that is seen before its version is.
    let refused = resumed(&scratch, "btc_basis", "--to 2024-01-03");
    refused.fails(2, &["EXEC-006", "state"]);
}

#[test]
fn a_changed_byte_is_found() {
    let changes = [
        r#"UPDATE events SET event = replace(event, '"amount":"', '"amount":"1') WHERE kind = 'capital_flow'"#,
        r#"UPDATE events SET marks = replace(marks, '"price":"', '"price":"1') WHERE marks LIKE '%price%'"#,
        "UPDATE ledger SET value = '1' WHERE kind = 'deposit'",
    ];
    for sql in changes {
        let scratch = Scratch::new();
        let run = "backtest eth_staking_only --to 2024-01-03 -q --journal book.journal --out first";
        assert_eq!(scratch.basis(run).code, 0);
        assert_eq!(scratch.basis("journal book.journal --replay").code, 0);
        edit(&scratch.path().join("book.journal"), sql);
        for view in ["--check", "--replay"] {
            let found = scratch.basis(&format!("journal book.journal {view}"));
            assert_eq!(found.code, 1, "{sql}: {found:?}");
            assert!(found.err.contains("EXEC-006"), "{sql}: {found:?}");
        }
    }
}

#[test]
fn the_ledger_of_every_mode_is_proven_from_its_events() {
    for mode in [
        "eth_basis",
        "pure_lending",
        "eth_staking_only",
        "eth_leveraged",
        "usdt_market_neutral_no_leverage",
        "usdt_market_neutral",
    ] {
        let scratch = Scratch::new();
        let run =
            format!("backtest {mode} --to 2024-01-05 -q --journal j --journal-sync day --out r");
        assert_eq!(scratch.basis(&run).code, 0, "{mode}");
        let replayed = scratch.basis("journal j --replay --json").json();
        let lines = std::fs::read_to_string(scratch.path().join("r/ledger.csv")).unwrap();
        let count = lines.lines().count() as u64 - 1;
        assert_eq!(replayed["lines"], count, "{mode}");
        assert_eq!(replayed["differences"], 0, "{mode}");
        assert_eq!(scratch.basis("journal j --export tables").code, 0);
        let exported = std::fs::read_to_string(scratch.path().join("tables/ledger.csv")).unwrap();
        assert!(exported == lines, "{mode}: the exported ledger is another");
    }
}

#[test]
fn files_that_are_no_journal_are_refused_and_left_alone() {
    let scratch = Scratch::new();
    let begin = "backtest btc_basis --to 2024-01-02 -q --json --journal";
    scratch
        .basis(&format!("{begin} nowhere/book.journal"))
        .fails(2, &["EXEC-004", "nowhere"]);
    scratch
        .basis(&format!("{begin} book.journal --resume"))
        .fails(2, &["EXEC-005", "is no file"]);
    scratch.write("text", "this is no database\n");
    scratch
        .basis(&format!("{begin} text"))
        .fails(2, &["EXEC-005", "is there already"]);
    scratch
        .basis(&format!("{begin} text --resume"))
        .fails(2, &["EXEC-006", "text"]);
    let text = std::fs::read_to_string(scratch.path().join("text")).unwrap();
    assert_eq!(text, "this is no database\n");
    assert_eq!(journaled(&scratch).code, 0);
    scratch
        .basis(&format!("{begin} book.journal"))
        .fails(2, &["EXEC-005", "--resume"]);
    let path = scratch.path().join("book.journal");
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    resumed(&scratch, "btc_basis", "--to 2024-01-03").fails(2, &["EXEC-005", "schema 99"]);
    scratch
        .basis("journal book.journal")
        .fails(2, &["EXEC-005", "schema 99"]);
    scratch
        .basis("backtest btc_basis --resume")
        .fails(2, &["--journal"]);
    scratch.basis("journal").fails(2, &["FILE"]);
}

#[test]
fn a_journal_in_use_is_refused() {
    let scratch = Scratch::new();
    assert_eq!(journaled(&scratch).code, 0);
    let path = scratch.path().join("book.journal");
    let held = basis::live::sqlite::SqliteJournal::open(&path, Default::default()).unwrap();
    resumed(&scratch, "btc_basis", "--to 2024-01-03").fails(2, &["EXEC-005", "another process"]);
    // It can be read all the same.
    assert_eq!(scratch.basis("journal book.journal").code, 0);
    drop(held);
    assert_eq!(resumed(&scratch, "btc_basis", "--to 2024-01-03").code, 0);
}

#[test]
fn nothing_is_taken_from_a_venue_that_agrees_with_the_books() {
    let scratch = Scratch::new();
    assert_eq!(journaled(&scratch).code, 0);
    let adopted = scratch.basis("journal adopt book.journal --venue binance --json");
    assert_eq!(adopted.json()["adopted"], 0);
    let unknown = scratch.basis("journal adopt book.journal --venue kraken");
    unknown.fails(2, &["kraken is none of the run's venues"]);
    assert_eq!(resumed(&scratch, "btc_basis", "--to 2024-01-03").code, 0);
}
