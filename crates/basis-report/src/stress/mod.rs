//! Tables of scenarios: a row per run, as JSON, as CSV, as cells for a human and as a page.

mod criterion;
pub mod page;

use std::fmt::Display;

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Value};
use basis_core::types::{Span, Timestamp, Venue};
use serde_json::{Value as Json, json};

use crate::table::csv::Table;
use crate::table::{Column, Kind, Rows};

pub use criterion::{Criterion, Verdict, WORST, Worst, worst};

/// The name of the row of the run without any scenario.
pub const BASE: &str = "base";

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The scenario, or [`BASE`].
    pub name: String,
    /// What `T` stands for; absent in the base.
    pub at: Option<Timestamp>,
    /// Inclusive end of its run.
    pub to: Timestamp,
    /// What it has to show.
    pub criterion: Criterion,
    /// The exchange whose holdings count as lost at the end of the run.
    pub lost: Option<Venue>,
    /// Its sentences about this run; those that every run shares come before them and are not here.
    pub shocks: Vec<String>,
    /// Hash of the resolved configuration; empty when nothing was run.
    pub config_hash: String,
    /// What became of it.
    pub outcome: ScenarioOutcome,
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub enum ScenarioOutcome {
    /// It ran, to the end or until risk closed everything.
    Ran(Box<Figures>),
    /// It has nothing to act on in this run.
    Skipped(String),
    /// It could not be run.
    Failed(ComponentError),
}

/// What happened from the first shock on.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// When the first shock begins.
    pub shock_at: Option<Timestamp>,
    /// Equity of the base run at the last step before that, in the share class.
    pub equity_at_shock: Quantity,
    /// Equity at the end of the run, in the share class.
    pub equity_end: Quantity,
    /// What the base run has more at the end, in the share class; negative when it has less.
    pub loss: Quantity,
    /// The same over `equity_at_shock`, half-even; absent where that is not positive.
    pub loss_of_equity: Option<Rate>,
    /// Largest fall of the time-weighted index in the share class from its peak since the shock, >= 0.
    pub max_drawdown: f64,
    /// Least distance of a perp account or isolated position to its liquidation after a step since the shock, of a
    /// loan where there are none of these; absent where nothing can be liquidated.
    pub least_distance: Option<Rate>,
    /// Whether the base run held anything at the last step before the shock.
    pub was_held: bool,
    /// Positions closed by exchanges.
    pub liquidations_cex: u64,
    /// Debts repaid by liquidators of lending protocols.
    pub liquidations_lending: u64,
    /// Plans that risk started: cuts, and closing everything.
    pub risk_actions: u64,
    /// From the shock to the first of them.
    pub first_action_after: Option<Span>,
    /// From the shock to safety.
    pub safety: Safety,
    /// Why risk ended the strategy, if it did.
    pub halted: Option<String>,
    /// What the attribution of the run leaves unexplained, USD.
    pub residual: Value,
}

/// When things were safe again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// There was no shock to be safe from.
    NotAsked,
    /// After so long; zero when they never stopped being safe.
    After(Span),
    /// Not before the end of the run.
    Never,
}

/// Columns of the CSV: those of every row, then those of one that ran, then what there is to say.
const COLUMNS: [Column<'static>; 24] = [
    ("scenario", Kind::Text),
    ("status", Kind::Text),
    ("at", Kind::Instant),
    ("to", Kind::Instant),
    ("criterion", Kind::Text),
    ("verdict", Kind::Text),
    ("shock_at", Kind::Instant),
    ("equity_at_shock", Kind::Number),
    ("equity_end", Kind::Number),
    ("loss", Kind::Number),
    ("loss_of_equity", Kind::Number),
    ("max_drawdown", Kind::Statistic),
    ("least_distance", Kind::Number),
    ("was_held", Kind::Text),
    ("liquidations_cex", Kind::Count),
    ("liquidations_lending", Kind::Count),
    ("risk_actions", Kind::Count),
    ("first_action_seconds", Kind::Count),
    ("safety_seconds", Kind::Count),
    ("safe", Kind::Text),
    ("residual", Kind::Number),
    ("shocks", Kind::Text),
    ("config_hash", Kind::Text),
    ("message", Kind::Text),
];

