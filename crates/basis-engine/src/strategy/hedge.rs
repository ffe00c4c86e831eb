//! Sizing of a hedged book: spot at one venue against perp shorts at several.

use basis_core::error::{Code, ComponentError};
use basis_core::fixed18;
use basis_core::instruction::{
    Instruction, Operation, OrderType, PerpTrade, SetLeverage, SpotTrade, TimeInForce,
};
use basis_core::market::SlotId;
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::rules::{Accounts, InstrumentRules, MakerTaker, RuleSnapshot};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, Side, Timestamp, Venue,
};

use super::Context;

/// Most orders one leg is split into when a venue caps market orders.
const SPLIT_MAX: usize = 20;

/// Lowest leverage the venues are set to: collateral that only sits there earns nothing.
const LEVERAGE_MIN: Fixed18 = fixed18!("5");

/// Room left below the free spot balance for the price to have moved against a market buy.
const SPOT_BUFFER: Rate = Rate::literal("0.001");

/// What of the rules a hedged book needs, looked up once and again when dated rules change.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    spot: InstrumentRules,
    spot_slot: Option<SlotId>,
    spot_accounts: Accounts,
    spot_fees: MakerTaker,
    spot_buy_fee_in_base: bool,
    hedges: Vec<HedgeLayout>,
    valid_until: Timestamp,
    /// Holdings there were when the indices were looked up; a new one makes them stale.
    holdings: usize,
    spot_at: Option<usize>,
    spot_cash_at: Option<usize>,
    wallet_at: Option<usize>,
    /// h / (1 + h): the part of the capital that is spot.
    spot_share: Rate,
}

#[derive(Clone, Debug)]
struct HedgeLayout {
    rules: InstrumentRules,
    slot: Option<SlotId>,
    accounts: Accounts,
    share: Rate,
    position_at: Option<usize>,
    cash_at: Option<usize>,
    deposit_at: Option<usize>,
    margin_at: Option<usize>,
    /// Whether the deposit account serves nothing else, so that what arrives there is moved on.
    sweeps: bool,
}

/// One hedge venue as it stands and as it should.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hedge<'a> {
    pub(super) venue: Venue,
    pub(super) rules: &'a InstrumentRules,
    pub(super) accounts: Accounts,
    /// The perp account.
    pub(super) account: Account,
    pub(super) share: Rate,
    /// Signed base units held, short < 0.
    pub(super) position: Quantity,
    /// Quote units in a deposit account that serves nothing else.
    pub(super) sweepable: Quantity,
    /// Short base units wanted, >= 0; zero until [`Book::aim_at_target`].
    pub(super) target: Quantity,
    /// Collateral plus unrealised result.
    pub(super) margin: Value,
    /// Margin wanted.
    pub(super) margin_target: Value,
}

/// The whole book as it stands and as it should.
#[derive(Debug)]
pub(super) struct Book<'a> {
    layout: &'a Layout,
    pub(super) quote: Asset,
    pub(super) spot_account: Account,
    /// Base units held at the spot venue.
    pub(super) spot: Quantity,
    /// Base units wanted there: what the shorts come to; zero until [`Book::aim_at_target`].
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
    pub(super) hedges: Vec<Hedge<'a>>,
    /// Every price the book trades on is fresh.
    pub(super) tradable: bool,
}

