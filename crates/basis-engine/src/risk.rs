//! Risk: watches delta and margin, and can only reduce.
//!
//! The ladder per perp account and per isolated position, by distance (the move of the price that
//! liquidates), and per lending account, by health factor: warn → reduce only → top up (margin only: idle
//! cash goes to the account; what is not there is deleverage) → deleverage (cut until the measure is back
//! at `warn`; an isolated position is closed, for a part of it takes its
//! part of the margin with it) → halt (close everything, stop the strategy). Halt of a perp account waits
//! until a cut at the assessment before has left it there. The worst decides. Net delta beyond its part of
//! the equity halts too, unless the strategy can mend it first; what no order could mend, less than one
//! lot of the coarsest instrument, does not.

mod after;
mod approve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::num::{Price, Quantity, Rate, Rounding, Value};
use basis_core::plan::Block;
use basis_core::rules::RuleBook;
use basis_core::types::{Account, InstrumentKey, Timestamp};
use basis_core::venue_event::Text;
use serde::{Deserialize, Serialize};

use self::after::cross_margins;
use crate::account::{Exposure, liquidation_distance};
use crate::limits::{RiskConfig, distance_rung, health_rung};

pub use crate::limits::RiskLevel;

/// What risk demands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// Bring `missing` of margin to `account`, or cut what is held through it by `fraction`.
    TopUp {
        /// The perp account.
        account: Account,
        /// Quote units that bring its distance back to `warn`, > 0.
        missing: Value,
        /// What cutting takes instead, 0 to 1.
        fraction: Rate,
    },
    /// Cut what is held through `account` by `fraction`.
    Deleverage {
        /// The perp account, or the lending account.
        account: Account,
        /// 0 to 1: of the position in a perp account, of the debt in a lending account.
        fraction: Rate,
        /// Quote units that would bring the distance of a perp account back to `warn`; zero of a loan.
        missing: Value,
    },
    /// Close everything.
    Halt,
}

/// A block that risk has let pass; only these reach a venue.
#[derive(Clone, Debug)]
pub struct Approved<'a>(&'a Block);

impl Approved<'_> {
    /// The block.
    #[must_use]
    pub const fn block(&self) -> &Block {
        self.0
    }
}

/// What of the net delta is capital on its way and no broken hedge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapitalInTransit {
    /// The book is being built with capital that is exposed by itself.
    pub building: bool,
    /// Base units that are held for a withdrawal and not ours to hedge.
    pub owed: Quantity,
    /// What orders of unknown outcome may have added to the net delta: the least (<= 0) and the most
    /// (>= 0). The worse end counts.
    pub unknown: (Quantity, Quantity),
}

/// Exposure too small to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dust {
    /// Worth up to this, USD.
    Value(Value),
    /// Up to so many base units.
    Units(Quantity),
}

/// What the net delta is measured against.
#[derive(Clone, Copy, Debug)]
pub struct DeltaScale {
    /// Equity at marks, USD.
    pub equity: Value,
    /// Spot price of the underlying, USD.
    pub reference: Price,
}

/// Watches limits.
#[derive(Debug)]
pub struct RiskMonitor {
    limits: RiskConfig,
    /// Exposure that is left alone.
    dust: Dust,
    rules: Arc<RuleBook>,
    /// What the mode trades.
    traded: Vec<InstrumentKey>,
    level: RiskLevel,
    /// What brought the level about.
    breach: Option<Breach>,
    net_delta_since: Option<Timestamp>,
    /// When the last assessment was, and the accounts that have been seen to since then.
    assessed_at: Timestamp,
    seen: Vec<Account>,
    /// Those of them that were cut.
    cut: Vec<Account>,
    /// Those that the assessment before had cut.
    cut_before: Vec<Account>,
}

/// What a monitor has to know to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedRisk {
    level: RiskLevel,
    breach: Option<Breach>,
    net_delta_since: Option<Timestamp>,
    assessed_at: Timestamp,
    seen: Vec<Account>,
    cut: Vec<Account>,
    cut_before: Vec<Account>,
}

/// A measure that met its limit. It displays as a clause for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Breach {
    measure: Text,
    value: Value,
    limit: Value,
    account: Option<Account>,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            measure,
            value,
            limit,
            ..
        } = self;
        match self.account {
            Some(account) => write!(f, "{measure} {value} of {account}, limit {limit}"),
            None => write!(f, "{measure} {value}, limit {limit} of the equity"),
        }
    }
}