/// How many of them only a row that ran has.
const FIGURES: usize = 15;

impl Row {
    /// `ok`, `halted`, `skipped` or `failed`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.outcome {
            ScenarioOutcome::Ran(figures) if figures.halted.is_some() => "halted",
            ScenarioOutcome::Ran(_) => "ok",
            ScenarioOutcome::Skipped(_) => "skipped",
            ScenarioOutcome::Failed(_) => "failed",
        }
    }

    /// Its figures, when it ran.
    #[must_use]
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            ScenarioOutcome::Ran(figures) => Some(figures),
            ScenarioOutcome::Skipped(_) | ScenarioOutcome::Failed(_) => None,
        }
    }

    /// Why it halted, was skipped or failed.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match &self.outcome {
            ScenarioOutcome::Ran(figures) => figures.halted.as_deref(),
            ScenarioOutcome::Skipped(why) => Some(why),
            ScenarioOutcome::Failed(e) => Some(&e.message),
        }
    }

    /// `pass`, `flat` or `fail`; absent where nothing was asked.
    #[must_use]
    pub fn verdict_text(&self) -> Option<&'static str> {
        Some(match self.verdict()? {
            Verdict::Pass => "pass",
            Verdict::Flat => "flat",
            Verdict::Fail(_) => "fail",
        })
    }

    /// As `stress.json` has it: amounts as strings, spans in seconds.
    #[must_use]
    pub fn as_json(&self) -> Json {
        let mut row = json!({
            "scenario": self.name,
            "status": self.status(),
            "at": self.at,
            "to": self.to,
            "criterion": self.criterion.text(),
            "verdict": self.verdict_text(),
            "lost": self.lost,
            "shocks": self.shocks,
            "config_hash": self.config_hash,
            "message": self.message(),
        });
        if let (Some(figures), Some(row)) = (self.figures(), row.as_object_mut())
            && let Json::Object(figures) = figures_json(figures)
        {
            row.extend(figures);
        }
        if let (ScenarioOutcome::Failed(e), Some(row)) = (&self.outcome, row.as_object_mut()) {
            row.insert("code".to_owned(), json!(e.code.as_str()));
        }
        row
    }
}

fn figures_json(figures: &Figures) -> Json {
    json!({
        "shock_at": figures.shock_at,
        "equity_at_shock": figures.equity_at_shock.to_string(),
        "equity_end": figures.equity_end.to_string(),
        "loss": figures.loss.to_string(),
        "loss_of_equity": figures.loss_of_equity.map(|share| share.to_string()),
        "max_drawdown": figures.max_drawdown,
        "least_distance": figures.least_distance.map(|distance| distance.to_string()),
        "was_held": figures.was_held,
        "liquidations": {
            "cex": figures.liquidations_cex,
            "lending": figures.liquidations_lending,
        },
        "risk_actions": figures.risk_actions,
        "first_action_seconds": figures.first_action_after.map(Span::seconds),
        "safe": safe(figures.safety),
        "safety_seconds": safety(figures.safety).map(Span::seconds),
        "residual": figures.residual.to_string(),
    })
}

const fn safety(safety: Safety) -> Option<Span> {
    match safety {
        Safety::After(span) => Some(span),
        Safety::NotAsked | Safety::Never => None,
    }
}

/// Whether it was safe again by the end; nothing is known of the base run, which had no shock.
const fn safe(safety: Safety) -> Option<bool> {
    match safety {
        Safety::After(_) => Some(true),
        Safety::Never => Some(false),
        Safety::NotAsked => None,
    }
}

/// Every row with every figure.
///
/// # Errors
/// None that a table in memory has.
pub fn csv(rows: &[Row]) -> Result<Vec<u8>, ComponentError> {
    Table::text("stress.csv", &COLUMNS, |table| {
        for row in rows {
            table.text(&row.name);
            table.plain(row.status());
            match row.at {
                Some(at) => table.instant(at),
                None => table.blank(1),
            }
            table.instant(row.to);
            table.text(&row.criterion.text());
            optional(table, row.verdict_text());
            match row.figures() {
                None => table.blank(FIGURES),
                Some(figures) => write(table, figures),
            }
            table.text(&row.shocks.join("; "));
            table.plain(&row.config_hash);
            table.text(&row.message().unwrap_or_default());
            table.end()?;
        }
        Ok(())
    })
}

