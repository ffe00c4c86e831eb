//! The page kit: the frame, banners and sections that the pages of runs, comparisons, sweeps and stress
//! tables are put together from, markup, charts and their data.
//!
//! Markup is written into strings by hand: a page is rows of numbers, and what a template engine would
//! take away is one function, [`html::escape`]; what it would add is a language and a build step.
//!
//! **Invariants.** All text from outside is escaped. A page asks nothing of the network.

pub(crate) mod html;
pub(crate) mod series;

use serde_json::Value as Json;

use html::{escape, text};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
/// uPlot 1.6.32, MIT; see `vendor/README.md`.
const PLOT_STYLE: &str = include_str!("vendor/uPlot.min.css");
const PLOT_SCRIPT: &str = include_str!("vendor/uPlot.iife.min.js");
/// Goes where the code goes, as the license asks.
const PLOT_LICENSE: &str = include_str!("vendor/uPlot.LICENSE");

/// A banner over a run on generated data.
pub(crate) fn synthetic(summary: &Json) -> String {
    synthetic_banner(summary["synthetic"] == true)
}

/// The same for what has no summary.
pub(crate) fn synthetic_banner(is_synthetic: bool) -> String {
    if !is_synthetic {
        return String::new();
    }
    alert(
        "SYNTHETIC DATA",
        "The market of this run was generated; nothing here says what a real market would have paid.",
    )
}

/// A banner that must not be missed: a word, and text from outside.
pub(crate) fn alert(word: &str, what: &str) -> String {
    format!(
        "<p class=\"banner\" role=\"alert\"><strong>{word}</strong> {}</p>",
        escape(what)
    )
}

/// `2024-05-01 00:00`.
pub(crate) fn moment(value: &Json) -> String {
    text(value).replace('T', " ").chars().take(16).collect()
}

pub(crate) fn day(value: &Json) -> String {
    text(value).chars().take(10).collect()
}

pub(crate) fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>{body}</section>"
    )
}

/// A whole document with charts; `body` and `data` are markup.
pub(crate) fn frame(title: &str, synthetic: bool, body: &str, data: &str) -> String {
    format!(
        "{}<style>{PLOT_STYLE}</style>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <main>{body}\n<nav id=\"range\" aria-label=\"Time shown in all charts\" hidden></nav>\n\
         <footer>Made by basis {VERSION}. Formulas: docs/run-directory.md and docs/report.md. Charts: uPlot \
         1.6.32 © 2022 Leon Sorokin, MIT license.</footer></main>\n\
         <noscript><p class=\"banner\">Charts need JavaScript; every number and table is here without \
         it.</p></noscript>\n\
         {data}\n<script>\n/*\n{PLOT_LICENSE}*/\n{PLOT_SCRIPT}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        head(title, synthetic)
    )
}

/// A whole document of text and tables, without a script. `style` is what it has beside the kit's own,
/// `formulas` the page that explains its numbers; `body` is markup.
pub(crate) fn still(
    title: &str,
    synthetic: bool,
    (style, formulas): (&str, &str),
    body: &str,
) -> String {
    format!(
        "{}<style>\n{STYLE}{style}</style>\n</head>\n<body>\n<main>{body}\n\
         <footer>Made by basis {VERSION}. Formulas: {formulas}.</footer></main>\n</body>\n</html>\n",
        head(title, synthetic)
    )
}

/// Everything of a document up to its styles.
fn head(title: &str, synthetic: bool) -> String {
    let label = if synthetic { "SYNTHETIC " } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{label}{} · basis</title>\n",
        escape(title)
    )
}
