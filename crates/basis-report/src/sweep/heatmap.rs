//! One figure over the grid, as tables a person and a screen reader can read.
//!
//! Two parameters make a heat map, one makes bars, more make one heat map per combination of the
//! others. Every number stands as text: color only repeats it.

use super::fields::{FIELDS, Field, Kind};
use super::grid::{Grid, Parameter};
use super::palette::SHADES;
use super::results::{Row, ranking};
use crate::page::html::{TABLE_END, escape, open_table, push};

/// The look of a heat map and of bars.
const CLASS: &str = " class=\"map\"";

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
        push(
            &mut out,
            format_args!("<p>{more} more tables are not shown; sweep.csv holds every variant.</p>"),
        );
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
    let (down, across) = (&rows_of.key, &columns_of.key);
    let with = if others.is_empty() {
        String::new()
    } else {
        format!(" with {others}")
    };
    let name = &figures.field.name;
    let label = format!("{name} by {down} (down) and {across} (across){with}");
    let corner = format!("{down} \\ {across}");
    let values = columns_of.values.iter().map(String::as_str);
    let heads: Vec<&str> = std::iter::once(&*corner).chain(values).collect();
    open_table(out, &label, &heads, CLASS);
    for (row, value) in rows_of.values.iter().enumerate() {
        let cells: String = (0..columns_of.values.len())
            .map(|column| figures.cell(index(row, column)))
            .collect();
        line(out, value, &cells);
    }
    out.push_str(TABLE_END);
}

/// A row whose cells are markup.
fn line(out: &mut String, name: &str, cells: &str) {
    let name = escape(name);
    push(
        out,
        format_args!("<tr><th scope=\"row\">{name}</th>{cells}</tr>"),
    );
}

/// A row per variant with a bar from zero.
fn bars(figures: &Figures<'_>, grid: &Grid) -> String {
    let (low, high) = figures.bounds.unwrap_or_default();
    let (low, high) = (low.min(0.0), high.max(0.0));
    let width = if high > low { high - low } else { 1.0 };
    let keys: Vec<_> = grid.parameters().iter().map(|p| &*p.key).collect();
    let (name, keys) = (&figures.field.name, keys.join(", "));
    let mut out = String::new();
    let header = [&*keys, name, "from zero"];
    open_table(&mut out, &format!("{name} by {keys}"), &header, CLASS);
    for (index, row) in figures.rows.iter().enumerate() {
        let bar = number(row, figures.at).map(|x| {
            let left = (x.min(0.0) - low) / width * 100.0;
            let length = x.abs() / width * 100.0;
            format!("<i style=\"margin-left:{left:.2}%;width:{length:.2}%\"></i>")
        });
        let bar = bar.unwrap_or_default();
        let cell = figures.cell(index);
        let cells = format!("{cell}<td class=\"bar\" aria-hidden=\"true\">{bar}</td>");
        line(&mut out, &row.values.join(", "), &cells);
    }
    out.push_str(TABLE_END);
    out
}

/// The figure as a plain number, for color, length and nothing else.
fn number(row: &Row, at: usize) -> Option<f64> {
    let x = row.figure(at)?.parse::<f64>().ok()?;
    x.is_finite().then_some(x)
}

/// A figure for human eyes: ratios in percent, amounts to the cent (cut), Sharpe and Sortino to two places.
#[must_use]
pub fn shown(field: &Field, text: &str) -> String {
    let number = || text.parse::<f64>().unwrap_or_default();
    match (field.kind, &*field.name) {
        (Kind::Amount, _) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
            format!("{whole}.{cents}")
        }
        (Kind::Number, "return" | "apy" | "max_drawdown" | "volatility") => {
            format!("{:.4} %", number() * 100.0)
        }
        (Kind::Number, "sharpe" | "sortino") => format!("{:.2}", number()),
        (Kind::Number, _) => text.to_owned(),
    }
}
