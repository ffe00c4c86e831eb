//! The tables of a run directory: which columns they have and what stands in a row.
//!
//! Tables of steps take them in chunks, so that a run may be written while it goes on.

use std::collections::BTreeMap;

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::Operation;
use basis_core::ledger::{EntryKind, LedgerEntry, TradeId};
use basis_core::num::{MathError, Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, InstrumentKey, Side, Timestamp};
use basis_core::venue_event::EventKey;
use basis_engine::exit::ExitCost;
use basis_engine::pnl::Attribution;
use basis_engine::result::{ExecutionRow, StepColumns};
use basis_market::{PriceState, is_dollar};

use super::holdings::{Holding, Holdings};
use super::in_share_class;
use crate::table::{Column, Kind, Rows};

/// The columns of `ledger`.
pub(crate) const LEDGER: [Column<'static>; 11] = [
    ("seq", Kind::Count),
    ("timestamp", Kind::Instant),
    ("account", Kind::Text),
    ("item", Kind::Text),
    ("quantity", Kind::Number),
    ("units", Kind::Number),
    ("value_usd", Kind::Number),
    ("kind", Kind::Text),
    ("instruction_id", Kind::Text),
    ("reference_price_usd", Kind::Number),
    ("cause", Kind::Text),
];

/// The columns of `executions`.
pub(super) const EXECUTIONS: [Column<'static>; 23] = [
    ("timestamp", Kind::Instant),
    ("instruction_id", Kind::Text),
    ("venue", Kind::Text),
    ("operation", Kind::Text),
    ("action", Kind::Text),
    ("status", Kind::Text),
    ("instrument", Kind::Text),
    ("side", Kind::Text),
    ("quantity_base", Kind::Number),
    ("price_quote", Kind::Number),
    ("mark_price_quote", Kind::Number),
    ("slippage_usd", Kind::Number),
    ("fee", Kind::Number),
    ("fee_asset", Kind::Text),
    ("fee_rate", Kind::Number),
    ("liquidity", Kind::Text),
    ("trade_id", Kind::Text),
    ("transfer_asset", Kind::Text),
    ("transfer_amount", Kind::Number),
    ("from_account", Kind::Text),
    ("to_account", Kind::Text),
    ("transaction", Kind::Text),
    ("request", Kind::Text),
];

/// The columns of `positions`.
pub(super) const POSITIONS: [Column<'static>; 13] = [
    ("timestamp", Kind::Instant),
    ("account", Kind::Text),
    ("item", Kind::Text),
    ("quantity", Kind::Number),
    ("units", Kind::Number),
    ("mark_price_usd", Kind::Number),
    ("mark_state", Kind::Text),
    ("value_usd", Kind::Number),
    ("open_cost_usd", Kind::Number),
    ("margin_balance_usd", Kind::Number),
    ("maintenance_margin_usd", Kind::Number),
    ("exit_cost_usd", Kind::Number),
    ("exit_hours", Kind::Number),
];

/// The columns of `equity`.
pub(super) fn equity_columns() -> Vec<Column<'static>> {
    let number = |name| (name, Kind::Number);
    let mut columns = vec![("timestamp", Kind::Instant)];
    columns.extend(["equity_usd", "equity_share_class", "external_flow_usd"].map(number));
    let buckets = Attribution::default();
    columns.extend(buckets.rows().iter().map(|(bucket, _)| number(*bucket)));
    let last = [
        "net_delta_base",
        "reference_price_usd",
        "peg_price_usd",
        "numeraire_share_class",
        "exit_value_usd",
        "exit_cost_usd",
        "exit_hours",
    ];
    columns.extend(last.map(number));
    columns
}

/// `equity`: one row per step.
#[derive(Debug)]
pub(super) struct Equity<T> {
    table: T,
    share_class: Asset,
    /// Equity and reference price of the step before.
    before: Option<(Value, Price)>,
}

impl<T: Rows> Equity<T> {
    pub(super) const fn new(table: T, share_class: Asset) -> Self {
        Self {
            table,
            share_class,
            before: None,
        }
    }

    /// What the move of the reference price did to the equity the step began with, in the share class.
    fn numeraire(&self, now: Price) -> Result<Quantity, MathError> {
        let Some((equity, then)) = self.before else {
            return Ok(Quantity::ZERO);
        };
        let class = |price| in_share_class(self.share_class, equity, price);
        class(now)?.sub(class(then)?)
    }

