//! What `ledger.csv` and `executions.csv` give: fees and funding by venue, turnover, markers.

use std::collections::BTreeMap;
use std::path::Path;

use basis_core::error::ComponentError;

use crate::page::series::Markers;
use crate::table::read::{Row, Table};

/// Fills shown one by one; more are put together per interval.
const MARKERS_MAX: usize = 2_000;
/// Intervals that fills are put together in.
const INTERVALS: i64 = 400;

/// One funding payment.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) account: String,
    /// The perp position it was paid on, as `okx:perp:BTCUSDT`.
    pub(super) item: String,
    /// USD, > 0 received.
    pub(super) value: f64,
}

/// What trading cost at one venue, USD.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VenueCosts {
    pub(super) fills: u32,
    /// Σ quantity × price.
    pub(super) turnover: f64,
    /// Paid, > 0.
    pub(super) fees: f64,
    /// Lost against the mark, > 0.
    pub(super) slippage: f64,
    /// Paid for transfers and gas, > 0.
    pub(super) transfers: f64,
}

/// Both tables, gathered.
#[derive(Debug, Default)]
pub(super) struct Trades {
    pub(super) venues: BTreeMap<String, VenueCosts>,
    /// By instrument and side.
    pub(super) markers: BTreeMap<(String, String), Markers>,
}

/// One fill as its marker needs it.
#[derive(Debug)]
struct Fill {
    at: i64,
    key: (String, String),
    quantity: f64,
    price: f64,
}

/// Reads `executions.csv`; what the ledger knows of costs is added by [`Trades::add_ledger`].
pub(super) fn executions(directory: &Path, range: (i64, i64)) -> Result<Trades, ComponentError> {
    let mut table = Table::open(
        directory,
        "executions.csv",
        &[
            "timestamp",
            "venue",
            "instrument",
            "side",
            "quantity_base",
            "price_quote",
            "slippage_usd",
        ],
    )?;
    let mut trades = Trades::default();
    let mut fills = Vec::new();
    while let Some(row) = table.next()? {
        if row.bytes(2).is_empty() {
            continue;
        }
        let fill = Fill {
            at: row.seconds(0)?,
            key: (row.text(2).to_owned(), row.text(3).to_owned()),
            quantity: row.amount(4)?,
            price: row.amount(5)?,
        };
        let venue = trades.venues.entry(row.text(1).to_owned()).or_default();
        venue.fills += 1;
        venue.turnover += fill.quantity * fill.price;
        venue.slippage -= row.amount(6)?;
        fills.push(fill);
    }
    let together = fills.len() > MARKERS_MAX;
    let width = ((range.1 - range.0) / INTERVALS).max(1);
    for fill in fills {
        let markers = trades.markers.entry(fill.key.clone()).or_default();
        markers.add(&fill, together.then_some(width));
    }
    Ok(trades)
}

impl Markers {
    /// Adds a fill, to the last marker when both lie in one interval of `width` seconds.
    fn add(&mut self, fill: &Fill, width: Option<i64>) {
        let same = |at: i64| width.is_some_and(|width| at / width == fill.at / width);
        let last = (
            self.at.last_mut(),
            self.price.last_mut(),
            self.quantity.last_mut(),
            self.fills.last_mut(),
        );
        if let (Some(at), Some(price), Some(quantity), Some(fills)) = last
            && same(*at)
        {
            let sum = *quantity + fill.quantity;
            if sum > 0.0 {
                *price = (*price * *quantity + fill.price * fill.quantity) / sum;
            }
            *quantity = sum;
            *fills += 1;
            return;
        }
        self.at.push(fill.at);
        self.price.push(fill.price);
        self.quantity.push(fill.quantity);
        self.fills.push(1);
    }
}

/// What `ledger.csv` says of payments: by venue what was paid in fees and for transfers, and every
/// funding payment in order of time.
#[derive(Debug, Default)]
pub(super) struct Payments {
    pub(super) fees: BTreeMap<String, f64>,
    pub(super) transfers: BTreeMap<String, f64>,
    pub(super) funding: Vec<Payment>,
    /// What came to a venue less what left it, at the prices of then, by trades, transfers and capital flows,
    /// USD.
    pub(super) invested: BTreeMap<String, f64>,
}

