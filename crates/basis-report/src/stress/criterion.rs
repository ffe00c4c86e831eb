//! What a scenario has to show, whether it did, and the worst of several instants.
//!
//! **Invariant.** A scenario that never met a book has shown nothing, and does not pass.

use std::cmp::Ordering;

use basis_core::num::{Fixed18, Rate, Rounding};

use serde_json::{Value as Json, json};

use super::{Figures, Row, ScenarioOutcome};

/// What a scenario has to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Criterion {
    /// Nothing: its figures are for reading.
    #[default]
    Report,
    /// No liquidation, and no halt.
    Survive,
    /// A loss of less than this part of the equity, > 0; one account may be liquidated.
    LossBelow(Rate),
}

/// Whether a run showed what it had to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Pass,
    /// The mode held nothing when the shock came.
    Flat,
    /// It did not, and why.
    Fail(String),
}

impl Criterion {
    /// As a table shows it: `survive`, `loss < 3 %`, or `report`.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Report => "report".to_owned(),
            Self::Survive => "survive".to_owned(),
            Self::LossBelow(bound) => format!("loss < {}", percent(bound)),
        }
    }

    fn of(self, figures: &Figures) -> Verdict {
        let liquidations = figures.liquidations();
        match self {
            Self::Survive if liquidations > 0 => {
                Verdict::Fail(format!("{liquidations} liquidated"))
            }
            Self::Survive => match &figures.halted {
                Some(why) => Verdict::Fail(format!("halted: {why}")),
                None => Verdict::Pass,
            },
            Self::LossBelow(bound) => {
                let loss = figures.loss_of_equity;
                let lost = || loss.map_or_else(|| "everything".to_owned(), percent);
                if liquidations > 1 {
                    return Verdict::Fail(format!("{liquidations} liquidated, one may be"));
                }
                match loss {
                    Some(loss) if loss < bound => Verdict::Pass,
                    _ => Verdict::Fail(format!("lost {} of the equity", lost())),
                }
            }
            Self::Report => Verdict::Pass,
        }
    }
}

/// `3 %`, `2.25 %`.
fn percent(share: Rate) -> String {
    let hundred = Fixed18::from_int(100);
    let percent = share.get().mul(hundred, Rounding::HalfEven);
    percent.map_or_else(
        |_| share.to_string(),
        |percent| format!("{:.2} %", Rate::new(percent).to_f64()),
    )
}

impl Figures {
    /// Positions and debts that were closed by somebody else.
    #[must_use]
    pub const fn liquidations(&self) -> u64 {
        self.liquidations_cex
            .saturating_add(self.liquidations_lending)
    }
}

impl Row {
    /// Whether it showed what it had to; absent where nothing was asked, or there was nothing to shock.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        if self.criterion == Criterion::Report {
            return None;
        }
        match &self.outcome {
            ScenarioOutcome::Skipped(_) => None,
            ScenarioOutcome::Failed(e) => Some(Verdict::Fail(format!("did not run: {e}"))),
            ScenarioOutcome::Ran(figures) => Some(match self.criterion.of(figures) {
                // What goes wrong is said even where the book stood flat at the instant itself.
                Verdict::Pass if !figures.was_held => Verdict::Flat,
                verdict => verdict,
            }),
        }
    }
}

/// One scenario over all of its instants.
#[derive(Clone, Copy, Debug)]
pub struct Worst<'a> {
    /// The row that fails, else the one that lost most.
    pub row: &'a Row,
    /// How many instants ran.
    pub ran: usize,
    /// At how many of them the mode held something.
    pub held: usize,
    /// How many had a liquidation.
    pub liquidated: usize,
    /// How many risk halted.
    pub halted: usize,
    /// How many did not show what they had to.
    pub failed: usize,
}

impl Worst<'_> {
    /// Whether the scenario had to show something and did not, at one instant or, for want of a book, at all.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let asked = self.row.criterion != Criterion::Report;
        asked && (self.failed > 0 || (self.ran > 0 && self.held == 0))
    }

    /// `pass`, `FAIL`, `flat` where the mode never held anything, or `-` where nothing was asked.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.row.criterion, self.is_failed()) {
            (Criterion::Report, _) => "-",
            (_, false) => "pass",
            (_, true) if self.failed == 0 => "flat",
            (_, true) => "FAIL",
        }
    }
}

