//! How far everything that can be liquidated is from it, step by step: perp accounts, isolated
//! positions and lending accounts in one table, with what the market takes off staking tokens.
//!
//! It watches and decides nothing: the ladder is [`crate::risk`]'s, liquidation the venues'. A step
//! keeps what the measures are made of; ratios and distances are computed when they are read, by
//! whoever writes them down.

use serde::{Deserialize, Serialize};

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Value};
use basis_core::rules::PerpRules;
use basis_core::types::{Account, Item, SeriesId, SeriesKind, Span, Timestamp};
use basis_core::venue_event::LendingHealth;
use basis_market::{Mark, MarketView, PointSlot, RateSource};

use super::books::{Books, Holding};
use super::exposure::{Exposure, MarginAccount};
use super::measure::{DAYS_PER_YEAR, LendingMeasure, MarginMeasure, RiskMeasure, TokenMeasure};
use crate::limits::{RiskConfig, RiskLevel};

const SECONDS_PER_DAY: f64 = 86_400.0;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskSubject {
    /// The perp or lending account; none for a token.
    pub account: Option<Account>,
    /// The isolated position, or the token.
    pub item: Option<Item>,
}

/// One subject after one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RiskRow {
    /// Which of the subjects.
    pub subject: usize,
    /// Its place on the ladder.
    pub level: RiskLevel,
    /// How it stood.
    pub standing: RiskMeasure,
}

/// The table: rows of the steps, one after the other, and what there is one of per step.
#[derive(Clone, Debug, Default)]
pub struct RiskColumns {
    /// What the rows are about, in order of first use; the same places in every chunk of a run.
    pub subjects: Vec<RiskSubject>,
    /// The rows of all steps.
    pub rows: Vec<RiskRow>,
    /// How many of them stood at the end of each step.
    pub row_ends: Vec<usize>,
    /// Σ of absolute deltas after the step, base units.
    pub gross_delta: Vec<Quantity>,
    /// What the run's risk was judged to be within the step, before it acted.
    pub level: Vec<RiskLevel>,
}

impl RiskColumns {
    /// Makes room for `steps` more steps with as many rows as there are subjects.
    pub(crate) fn reserve(&mut self, steps: usize) {
        self.rows.reserve(steps * self.subjects.len());
        self.row_ends.reserve(steps);
        self.gross_delta.reserve(steps);
        self.level.reserve(steps);
    }

    /// No steps, of the same subjects.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            subjects: self.subjects.clone(),
            ..Self::default()
        }
    }

    /// The rows of the step at `step`.
    #[must_use]
    pub fn rows_of(&self, step: usize) -> &[RiskRow] {
        let end = self.row_ends.get(step).copied().unwrap_or_default();
        let before = step.checked_sub(1).and_then(|at| self.row_ends.get(at));
        let start = before.copied().unwrap_or_default();
        self.rows.get(start..end).unwrap_or_default()
    }
}

/// The worst that a subject came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstRisk {
    /// Who.
    pub subject: RiskSubject,
    /// The measure: the highest ratio or discount, the lowest health factor.
    pub value: Rate,
    /// When, the first time.
    pub at: Timestamp,
    /// How it stood then.
    pub standing: RiskMeasure,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RiskSummary {
    /// The highest level that risk was at.
    pub level: RiskLevel,
    /// The worst of every subject, in order of first use.
    pub worst: Vec<WorstRisk>,
}

/// A staking token that the run sees both prices of.
#[derive(Clone, Copy, Debug)]
struct Token {
    item: Item,
    protocol: Mark,
    market: PointSlot,
}

/// Growth of one protocol rate, computed when the rate changes.
#[derive(Clone, Copy, Debug)]
struct Growth {
    slot: PointSlot,
    known_at: Timestamp,
    per_year: Option<f64>,
}