fn write(table: &mut impl Rows, figures: &Figures) {
    match figures.shock_at {
        Some(at) => table.instant(at),
        None => table.blank(1),
    }
    table.number(figures.equity_at_shock.get());
    table.number(figures.equity_end.get());
    table.number(figures.loss.get());
    optional(table, figures.loss_of_equity);
    table.shown(&figures.max_drawdown);
    optional(table, figures.least_distance);
    table.shown(&figures.was_held);
    table.count(figures.liquidations_cex);
    table.count(figures.liquidations_lending);
    table.count(figures.risk_actions);
    optional(table, figures.first_action_after.map(Span::seconds));
    optional(table, safety(figures.safety).map(Span::seconds));
    optional(table, safe(figures.safety));
    table.number(figures.residual.get());
}

fn optional(table: &mut impl Rows, value: Option<impl Display>) {
    match value {
        Some(value) => table.shown(&value),
        None => table.blank(1),
    }
}

/// The cells of a row that ran, for a human: loss, its share, drawdown, liquidations, actions, first
/// action, safety, residual.
#[must_use]
pub fn cells(figures: &Figures) -> [String; 8] {
    let none = || "-".to_owned();
    let span = |span: Option<Span>| span.map_or_else(none, short);
    [
        format!("{:.4}", figures.loss.to_f64()),
        figures.loss_of_equity.map_or_else(none, percent),
        format!("{:.2} %", figures.max_drawdown * 100.0),
        format!(
            "{} / {}",
            figures.liquidations_cex, figures.liquidations_lending
        ),
        figures.risk_actions.to_string(),
        span(figures.first_action_after),
        match figures.safety {
            Safety::NotAsked => none(),
            Safety::Never => "never".to_owned(),
            Safety::After(after) => short(after),
        },
        if figures.residual.is_zero() {
            "0".to_owned()
        } else {
            format!("{:.0e}", figures.residual.to_f64())
        },
    ]
}

fn percent(share: Rate) -> String {
    format!("{:.2} %", share.to_f64() * 100.0)
}

/// `2d 3h`, `5h`, `20min`; `0h` for nothing.
fn short(span: Span) -> String {
    let seconds = span.seconds();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "0h".to_owned(),
        (0, 0, minutes) => format!("{minutes}min"),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, minutes) => format!("{hours}h {minutes}min"),
        (days, 0, _) => format!("{days}d"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let minutes = |count| short(Span::from_minutes(count));
        assert_eq!(minutes(0), "0h");
        assert_eq!(minutes(45), "45min");
        assert_eq!(minutes(61), "1h 1min");
        assert_eq!(minutes(3 * 24 * 60), "3d");
        assert_eq!(minutes(51 * 60), "2d 3h");
    }

    #[test]
    fn a_row_that_did_not_run_says_why_and_leaves_its_figures_empty() {
        let row = Row {
            name: "a".to_owned(),
            at: None,
            to: Timestamp::EPOCH,
            criterion: Criterion::Report,
            lost: None,
            shocks: vec!["gas x20 at 2025-02-03".to_owned()],
            config_hash: String::new(),
            outcome: ScenarioOutcome::Skipped("no gas, \"here\"".to_owned()),
        };
        let text = String::from_utf8(csv(std::slice::from_ref(&row)).unwrap()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].split(',').count(), COLUMNS.len());
        let tail = ",gas x20 at 2025-02-03,,\"no gas, \"\"here\"\"\"";
        let head = "a,skipped,,1970-01-01T00:00:00Z,report,";
        assert_eq!(lines[1], format!("{head}{}{tail}", ",".repeat(FIGURES)));
        assert_eq!(row.as_json()["status"], "skipped");
    }
}
