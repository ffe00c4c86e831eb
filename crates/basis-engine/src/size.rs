//! Whether the capital fits the markets it would enter.

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::RuleBook;
use basis_core::types::{InstrumentKey, InstrumentKind, Span, Timestamp, Venue};
use basis_market::{BarSeries, MarketData, MarketView};
use basis_protocols::exchange::margin::{PositionLimit, maintenance_parts, position_limit};

use crate::account::liquidation_distance;
use crate::config::RunConfig;
use crate::strategy::Venues;

/// How far back volumes are averaged.
const LOOK_BACK: Span = Span::from_hours(7 * 24);

/// An entry stands at least so many times `risk.distance_top_up` from liquidation: a book that needs cash
/// after the first third of its way is none that a desk would open.
const ENTRY_DISTANCE: Rate = Rate::literal("1.5");

/// What is traded in one market at the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryShare {
    /// The market.
    pub instrument: InstrumentKey,
    /// The notional as a part of the equity, >= 0.
    pub share: Rate,
    /// What a perp's entry stands on; `None` of spot, and where the mode does not say.
    pub margin: Option<EntryMargin>,
}

/// The margin of a perp at the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryMargin {
    /// The margin as a part of the equity, >= 0.
    pub share: Rate,
    /// The key of the mode that decides how notional and margin stand to one another.
    pub decided_by: &'static str,
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
    check_distances(shares, config, rules, Some(price))?;
    check_venues(shares, config)?;
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

/// Refuses shorts that stand nearer to liquidation at the entry than [`ENTRY_DISTANCE`] allows, by the margin
/// tier of their size. Without a `price` sizes that it takes to know are those of the first tier.
///
/// # Errors
/// STRAT-001 with the distance, its bound and the leverage that starts; POS-002 out of range.
pub(crate) fn check_distances(
    shares: &[EntryShare],
    config: &RunConfig,
    rules: &RuleBook,
    price: Option<Price>,
) -> Result<(), ComponentError> {
    let capital = match price {
        Some(price) if config.is_in_kind() => {
            config.initial_capital.notional(price, Rounding::Floor)?
        }
        None if config.is_in_kind() => Value::new(Fixed18::ONE),
        _ => Value::new(config.initial_capital.get()),
    };
    for entry in shares {
        let Some(margin) = entry.margin else {
            continue;
        };
        let notional = capital.at_rate(entry.share, Rounding::Floor)?;
        let balance = capital.at_rate(margin.share, Rounding::Floor)?;
        let size = match price {
            Some(price) => notional.per(price, Rounding::Floor)?,
            None => Quantity::ZERO,
        };
        let key = entry.instrument;
        let listed = rules.venue(key.venue).map(|rules| rules.at(config.from));
        let listed = listed.and_then(|rules| rules.instrument(key.kind, key.symbol));
        let Some(perp) = listed.and_then(|listed| listed.perp.as_ref()) else {
            continue;
        };
        let (slope, deduction) = maintenance_parts(perp, size, notional)?;
        let maintenance = slope.sub(deduction)?;
        let measured = liquidation_distance((balance, maintenance), (slope, notional.neg()?));
        let bound = config
            .risk
            .distance_top_up
            .mul(ENTRY_DISTANCE, Rounding::Up)?;
        let Some((distance, _)) = measured.filter(|(distance, _)| *distance < bound) else {
            continue;
        };
        let kept = notional.add(slope)?.at_rate(bound, Rounding::Up)?;
        let most = notional.ratio(kept.add(maintenance)?, Rounding::Floor)?;
        let held = if balance.is_positive() {
            let held = notional.ratio(balance, Rounding::HalfEven)?;
            held.get()
                .round_to_decimals(2, Rounding::HalfEven)?
                .to_string()
        } else {
            "any number of".to_owned()
        };
        let message = format!(
            "{} makes the short in {key} {held} times its margin, which a rise of {} liquidates at the entry; it \
             takes {bound} at least, {ENTRY_DISTANCE} x risk.distance_top_up {}. At most {} times its margin \
             starts: lower {} or risk.distance_top_up",
            margin.decided_by,
            distance.get().round_to_decimals(4, Rounding::Floor)?,
            config.risk.distance_top_up,
            most.get().round_to_decimals(2, Rounding::Floor)?,
            margin.decided_by,
        );
        return Err(ComponentError::new(Code::StrategyInfeasible, message));
    }
    Ok(())
}

/// Refuses a target that puts more of the equity at one exchange than `risk.venue_share_max` lets it hold: the spot
/// that is bought there, and the margin of its shorts.
///
/// # Errors
/// STRAT-001 with the parts, the bound and the ways out; POS-002 out of range.
fn check_venues(shares: &[EntryShare], config: &RunConfig) -> Result<(), ComponentError> {
    let Some(bound) = config.risk.venue_share else {
        return Ok(());
    };
    let mut parts: Vec<(Venue, Rate, Rate)> = Vec::new();
    for entry in shares {
        let (spot, margin) = match entry.margin {
            Some(margin) => (Rate::ZERO, margin.share),
            None if entry.instrument.kind == InstrumentKind::Spot => (entry.share, Rate::ZERO),
            None => continue,
        };
        let venue = entry.instrument.venue;
        match parts.iter_mut().find(|(of, ..)| *of == venue) {
            Some((_, held, kept)) => (*held, *kept) = (held.add(spot)?, kept.add(margin)?),
            None => parts.push((venue, spot, margin)),
        }
    }
    for (venue, spot, margin) in parts {
        let (whole, most) = (spot.add(margin)?, bound.of(venue));
        if whole > most {
            let shown = |rate: Rate| rate.get().round_to_decimals(4, Rounding::Ceil);
            let message = format!(
                "the target puts {} of the equity at {venue} (spot {}, margin {}), above the {most} of \
                 risk.venue_share_max; spread spot with spot_allocation, give {venue} less of hedge_allocation, \
                 raise reserve_ratio, or raise risk.venue_share_max",
                shown(whole)?,
                shown(spot)?,
                shown(margin)?,
            );
            return Err(ComponentError::new(Code::StrategyInfeasible, message));
        }
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
