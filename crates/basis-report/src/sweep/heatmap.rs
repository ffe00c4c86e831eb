//! One figure over the grid, as tables a person and a screen reader can read.
//!
//! Two parameters make a heat map, one makes bars, more make one heat map per combination of the
//! others. Every number stands as text: color only repeats it.

use std::fmt::Write as _;

use super::fields::{FIELDS, Field, Kind};
use super::grid::{Grid, Parameter};
use super::palette::SHADES;
use super::results::{Row, ranking};

/// Most heat maps on one page.
const TABLES_MAX: usize = 60;

/// Legend and tables of the field at `at` in [`FIELDS`].
pub(super) fn section(at: usize, grid: &Grid, rows: &[Row]) -> String {
    let Some(field) = FIELDS.get(at) else {
        return String::new();
    };
    let figures = Figures::new(at, field, rows);
    let swept: Vec<usize> = (0..grid.parameters().len())
        .filter(|at| {
            grid.parameters()
                .get(*at)
                .is_some_and(|p| p.values.len() > 1)
        })
        .collect();
    let tables = match swept.as_slice() {
        [.., down, across] => maps(&figures, grid, *down, *across),
        _ => bars(&figures, grid),
    };
    format!("{}{tables}", figures.legend(grid))
}

struct Figures<'a> {
    at: usize,
    field: &'a Field,
    rows: &'a [Row],
    bounds: Option<(f64, f64)>,
    best: Option<usize>,
}

impl<'a> Figures<'a> {
    fn new(at: usize, field: &'a Field, rows: &'a [Row]) -> Self {
        let numbers = rows.iter().filter_map(|row| number(row, at));
        let bounds = numbers.fold(None, |bounds: Option<(f64, f64)>, x| {
            Some(bounds.map_or((x, x), |(low, high)| (low.min(x), high.max(x))))
        });
        let best = ranking(rows, at).first().copied();
        Self {
            at,
            field,
            rows,
            bounds,
            best: best.filter(|best| rows.get(*best).is_some_and(|row| number(row, at).is_some())),
        }
    }

    fn text(&self, text: &str) -> String {
        shown(self.field, text)
    }

    /// Where `x` lies between the lowest and the highest, 0 to 1.
    fn share(&self, x: f64) -> f64 {
        match self.bounds {
            Some((low, high)) if high > low => (x - low) / (high - low),
            _ => 0.5,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of 0 to 1 picks one of nine shades"
    )]
    fn shade(&self, x: f64) -> usize {
        ((self.share(x) * SHADES as f64) as usize).min(SHADES - 1)
    }

    fn legend(&self, grid: &Grid) -> String {
        let Some((low, high)) = self.bounds else {
            return "<p>No variant has this figure.</p>\n".to_owned();
        };
        let end = |x: f64| {
            let found = self.rows.iter().find(|row| number(row, self.at) == Some(x));
            let text = found
                .and_then(|row| row.figure(self.at))
                .unwrap_or_default();
            escape(&self.text(text))
        };
        let scale: String = (0..SHADES)
            .map(|shade| format!("<i class=\"q{shade}\"></i>"))
            .collect();
        let best = self
            .best
            .and_then(|at| Some((at, self.rows.get(at)?.figure(self.at)?)));
        let best = best.map(|(at, text)| {
            format!(
                "<p>Best: <b>{}</b>, variant {} ({}).</p>\n",
                escape(&self.text(text)),
                at + 1,
                escape(&grid.describe(at))
            )
        });
        format!(
            "{}<p class=\"scale\" aria-label=\"color scale from lowest to highest\">\
             <span>{}</span>{scale}<span>{}</span></p>\n",
            best.unwrap_or_default(),
            end(low),
            end(high)
        )
    }

    /// The cell of one variant: figure, number of the variant, shade.
    fn cell(&self, index: usize) -> String {
        let Some(row) = self.rows.get(index) else {
            return "<td class=\"none\">-</td>".to_owned();
        };
        if let Some((code, message)) = row.failure() {
            let (code, message) = (escape(code), escape(message));
            return format!(
                "<td class=\"none\" title=\"{message}\">failed<small>{code}</small></td>"
            );
        }
        let number_text = row.number;
        let (Some(text), Some(x)) = (row.figure(self.at), number(row, self.at)) else {
            return format!("<td class=\"none\">-<small>#{number_text}</small></td>");
        };
        let mut marks = format!("#{number_text}");
        if row.status() == "halted" {
            marks.push_str(" halted");
        }
        if self.best == Some(index) {
            marks.push_str(" best");
        }
        let (shown, exact) = (escape(&self.text(text)), escape(text));
        let shade = self.shade(x);
        format!("<td class=\"q{shade}\" title=\"{exact}\">{shown}<small>{marks}</small></td>")
    }
}

