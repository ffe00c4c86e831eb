//! Whether the capital fits the markets it would enter.

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::RuleBook;
use basis_core::types::{InstrumentKey, Span, Timestamp};
use basis_market::{BarSeries, MarketData, MarketView};
use basis_protocols::exchange::margin::{PositionLimit, position_limit};

use crate::config::RunConfig;
use crate::strategy::Venues;

/// How far back volumes are averaged.
const LOOK_BACK: Span = Span::from_hours(7 * 24);

/// What is traded in one market at the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryShare {
    /// The market.
    pub instrument: InstrumentKey,
    /// The notional as a part of the equity, >= 0.
    pub share: Rate,
}

/// Refuses capital whose entry takes longer than `entry_time_max_hours`, at the participation of the venues'
/// settings and the mean volume of the 7 days before the start (of the first 7 days where the data begin
/// then), and a position above the last margin tier.
///
/// # Errors
/// STRAT-001 with the numbers and the capital that fits; POS-002 out of range.
pub(crate) fn check(
    shares: &[EntryShare],
    config: &RunConfig,
    (data, rules): (&MarketData, &RuleBook),
    (view, venues): (&MarketView, &dyn Venues),
) -> Result<(), ComponentError> {
    let reference = data.bars(config.reference_price);
    let Some(price) = reference.and_then(|bars| price_at(bars, config.from)) else {
        return Ok(());
    };
    let capital = if config.is_in_kind() {
        config.initial_capital.notional(price, Rounding::Floor)?
    } else {
        Value::new(config.initial_capital.get())
    };
    for entry in shares {
        let notional = capital.at_rate(entry.share, Rounding::Floor)?;
        let wanted = notional.per(price, Rounding::Floor)?;
        within_tiers(config, rules, (entry, wanted, price))?;
        let id = entry.instrument.series();
        let proxy = config.view.proxies.get(&id);
        let bars = data.bars(id).or_else(|| data.bars(*proxy?));
        let taking = venues.terms(entry.instrument.venue, view)?.taking;
        let share = taking.and_then(|taking| taking.max_participation);
        let (Some(bars), Some(share)) = (bars, share) else {
            continue;
        };
        in_time(config, (entry, wanted), (&**bars, share))?;
    }
    Ok(())
}

fn in_time(
    config: &RunConfig,
    (entry, wanted): (&EntryShare, Quantity),
    (bars, share): (&BarSeries, Rate),
) -> Result<(), ComponentError> {
    // A market of which nothing is recorded around the start is not judged: it is in a gap.
    let Some(volume) = mean_volume(bars, config.from)? else {
        return Ok(());
    };
    let room = volume.at_rate(share, Rounding::Floor)?;
    let most = config.entry_time_max;
    let steps = most.nanos() / bars.length.nanos().max(1);
    let in_time = Quantity::new(room.get().mul_int(steps)?);
    if wanted <= in_time {
        return Ok(());
    }
    let hours = most.seconds() / 3_600;
    let fits = if wanted.is_positive() {
        let capital = config.initial_capital.get();
        capital.mul_div(in_time.get(), wanted.get(), Rounding::Floor)?
    } else {
        Fixed18::ZERO
    };
    let fits = fits.round_to_decimals(0, Rounding::Floor)?;
    let message = format!(
        "initial_capital {} {} wants {wanted} {} in {} at the entry; at max_participation {share} of the mean \
         volume of {volume} a bar of {} it gets {in_time} within entry_time_max_hours {hours}. Capital of {fits} \
         {} enters in time; or raise entry_time_max_hours or max_participation",
        config.initial_capital,
        config.share_class,
        config.asset,
        entry.instrument,
        bars.length,
        config.share_class,
    );
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}

/// Refuses a perp position that the venue's last margin tier does not take.
fn within_tiers(
    config: &RunConfig,
    rules: &RuleBook,
    (entry, wanted, price): (&EntryShare, Quantity, Price),
) -> Result<(), ComponentError> {
    let key = entry.instrument;
    let rules = rules.venue(key.venue).map(|rules| rules.at(config.from));
    let listed = rules.and_then(|rules| rules.instrument(key.kind, key.symbol));
    let Some(perp) = listed.and_then(|listed| listed.perp.as_ref()) else {
        return Ok(());
    };
    let Some(PositionLimit::LastTier { size, notional }) =
        position_limit(perp, wanted, price, Fixed18::ONE)?
    else {
        return Ok(());
    };
    let message = format!(
        "initial_capital {} {} wants a position of {size} {} worth {notional} in {key}, above the venue's last \
         margin tier; give it a smaller hedge_allocation, or less capital",
        config.initial_capital, config.share_class, config.asset,
    );
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}

/// The close of the newest bar closed at `at`, else the open of the first.
fn price_at(bars: &BarSeries, at: Timestamp) -> Option<Price> {
    let closed = bars.closed_by(at);
    match closed.checked_sub(1) {
        Some(row) => bars.close(row),
        None => bars.open(0),
    }
}

/// The mean volume of the bars of the look-back before `at`, of as long after it where there are none; `None`
/// without any.
fn mean_volume(bars: &BarSeries, at: Timestamp) -> Result<Option<Quantity>, ComponentError> {
    let before = bars.closed_by(at.minus(LOOK_BACK))..bars.closed_by(at);
    let rows = if before.is_empty() {
        before.end..bars.closed_by(at.plus(LOOK_BACK))
    } else {
        before
    };
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Ok(None);
    }
    let mut sum = Quantity::ZERO;
    for row in rows {
        sum = sum.add(bars.volume(row).unwrap_or_default())?;
    }
    let mean = sum.get().div(Fixed18::from_int(count), Rounding::Floor)?;
    Ok(Some(Quantity::new(mean)))
}
