//! A sweep that has run, as JSON, as files and as a ranking for a human.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use basis_core::error::{Code, ComponentError};
use basis_report::Format;
use basis_report::sweep::fields::FIELDS;
use basis_report::sweep::grid::Grid;
use basis_report::sweep::page::{self, Page, shown};
use basis_report::sweep::results::{self, Row};
use basis_report::sweep::store::{Plan, Store};
use comfy_table::{CellAlignment, Table};
use serde_json::{Value as Json, json};

use super::Session;
use super::errors::{Failure, RUN_FAILED};
use super::report::table;
use crate::assembly::versions;
use crate::config::layers::LogLevel;
use crate::sweep::run::names;

/// Rows of the ranking, and failures, that a human is shown; the files hold them all.
const RANKED_MAX: usize = 20;

/// A sweep that has run.
pub(super) struct Swept<'a> {
    pub(super) mode: &'a str,
    /// Sentences of the shocks of every variant.
    pub(super) shocks: Vec<&'a str>,
    pub(super) grid: &'a Grid,
    pub(super) rows: Vec<Row>,
    /// Index of the figure ranked by, and the rows by it, best first.
    pub(super) rank: usize,
    pub(super) order: Vec<usize>,
    pub(super) format: Format,
    pub(super) plan: Plan,
    pub(super) timing: Json,
}

/// Writes and prints what came of it; failed variants are a failure.
pub(super) fn finish(
    swept: &Swept<'_>,
    store: Option<&Store>,
    out: Option<&Path>,
    session: &Session,
) -> Result<(), Failure> {
    let result = swept.as_json();
    if let (Some(store), Some(out)) = (store, out) {
        swept.write(store, &result).map_err(Failure::running)?;
        session.note(LogLevel::Info, &format!("written to {}", out.display()));
    }
    tell_notes(swept.grid, &swept.rows, session);
    if session.json {
        session.print_json(&result)?;
    } else {
        let place = out.map(|out| format!("\nsweep directory: {}\n", out.display()));
        session.print(&format!("{}{}", swept.human(), place.unwrap_or_default()))?;
    }
    failures(swept.grid, &swept.rows).map_or(Ok(()), Err)
}

impl Swept<'_> {
    fn is_synthetic(&self) -> bool {
        self.plan.data()["synthetic"] == true
    }

    /// `sweep.json`, which is also what `--json` prints.
    fn as_json(&self) -> Json {
        let (grid, rows) = (self.grid, &self.rows);
        let field = FIELDS.get(self.rank);
        let ranked = self.order.iter().filter_map(|at| rows.get(*at));
        let numbers: Vec<_> = ranked.map(|row| row.number).collect();
        let parameters = grid.parameters().iter().map(results::parameter_json);
        let variants = rows.iter().map(|row| results::row_json(grid, row));
        json!({
            "mode": self.mode,
            "synthetic": self.is_synthetic(),
            "data": self.plan.data(),
            "shocks": self.shocks,
            "parameters": parameters.collect::<Vec<_>>(),
            "rank": {
                "field": field.map(|field| &field.name),
                "least_first": field.map(|field| field.least_first),
                "variants": numbers,
            },
            "variants": variants.collect::<Vec<_>>(),
            "failed": rows.iter().filter(|row| row.failure().is_some()).count(),
            "versions": versions().into_iter().collect::<BTreeMap<_, _>>(),
            "timing": self.timing,
        })
    }

    fn write(&self, store: &Store, result: &Json) -> Result<(), ComponentError> {
        let about = Page {
            mode: self.mode,
            synthetic: self.is_synthetic(),
            source: self.plan.data()["source"].as_str().unwrap_or_default(),
            field: self.rank,
        };
        let page = page::page(about, self.grid, &self.rows);
        store.write("sweep.csv", results::csv(self.grid, &self.rows)?)?;
        if self.format == Format::Parquet {
            self.write_parquet(store)?;
        }
        store.write("report.html", page)?;
        store.write("sweep.json", format!("{result:#}\n"))
    }

    #[cfg(feature = "parquet")]
    fn write_parquet(&self, store: &Store) -> Result<(), ComponentError> {
        let table = results::parquet(self.grid, &self.rows)?;
        store.write("sweep.parquet", table)
    }

    #[cfg(not(feature = "parquet"))]
    fn write_parquet(&self, _: &Store) -> Result<(), ComponentError> {
        self.format.check()
    }

    /// The ranking as a table.
    fn human(&self) -> String {
        let name = |at: usize| FIELDS.get(at).map_or("", |field| field.name.as_str());
        let mut columns = vec![self.rank];
        // Over the same dates APY says what return says; it yields to a second parameter.
        let apy = (self.grid.parameters().len() < 2).then_some("apy");
        let others = ["return", "max_drawdown", "sharpe", "costs.total"];
        for field in others.into_iter().chain(apy) {
            let found = FIELDS.iter().position(|other| other.name == field);
            columns.extend(found.filter(|at| *at != self.rank));
        }
        let short = |at: usize| match name(at) {
            "max_drawdown" => "drawdown",
            "costs.total" => "costs",
            other => other,
        };
        let header: Vec<_> = ["rank", "variant"]
            .into_iter()
            .chain(short_keys(self.grid))
            .chain(columns.iter().map(|at| short(*at)))
            .collect();
        let mut ranked = table(&header);
        let ran = self.order.iter().filter_map(|at| self.rows.get(*at));
        let ran: Vec<_> = ran.filter(|row| row.failure().is_none()).collect();
        for (place, row) in (1..).zip(ran.iter().take(RANKED_MAX)) {
            let figure = |at: &usize| match (FIELDS.get(*at), row.figure(*at)) {
                (Some(field), Some(text)) => shown(field, text),
                _ => "-".to_owned(),
            };
            let number = match row.halted() {
                None => row.number.to_string(),
                Some(_) => format!("{} halted", row.number),
            };
            let cells = [place.to_string(), number]
                .into_iter()
                .chain(row.values.iter().cloned())
                .chain(columns.iter().map(figure));
            ranked.add_row(cells.collect::<Vec<_>>());
        }
        right_aligned(&mut ranked, header.len());
        let label = match self.is_synthetic() {
            true => "  [SYNTHETIC DATA]",
            false => "",
        };
        let count = self.grid.count();
        let by = name(self.rank);
        let more = match ran.len().saturating_sub(RANKED_MAX) {
            0 => String::new(),
            more => format!("and {more} more that ran\n"),
        };
        format!(
            "{count} variants by {by}{label}; returns, drawdown and ratios in the share class, costs in USD\n\n\
             {ranked}\n{more}"
        )
    }
}

