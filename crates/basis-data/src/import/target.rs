//! Takes the rows of one part into the table of their instrument.

use basis_core::types::{Asset, Span, Timestamp};
use basis_market::is_dollar;

use super::bind::{Bound, CellFrom};
use super::fees::Anchor;
use super::kind::Kind;
use super::map::{SymbolFrom, ValueFrom};
use super::name::{FileName, Instrument, file_name, folder_kind, instrument, is_premium};
use super::open::Part;
use super::shape::Shape;
use super::table::{From, Key, Table, Tables, Tally};
use super::text::Document;
use super::{number, time};

/// How far after the full hour a venue may stamp a settlement.
const MOVED_MAX: Span = Span::from_seconds(60);
/// What the flags say of all files.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) kind: Option<Kind>,
    pub(super) venue: Option<String>,
    /// The instruments wanted, in any spelling; that of a file that holds one when empty.
    pub(super) symbols: Vec<String>,
    pub(super) every: Option<Span>,
    /// Decimals of a token whose amounts are in its smallest unit.
    pub(super) decimals: Option<u8>,
    /// A block and its instant.
    pub(super) anchor: Option<Anchor>,
}

/// Where the rows of a part go.
pub(super) struct Target<'t> {
    part: u32,
    given: &'t Given,
    kind: Option<Kind>,
    venue: String,
    every: Option<Span>,
    accrues: bool,
    /// The instrument of a file whose rows do not say it.
    symbol: Option<Instrument>,
    /// The text of the last row's instrument, and its table; none for one that is not wanted.
    last: Option<(Vec<u8>, Option<usize>)>,
    seen: Option<String>,
    pub(super) tables: &'t mut Tables,
    pub(super) tally: &'t mut Tally,
    pub(super) rows: u64,
}

impl<'t> Target<'t> {
    pub(super) fn new(
        part: &Part,
        number: u32,
        shape: &Shape,
        given: &'t Given,
        found: Option<&Document<'_>>,
        tables: &'t mut Tables,
        tally: &'t mut Tally,
    ) -> Result<Self, String> {
        let FileName { every, .. } = file_name(&part.name);
        let beside = |key: &str| found.and_then(|found| found.beside.get(key));
        let category = match beside("category").map(String::as_str) {
            Some("linear") => Some(Kind::Perp),
            Some("spot") => Some(Kind::Spot),
            Some(other) => {
                return Err(format!(
                    "is of category {other}; only spot and linear are run"
                ));
            }
            None => None,
        };
        let fixed = match &shape.map.symbol {
            Some(SymbolFrom::Fixed(symbol)) => Some(symbol.clone()),
            _ => None,
        };
        let said = beside("symbol").or_else(|| beside("instId")).cloned();
        let symbol = match shape.map.kind {
            // A chain has one series of it.
            Some(Kind::Gas) => Some(gwei()),
            _ => named(fixed, said, (&part.name, shape.is_layout()), given)?,
        };
        let own = symbol.as_ref().and_then(|found: &Instrument| found.kind);
        let kind = kind_of(part, shape, given, category, own)?;
        let venue = given.venue.clone().or_else(|| shape.map.venue.clone());
        let venue = venue.or_else(|| shape.venue.map(str::to_owned));
        // Where the layout has no folder of a venue, the kind says whose the rows are.
        let venue = venue.or_else(|| {
            let own = match kind? {
                Kind::AaveReserve | Kind::Oracle => "aave",
                Kind::StakingRate | Kind::StakingMarket => "staking",
                Kind::Peg => "usd",
                _ => return None,
            };
            Some(own.to_owned())
        });
        Ok(Self {
            part: number,
            given,
            kind,
            venue: venue.unwrap_or_default(),
            every: given.every.or(shape.map.every).or(every),
            accrues: shape.accrues(),
            symbol,
            last: None,
            seen: None,
            tables,
            tally,
            rows: 0,
        })
    }