/// Heads of [`Worst::cells`].
pub const WORST: [&str; 8] = [
    "criterion",
    "held",
    "liquidated",
    "halted",
    "worst",
    "at",
    "least distance",
    "verdict",
];

impl Worst<'_> {
    /// The cells for a human: what is asked, instants with a book, with a liquidation and with a halt, the worst
    /// loss over the equity, its instant, the least distance after it, and the verdict.
    #[must_use]
    pub fn cells(&self) -> [String; 8] {
        let none = || "-".to_owned();
        let figures = self.row.figures();
        let loss = figures.and_then(|figures| figures.loss_of_equity);
        let distance = figures.and_then(|figures| figures.least_distance);
        [
            self.row.criterion.text(),
            format!("{} of {}", self.held, self.ran),
            self.liquidated.to_string(),
            self.halted.to_string(),
            loss.map_or_else(none, percent),
            self.row.at.map_or_else(none, |at| at.to_string()),
            distance.map_or_else(none, |distance| format!("{:.3}", distance.to_f64())),
            self.verdict().to_owned(),
        ]
    }

    /// As `stress.json` has it.
    #[must_use]
    pub fn as_json(&self) -> Json {
        let figures = self.row.figures();
        let loss = figures.and_then(|figures| figures.loss_of_equity);
        json!({
            "scenario": self.row.name,
            "criterion": self.row.criterion.text(),
            "verdict": self.verdict(),
            "ran": self.ran,
            "held": self.held,
            "liquidated": self.liquidated,
            "halted": self.halted,
            "failed": self.failed,
            "at": self.row.at,
            "loss_of_equity": loss.map(|loss| loss.to_string()),
        })
    }
}

/// The worst of every scenario that ran, in the order in which `rows` first names them; the base is none.
#[must_use]
pub fn worst(rows: &[Row]) -> Vec<Worst<'_>> {
    let mut all: Vec<Worst<'_>> = Vec::new();
    for row in rows.iter().filter(|row| row.name != super::BASE) {
        if matches!(row.outcome, ScenarioOutcome::Skipped(_)) {
            continue;
        }
        let figures = row.figures();
        let one = |is: bool| usize::from(is);
        let own = Worst {
            row,
            ran: 1,
            held: one(figures.is_none_or(|figures| figures.was_held)),
            liquidated: one(figures.is_some_and(|figures| figures.liquidations() > 0)),
            halted: one(row.status() == "halted"),
            failed: one(is_fail(row)),
        };
        match all.iter_mut().find(|worst| worst.row.name == row.name) {
            None => all.push(own),
            Some(worst) => {
                worst.ran += 1;
                worst.held += own.held;
                worst.liquidated += own.liquidated;
                worst.halted += own.halted;
                worst.failed += own.failed;
                if is_worse(row, worst.row) {
                    worst.row = row;
                }
            }
        }
    }
    all
}

fn is_fail(row: &Row) -> bool {
    matches!(row.verdict(), Some(Verdict::Fail(_)))
}

