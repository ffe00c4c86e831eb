//! The page of one run, and the frame that both pages share.

use serde_json::Value as Json;

use super::RunReport;
use super::html::{data, escape, figure, folded, text};
use super::series::Chart;
use super::trades::Markers;
use super::{sections, share_class};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
/// uPlot 1.6.32, MIT; see `vendor/README.md`.
const PLOT_STYLE: &str = include_str!("vendor/uPlot.min.css");
const PLOT_SCRIPT: &str = include_str!("vendor/uPlot.iife.min.js");
/// Goes where the code goes, as the license asks.
const PLOT_LICENSE: &str = include_str!("vendor/uPlot.LICENSE");

pub(super) fn run(run: &RunReport) -> String {
    let summary = &run.summary;
    let mode = text(&summary["mode"]);
    let title = format!(
        "{mode} {} to {}",
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
    charts.extend([
        &equity.drawdown,
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
    let money = figure(&equity.equity) + &class + &figure(&equity.drawdown);
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
    let halted = summary["halted"].as_str().map(|why| {
        format!(
            "<p class=\"banner\" role=\"alert\"><strong>HALTED</strong> {}</p>",
            escape(why)
        )
    });
    let class = text(&summary["share_class"]);
    let refused = summary["refused_withdrawals"].as_array();
    let refused: String = refused
        .into_iter()
        .flatten()
        .map(|row| {
            format!(
                "<p class=\"banner\" role=\"alert\"><strong>WITHDRAWAL REFUSED</strong> {}: asked {} \
                 {class}, available {} {class}</p>",
                escape(&moment(&row["at"])),
                escape(&text(&row["asked"])),
                escape(&text(&row["available"])),
                class = escape(&class),
            )
        })
        .collect();
    format!(
        "<header><h1>{}</h1><p>{} to {} UTC · share class {} · data: {}</p></header>{}{}{refused}",
        escape(mode),
        escape(&moment(&summary["from"])),
        escape(&moment(&summary["to"])),
        escape(&class),
        escape(&text(&summary["data_source"])),
        synthetic(summary),
        halted.unwrap_or_default()
    )
}

/// A banner over a run on generated data.
pub(super) fn synthetic(summary: &Json) -> String {
    if summary["synthetic"] != true {
        return String::new();
    }
    "<p class=\"banner\" role=\"alert\"><strong>SYNTHETIC DATA</strong> The market of this run was \
     generated; nothing here says what a real market would have paid.</p>"
        .to_owned()
}

/// `2024-05-01 00:00`.
fn moment(value: &Json) -> String {
    text(value).replace('T', " ").chars().take(16).collect()
}

pub(super) fn day(value: &Json) -> String {
    text(value).chars().take(10).collect()
}

pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>{body}</section>"
    )
}

/// A whole document; `body` and `data` are markup.
pub(super) fn frame(title: &str, synthetic: bool, body: &str, data: &str) -> String {
    let title = if synthetic {
        format!("SYNTHETIC {title}")
    } else {
        title.to_owned()
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{} · basis</title>\n\
         <style>{PLOT_STYLE}</style>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <main>{body}\n<nav id=\"range\" aria-label=\"Time shown in all charts\" hidden></nav>\n\
         <footer>Made by basis {}. Formulas: docs/run-directory.md and docs/report.md. Charts: uPlot \
         1.6.32 © 2022 Leon Sorokin, MIT license.</footer></main>\n\
         <noscript><p class=\"banner\">Charts need JavaScript; every number and table is here without \
         it.</p></noscript>\n\
         {data}\n<script>\n/*\n{PLOT_LICENSE}*/\n{PLOT_SCRIPT}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&title),
        env!("CARGO_PKG_VERSION")
    )
}
