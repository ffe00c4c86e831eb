//! `report.html` of a stress table: what every scenario came to, and what it did to the market.
//!
//! The page is self-contained and runs no script.

use basis_core::types::{Asset, Timestamp};

use super::{Row, cells};
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
    /// What `T` stands for.
    pub at: Timestamp,
}

/// The page.
#[must_use]
pub fn page(about: Page<'_>, rows: &[Row]) -> String {
    let scenarios = rows.len().saturating_sub(1);
    let plural = if scenarios == 1 { "" } else { "s" };
    let title = format!("{} under {scenarios} scenario{plural}", about.mode);
    let (from, to) = about.range;
    let mut body = format!(
        "<header><h1>{}</h1><p>{from} to {to}, T = {} · share class {} · data: {}</p></header>{}",
        escape(&title),
        about.at,
        escape(about.share_class.as_str()),
        escape(about.source),
        synthetic_banner(about.synthetic)
    );
    body.push_str(&section("scenarios", "Scenarios", &ran(about, rows)));
    for (id, title, caption) in [
        (
            "skipped",
            "Skipped",
            "Scenarios that say nothing about this run",
        ),
        ("failed", "Failed", "Scenarios that could not be run"),
    ] {
        let of_status = rows.iter().filter(|row| row.status() == id);
        let lines: Vec<_> = of_status
            .map(|row| vec![escape(&row.name), escape(row.message().unwrap_or_default())])
            .collect();
        if !lines.is_empty() {
            let table = table(caption, &["scenario", "because"], &lines, false);
            body.push_str(&section(id, title, &table));
        }
    }
    let shocked = rows.iter().filter(|row| !row.shocks.is_empty());
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

#[cfg(test)]
mod tests {
    use super::super::ScenarioOutcome;
    use super::*;

    #[test]
    fn what_did_not_run_is_told_with_its_reason_and_escaped() {
        let row = |name: &str, outcome| Row {
            name: name.to_owned(),
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
            at: Timestamp::EPOCH,
        };
        let html = page(about, &rows);
        assert!(html.contains("<title>SYNTHETIC btc_basis under 1 scenario ·"));
        assert!(html.contains("a&amp;b") && html.contains("nothing &lt;here&gt;"));
        assert!(html.contains("gas &lt;x20&gt;") && html.contains("here &amp; now"));
        assert!(!html.contains("<script") && !html.contains("id=\"failed\""));
    }
}