impl RiskMonitor {
    /// A monitor of `limits` that leaves exposure up to `dust` alone, and what is less than one lot of
    /// every instrument `traded`.
    #[must_use]
    pub const fn new(
        limits: RiskConfig,
        dust: Dust,
        rules: Arc<RuleBook>,
        traded: Vec<InstrumentKey>,
    ) -> Self {
        Self {
            limits,
            dust,
            rules,
            traded,
            level: RiskLevel::Clear,
            breach: None,
            net_delta_since: None,
            assessed_at: Timestamp::MIN,
            seen: Vec::new(),
            cut: Vec::new(),
            cut_before: Vec::new(),
        }
    }

    /// What it has to know to go on.
    pub(crate) fn save(&self) -> SavedRisk {
        SavedRisk {
            level: self.level,
            breach: self.breach.clone(),
            net_delta_since: self.net_delta_since,
            assessed_at: self.assessed_at,
            seen: self.seen.clone(),
            cut: self.cut.clone(),
            cut_before: self.cut_before.clone(),
        }
    }

    /// Goes on from what was saved.
    pub(crate) fn restore(&mut self, saved: SavedRisk) {
        self.level = saved.level;
        self.breach = saved.breach;
        self.net_delta_since = saved.net_delta_since;
        (self.assessed_at, self.seen) = (saved.assessed_at, saved.seen);
        (self.cut, self.cut_before) = (saved.cut, saved.cut_before);
    }

    /// The present level.
    #[must_use]
    pub const fn level(&self) -> RiskLevel {
        self.level
    }

    /// What brought the present level about.
    #[must_use]
    pub const fn breach(&self) -> Option<&Breach> {
        self.breach.as_ref()
    }

    /// Judges the present exposure and records a change of level. The net delta of capital that is only
    /// `passing` halts nothing.
    ///
    /// # Errors
    /// POS-002 when a ratio leaves the range.
    pub fn assess(
        &mut self,
        at: Timestamp,
        exposure: &Exposure,
        scale: DeltaScale,
        in_transit: CapitalInTransit,
        events: &dyn EventSink,
    ) -> Result<Verdict, ComponentError> {
        let limits = self.limits;
        if self.assessed_at != at {
            self.assessed_at = at;
            self.cut_before = std::mem::take(&mut self.cut);
            self.seen.clear();
        }
        let mut reading = worst_reading(&limits, exposure)?;
        self.cut_first(&mut reading);
        let delta_halts = self.delta_halts(at, exposure, scale, in_transit)?;
        let level = if delta_halts {
            RiskLevel::Halt
        } else {
            reading.level
        };
        if level != self.level {
            let breach = if delta_halts {
                Breach {
                    measure: "net_delta".into(),
                    value: Value::new(exposure.net_delta.get()),
                    limit: Value::new(limits.net_delta_halt.get()),
                    account: None,
                }
            } else {
                Breach {
                    measure: reading.measure.into(),
                    value: Value::new(reading.value.get()),
                    limit: Value::new(reading.limit.get()),
                    account: Some(reading.account),
                }
            };
            let data = EventData::Risk {
                level: level.as_str().into(),
                measure: breach.measure.clone(),
                value: breach.value,
                limit: breach.limit,
                account: breach.account,
            };
            events.record(Event::new(at, Component::RiskMonitor, data));
            (self.level, self.breach) = (level, Some(breach));
        }
        if level == RiskLevel::Halt {
            return Ok(Verdict::Halt);
        }
        Ok(self.verdict(&reading))
    }

    /// What the next perp account demands at the same instant, when the ones before it have been seen to:
    /// `None` when no other is at top-up or beyond.
    ///
    /// # Errors
    /// POS-002 when a ratio leaves the range.
    pub(crate) fn next_account(
        &mut self,
        exposure: &Exposure,
    ) -> Result<Option<Verdict>, ComponentError> {
        let mut reading = worst_margin(&self.limits, exposure, &self.seen)?;
        self.cut_first(&mut reading);
        let acts = matches!(reading.level, RiskLevel::TopUp | RiskLevel::Deleverage);
        Ok(acts.then(|| self.verdict(&reading)))
    }

    /// A perp account halts the run only where the cut of the assessment before has left it there.
    fn cut_first(&self, reading: &mut Reading) {
        let was_cut = self.cut_before.contains(&reading.account);
        if reading.level == RiskLevel::Halt && reading.measure == DISTANCE && !was_cut {
            reading.level = RiskLevel::Deleverage;
            reading.limit = self.limits.distance_deleverage;
        }
    }