    pub(super) fn columns(&self) -> Result<Vec<(&'static str, u8)>, String> {
        // Without a kind the rows are bars, whichever; their instruments or a flag say which.
        Ok(self.kind.unwrap_or(Kind::Spot).columns())
    }

    /// The block whose instant the request says.
    pub(super) const fn anchor(&self) -> Option<Anchor> {
        self.given.anchor
    }

    pub(super) fn named_venue(&mut self, venue: &str) {
        if self.venue.is_empty() {
            venue.clone_into(&mut self.venue);
        }
    }

    /// Takes one row.
    pub(super) fn row(&mut self, line: u32, fields: &[&[u8]], bound: &Bound) -> Result<(), String> {
        if fields.len() != bound.width {
            return Err(format!(
                "has {} fields, expected {}; is the file cut off?",
                fields.len(),
                bound.width
            ));
        }
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let symbol = bound.symbol.map(field);
        let Some(table) = self.table(symbol)? else {
            self.tally.others += 1;
            return Ok(());
        };
        if let Some((at, wanted)) = &bound.confirm
            && field(*at) != wanted.as_slice()
        {
            self.tally.unconfirmed += 1;
            return Ok(());
        }
        let opened = self.instant(bound, fields)?;
        if let Some(at) = bound.closes {
            self.closes(table, opened, field(at))?;
        }
        let from = From {
            part: self.part,
            line,
        };
        let Some(table) = self.tables.get_mut(table) else {
            return Ok(());
        };
        let start = table.cells.len();
        if let Err(what) = push_cells(table, fields, bound, self.tally) {
            table.cells.truncate(start);
            return Err(what);
        }
        table.at.push(opened);
        table.from.push(from);
        self.rows += 1;
        Ok(())
    }

    fn instant(&mut self, bound: &Bound, fields: &[&[u8]]) -> Result<Timestamp, String> {
        let joined;
        let text = match bound.time.as_slice() {
            [only] => fields.get(*only).copied().unwrap_or_default(),
            several => {
                let texts = several.iter().filter_map(|at| fields.get(*at).copied());
                joined = texts.collect::<Vec<_>>().join(&b' ');
                &joined
            }
        };
        let Some(read) = time::parse(text, bound.time_form) else {
            let text = String::from_utf8_lossy(text);
            return Err(format!(
                "`{text}` is no instant: digits since 1970 in s, ms, us or ns, or a date"
            ));
        };
        self.tally.zone_assumed += u64::from(read.zone_assumed);
        if self.kind != Some(Kind::Funding) {
            return Ok(read.at);
        }
        let hour = read.at.floor_to(Span::HOUR);
        let by = read.at.since(hour);
        if by == Span::ZERO || by > MOVED_MAX {
            return Ok(read.at);
        }
        self.tally.moved += 1;
        self.tally.moved_by = self.tally.moved_by.max(by);
        Ok(hour)
    }

    /// Holds the last instant of a bar against its interval, or learns the interval from it.
    fn closes(&mut self, table: usize, opened: Timestamp, text: &[u8]) -> Result<(), String> {
        let Some(closes) = time::parse(text, time::TimeForm::Any) else {
            let text = String::from_utf8_lossy(text);
            return Err(format!("`{text}` is no instant at which a bar closes"));
        };
        // One millisecond, or microsecond, before the next bar.
        let spanned = closes.at.since(opened);
        let length = spanned.nanos().saturating_add(1_000_000) / 1_000_000_000 * 1_000_000_000;
        let length = Span::from_nanos(length);
        let Some(table) = self.tables.get_mut(table) else {
            return Ok(());
        };
        match table.every {
            Some(every) if every != length => Err(format!(
                "spans {length}, not {every}: it closes at {}",
                closes.at
            )),
            _ if length > Span::ZERO => {
                table.every = Some(length);
                Ok(())
            }
            _ => Err(format!("closes at {}, before it opens", closes.at)),
        }
    }

