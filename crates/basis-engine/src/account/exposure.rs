//! Exposure and margin of the books at the view's marks.

use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Value};
use basis_core::rules::{PerpRules, RuleBook};
use basis_core::types::{Account, InstrumentKind, Item, Timestamp};
use basis_core::venue_event::{IsolatedMargin, LendingHealth};
use basis_market::{Mark, MarketView};
use basis_protocols::exchange;

use super::books::Books;
use super::isolated::{IsolatedPosition, margin_ratio};

/// Margin of one perp account.
#[derive(Clone, Debug)]
pub struct MarginAccount {
    /// The account.
    pub account: Account,
    /// Collateral plus unrealised result, in the quote asset.
    pub margin_balance: Value,
    /// Below this the venue liquidates.
    pub maintenance_margin: Value,
    /// Notional of the open positions at mark.
    pub notional: Value,
    /// The same with their signs, short < 0.
    pub net_notional: Value,
    /// What a relative move of 1 of every mark adds to the maintenance margin, tiers as they are: the
    /// margin before the tiers' deductions.
    pub maintenance_slope: Value,
    /// Indices of the account's cash and positions in the books.
    cash: Vec<usize>,
    pub(super) positions: Vec<(usize, PerpRules)>,
}

impl MarginAccount {
    /// Maintenance margin ÷ margin balance; the venue liquidates at 1. Zero without positions, and
    /// the largest rate when nothing is left.
    #[must_use]
    pub fn margin_ratio(&self) -> Rate {
        margin_ratio(self.margin_balance, self.maintenance_margin)
    }
}

/// What the books are exposed to.
#[derive(Debug)]
pub struct Exposure {
    rules: Arc<RuleBook>,
    /// Net delta in base units.
    pub net_delta: Quantity,
    /// Sum of absolute deltas in base units.
    pub gross_delta: Quantity,
    /// Perp accounts in order of first use, isolated positions included.
    pub margins: Vec<MarginAccount>,
    /// Lending accounts by venue, as their protocols compute them; kept by the engine.
    pub lending: Vec<LendingHealth>,
    /// Positions that stand on collateral of their own.
    pub isolated: Vec<IsolatedPosition>,
    holdings_seen: usize,
    rules_until: Timestamp,
}

impl Exposure {
    /// No exposure yet.
    #[must_use]
    pub fn new(rules: Arc<RuleBook>) -> Self {
        Self {
            rules,
            net_delta: Quantity::ZERO,
            gross_delta: Quantity::ZERO,
            margins: Vec::new(),
            lending: Vec::new(),
            isolated: Vec::new(),
            holdings_seen: 0,
            rules_until: Timestamp::MIN,
        }
    }

    /// Reckons delta and margins; `books` must have been valued at this view.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range.
    pub fn refresh(&mut self, books: &Books, view: &MarketView) -> Result<(), ComponentError> {
        if books.holdings().len() != self.holdings_seen || view.now() >= self.rules_until {
            self.rebuild(books, view.now());
        }
        let (mut net, mut gross) = (Quantity::ZERO, Quantity::ZERO);
        for holding in books.holdings() {
            net = net.add(holding.delta)?;
            gross = gross.add(holding.delta.abs()?)?;
        }
        (self.net_delta, self.gross_delta) = (net, gross);
        for margin in &mut self.margins {
            margin.refresh(books)?;
        }
        Ok(())
    }

    /// Reckons the positions whose collateral the venues say is their own.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range.
    pub fn refresh_isolated(
        &mut self,
        books: &Books,
        view: &MarketView,
        own: impl Iterator<Item = IsolatedMargin>,
    ) -> Result<(), ComponentError> {
        self.isolated.clear();
        for own in own {
            let position = IsolatedPosition::read(books, &self.rules, view.now(), &own)?;
            self.isolated.extend(position);
        }
        Ok(())
    }

    /// Finds the accounts anew: a holding was added, or dated rules changed.
    fn rebuild(&mut self, books: &Books, now: Timestamp) {
        self.holdings_seen = books.holdings().len();
        self.margins.clear();
        self.rules_until = Timestamp::MAX;
        for (at, holding) in books.holdings().iter().enumerate() {
            let Item::Position(key) = holding.item else {
                continue;
            };
            let Some(rules) = self.rules.venue(key.venue) else {
                continue;
            };
            if let Some(change) = rules.next_change(now) {
                self.rules_until = self.rules_until.min(change);
            }
            let instrument = rules.at(now).instrument(InstrumentKind::Perp, key.symbol);
            let Some(perp) = instrument.and_then(|i| i.perp.clone()) else {
                continue;
            };
            match self
                .margins
                .iter_mut()
                .find(|m| m.account == holding.account)
            {
                Some(margin) => margin.positions.push((at, perp)),
                None => self.margins.push(MarginAccount {
                    account: holding.account,
                    margin_balance: Value::ZERO,
                    maintenance_margin: Value::ZERO,
                    notional: Value::ZERO,
                    net_notional: Value::ZERO,
                    maintenance_slope: Value::ZERO,
                    cash: books
                        .holdings()
                        .iter()
                        .enumerate()
                        .filter(|(_, h)| {
                            h.account == holding.account
                                && h.mark() == Some(Mark::Par)
                                && matches!(h.item, Item::Asset(_))
                        })
                        .map(|(at, _)| at)
                        .collect(),
                    positions: vec![(at, perp)],
                }),
            }
        }
    }
}

impl MarginAccount {
    fn refresh(&mut self, books: &Books) -> Result<(), ComponentError> {
        let holdings = books.holdings();
        let mut balance = Value::ZERO;
        for cash in self.cash.iter().filter_map(|&at| holdings.get(at)) {
            balance = balance.add(cash.value)?;
        }
        let (mut deductions, mut slope) = (Value::ZERO, Value::ZERO);
        let (mut notional, mut net) = (Value::ZERO, Value::ZERO);
        for (at, rules) in &self.positions {
            let Some(position) = holdings.get(*at) else {
                continue;
            };
            if position.quantity.is_zero() {
                balance = balance.sub(position.cost)?;
                continue;
            }
            balance = balance.add(position.value)?.sub(position.cost)?;
            let value = position.value.abs()?;
            notional = notional.add(value)?;
            net = net.add(position.value)?;
            let (gross, deduction) =
                exchange::margin::maintenance_parts(rules, position.quantity.abs()?, value)?;
            slope = slope.add(gross)?;
            deductions = deductions.add(deduction)?;
        }
        self.margin_balance = balance;
        self.maintenance_margin = slope.sub(deductions)?;
        self.maintenance_slope = slope;
        (self.notional, self.net_notional) = (notional, net);
        Ok(())
    }
}
