//! `report.html` of a sweep: the ranking, the ranked figure over the grid, and what failed.
//!
//! The page is self-contained and runs no script.

use super::fields::FIELDS;
use super::grid::Grid;
use super::heatmap;
pub use super::heatmap::shown;
use super::palette::{STYLE, shades};
use super::results::{Row, ranking};
use crate::page::html::{escape, table};
use crate::page::{section, still, synthetic_banner};

/// Variants in the ranked table; the other files hold them all.
const RANKED_MAX: usize = 100;

/// What the page says beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Strategy mode.
    pub mode: &'a str,
    /// Whether the data was generated.
    pub synthetic: bool,
    /// Where the data came from.
    pub source: &'a str,
    /// Index in [`FIELDS`] of the figure ranked by and drawn.
    pub field: usize,
}

/// The page; empty when the field is none of [`FIELDS`].
#[must_use]
pub fn page(about: Page<'_>, grid: &Grid, rows: &[Row]) -> String {
    let Some(field) = FIELDS.get(about.field) else {
        return String::new();
    };
    let (count, mode) = (grid.count(), about.mode);
    let title = format!("{count} variants of {mode} by {}", field.name);
    let mut body = format!(
        "<header><h1>{}</h1><p>Data: {}</p></header>{}",
        escape(&title),
        escape(about.source),
        synthetic_banner(about.synthetic)
    );
    body.push_str(&section(
        "ranking",
        "Ranking",
        &ranked(about.field, grid, rows),
    ));
    let over = format!("{} over the grid", escape(&field.name));
    body.push_str(&section(
        "grid",
        &over,
        &heatmap::section(about.field, grid, rows),
    ));
    body.push_str(&failures(grid, rows));
    let style = format!("{STYLE}{}", shades());
    still(&title, about.synthetic, (&style, "docs/sweep.md"), &body)
}

/// The figures beside the ranked one, as indices in [`FIELDS`].
fn columns(rank: usize) -> Vec<usize> {
    let others = [
        "return",
        "apy",
        "max_drawdown",
        "sharpe",
        "equity_end",
        "costs.total",
    ];
    let found = others
        .iter()
        .filter_map(|name| FIELDS.iter().position(|field| field.name == *name));
    std::iter::once(rank)
        .chain(found.filter(|at| *at != rank))
        .collect()
}

/// Variants that ran, best first.
fn ranked(rank: usize, grid: &Grid, rows: &[Row]) -> String {
    let columns = columns(rank);
    let names = columns.iter().filter_map(|at| FIELDS.get(*at));
    let header: Vec<&str> = ["rank", "variant"]
        .into_iter()
        .chain(grid.parameters().iter().map(|p| p.key.as_str()))
        .chain(names.map(|field| field.name.as_str()))
        .collect();
    let order = ranking(rows, rank);
    let ran = order.iter().filter_map(|at| rows.get(*at));
    let ran: Vec<&Row> = ran.filter(|row| row.failure().is_none()).collect();
    let figure = |row: &Row, at: usize| match (FIELDS.get(at), row.figure(at)) {
        (Some(field), Some(text)) => format!(
            "<span title=\"{}\">{}</span>",
            escape(text),
            escape(&shown(field, text))
        ),
        _ => "<span class=\"none\">-</span>".to_owned(),
    };
    let lines: Vec<Vec<String>> = (1..)
        .zip(ran.iter().take(RANKED_MAX))
        .map(|(place, row): (usize, _)| {
            let halted = row.halted().map_or("", |_| " <small>halted</small>");
            [place.to_string(), format!("{}{halted}", row.number)]
                .into_iter()
                .chain(row.values.iter().map(|value| escape(value)))
                .chain(columns.iter().map(|at| figure(row, *at)))
                .collect()
        })
        .collect();
    let mut out = table("Variants that ran, best first", &header, &lines, true);
    let more = ran.len().saturating_sub(RANKED_MAX);
    if more > 0 {
        out.push_str(&format!("<p>{more} more that ran are in sweep.csv.</p>"));
    }
    out
}

