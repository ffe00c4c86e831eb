//! Holdings of every step, replayed from the ledger.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use basis_core::ledger::{EntryKind, LedgerEntry};
use basis_core::num::{MathError, Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, Item, SeriesKind, Venue};
use basis_engine::result::{RunResult, StepColumns};
use basis_market::{PriceState, is_dollar};

use super::prices_asset;

/// Returns what the books hold at `venue` after the last step of a run that holds its steps, debts against
/// it, USD.
///
/// # Errors
/// When a sum leaves the range of exact arithmetic.
pub fn value_held_at(result: &RunResult, venue: Venue) -> Result<Value, MathError> {
    let steps = &result.steps;
    let mut holdings = Holdings::new(result.share_class);
    let rows = steps.ledger_rows.last().copied().unwrap_or_default();
    holdings.advance(rows, &mut result.ledger.iter(), steps)?;
    let last = steps.at.len().saturating_sub(1);
    let mut sum = Value::ZERO;
    for holding in holdings.iter().filter(|own| own.account.venue == venue) {
        if let Some((mark, _)) = holding.mark(steps, last) {
            sum = sum.add(holding.value(mark)?)?;
        }
    }
    Ok(sum)
}

/// How a holding is priced; resolved once per holding, not once per row.
#[derive(Clone, Copy, Debug)]
enum PriceSource {
    Par,
    Column(usize),
    Token(usize),
    Unpriced,
}

/// One holding of one account as of the last line read.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) account: Account,
    item: Item,
    /// The account as a row prints it.
    pub(super) account_name: String,
    /// The item as a row prints it.
    pub(super) item_name: String,
    /// Signed units, scaled ones of an item that is scaled.
    pub(super) quantity: Quantity,
    /// What they stand for.
    pub(super) units: Quantity,
    /// Signed sum of quantity × fill price still open; zero for an asset.
    pub(super) open_cost: Value,
    /// Whether it is a perp position.
    pub(super) is_position: bool,
    source: PriceSource,
    margin: Option<usize>,
}

/// Every holding of a run, moved forward line by line.
#[derive(Debug)]
pub(super) struct Holdings {
    share_class: Asset,
    /// Lines read since the start of the run.
    read: u32,
    /// Sorted, so that rows of a step always come in the same order.
    by_key: BTreeMap<(Account, Item), Holding>,
}

impl Holdings {
    pub(super) const fn new(share_class: Asset) -> Self {
        Self {
            share_class,
            read: 0,
            by_key: BTreeMap::new(),
        }
    }

    /// Begins a chunk of steps. An account may have got its margin column only with this one; those
    /// that were there keep their places.
    pub(super) fn begin(&mut self, steps: &StepColumns) {
        for holding in self.by_key.values_mut() {
            if holding.margin.is_none() {
                let (account, item) = (holding.account, holding.item);
                holding.margin = margin_column(self.share_class, steps, account, item);
            }
        }
    }

    /// Reads `lines` until `rows` have been read since the start of the run.
    pub(super) fn advance<'a>(
        &mut self,
        rows: u32,
        lines: &mut impl Iterator<Item = &'a LedgerEntry>,
        steps: &StepColumns,
    ) -> Result<(), MathError> {
        while self.read < rows {
            let Some(line) = lines.next() else { break };
            self.post(line, steps)?;
            self.read += 1;
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Holding> {
        self.by_key.values()
    }

    fn post(&mut self, line: &LedgerEntry, steps: &StepColumns) -> Result<(), MathError> {
        let holding = self.holding((line.account, line.item), steps);
        holding.quantity = holding.quantity.add(line.quantity)?;
        holding.units = holding.units.add(line.units)?;
        // A position is deposited when it is taken over, at its entry price.
        if holding.is_position && matches!(line.kind, EntryKind::Trade | EntryKind::Deposit) {
            holding.open_cost = holding.open_cost.add(line.value)?;
        }
        if line.kind == EntryKind::RealizedPnl
            && let Some(instrument) = line.cause.event.traded()
        {
            let position = self.holding((line.account, Item::Position(instrument)), steps);
            position.open_cost = position.open_cost.add(line.value)?;
        }
        Ok(())
    }

    fn holding(&mut self, key: (Account, Item), steps: &StepColumns) -> &mut Holding {
        match self.by_key.entry(key) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(slot) => slot.insert(Holding::new(self.share_class, steps, key)),
        }
    }
}

