//! Ledger lines as rows: written by column, read back as they were posted.
//!
//! A line refers to its event. It is posted under the event's key, which stands once, with the event;
//! posting puts lines of a final transaction under the key of another stage, and then the line has the
//! key itself.

use std::str::FromStr;
use std::sync::Arc;

use basis_core::journal::JournalError;
use basis_core::ledger::{Cause, EntryKind, LedgerEntry};
use basis_core::num::{Price, Quantity, Value as Amount};
use basis_core::types::{Account, InstructionId, Item, Label, Timestamp, Venue};
use basis_core::venue_event::EventKey;
use rusqlite::types::{Value, ValueRef};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;

use super::cell::{self, CellError};

/// Makes rows of lines.
#[derive(Clone, Debug, Default)]
pub(super) struct LineWriter {
    /// Items that read back as they are written.
    items: FxHashSet<Item>,
}

impl LineWriter {
    /// The row `seq` of a line of the event at `event`, whose key is `key`.
    pub(super) fn row(
        &mut self,
        seq: i64,
        event: i64,
        key: Option<&EventKey>,
        line: &LedgerEntry,
    ) -> Result<[Value; 13], JournalError> {
        self.check(line.item)?;
        let cause = match key {
            Some(key) if *line.cause.event == *key => Value::Null,
            _ => Value::Text(cell::json(&*line.cause.event)?),
        };
        let instruction = line.instruction.map(|id| id.to_string());
        Ok([
            Value::Integer(seq),
            Value::Integer(event),
            Value::Integer(line.cause.line.into()),
            cause,
            Value::Integer(line.at.nanos()),
            Value::Text(line.account.to_string()),
            Value::Text(line.item.to_string()),
            Value::Text(line.quantity.to_string()),
            Value::Text(line.units.to_string()),
            Value::Text(line.value.to_string()),
            Value::Text(line.kind.as_str().to_owned()),
            instruction.map_or(Value::Null, Value::Text),
            Value::Text(line.reference_price.to_string()),
        ])
    }

    /// Refuses an item whose text is another item's, or none's: names may have the colon that the text
    /// puts between them.
    fn check(&mut self, item: Item) -> Result<(), JournalError> {
        if self.items.contains(&item) {
            return Ok(());
        }
        if item.to_string().parse() != Ok(item) {
            let problem = format!("a ledger line of {item:?} cannot be read back");
            return Err(JournalError::Inconsistent(problem));
        }
        self.items.insert(item);
        Ok(())
    }
}

/// Reads rows of lines. What repeats from line to line is read once.
#[derive(Clone, Debug, Default)]
pub(super) struct LineReader {
    accounts: FxHashMap<Box<[u8]>, Account>,
    items: FxHashMap<Box<[u8]>, Item>,
    kinds: FxHashMap<Box<[u8]>, EntryKind>,
    instruction: Option<(Box<[u8]>, InstructionId)>,
}

/// The columns of [`LEDGER`](super::schema::LEDGER) but its sequence and its event.
pub(super) type Cells<'a> = [ValueRef<'a>; 11];

impl LineReader {
    /// The line of `cells`, of an event whose key is `key`.
    pub(super) fn line(
        &mut self,
        cells: &Cells<'_>,
        key: Option<&Arc<EventKey>>,
    ) -> Result<LedgerEntry, CellError> {
        let [
            line,
            cause,
            at,
            account,
            item,
            quantity,
            units,
            value,
            kind,
            instruction,
            price,
        ] = *cells;
        let event = match (cause, key) {
            (ValueRef::Null, Some(key)) => Arc::clone(key),
            (ValueRef::Null, None) => return Err(CellError::new("cause", "its event has no key")),
            (cause, _) => Arc::new(cell::read_json("cause", cause)?),
        };
        let quantity_cell = cell::bytes("quantity", quantity)?;
        let quantity = Quantity::parse_bytes(quantity_cell).map_err(CellError::of("quantity"))?;
        let units_cell = cell::bytes("units", units)?;
        let units = if units_cell == quantity_cell {
            quantity
        } else {
            Quantity::parse_bytes(units_cell).map_err(CellError::of("units"))?
        };
        Ok(LedgerEntry {
            at: Timestamp::from_nanos(cell::integer("at", at)?),
            account: known(&mut self.accounts, "account", account, read_account)?,
            item: known(&mut self.items, "item", item, Item::from_str)?,
            quantity,
            units,
            value: Amount::parse_bytes(cell::bytes("value", value)?)
                .map_err(CellError::of("value"))?,
            kind: known(&mut self.kinds, "kind", kind, read_kind)?,
            instruction: self.instruction(instruction)?,
            reference_price: Price::parse_bytes(cell::bytes("reference_price", price)?)
                .map_err(CellError::of("reference_price"))?,
            cause: Cause::new(event, cell::small("line", line)?),
        })
    }

    fn instruction(&mut self, cell: ValueRef<'_>) -> Result<Option<InstructionId>, CellError> {
        if cell == ValueRef::Null {
            return Ok(None);
        }
        let text = cell::bytes("instruction", cell)?;
        match &self.instruction {
            Some((known, id)) if **known == *text => Ok(Some(*id)),
            _ => {
                let id = cell::parse("instruction", cell)?;
                self.instruction = Some((text.into(), id));
                Ok(Some(id))
            }
        }
    }
}

/// Reads a text, or takes what the same text was before.
fn known<T: Copy, E: std::fmt::Display>(
    before: &mut FxHashMap<Box<[u8]>, T>,
    column: &'static str,
    cell: ValueRef<'_>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, CellError> {
    let bytes = cell::bytes(column, cell)?;
    if let Some(value) = before.get(bytes) {
        return Ok(*value);
    }
    let value = read(cell::text(column, cell)?).map_err(CellError::of(column))?;
    before.insert(bytes.into(), value);
    Ok(value)
}

/// Reads `venue.name`; no name has a full stop.
fn read_account(text: &str) -> Result<Account, String> {
    let (venue, name) = text
        .split_once('.')
        .ok_or_else(|| format!("`{text}` is no account"))?;
    let venue = Venue::new(venue).map_err(|e| e.to_string())?;
    let name = Label::new(name).map_err(|e| e.to_string())?;
    Ok(Account::new(venue, name))
}

fn read_kind(text: &str) -> Result<EntryKind, WordError> {
    EntryKind::deserialize(text.into_deserializer())
}
