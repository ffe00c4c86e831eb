//! One row per variant: figures of its summary as text, and the forms they are written in.
//!
//! **Invariant.** A figure is kept as the text `summary.json` has for it, so that reading a kept row
//! back loses no digit.

use std::cmp::Ordering;

use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use serde_json::{Map, Value as Json, json};

use super::fields::{FIELDS, Field, Kind};
use super::grid::{Grid, Parameter};
use crate::table::csv::Table;
#[cfg(feature = "parquet")]
use crate::table::parquet::ParquetTable;
use crate::table::{Column, Kind as ColumnKind, Rows};

/// What came of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariantOutcome {
    /// It ran to the end, or until risk ended the strategy.
    Ran {
        /// Why risk ended it, if it did.
        halted: Option<String>,
        /// What a user should know: venues that are missing, settings not understood.
        notes: Vec<String>,
        /// The figures, as [`FIELDS`] has them.
        figures: Vec<Option<String>>,
    },
    /// It could not run, or stopped with a failure.
    Failed {
        /// The registered code.
        code: String,
        /// What happened.
        message: String,
    },
}

/// One variant with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From 1, in the order of the grid.
    pub number: usize,
    /// One value per parameter.
    pub values: Vec<String>,
    /// Hash of the resolved configuration: that of the single run.
    pub config_hash: String,
    /// What came of it.
    pub outcome: VariantOutcome,
}

impl Row {
    /// `ok`, `halted` or `failed`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match &self.outcome {
            VariantOutcome::Ran { halted: None, .. } => "ok",
            VariantOutcome::Ran { .. } => "halted",
            VariantOutcome::Failed { .. } => "failed",
        }
    }

    /// The code and message of a failure.
    #[must_use]
    pub fn failure(&self) -> Option<(&str, &str)> {
        match &self.outcome {
            VariantOutcome::Failed { code, message } => Some((code, message)),
            VariantOutcome::Ran { .. } => None,
        }
    }

    /// The figure of the field at `at` in [`FIELDS`], as text.
    #[must_use]
    pub fn figure(&self, at: usize) -> Option<&str> {
        match &self.outcome {
            VariantOutcome::Ran { figures, .. } => figures.get(at)?.as_deref(),
            VariantOutcome::Failed { .. } => None,
        }
    }

    /// Why risk ended the strategy, if it did.
    #[must_use]
    pub fn halted(&self) -> Option<&str> {
        match &self.outcome {
            VariantOutcome::Ran { halted, .. } => halted.as_deref(),
            VariantOutcome::Failed { .. } => None,
        }
    }

    /// What a user should know about the run.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        match &self.outcome {
            VariantOutcome::Ran { notes, .. } => notes,
            VariantOutcome::Failed { .. } => &[],
        }
    }
}

