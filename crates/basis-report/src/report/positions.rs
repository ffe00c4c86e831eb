//! What `positions.csv` gives: exposure, margin, and the funding rates that the payments imply.

use std::collections::BTreeMap;
use std::path::Path;

use basis_core::error::ComponentError;

use super::trades::{Payment, venue_of};
use crate::page::series::{Chart, Kind, Sampler, Series};
use crate::table::read::{Row, Table};

/// The charts and numbers drawn from `positions.csv`.
#[derive(Debug)]
pub(super) struct PositionCharts {
    pub(super) exposure: Chart,
    pub(super) margin: Chart,
    pub(super) funding: Chart,
    /// By venue.
    pub(super) venues: BTreeMap<String, VenueFunding>,
}

/// Funding at one venue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VenueFunding {
    pub(super) payments: u32,
    /// USD, > 0 received.
    pub(super) received: f64,
    /// Sum of the rates paid to a short while a position was held; 0.01 = 1 %.
    pub(super) rates: f64,
    /// Mean notional at the payments, USD, >= 0.
    pub(super) notional: f64,
}

/// One holding, from step to step.
#[derive(Debug)]
struct Slot {
    account: String,
    item: String,
    /// The step it was last seen in.
    seen: u64,
    quantity: f64,
    /// Quantity after the step before.
    before: f64,
    mark: f64,
}

impl Slot {
    /// Whether it is the position named `item`, or one side of it in hedge mode.
    fn is_of(&self, item: &str) -> bool {
        let rest = self.item.strip_prefix(item);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    /// Units held at a funding instant of the step: those after the step before it, or with orders that
    /// fill when the bar opens those after the step itself.
    const fn held_at_funding(&self, step: u64, filled_at_open: bool) -> f64 {
        if self.seen == step {
            if filled_at_open {
                self.quantity
            } else {
                self.before
            }
        } else if self.seen + 1 == step {
            // Without a row in this step the position was closed in it; its last mark is the
            // nearest there is.
            self.quantity
        } else {
            0.0
        }
    }
}

/// One perp account within a step.
#[derive(Debug, Default)]
struct Account {
    name: String,
    /// Margin balance and maintenance margin.
    margin: Option<(f64, f64)>,
}

/// A payment with the rate it implies.
#[derive(Clone, Copy, Debug)]
struct Implied<'a> {
    payment: &'a Payment,
    notional: f64,
    /// Received by a short per unit of notional.
    rate: f64,
}

#[derive(Debug)]
struct Pass<'a> {
    filled_at_open: bool,
    slots: Vec<Slot>,
    /// Where the next row's slot is expected: rows come in the same order at every step.
    cursor: usize,
    accounts: Vec<Account>,
    step: u64,
    at: i64,
    long: f64,
    short: f64,
    pending: std::slice::Iter<'a, Payment>,
    next: Option<&'a Payment>,
    implied: Vec<Implied<'a>>,
    exposure: Sampler,
    margin: Sampler,
}

const COLUMNS: [&str; 8] = [
    "timestamp",
    "account",
    "item",
    "quantity",
    "mark_price_usd",
    "mark_state",
    "margin_balance_usd",
    "maintenance_margin_usd",
];

pub(super) fn charts(
    directory: &Path,
    range: (i64, i64),
    payments: &[Payment],
    filled_at_open: bool,
) -> Result<PositionCharts, ComponentError> {
    let mut table = Table::open(directory, "positions.csv", &COLUMNS)?;
    let mut pending = payments.iter();
    let mut pass = Pass {
        filled_at_open,
        slots: Vec::new(),
        cursor: 0,
        accounts: Vec::new(),
        step: 0,
        at: i64::MIN,
        long: 0.0,
        short: 0.0,
        next: pending.next(),
        pending,
        implied: Vec::with_capacity(payments.len()),
        exposure: Sampler::new(range),
        margin: Sampler::new(range),
    };
    let mut instant = Vec::new();
    while let Some(row) = table.next()? {
        if row.bytes(0) != instant {
            instant.clear();
            instant.extend_from_slice(row.bytes(0));
            pass.end_step();
            pass.at = row.seconds(0)?;
        }
        pass.take(row)?;
    }
    pass.end_step();
    Ok(pass.finish(range))
}

