//! Sizing of a hedged book: spot at one venue against perp shorts at several.

use basis_core::error::{Code, ComponentError};
use basis_core::fixed18;
use basis_core::instruction::{
    Instruction, Operation, OrderType, PerpTrade, SpotTrade, TimeInForce,
};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, Side, Venue,
};

use super::Context;

/// Most orders one leg is split into when a venue caps market orders.
const SPLIT_MAX: usize = 20;

/// Room left below the free spot balance for the price to have moved against a market buy.
const SPOT_BUFFER: Rate = Rate::literal("0.001");

/// One hedge venue as it stands and as it should.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hedge {
    pub(super) venue: Venue,
    pub(super) account: Account,
    pub(super) share: Rate,
    /// Signed base units held, short < 0.
    pub(super) position: Quantity,
    /// Short base units wanted, >= 0.
    pub(super) target: Quantity,
    /// Collateral plus unrealised result.
    pub(super) margin: Value,
    /// Margin wanted.
    pub(super) margin_target: Value,
}

/// The whole book as it stands and as it should.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) quote: Asset,
    pub(super) spot_account: Account,
    /// Base units held at the spot venue.
    pub(super) spot: Quantity,
    /// Base units wanted there: what the shorts come to.
    pub(super) spot_target: Quantity,
    pub(super) spot_price: Price,
    /// Spot notional wanted before lots are rounded.
    pub(super) notional_target: Value,
    /// Quote units free in the spot account.
    pub(super) spot_cash: Value,
    /// Quote units in the wallet.
    pub(super) wallet: Value,
    /// Quote units that stay in the wallet, pending withdrawals included.
    pub(super) wallet_target: Value,
    pub(super) hedges: Vec<Hedge>,
    /// Every price the book trades on is fresh.
    pub(super) tradable: bool,
}

/// The rules of an instrument now in force.
pub(super) fn rules_of<'a>(
    context: &'a Context<'_>,
    venue: Venue,
) -> Result<&'a RuleSnapshot, ComponentError> {
    context
        .rules
        .venue(venue)
        .map(|rules| rules.at(context.view.now()))
        .ok_or_else(|| {
            let message = format!("venue {venue} has no rules; give them under rules.{venue}");
            ComponentError::new(Code::StrategyInfeasible, message)
        })
}

pub(super) fn instrument<'a>(
    context: &'a Context<'_>,
    venue: Venue,
    kind: InstrumentKind,
) -> Result<&'a InstrumentRules, ComponentError> {
    let symbol = context.config.symbol();
    rules_of(context, venue)?
        .instrument(kind, symbol)
        .ok_or_else(|| {
            let message = format!("{venue} lists no {kind} {symbol} on {}", context.view.now());
            ComponentError::new(Code::StrategyInfeasible, message)
        })
}

impl Book {
    /// Reads the book and sizes its target; a capital of nothing gives a target of nothing.
    pub(super) fn read(context: &Context<'_>) -> Result<Self, ComponentError> {
        let config = context.config;
        let books = context.books;
        let spot_rules = instrument(context, config.spot_venue, InstrumentKind::Spot)?;
        let spot_account = rules_of(context, config.spot_venue)?.accounts.spot;
        let spot_quote = context.view.quote_of(spot_rules.key.series());
        let spot_price = spot_quote.map(|quote| quote.mark).unwrap_or_default();
        let mut tradable = spot_quote.is_some_and(|quote| quote.state.is_tradable());
        let cash = |account: Account| {
            Value::new(
                books
                    .quantity(account, Item::Asset(config.share_class))
                    .get(),
            )
        };
        let mut hedges = Vec::with_capacity(config.hedge_allocation.len());
        for &(venue, share) in &config.hedge_allocation {
            let perp = instrument(context, venue, InstrumentKind::Perp)?;
            let account = rules_of(context, venue)?.accounts.perp;
            let quote = context.view.quote_of(perp.key.series());
            tradable &= quote.is_some_and(|quote| quote.state.is_tradable());
            let margin = context
                .exposure
                .margins
                .iter()
                .find(|m| m.account == account);
            hedges.push(Hedge {
                venue,
                account,
                share,
                position: books.quantity(account, Item::Position(perp.key)),
                target: Quantity::ZERO,
                margin: margin.map_or_else(|| cash(account), |m| m.margin_balance),
                margin_target: Value::ZERO,
            });
        }
        let mut book = Self {
            quote: config.share_class,
            spot_account,
            spot: books.quantity(spot_account, Item::Asset(config.asset)),
            spot_target: Quantity::ZERO,
            spot_price,
            notional_target: Value::ZERO,
            spot_cash: cash(spot_account),
            wallet: cash(Account::WALLET),
            wallet_target: Value::ZERO,
            hedges,
            tradable,
        };
        book.size(context)?;
        Ok(book)
    }

