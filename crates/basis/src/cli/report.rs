//! The summary of a run as a table for a human: the same numbers as `--json`, in the same units.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value as Json;

/// Rows of a list that a human is shown; the files hold them all.
const SHOWN_MAX: usize = 10;

/// An empty table.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(100);
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

/// The summary as text; `out` is where the run directory is.
pub(super) fn human(summary: &Json, out: Option<&Path>) -> String {
    let word = |key: &str| text(&summary[key]);
    let synthetic = if summary["synthetic"] == true {
        "  [SYNTHETIC DATA]"
    } else {
        ""
    };
    let mut parts = vec![
        format!(
            "{}  {} to {}{synthetic}",
            word("mode"),
            word("from"),
            word("to")
        ),
        headline(summary),
        attribution(summary),
        counts(summary),
    ];
    if let Some(halted) = summary["halted"].as_str() {
        parts.push(format!("HALTED: {halted}"));
    }
    parts.extend(list(
        "withdrawals refused",
        &rows(&summary["refused_withdrawals"], |row| {
            let (asked, available) = (text(&row["asked"]), text(&row["available"]));
            format!("{}: asked {asked}, available {available}", text(&row["at"]))
        }),
    ));
    parts.extend(list(
        "withdrawals not paid by the end",
        &rows(&summary["unpaid_withdrawals"], |row| {
            let (asked, paid) = (text(&row["asked"]), text(&row["paid"]));
            format!("{}: asked {asked}, paid {paid}", text(&row["at"]))
        }),
    ));
    parts.extend(list("shocks", &rows(&summary["shocks"], text)));
    parts.extend(list("gaps", &gaps(&summary["gaps"])));
    parts.extend(list(
        "proxies",
        &rows(&summary["proxies"], |row| {
            let (series, proxy) = (text(&row["series"]), text(&row["proxy"]));
            format!("{series}: {} values from {proxy}", text(&row["values"]))
        }),
    ));
    parts.extend(list(
        "funding not booked, no rate recorded",
        &unbooked(summary),
    ));
    parts.extend(list(
        "assumptions",
        &rows(&summary["assumptions"], |row| text(&row["text"])),
    ));
    if let Some(out) = out {
        parts.push(format!("run directory: {}", out.display()));
    }
    format!("{}\n", parts.join("\n\n"))
}

fn headline(summary: &Json) -> String {
    let class = text(&summary["share_class"]);
    let costs = &summary["costs"];
    let mut rows = table(&[]);
    let rows_of = [
        (
            format!("equity at the start, {class}"),
            money(&summary["equity_start"]),
        ),
        (
            format!("equity at the end, {class}"),
            money(&summary["equity_end"]),
        ),
        (format!("return in {class}"), percent(&summary["return"])),
        (format!("APY in {class}"), percent(&summary["apy"])),
        (
            format!("largest drawdown in {class}"),
            percent(&summary["max_drawdown"]),
        ),
        (
            "lending at the recorded rate, in USD".to_owned(),
            percent(summary.pointer("/benchmark/return").unwrap_or(&Json::Null)),
        ),
        (
            format!("largest drawdown in {class}, exit value"),
            percent(&summary["max_drawdown_exit"]),
        ),
        (
            format!("exit value, {class}"),
            money(&summary["exit_value"]),
        ),
        ("hours to leave".to_owned(), money(&summary["exit_hours"])),
    ];
    for (name, value) in rows_of {
        rows.add_row([name, value]);
    }
    // Under thirty days there are none.
    for (name, key) in [("Sharpe", "sharpe"), ("Sortino", "sortino")] {
        if summary[key].is_number() {
            rows.add_row([format!("{name} of days in {class}"), decimal(&summary[key])]);
        }
    }
    if summary["volatility"].is_number() {
        let volatility = percent(&summary["volatility"]);
        rows.add_row([format!("volatility of days in {class}"), volatility]);
    }
    // In another class than the dollar both are shown: the move of its price is in the one only.
    let in_usd = &summary["statistics_usd"];
    if in_usd.is_object() {
        rows.add_row(["return in USD".to_owned(), percent(&in_usd["return"])]);
    }
    rows.add_row(["costs, USD".to_owned(), money(&costs["total"])]);
    right(&mut rows);
    match summary["apy_caveat"].as_str() {
        Some(caveat) => format!("{rows}\nAPY: {caveat}"),
        None => rows.to_string(),
    }
}