/// Watches how far everything is from liquidation.
#[derive(Debug)]
pub struct RiskView {
    limits: RiskConfig,
    /// The rate last settled of each perp.
    settled: Vec<(SeriesId, Rate)>,
    tokens: Vec<Token>,
    growths: Vec<Growth>,
    summary: RiskSummary,
}

/// What a view of risk has to know to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedRiskView {
    settled: Vec<(SeriesId, Rate)>,
    summary: RiskSummary,
}

/// What a step is computed from.
type State<'a> = (&'a Books, &'a MarketView, &'a Exposure);

impl RiskView {
    /// Watches with the ladder of `limits` over the series of `view`.
    #[must_use]
    pub fn new(limits: RiskConfig, view: &MarketView) -> Self {
        let mut tokens: Vec<Token> = Vec::new();
        for (id, market) in view.points() {
            let symbol = id.symbol.as_str();
            let mark = view.tokens().find(|(asset, _)| {
                id.kind == SeriesKind::StakingMarket
                    && symbol.strip_suffix("_ETH") == Some(asset.as_str())
            });
            let item = mark.map(|(asset, _)| Item::Asset(asset));
            if let Some((item, (_, protocol))) = item.zip(mark)
                && tokens.iter().all(|token| token.item != item)
            {
                tokens.push(Token {
                    item,
                    protocol,
                    market,
                });
            }
        }
        Self {
            limits,
            settled: Vec::new(),
            tokens,
            growths: Vec::new(),
            summary: RiskSummary::default(),
        }
    }

    /// Notes the rate that a funding `series` settled at.
    pub fn settled(&mut self, series: SeriesId, rate: Rate) {
        match self.settled.iter_mut().find(|(known, _)| *known == series) {
            Some((_, last)) => *last = rate,
            None => self.settled.push((series, rate)),
        }
    }

    /// What it has to know to go on. Growths are computed again.
    pub(crate) fn save(&self) -> SavedRiskView {
        SavedRiskView {
            settled: self.settled.clone(),
            summary: self.summary.clone(),
        }
    }

    /// Goes on from what was saved.
    pub(crate) fn restore(&mut self, saved: SavedRiskView) {
        self.settled = saved.settled;
        self.summary = saved.summary;
    }

    /// What a run came to.
    #[must_use]
    pub fn finish(self) -> RiskSummary {
        self.summary
    }

    /// Adds the rows of the step that ends at `at`, in which risk was at `level`, where `columns` are
    /// kept; the summary is always. The exposure must have been refreshed after the last trade.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range.
    pub fn close_step(
        &mut self,
        at: Timestamp,
        state: State<'_>,
        level: RiskLevel,
        mut columns: Option<&mut RiskColumns>,
    ) -> Result<(), ComponentError> {
        let (_, view, exposure) = state;
        for margin in &exposure.margins {
            if !margin.maintenance_margin.is_zero() {
                self.margin_rows(at, margin, state, columns.as_deref_mut())?;
            }
        }
        for account in &exposure.lending {
            let Some(factor) = account.health_factor else {
                continue;
            };
            let subject = (Some(account.account), None);
            let is_news = |worst| factor < worst;
            if columns.is_none() && !self.worst_of(subject).is_none_or(is_news) {
                continue;
            }
            let standing = self.lending_standing(account, factor, state)?;
            self.push(at, subject, standing, columns.as_deref_mut());
        }
        for index in 0..self.tokens.len() {
            let Some(token) = self.tokens.get(index).copied() else {
                break;
            };
            let protocol = view
                .rate_of(token.protocol)
                .filter(|rate| rate.is_positive());
            if let Some((protocol, market)) = protocol.zip(view.point(token.market)) {
                let standing = RiskMeasure::Token(TokenMeasure {
                    market: Rate::new(market.value),
                    protocol: Rate::new(protocol),
                });
                let subject = (None, Some(token.item));
                self.push(at, subject, standing, columns.as_deref_mut());
            }
        }
        self.summary.level = self.summary.level.max(level);
        if let Some(columns) = columns {
            columns.level.push(level);
            columns.gross_delta.push(exposure.gross_delta);
            columns.row_ends.push(columns.rows.len());
        }
        Ok(())
    }