    /// With C = equity × (1 − reserve) and h = hedge leverage: spot C·h/(1+h), margin C/(1+h).
    fn size(&mut self, context: &Context<'_>) -> Result<(), ComponentError> {
        let config = context.config;
        let equity = context.books.equity().sub(context.pending_withdrawal)?;
        if !equity.is_positive() || !self.spot_price.is_positive() {
            self.wallet_target = context.pending_withdrawal;
            return Ok(());
        }
        let reserve = equity.at_rate(config.reserve_ratio, Rounding::Ceil)?;
        self.wallet_target = reserve.add(context.pending_withdrawal)?;
        let capital = equity.sub(reserve)?;
        let h = config.hedge_leverage;
        let notional = Value::new(capital.get().mul_div(
            h,
            h.add(Fixed18::ONE)?,
            Rounding::Floor,
        )?);
        let margin = capital.sub(notional)?;
        self.notional_target = notional;
        let wanted = notional.per(self.spot_price, Rounding::Floor)?;
        for hedge in &mut self.hedges {
            hedge.margin_target = margin.at_rate(hedge.share, Rounding::Floor)?;
        }
        self.aim(context, wanted)
    }

    /// Spreads `wanted` base units over the hedge venues in whole lots; spot follows their sum.
    pub(super) fn aim(
        &mut self,
        context: &Context<'_>,
        wanted: Quantity,
    ) -> Result<(), ComponentError> {
        let mut sum = Quantity::ZERO;
        for hedge in &mut self.hedges {
            let lot = instrument(context, hedge.venue, InstrumentKind::Perp)?.lot_size;
            let share = wanted.at_rate(hedge.share, Rounding::Floor)?;
            hedge.target = share.round_to_lot(lot, Rounding::Floor)?;
            sum = sum.add(hedge.target)?;
        }
        self.spot_target = sum;
        Ok(())
    }

    /// Aims at no more spot than the free balance of the spot account buys.
    pub(super) fn aim_within_cash(&mut self, context: &Context<'_>) -> Result<(), ComponentError> {
        if self.spot_target <= self.spot {
            return Ok(());
        }
        let price = self
            .spot_price
            .at_rate(Rate::ONE.add(SPOT_BUFFER)?, Rounding::Ceil)?;
        let rules = rules_of(context, context.config.spot_venue)?;
        let kept = Rate::ONE.sub(rules.fees.spot.taker)?;
        let cash = self.free_spot_cash()?;
        let affordable = if cash.is_positive() {
            cash.per(price, Rounding::Floor)?
                .at_rate(kept, Rounding::Floor)?
        } else {
            Quantity::ZERO
        };
        let reach = self.spot.add(affordable)?;
        if reach < self.spot_target {
            self.aim(context, reach)
        } else {
            Ok(())
        }
    }

    /// Quote units of the spot account that no margin target claims.
    pub(super) fn free_spot_cash(&self) -> Result<Value, ComponentError> {
        let shared = self
            .hedges
            .iter()
            .find(|hedge| hedge.account == self.spot_account);
        match shared {
            Some(hedge) => Ok(self.spot_cash.min(hedge.margin.sub(hedge.margin_target)?)),
            None => Ok(self.spot_cash),
        }
    }

    /// Sum of the shorts, >= 0.
    pub(super) fn short(&self) -> Result<Quantity, ComponentError> {
        let sum = self
            .hedges
            .iter()
            .try_fold(Quantity::ZERO, |sum, h| sum.sub(h.position))?;
        Ok(sum)
    }

    /// Whether nothing is open.
    pub(super) fn is_flat(&self) -> bool {
        self.hedges.iter().all(|hedge| hedge.position.is_zero())
            && self
                .spot
                .notional(self.spot_price, Rounding::Floor)
                .is_ok_and(|worth| worth < Value::new(fixed18!("10")))
    }

