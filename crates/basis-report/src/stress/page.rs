//! `report.html` of a stress table: what every scenario came to, and what it did to the market.
//!
//! The page is self-contained and runs no script.

use std::collections::BTreeSet;

use basis_core::types::{Asset, Timestamp};

use super::{Row, WORST, Worst, cells, worst};
use crate::page::html::{escape, table};
use crate::page::{section, still, synthetic_banner};

/// What the page says beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Strategy mode.
    pub mode: &'a str,
    /// What losses are stated in.
    pub share_class: Asset,
    /// Whether the data was generated.
    pub synthetic: bool,
    /// Where the data came from.
    pub source: &'a str,
    /// Exclusive start and inclusive end of every run.
    pub range: (Timestamp, Timestamp),
    /// What `T` stands for; of several instants the page has the worst.
    pub instants: &'a [Timestamp],
}

/// The page.
#[must_use]
pub fn page(about: Page<'_>, rows: &[Row]) -> String {
    let distinct: BTreeSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
    let scenarios = distinct.len().saturating_sub(1);
    let plural = if scenarios == 1 { "" } else { "s" };
    let title = format!("{} under {scenarios} scenario{plural}", about.mode);
    let (from, to) = about.range;
    let when = match about.instants {
        [at] => format!("T = {at}"),
        all => format!("{} instants", all.len()),
    };
    let mut body = format!(
        "<header><h1>{}</h1><p>{from} to {to}, {when} · share class {} · data: {}</p></header>{}",
        escape(&title),
        escape(about.share_class.as_str()),
        escape(about.source),
        synthetic_banner(about.synthetic)
    );
    let results = match about.instants {
        [_] => ran(about, rows),
        _ => of_worst(rows),
    };
    body.push_str(&section("scenarios", "Scenarios", &results));
    for (id, title, caption) in [
        (
            "skipped",
            "Skipped",
            "Scenarios that say nothing about this run",
        ),
        ("failed", "Failed", "Scenarios that could not be run"),
    ] {
        let mut of_status: Vec<_> = rows.iter().filter(|row| row.status() == id).collect();
        // Of several instants the first says why.
        of_status.dedup_by_key(|row| &row.name);
        let lines: Vec<_> = of_status
            .iter()
            .map(|row| vec![escape(&row.name), escape(row.message().unwrap_or_default())])
            .collect();
        if !lines.is_empty() {
            let table = table(caption, &["scenario", "because"], &lines, false);
            body.push_str(&section(id, title, &table));
        }
    }
    let shown: Vec<_> = match about.instants {
        [_] => rows.iter().collect(),
        _ => worst(rows).iter().map(|worst| worst.row).collect(),
    };
    let shocked = shown.iter().filter(|row| !row.shocks.is_empty());
    let lines: Vec<_> = shocked
        .map(|row| vec![escape(&row.name), escape(&row.shocks.join("; "))])
        .collect();
    let shocks = table(
        "Sentences of every scenario",
        &["scenario", "shocks"],
        &lines,
        false,
    );
    body.push_str(&section("shocks", "Shocks", &shocks));
    still(&title, about.synthetic, (STYLE, "docs/stress.md"), &body)
}

/// Sentences may be long, and are text.
const STYLE: &str = "#shocks td,#skipped td,#failed td{white-space:normal;overflow-wrap:anywhere}";

fn ran(about: Page<'_>, rows: &[Row]) -> String {
    let loss = format!("loss, {}", about.share_class);
    let header = [
        "scenario",
        &loss,
        "of equity",
        "drawdown",
        "liquidated",
        "risk acts",
        "first",
        "safe",
        "residual",
        "end",
    ];
    let line = |row: &Row| {
        let figures = row.figures()?;
        let exact = escape(&figures.loss.to_string());
        let [loss, others @ ..] = cells(figures).map(|cell| escape(&cell));
        let name = [
            escape(&row.name),
            format!("<span title=\"{exact}\">{loss}</span>"),
        ];
        let end = escape(row.message().map_or(row.status(), |_| "halted"));
        let title = escape(row.message().unwrap_or_default());
        let end = [format!("<span title=\"{title}\">{end}</span>")];
        Some(name.into_iter().chain(others).chain(end).collect())
    };
    let lines: Vec<Vec<String>> = rows.iter().filter_map(line).collect();
    let caption = "Loss: against the base run, at the end. Liquidated: by exchanges / by lenders. First \
                   risk action and safety: after the shock";
    table(caption, &header, &lines, true)
}

/// A line per scenario of several instants.
fn of_worst(rows: &[Row]) -> String {
    let mut header = vec!["scenario"];
    header.extend(WORST);
    let line = |worst: Worst<'_>| {
        let name = [escape(&worst.row.name)];
        let cells = worst.cells().map(|cell| escape(&cell));
        name.into_iter().chain(cells).collect()
    };
    let lines: Vec<Vec<String>> = worst(rows).into_iter().map(line).collect();
    let caption = "The worst instant of each scenario. Held, liquidated, halted: at how many instants. Worst: loss \
                   against the base run, over the equity";
    table(caption, &header, &lines, true)
}

#[cfg(test)]
mod tests {
    use super::super::{Criterion, ScenarioOutcome};
    use super::*;

    #[test]
    fn what_did_not_run_is_told_with_its_reason_and_escaped() {
        let row = |name: &str, outcome| Row {
            name: name.to_owned(),
            at: None,
            to: Timestamp::EPOCH,
            criterion: Criterion::Report,
            lost: None,
            shocks: vec!["gas <x20> at 2025-02-03".to_owned()],
            config_hash: String::new(),
            outcome,
        };
        let rows = [
            row("base", ScenarioOutcome::Skipped(String::new())),
            row("a&b", ScenarioOutcome::Skipped("nothing <here>".to_owned())),
        ];
        let about = Page {
            mode: "btc_basis",
            share_class: Asset::literal("USDT"),
            synthetic: true,
            source: "here & now",
            range: (Timestamp::EPOCH, Timestamp::from_seconds(3_600)),
            instants: &[Timestamp::EPOCH],
        };
        let html = page(about, &rows);
        assert!(html.contains("<title>SYNTHETIC btc_basis under 1 scenario ·"));
        assert!(html.contains("a&amp;b") && html.contains("nothing &lt;here&gt;"));
        assert!(html.contains("gas &lt;x20&gt;") && html.contains("here &amp; now"));
        assert!(!html.contains("<script") && !html.contains("id=\"failed\""));
    }
}