/// The figures of a run from its summary.
#[must_use]
pub fn figures(summary: &Json) -> Vec<Option<String>> {
    let text = |field: &Field| {
        let node = field
            .name
            .split('.')
            .try_fold(summary, |node, key| node.get(key))?;
        match node {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    };
    FIELDS.iter().map(text).collect()
}

/// Indices of `rows`, best first by the field at `field`; what has no figure comes last.
#[must_use]
pub fn ranking(rows: &[Row], field: usize) -> Vec<usize> {
    let Some(by) = FIELDS.get(field) else {
        return (0..rows.len()).collect();
    };
    let mut order: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| {
        let places = match (a.figure(field), b.figure(field)) {
            (Some(x), Some(y)) => {
                let order = by.kind.compare(x, y);
                if by.least_first {
                    order
                } else {
                    order.reverse()
                }
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        places.then(a.number.cmp(&b.number))
    });
    order.into_iter().map(|(at, _)| at).collect()
}

/// `sweep.csv`: one line per row in the order given.
///
/// # Errors
/// EVT-002 when a figure is not of its kind.
pub fn csv(grid: &Grid, rows: &[Row]) -> Result<Vec<u8>, ComponentError> {
    Table::text("sweep.csv", &columns(grid), |table| {
        write(table, grid, rows)
    })
}

/// `sweep.parquet`: the columns of `sweep.csv`. Amounts are `decimal(38, 18)`, statistics 64-bit floats,
/// counts and `variant` unsigned integers, the rest text; what a variant does not have is null.
///
/// # Errors
/// As [`csv()`].
#[cfg(feature = "parquet")]
pub fn parquet(grid: &Grid, rows: &[Row]) -> Result<Vec<u8>, ComponentError> {
    ParquetTable::bytes("sweep.parquet", &columns(grid), |table| {
        write(table, grid, rows)
    })
}

fn columns(grid: &Grid) -> Vec<Column<'_>> {
    let text = |name| (name, ColumnKind::Text);
    let keys = grid.parameters().iter().map(|parameter| &*parameter.key);
    let figures = FIELDS
        .iter()
        .map(|field| (&*field.name, column_kind(field)));
    std::iter::once(("variant", ColumnKind::Count))
        .chain(keys.map(text))
        .chain(["status", "error"].map(text))
        .chain(figures)
        .chain(["config_hash", "message"].map(text))
        .collect()
}

/// What the column of a figure holds.
fn column_kind(field: &Field) -> ColumnKind {
    match field.kind {
        Kind::Amount => ColumnKind::Number,
        Kind::Number if field.name.starts_with("counts.") => ColumnKind::Count,
        Kind::Number => ColumnKind::Statistic,
    }
}

fn write(table: &mut impl Rows, grid: &Grid, rows: &[Row]) -> Result<(), ComponentError> {
    for row in rows {
        table.count(u64::try_from(row.number).unwrap_or(u64::MAX));
        for at in 0..grid.parameters().len() {
            optional(table, row.values.get(at).map(String::as_str));
        }
        let failure = row.failure();
        table.plain(row.status());
        optional(table, failure.map(|(code, _)| code));
        for (at, field) in FIELDS.iter().enumerate() {
            figure(table, field, row.figure(at))?;
        }
        table.plain(&row.config_hash);
        optional(table, row.halted().or(failure.map(|(_, message)| message)));
        table.end()?;
    }
    Ok(())
}

fn optional(table: &mut impl Rows, text: Option<&str>) {
    match text {
        Some(text) => table.text(&text),
        None => table.blank(1),
    }
}

fn figure(table: &mut impl Rows, field: &Field, text: Option<&str>) -> Result<(), ComponentError> {
    let Some(text) = text else {
        table.blank(1);
        return Ok(());
    };
    let wrong = || {
        let message = format!("`{text}` is no figure of {}", field.name);
        ComponentError::new(Code::OutputFailed, message)
    };
    match column_kind(field) {
        ColumnKind::Number => {
            table.number(Fixed18::parse(text).map_err(|e| wrong().with_source(e))?);
        }
        ColumnKind::Count => table.count(text.parse().map_err(|e| wrong().with_source(e))?),
        _ => table.statistic(text),
    }
    Ok(())
}

/// A row as `sweep.json` has it: figures in the shape of `summary.json`.
#[must_use]
pub fn row_json(grid: &Grid, row: &Row) -> Json {
    let parameters: Map<_, _> = grid
        .parameters()
        .iter()
        .zip(&row.values)
        .map(|(parameter, value)| (parameter.key.clone(), json!(value)))
        .collect();
    let mut all = json!({
        "variant": row.number,
        "parameters": parameters,
        "status": row.status(),
        "halted": row.halted(),
        "notes": row.notes(),
        "error": row.failure().map(|(code, message)| json!({ "code": code, "message": message })),
        "config_hash": row.config_hash,
    });
    if row.failure().is_none() {
        for (at, field) in FIELDS.iter().enumerate() {
            put(
                &mut all,
                &field.name,
                figure_json(field.kind, row.figure(at)),
            );
        }
    }
    all
}

/// Puts `value` at a dotted path.
fn put(root: &mut Json, path: &str, value: Json) {
    let place = path.split('.').fold(root, |node, key| &mut node[key]);
    *place = value;
}

fn figure_json(kind: Kind, text: Option<&str>) -> Json {
    let Some(text) = text else { return Json::Null };
    match kind {
        Kind::Amount => json!(text),
        Kind::Number => match text.parse::<u64>() {
            Ok(count) => json!(count),
            Err(_) => text
                .parse::<f64>()
                .map_or(Json::Null, |number| json!(number)),
        },
    }
}

/// A parameter in JSON.
#[must_use]
pub fn parameter_json(parameter: &Parameter) -> Json {
    json!({ "key": parameter.key, "values": parameter.values })
}

/// A row as it is kept while the sweep runs: every figure as text.
#[must_use]
pub fn kept_json(row: &Row) -> Json {
    let figures: Option<Map<_, _>> = match &row.outcome {
        VariantOutcome::Failed { .. } => None,
        VariantOutcome::Ran { figures, .. } => Some(
            FIELDS
                .iter()
                .zip(figures)
                .map(|(field, text)| (field.name.clone(), json!(text)))
                .collect(),
        ),
    };
    json!({
        "variant": row.number,
        "values": row.values,
        "config_hash": row.config_hash,
        "status": row.status(),
        "halted": row.halted(),
        "notes": row.notes(),
        "error": row.failure().map(|(code, message)| json!({ "code": code, "message": message })),
        "figures": figures,
    })
}

/// Reads back what [`kept_json`] wrote, when it is whole and a success.
#[must_use]
pub fn kept_row(json: &Json) -> Option<Row> {
    let strings = |key: &str| -> Option<Vec<String>> {
        let items = json.get(key)?.as_array()?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let kept = json.get("figures")?.as_object()?;
    let figures = FIELDS
        .iter()
        .map(|field| match kept.get(&field.name)? {
            Json::Null => Some(None),
            other => Some(Some(other.as_str()?.to_owned())),
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Row {
        number: usize::try_from(json.get("variant")?.as_u64()?).ok()?,
        values: strings("values")?,
        config_hash: json.get("config_hash")?.as_str()?.to_owned(),
        outcome: VariantOutcome::Ran {
            halted: json.get("halted")?.as_str().map(str::to_owned),
            notes: strings("notes")?,
            figures,
        },
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::fields::find_field;
    use super::*;

    pub(in super::super) fn row(number: usize, values: &[&str], total_return: &str) -> Row {
        let figures = FIELDS
            .iter()
            .map(|field| match &*field.name {
                "return" => Some(total_return.to_owned()),
                "sharpe" => None,
                "equity_end" => Some("1000.000000000000000001".to_owned()),
                _ => Some("0".to_owned()),
            })
            .collect();
        Row {
            number,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            config_hash: format!("{number:064x}"),
            outcome: VariantOutcome::Ran {
                halted: None,
                notes: Vec::new(),
                figures,
            },
        }
    }

    pub(in super::super) fn failed(number: usize, values: &[&str]) -> Row {
        Row {
            outcome: VariantOutcome::Failed {
                code: "STRAT-002".to_owned(),
                message: "too small, \"really\"".to_owned(),
            },
            ..row(number, values, "0")
        }
    }

    fn grid() -> Grid {
        super::super::grid::tests::grid(&[("k", &["1", "2", "3"])])
    }

    #[test]
    fn a_kept_row_reads_back_to_the_last_digit() {
        let row = row(7, &["a,b"], "0.30000000000000004");
        let text = kept_json(&row).to_string();
        let read: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(kept_row(&read), Some(row));
        assert_eq!(kept_row(&kept_json(&failed(1, &["x"]))), None);
    }

    #[test]
    fn ranking_puts_the_best_first_and_failures_last() {
        let rows = [
            failed(1, &["1"]),
            row(2, &["2"], "-1e-7"),
            row(3, &["3"], "0.1"),
            row(4, &["4"], "0.1"),
        ];
        assert_eq!(ranking(&rows, find_field("return").unwrap()), [2, 3, 1, 0]);
        assert_eq!(ranking(&rows, find_field("sharpe").unwrap()), [0, 1, 2, 3]);
        let mut costly = rows[1].clone();
        if let VariantOutcome::Ran { figures, .. } = &mut costly.outcome {
            figures[find_field("costs.total").unwrap()] = Some("10".to_owned());
        }
        let rows = [costly, rows[2].clone()];
        assert_eq!(ranking(&rows, find_field("costs.total").unwrap()), [1, 0]);
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_missing_figures_empty() {
        let rows = [row(1, &["{a: 1, b: 2}"], "0.5"), failed(2, &["2"])];
        let text = String::from_utf8(csv(&grid(), &rows).unwrap()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("variant,k,status,error,equity_start,equity_end,"));
        assert!(lines[1].starts_with("1,\"{a: 1, b: 2}\",ok,,0,1000.000000000000000001,0,0,0.5,"));
        assert!(
            lines[2].starts_with("2,2,failed,STRAT-002,,,"),
            "{}",
            lines[2]
        );
        assert!(
            lines[2].ends_with(",\"too small, \"\"really\"\"\""),
            "{}",
            lines[2]
        );
    }

    #[test]
    fn json_has_the_shape_of_a_summary() {
        let json = row_json(&grid(), &row(1, &["1"], "0.1"));
        assert_eq!(json["return"], json!(0.1));
        assert_eq!(json["sharpe"], Json::Null);
        assert_eq!(json["counts"]["steps"], json!(0));
        assert_eq!(json["costs"]["total"], json!("0"));
        let json = row_json(&grid(), &failed(1, &["1"]));
        assert_eq!(json["error"]["code"], "STRAT-002");
        assert!(json.get("return").is_none());
    }
}

#[cfg(all(test, feature = "parquet"))]
mod parquet_tests {
    use std::fs::File;

    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Float64Type, UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::grid::tests::grid;
    use super::tests::{failed, row};
    use super::{csv, parquet};

    #[test]
    fn the_table_has_the_columns_and_values_of_the_csv() {
        let grid = grid(&[("k", &["{a: 1, b: 2}", "2"])]);
        let rows = [
            row(1, &["{a: 1, b: 2}"], "1.2345678901234567e-05"),
            failed(2, &["2"]),
        ];
        let bytes = parquet(&grid, &rows).unwrap();
        assert_eq!(bytes, parquet(&grid, &rows).unwrap());
        let path = std::env::temp_dir().join(format!("basis-sweep-{}.parquet", std::process::id()));
        std::fs::write(&path, &bytes).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        std::fs::remove_file(path).unwrap();
        let text = String::from_utf8(csv(&grid, &rows).unwrap()).unwrap();
        let header: Vec<_> = text.lines().next().unwrap().split(',').collect();
        let schema = batch.schema();
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, header);
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert_eq!(column("k").as_string::<i32>().value(0), "{a: 1, b: 2}");
        let amount = column("equity_end").as_primitive::<Decimal128Type>();
        assert_eq!(amount.value(0), 1_000_000_000_000_000_000_001);
        let earned = column("return").as_primitive::<Float64Type>();
        let exact: f64 = "1.2345678901234567e-05".parse().unwrap();
        assert_eq!(earned.value(0).to_bits(), exact.to_bits());
        let steps = column("counts.steps").as_primitive::<UInt64Type>();
        assert_eq!((steps.value(0), steps.is_null(1)), (0, true));
        assert!(column("sharpe").is_null(0), "no deviation, no ratio");
        assert_eq!(column("error").as_string::<i32>().value(1), "STRAT-002");
        assert!(column("message").is_null(0));
    }
}
