//! Leverage and margin mode of perps, and what stands in the way of changing them.

use basis_core::error::Rejection;
use basis_core::instruction::{MarginMode, SetLeverage};
use basis_core::num::{Fixed18, Price, Quantity, Value};
use basis_core::rules::{InstrumentRules, PerpRules};
use basis_core::types::{InstructionId, InstrumentKind, Symbol};
use basis_core::venue_event::{Events, Text};
use basis_protocols::exchange::margin::{initial_margin, isolated_margin_of_cost, leverage_max};

use super::advance::Watch;
use super::books::OpenPosition;
use super::fills::require_margin;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

impl SimulatedExchange {
    /// Sets margin mode and leverage, both or neither. What is so already succeeds: the venues'
    /// "not modified" means that the wish is fulfilled.
    pub(super) fn set_leverage(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        set: &SetLeverage,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let codes = &self.profile.perp;
        let rules = self.instrument(cx, InstrumentKind::Perp, set.symbol, codes)?;
        let Some(perp) = rules.perp.as_ref() else {
            return Err(Refusal::invalid(format!("{} has no leverage", rules.key)));
        };
        let mode = set.margin_mode.unwrap_or(self.margin_mode(set.symbol));
        if mode != self.margin_mode(set.symbol) {
            self.may_change_mode(set.symbol, mode)?;
        }
        let slot = cx.view.slot(rules.key.series());
        let mark = slot.map_or(Price::ZERO, |slot| cx.traded_mark(slot));
        let held: Vec<OpenPosition> = self.positions_in(set.symbol).copied().collect();
        let mut sizes = held.iter().map(|open| open.position.quantity.abs());
        let size = sizes.try_fold(Quantity::ZERO, |most, size| size.map(|s| s.max(most)))?;
        self.check_leverage(rules, perp, set.leverage, (size, mark))?;
        let margins = if held.iter().any(|open| open.margin.is_some()) {
            self.isolated_margins(cx, set, &held, mark)?
        } else {
            self.check_cross(cx, rules, set, &held, mark)?;
            Vec::new()
        };
        for (open, margin) in held.iter().zip(margins) {
            self.books.set_position(OpenPosition {
                margin: Some(margin),
                ..*open
            });
        }
        if mode != self.margin_mode(set.symbol) {
            if self.profile.margin_mode_of_account {
                self.books.margin_modes.clear();
                self.settings.margin_mode = mode;
            } else {
                self.books.margin_modes.insert(set.symbol, mode);
            }
        }
        self.books.leverage.insert(set.symbol, set.leverage);
        self.watch = Watch::default();
        events.push(self.done(cx, instruction));
        Ok(())
    }

    fn positions_in(&self, symbol: Symbol) -> impl Iterator<Item = &OpenPosition> {
        let held = self.books.positions.iter();
        held.filter(move |open| open.key.symbol == symbol)
    }

    /// Positions and orders of what the mode belongs to block a change of it.
    fn may_change_mode(&self, symbol: Symbol, mode: MarginMode) -> Result<(), Refusal> {
        let whole = self.profile.margin_mode_of_account;
        let modes = &self.profile.modes;
        let (what, mode) = (
            if whole {
                "the account"
            } else {
                symbol.as_str()
            },
            mode.as_str(),
        );
        let positions = if whole {
            self.books.positions.len()
        } else {
            self.positions_in(symbol).count()
        };
        if positions > 0 {
            let text = format!(
                "{what} cannot go to {mode} margin with {positions} open position(s); close them \
                 first"
            );
            return Err(Refusal::other(text, modes.margin_mode_positions));
        }
        let resting = self.books.orders.iter().map(|order| order.key);
        let pending = self.books.pending.iter().map(|order| order.key);
        let perps = resting.chain(pending).filter(|key| {
            key.kind.contract() == InstrumentKind::Perp && (whole || key.symbol == symbol)
        });
        let orders = perps.count();
        if orders > 0 {
            let text = format!(
                "{what} cannot go to {mode} margin with {orders} open order(s); cancel them first"
            );
            return Err(Refusal::other(text, modes.margin_mode_orders));
        }
        Ok(())
    }

