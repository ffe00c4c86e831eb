//! What is settled before the first step: series, dates, gaps, capital flows.

use std::sync::Arc;

use basis_core::error::{Code, ComponentError};
use basis_core::in_flight::{ExternalFlow, InFlightTransfers};
use basis_core::num::{Quantity, Rounding, Value};
use basis_core::rules::RuleBook;
use basis_core::types::{
    Asset, InstrumentKey, InstrumentKind, SeriesId, SeriesKind, Timestamp, Venue,
};
use basis_core::venue::FillAt;
use basis_core::venue_event::FlowId;
use basis_market::ExecutionInterface;
use basis_market::{
    Coverage, Gap, GapPolicy, GapTreatment, MarketData, MarketView, Provenance, Schedule,
    SeriesRequest, Shock, ViewError, coverage, mark_suspects,
};

use crate::account::Pricing;
use crate::benchmark;
use crate::config::RunConfig;
use crate::limits::VenueShare;
use crate::mode::Mode;
use crate::peg::peg_series;
use crate::result::RefusedWithdrawal;
use crate::risk::{Dust, RiskMonitor};
use crate::size;

/// Gaps named in full in a refusal; the rest are counted.
const GAPS_SHOWN: usize = 8;

/// Every series that the run reads: prices, funding, the reference, and the proxies of these.
///
/// # Errors
/// STRAT-001 for a configuration that can never work.
pub fn required_series(
    mode: &dyn Mode,
    config: &RunConfig,
    rules: &RuleBook,
) -> Result<Vec<SeriesId>, ComponentError> {
    check_amounts(config, rules)?;
    mode.check(config, rules)?;
    size::check_distances(&mode.entry(config), config, rules, None)?;
    let mut series = mode.required_series(config);
    let proxies: Vec<_> = series
        .iter()
        .filter_map(|id| config.view.proxies.get(id))
        .copied()
        .collect();
    series.extend(proxies);
    series.sort_unstable();
    series.dedup();
    Ok(series)
}

/// Refuses capital and flows finer than the wallet keeps the share class: nobody can send such an amount.
fn check_amounts(config: &RunConfig, rules: &RuleBook) -> Result<(), ComponentError> {
    let asset = config.share_class;
    let Some(decimals) = rules.asset_decimals(Venue::WALLET, asset) else {
        return Ok(());
    };
    let flows = config.flows.iter().map(|flow| {
        let kind = if flow.amount.is_negative() {
            "withdrawals"
        } else {
            "deposits"
        };
        (format!("{kind} at {}", flow.at), flow.amount)
    });
    let capital = ("initial_capital".to_owned(), config.initial_capital);
    for (what, amount) in std::iter::once(capital).chain(flows) {
        let amount = amount.abs()?;
        if amount.get().round_to_decimals(decimals, Rounding::Down)? != amount.get() {
            let message =
                format!("{what}: {amount} has more than the {decimals} decimals of {asset}");
            return Err(ComponentError::new(Code::ConfigInvalid, message));
        }
    }
    Ok(())
}

/// Marks and indices of the perps among `series`: read where they are there.
pub(crate) fn marks_of(series: &[SeriesId]) -> Vec<SeriesId> {
    let perps = series.iter().filter(|id| id.kind == SeriesKind::Perp);
    perps
        .flat_map(|id| [SeriesKind::Mark, SeriesKind::Index].map(|kind| id.of_kind(kind)))
        .collect()
}

/// The series of `wanted` that `data` has, or something in the place of, and that are not needed anyhow.
fn optional_in(
    wanted: impl IntoIterator<Item = SeriesId>,
    needed: &[SeriesId],
    (config, data): (&RunConfig, &MarketData),
) -> Vec<SeriesId> {
    let proxies = &config.view.proxies;
    let is_there = |id: &SeriesId| {
        data.contains(*id) || proxies.get(id).is_some_and(|proxy| data.contains(*proxy))
    };
    let mut found: Vec<_> = wanted.into_iter().collect();
    found.retain(|id| !needed.contains(id) && is_there(id));
    found.sort_unstable();
    found.dedup();
    found
}

