//! One step of the columns as a row: what a journal keeps of it.

use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{Account, Timestamp};
use basis_market::PriceState;
use serde::{Deserialize, Serialize};

use crate::account::{RiskMeasure, RiskRow, RiskSubject};
use crate::exit::{AccountExit, ExitCost};
use crate::peg::PegStep;
use crate::pnl::Attribution;
use crate::result::{MarginColumn, StepColumns};
use crate::risk::RiskLevel;

/// One step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StepRow {
    at: Timestamp,
    equity_usd: Value,
    external_flow_usd: Value,
    peg: Option<PegStep>,
    attribution: Attribution,
    net_delta: Quantity,
    reference: Price,
    ledger_rows: u32,
    parked: bool,
    prices: Vec<(Price, PriceState)>,
    tokens: Vec<(Price, PriceState)>,
    margins: Vec<(Account, Value, Value)>,
    exit: ExitCost,
    exits: Vec<(Account, ExitCost)>,
    risk: Vec<(RiskSubject, RiskLevel, RiskMeasure)>,
    gross_delta: Quantity,
    level: RiskLevel,
}

impl StepRow {
    /// The last step of `columns`; `None` without one.
    pub(crate) fn last_of(columns: &StepColumns) -> Option<Self> {
        let risk = &columns.risk;
        let last = columns.at.len().checked_sub(1)?;
        let prices = columns.prices.iter();
        let prices = prices.map(|column| Some((*column.mark.last()?, *column.state.last()?)));
        let tokens = columns.tokens.iter();
        let tokens = tokens.map(|column| Some((*column.price.last()?, *column.state.last()?)));
        let margins = columns.margins.iter().map(|column| {
            let balance = *column.margin_balance.last()?;
            Some((column.account, balance, *column.maintenance_margin.last()?))
        });
        let exits = columns.exits.iter();
        let exits = exits.map(|column| Some((column.account, *column.exit.last()?)));
        let rows = risk.rows_of(last).iter();
        let rows = rows.map(|row| {
            let subject = risk.subjects.get(row.subject)?;
            Some((*subject, row.level, row.standing))
        });
        Some(Self {
            at: *columns.at.last()?,
            equity_usd: *columns.equity_usd.last()?,
            external_flow_usd: *columns.external_flow_usd.last()?,
            peg: columns.peg.last().copied(),
            attribution: *columns.attribution.last()?,
            net_delta: *columns.net_delta.last()?,
            reference: *columns.reference.last()?,
            ledger_rows: *columns.ledger_rows.last()?,
            parked: *columns.parked.last()?,
            prices: prices.collect::<Option<_>>()?,
            tokens: tokens.collect::<Option<_>>()?,
            margins: margins.collect::<Option<_>>()?,
            exit: *columns.exit.last()?,
            exits: exits.collect::<Option<_>>()?,
            risk: rows.collect::<Option<_>>()?,
            gross_delta: *risk.gross_delta.last()?,
            level: *risk.level.last()?,
        })
    }

    /// Adds the step to `columns` of the same series; `false`, with nothing whole added, when they are of
    /// others.
    pub(crate) fn add_to(self, columns: &mut StepColumns) -> bool {
        if self.prices.len() != columns.prices.len() || self.tokens.len() != columns.tokens.len() {
            return false;
        }
        let done = columns.at.len();
        columns.at.push(self.at);
        columns.equity_usd.push(self.equity_usd);
        columns.external_flow_usd.push(self.external_flow_usd);
        columns.peg.extend(self.peg);
        columns.attribution.push(self.attribution);
        columns.net_delta.push(self.net_delta);
        columns.reference.push(self.reference);
        columns.ledger_rows.push(self.ledger_rows);
        columns.parked.push(self.parked);
        for (column, (mark, state)) in columns.prices.iter_mut().zip(self.prices) {
            column.mark.push(mark);
            column.state.push(state);
        }
        for (column, (price, state)) in columns.tokens.iter_mut().zip(self.tokens) {
            column.price.push(price);
            column.state.push(state);
        }
        for (account, balance, maintenance) in self.margins {
            let known = columns
                .margins
                .iter()
                .position(|own| own.account == account);
            let place = known.unwrap_or_else(|| {
                let empty = vec![Value::ZERO; done];
                columns.margins.push(MarginColumn {
                    account,
                    margin_balance: empty.clone(),
                    maintenance_margin: empty,
                });
                columns.margins.len() - 1
            });
            if let Some(column) = columns.margins.get_mut(place) {
                column.margin_balance.push(balance);
                column.maintenance_margin.push(maintenance);
            }
        }
        let exits = self.exits.into_iter();
        let exits: Vec<_> = exits
            .map(|(account, exit)| AccountExit { account, exit })
            .collect();
        columns.push_exit(self.exit, &exits);
        let risk = &mut columns.risk;
        for (subject, level, standing) in self.risk {
            let known = risk.subjects.iter().position(|own| *own == subject);
            let place = known.unwrap_or_else(|| {
                risk.subjects.push(subject);
                risk.subjects.len() - 1
            });
            risk.rows.push(RiskRow {
                subject: place,
                level,
                standing,
            });
        }
        risk.row_ends.push(risk.rows.len());
        risk.gross_delta.push(self.gross_delta);
        risk.level.push(self.level);
        true
    }

    /// The step's instant and reference price.
    pub(crate) const fn reference(&self) -> (Timestamp, Price) {
        (self.at, self.reference)
    }
}
