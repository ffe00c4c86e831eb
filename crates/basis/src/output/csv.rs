//! Tables of a run directory, one writer per file.
//!
//! Rows are put together by hand in one buffer per file: a year of hours has a hundred thousand rows
//! of positions, and formatting through the standard machinery would take longer than the run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use basis_core::error::ComponentError;
use basis_core::ledger::{EntryKind, LedgerEntry, Occurrence, TradeId};
use basis_core::market::PriceState;
use basis_core::num::{Fixed18, MathError, Rounding, Value};
use basis_core::types::{InstrumentKey, Timestamp};
use basis_engine::pnl::Attribution;
use basis_engine::result::{ExecutionRow, RunResult};

use super::directory::failed;
use super::holdings::{Holding, Holdings};
use super::in_share_class;

/// Bytes gathered before they go to the file.
const CHUNK: usize = 1 << 20;

/// One file being written.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    file: File,
    pub(super) row: Vec<u8>,
    written: u64,
}

impl Table {
    pub(super) fn create(directory: &Path, name: &str) -> Result<Self, ComponentError> {
        let path = directory.join(name);
        let file = File::create(&path).map_err(|e| failed(&path, &e))?;
        Ok(Self {
            path,
            file,
            row: Vec::with_capacity(CHUNK + (CHUNK >> 3)),
            written: 0,
        })
    }

    /// Ends the row; the field before it ended with a comma that becomes the line end.
    fn end(&mut self) -> Result<(), ComponentError> {
        if let Some(last) = self.row.last_mut() {
            *last = b'\n';
        }
        self.flush_from(CHUNK)
    }

    /// Writes the buffer out once it holds `least` bytes.
    pub(super) fn flush_from(&mut self, least: usize) -> Result<(), ComponentError> {
        if self.row.len() >= least {
            self.file
                .write_all(&self.row)
                .map_err(|e| failed(&self.path, &e))?;
            self.written += self.row.len() as u64;
            self.row.clear();
        }
        Ok(())
    }

    /// Writes the rest and returns how many bytes the file has.
    pub(super) fn finish(mut self) -> Result<u64, ComponentError> {
        self.flush_from(1)?;
        Ok(self.written)
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.row.extend_from_slice(bytes);
        self.row.push(b',');
    }

    fn number(&mut self, number: Fixed18) {
        number.write_decimal(&mut self.row);
        self.row.push(b',');
    }

    fn instant(&mut self, at: Timestamp) {
        at.write_iso(&mut self.row);
        self.row.push(b',');
    }

    fn shown(&mut self, value: &impl std::fmt::Display) {
        write!(self.row, "{value}").expect("invariant: a Vec takes every write");
        self.row.push(b',');
    }

    /// Text that others chose: quoted where a comma, quote or line end needs it.
    fn text(&mut self, value: &impl std::fmt::Display) {
        let start = self.row.len();
        self.shown(value);
        let field = self.row.get(start..self.row.len() - 1).unwrap_or_default();
        if field
            .iter()
            .any(|c| matches!(c, b',' | b'"' | b'\n' | b'\r'))
        {
            let quoted = String::from_utf8_lossy(field).replace('"', "\"\"");
            self.row.truncate(start);
            self.row.push(b'"');
            self.row.extend_from_slice(quoted.as_bytes());
            self.row.extend_from_slice(b"\",");
        }
    }

    fn blank(&mut self, fields: usize) {
        self.row.resize(self.row.len() + fields, b',');
    }
}

/// `equity.csv`: one row per step.
pub(super) fn equity(directory: &Path, result: &RunResult) -> Result<u64, ComponentError> {
    let mut table = Table::create(directory, "equity.csv")?;
    table.raw(b"timestamp,equity_usd,equity_share_class,external_flow_usd");
    for (bucket, _) in Attribution::default().rows() {
        table.raw(bucket.as_bytes());
    }
    table.raw(b"net_delta_base,reference_price_usd");
    table.end()?;
    let steps = &result.steps;
    let money = steps.equity_usd.iter().zip(&steps.external_flow_usd);
    let rows = steps.at.iter().zip(money).zip(&steps.attribution);
    let rows = rows.zip(steps.net_delta.iter().zip(&steps.reference));
    for (((at, (equity, flow)), attribution), (delta, reference)) in rows {
        table.instant(*at);
        table.number(equity.get());
        table.number(in_share_class(result, *equity, *reference)?.get());
        table.number(flow.get());
        for (_, value) in attribution.rows() {
            table.number(value.get());
        }
        table.number(delta.get());
        table.number(reference.get());
        table.end()?;
    }
    table.finish()
}

