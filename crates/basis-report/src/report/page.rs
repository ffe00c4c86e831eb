//! The page of one run.

use serde_json::Value as Json;

use super::{RunReport, sections, share_class, tear_sheet};
use crate::page::html::{data, escape, figure, folded, text};
use crate::page::series::{Chart, Markers};
use crate::page::{alert, day, frame, moment, section, synthetic};

pub(super) fn run(run: &RunReport) -> String {
    let summary = &run.summary;
    let mode = text(&summary["mode"]);
    let failed = if summary["failed"].is_null() {
        ""
    } else {
        "FAILED "
    };
    let title = format!(
        "{failed}{mode} {} to {}",
        day(&summary["from"]),
        day(&summary["to"])
    );
    let charts = charts(run);
    let markers: Vec<(String, i8, &Markers)> = run
        .trades
        .markers
        .iter()
        .map(|((instrument, side), markers)| {
            let direction = if side == "buy" { 1 } else { -1 };
            (format!("{instrument} {side}"), direction, markers)
        })
        .collect();
    let mut body = header(&mode, summary);
    body.push_str(&section("result", "Result", &sections::headline(summary)));
    body.push_str(&section(
        "tear-sheet",
        "Tear sheet",
        &tear_sheet::section(run),
    ));
    body.push_str(&chart_sections(run));
    body.push_str(&tables(run));
    frame(
        &title,
        summary["synthetic"] == true,
        &body,
        &data(&charts, &markers),
    )
}

/// Every chart of the page, in its order.
fn charts(run: &RunReport) -> Vec<&Chart> {
    let (equity, positions, risk) = (&run.equity, &run.positions, &run.risk);
    let mut charts = vec![&equity.equity];
    charts.extend(&equity.class);
    charts.push(&equity.drawdown);
    charts.extend(&equity.exit);
    charts.extend([
        &equity.attribution,
        &positions.exposure,
        &equity.delta,
        &positions.margin,
        &risk.distance,
    ]);
    charts.extend(risk.health.iter().chain(&risk.discount));
    charts.extend([&positions.funding, &equity.price]);
    charts
}

fn chart_sections(run: &RunReport) -> String {
    let (equity, positions) = (&run.equity, &run.positions);
    let class = equity.class.as_ref().map(figure).unwrap_or_default();
    let exit = equity.exit.as_ref().map(figure).unwrap_or_default();
    let money = figure(&equity.equity) + &class + &figure(&equity.drawdown) + &exit;
    let toggles = "<div class=\"toggles\" role=\"group\" aria-label=\"Executions shown\"></div>";
    let parts = [
        ("equity", "Equity", money),
        (
            "attribution",
            "Where it came from",
            figure(&equity.attribution)
                + &sections::waterfall(&run.summary)
                + &share_class::attribution(&run.summary),
        ),
        (
            "exposure",
            "Exposure",
            figure(&positions.exposure) + &figure(&equity.delta),
        ),
        ("margin", "Margin", margin_figures(run)),
        (
            "funding",
            "Funding",
            figure(&positions.funding) + &sections::funding(run),
        ),
        ("executions", "Executions", figure(&equity.price) + toggles),
    ];
    parts
        .iter()
        .map(|(id, title, body)| section(id, title, body))
        .collect()
}

/// Margin ratio and distances; of lending accounts and staking tokens only where there are any.
fn margin_figures(run: &RunReport) -> String {
    let risk = &run.risk;
    let mut figures = figure(&run.positions.margin) + &figure(&risk.distance);
    for chart in risk.health.iter().chain(&risk.discount) {
        figures.push_str(&figure(chart));
    }
    figures
}

fn tables(run: &RunReport) -> String {
    let summary = &run.summary;
    let parts = [
        ("costs", "Costs", sections::costs(run)),
        ("assumptions", "Assumptions", sections::assumptions(summary)),
        ("gaps", "Gaps in the data", sections::gaps(summary)),
        ("proxies", "Proxies", sections::proxies(summary)),
        (
            "unbooked",
            "Funding that nobody recorded",
            sections::unbooked(summary),
        ),
        ("coverage", "Coverage", sections::coverage(summary)),
        ("health", "Health", sections::health(summary)),
        (
            "exact",
            "In full",
            folded("Every value, every digit", &sections::exact(summary))
                + &folded(
                    "Resolved configuration and venue rules",
                    &format!("<pre tabindex=\"0\">{}</pre>", escape(&run.config)),
                ),
        ),
    ];
    parts
        .iter()
        .map(|(id, title, body)| section(id, title, body))
        .collect()
}

fn header(mode: &str, summary: &Json) -> String {
    let halted = summary["halted"].as_str();
    let halted = halted.map(|why| alert("HALTED", why)).unwrap_or_default();
    let class = text(&summary["share_class"]);
    let refused = summary["refused_withdrawals"].as_array();
    let refused: String = refused
        .into_iter()
        .flatten()
        .map(|row| {
            let (asked, available) = (text(&row["asked"]), text(&row["available"]));
            let what = format!(
                "{}: asked {asked} {class}, available {available} {class}",
                moment(&row["at"])
            );
            alert("WITHDRAWAL REFUSED", &what)
        })
        .collect();
    let unpaid = summary["unpaid_withdrawals"].as_array();
    let unpaid: String = unpaid
        .into_iter()
        .flatten()
        .map(|row| {
            let what = format!(
                "{}: asked {} {class}, paid {} {class}",
                moment(&row["at"]),
                text(&row["asked"]),
                text(&row["paid"])
            );
            alert("WITHDRAWAL NOT PAID BY THE END", &what)
        })
        .collect();
    format!(
        "<header><h1>{}</h1><p>{} to {} UTC · share class {} · data: {}</p></header>{}{}{halted}{refused}{unpaid}",
        escape(mode),
        escape(&moment(&summary["from"])),
        escape(&moment(&summary["to"])),
        escape(&class),
        escape(&text(&summary["data_source"])),
        synthetic(summary),
        failure(&summary["failed"]),
    )
}

/// A banner over a run that failed.
fn failure(failed: &Json) -> String {
    if failed.is_null() {
        return String::new();
    }
    let what = format!(
        "{} at {}: {}. What is shown is what came before: no whole run.",
        text(&failed["code"]),
        moment(&failed["at"]),
        text(&failed["message"])
    );
    alert("FAILED", &what)
}