impl Holding {
    fn new(share_class: Asset, steps: &StepColumns, (account, item): (Account, Item)) -> Self {
        Self {
            account,
            item,
            account_name: account.to_string(),
            item_name: item.to_string(),
            quantity: Quantity::ZERO,
            units: Quantity::ZERO,
            open_cost: Value::ZERO,
            is_position: matches!(item, Item::Position(_)),
            source: source_of(steps, account, item),
            margin: margin_column(share_class, steps, account, item),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.quantity.is_zero() && self.units.is_zero() && self.open_cost.is_zero()
    }

    /// Mark at `step` and where it came from; no state for an asset at par, `None` without a price.
    pub(super) fn mark(
        &self,
        steps: &StepColumns,
        step: usize,
    ) -> Option<(Price, Option<PriceState>)> {
        match self.source {
            PriceSource::Par => Some((Price::literal("1"), None)),
            PriceSource::Column(at) => {
                let column = steps.prices.get(at)?;
                Some((*column.mark.get(step)?, Some(*column.state.get(step)?)))
            }
            PriceSource::Token(at) => {
                let column = steps.tokens.get(at)?;
                Some((*column.price.get(step)?, Some(*column.state.get(step)?)))
            }
            PriceSource::Unpriced => None,
        }
    }

    /// Worth at `mark`: units × mark, against us for a debt, less the open cost of a position.
    pub(super) fn value(&self, mark: Price) -> Result<Value, MathError> {
        let units = if self.item.is_debt() {
            self.units.neg()?
        } else {
            self.units
        };
        units
            .notional(mark, Rounding::HalfEven)?
            .sub(self.open_cost)
    }

    /// Margin balance and maintenance margin at `step`, on the collateral row of a perp account with
    /// an open position: without one nothing is to be maintained.
    pub(super) fn margin(&self, steps: &StepColumns, step: usize) -> Option<(Value, Value)> {
        let column = steps.margins.get(self.margin?)?;
        let required = *column.maintenance_margin.get(step)?;
        let balance = *column.margin_balance.get(step)?;
        (!required.is_zero()).then_some((balance, required))
    }
}

fn source_of(steps: &StepColumns, account: Account, item: Item) -> PriceSource {
    let prices = &steps.prices;
    let found = match (item, item.asset()) {
        (Item::Position(key), _) => {
            let of = |series| prices.iter().position(|p| p.series == series);
            key.mark_series().and_then(of).or_else(|| of(key.series()))
        }
        (_, None) => None,
        (_, Some(asset)) if is_dollar(asset) => return PriceSource::Par,
        (_, Some(asset)) => {
            if let Some(at) = steps.tokens.iter().position(|t| t.asset == asset) {
                return PriceSource::Token(at);
            }
            let spot = |p: &&basis_engine::result::PriceColumn| {
                p.series.kind == SeriesKind::Spot && prices_asset(p.series.symbol, asset)
            };
            // In flight and in the wallet there is no market of its own: any spot of the asset.
            let own = prices
                .iter()
                .position(|p| spot(&p) && p.series.venue == account.venue);
            own.or_else(|| prices.iter().position(|p| spot(&p)))
        }
    };
    found.map_or(PriceSource::Unpriced, PriceSource::Column)
}

/// The margin column shown on this row: that of the account, on its collateral.
fn margin_column(
    share_class: Asset,
    steps: &StepColumns,
    account: Account,
    item: Item,
) -> Option<usize> {
    let Item::Asset(asset) = item else {
        return None;
    };
    let collateral = if is_dollar(share_class) {
        share_class
    } else {
        Asset::literal("USDT")
    };
    if asset != collateral {
        return None;
    }
    steps.margins.iter().position(|m| m.account == account)
}
