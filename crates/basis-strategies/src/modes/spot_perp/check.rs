//! What a basis mode reads and trades, and which configurations can never work.

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Rate, Rounding};
use basis_core::rules::RuleBook;
use basis_core::types::{Asset, InstrumentKey, InstrumentKind, SeriesId, Venue};
use basis_market::{ETHER_POOL_SERIES, GAS_SERIES, MarketData};

use super::super::spot_allocation::{is_spread, series_at, shares};
use crate::config::ModeConfig;
use basis_engine::benchmark;
use basis_engine::size::{EntryMargin, EntryShare};

pub(in super::super) fn required_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    let symbol = config.symbol();
    let spot = InstrumentKey::new(config.spot_venue, InstrumentKind::Spot, symbol);
    let mut series = vec![config.reference_price, spot.series()];
    if config
        .expected_carry
        .is_some_and(|rule| rule.above_supply_rate)
    {
        series.extend(benchmark::series_of(config));
    }
    let told = config.spot_allocation.iter();
    series.extend(told.map(|(venue, _)| series_at(config, *venue)));
    for &(venue, _) in config.hedge_allocation {
        let symbol = config.hedge_symbol(venue);
        let perp = InstrumentKey::new(venue, InstrumentKind::Perp, symbol);
        series.extend([perp.series(), perp.funding_series()]);
    }
    series.sort_unstable();
    series.dedup();
    series
}

/// What transfers out of the wallet cost, and where spot may stand beside the shorts.
pub(in super::super) fn optional_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    let in_ether = config.underlying() == Asset::literal("ETH");
    let pool = (!in_ether).then_some(ETHER_POOL_SERIES);
    let mut series: Vec<_> = std::iter::once(GAS_SERIES).chain(pool).collect();
    if is_spread(config) && config.spot_allocation.is_empty() {
        let venues = config.hedge_allocation.iter();
        series.extend(venues.map(|(venue, _)| series_at(config, *venue)));
    }
    series
}

pub(in super::super) fn venues(config: &ModeConfig<'_>) -> Vec<Venue> {
    let mut venues = vec![config.spot_venue];
    for (venue, _) in config.hedge_allocation.iter().chain(config.spot_allocation) {
        if !venues.contains(venue) {
            venues.push(*venue);
        }
    }
    venues
}

/// Every venue must list its instrument, be configured, and allow the leverage the hedge implies.
pub(in super::super) fn check(
    config: &ModeConfig<'_>,
    rules: &RuleBook,
) -> Result<(), ComponentError> {
    let refuse = |message: String| Err(ComponentError::new(Code::StrategyInfeasible, message));
    if config.hedge_allocation.is_empty() {
        return refuse("hedge_allocation names no venue with a share above 0".to_owned());
    }
    refuse_idle_symbols(config)?;
    refuse_spread_in_kind(config)?;
    check_networks(config, rules)?;
    let spot = (config.spot_venue, InstrumentKind::Spot, config.symbol());
    let perps = config
        .hedge_allocation
        .iter()
        .map(|(venue, _)| (*venue, InstrumentKind::Perp, config.hedge_symbol(*venue)));
    let told = config.spot_allocation.iter();
    let told = told.map(|(venue, _)| (*venue, InstrumentKind::Spot, config.symbol()));
    let mut paid_in = None;
    for (venue, kind, symbol) in std::iter::once(spot).chain(perps).chain(told) {
        if !config.venues.contains(&venue) {
            return refuse(format!(
                "{venue} is needed for {kind} {symbol} but is not under venue_settings; add `venue_settings.{venue}: {{}}`"
            ));
        }
        let listed = rules.venue(venue).map(|rules| rules.at(config.from));
        let Some(instrument) = listed.and_then(|rules| rules.instrument(kind, symbol)) else {
            return refuse(format!(
                "{venue} lists no {kind} {symbol} on {}; import its rules with `basis rules import \
                 {venue} {symbol} FILES` and name them under rules.{venue}",
                config.from
            ));
        };
        let settles_in = *paid_in.get_or_insert(instrument.quote);
        if instrument.quote != settles_in {
            return refuse(format!(
                "{} settles in {}, {} in {settles_in}: there is no rule yet for a margin in another \
                 currency than spot is paid in",
                instrument.key, instrument.quote, config.spot_venue
            ));
        }
        for asset in [instrument.base, instrument.quote] {
            if rules.asset_decimals(venue, asset).is_none() {
                return refuse(format!(
                    "no rules say with how many decimals {venue} keeps {asset}; add it under \
                     `assets` of rules.{venue}"
                ));
            }
        }
        if instrument.base != config.asset {
            return refuse(format!(
                "{} trades {}, not the asset {}",
                instrument.key, instrument.base, config.asset
            ));
        }
        if !config.is_in_kind() && instrument.quote != config.share_class {
            return refuse(format!(
                "{} trades {} against {}; share_class must be one of the two, not {}",
                instrument.key, instrument.base, instrument.quote, config.share_class
            ));
        }
        let perp = instrument.perp.as_ref();
        let bound = perp.map_or(Fixed18::MAX, |perp| perp.max_leverage);
        if config.hedge_leverage > bound {
            return refuse(format!(
                "hedge_leverage {} is above {bound}, the most {} allows",
                config.hedge_leverage, instrument.key
            ));
        }
    }
    Ok(())
}