/// A run that fails before one that does not, then more liquidations, a halt, the larger loss.
fn is_worse(one: &Row, other: &Row) -> bool {
    let key = |row: &Row| {
        let figures = row.figures();
        (
            is_fail(row),
            figures.map_or(u64::MAX, Figures::liquidations),
            row.status() == "halted",
            figures.and_then(|figures| figures.loss_of_equity),
        )
    };
    key(one).cmp(&key(other)) == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use basis_core::error::{Code, ComponentError};
    use basis_core::num::{Quantity, Value};
    use basis_core::types::Timestamp;

    use super::super::Safety;
    use super::*;

    fn figures(loss: &str) -> Figures {
        Figures {
            shock_at: None,
            equity_at_shock: Quantity::ZERO,
            equity_end: Quantity::ZERO,
            loss: Quantity::ZERO,
            loss_of_equity: Some(Rate::literal(loss)),
            max_drawdown: 0.0,
            least_distance: None,
            was_held: true,
            liquidations_cex: 0,
            liquidations_lending: 0,
            risk_actions: 0,
            first_action_after: None,
            safety: Safety::NotAsked,
            halted: None,
            residual: Value::ZERO,
        }
    }

    fn row(criterion: Criterion, figures: Figures) -> Row {
        Row {
            name: "a".to_owned(),
            outcome: ScenarioOutcome::Ran(Box::new(figures)),
            criterion,
            lost: None,
            at: None,
            to: Timestamp::EPOCH,
            shocks: Vec::new(),
            config_hash: String::new(),
        }
    }

    fn verdict(criterion: Criterion, change: impl FnOnce(&mut Figures)) -> Option<Verdict> {
        let mut own = figures("0.01");
        change(&mut own);
        row(criterion, own).verdict()
    }

    #[test]
    fn a_liquidation_or_a_halt_is_no_survival() {
        let survive = Criterion::Survive;
        assert_eq!(verdict(survive, |_| {}), Some(Verdict::Pass));
        let fails = |verdict| matches!(verdict, Some(Verdict::Fail(_)));
        assert!(fails(verdict(survive, |f| f.liquidations_cex = 1)));
        assert!(fails(verdict(survive, |f| f.liquidations_lending = 1)));
        assert!(fails(verdict(survive, |f| f.halted = Some("r".into()))));
        assert_eq!(
            verdict(survive, |f| f.was_held = false),
            Some(Verdict::Flat)
        );
        assert_eq!(verdict(Criterion::Report, |f| f.liquidations_cex = 3), None);
    }

    #[test]
    fn a_loss_is_held_against_its_bound_exactly() {
        let bound = Criterion::LossBelow(Rate::literal("0.03"));
        let lost = |loss: &str, liquidations| {
            let mut own = figures(loss);
            own.liquidations_cex = liquidations;
            row(bound, own).verdict()
        };
        assert_eq!(lost("0.029999999999999999", 1), Some(Verdict::Pass));
        let at = lost("0.03", 0);
        assert_eq!(
            at,
            Some(Verdict::Fail("lost 3.00 % of the equity".to_owned()))
        );
        assert!(matches!(lost("0.01", 2), Some(Verdict::Fail(_))));
        assert_eq!(bound.text(), "loss < 3.00 %");
    }

    #[test]
    fn a_scenario_that_did_not_run_or_met_no_book_does_not_pass() {
        let e = ComponentError::new(Code::Usage, "no");
        let failed = Row {
            outcome: ScenarioOutcome::Failed(e),
            ..row(Criterion::Survive, figures("0"))
        };
        assert!(matches!(failed.verdict(), Some(Verdict::Fail(_))));
        let mut flat = figures("0");
        flat.was_held = false;
        let rows = [row(Criterion::Survive, flat)];
        let [all] = &worst(&rows)[..] else {
            panic!("one scenario")
        };
        assert!(all.is_failed());
        assert_eq!(all.verdict(), "flat");
    }

    #[test]
    fn the_worst_instant_fails_first_and_loses_most_second() {
        let survive = Criterion::Survive;
        let mut liquidated = figures("0.001");
        liquidated.liquidations_cex = 2;
        let mut rows = vec![
            row(survive, figures("0.01")),
            row(survive, figures("0.02")),
            row(survive, figures("-0.5")),
        ];
        let worst_loss = |rows: &[Row]| worst(rows)[0].row.figures().and_then(|f| f.loss_of_equity);
        assert_eq!(worst_loss(&rows), Some(Rate::literal("0.02")));
        rows.insert(1, row(survive, liquidated));
        assert_eq!(worst_loss(&rows), Some(Rate::literal("0.001")));
        let all = worst(&rows);
        let counts = (all[0].ran, all[0].held, all[0].liquidated, all[0].failed);
        assert_eq!((all.len(), counts), (1, (4, 4, 1, 1)));
        assert_eq!(all[0].verdict(), "FAIL");
    }
}
