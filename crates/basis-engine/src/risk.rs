//! Risk: watches delta and margin, and can only reduce.
//!
//! The ladder per perp account and per isolated position, by margin ratio (maintenance ÷ balance), and
//! per lending account, by health factor: warn → reduce only → deleverage (cut until the measure is
//! back at `reduce_only`; an isolated position is closed, for a part of it takes its part of the margin
//! with it) → halt (close everything, stop the strategy). The worst decides. Net delta beyond its part of
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
use crate::account::{Exposure, margin_ratio};
use crate::limits::{RiskConfig, health_rung, margin_rung};

pub use crate::limits::RiskLevel;

/// What risk demands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// Cut what is held through `account` by `fraction`.
    Deleverage {
        /// The perp account, or the lending account.
        account: Account,
        /// 0 to 1: of the position in a perp account, of the debt in a lending account.
        fraction: Rate,
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
}

/// What a monitor has to know to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedRisk {
    level: RiskLevel,
    breach: Option<Breach>,
    net_delta_since: Option<Timestamp>,
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
        }
    }

    /// What it has to know to go on.
    pub(crate) fn save(&self) -> SavedRisk {
        SavedRisk {
            level: self.level,
            breach: self.breach.clone(),
            net_delta_since: self.net_delta_since,
        }
    }

    /// Goes on from what was saved.
    pub(crate) fn restore(&mut self, saved: SavedRisk) {
        self.level = saved.level;
        self.breach = saved.breach;
        self.net_delta_since = saved.net_delta_since;
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
        let reading = worst_reading(&limits, exposure)?;
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
        Ok(match level {
            RiskLevel::Halt => Verdict::Halt,
            RiskLevel::Deleverage => Verdict::Deleverage {
                account: reading.account,
                fraction: reading.cut,
            },
            RiskLevel::Clear | RiskLevel::Warn | RiskLevel::ReduceOnly => Verdict::Proceed,
        })
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
    /// What must be cut at [`RiskLevel::Deleverage`], 0 to 1.
    cut: Rate,
}

/// The pool of collateral with the highest margin ratio, where one is near the first limit: account,
/// ratio, and whether it is an isolated position. What those keep is nobody else's.
fn worst_ratio(
    limits: &RiskConfig,
    exposure: &Exposure,
) -> Result<Option<(Account, Rate, bool)>, ComponentError> {
    let mut worst: Option<(Account, Rate, bool)> = None;
    let near = limits.margin_ratio_warn;
    let mut judge = |account, balance: Value, maintenance: Value, isolated| {
        // The ratio takes a division; far below the first limit a product tells.
        let tolerated = balance.at_rate(near, Rounding::Floor)?;
        if balance.is_positive() && maintenance < tolerated {
            return Ok(());
        }
        let ratio = margin_ratio(balance, maintenance);
        if worst.is_none_or(|(_, highest, _)| ratio > highest) {
            worst = Some((account, ratio, isolated));
        }
        Ok::<_, ComponentError>(())
    };
    for margin in cross_margins(exposure) {
        let (account, balance, maintenance) = margin?;
        judge(account, balance, maintenance, false)?;
    }
    for own in &exposure.isolated {
        judge(
            own.account,
            own.margin_balance,
            own.maintenance_margin,
            true,
        )?;
    }
    Ok(worst)
}

/// The account that decides: the worst lending account where it is further up than every margin.
fn worst_reading(limits: &RiskConfig, exposure: &Exposure) -> Result<Reading, ComponentError> {
    let margin = worst_margin(limits, exposure)?;
    let lending = worst_lending(limits, exposure)?;
    Ok(if lending.level > margin.level {
        lending
    } else {
        margin
    })
}

/// The perp account with the highest margin ratio.
fn worst_margin(limits: &RiskConfig, exposure: &Exposure) -> Result<Reading, ComponentError> {
    let worst = worst_ratio(limits, exposure)?;
    let (account, ratio, isolated) = worst.unwrap_or((Account::WALLET, Rate::ZERO, false));
    let (level, limit) = margin_rung(limits, ratio);
    let mut cut = Rate::ZERO;
    if level == RiskLevel::Deleverage && isolated {
        // A part of an isolated position takes its part of the margin with it: only closing helps.
        cut = Rate::ONE;
    } else if level == RiskLevel::Deleverage {
        // Maintenance falls in proportion to the position while the balance stays.
        let keep = limits
            .margin_ratio_reduce_only
            .div(ratio, Rounding::Floor)?;
        cut = Rate::ONE.sub(keep.min(Rate::ONE))?;
    }
    Ok(Reading {
        level,
        measure: "margin_ratio",
        account,
        isolated,
        value: ratio,
        limit,
        cut,
    })
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
        });
    };
    let (level, limit) = health_rung(limits, factor);
    let mut cut = Rate::ZERO;
    if level == RiskLevel::Deleverage {
        // Repaying x out of the collateral leaves (C − x) × T ÷ (D − x); that is the wanted factor F
        // at x = (F × D − C × T) ÷ (F − T).
        let wanted = ladder.reduce_only;
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
    })
}