/// The series of the run's dollar token against the dollar.
pub(crate) fn peg_of(config: &RunConfig) -> Option<SeriesId> {
    peg_series(config.dollar())
}

/// What of the `optional` series, and of peg and marks of the perps, a run over `data` reads beside `needed`.
pub(crate) fn optional_of(
    config: &mut RunConfig,
    data: &MarketData,
    needed: &[SeriesId],
    optional: &[SeriesId],
) -> Vec<SeriesId> {
    let beside = marks_of(needed).into_iter().chain(peg_of(config));
    let wanted = beside.chain(optional.iter().copied());
    let found = optional_in(wanted, needed, (config, data));
    stand_in_for_marks(config, &found, data);
    found
}

/// Where a mark series has a hole the close of its perp stands in, unless another proxy is named.
fn stand_in_for_marks(config: &mut RunConfig, series: &[SeriesId], data: &MarketData) {
    for id in series {
        let perp = id.of_kind(SeriesKind::Perp);
        if id.kind == SeriesKind::Mark && data.contains(perp) {
            config.view.proxies.entry(*id).or_insert(perp);
        }
    }
}

/// Every series that the run reads when it is there: those it needs, and those it can do without.
///
/// # Errors
/// As [`required_series`].
pub fn wanted_series(
    mode: &dyn Mode,
    config: &RunConfig,
    rules: &RuleBook,
) -> Result<Vec<SeriesId>, ComponentError> {
    let mut series = required_series(mode, config, rules)?;
    series.extend(marks_of(&mode.required_series(config)));
    series.extend(peg_of(config));
    series.extend(benchmark::series_of(config));
    series.extend(mode.optional_series(config));
    let proxies = series.iter().filter_map(|id| config.view.proxies.get(id));
    series.extend(proxies.copied().collect::<Vec<_>>());
    series.sort_unstable();
    series.dedup();
    Ok(series)
}

/// The venues the run cannot do without, the wallet among them.
#[must_use]
pub fn needed_venues(mode: &dyn Mode, config: &RunConfig) -> Vec<Venue> {
    let mut venues = vec![Venue::WALLET];
    for venue in mode.venues(config) {
        if !venues.contains(&venue) {
            venues.push(venue);
        }
    }
    venues
}

/// The series with a value at all times, which bound a run.
fn prices(series: &[SeriesId]) -> impl Iterator<Item = SeriesId> + '_ {
    series.iter().copied().filter(|id| !id.kind.is_event())
}