    /// Writes a row per step.
    pub(super) fn write(&mut self, steps: &StepColumns) -> Result<(), ComponentError> {
        let in_dollars = is_dollar(self.share_class);
        let money = steps.equity_usd.iter().zip(&steps.external_flow_usd);
        let rows = steps.at.iter().zip(money).zip(&steps.attribution);
        let rows = rows.zip(steps.net_delta.iter().zip(&steps.reference));
        let rows = rows.zip(&steps.exit);
        for (step, row) in rows.enumerate() {
            let ((((at, (equity, flow)), attribution), (delta, reference)), exit) = row;
            let numeraire = self.numeraire(*reference)?;
            self.before = Some((*equity, *reference));
            let table = &mut self.table;
            table.instant(*at);
            let peg = steps.peg.get(step);
            let usd = equity.add(peg.map_or(Value::ZERO, |peg| peg.value))?;
            let flow_usd = flow.add(peg.map_or(Value::ZERO, |peg| peg.flow))?;
            table.number(usd.get());
            table.number(in_share_class(self.share_class, *equity, *reference)?.get());
            table.number(flow_usd.get());
            for (_, value) in attribution.rows() {
                table.number(value.get());
            }
            table.number(delta.get());
            table.number(reference.get());
            match peg {
                Some(peg) => table.number(peg.price.get()),
                None => table.blank(1),
            }
            if in_dollars {
                table.blank(1);
            } else {
                table.number(numeraire.get());
            }
            table.number(usd.sub(exit.cost)?.get());
            table.number(exit.cost.get());
            hours(table, *exit);
            table.end()?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<u64, ComponentError> {
        self.table.finish()
    }
}

/// `ledger`: one row per ledger line, in posting order.
pub(super) fn ledger<T: Rows>(mut table: T, lines: &[LedgerEntry]) -> Result<u64, ComponentError> {
    for (line, seq) in lines.iter().zip(0..) {
        ledger_row(&mut table, seq, line)?;
    }
    table.finish()
}

/// One row of `ledger`.
pub(crate) fn ledger_row<T: Rows>(
    table: &mut T,
    seq: u64,
    line: &LedgerEntry,
) -> Result<(), ComponentError> {
    table.count(seq);
    table.instant(line.at);
    table.shown(&line.account);
    table.shown(&line.item);
    table.number(line.quantity.get());
    table.number(line.units.get());
    table.number(line.value.get());
    table.plain(line.kind.as_str());
    match line.instruction {
        Some(id) => table.shown(&id),
        None => table.blank(1),
    }
    table.number(line.reference_price.get());
    table.text(&line.cause);
    table.end()
}

/// `executions`: one row per fill, transfer or other confirmed instruction.
pub(super) fn executions<T: Rows>(
    mut table: T,
    rows: &[ExecutionRow],
    ledger: &[LedgerEntry],
) -> Result<u64, ComponentError> {
    let mut slippage = Slippage::of(ledger)?;
    for row in rows {
        table.instant(row.at);
        table.shown(&row.instruction);
        table.shown(&row.venue);
        table.plain(&row.operation);
        table.plain(&row.action);
        table.plain(&row.status);
        fill_fields(&mut table, row, &mut slippage);
        match row.transfer {
            Some((asset, amount, from, to)) => {
                table.shown(&asset);
                table.number(amount.get());
                table.shown(&from);
                table.shown(&to);
            }
            None => table.blank(4),
        }
        match &row.transaction {
            Some((hash, operation)) => {
                table.plain(hash);
                table.text(&json(operation)?);
            }
            None => table.blank(2),
        }
        table.end()?;
    }
    table.finish()
}

/// What was asked of the chain, in the form `basis instruct` takes.
fn json(operation: &Operation) -> Result<String, ComponentError> {
    serde_json::to_string(operation).map_err(|e| {
        let kind = operation.kind();
        ComponentError::new(Code::OutputFailed, format!("request of a {kind}: {e}"))
    })
}

fn fill_fields<T: Rows>(table: &mut T, row: &ExecutionRow, slippage: &mut Slippage<'_>) {
    let Some(fill) = &row.fill else {
        let of_transaction = row.transaction.as_ref();
        match of_transaction.and_then(|(hash, _)| slippage.transactions.remove(&**hash)) {
            Some(lost) => {
                table.blank(5);
                table.number(lost.get());
                table.blank(5);
            }
            None => table.blank(11),
        }
        return;
    };
    let key = (fill.account, fill.instrument, &fill.trade, fill.side);
    let lost = slippage.fills.get(&key).copied();
    table.shown(&fill.instrument);
    table.plain(fill.side.as_str());
    table.number(fill.quantity.get());
    table.number(fill.price.get());
    table.number(fill.reference.get());
    table.number(lost.unwrap_or_default().get());
    table.number(fill.fee.get());
    table.shown(&fill.fee_asset);
    table.number(fill.fee_rate.get());
    table.plain(fill.liquidity.as_str());
    table.text(&fill.trade);
}

/// What the `trade` lines of fills and transactions gained against their marks.
#[derive(Debug, Default)]
struct Slippage<'a> {
    /// By what the key of a fill holds.
    fills: BTreeMap<(Account, InstrumentKey, &'a TradeId, Side), Value>,
    /// By hash, of transactions that traded.
    transactions: BTreeMap<String, Value>,
}

impl<'a> Slippage<'a> {
    /// Σ units × reference price − value over the lines of kind `trade`: the same sum as the bucket, so that
    /// the column adds up to it to the last digit.
    fn of(ledger: &'a [LedgerEntry]) -> Result<Self, MathError> {
        let mut sums = Self::default();
        for line in ledger.iter().filter(|line| line.kind == EntryKind::Trade) {
            let sum = match &*line.cause.event {
                EventKey::Fill {
                    account,
                    instrument,
                    trade,
                    side,
                } => {
                    let key = (*account, *instrument, trade, *side);
                    sums.fills.entry(key).or_default()
                }
                EventKey::Transaction { hash, .. } => {
                    sums.transactions.entry(hash.to_string()).or_default()
                }
                _ => continue,
            };
            let at_mark = line
                .units
                .notional(line.reference_price, Rounding::HalfEven)?;
            *sum = sum.add(at_mark)?.sub(line.value)?;
        }
        Ok(sums)
    }
}

/// `positions`: one row per step and holding, replayed from the ledger.
#[derive(Debug)]
pub(super) struct Positions<T> {
    table: T,
    holdings: Holdings,
}

impl<T: Rows> Positions<T> {
    pub(super) const fn new(table: T, share_class: Asset) -> Self {
        Self {
            table,
            holdings: Holdings::new(share_class),
        }
    }

    /// Writes the rows of the steps that follow those written before; `ledger` holds the lines that
    /// were posted within them.
    pub(super) fn write(
        &mut self,
        steps: &StepColumns,
        ledger: &[LedgerEntry],
    ) -> Result<(), ComponentError> {
        self.holdings.begin(steps);
        let mut lines = ledger.iter();
        for (step, (at, rows)) in steps.at.iter().zip(&steps.ledger_rows).enumerate() {
            self.holdings.advance(*rows, &mut lines, steps)?;
            let mut shown = None;
            for holding in self.holdings.iter() {
                let is_first = shown != Some(holding.account);
                let exit = is_first.then(|| exit_of(steps, step, holding.account));
                if position_row(
                    &mut self.table,
                    steps,
                    (*at, step),
                    (holding, exit.flatten()),
                )? {
                    shown = Some(holding.account);
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<u64, ComponentError> {
        self.table.finish()
    }
}

fn position_row<T: Rows>(
    table: &mut T,
    steps: &StepColumns,
    (at, step): (Timestamp, usize),
    (holding, exit): (&Holding, Option<ExitCost>),
) -> Result<bool, ComponentError> {
    let margin = holding.margin(steps, step);
    if holding.is_empty() && margin.is_none() {
        return Ok(false);
    }
    table.instant(at);
    table.plain(&holding.account_name);
    table.plain(&holding.item_name);
    table.number(holding.quantity.get());
    table.number(holding.units.get());
    match holding.mark(steps, step) {
        Some((mark, state)) => {
            table.number(mark.get());
            table.plain(state.map_or("par", state_name));
            table.number(holding.value(mark)?.get());
        }
        None => {
            table.blank(1);
            table.plain("unpriced");
            table.blank(1);
        }
    }
    if holding.is_position {
        table.number(holding.open_cost.get());
    } else {
        table.blank(1);
    }
    match margin {
        Some((balance, required)) => {
            table.number(balance.get());
            table.number(required.get());
        }
        None => table.blank(2),
    }
    match exit {
        Some(exit) => {
            table.number(exit.cost.get());
            hours(table, exit);
        }
        None => table.blank(2),
    }
    table.end()?;
    Ok(true)
}

/// What leaving `account` takes after `step`; `None` where it takes nothing.
fn exit_of(steps: &StepColumns, step: usize, account: Account) -> Option<ExitCost> {
    let column = steps
        .exits
        .iter()
        .find(|column| column.account == account)?;
    let exit = *column.exit.get(step)?;
    (exit != ExitCost::NONE).then_some(exit)
}

/// The hours of an exit; blank while a market that it needs cannot be traded.
fn hours<T: Rows>(table: &mut T, exit: ExitCost) {
    match exit.hours {
        Some(hours) => table.number(hours),
        None => table.blank(1),
    }
}

const fn state_name(state: PriceState) -> &'static str {
    match state {
        PriceState::Fresh => "fresh",
        PriceState::Proxied => "proxied",
        PriceState::Held => "held",
        PriceState::Missing => "missing",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::directory::tests::Scratch;
    use crate::table::csv::Table;

    /// The lines of `name`, its steps written one by one.
    fn lines(name: &str) -> Vec<String> {
        let scratch = Scratch::new(&format!("csv-{name}"));
        let result = sample::result();
        let class = result.share_class;
        let table =
            |columns: &[Column<'_>]| Table::with_header(&scratch.path, name, columns).unwrap();
        let bytes = match name {
            "equity.csv" => {
                let mut equity = Equity::new(table(&equity_columns()), class);
                for (steps, _) in sample::step_by_step(&result) {
                    equity.write(&steps).unwrap();
                }
                equity.finish()
            }
            "positions.csv" => {
                let mut positions = Positions::new(table(&POSITIONS), class);
                for (steps, ledger) in sample::step_by_step(&result) {
                    positions.write(&steps, &ledger).unwrap();
                }
                positions.finish()
            }
            "ledger.csv" => ledger(table(&LEDGER), &result.ledger),
            _ => executions(table(&EXECUTIONS), &result.executions, &result.ledger),
        }
        .unwrap();
        let text = std::fs::read_to_string(scratch.path.join(name)).unwrap();
        assert_eq!(bytes, text.len() as u64);
        let columns = text.lines().next().unwrap().split(',').count();
        for line in text.lines() {
            // Quoted fields of these tests hold one comma each.
            let quoted = line.matches("a,\"\"b").count();
            assert_eq!(line.split(',').count() - quoted, columns, "{line}");
        }
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn equity_has_a_column_per_bucket() {
        let rows = lines("equity.csv");
        assert_eq!(
            rows,
            [
                "timestamp,equity_usd,equity_share_class,external_flow_usd,price,basis,funding,\
                 interest,borrow_cost,staking_yield,rewards,liquidity_fees,slippage,fees,gas,transfer_cost,liquidation,peg,residual,\
                 net_delta_base,reference_price_usd,peg_price_usd,numeraire_share_class,exit_value_usd,exit_cost_usd,exit_hours",
                "2024-05-01T01:00:00Z,99957.978,99957.978,100000,0,0,0,0,0,0,0,0,-12,-30.022,0,0,0,0,0,0,60000,,,99945.478,12.5,1",
                "2024-05-01T02:00:00Z,99913.998,99913.998,0,0,-50,6.02,0,0,0,0,0,0,0,0,0,0,0,0,0.25,60100,,,99900.248,13.75,",
            ]
        );
    }

    #[test]
    fn positions_follow_the_ledger_to_the_end_of_each_step() {
        let rows = lines("positions.csv");
        assert_eq!(
            rows.get(1..).unwrap(),
            [
                "2024-05-01T01:00:00Z,binance.spot,BTC,1,1,60000,fresh,60000,,,,,",
                "2024-05-01T01:00:00Z,binance.spot,USDT,9994,9994,1,par,9994,,,,,",
                "2024-05-01T01:00:00Z,binance.usdm,USDT,29969.978,29969.978,1,par,29969.978,,29963.978,240,12.5,1",
                "2024-05-01T01:00:00Z,binance.usdm,binance:perp:BTCUSDT,-1,-1,60050,fresh,-6,-60044,,,,",
                "2024-05-01T02:00:00Z,binance.spot,BTC,1,1,60100,fresh,60100,,,,,",
                "2024-05-01T02:00:00Z,binance.spot,USDT,9994,9994,1,par,9994,,,,,",
                "2024-05-01T02:00:00Z,binance.usdm,USDT,29936.998,29936.998,1,par,29936.998,,29819.998,180.6,13.75,",
                "2024-05-01T02:00:00Z,binance.usdm,binance:perp:BTCUSDT,-0.75,-0.75,60200,held,-117,-45033,,,,",
            ]
        );
    }

    #[test]
    fn executions_say_what_each_fill_lost_against_its_mark() {
        let rows = lines("executions.csv");
        let slippage = |row: usize| rows[row].split(',').nth(11).unwrap().to_owned();
        assert_eq!(
            (slippage(1), slippage(2), slippage(3)),
            ("-6".into(), "-6".into(), "".into())
        );
        assert!(rows[2].contains(",taker,\"a,\"\"b\"\"\","), "{}", rows[2]);
        assert!(
            rows[3].ends_with(",USDT,5,binance.spot,wallet.main,,"),
            "{}",
            rows[3]
        );
    }

    #[test]
    fn ledger_rows_are_numbered_and_carry_their_cause() {
        let rows = lines("ledger.csv");
        assert_eq!(
            rows[7],
            "6,2024-05-01T02:00:00Z,binance.usdm,USDT,6.02,6.02,6.02,funding,,1,\
             funding:binance.usdm:binance:perp:BTCUSDT:cross:2024-05-01T02:00:00Z#0"
        );
        assert_eq!(rows.len(), 10);
    }
}