/// `ledger.csv`: one row per ledger line, in posting order.
pub(super) fn ledger(directory: &Path, result: &RunResult) -> Result<u64, ComponentError> {
    let mut table = Table::create(directory, "ledger.csv")?;
    table.raw(
        b"seq,timestamp,account,item,quantity,value_usd,kind,instruction_id,reference_price_usd,cause",
    );
    table.end()?;
    for (seq, line) in result.ledger.iter().enumerate() {
        table.shown(&seq);
        table.instant(line.at);
        table.shown(&line.account);
        table.shown(&line.item);
        table.number(line.quantity.get());
        table.number(line.value.get());
        table.raw(line.kind.as_str().as_bytes());
        match line.instruction {
            Some(id) => table.shown(&id),
            None => table.blank(1),
        }
        table.number(line.reference_price.get());
        table.text(&line.cause);
        table.end()?;
    }
    table.finish()
}

/// `executions.csv`: one row per fill, transfer or other confirmed instruction.
pub(super) fn executions(directory: &Path, result: &RunResult) -> Result<u64, ComponentError> {
    let mut table = Table::create(directory, "executions.csv")?;
    table.raw(
        b"timestamp,instruction_id,venue,operation,action,status,instrument,side,quantity_base,\
          price_quote,mark_price_quote,slippage_usd,fee,fee_asset,fee_rate,liquidity,trade_id,\
          transfer_asset,transfer_amount,from_account,to_account",
    );
    table.end()?;
    let slippage = slippage_of(&result.ledger)?;
    for row in &result.executions {
        table.instant(row.at);
        table.shown(&row.instruction);
        table.shown(&row.venue);
        table.raw(row.operation.as_bytes());
        table.raw(row.action.as_bytes());
        table.raw(row.status.as_bytes());
        fill_fields(&mut table, row, &slippage);
        match row.transfer {
            Some((asset, amount, from, to)) => {
                table.shown(&asset);
                table.number(amount.get());
                table.shown(&from);
                table.shown(&to);
            }
            None => table.blank(4),
        }
        table.end()?;
    }
    table.finish()
}

fn fill_fields(table: &mut Table, row: &ExecutionRow, slippage: &Slippage<'_>) {
    let Some(fill) = &row.fill else {
        table.blank(11);
        return;
    };
    let lost = slippage.get(&(fill.instrument, &fill.trade)).copied();
    table.shown(&fill.instrument);
    table.raw(fill.side.as_str().as_bytes());
    table.number(fill.quantity.get());
    table.number(fill.price.get());
    table.number(fill.mark.get());
    table.number(lost.unwrap_or_default().get());
    table.number(fill.fee.get());
    table.shown(&fill.fee_asset);
    table.number(fill.fee_rate.get());
    table.raw(fill.liquidity.as_str().as_bytes());
    table.text(&fill.trade);
}

/// What each trade's ledger lines gained against their marks, by instrument and trade.
type Slippage<'a> = BTreeMap<(InstrumentKey, &'a TradeId), Value>;

/// Σ quantity × reference price − value over a trade's lines: the same sum as the bucket, so that
/// the column adds up to it to the last digit.
fn slippage_of(ledger: &[LedgerEntry]) -> Result<Slippage<'_>, MathError> {
    let mut sums = Slippage::new();
    for line in ledger.iter().filter(|line| line.kind == EntryKind::Trade) {
        let Occurrence::Trade { instrument, trade } = &line.cause.occurrence else {
            continue;
        };
        let at_mark = line
            .quantity
            .notional(line.reference_price, Rounding::HalfEven)?;
        let sum = sums.entry((*instrument, trade)).or_default();
        *sum = sum.add(at_mark)?.sub(line.value)?;
    }
    Ok(sums)
}

/// `positions.csv`: one row per step and holding, replayed from the ledger.
pub(super) fn positions(directory: &Path, result: &RunResult) -> Result<u64, ComponentError> {
    let mut table = Table::create(directory, "positions.csv")?;
    table.raw(
        b"timestamp,account,item,quantity,mark_price_usd,mark_state,value_usd,open_cost_usd,\
          margin_balance_usd,maintenance_margin_usd",
    );
    table.end()?;
    let mut holdings = Holdings::new(result);
    let mut instant = Vec::with_capacity(32);
    let steps = result.steps.at.iter().zip(&result.steps.ledger_rows);
    for (step, (at, rows)) in steps.enumerate() {
        holdings.advance(*rows as usize)?;
        instant.clear();
        at.write_iso(&mut instant);
        instant.push(b',');
        for holding in holdings.iter() {
            position_row(&mut table, result, &instant, step, holding)?;
        }
    }
    table.finish()
}