impl Layout {
    /// Keeps `cached` while the rules it was read from are in force, else reads it anew.
    pub(super) fn current<'c>(
        cached: &'c mut Option<Self>,
        context: &Context<'_>,
    ) -> Result<&'c Self, ComponentError> {
        let (now, holdings) = (context.view.now(), context.books.holdings().len());
        let stale = cached
            .as_ref()
            .is_none_or(|layout| now >= layout.valid_until || holdings != layout.holdings);
        if stale {
            *cached = Some(Self::read(context)?);
        }
        cached
            .as_ref()
            .ok_or_else(|| ComponentError::new(Code::StrategyInfeasible, "the hedge has no layout"))
    }

    fn read(context: &Context<'_>) -> Result<Self, ComponentError> {
        let config = context.config;
        let now = context.view.now();
        let mut valid_until = Timestamp::MAX;
        let mut changes = |venue: Venue| {
            let change = context
                .rules
                .venue(venue)
                .and_then(|rules| rules.next_change(now));
            valid_until = valid_until.min(change.unwrap_or(Timestamp::MAX));
        };
        changes(config.spot_venue);
        let spot = instrument(context, config.spot_venue, InstrumentKind::Spot)?.clone();
        let venue = rules_of(context, config.spot_venue)?;
        let at = |account, item| context.books.position_of(account, item);
        let margins = &context.exposure.margins;
        let mut hedges = Vec::with_capacity(config.hedge_allocation.len());
        for &(venue, share) in &config.hedge_allocation {
            changes(venue);
            let rules = instrument(context, venue, InstrumentKind::Perp)?.clone();
            let accounts = rules_of(context, venue)?.accounts;
            let slot = context.view.slot(rules.key.series());
            hedges.push(HedgeLayout {
                position_at: at(accounts.perp, Item::Position(rules.key)),
                cash_at: at(accounts.perp, Item::Asset(config.share_class)),
                deposit_at: at(accounts.deposit, Item::Asset(config.share_class)),
                margin_at: margins.iter().position(|m| m.account == accounts.perp),
                sweeps: accounts.deposit != accounts.perp && accounts.deposit != accounts.spot,
                rules,
                slot,
                accounts,
                share,
            });
        }
        let h = config.hedge_leverage;
        Ok(Self {
            holdings: context.books.holdings().len(),
            spot_at: at(venue.accounts.spot, Item::Asset(config.asset)),
            spot_cash_at: at(venue.accounts.spot, Item::Asset(config.share_class)),
            wallet_at: at(Account::WALLET, Item::Asset(config.share_class)),
            spot_share: Rate::new(h.div(h.add(Fixed18::ONE)?, Rounding::Floor)?),
            spot_slot: context.view.slot(spot.key.series()),
            spot,
            spot_accounts: venue.accounts,
            spot_fees: venue.fees.spot,
            spot_buy_fee_in_base: venue.fees.spot_buy_fee_in_base,
            hedges,
            valid_until,
        })
    }

    /// Whether the book is hedged, funded and on target within every band: then there is nothing to
    /// do, and most steps end here. `false` only means that a full look is needed.
    pub(super) fn is_settled(&self, context: &Context<'_>) -> Result<bool, ComponentError> {
        let (config, books) = (context.config, context.books);
        let Some(spot) = self.spot_at.and_then(|at| books.holdings().get(at)) else {
            return Ok(false);
        };
        let mut short = Quantity::ZERO;
        for hedge in &self.hedges {
            if hedge.sweeps && !books.quantity_at(hedge.deposit_at).is_zero() {
                return Ok(false);
            }
            short = short.sub(books.quantity_at(hedge.position_at))?;
        }
        let naked = spot.quantity.sub(short)?.abs()?;
        let tolerated = short.at_rate(config.delta_tolerance, Rounding::Floor)?;
        if !short.is_positive() || naked > tolerated || context.pending_withdrawal.is_positive() {
            return Ok(false);
        }
        let equity = books.equity();
        let capital = equity.sub(equity.at_rate(config.reserve_ratio, Rounding::Ceil)?)?;
        let target = capital.at_rate(self.spot_share, Rounding::Floor)?;
        let band = target.at_rate(config.position_deviation_threshold, Rounding::HalfEven)?;
        if spot.worth.sub(target)?.abs()? > band {
            return Ok(false);
        }
        let margin = capital.sub(target)?;
        let least = Rate::ONE.sub(config.margin_deviation_threshold)?;
        for hedge in &self.hedges {
            let held = hedge
                .margin_at
                .and_then(|at| context.exposure.margins.get(at));
            // Rounded up: on the edge of the band the full look decides.
            let wanted = margin.at_rate(hedge.share, Rounding::Ceil)?;
            let least = wanted.at_rate(least, Rounding::Ceil)?;
            if held.is_none_or(|held| held.margin_balance <= least) {
                return Ok(false);
            }
        }
        Ok(target.is_positive())
    }

    /// Rules of the spot leg.
    pub(super) const fn spot(&self) -> &InstrumentRules {
        &self.spot
    }
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

