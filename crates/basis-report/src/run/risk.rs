//! `risk`: how far everything that can be liquidated is from it, step by step; and the worst of it for
//! the summary.

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding};
use basis_engine::account::{RiskMeasure, RiskSubject, RiskSummary, WorstRisk};
use basis_engine::result::StepColumns;
use serde_json::{Value as Json, json};

use crate::table::{Column, Kind, Rows};

/// The columns of `risk`.
pub(super) const RISK: [Column<'static>; 14] = [
    ("timestamp", Kind::Instant),
    ("account", Kind::Text),
    ("item", Kind::Text),
    ("measure", Kind::Text),
    ("value", Kind::Number),
    ("level", Kind::Text),
    ("price_distance_fraction", Kind::Number),
    ("price_direction", Kind::Text),
    ("lst_rate_distance_fraction", Kind::Number),
    ("time_to_liquidation_days", Kind::Number),
    ("net_delta_base", Kind::Number),
    ("gross_delta_base", Kind::Number),
    ("net_delta_fraction", Kind::Number),
    ("run_level", Kind::Text),
];

/// Parts of a day that times are given in: a float has no more to say.
const DAY_PARTS: i64 = 10_000;

/// What a subject is called in a row.
#[derive(Debug)]
struct Name {
    account: String,
    item: String,
}

impl Name {
    fn of(subject: &RiskSubject) -> Self {
        let text = |shown: Option<String>| shown.unwrap_or_default();
        Self {
            account: text(subject.account.map(|account| account.to_string())),
            item: text(subject.item.map(|item| item.to_string())),
        }
    }
}

/// `risk`: one row per step and subject.
#[derive(Debug)]
pub(super) struct Risk<T> {
    table: T,
    names: Vec<Name>,
}

impl<T: Rows> Risk<T> {
    pub(super) const fn new(table: T) -> Self {
        Self {
            table,
            names: Vec::new(),
        }
    }

    /// Writes the rows of the steps.
    pub(super) fn write(&mut self, steps: &StepColumns) -> Result<(), ComponentError> {
        let risk = &steps.risk;
        let fresh = risk.subjects.get(self.names.len()..).unwrap_or_default();
        self.names.extend(fresh.iter().map(Name::of));
        let deltas = steps.net_delta.iter().zip(&risk.gross_delta);
        let rows = steps.at.iter().zip(deltas).zip(&risk.level).enumerate();
        for (step, ((at, (net, gross)), level)) in rows {
            for row in risk.rows_of(step) {
                let table = &mut self.table;
                table.instant(*at);
                match self.names.get(row.subject) {
                    Some(name) => {
                        text(table, &name.account);
                        text(table, &name.item);
                    }
                    None => table.blank(2),
                }
                table.plain(row.standing.measure());
                table.number(row.standing.value().get());
                table.plain(row.level.as_str());
                standing_fields(table, &row.standing);
                table.number(net.get());
                table.number(gross.get());
                number(table, net_fraction(*net, *gross));
                table.plain(level.as_str());
                table.end()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<u64, ComponentError> {
        self.table.finish()
    }
}

fn text<T: Rows>(table: &mut T, text: &str) {
    if text.is_empty() {
        table.blank(1);
    } else {
        table.plain(text);
    }
}

fn number<T: Rows>(table: &mut T, rate: Option<Rate>) {
    match rate {
        Some(rate) => table.number(rate.get()),
        None => table.blank(1),
    }
}

fn standing_fields<T: Rows>(table: &mut T, standing: &RiskMeasure) {
    match standing.distance() {
        Some((distance, direction)) => {
            table.number(distance.get());
            table.plain(direction.as_str());
        }
        None => table.blank(2),
    }
    let rate_distance = match standing {
        RiskMeasure::Lending(lending) => lending.rate_distance(),
        RiskMeasure::Margin(_) | RiskMeasure::Token(_) => None,
    };
    number(table, rate_distance);
    number(table, standing.days().and_then(days));
}

/// Days, to the nearest of [`DAY_PARTS`].
fn days(days: f64) -> Option<Rate> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most a thousand years, which a float counts in such parts exactly"
    )]
    let parts = (days * DAY_PARTS as f64).round() as i64;
    let days = Fixed18::from_ratio(parts, DAY_PARTS, Rounding::HalfEven);
    days.ok().map(Rate::new)
}

/// Net over gross delta; none without any.
fn net_fraction(net: Quantity, gross: Quantity) -> Option<Rate> {
    if gross.is_zero() {
        return None;
    }
    net.ratio(gross, Rounding::HalfEven).ok()
}

/// The worst of the run, as `summary.json` has it.
pub(super) fn summary(risk: &RiskSummary) -> Json {
    json!({
        "level": risk.level.as_str(),
        "worst": risk.worst.iter().map(worst).collect::<Vec<_>>(),
    })
}

fn worst(worst: &WorstRisk) -> Json {
    let distance = worst.standing.distance();
    json!({
        "account": worst.subject.account.map(|account| account.to_string()),
        "item": worst.subject.item.map(|item| item.to_string()),
        "measure": worst.standing.measure(),
        "value": worst.value.to_string(),
        "at": worst.at,
        "distance": distance.map(|(distance, _)| distance.to_string()),
        "direction": distance.map(|(_, direction)| direction.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::directory::tests::Scratch;
    use crate::table::csv::Table;

    #[test]
    fn every_account_and_token_has_a_row_per_step() {
        let scratch = Scratch::new("risk");
        let result = sample::result();
        let table = Table::with_header(&scratch.path, "risk.csv", &RISK).unwrap();
        let mut risk = Risk::new(table);
        for (steps, _) in sample::step_by_step(&result) {
            risk.write(&steps).unwrap();
        }
        let bytes = risk.finish().unwrap();
        let text = std::fs::read_to_string(scratch.path.join("risk.csv")).unwrap();
        assert_eq!(bytes, text.len() as u64);
        let columns: Vec<_> = RISK.iter().map(|(name, _)| *name).collect();
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(
            rows,
            [
                columns.join(",").as_str(),
                "2024-05-01T01:00:00Z,binance.usdm,,margin_ratio,0.008009617414616978,clear,\
                 0.493016719190578868,up,,1234.5682,0,2,0,clear",
                "2024-05-01T02:00:00Z,binance.usdm,,margin_ratio,0.006056338434362069,clear,\
                 0.653849673289124785,up,,,0.25,1.75,0.142857142857142857,clear",
                "2024-05-01T02:00:00Z,aave.main,,health_factor,1.25,clear,0.2,down,0.4,,0.25,1.75,\
                 0.142857142857142857,clear",
                "2024-05-01T02:00:00Z,,weETH,lst_discount,0.05,clear,,,,,0.25,1.75,\
                 0.142857142857142857,clear",
            ]
        );
    }

    #[test]
    fn the_summary_has_the_worst_of_each_and_its_distance() {
        let worst = summary(&sample::result().risk);
        assert_eq!(worst["worst"].as_array().unwrap().len(), 3);
        assert_eq!(worst["worst"][1]["distance"], "0.2");
        assert_eq!(worst["worst"][2]["item"], "weETH");
        assert_eq!(worst["worst"][2]["account"], Json::Null);
        assert_eq!(worst["worst"][2]["distance"], Json::Null);
    }
}
