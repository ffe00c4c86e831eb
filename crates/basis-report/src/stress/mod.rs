//! Tables of scenarios: a row per run, as JSON, as CSV and as cells for a human.

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Value};
use basis_core::types::{Span, Timestamp};
use serde_json::{Value as Json, json};

use crate::sweep::results::line;

/// The name of the row of the run without any scenario.
pub const BASE: &str = "base";

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The scenario, or [`BASE`].
    pub name: String,
    /// Its sentences about this run; those that every run shares come before them and are not here.
    pub shocks: Vec<String>,
    /// Hash of the resolved configuration; empty when nothing was run.
    pub config_hash: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub enum Outcome {
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
const COLUMNS: [&str; 18] = [
    "scenario",
    "status",
    "shock_at",
    "equity_at_shock",
    "equity_end",
    "loss",
    "loss_of_equity",
    "max_drawdown",
    "liquidations_cex",
    "liquidations_lending",
    "risk_actions",
    "first_action_seconds",
    "safety_seconds",
    "safe",
    "residual",
    "shocks",
    "config_hash",
    "message",
];

impl Row {
    /// `ok`, `halted`, `skipped` or `failed`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.outcome {
            Outcome::Ran(figures) if figures.halted.is_some() => "halted",
            Outcome::Ran(_) => "ok",
            Outcome::Skipped(_) => "skipped",
            Outcome::Failed(_) => "failed",
        }
    }

    /// Its figures, when it ran.
    #[must_use]
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Ran(figures) => Some(figures),
            Outcome::Skipped(_) | Outcome::Failed(_) => None,
        }
    }

    /// Why it halted, was skipped or failed.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Ran(figures) => figures.halted.as_deref(),
            Outcome::Skipped(why) => Some(why),
            Outcome::Failed(e) => Some(&e.message),
        }
    }

    /// As `stress.json` has it: amounts as strings, spans in seconds.
    #[must_use]
    pub fn as_json(&self) -> Json {
        let mut row = json!({
            "scenario": self.name,
            "status": self.status(),
            "shocks": self.shocks,
            "config_hash": self.config_hash,
            "message": self.message(),
        });
        if let (Some(figures), Some(row)) = (self.figures(), row.as_object_mut())
            && let Json::Object(figures) = figures_json(figures)
        {
            row.extend(figures);
        }
        if let (Outcome::Failed(e), Some(row)) = (&self.outcome, row.as_object_mut()) {
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
#[must_use]
pub fn csv(rows: &[Row]) -> String {
    let mut out = String::new();
    line(&mut out, COLUMNS.into_iter());
    let text = |value: Option<String>| value.unwrap_or_default();
    for row in rows {
        let mut cells = vec![row.name.clone(), row.status().to_owned()];
        match row.figures() {
            None => cells.resize(COLUMNS.len() - 3, String::new()),
            Some(figures) => cells.extend([
                text(figures.shock_at.map(|at| at.to_string())),
                figures.equity_at_shock.to_string(),
                figures.equity_end.to_string(),
                figures.loss.to_string(),
                text(figures.loss_of_equity.map(|share| share.to_string())),
                figures.max_drawdown.to_string(),
                figures.liquidations_cex.to_string(),
                figures.liquidations_lending.to_string(),
                figures.risk_actions.to_string(),
                text(
                    figures
                        .first_action_after
                        .map(|span| span.seconds().to_string()),
                ),
                text(safety(figures.safety).map(|span| span.seconds().to_string())),
                text(safe(figures.safety).map(|safe| safe.to_string())),
                figures.residual.to_string(),
            ]),
        }
        let message = row.message().unwrap_or_default();
        cells.extend([
            row.shocks.join("; "),
            row.config_hash.clone(),
            message.to_owned(),
        ]);
        line(&mut out, cells.iter().map(String::as_str));
    }
    out
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
            shocks: vec!["gas x20 at 2025-02-03".to_owned()],
            config_hash: String::new(),
            outcome: Outcome::Skipped("no gas, \"here\"".to_owned()),
        };
        let text = csv(std::slice::from_ref(&row));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].split(',').count(), COLUMNS.len());
        let tail = ",gas x20 at 2025-02-03,,\"no gas, \"\"here\"\"\"";
        assert_eq!(lines[1], format!("a,skipped{}{tail}", ",".repeat(13)));
        assert_eq!(row.as_json()["status"], "skipped");
    }
}