impl<'a> Book<'a> {
    /// Reads the book and sizes its target; a capital of nothing gives a target of nothing.
    pub(super) fn read(context: &Context<'_>, layout: &'a Layout) -> Result<Self, ComponentError> {
        let config = context.config;
        let books = context.books;
        let spot_account = layout.spot_accounts.spot;
        let spot_quote = layout.spot_slot.map(|slot| context.view.quote(slot));
        let spot_price = spot_quote.map(|quote| quote.mark).unwrap_or_default();
        let mut tradable = spot_quote.is_some_and(|quote| quote.state.is_tradable());
        let cash = |at: Option<usize>| Value::new(books.quantity_at(at).get());
        let mut hedges = Vec::with_capacity(layout.hedges.len());
        for hedge in &layout.hedges {
            let account = hedge.accounts.perp;
            let quote = hedge.slot.map(|slot| context.view.quote(slot));
            tradable &= quote.is_some_and(|quote| quote.state.is_tradable());
            let margin = hedge
                .margin_at
                .and_then(|at| context.exposure.margins.get(at));
            hedges.push(Hedge {
                venue: account.venue,
                rules: &hedge.rules,
                accounts: hedge.accounts,
                account,
                share: hedge.share,
                position: books.quantity_at(hedge.position_at),
                sweepable: if hedge.sweeps {
                    books.quantity_at(hedge.deposit_at)
                } else {
                    Quantity::ZERO
                },
                target: Quantity::ZERO,
                margin: margin.map_or_else(|| cash(hedge.cash_at), |m| m.margin_balance),
                margin_target: Value::ZERO,
            });
        }
        let mut book = Self {
            layout,
            quote: config.share_class,
            spot_account,
            spot: books.quantity_at(layout.spot_at),
            spot_target: Quantity::ZERO,
            spot_price,
            notional_target: Value::ZERO,
            spot_cash: cash(layout.spot_cash_at),
            wallet: cash(layout.wallet_at),
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
        self.notional_target = capital.at_rate(self.layout.spot_share, Rounding::Floor)?;
        let margin = capital.sub(self.notional_target)?;
        for hedge in &mut self.hedges {
            hedge.margin_target = margin.at_rate(hedge.share, Rounding::Floor)?;
        }
        Ok(())
    }

    /// Turns the notional target into whole lots; left out of [`Book::read`] because most steps only
    /// look whether anything is out of its band.
    pub(super) fn aim_at_target(&mut self) -> Result<(), ComponentError> {
        if !self.spot_price.is_positive() {
            return Ok(());
        }
        self.aim(self.notional_target.per(self.spot_price, Rounding::Floor)?)
    }

    /// Spreads `wanted` base units over the hedge venues in whole lots; spot follows their sum.
    pub(super) fn aim(&mut self, wanted: Quantity) -> Result<(), ComponentError> {
        let mut sum = Quantity::ZERO;
        for hedge in &mut self.hedges {
            let lot = hedge.rules.lot_size;
            let share = wanted.at_rate(hedge.share, Rounding::Floor)?;
            hedge.target = share.round_to_lot(lot, Rounding::Floor)?;
            sum = sum.add(hedge.target)?;
        }
        self.spot_target = sum;
        Ok(())
    }

    /// Aims at no more spot than the free balance of the spot account buys.
    pub(super) fn aim_within_cash(&mut self) -> Result<(), ComponentError> {
        if self.spot_target <= self.spot {
            return Ok(());
        }
        let price = self
            .spot_price
            .at_rate(Rate::ONE.add(SPOT_BUFFER)?, Rounding::Ceil)?;
        let kept = Rate::ONE.sub(self.layout.spot_fees.taker)?;
        let cash = self.free_spot_cash()?;
        let affordable = if cash.is_positive() {
            cash.per(price, Rounding::Floor)?
                .at_rate(kept, Rounding::Floor)?
        } else {
            Quantity::ZERO
        };
        let reach = self.spot.add(affordable)?;
        if reach < self.spot_target {
            self.aim(reach)
        } else {
            Ok(())
        }
    }

    /// The rules the book was read with.
    pub(super) const fn layout(&self) -> &'a Layout {
        self.layout
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

    /// Sets every hedge venue's leverage to twice the hedge's, at least [`LEVERAGE_MIN`], in whole
    /// numbers and within what the target's tier allows: half of the margin then stays free for
    /// moves and transfers.
    pub(super) fn leverage_legs(
        &self,
        hedge_leverage: Fixed18,
    ) -> Result<Vec<Leg>, ComponentError> {
        let wanted = hedge_leverage
            .mul_int(2)?
            .round_to_decimals(0, Rounding::Ceil)?;
        let mut legs = Vec::with_capacity(self.hedges.len());
        for hedge in &self.hedges {
            let Some(perp) = &hedge.rules.perp else {
                continue;
            };
            let notional = hedge.target.notional(self.spot_price, Rounding::Ceil)?;
            let tier = perp.tier(hedge.target, notional);
            let most = tier.map_or(perp.max_leverage, |tier| tier.max_leverage);
            let most = most
                .min(perp.max_leverage)
                .round_to_decimals(0, Rounding::Floor)?;
            let leverage = wanted.max(LEVERAGE_MIN).min(most);
            let symbol = hedge.rules.key.symbol;
            legs.push(leg(
                hedge.venue,
                Operation::SetLeverage(SetLeverage {
                    symbol,
                    leverage,
                    margin_mode: None,
                }),
            ));
        }
        Ok(legs)
    }

    /// The legs from the position held to the target: the spot leg, then the perps.
    pub(super) fn legs_to_target(&self) -> Result<Vec<Leg>, ComponentError> {
        let mut legs = self.spot_legs()?;
        for hedge in &self.hedges {
            let rules = hedge.rules;
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
    fn spot_legs(&self) -> Result<Vec<Leg>, ComponentError> {
        let rules = &self.layout.spot;
        let change = self.spot_target.sub(self.spot)?;
        let (side, size) = if change.is_negative() {
            (
                Side::Sell,
                change
                    .abs()?
                    .round_to_lot(rules.lot_size, Rounding::Floor)?,
            )
        } else if self.layout.spot_buy_fee_in_base {
            let kept = Rate::ONE.sub(self.layout.spot_fees.taker)?;
            let gross = change.div_rate(kept, Rounding::Ceil)?;
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
            position_side: None,
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
