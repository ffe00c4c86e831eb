//! Settlements out of Tardis' derivative ticker, which says at every change what rate is coming.
//!
//! The rate that was settled is not in the file. The last one quoted before the settlement stands in
//! for it, where it was quoted within [`LAST_QUOTE_MAX`].

use basis_core::types::{Span, Timestamp};

use super::bind::{Bound, Cell, CellFrom};
use super::read::Wrong;
use super::target::Target;
use super::text::Lines;
use super::time::{TimeForm, parse};

/// How old the last quote before a settlement may be.
const LAST_QUOTE_MAX: Span = Span::from_minutes(10);

/// The exchanges of Tardis whose funding settles at instants that the file names.
const EXCHANGES: [(&str, &str); 3] = [
    ("binance-futures", "binance"),
    ("bybit", "bybit"),
    ("okex-swap", "okx"),
];

/// The last quote before the settlement at hand.
struct Quote {
    line: u32,
    quoted_at: Timestamp,
    settles_at: Timestamp,
    rate: Vec<u8>,
    symbol: Vec<u8>,
}

/// Reads one file of the ticker.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8], target: &mut Target<'_>) -> Result<(), String> {
    let mut lines = Lines::new(bytes);
    let mut fields = Vec::new();
    lines.next_into(&mut fields);
    let mut wrong = Wrong::default();
    let mut last: Option<Quote> = None;
    while let Some(line) = lines.next_into(&mut fields) {
        let line = match line {
            Ok(line) => line,
            Err((line, what)) => {
                wrong.add(line, what.to_owned());
                continue;
            }
        };
        let quote = match quote(line, &fields, target) {
            Ok(Some(quote)) => quote,
            Ok(None) => continue,
            Err(what) => {
                wrong.add(line, what);
                continue;
            }
        };
        if let Some(last) = last.take()
            && last.settles_at != quote.settles_at
            && let Err(what) = settle(&last, target)
        {
            wrong.add(last.line, what);
        }
        last = Some(quote);
    }
    if let Some(last) = last {
        // A file ends with its day; the settlement at its end is quoted until then.
        if last.settles_at.since(last.quoted_at) <= LAST_QUOTE_MAX
            && let Err(what) = settle(&last, target)
        {
            wrong.add(last.line, what);
        }
    }
    wrong.result("line")
}

fn quote(line: u32, fields: &[&[u8]], target: &mut Target<'_>) -> Result<Option<Quote>, String> {
    let [exchange, symbol, quoted_at, _, settles_at, rate, ..] = fields else {
        return Err(format!(
            "has {} fields, expected 11; is the file cut off?",
            fields.len()
        ));
    };
    let exchange = String::from_utf8_lossy(exchange);
    let Some((_, venue)) = EXCHANGES.iter().find(|(known, _)| *known == exchange) else {
        let known = EXCHANGES.map(|(known, _)| known).join(", ");
        return Err(format!("is of exchange {exchange}; read are {known}"));
    };
    target.named_venue(venue);
    if settles_at.is_empty() || rate.is_empty() {
        return Ok(None);
    }
    let at = |text: &[u8]| {
        let micros = TimeForm::Unit(1_000);
        parse(text, micros).map(|read| read.at).ok_or_else(|| {
            format!(
                "`{}` is no instant in microseconds",
                String::from_utf8_lossy(text)
            )
        })
    };
    let (quoted_at, settles_at) = (at(quoted_at)?, at(settles_at)?);
    // After a settlement its instant may be repeated for a moment.
    Ok((quoted_at <= settles_at).then(|| Quote {
        line,
        quoted_at,
        settles_at,
        rate: rate.to_vec(),
        symbol: symbol.to_vec(),
    }))
}

fn settle(quote: &Quote, target: &mut Target<'_>) -> Result<(), String> {
    let age = quote.settles_at.since(quote.quoted_at);
    if age > LAST_QUOTE_MAX {
        return Err(format!(
            "is the last quote before the settlement of {}, {age} before it: what was settled is \
             not known; add the file of that day",
            quote.settles_at
        ));
    }
    let settles_at = quote.settles_at.to_string();
    let fields: [&[u8]; 3] = [settles_at.as_bytes(), &quote.rate, &quote.symbol];
    target.row(quote.line, &fields, &bound())
}

/// Instant, rate and symbol, in this order.
fn bound() -> Bound {
    Bound {
        time: vec![0],
        time_form: TimeForm::Any,
        symbol: Some(2),
        confirm: None,
        closes: None,
        cells: vec![Cell {
            column: "funding_rate",
            decimals: 18,
            from: CellFrom::Field { at: 1, shift: 0 },
        }],
        width: 3,
    }
}