/// The last parts of the keys where they tell the parameters apart, else the keys.
fn short_keys(grid: &Grid) -> Vec<&str> {
    let last = |key: &'_ str| key.rsplit('.').next().map(str::len).unwrap_or_default();
    let keys: Vec<_> = grid.parameters().iter().map(|p| &*p.key).collect();
    let short: Vec<_> = keys
        .iter()
        .map(|key| key.get(key.len() - last(key)..).unwrap_or(key))
        .collect();
    let distinct: BTreeSet<_> = short.iter().collect();
    if distinct.len() == keys.len() {
        short
    } else {
        keys
    }
}

fn right_aligned(table: &mut Table, columns: usize) {
    for at in 0..columns {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Says once what several variants have to say.
fn tell_notes(grid: &Grid, rows: &[Row], session: &Session) {
    let noted = rows.iter().enumerate().flat_map(|(index, row)| {
        let notes = row.notes().iter().cloned();
        let halted = row
            .halted()
            .map(|why| format!("the strategy was halted: {why}"));
        notes.chain(halted).map(move |note| (note, index))
    });
    for (note, indices) in together(noted) {
        session.warn(&format!("{note} ({})", names(grid, &indices)));
    }
}

/// Groups ascending indices by text, in order of their first.
fn together(pairs: impl Iterator<Item = (String, usize)>) -> Vec<(String, Vec<usize>)> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (text, index) in pairs {
        groups.entry(text).or_default().push(index);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(_, a), (_, b)| a.first().cmp(&b.first()));
    groups
}

fn failures(grid: &Grid, rows: &[Row]) -> Option<Failure> {
    let failed = rows.iter().enumerate().filter_map(|(index, row)| {
        let (code, message) = row.failure()?;
        Some((format!("{code} {message}"), index))
    });
    let groups = together(failed);
    let count: usize = groups.iter().map(|(_, indices)| indices.len()).sum();
    let first = rows.iter().find_map(|row| row.failure())?;
    let lines: String = groups
        .iter()
        .take(RANKED_MAX)
        .map(|(text, indices)| format!("\n  {text} ({})", names(grid, indices)))
        .collect();
    let more = match groups.len().saturating_sub(RANKED_MAX) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let code = Code::find(first.0).unwrap_or(Code::ComponentUnhealthy);
    let message = format!("{count} of {} variants failed:{lines}{more}", grid.count());
    Some(Failure {
        error: ComponentError::new(code, message),
        exit: RUN_FAILED,
    })
}