fn position_row(
    table: &mut Table,
    result: &RunResult,
    instant: &[u8],
    step: usize,
    holding: &Holding,
) -> Result<(), ComponentError> {
    let margin = holding.margin(result, step);
    if holding.is_empty() && margin.is_none() {
        return Ok(());
    }
    table.row.extend_from_slice(instant);
    table.row.extend_from_slice(&holding.name);
    table.number(holding.quantity.get());
    match holding.mark(result, step) {
        Some((mark, state)) => {
            table.number(mark.get());
            table.raw(state.map_or("par", state_name).as_bytes());
            table.number(holding.value(mark)?.get());
        }
        None => table.raw(b",unpriced,"),
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
    table.end()
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
    use super::super::directory::tests::Scratch;
    use super::super::sample;
    use super::*;

    fn lines(
        name: &str,
        writer: fn(&Path, &RunResult) -> Result<u64, ComponentError>,
    ) -> Vec<String> {
        let scratch = Scratch::new(&format!("csv-{name}"));
        let bytes = writer(&scratch.path, &sample::result()).unwrap();
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
        let rows = lines("equity.csv", equity);
        assert_eq!(
            rows,
            [
                "timestamp,equity_usd,equity_share_class,external_flow_usd,price,basis,funding,\
                 interest,borrow_cost,rewards,slippage,fees,gas,transfer_cost,liquidation,residual,\
                 net_delta_base,reference_price_usd",
                "2024-05-01T01:00:00Z,99957.978,99957.978,100000,0,0,0,0,0,0,-12,-30.022,0,0,0,0,0,60000",
                "2024-05-01T02:00:00Z,99913.998,99913.998,0,0,-50,6.02,0,0,0,0,0,0,0,0,0,0.25,60100",
            ]
        );
    }

    #[test]
    fn positions_follow_the_ledger_to_the_end_of_each_step() {
        let rows = lines("positions.csv", positions);
        assert_eq!(
            rows.get(1..).unwrap(),
            [
                "2024-05-01T01:00:00Z,binance.spot,BTC,1,60000,fresh,60000,,,",
                "2024-05-01T01:00:00Z,binance.spot,USDT,9994,1,par,9994,,,",
                "2024-05-01T01:00:00Z,binance.usdm,USDT,29969.978,1,par,29969.978,,29963.978,240",
                "2024-05-01T01:00:00Z,binance.usdm,binance:perp:BTCUSDT,-1,60050,fresh,-6,-60044,,",
                "2024-05-01T02:00:00Z,binance.spot,BTC,1,60100,fresh,60100,,,",
                "2024-05-01T02:00:00Z,binance.spot,USDT,9994,1,par,9994,,,",
                "2024-05-01T02:00:00Z,binance.usdm,USDT,29936.998,1,par,29936.998,,29819.998,180.6",
                "2024-05-01T02:00:00Z,binance.usdm,binance:perp:BTCUSDT,-0.75,60200,held,-117,-45033,,",
            ]
        );
    }

    #[test]
    fn executions_say_what_each_fill_lost_against_its_mark() {
        let rows = lines("executions.csv", executions);
        let slippage = |row: usize| rows[row].split(',').nth(11).unwrap().to_owned();
        assert_eq!(
            (slippage(1), slippage(2), slippage(3)),
            ("-6".into(), "-6".into(), "".into())
        );
        assert!(rows[2].contains(",taker,\"a,\"\"b\"\"\","), "{}", rows[2]);
        assert!(
            rows[3].ends_with(",USDT,5,binance.spot,wallet.main"),
            "{}",
            rows[3]
        );
    }

    #[test]
    fn ledger_rows_are_numbered_and_carry_their_cause() {
        let rows = lines("ledger.csv", ledger);
        assert_eq!(
            rows[7],
            "6,2024-05-01T02:00:00Z,binance.usdm,USDT,6.02,6.02,funding,,1,\
             funding:binance:BTCUSDT:2024-05-01T02:00:00Z#0"
        );
        assert_eq!(rows.len(), 10);
    }
}