    /// The table of a row's instrument; none for one that is not wanted.
    pub(super) fn table(&mut self, symbol: Option<&[u8]>) -> Result<Option<usize>, String> {
        let text = symbol.unwrap_or_default();
        if let Some((last, table)) = &self.last
            && last == text
        {
            return Ok(*table);
        }
        let table = match symbol {
            None => {
                let Some(symbol) = self.symbol.clone() else {
                    return Err("is of an instrument that nothing names; say --symbol".to_owned());
                };
                Some(self.open(&symbol)?)
            }
            Some(text) => self.wanted(&String::from_utf8_lossy(text))?,
        };
        self.last = Some((text.to_vec(), table));
        Ok(table)
    }

    fn wanted(&mut self, text: &str) -> Result<Option<usize>, String> {
        let wanted = &self.given.symbols;
        let found = match instrument(text) {
            Ok(found) => found,
            // An instrument that is not asked for need not be one of ours.
            Err(_) if !wanted.is_empty() && !wanted.iter().any(|name| name == text) => {
                return Ok(None);
            }
            Err(what) => return Err(what),
        };
        let asked = |name: &String| match instrument(name) {
            Ok(asked) => {
                asked.symbol == found.symbol
                    && (asked.kind.is_none() || found.kind.is_none() || asked.kind == found.kind)
            }
            Err(_plain) => name == text,
        };
        let other_kind = matches!(
            (self.kind, found.kind),
            (Some(Kind::Perp | Kind::Funding), Some(Kind::Spot))
        );
        if !wanted.is_empty() && (!wanted.iter().any(asked) || other_kind) {
            return Ok(None);
        }
        if wanted.is_empty() {
            match &self.seen {
                Some(seen) if seen != text => {
                    return Err(format!(
                        "is of {text}, other rows of {seen}; say which with --symbol"
                    ));
                }
                _ => self.seen = Some(text.to_owned()),
            }
        }
        self.open(&found).map(Some)
    }

    fn open(&mut self, found: &Instrument) -> Result<usize, String> {
        let kind = self.kind.or(found.kind).ok_or_else(|| {
            "is of a market that nothing names; say --kind spot, perp, mark, index or peg"
                .to_owned()
        })?;
        let is_spot = |kind| kind == Kind::Spot;
        if matches!(kind, Kind::Spot | Kind::Perp | Kind::Mark | Kind::Funding)
            && found.kind.is_some_and(|own| is_spot(own) != is_spot(kind))
        {
            return Err(format!(
                "is of {}, which has no {}",
                found.symbol,
                kind.as_str()
            ));
        }
        if self.accrues && !Asset::new(&found.symbol).is_ok_and(is_dollar) {
            return Err(format!(
                "counts {} in dollars and says no price of it: of such a chart only tokens of a dollar are taken, as \
                 USDT and USDC; import the reserve itself with --format aave",
                found.symbol
            ));
        }
        if self.venue.is_empty() {
            return Err("is of a venue that nothing names; say --venue".to_owned());
        }
        let key = Key {
            kind,
            venue: self.venue.clone(),
            symbol: found.symbol.clone(),
        };
        self.tables.open(&key, self.every, self.accrues)
    }
}

/// What the rows are, as far as anything but themselves says it.
fn kind_of(
    part: &Part,
    shape: &Shape,
    given: &Given,
    category: Option<Kind>,
    own: Option<Kind>,
) -> Result<Option<Kind>, String> {
    if is_premium(&part.label) {
        return Err(
            "holds the premium of a perpetual over its index, which is no price and is read by nothing; leave \
             it out"
                .to_owned(),
        );
    }
    let said = shape.map.kind.or(folder_kind(&part.label));
    let told = given.kind.or(said);
    if let (Some(given), Some(said)) = (given.kind, said)
        && given != said
    {
        return Err(format!(
            "holds {} rows, not {}; leave --kind out or name other files",
            said.as_str(),
            given.as_str()
        ));
    }
    if let (Some(told), Some(category)) = (told, category)
        && (told == Kind::Spot) != (category == Kind::Spot)
    {
        return Err(format!(
            "is of category {}, not {}",
            category.as_str(),
            told.as_str()
        ));
    }
    // Replies of marks and indices have no volume and do not say which they are.
    let unsaid = shape
        .map
        .values
        .iter()
        .any(|(name, value)| name == "volume" && matches!(value, ValueFrom::Constant(_)));
    match (told, unsaid && shape.name != "mapped columns") {
        (Some(Kind::Mark | Kind::Index), true) => Ok(told),
        (_, true) => Err(
            "has no volume: it is of marks or an index and does not say which; \
                              say --kind mark or --kind index"
                .to_owned(),
        ),
        (_, false) => Ok(told.or(category).or(own)),
    }
}