    /// From 1 to what the tier of the largest position allows.
    fn check_leverage(
        &self,
        rules: &InstrumentRules,
        perp: &PerpRules,
        leverage: Fixed18,
        (size, mark): (Quantity, Price),
    ) -> Result<(), Refusal> {
        let max = leverage_max(perp, size, mark)?;
        if leverage < Fixed18::ONE || leverage > max {
            let reason = Rejection::Filter {
                instrument: rules.key,
                what: Text::Borrowed("leverage"),
                value: leverage.to_string(),
                bound: format!("1 to {max} at a position of {size} {}", rules.base),
            };
            return Err(Refusal::rejected(reason, self.profile.perp.leverage));
        }
        Ok(())
    }

    /// The account must carry the initial margin of `held` at the new leverage.
    fn check_cross(
        &self,
        cx: &Context<'_>,
        rules: &InstrumentRules,
        set: &SetLeverage,
        held: &[OpenPosition],
        mark: Price,
    ) -> Result<(), Refusal> {
        if held.is_empty() {
            return Ok(());
        }
        let account = cx.snapshot.accounts.perp;
        let cash = self.books.cash.get(account, SETTLEMENT);
        let mut margin = self.margin(cx, cash, None)?;
        for open in held {
            let of = |leverage| {
                if rules.perp.is_none() {
                    return Ok(Value::ZERO);
                }
                initial_margin(open.position.quantity, mark, leverage)
            };
            let (before, after) = (of(self.leverage(set.symbol))?, of(set.leverage)?);
            margin.initial = margin.initial.sub(before)?.add(after)?;
        }
        let reserved = self.books.reserved(account, SETTLEMENT)?;
        let available = Quantity::new(margin.balance.get()).sub(reserved)?;
        let needed = Quantity::new(margin.initial.get());
        require_margin(needed, available, self.profile.modes.leverage_funds)
    }

    /// What isolated positions keep after the change: initial margin on their open cost at the new
    /// leverage. More is taken from free cash; less must still be initial margin at the mark. Where
    /// the venue refuses lower leverage, and leaves the margin as it is, nothing moves.
    fn isolated_margins(
        &self,
        cx: &Context<'_>,
        set: &SetLeverage,
        held: &[OpenPosition],
        mark: Price,
    ) -> Result<Vec<Quantity>, Refusal> {
        let code = self.profile.modes.isolated_leverage;
        let before = self.leverage(set.symbol);
        if code.is_some() {
            if set.leverage < before {
                let text = format!(
                    "{}: leverage {before} cannot be lowered to {} with an isolated position open",
                    set.symbol, set.leverage
                );
                return Err(Refusal::other(text, code));
            }
            return Ok(held.iter().filter_map(|open| open.margin).collect());
        }
        let decimals = cx.decimals(SETTLEMENT)?;
        let mut margins = Vec::with_capacity(held.len());
        let mut more = Quantity::ZERO;
        for open in held {
            let margin = isolated_margin_of_cost(open.position.cost, set.leverage, decimals)?;
            let change = margin.sub(open.margin.unwrap_or_default())?;
            more = more.add(change)?;
            if change.is_negative() {
                let initial = initial_margin(open.position.quantity, mark, set.leverage)?;
                let result = open.position.unrealized(mark)?.min(Value::ZERO);
                let left = Quantity::new(result.get()).add(margin)?;
                let needed = Quantity::new(initial.get());
                require_margin(needed, left, self.profile.modes.leverage_funds)?;
            }
            margins.push(margin);
        }
        if more.is_positive() {
            let account = cx.snapshot.accounts.perp;
            let free = self.free(cx, account, SETTLEMENT)?;
            require_margin(more, free, self.profile.modes.leverage_funds)?;
        }
        Ok(margins)
    }
}