    fn push(
        &mut self,
        at: Timestamp,
        (account, item): (Option<Account>, Option<Item>),
        standing: RiskMeasure,
        columns: Option<&mut RiskColumns>,
    ) {
        let subject = RiskSubject { account, item };
        let known = &mut self.summary.worst;
        let index = known.iter().position(|worst| worst.subject == subject);
        let worst = || WorstRisk {
            subject,
            value: standing.value(),
            at,
            standing,
        };
        match index.and_then(|index| known.get_mut(index)) {
            Some(found) if standing.is_worse_than(found.value) => *found = worst(),
            Some(_) => {}
            None => known.push(worst()),
        }
        if let Some(columns) = columns {
            if index.is_none() {
                columns.subjects.push(subject);
            }
            columns.rows.push(RiskRow {
                subject: index.unwrap_or(known.len() - 1),
                level: standing.level(&self.limits),
                standing,
            });
        }
    }

    /// The account without its isolated positions, then each of those.
    fn margin_rows(
        &mut self,
        at: Timestamp,
        margin: &MarginAccount,
        (books, _, exposure): State<'_>,
        mut columns: Option<&mut RiskColumns>,
    ) -> Result<(), ComponentError> {
        let mut shared = MarginMeasure {
            balance: margin.margin_balance,
            maintenance: margin.maintenance_margin,
            slope: margin.maintenance_slope,
            net_notional: margin.net_notional,
            funding_cost_per_day: None,
        };
        for own in &exposure.isolated {
            if own.account != margin.account {
                continue;
            }
            shared.balance = shared.balance.sub(own.margin_balance)?;
            shared.maintenance = shared.maintenance.sub(own.maintenance_margin)?;
            shared.slope = shared.slope.sub(own.maintenance_slope)?;
            shared.net_notional = shared.net_notional.sub(own.net_notional)?;
        }
        let subject = (Some(margin.account), None::<Item>);
        // Without a row only what is worse than ever is written down.
        let is_news = |worst| RiskMeasure::Margin(shared).is_worse_than(worst);
        if shared.maintenance.is_positive()
            && (columns.is_some() || self.worst_of(subject).is_none_or(is_news))
        {
            shared.funding_cost_per_day = self.shared_funding(margin, books, exposure);
            let standing = RiskMeasure::Margin(shared);
            self.push(at, subject, standing, columns.as_deref_mut());
        }
        for own in &exposure.isolated {
            if own.account != margin.account || own.maintenance_margin.is_zero() {
                continue;
            }
            let item = Item::Position(own.instrument);
            let mut held = positions(books, margin);
            let held = held.find(|(holding, _)| holding.item == item);
            let standing = RiskMeasure::Margin(MarginMeasure {
                balance: own.margin_balance,
                maintenance: own.maintenance_margin,
                slope: own.maintenance_slope,
                net_notional: own.net_notional,
                funding_cost_per_day: held
                    .and_then(|(holding, rules)| self.funding_cost(holding, rules)),
            });
            let subject = (Some(margin.account), Some(item));
            self.push(at, subject, standing, columns.as_deref_mut());
        }
        Ok(())
    }

    /// The worst that a subject has come to.
    fn worst_of(&self, (account, item): (Option<Account>, Option<Item>)) -> Option<Rate> {
        let subject = RiskSubject { account, item };
        let mut known = self.summary.worst.iter();
        let known = known.find(|worst| worst.subject == subject);
        known.map(|worst| worst.value)
    }