/// From when to when a series and its proxy have values.
fn extent(config: &RunConfig, data: &MarketData, id: SeriesId) -> Option<(Timestamp, Timestamp)> {
    let own = data.extent(id);
    let proxy = config.view.proxies.get(&id);
    let proxy = proxy.and_then(|proxy| data.extent(*proxy));
    match (own, proxy) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// The modes trade one position per perp, and a venue in hedge mode refuses each of their orders.
pub(crate) fn refuse_hedge_mode(
    mode: &dyn Mode,
    config: &RunConfig,
    interfaces: &[Box<dyn ExecutionInterface>],
) -> Result<(), ComponentError> {
    let perps = mode.trades().perps;
    let trades = |venue: Venue| perps.iter().any(|(v, _)| *v == venue);
    let hedge_mode = interfaces
        .iter()
        .filter(|interface| interface.capabilities().hedge_mode)
        .map(|interface| interface.venue())
        .find(|venue| trades(*venue));
    let Some(venue) = hedge_mode else {
        return Ok(());
    };
    let message = format!(
        "{venue} is in hedge mode, a long and a short position of each perp, and {} trades one position; \
         leave out venue_settings.{venue}.position_mode or set it to one_way",
        config.mode
    );
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}

/// Fills in dates that were not given and refuses those outside the data.
pub(crate) fn resolve_range(
    config: &mut RunConfig,
    data: &MarketData,
    series: &[SeriesId],
) -> Result<(), ComponentError> {
    let dates = |message: String| ComponentError::new(Code::DatesInvalid, message);
    let mut first = Timestamp::MIN;
    let mut last = Timestamp::MAX;
    let mut latest = Timestamp::MIN;
    for id in prices(series) {
        if let Some((from, to)) = extent(config, data, id) {
            (first, last, latest) = (first.max(from), last.min(to), latest.max(to));
        }
    }
    if first == Timestamp::MIN {
        let wanted: Vec<_> = prices(series).map(|id| id.to_string()).collect();
        let message = format!(
            "none of the needed price series has a row: {}",
            wanted.join(", ")
        );
        return Err(ComponentError::new(Code::DataMissing, message));
    }
    if config.from == Timestamp::MIN {
        config.from = first;
    }
    if config.to == Timestamp::MAX {
        config.to = last;
    }
    if config.from >= config.to {
        return Err(dates(format!(
            "from {} is not before to {}",
            config.from, config.to
        )));
    }
    if config.from < first || config.to > latest {
        return Err(dates(format!(
            "the run from {} to {} leaves the data, whose needed prices reach from {first} to {latest}",
            config.from, config.to
        )));
    }
    if step_count(config) == 0 {
        return Err(dates(format!(
            "there is no step of {} between {} and {}",
            config.step, config.from, config.to
        )));
    }
    Ok(())
}

/// Steps in `(from, to]`.
pub(crate) fn step_count(config: &RunConfig) -> u64 {
    let span = config.to.since(config.from.floor_to(config.step)).nanos();
    u64::try_from(span.checked_div(config.step.nanos()).unwrap_or(0)).unwrap_or(0)
}

/// Looks every series of the run over, first those it needs, then those it can do without and that are
/// there: what [`crate::Engine::new`] does before it starts, for whoever wants to know without a run.
///
/// # Errors
/// As [`required_series`], and DATA-001 for a series that is neither there nor replaced.
pub fn survey(
    mode: &dyn Mode,
    config: &RunConfig,
    data: &MarketData,
    rules: &RuleBook,
) -> Result<Vec<Coverage>, ComponentError> {
    let needed = required_series(mode, config, rules)?;
    let mut series = needed.clone();
    let mut config = config.clone();
    let optional = mode.optional_series(&config);
    let traded = mode.required_series(&config);
    let optional = optional_of(&mut config, data, &traded, &optional);
    series.extend(optional.into_iter().filter(|id| !needed.contains(id)));
    look_over(&config, data, rules, &series)
}

/// Why a run over such series does not start: what needed series lack, or hold beyond their schedule.
/// `None` when it starts, as it does with `data.gaps: hold`.
///
/// # Errors
/// As [`required_series`].
pub fn refusal(
    mode: &dyn Mode,
    config: &RunConfig,
    rules: &RuleBook,
    coverage: &[Coverage],
) -> Result<Option<ComponentError>, ComponentError> {
    let needed = required_series(mode, config, rules)?;
    Ok(refused(config, rules, coverage, &needed))
}

/// Refuses a proxy that is not there and that nobody would ask: the series it stands in for is not read.
fn check_proxies(
    config: &RunConfig,
    data: &MarketData,
    series: &[SeriesId],
) -> Result<(), ComponentError> {
    let mut proxies = config.view.proxies.iter();
    let needless = proxies.find(|(id, proxy)| !series.contains(id) && !data.contains(**proxy));
    needless.map_or(Ok(()), |(id, _)| {
        let message = format!(
            "data.proxies.{id}: {} does not read {id}; leave the proxy out",
            config.mode
        );
        Err(ComponentError::new(Code::ConfigInvalid, message))
    })
}

/// Refuses reserves that nothing is known of but their rates: what may be borrowed against them, and the kink
/// of their curve.
fn check_risk_parameters(data: &MarketData, series: &[SeriesId]) -> Result<(), ComponentError> {
    let reserves = series
        .iter()
        .filter(|id| id.kind == SeriesKind::AaveReserve);
    let mut unknown = reserves.filter(|id| {
        let asset = Asset::new(id.symbol.as_str()).ok();
        asset.is_none_or(|asset| data.risk_parameters_of(asset).is_none())
    });
    unknown.next().map_or(Ok(()), |id| {
        let message = format!(
            "{id} is there, but aave/risk_parameters.csv of {} has no row of {}: write one with the columns of \
             docs/data.md",
            data.source(),
            id.symbol
        );
        Err(ComponentError::new(Code::DataMissing, message))
    })
}

fn look_over(
    config: &RunConfig,
    data: &MarketData,
    rules: &RuleBook,
    series: &[SeriesId],
) -> Result<Vec<Coverage>, ComponentError> {
    check_proxies(config, data, series)?;
    check_risk_parameters(data, series)?;
    let mut found = Vec::with_capacity(series.len());
    for &id in series {
        let proxied = config.view.proxies.contains_key(&id);
        if !data.contains(id) && !proxied {
            return Err(ComponentError::new(
                Code::DataMissing,
                format!(
                    "series {id} is not in {}; add it, or name another series for it with \
                     data.proxies.{id}=<series>",
                    data.source()
                ),
            ));
        }
        let schedule = Schedule::of(id, rules, data, config.step);
        let range = (config.from, config.to);
        found.push(coverage(data, &config.view, id, schedule, range));
    }
    mark_suspects(&mut found, data, rules, (config.from, config.to));
    Ok(found)
}

/// Looks every needed series over and refuses gaps and unscheduled rows unless they are to be held.
pub(crate) fn coverage_of(
    config: &RunConfig,
    data: &Arc<MarketData>,
    rules: &RuleBook,
    (series, optional): (&[SeriesId], &[SeriesId]),
) -> Result<Vec<Coverage>, ComponentError> {
    let all: Vec<_> = series.iter().chain(optional).copied().collect();
    let found = look_over(config, data, rules, &all)?;
    match refused(config, rules, &found, series) {
        Some(e) => Err(e),
        None => Ok(found),
    }
}

fn refused(
    config: &RunConfig,
    rules: &RuleBook,
    found: &[Coverage],
    needed: &[SeriesId],
) -> Option<ComponentError> {
    let wrong: Vec<_> = found.iter().filter_map(implausible).collect();
    if !wrong.is_empty() {
        return Some(ComponentError::new(Code::DataMalformed, wrong.join("; ")));
    }
    if config.view.gaps == GapPolicy::Hold {
        return None;
    }
    let needed: Vec<_> = found
        .iter()
        .filter(|coverage| needed.contains(&coverage.series))
        .collect();
    let open: Vec<&Gap> = needed
        .iter()
        .flat_map(|coverage| &coverage.gaps)
        .filter(|gap| {
            !matches!(
                gap.treatment,
                GapTreatment::Proxied(_) | GapTreatment::Ended | GapTreatment::Suspect
            )
        })
        .collect();
    let stray: Vec<_> = needed
        .iter()
        .filter_map(|coverage| unscheduled(config, rules, coverage))
        .collect();
    let mut parts = Vec::new();
    if !open.is_empty() {
        parts.push(gaps_refused(&open));
    }
    parts.extend(stray);
    (!parts.is_empty()).then(|| ComponentError::new(Code::DataGap, parts.join("; ")))
}

/// What a series holds that cannot be, and what takes it.
fn implausible(coverage: &Coverage) -> Option<String> {
    let found = coverage
        .implausible
        .as_ref()
        .filter(|found| found.refused)?;
    Some(format!(
        "{}: {} row(s) from {} to {} are not plausible: {}; correct them, or raise data.bounds.{}",
        coverage.series, found.rows, found.first, found.last, found.what, found.key
    ))
}

/// What the rows of a series that settle nothing are, and which instants would settle.
fn unscheduled(config: &RunConfig, rules: &RuleBook, coverage: &Coverage) -> Option<String> {
    let stray = coverage.unscheduled?;
    let id = coverage.series;
    let perp = rules.venue(id.venue).and_then(|rules| {
        let listed = rules
            .at(config.from)
            .instrument(InstrumentKind::Perp, id.symbol)?;
        listed.perp.as_ref()
    });
    let settles = perp.map_or_else(
        || "every 8h".to_owned(),
        |perp| format!("every {}", perp.funding_interval),
    );
    Some(format!(
        "{id}: {} row(s) from {} to {} lie on no settlement of the rules ({settles}) and would book \
         nothing; give rules with the interval and its date (rules.{}=FILE), or list them with \
         data.gaps=hold",
        stray.rows, stray.first, stray.last, id.venue
    ))
}

fn gaps_refused(open: &[&Gap]) -> String {
    let shown: Vec<_> = open
        .iter()
        .take(GAPS_SHOWN)
        .map(|gap| {
            format!(
                "{}: {} missing from {} to {}",
                gap.series, gap.missing, gap.first, gap.last
            )
        })
        .collect();
    let rest = open.len().saturating_sub(GAPS_SHOWN);
    let more = if rest > 0 {
        format!("; and {rest} more")
    } else {
        String::new()
    };
    format!("{} gap(s): {}{more}", open.len(), shown.join("; "))
}

/// Refuses shocks of what the run does not read or does not live to see.
fn check_shocks(config: &RunConfig, series: &[SeriesId]) -> Result<(), ComponentError> {
    let Some(shocks) = &config.view.shocks else {
        return Ok(());
    };
    let refused = |message: String| ComponentError::new(Code::ConfigInvalid, message);
    let venues: Vec<_> = config
        .venues
        .iter()
        .copied()
        .chain([Venue::WALLET])
        .collect();
    let checked = shocks.check(series, &venues);
    checked.map_err(|e| refused(e.to_string()).with_source(e))?;
    let is_seen = |shock: &Shock| shock.at() <= config.to && shock.end() > config.from;
    match shocks.shocks().iter().find(|shock| !is_seen(shock)) {
        None => Ok(()),
        Some(shock) => Err(refused(format!(
            "shock `{}` is outside the run from {} to {}",
            shock.text(),
            config.from,
            config.to
        ))),
    }
}

pub(crate) fn view_of(
    config: &RunConfig,
    data: &Arc<MarketData>,
    (series, optional): (&[SeriesId], &[SeriesId]),
) -> Result<MarketView, ComponentError> {
    // What only prices the gas of a transfer is not what somebody who shocks it has in mind.
    let beside = optional.iter().filter(|id| {
        matches!(
            id.kind,
            SeriesKind::Mark | SeriesKind::Index | SeriesKind::Peg
        )
    });
    let read: Vec<_> = series.iter().chain(beside).copied().collect();
    check_shocks(config, &read)?;
    // The reference comes first: what values the underlying is the first series that does.
    let requests: Vec<_> = series
        .iter()
        .chain(optional)
        .filter(|id| id.kind != SeriesKind::Funding)
        .map(|id| SeriesRequest {
            id: *id,
            // The price of a pool or a peg is in another unit than the reference: it is held flat.
            reference: (!matches!(id.kind, SeriesKind::Dex | SeriesKind::Peg))
                .then_some(config.reference_price),
        })
        .collect();
    MarketView::new(Arc::clone(data), &requests, config.view.clone()).map_err(view_failed)
}

pub(crate) fn view_failed(e: ViewError) -> ComponentError {
    let code = match e {
        ViewError::Math(_) => Code::ArithmeticFailed,
        ViewError::Shock(_) => Code::ConfigInvalid,
        _ => Code::DataMissing,
    };
    ComponentError::new(code, e.to_string()).with_source(e)
}

/// Queues the initial capital and the scheduled flows; the wallet takes them when they are due.
pub(crate) fn queue_flows(
    config: &RunConfig,
    transit: &InFlightTransfers,
) -> Result<(), ComponentError> {
    let refused = |e: basis_core::in_flight::ExternalFlowError| {
        ComponentError::new(Code::ConfigInvalid, e.to_string()).with_source(e)
    };
    let first = config.from.floor_to(config.step).plus(config.step);
    transit
        .deposit(config.share_class, config.initial_capital, first, 0)
        .map_err(refused)?;
    for (flow, number) in config.flows.iter().zip(1u32..) {
        if flow.at <= config.from || flow.at > config.to {
            return Err(ComponentError::new(
                Code::ConfigInvalid,
                format!(
                    "scheduled flow of {} at {} is outside the run from {} to {}",
                    flow.amount, flow.at, config.from, config.to
                ),
            ));
        }
        if flow.amount.is_negative() {
            let amount = flow.amount.abs()?;
            transit
                .withdraw(config.share_class, amount, flow.at, number)
                .map_err(refused)?;
        } else {
            transit
                .deposit(config.share_class, flow.amount, flow.at, number)
                .map_err(refused)?;
        }
    }
    Ok(())
}

/// External flows due by `at`, the initial capital included.
pub(crate) fn flows_due(config: &RunConfig, at: Timestamp) -> u64 {
    1 + config.flows.iter().take_while(|flow| flow.at <= at).count() as u64
}

/// The monitor of a run over the series that its mode needs: what these price is what it trades.
pub(crate) fn risk_monitor(
    config: &RunConfig,
    rules: &Arc<RuleBook>,
    series: &[SeriesId],
) -> RiskMonitor {
    let kind = |id: &SeriesId| match id.kind {
        SeriesKind::Spot => Some(InstrumentKind::Spot),
        SeriesKind::Perp => Some(InstrumentKind::Perp),
        _ => None,
    };
    let keys = series.iter();
    let keys = keys.filter_map(|id| Some(InstrumentKey::new(id.venue, kind(id)?, id.symbol)));
    RiskMonitor::new(config.risk, dust(config), Arc::clone(rules), keys.collect())
}

/// The dust threshold as risk compares it.
fn dust(config: &RunConfig) -> Dust {
    if config.is_in_kind() {
        Dust::Units(config.dust_threshold)
    } else {
        Dust::Value(Value::new(config.dust_threshold.get()))
    }
}

/// Takes due withdrawals out of the queue that nothing could pay: at their instant those of more than
/// is `payable`, later those of more than the `equity`, both in the share class and less the
/// withdrawals before them.
pub(crate) fn refuse_withdrawals(
    config: &RunConfig,
    transit: &InFlightTransfers,
    now: Timestamp,
    (payable, equity): (Quantity, Quantity),
) -> Result<Vec<(FlowId, RefusedWithdrawal)>, ComponentError> {
    let mut refused = Vec::new();
    let due = |flow: &&ExternalFlow| flow.at <= now && flow.amount.is_negative();
    let queued = transit.external_queued();
    let mut numbers = Vec::new();
    let mut before = Quantity::ZERO;
    for flow in queued.iter().filter(due) {
        let asked = flow.amount.abs()?;
        let is_new = flow.at > now.minus(config.step);
        let free = if is_new { payable } else { equity }.sub(before)?;
        if asked <= free {
            before = before.add(asked)?;
            continue;
        }
        numbers.push((flow.at, flow.number));
        let id = FlowId {
            scheduled: flow.at,
            number: flow.number,
            part: 0,
        };
        let withdrawal = RefusedWithdrawal {
            at: flow.at,
            refused_at: now,
            asset: flow.asset,
            asked,
            available: free.max(Quantity::ZERO),
        };
        refused.push((id, withdrawal));
    }
    if !numbers.is_empty() {
        transit.take_external(now, |flow| numbers.contains(&(flow.at, flow.number)));
    }
    Ok(refused)
}

/// Withdrawals that are due and not paid, in the share class.
pub(crate) fn pending_withdrawal(
    config: &RunConfig,
    transit: &InFlightTransfers,
    now: Timestamp,
) -> Result<Value, ComponentError> {
    if config.flows.is_empty() {
        return Ok(Value::ZERO);
    }
    let mut pending = Value::ZERO;
    for flow in transit.external_queued() {
        if flow.at <= now && flow.amount.is_negative() {
            pending = pending.sub(Value::new(flow.amount.get()))?;
        }
    }
    Ok(pending)
}

/// What the result rests on.
pub(crate) fn assumptions(
    config: &RunConfig,
    provenance: &Provenance,
    series: &[SeriesId],
) -> Vec<String> {
    let mut list = Vec::new();
    if provenance.synthetic {
        list.push("the market is synthetic: generated, not recorded".to_owned());
    }
    list.extend(config.shocks().map(|shock| {
        format!(
            "the market is shocked and did not move like this: `{}`",
            shock.text()
        )
    }));
    let bound = config.risk.venue_share.and_then(|bound| bound.alone);
    list.extend(bound.map(|(venue, most)| {
        format!(
            "{venue} may hold {most} of the equity, other exchanges {}: no other holds the spot of this mode",
            VenueShare::MOST
        )
    }));
    list.push(pegged(config, series));
    list.extend(unmarked(config, series));
    list.push(match config.fill_at {
        FillAt::Close => {
            "orders fill at the close of the step's bar plus the venue's slippage model".to_owned()
        }
        FillAt::NextOpen => {
            "orders fill at the open of the bar after the step's, plus the venue's slippage model; \
             what is decided at the last step does not fill"
                .to_owned()
        }
    });
    list.push(
        "fees, filters, margin tiers, transfer costs and delays are the dated rule snapshots copied \
         into config.yaml, entry fee tier"
            .to_owned(),
    );
    list.push(format!(
        "moves of marks are split against {} into price and basis",
        config.reference_price
    ));
    if config.view.gaps == GapPolicy::Hold {
        list.push(
            "in a gap the last mark moves with the reference price, no order is placed there, and a \
             missing funding rate books nothing"
                .to_owned(),
        );
    }
    list
}

/// What a unit of the run's dollar token is taken for.
fn pegged(config: &RunConfig, series: &[SeriesId]) -> String {
    let dollar = config.dollar();
    match peg_of(config).filter(|peg| series.contains(peg)) {
        Some(peg) => format!(
            "everything is counted in {dollar}; equity and flows are in USD at {peg}, whose moves are the \
             bucket peg; another dollar token counts as one {dollar}"
        ),
        None => format!(
            "1 {dollar} = 1 USD, as any other dollar token: no series of its peg is there, so the bucket peg \
             is 0"
        ),
    }
}

/// The perps among `series` without a mark series.
fn unmarked(config: &RunConfig, series: &[SeriesId]) -> Option<String> {
    let perps = series.iter().filter(|id| id.kind == SeriesKind::Perp);
    let unmarked: Vec<_> = perps
        .filter(|id| !series.contains(&id.of_kind(SeriesKind::Mark)))
        .map(ToString::to_string)
        .collect();
    (!unmarked.is_empty()).then(|| {
        format!(
            "no mark series is there for {}: the close of each {} bar stands in for the mark",
            unmarked.join(", "),
            config.step
        )
    })
}

/// What values the holdings of a run.
pub(crate) fn pricing(config: &RunConfig) -> Pricing {
    Pricing {
        base: config.underlying(),
        symbol: config.symbol(),
        reference: config.reference_price,
    }
}