    /// The legs from the position held to the target: the spot leg, then the perps.
    pub(super) fn legs_to_target(&self, context: &Context<'_>) -> Result<Vec<Leg>, ComponentError> {
        let mut legs = self.spot_legs(context)?;
        for hedge in &self.hedges {
            let rules = instrument(context, hedge.venue, InstrumentKind::Perp)?;
            let change = hedge.target.neg()?.sub(hedge.position)?;
            let side = if change.is_negative() {
                Side::Sell
            } else {
                Side::Buy
            };
            let reduces = change.signum() * hedge.position.signum() < 0
                && hedge.target.neg()?.signum() * hedge.position.signum() >= 0;
            let size = change
                .abs()?
                .round_to_lot(rules.lot_size, Rounding::Floor)?;
            for quantity in split(size, rules, self.spot_price, reduces)? {
                legs.push(perp_leg(rules.key, side, quantity, reduces));
            }
        }
        Ok(legs)
    }

    /// Buys enough that the target arrives after a fee taken in base, or sells the excess.
    fn spot_legs(&self, context: &Context<'_>) -> Result<Vec<Leg>, ComponentError> {
        let venue = context.config.spot_venue;
        let rules = instrument(context, venue, InstrumentKind::Spot)?;
        let fees = rules_of(context, venue)?.fees;
        let change = self.spot_target.sub(self.spot)?;
        let (side, size) = if change.is_negative() {
            (
                Side::Sell,
                change
                    .abs()?
                    .round_to_lot(rules.lot_size, Rounding::Floor)?,
            )
        } else if fees.spot_buy_fee_in_base {
            let gross = change.div_rate(Rate::ONE.sub(fees.spot.taker)?, Rounding::Ceil)?;
            (
                Side::Buy,
                gross.round_to_lot(rules.lot_size, Rounding::Ceil)?,
            )
        } else {
            (
                Side::Buy,
                change.round_to_lot(rules.lot_size, Rounding::Ceil)?,
            )
        };
        let quantities = split(size, rules, self.spot_price, false)?;
        Ok(quantities
            .into_iter()
            .map(|quantity| spot_leg(rules.key, side, quantity))
            .collect())
    }
}

/// Cuts `size` into orders the venue accepts; none when it is below the venue's minimum.
fn split(
    size: Quantity,
    rules: &InstrumentRules,
    price: Price,
    reduces: bool,
) -> Result<Vec<Quantity>, ComponentError> {
    let worth = size.notional(price, Rounding::Floor)?;
    if size.is_zero() || size < rules.min_quantity || (worth < rules.min_notional && !reduces) {
        return Ok(Vec::new());
    }
    let cap = rules.max_market_quantity.min(rules.max_quantity);
    let cap = cap.round_to_lot(rules.lot_size, Rounding::Floor)?;
    let mut rest = size;
    let mut orders = Vec::new();
    while rest.is_positive() && orders.len() < SPLIT_MAX {
        let order = rest.min(cap);
        let left = rest.sub(order)?;
        // A remainder too small to be an order of its own is left for the next rebalance.
        if order < rules.min_quantity {
            break;
        }
        orders.push(order);
        rest = left;
    }
    Ok(orders)
}

fn leg(venue: Venue, operation: Operation) -> Leg {
    // The tight loop numbers instructions when it sends them.
    Leg {
        venue,
        instruction: Instruction {
            id: InstructionId::default(),
            operation,
        },
    }
}

pub(super) fn spot_leg(key: InstrumentKey, side: Side, quantity: Quantity) -> Leg {
    leg(
        key.venue,
        Operation::SpotTrade(SpotTrade {
            symbol: key.symbol,
            side,
            quantity,
            order_type: OrderType::Market,
            limit_price: None,
            time_in_force: TimeInForce::default(),
        }),
    )
}

pub(super) fn perp_leg(
    key: InstrumentKey,
    side: Side,
    quantity: Quantity,
    reduce_only: bool,
) -> Leg {
    leg(
        key.venue,
        Operation::PerpTrade(PerpTrade {
            symbol: key.symbol,
            side,
            quantity,
            order_type: OrderType::Market,
            limit_price: None,
            time_in_force: TimeInForce::default(),
            reduce_only,
        }),
    )
}

pub(super) fn transfer_leg(asset: Asset, amount: Quantity, from: Account, to: Account) -> Leg {
    leg(
        from.venue,
        Operation::Transfer(basis_core::instruction::Transfer {
            asset,
            amount,
            from,
            to,
        }),
    )
}