    /// What a reading demands, and notes whom it has cut.
    fn verdict(&mut self, reading: &Reading) -> Verdict {
        let account = reading.account;
        let fraction = reading.cut;
        match reading.level {
            RiskLevel::Halt => Verdict::Halt,
            RiskLevel::TopUp => {
                self.seen.push(account);
                let missing = reading.missing;
                Verdict::TopUp {
                    account,
                    missing,
                    fraction,
                }
            }
            RiskLevel::Deleverage => {
                self.seen.push(account);
                self.cut.push(account);
                Verdict::Deleverage {
                    account,
                    fraction,
                    missing: reading.missing,
                }
            }
            RiskLevel::Clear | RiskLevel::Warn | RiskLevel::ReduceOnly => Verdict::Proceed,
        }
    }

    /// Net delta over its limit at two assessments in a row: the strategy had its step to mend it.
    /// Leftovers that no order mends halt nothing: worth no more than dust, or less than a lot.
    fn delta_halts(
        &mut self,
        at: Timestamp,
        exposure: &Exposure,
        scale: DeltaScale,
        in_transit: CapitalInTransit,
    ) -> Result<bool, ComponentError> {
        let DeltaScale { equity, reference } = scale;
        let net = exposure.net_delta.sub(in_transit.owed)?;
        let (least, most_added) = in_transit.unknown;
        let net = net.add(least)?.abs()?.max(net.add(most_added)?.abs()?);
        let notional = net.notional(reference, Rounding::Floor)?;
        let most = equity.at_rate(self.limits.net_delta_halt, Rounding::Floor)?;
        let is_dust = match self.dust {
            Dust::Value(dust) => notional <= dust,
            Dust::Units(units) => net <= units,
        };
        if in_transit.building || notional <= most || is_dust || net < self.coarsest_lot(at) {
            self.net_delta_since = None;
            return Ok(false);
        }
        let since = *self.net_delta_since.get_or_insert(at);
        Ok(since < at)
    }

    /// The largest lot among what the mode trades, base units.
    fn coarsest_lot(&self, at: Timestamp) -> Quantity {
        let lots = self.traded.iter().filter_map(|key| {
            let rules = self.rules.venue(key.venue)?.at(at);
            Some(rules.instrument(key.kind, key.symbol)?.lot_size)
        });
        lots.max().unwrap_or_default()
    }
}

/// One account's place on the ladder.
#[derive(Clone, Copy, Debug)]
struct Reading {
    level: RiskLevel,
    measure: &'static str,
    account: Account,
    /// Whether it is a position on collateral of its own.
    isolated: bool,
    value: Rate,
    limit: Rate,
    /// What must be cut from [`RiskLevel::TopUp`] on, 0 to 1.
    cut: Rate,
    /// What must be brought at [`RiskLevel::TopUp`] instead, quote units.
    missing: Value,
}

/// The measure of a pool of margin.
const DISTANCE: &str = "distance";

/// A pool of margin: balance, maintenance margin, its slope and net notional.
#[derive(Clone, Copy, Debug)]
struct Pool {
    account: Account,
    isolated: bool,
    balance: Value,
    maintenance: Value,
    slope: Value,
    net_notional: Value,
}

impl Pool {
    /// What a relative move of all marks takes from balance and adds to maintenance, >= 0.
    fn closing(&self) -> Result<Value, ComponentError> {
        Ok(self.slope.sub(self.net_notional)?.abs()?)
    }

    /// Balance that keeps it `distance` from liquidation.
    fn kept(&self, distance: Rate) -> Result<Value, ComponentError> {
        let moved = self.closing()?.at_rate(distance, Rounding::Ceil)?;
        Ok(self.maintenance.add(moved)?)
    }
}