/// The instrument of a file whose rows do not say it: of the map, of the reply, of the request, of the file's name.
///
/// # Errors
/// The file says another than the request asks for.
fn named(
    fixed: Option<String>,
    said: Option<String>,
    (file, is_layout): (&str, bool),
    given: &Given,
) -> Result<Option<Instrument>, String> {
    let read = |name: &str| instrument(name).or_else(|e| plain(name, given).ok_or(e));
    let named = file_name(file);
    // A name that is of no archive and not of the layout may have anything before its interval.
    let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
    let is_listed = is_layout || crate::catalogue::split_length(stem).is_none();
    let firm = named.every.is_some() && is_listed || file.contains("-fundingRate-");
    let own = fixed.or(said);
    let own = own.or_else(|| named.symbol.clone().filter(|_| firm));
    match (own, given.symbols.as_slice()) {
        (Some(own), []) => read(&own).map(Some),
        (Some(own), asked) => {
            let own = read(&own)?;
            for name in asked {
                let asked = read(name)?;
                if asked.symbol == own.symbol {
                    let kind = own.kind.or(asked.kind);
                    return Ok(Some(Instrument { kind, ..own }));
                }
            }
            Err(format!(
                "is of {}, not of {}; leave --symbol out or name other files",
                own.symbol,
                asked.join(" or ")
            ))
        }
        (None, [only]) => read(only).map(Some),
        (None, _) => named.symbol.as_deref().map(read).transpose(),
    }
}

/// The symbol of every gas series.
fn gwei() -> Instrument {
    Instrument {
        symbol: "gwei".to_owned(),
        kind: None,
    }
}

/// A name that is no instrument of an exchange: `weETH_ETH`, `WETH`, `gwei`.
fn plain(name: &str, given: &Given) -> Option<Instrument> {
    let exchange = given.kind.is_some_and(|kind| {
        matches!(
            kind,
            Kind::Spot | Kind::Perp | Kind::Mark | Kind::Index | Kind::Funding
        )
    });
    let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    (!exchange && !name.is_empty() && name.bytes().all(allowed)).then(|| Instrument {
        symbol: name.to_owned(),
        kind: None,
    })
}

fn push_cells(
    table: &mut Table,
    fields: &[&[u8]],
    bound: &Bound,
    tally: &mut Tally,
) -> Result<(), String> {
    let start = table.cells.len();
    for cell in &bound.cells {
        let value = match cell.from {
            CellFrom::Constant(value) => value,
            CellFrom::GasPrice => {
                // Block, base fee, priority fee come before.
                let fees = table.cells.get(start + 1..start + 3).unwrap_or_default();
                fees.iter()
                    .try_fold(0_i128, |sum, fee| sum.checked_add(*fee))
                    .ok_or("has fees too large to add")?
            }
            CellFrom::Field { at, shift } => {
                let text = fields.get(at).copied().unwrap_or_default();
                let scaled = number::parse(text, shift, cell.decimals).map_err(|e| {
                    let text = String::from_utf8_lossy(text);
                    format!("column `{}`: `{text}` {}", cell.column, e.what())
                })?;
                tally.rounded += u64::from(scaled.rounded);
                scaled.mantissa
            }
        };
        table.cells.push(value);
    }
    Ok(())
}