/// What is traded at the entry, of the equity: spot, and as much of perps by their shares. A hedged stake buys
/// `stake_allocation_eth`, a basis h ÷ (1 + h).
///
/// Without `data` spot that the mode is to spread by itself counts at `spot_venue`.
pub(in super::super) fn entry(
    config: &ModeConfig<'_>,
    data: Option<&MarketData>,
) -> Result<Vec<EntryShare>, ComponentError> {
    if config.hedge_allocation.is_empty() {
        return Ok(Vec::new());
    }
    let h = config.hedge_leverage;
    let part = match config.chain {
        Some(chain) => chain.stake_allocation,
        None => Rate::new(h.div(h.add(Fixed18::ONE)?, Rounding::Floor)?),
    };
    let invested = Rate::ONE.sub(config.reserve_ratio)?;
    let whole = invested.mul(part, Rounding::Floor)?;
    let key = |venue, kind, symbol| InstrumentKey::new(venue, kind, symbol);
    // In kind the spot is there, and a part of it is sold for margin.
    let bought = if config.is_in_kind() {
        invested.sub(whole)?
    } else {
        whole
    };
    let mut entry = Vec::new();
    for (venue, part) in shares(config, &|venue| is_recorded(config, data, venue))? {
        if part.is_positive() {
            entry.push(EntryShare {
                instrument: key(venue, InstrumentKind::Spot, config.symbol()),
                share: bought.mul(part, Rounding::Floor)?,
                margin: None,
            });
        }
    }
    let margin = invested.sub(whole)?;
    let decided_by = match config.chain {
        Some(_) => "stake_allocation_eth",
        None => "hedge_leverage",
    };
    for &(venue, share) in config.hedge_allocation {
        entry.push(EntryShare {
            instrument: key(venue, InstrumentKind::Perp, config.hedge_symbol(venue)),
            share: whole.mul(share, Rounding::Floor)?,
            margin: Some(EntryMargin {
                share: margin.mul(share, Rounding::Floor)?,
                decided_by,
            }),
        });
    }
    Ok(entry)
}

/// The exchange where spot must stand, because no other of the mode has a series of it, it is the capital itself, or
/// a stake is bought there; none where it can be spread.
pub(in super::super) fn spot_alone_at(config: &ModeConfig<'_>, data: &MarketData) -> Option<Venue> {
    if config.hedge_allocation.is_empty() {
        return None;
    }
    let first = config.spot_venue;
    let mut others = venues(config).into_iter().filter(|venue| *venue != first);
    let spreads = is_spread(config) && others.any(|venue| is_recorded(config, Some(data), venue));
    (!spreads).then_some(first)
}

/// Whether spot at a venue has a price series, its own or one in its place.
fn is_recorded(config: &ModeConfig<'_>, data: Option<&MarketData>, venue: Venue) -> bool {
    let (id, proxies) = (series_at(config, venue), &config.view.proxies);
    data.is_some_and(|data| {
        data.contains(id) || proxies.get(&id).is_some_and(|proxy| data.contains(*proxy))
    })
}

/// The share class must get to every exchange of the mode and back.
fn check_networks(config: &ModeConfig<'_>, rules: &RuleBook) -> Result<(), ComponentError> {
    let asset = config.share_class;
    for venue in std::iter::once(Venue::WALLET).chain(venues(config)) {
        let listed = rules.venue(venue).map(|rules| rules.at(config.from));
        if listed.is_some_and(|rules| rules.withdrawal(asset).is_some()) {
            continue;
        }
        let message = format!(
            "{venue} sends no {asset} on {}, so that capital in share_class {asset} cannot get to the exchanges \
             and back; give its network under transfers.withdrawals of rules.{venue}",
            config.from
        );
        return Err(ComponentError::new(Code::StrategyInfeasible, message));
    }
    Ok(())
}

/// Capital in kind stands where a part of it is sold.
fn refuse_spread_in_kind(config: &ModeConfig<'_>) -> Result<(), ComponentError> {
    let mut told = config.spot_allocation.iter();
    if !config.is_in_kind() || told.all(|(venue, _)| *venue == config.spot_venue) {
        return Ok(());
    }
    let message = format!(
        "spot_allocation spreads spot that is bought; in share_class {} it is the capital itself and stands at \
         spot_venue {}; leave spot_allocation out",
        config.share_class, config.spot_venue
    );
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}

/// A symbol for a venue that hedges nothing is a mistake.
fn refuse_idle_symbols(config: &ModeConfig<'_>) -> Result<(), ComponentError> {
    let hedges = |venue: Venue| config.hedge_allocation.iter().any(|(of, _)| *of == venue);
    let mut idle = config.hedge_symbols.iter();
    let Some((venue, symbol)) = idle.find(|(venue, _)| !hedges(*venue)) else {
        return Ok(());
    };
    let message =
        format!("hedge_symbols names {symbol} at {venue}, which hedge_allocation gives no share");
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}