    /// What the positions that share an account's collateral cost a day; none where a rate is unknown.
    fn shared_funding(
        &self,
        margin: &MarginAccount,
        books: &Books,
        exposure: &Exposure,
    ) -> Option<f64> {
        let is_own = |item: Item| {
            let mut isolated = exposure.isolated.iter();
            isolated
                .any(|own| own.account == margin.account && item == Item::Position(own.instrument))
        };
        let mut sum = Some(0.0);
        for (holding, rules) in positions(books, margin) {
            if !exposure.isolated.is_empty() && is_own(holding.item) {
                continue;
            }
            let cost = self.funding_cost(holding, rules);
            sum = sum.zip(cost).map(|(sum, cost)| sum + cost);
        }
        sum
    }

    /// What a position costs a day at the rate last settled.
    fn funding_cost(&self, holding: &Holding, rules: &PerpRules) -> Option<f64> {
        let Item::Position(key) = holding.item else {
            return Some(0.0);
        };
        if holding.value.is_zero() {
            return Some(0.0);
        }
        let is_its = |series: &SeriesId| series.venue == key.venue && series.symbol == key.symbol;
        let (_, rate) = self.settled.iter().find(|(series, _)| is_its(series))?;
        let days = seconds(rules.funding_interval) / SECONDS_PER_DAY;
        Some(holding.value.to_f64() * rate.to_f64() / days)
    }

    fn lending_standing(
        &mut self,
        account: &LendingHealth,
        health_factor: Rate,
        (books, view, _): State<'_>,
    ) -> Result<RiskMeasure, ComponentError> {
        let (mut collateral, mut staked) = (Value::ZERO, Value::ZERO);
        let mut grown = Some(0.0);
        for holding in books.holdings() {
            if holding.account != account.account || !holding.value.is_positive() {
                continue;
            }
            collateral = collateral.add(holding.value)?;
            if let Some(Mark::Rate {
                rate: RateSource::Point(slot),
                is_yield: true,
                ..
            }) = holding.mark()
            {
                staked = staked.add(holding.value)?;
                let growth = self.growth(view, slot);
                let added = growth.map(|growth| holding.value.to_f64() * growth);
                grown = grown.zip(added).map(|(sum, added)| sum + added);
            }
        }
        Ok(RiskMeasure::Lending(LendingMeasure {
            health_factor,
            borrow_rate: account.borrow_rate,
            supply_rate: account.supply_rate,
            collateral,
            staked,
            staking_growth: grown
                .filter(|_| collateral.is_positive())
                .map(|grown| grown / collateral.to_f64()),
        }))
    }

    /// Growth of a protocol's rate per year, from the newest value a day or more before its newest to
    /// that one.
    fn growth(&mut self, view: &MarketView, slot: PointSlot) -> Option<f64> {
        let newest = view.point(slot)?;
        let index = self.growths.iter().position(|known| known.slot == slot);
        let known = index.and_then(|index| self.growths.get_mut(index));
        if let Some(known) = &known
            && known.known_at == newest.known_at
        {
            return known.per_year;
        }
        let day_before = newest.known_at.minus(Span::DAY);
        let before = view.between(slot, Timestamp::MIN, day_before).next_back();
        let per_year = before.map(|(then, rate)| {
            let years = seconds(newest.known_at.since(then)) / SECONDS_PER_DAY / DAYS_PER_YEAR;
            (newest.value.to_f64() / rate.to_f64()).ln() / years
        });
        let growth = Growth {
            slot,
            known_at: newest.known_at,
            per_year,
        };
        match known {
            Some(known) => *known = growth,
            None => self.growths.push(growth),
        }
        per_year
    }
}

/// The positions of a perp account, closed ones too.
fn positions<'a>(
    books: &'a Books,
    margin: &'a MarginAccount,
) -> impl Iterator<Item = (&'a Holding, &'a PerpRules)> {
    let positions = margin.positions.iter();
    positions.filter_map(|(at, rules)| Some((books.holdings().get(*at)?, rules)))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "statistics only; spans are far below 2^52 seconds"
)]
const fn seconds(span: Span) -> f64 {
    span.seconds() as f64
}