/// Whether an item is a perp position: `okx:perp:BTCUSDT`.
pub(super) fn is_position(item: &[u8]) -> bool {
    item.windows(6).any(|part| part == b":perp:")
}

pub(super) fn ledger(directory: &Path) -> Result<Payments, ComponentError> {
    let mut table = Table::open(
        directory,
        "ledger.csv",
        &["timestamp", "account", "value_usd", "kind", "cause", "item"],
    )?;
    let mut payments = Payments::default();
    while let Some(row) = table.next()? {
        let moves_value = matches!(
            row.bytes(3),
            b"trade" | b"transfer" | b"deposit" | b"withdrawal"
        );
        if moves_value && !is_position(row.bytes(5)) {
            *entry(&mut payments.invested, row) += row.amount(2)?;
        }
        match row.bytes(3) {
            b"fee" => *entry(&mut payments.fees, row) -= row.amount(2)?,
            b"transfer_cost" | b"gas" => *entry(&mut payments.transfers, row) -= row.amount(2)?,
            b"funding" => {
                let payment = Payment {
                    at: row.seconds(0)?,
                    account: row.text(1).to_owned(),
                    item: funded(row.text(4)),
                    value: row.amount(2)?,
                };
                payments.add_funding(payment);
            }
            _ => {}
        }
    }
    payments.funding.sort_by_key(|payment| payment.at);
    Ok(payments)
}

impl Payments {
    /// Lines of one instant and position, as of both sides in hedge mode, are one payment.
    fn add_funding(&mut self, payment: Payment) {
        match self.funding.last_mut() {
            Some(last)
                if last.at == payment.at
                    && last.account == payment.account
                    && last.item == payment.item =>
            {
                last.value += payment.value;
            }
            _ => self.funding.push(payment),
        }
    }
}

fn entry<'a>(sums: &'a mut BTreeMap<String, f64>, row: Row<'_>) -> &'a mut f64 {
    sums.entry(venue_of(row.text(1)).to_owned()).or_default()
}

/// The position, without its side, named by the cause
/// `funding:<account>:<venue>:perp:<symbol>:<margin mode>:<instant>#<line>`, in hedge mode with the side
/// after the symbol.
fn funded(cause: &str) -> String {
    let instrument: Vec<_> = cause.split(':').skip(2).take(3).collect();
    instrument.join(":")
}

/// `okx` of `okx.trading`.
pub(super) fn venue_of(account: &str) -> &str {
    account.split('.').next().unwrap_or(account)
}

impl Trades {
    pub(super) fn add_ledger(&mut self, payments: &Payments) {
        for (venue, fees) in &payments.fees {
            self.venues.entry(venue.clone()).or_default().fees = *fees;
        }
        for (venue, transfers) in &payments.transfers {
            self.venues.entry(venue.clone()).or_default().transfers = *transfers;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_of_one_interval_share_a_marker_at_their_mean_price() {
        let mut markers = Markers::default();
        for (at, quantity, price) in [(10, 1.0, 100.0), (19, 3.0, 104.0), (20, 1.0, 90.0)] {
            let fill = Fill {
                at,
                key: Default::default(),
                quantity,
                price,
            };
            markers.add(&fill, Some(10));
        }
        assert_eq!(markers.at, [10, 20]);
        assert_eq!(markers.price, [103.0, 90.0]);
        assert_eq!(markers.fills, [2, 1]);
    }

    #[test]
    fn a_funding_cause_names_its_position() {
        let at = "2024-05-01T08:00:00Z";
        let cause = format!("funding:okx.trading:okx:perp:BTCUSDT:cross:{at}#0");
        assert_eq!(funded(&cause), "okx:perp:BTCUSDT");
        let sided = cause.replace("BTCUSDT", "BTCUSDT:short");
        assert_eq!(funded(&sided), "okx:perp:BTCUSDT");
        assert_eq!(venue_of("okx.trading"), "okx");
    }
}