fn failures(grid: &Grid, rows: &[Row]) -> String {
    let items: String = rows
        .iter()
        .filter_map(|row| {
            let (code, message) = row.failure()?;
            let which = grid.describe(row.number.saturating_sub(1));
            let (which, code, message) = (escape(&which), escape(code), escape(message));
            let number = row.number;
            Some(format!(
                "<li>variant {number} ({which}): {code} {message}</li>"
            ))
        })
        .collect();
    if items.is_empty() {
        return items;
    }
    section("failed", "Failed variants", &format!("<ul>{items}</ul>"))
}

#[cfg(test)]
mod tests {
    use super::super::fields::find_field;
    use super::super::grid::tests::grid;
    use super::super::results::tests::{failed, row};
    use super::*;

    fn render(parameters: &[&str], rows: &[Row]) -> String {
        let split = parameters.iter().map(|text| text.split_once('=').unwrap());
        let split: Vec<(&str, Vec<&str>)> = split
            .map(|(key, values)| (key, values.split(',').collect()))
            .collect();
        let parameters: Vec<_> = split
            .iter()
            .map(|(key, values)| (*key, &**values))
            .collect();
        let about = Page {
            mode: "btc_basis",
            synthetic: true,
            source: "here & now",
            field: find_field("return").unwrap(),
        };
        page(about, &grid(&parameters), rows)
    }

    #[test]
    fn two_parameters_make_a_table_with_every_number_as_text() {
        let rows = [
            row(1, &["1", "x"], "0.01"),
            row(2, &["1", "<y>"], "0.03"),
            failed(3, &["2", "x"]),
            row(4, &["2", "<y>"], "-0.02"),
        ];
        let html = render(&["a=1,2", "b=x,<y>"], &rows);
        assert!(html.contains("<th scope=\"col\">&lt;y&gt;</th>"), "{html}");
        assert!(
            html.contains("<td class=\"q8\" title=\"0.03\">3.0000 %<small>#2 best</small></td>")
        );
        assert!(html.contains("<td class=\"q0\" title=\"-0.02\">-2.0000 %<small>#4</small></td>"));
        assert!(html.contains(">failed<small>STRAT-002</small></td>"));
        assert!(html.contains("too small, &quot;really&quot;"));
        assert!(html.contains("SYNTHETIC") && !html.contains("<script"));
        assert!(!html.contains("http:") && !html.contains("https:"));
        assert_eq!(html.matches("<table ").count(), 2, "ranking and heat map");
        assert!(html.contains("Data: here &amp; now"));
        let ranked: Vec<_> = html
            .split("<tr><th scope=\"row\">")
            .skip(1)
            .take(3)
            .collect();
        for (row, (place, number)) in ranked.iter().zip([(1, 2), (2, 1), (3, 4)]) {
            assert!(
                row.starts_with(&format!("{place}</th><td>{number}</td>")),
                "{row}"
            );
        }
    }

    #[test]
    fn one_parameter_makes_bars_and_three_make_a_table_each() {
        let rows = [row(1, &["1"], "-1"), row(2, &["2"], "3")];
        let html = render(&["a=1,2"], &rows);
        assert!(html.contains("margin-left:0.00%;width:25.00%"), "{html}");
        assert!(html.contains("margin-left:25.00%;width:75.00%"), "{html}");
        let rows: Vec<_> = (1..=8).map(|n| row(n, &["", "", ""], "0.1")).collect();
        let html = render(&["a=1,2", "b=1,2", "c=1,2"], &rows);
        assert_eq!(html.matches("<table ").count(), 3);
        for number in 1..=8 {
            assert_eq!(
                html.matches(&format!("<small>#{number}")).count(),
                1,
                "{number}"
            );
        }
        assert!(html.contains("with a = 2"));
    }
}
