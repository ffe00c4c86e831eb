//! The result of `basis stress`: as JSON, as a page, as tables for people.

use std::collections::BTreeMap;

use basis_core::types::Timestamp;
use basis_report::stress::page::{self, Page};
use basis_report::stress::{Row, Verdict, WORST, Worst, cells, worst};
use comfy_table::{CellAlignment, Table};
use serde_json::{Value as Json, json};

use super::report::table;
use crate::assembly::{Setup, versions};

/// The table of one mode.
pub(super) struct Stressed {
    pub(super) mode: String,
    /// The base run's configuration.
    pub(super) setup: Setup,
    /// What `T` stands for where that is one instant.
    pub(super) at: Option<Timestamp>,
    /// Everything that it stands for.
    pub(super) instants: Vec<Timestamp>,
    pub(super) synthetic: bool,
    pub(super) source: String,
    pub(super) rows: Vec<Row>,
    pub(super) timing: Json,
}

impl Stressed {
    pub(super) fn page(&self) -> String {
        let config = self.setup.run();
        let about = Page {
            mode: &self.mode,
            share_class: config.share_class,
            synthetic: self.synthetic,
            source: &self.source,
            range: (config.from, config.to),
            instants: &self.instants,
        };
        page::page(about, &self.rows)
    }

    pub(super) fn as_json(&self) -> Json {
        let config = self.setup.run();
        let shocks: Vec<_> = config.shocks().map(|shock| shock.text()).collect();
        let rows: Vec<_> = self.rows.iter().map(Row::as_json).collect();
        let count = |status: &str| {
            self.rows
                .iter()
                .filter(|row| row.status() == status)
                .count()
        };
        json!({
            "mode": self.mode,
            "share_class": config.share_class,
            "synthetic": self.synthetic,
            "data_source": self.source,
            "from": config.from,
            "to": config.to,
            "at": self.at,
            "instants": self.instants,
            "worst": worst(&self.rows).iter().map(Worst::as_json).collect::<Vec<_>>(),
            "shocks": shocks,
            "rows": rows,
            "skipped": count("skipped"),
            "failed": count("failed"),
            "versions": versions().into_iter().collect::<BTreeMap<_, _>>(),
            "timing": self.timing,
        })
    }

    /// What scenarios had to show and did not, a line each.
    pub(super) fn unshown(&self) -> Vec<String> {
        let failed = worst(&self.rows).into_iter().filter(Worst::is_failed);
        let line = |worst: Worst<'_>| {
            let row = worst.row;
            let at = row.at.map_or_else(String::new, |at| format!(" at {at}"));
            let what = match row.verdict() {
                Some(Verdict::Fail(why)) => format!("{why}{at}"),
                _ => "the mode held nothing at any of its instants".to_owned(),
            };
            let (count, ran) = (worst.failed, worst.ran);
            format!(
                "\n  {} {} ({}): {what} ({count} of {ran} instants)",
                self.mode,
                row.name,
                row.criterion.text()
            )
        };
        failed.map(line).collect()
    }

    /// The table for people.
    pub(super) fn human(&self) -> String {
        let config = self.setup.run();
        let synthetic = if self.synthetic {
            "  [SYNTHETIC DATA]"
        } else {
            ""
        };
        let when = match self.at {
            Some(at) => format!("T = {at}"),
            None => format!("{} instants", self.instants.len()),
        };
        let (ran, legend) = match self.at {
            Some(_) => (self.single(), LEGEND),
            None => (self.worst(), LEGEND_WORST),
        };
        let mut text = format!(
            "{}  {} to {}, {when}{synthetic}\n\n{ran}\n{legend}\n",
            self.mode, config.from, config.to
        );
        for (status, title) in [("skipped", "skipped"), ("failed", "FAILED")] {
            let mut why = table(&[title, "because"]);
            let mut names: Vec<&str> = Vec::new();
            for row in self.rows.iter().filter(|row| row.status() == status) {
                // Of several instants the first says why.
                if !names.contains(&row.name.as_str()) {
                    names.push(&row.name);
                    why.add_row([&row.name, row.message().unwrap_or_default()]);
                }
            }
            if !names.is_empty() {
                text.push_str(&format!("\n{why}\n"));
            }
        }
        text
    }

    /// A line per scenario of one instant.
    fn single(&self) -> Table {
        let loss = format!("loss {}", self.setup.run().share_class);
        let mut ran = table(&[
            "scenario",
            &loss,
            "of equity",
            "drawdown",
            "liquidated",
            "risk acts",
            "first",
            "safe",
            "residual",
            "end",
        ]);
        // Every figure stands on its line; a table that is too wide for one is no table.
        ran.set_width(140);
        for row in &self.rows {
            if let Some(figures) = row.figures() {
                let mut line = vec![row.name.clone()];
                line.extend(cells(figures));
                line.push(row.status().to_owned());
                ran.add_row(line);
            }
        }
        align(&mut ran);
        ran
    }

    /// A line per scenario with the worst of its instants.
    fn worst(&self) -> Table {
        let mut header = vec!["scenario"];
        header.extend(WORST);
        let mut all = table(&header);
        all.set_width(160);
        for worst in worst(&self.rows) {
            let name = [worst.row.name.clone()];
            all.add_row(name.into_iter().chain(worst.cells()));
        }
        align(&mut all);
        all
    }
}

const LEGEND: &str = "loss: against the base run, at the end; liquidated: by exchanges / by lenders; first, \
                      safe: after the shock";

const LEGEND_WORST: &str = "held: instants at which the mode held something; liquidated, halted: instants; \
                            worst: loss against the base run, at its end";

/// Figures to the right.
fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1).take(8) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