/// One table per combination of the parameters that are neither `down` nor `across`.
fn maps(figures: &Figures<'_>, grid: &Grid, down: usize, across: usize) -> String {
    let parameters = grid.parameters();
    let (Some(rows_of), Some(columns_of)) = (parameters.get(down), parameters.get(across)) else {
        return String::new();
    };
    // The first variant of every table: both of its parameters at their first value.
    let starts: Vec<usize> = (0..grid.count())
        .filter(|index| {
            let places = grid.places(*index);
            places.get(down) == Some(&0) && places.get(across) == Some(&0)
        })
        .collect();
    let stride = |at: usize| -> usize {
        parameters
            .iter()
            .skip(at + 1)
            .map(|p| p.values.len())
            .product()
    };
    let mut out = String::new();
    for &start in starts.iter().take(TABLES_MAX) {
        let values = grid.values(start);
        let others: Vec<_> = parameters
            .iter()
            .zip(values)
            .enumerate()
            .filter(|(at, _)| *at != down && *at != across)
            .map(|(_, (parameter, value))| format!("{} = {value}", parameter.key))
            .collect();
        let index =
            |row: usize, column: usize| start + row * stride(down) + column * stride(across);
        map(
            &mut out,
            figures,
            (rows_of, columns_of),
            &others.join(", "),
            &index,
        );
    }
    if starts.len() > TABLES_MAX {
        let more = starts.len() - TABLES_MAX;
        writeln!(
            out,
            "<p>{more} more tables are not shown; sweep.csv holds every variant.</p>"
        )
        .unwrap_or_default();
    }
    out
}

fn map(
    out: &mut String,
    figures: &Figures<'_>,
    (rows_of, columns_of): (&Parameter, &Parameter),
    others: &str,
    index: &dyn Fn(usize, usize) -> usize,
) {
    let (down, across) = (escape(&rows_of.key), escape(&columns_of.key));
    let with = if others.is_empty() {
        String::new()
    } else {
        format!(" with {}", escape(others))
    };
    let heads: String = columns_of
        .values
        .iter()
        .map(|value| format!("<th scope=\"col\">{}</th>", escape(value)))
        .collect();
    let label = format!(
        "{} by {down} (down) and {across} (across){with}",
        escape(&figures.field.name)
    );
    open_table(out, &label);
    writeln!(
        out,
        "<thead><tr><th scope=\"col\">{down} \\ {across}</th>{heads}</tr></thead>\n<tbody>"
    )
    .unwrap_or_default();
    for (row, value) in rows_of.values.iter().enumerate() {
        let cells: String = (0..columns_of.values.len())
            .map(|column| figures.cell(index(row, column)))
            .collect();
        let value = escape(value);
        writeln!(out, "<tr><th scope=\"row\">{value}</th>{cells}</tr>").unwrap_or_default();
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

/// The label, which is safe HTML, and the beginning of a table that scrolls by itself.
fn open_table(out: &mut String, label: &str) {
    writeln!(
        out,
        "<h3>{label}</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"{label}\">\n<table aria-label=\"{label}\">"
    )
    .unwrap_or_default();
}

/// A row per variant with a bar from zero.
fn bars(figures: &Figures<'_>, grid: &Grid) -> String {
    let (low, high) = figures.bounds.unwrap_or_default();
    let (low, high) = (low.min(0.0), high.max(0.0));
    let width = if high > low { high - low } else { 1.0 };
    let keys: Vec<_> = grid.parameters().iter().map(|p| escape(&p.key)).collect();
    let (name, keys) = (escape(&figures.field.name), keys.join(", "));
    let mut out = String::new();
    open_table(&mut out, &format!("{name} by {keys}"));
    writeln!(
        out,
        "<thead><tr><th scope=\"col\">{keys}</th><th scope=\"col\">{name}</th>\
         <th scope=\"col\">from zero</th></tr></thead>\n<tbody>"
    )
    .unwrap_or_default();
    for (index, row) in figures.rows.iter().enumerate() {
        let bar = number(row, figures.at).map(|x| {
            let left = (x.min(0.0) - low) / width * 100.0;
            let length = x.abs() / width * 100.0;
            format!("<i style=\"margin-left:{left:.2}%;width:{length:.2}%\"></i>")
        });
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th>{}<td class=\"bar\" aria-hidden=\"true\">{}</td></tr>",
            escape(&row.values.join(", ")),
            figures.cell(index),
            bar.unwrap_or_default()
        )
        .unwrap_or_default();
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    out
}

/// The figure as a plain number, for color, length and nothing else.
fn number(row: &Row, at: usize) -> Option<f64> {
    let x = row.figure(at)?.parse::<f64>().ok()?;
    x.is_finite().then_some(x)
}

/// A figure for human eyes: ratios in percent, amounts to the cent (cut), Sharpe to two places.
#[must_use]
pub fn shown(field: &Field, text: &str) -> String {
    let number = || text.parse::<f64>().unwrap_or_default();
    match (field.kind, &*field.name) {
        (Kind::Amount, _) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
            format!("{whole}.{cents}")
        }
        (Kind::Number, "return" | "apy" | "max_drawdown") => format!("{:.4} %", number() * 100.0),
        (Kind::Number, "sharpe") => format!("{:.2}", number()),
        (Kind::Number, _) => text.to_owned(),
    }
}

/// Text that is safe between tags and inside quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