/// The pool of margin that is nearest to liquidation with its distance, where one is near the first limit.
/// What isolated positions keep is nobody else's. Accounts that were `seen` to are left out.
fn nearest_pool(
    limits: &RiskConfig,
    exposure: &Exposure,
    seen: &[Account],
) -> Result<Option<(Pool, Rate)>, ComponentError> {
    let mut nearest: Option<(Pool, Rate)> = None;
    let mut judge = |pool: Pool| {
        // The distance takes a division; far above the first limit a product tells.
        if pool.maintenance.is_zero() || seen.contains(&pool.account) {
            return Ok(());
        }
        if pool.balance > pool.kept(limits.distance_warn)? {
            return Ok(());
        }
        let amounts = (pool.balance, pool.maintenance);
        let found = liquidation_distance(amounts, (pool.slope, pool.net_notional));
        if let Some((distance, _)) = found
            && nearest.is_none_or(|(_, least)| distance < least)
        {
            nearest = Some((pool, distance));
        }
        Ok::<_, ComponentError>(())
    };
    for pool in cross_margins(exposure) {
        judge(pool?)?;
    }
    for own in &exposure.isolated {
        judge(Pool {
            account: own.account,
            isolated: true,
            balance: own.margin_balance,
            maintenance: own.maintenance_margin,
            slope: own.maintenance_slope,
            net_notional: own.net_notional,
        })?;
    }
    Ok(nearest)
}

/// The account that decides: the worst lending account where it is further up than every margin.
fn worst_reading(limits: &RiskConfig, exposure: &Exposure) -> Result<Reading, ComponentError> {
    let margin = worst_margin(limits, exposure, &[])?;
    let lending = worst_lending(limits, exposure)?;
    Ok(if lending.level > margin.level {
        lending
    } else {
        margin
    })
}

/// The perp account or isolated position that is nearest to liquidation.
fn worst_margin(
    limits: &RiskConfig,
    exposure: &Exposure,
    seen: &[Account],
) -> Result<Reading, ComponentError> {
    let mut reading = Reading {
        level: RiskLevel::Clear,
        measure: DISTANCE,
        account: Account::WALLET,
        isolated: false,
        value: Rate::ZERO,
        limit: limits.distance_warn,
        cut: Rate::ZERO,
        missing: Value::ZERO,
    };
    let Some((pool, distance)) = nearest_pool(limits, exposure, seen)? else {
        return Ok(reading);
    };
    (reading.level, reading.limit) = distance_rung(limits, distance);
    (reading.account, reading.isolated) = (pool.account, pool.isolated);
    reading.value = distance;
    if reading.level >= RiskLevel::TopUp {
        let wanted = pool.kept(limits.distance_warn)?;
        reading.missing = wanted.sub(pool.balance)?;
        // What a whole position wants falls in proportion to it while the balance stays. A part of an
        // isolated one takes its part of the margin with it: only closing helps.
        let keep = if pool.isolated || !pool.balance.is_positive() {
            Rate::ZERO
        } else {
            pool.balance.ratio(wanted, Rounding::Floor)?.min(Rate::ONE)
        };
        reading.cut = Rate::ONE.sub(keep)?;
    }
    Ok(reading)
}

/// The lending account with the lowest health factor.
fn worst_lending(limits: &RiskConfig, exposure: &Exposure) -> Result<Reading, ComponentError> {
    let ladder = limits.health;
    let owing = exposure.lending.iter();
    let owing = owing.filter_map(|account| Some((account, account.health_factor?)));
    let Some((worst, factor)) = owing.min_by_key(|(_, factor)| *factor) else {
        return Ok(Reading {
            level: RiskLevel::Clear,
            measure: "health_factor",
            account: Account::WALLET,
            isolated: false,
            value: Rate::ZERO,
            limit: ladder.warn,
            cut: Rate::ZERO,
            missing: Value::ZERO,
        });
    };
    let (level, limit) = health_rung(limits, factor);
    let mut cut = Rate::ZERO;
    if level == RiskLevel::Deleverage {
        // Repaying x out of the collateral leaves (C − x) × T ÷ (D − x); that is the wanted factor F
        // at x = (F × D − C × T) ÷ (F − T).
        let wanted = ladder.warn;
        let covered = worst
            .collateral
            .at_rate(worst.liquidation_threshold, Rounding::Floor)?;
        let missing = worst.debt.at_rate(wanted, Rounding::Ceil)?.sub(covered)?;
        let per_unit = wanted.sub(worst.liquidation_threshold)?;
        let repaid = Value::new(missing.get().div(per_unit.get(), Rounding::Ceil)?);
        cut = repaid.ratio(worst.debt, Rounding::Up)?.min(Rate::ONE);
    }
    Ok(Reading {
        level,
        measure: "health_factor",
        account: worst.account,
        isolated: false,
        value: factor,
        limit,
        cut,
        missing: Value::ZERO,
    })
}