fn attribution(summary: &Json) -> String {
    let mut rows = table(&["attribution", "USD"]);
    let buckets = [
        "price",
        "basis",
        "funding",
        "interest",
        "borrow_cost",
        "staking_yield",
        "rewards",
        "liquidity_fees",
        "slippage",
        "fees",
        "gas",
        "transfer_cost",
        "liquidation",
        "peg",
    ];
    let all = &summary["attribution"];
    let class = &summary["attribution_share_class"];
    if !class.is_object() {
        for bucket in buckets.iter().filter(|bucket| text(&all[**bucket]) != "0") {
            rows.add_row([*bucket, &money(&all[*bucket])]);
        }
        // In full: it proves that the others explain everything.
        rows.add_row(["residual", &text(&all["residual"])]);
        right(&mut rows);
        return rows.to_string();
    }
    rows = table(&["attribution", "USD", &text(&summary["share_class"])]);
    for bucket in buckets.iter().filter(|bucket| text(&all[**bucket]) != "0") {
        rows.add_row([*bucket, &money(&all[*bucket]), &money(&class[*bucket])]);
    }
    rows.add_row(["numeraire", "", &money(&class["numeraire"])]);
    rows.add_row([
        "residual",
        &text(&all["residual"]),
        &text(&class["residual"]),
    ]);
    right(&mut rows);
    rows.to_string()
}

fn counts(summary: &Json) -> String {
    let Some(counts) = summary["counts"].as_object() else {
        return String::new();
    };
    let parts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{} {}", text(count), name.replace('_', " ")))
        .collect();
    format!("counts: {}", parts.join(", "))
}

/// One line per series and treatment: how many gaps, how many values, and where they lie.
fn gaps(gaps: &Json) -> Vec<String> {
    let mut groups: BTreeMap<(String, String), (u64, u64, String, String)> = BTreeMap::new();
    for gap in gaps.as_array().into_iter().flatten() {
        let key = (text(&gap["series"]), text(&gap["treatment"]));
        let (first, last) = (text(&gap["first"]), text(&gap["last"]));
        let group = groups.entry(key).or_insert((0, 0, first, String::new()));
        group.0 += 1;
        group.1 += gap["missing"].as_u64().unwrap_or_default();
        group.3 = last;
    }
    groups
        .into_iter()
        .map(|((series, treatment), (count, missing, first, last))| {
            let (missing, count) = (number(missing, "value"), number(count, "gap"));
            format!("{series}: {missing} {treatment}, {count} from {first} to {last}")
        })
        .collect()
}

/// One line per series: how many settlements.
fn unbooked(summary: &Json) -> Vec<String> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in summary["unbooked_funding"].as_array().into_iter().flatten() {
        *counts.entry(text(&row["series"])).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(series, count)| {
            format!(
                "{series}: {} with a position open",
                number(count, "settlement")
            )
        })
        .collect()
}

/// A count with its noun.
fn number(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn rows(rows: &Json, line: impl Fn(&Json) -> String) -> Vec<String> {
    rows.as_array().into_iter().flatten().map(line).collect()
}

fn list(title: &str, lines: &[String]) -> Option<String> {
    let mut text = format!("{title}:");
    for line in lines.iter().take(SHOWN_MAX) {
        text.push_str("\n  ");
        text.push_str(line);
    }
    if lines.len() > SHOWN_MAX {
        text.push_str(&format!(
            "\n  and {} more in summary.json",
            lines.len() - SHOWN_MAX
        ));
    }
    (!lines.is_empty()).then_some(text)
}

fn right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A string as it is, anything else as JSON; nothing for nothing.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A decimal string to the cent, cut and not rounded: the files hold every digit.
fn money(value: &Json) -> String {
    let text = text(value);
    match text.split_once('.') {
        Some((whole, fraction)) => {
            let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
            format!("{whole}.{cents}")
        }
        None if text == "-" => text,
        None => format!("{text}.00"),
    }
}

fn percent(value: &Json) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |ratio| format!("{:.4} %", ratio * 100.0))
}

fn decimal(value: &Json) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |number| format!("{number:.2}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_cut_to_the_cent() {
        for (value, shown) in [
            (json!("1.239999"), "1.23"),
            (json!("-0.5"), "-0.50"),
            (json!("7"), "7.00"),
            (Json::Null, "-"),
        ] {
            assert_eq!(money(&value), shown);
        }
    }

    #[test]
    fn long_lists_say_how_much_more_there_is() {
        let lines: Vec<_> = (0..12).map(|at| format!("line {at}")).collect();
        let shown = list("assumptions", &lines).unwrap();
        assert!(shown.ends_with("and 2 more in summary.json"), "{shown}");
        assert_eq!(list("gaps", &[]), None);
    }
}