impl Pass<'_> {
    fn take(&mut self, row: Row<'_>) -> Result<(), ComponentError> {
        let index = self.slot(row);
        let quantity = row.amount(3)?;
        let is_par = row.bytes(5) == b"par";
        let mark = if is_par { 1.0 } else { row.amount(4)? };
        if !row.bytes(7).is_empty() {
            let margin = (row.amount(6)?, row.amount(7)?);
            let account = self.account(row.text(1));
            if let Some(account) = self.accounts.get_mut(account) {
                account.margin = Some(margin);
            }
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return Ok(());
        };
        slot.before = if slot.seen + 1 == self.step {
            slot.quantity
        } else {
            0.0
        };
        (slot.seen, slot.quantity, slot.mark) = (self.step, quantity, mark);
        let value = quantity * mark;
        if !is_par {
            self.long += value.max(0.0);
            self.short += value.min(0.0);
        }
        Ok(())
    }

    /// The slot of the row's holding, a new one when it has none.
    fn slot(&mut self, row: Row<'_>) -> usize {
        let (account, item) = (row.bytes(1), row.bytes(2));
        let is = |slot: &Slot| slot.account.as_bytes() == account && slot.item.as_bytes() == item;
        let index = match self.slots.get(self.cursor) {
            Some(slot) if is(slot) => self.cursor,
            _ => self.slots.iter().position(is).unwrap_or(self.slots.len()),
        };
        if index == self.slots.len() {
            if item.contains(&b':') {
                // The perp accounts keep the order in which they first held something.
                self.account(row.text(1));
            }
            self.slots.push(Slot {
                account: row.text(1).to_owned(),
                item: row.text(2).to_owned(),
                seen: 0,
                quantity: 0.0,
                before: 0.0,
                mark: 0.0,
            });
        }
        self.cursor = index + 1;
        index
    }

    fn account(&mut self, name: &str) -> usize {
        let known = self.accounts.iter().position(|known| known.name == name);
        known.unwrap_or_else(|| {
            self.accounts.push(Account {
                name: name.to_owned(),
                ..Account::default()
            });
            self.accounts.len() - 1
        })
    }

    fn end_step(&mut self) {
        if self.at != i64::MIN {
            self.settle_funding();
            self.exposure.push(
                self.at,
                self.long + self.short,
                &[self.long, self.short, self.long + self.short],
            );
            self.push_margins();
        }
        self.step += 1;
        self.cursor = 0;
        (self.long, self.short) = (0.0, 0.0);
        for account in &mut self.accounts {
            account.margin = None;
        }
    }

    /// The ratio of every account; the worst decides what the chart keeps.
    fn push_margins(&mut self) {
        let ratio = |account: &Account| match account.margin {
            Some((balance, required)) if balance > 0.0 => required / balance * 100.0,
            _ => f64::NAN,
        };
        let ratios: Vec<f64> = self.accounts.iter().map(ratio).collect();
        let worst = ratios.iter().copied().fold(0.0, f64::max);
        self.margin.push(self.at, worst, &ratios);
    }

    /// Payments up to the step, with the rate that payment, position and mark imply.
    fn settle_funding(&mut self) {
        while let Some(payment) = self.next.filter(|payment| payment.at <= self.at) {
            self.next = self.pending.next();
            let signed: f64 = self
                .slots
                .iter()
                .filter(|slot| slot.account == payment.account && slot.is_of(&payment.item))
                .map(|slot| slot.held_at_funding(self.step, self.filled_at_open) * slot.mark)
                .sum();
            let rate = if signed == 0.0 {
                0.0
            } else {
                -payment.value / signed
            };
            self.implied.push(Implied {
                payment,
                notional: signed.abs(),
                rate,
            });
        }
    }

    fn finish(self, range: (i64, i64)) -> PositionCharts {
        let names: Vec<String> = self.accounts.iter().map(|a| a.name.clone()).collect();
        let (margin_x, columns) = self.margin.finish();
        let named = names.iter().zip(columns).enumerate();
        let margin = named.map(|(color, (name, values))| Series::new(name, color, values));
        let venues = by_venue(&self.implied);
        PositionCharts {
            exposure: exposure_chart(self.exposure),
            margin: Chart {
                id: "margin",
                title: "Margin ratio",
                unit: "%".to_owned(),
                note: "Maintenance margin divided by margin balance, per perp account with an \
                       open position; at 100 % the venue liquidates."
                    .to_owned(),
                kind: Kind::Line,
                decimals: 3,
                x: margin_x,
                series: margin.collect(),
            },
            funding: funding_chart(range, &self.implied, &venues),
            venues,
        }
    }
}

fn exposure_chart(sampler: Sampler) -> Chart {
    let (x, columns) = sampler.finish();
    let labels = ["long", "short", "net"];
    let series = labels.iter().zip(columns).zip([0, 1, 7]);
    Chart {
        id: "exposure",
        title: "Exposure",
        unit: "USD".to_owned(),
        note: "Worth at mark of what is long (base assets and long perps) and of what is short, \
               and their sum; dollar tokens are no exposure."
            .to_owned(),
        kind: Kind::Line,
        decimals: 2,
        x,
        series: series
            .map(|((label, values), color)| Series::new(*label, color, values))
            .collect(),
    }
}

fn by_venue(implied: &[Implied<'_>]) -> BTreeMap<String, VenueFunding> {
    let mut venues: BTreeMap<String, VenueFunding> = BTreeMap::new();
    for one in implied {
        let venue = venue_of(&one.payment.account).to_owned();
        let sum = venues.entry(venue).or_default();
        sum.payments += 1;
        sum.received += one.payment.value;
        sum.rates += one.rate;
        sum.notional += one.notional;
    }
    for sum in venues.values_mut() {
        sum.notional /= f64::from(sum.payments.max(1));
    }
    venues
}

/// Received so far, and what the same rates pay on a notional that never changes.
fn funding_chart(
    range: (i64, i64),
    implied: &[Implied<'_>],
    venues: &BTreeMap<String, VenueFunding>,
) -> Chart {
    let names: Vec<&String> = venues.keys().collect();
    let mut sampler = Sampler::new(range);
    let mut sums = vec![0.0; names.len() * 2];
    for at_once in implied.chunk_by(|a, b| a.payment.at == b.payment.at) {
        for one in at_once {
            let venue = venue_of(&one.payment.account);
            let index = names.iter().position(|name| *name == venue);
            let constant = venues.get(venue).map_or(0.0, |venue| venue.notional) * one.rate;
            for (place, value) in [(0, one.payment.value), (names.len(), constant)] {
                if let Some(sum) = index.and_then(|index| sums.get_mut(index + place)) {
                    *sum += value;
                }
            }
        }
        let total = sums.iter().take(names.len()).sum();
        let at = at_once.first().map_or(range.0, |one| one.payment.at);
        sampler.push(at, total, &sums);
    }
    let (x, columns) = sampler.finish();
    let series = columns
        .into_iter()
        .enumerate()
        .filter_map(|(index, values)| {
            let color = index % names.len().max(1);
            let dashed = index >= names.len();
            let what = if dashed { "market" } else { "received" };
            Some(Series {
                dashed,
                ..Series::new(format!("{} {what}", names.get(color)?), color, values)
            })
        });
    Chart {
        id: "funding",
        title: "Funding by venue",
        unit: "USD".to_owned(),
        note: "Solid: received so far. Dashed: what the market's rates would have paid a short of \
               constant size, the mean of ours at that venue. The rate of an instant is payment ÷ \
               (position before it × mark), so instants without a position count in neither."
            .to_owned(),
        kind: Kind::Line,
        decimals: 2,
        x,
        series: series.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::Scratch;

    const HEADER: &str = "timestamp,account,item,quantity,mark_price_usd,mark_state,value_usd,\
                          open_cost_usd,margin_balance_usd,maintenance_margin_usd\n";

    fn payment(at: i64, value: f64) -> Payment {
        Payment {
            at,
            account: "okx.trading".to_owned(),
            item: "okx:perp:BTCUSDT".to_owned(),
            value,
        }
    }

    #[test]
    fn rates_follow_from_the_position_held_before_the_instant() {
        let scratch = Scratch::new("positions");
        let row = |hour: u32, quantity: &str, mark: &str| {
            format!(
                "2024-05-01T0{hour}:00:00Z,okx.trading,USDT,500,1,par,500,,500,5\n\
                 2024-05-01T0{hour}:00:00Z,okx.trading,okx:perp:BTCUSDT,{quantity},{mark},fresh,0,0,,\n"
            )
        };
        let text = [row(1, "-2", "100"), row(2, "-5", "110")].concat();
        // The third step has no position: it was closed after its funding.
        let closed = "2024-05-01T03:00:00Z,okx.trading,USDT,500,1,par,500,,,\n";
        scratch.write("positions.csv", &format!("{HEADER}{text}{closed}"));
        let start = 1_714_521_600;
        let payments = [payment(start + 7_200, 2.2), payment(start + 10_800, -5.5)];
        let charts = charts(&scratch.path, (start, start + 10_800), &payments, false).unwrap();
        let okx = charts.venues["okx"];
        assert_eq!((okx.payments, okx.received), (2, -3.3));
        assert!((okx.rates - (0.01 - 0.01)).abs() < 1e-12, "{okx:?}");
        assert!((okx.notional - (220.0 + 550.0) / 2.0).abs() < 1e-9);
        assert_eq!(charts.exposure.series[1].values, [-200.0, -550.0, 0.0]);
        assert_eq!(charts.margin.series[0].values[..1], [1.0]);
        assert!(charts.margin.series[0].values[2].is_nan());
        assert_eq!(charts.funding.series.len(), 2);
        assert!(charts.funding.series[1].dashed);
    }

    #[test]
    fn what_fills_when_the_bar_opens_is_held_at_the_funding_within_it() {
        let scratch = Scratch::new("positions-at-open");
        let text = "2024-05-01T01:00:00Z,okx.trading,okx:perp:BTCUSDT,-2,100,fresh,0,0,500,5\n\
                    2024-05-01T02:00:00Z,okx.trading,okx:perp:BTCUSDT,-5,110,fresh,0,0,500,5\n";
        scratch.write("positions.csv", &format!("{HEADER}{text}"));
        let start = 1_714_521_600;
        let payments = [payment(start + 7_200, 5.5)];
        let rate = |at_open| {
            let range = (start, start + 7_200);
            charts(&scratch.path, range, &payments, at_open)
                .unwrap()
                .venues["okx"]
                .rates
        };
        assert!((rate(true) - 0.01).abs() < 1e-12);
        assert!((rate(false) - 0.025).abs() < 1e-12);
    }
}
