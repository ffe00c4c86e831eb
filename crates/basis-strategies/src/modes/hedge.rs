//! Sizing of a hedged book: spot at one venue against perp shorts at several.

use basis_core::error::{Code, ComponentError};
use basis_core::fixed18;
use basis_core::instruction::{Operation, SetLeverage};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::rules::{Accounts, InstrumentRules, RuleSnapshot};
use basis_core::types::{Account, Asset, InstrumentKind, Side, Venue};
use basis_protocols::exchange;

use super::layout::{Layout, is_fresh};
use super::legs::split;
use super::spots::SpotPlace;
use super::{Context, carry};
use crate::config::ModeConfig;
use basis_engine::RebalanceTo;
use basis_engine::account::MarginAccount;

/// Lowest leverage the venues are set to: collateral that only sits there earns nothing.
const LEVERAGE_MIN: Fixed18 = fixed18!("5");

/// Room left below the free spot balance for the price to have moved against a market buy.
pub(super) const SPOT_BUFFER: Rate = Rate::literal("0.001");

/// Part of a target that may lack: fees, and moves of the price while margin is on its way.
pub(super) const NEAR: Rate = Rate::literal("0.02");

/// Part of the distance at entry that is kept where leverage allows less than `risk.distance_warn`.
const ENTRY_DISTANCE_KEPT: Rate = Rate::literal("0.8");

/// Part of the margin kept below which money held for anything else is margin first.
const TOP_UP_BELOW: Rate = Rate::literal("0.75");

/// Part of what a short keeps that stays cash when margin leaves its account: fees and funding are paid in it.
const CASH_KEPT: Rate = Rate::literal("0.1");

/// Perp notional that a margin carries over what it was planned for: prices move while margin is on its
/// way, and in kind the reserve is hedged beside what was planned.
const CARRIED: Rate = Rate::literal("1.25");

/// Margin that stays in an account when any leaves it, so that only a move of the kept distance would
/// liquidate it: maintenance + distance × (slope − net notional).
///
/// # Errors
/// POS-002 out of range.
pub(super) fn kept_margin(
    margin: &MarginAccount,
    config: &ModeConfig<'_>,
) -> Result<Value, ComponentError> {
    let at_entry = ENTRY_DISTANCE_KEPT
        .get()
        .div(config.hedge_leverage, Rounding::Floor)?;
    let distance = config.risk.distance_warn.min(Rate::new(at_entry));
    let per_move = margin.maintenance_slope.sub(margin.net_notional)?;
    let moved = per_move
        .max(Value::ZERO)
        .at_rate(distance, Rounding::Ceil)?;
    Ok(margin.maintenance_margin.add(moved)?)
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
    /// Whether its perp can be traded now; a stale one keeps its short.
    pub(super) fresh: bool,
    /// Whether more may be added here: its funding is not too far below that of the others.
    pub(super) grows: bool,
    /// Signed base units held, short < 0.
    pub(super) position: Quantity,
    /// Quote units in a deposit account that serves nothing else.
    pub(super) sweepable: Quantity,
    /// Short base units wanted, >= 0; zero until [`Book::aim_at_target`].
    pub(super) target: Quantity,
    /// Quote units there.
    pub(super) cash: Value,
    /// Collateral plus unrealised result.
    pub(super) margin: Value,
    /// Quote units on their way to the venue.
    pub(super) coming: Value,
    /// Margin wanted.
    pub(super) margin_target: Value,
    /// Margin that the short held keeps: see [`kept_margin`].
    pub(super) margin_kept: Value,
}

/// The whole book as it stands and as it should.
#[derive(Debug)]
pub(super) struct Book<'a> {
    layout: &'a Layout,
    pub(super) quote: Asset,
    pub(super) spot_account: Account,
    /// The venues that hold spot, `spot_venue` first.
    pub(super) spots: Vec<SpotPlace<'a>>,
    /// Where spot is sold first.
    pub(super) sells_first: Option<Venue>,
    /// Base units held at all of them.
    pub(super) spot: Quantity,
    /// Base units wanted there: what the shorts come to; zero until [`Book::aim_at_target`].
    pub(super) spot_target: Quantity,
    pub(super) spot_price: Price,
    /// Spot notional wanted before lots are rounded.
    pub(super) notional_target: Value,
    /// Quote units free in the spot account of `spot_venue`.
    pub(super) spot_cash: Value,
    /// Quote units in the wallet.
    pub(super) wallet: Value,
    /// Quote units that stay in the wallet, pending withdrawals included.
    pub(super) wallet_target: Value,
    pub(super) hedges: Vec<Hedge<'a>>,
    /// Spot and at least one perp have a fresh price.
    pub(super) tradable: bool,
    /// Whether capital comes and goes in the asset itself.
    pub(super) in_kind: bool,
    /// Values amounts of an in-kind share class.
    pub(super) reference: Price,
    /// Base units outside the spot accounts less those owed to a withdrawal: hedged like spot.
    pub(super) outside: Quantity,
    /// Base units in the wallet.
    pub(super) wallet_base: Quantity,
    /// Base units that stay in the wallet, pending withdrawals included; zero unless in kind.
    pub(super) wallet_base_target: Quantity,
    /// Base units to bring back to the wallet for a withdrawal, the cost of sending included.
    pub(super) ship: Quantity,
    /// Base units that arrived in a deposit account and belong in the spot account.
    pub(super) base_sweepable: Quantity,
    /// Smallest transfer of quote units.
    pub(super) min_transfer: Value,
    /// Whether the aim is nearer than it was to be, for want of volume.
    pub(super) is_cut: bool,
}

/// `share` as a part of `whole`; itself where nothing is missing.
fn renormalized(share: Rate, whole: Rate) -> Result<Rate, ComponentError> {
    if whole == Rate::ONE || whole.is_zero() {
        return Ok(share);
    }
    Ok(Rate::new(share.get().div(whole.get(), Rounding::Floor)?))
}

/// What sending `asset` away from `venue` costs on top of the amount.
pub(super) fn send_cost(
    context: &Context<'_>,
    venue: Venue,
    asset: Asset,
) -> Result<Quantity, ComponentError> {
    let Some(row) = rules_of(context, venue)?.withdrawal(asset) else {
        return Ok(Quantity::ZERO);
    };
    if venue != Venue::WALLET {
        return Ok(row.fee);
    }
    let gas = context.view.wallet_send_cost(asset, row.decimals)?;
    Ok(gas.unwrap_or(row.fee))
}

/// The least that is sent away from `venue`: by its rules, and by the configuration.
pub(super) fn least_sent(
    context: &Context<'_>,
    venue: Venue,
    asset: Asset,
) -> Result<Quantity, ComponentError> {
    let row = rules_of(context, venue)?.withdrawal(asset);
    let least = row.map_or(Quantity::ZERO, |row| Quantity::new(row.minimum.get()));
    Ok(least.max(context.config.min_transfer))
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
    let symbol = match kind {
        InstrumentKind::Perp => context.config.hedge_symbol(venue),
        _ => context.config.symbol(),
    };
    rules_of(context, venue)?
        .instrument(kind, symbol)
        .ok_or_else(|| {
            let message = format!("{venue} lists no {kind} {symbol} on {}", context.view.now());
            ComponentError::new(Code::StrategyInfeasible, message)
        })
}

/// How far a rebalance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the target.
    Whole,
    /// As `rebalance_to` says.
    Band,
    /// The same, and what is held above the target stays: the ladder alone decides about it.
    Upwards,
}

impl Hedge<'_> {
    /// Whether the short stays what it is when all shorts come to `total`: it cannot be traded, or would be
    /// added to where that does not pay.
    fn stays(&self, total: Quantity) -> Result<bool, ComponentError> {
        if self.grows || !self.fresh {
            return Ok(!self.fresh);
        }
        let part = total.at_rate(self.share, Rounding::Floor)?;
        Ok(part > self.position.neg()?)
    }

    /// Margin above what is wanted and what the short held keeps; below zero where it lacks. Never more than
    /// the cash there, [`CASH_KEPT`] aside: a result that is not realized cannot leave, and pays no funding.
    pub(super) fn spare_margin(&self) -> Result<Value, ComponentError> {
        let wanted = self.margin_target.max(self.margin_kept);
        self.margin_above(wanted)
    }

    /// Margin above what the short held keeps, whatever is wanted.
    pub(super) fn margin_above_kept(&self) -> Result<Value, ComponentError> {
        self.margin_above(self.margin_kept)
    }

    fn margin_above(&self, wanted: Value) -> Result<Value, ComponentError> {
        let spare = self.margin.sub(wanted)?;
        let kept = self.margin_kept.at_rate(CASH_KEPT, Rounding::Ceil)?;
        Ok(spare.min(self.cash.sub(kept)?))
    }

    /// Margin wanted that is neither there nor on its way; below zero where there is more.
    pub(super) fn missing_margin(&self) -> Result<Value, ComponentError> {
        Ok(self.margin_target.sub(self.margin)?.sub(self.coming)?)
    }

    /// Short base units that the margin in the account carries, and never less than what is held.
    fn carried(&self, price: Price, config: &ModeConfig<'_>) -> Result<Quantity, ComponentError> {
        let held = self.position.neg()?.max(Quantity::ZERO);
        if !self.margin.is_positive() || !price.is_positive() {
            return Ok(held);
        }
        let leverage = Rate::new(config.hedge_leverage).mul(CARRIED, Rounding::Floor)?;
        let notional = self.margin.at_rate(leverage, Rounding::Floor)?;
        let units = notional.per(price, Rounding::Floor)?;
        let units = units.round_to_lot(self.rules.lot_size, Rounding::Floor)?;
        Ok(units.max(held))
    }

    /// The orders from the short held to the target at `price`; none where that is less than the venue takes.
    fn legs(&self, price: Price) -> Result<Vec<Leg>, ComponentError> {
        let rules = self.rules;
        let change = self.target.neg()?.sub(self.position)?;
        let side = if change.is_negative() {
            Side::Sell
        } else {
            Side::Buy
        };
        let reduces = change.signum() * self.position.signum() < 0
            && self.target.neg()?.signum() * self.position.signum() >= 0;
        let size = change
            .abs()?
            .round_to_lot(rules.lot_size, Rounding::Floor)?;
        let orders = split(size, rules, price, reduces)?.into_iter();
        let legs = orders.map(|quantity| Leg::market(rules.key, side, quantity, reduces));
        Ok(legs.collect())
    }

    /// The smallest order that the venue takes at `price`.
    pub(super) fn smallest_order(&self, price: Price) -> Result<Quantity, ComponentError> {
        let rules = self.rules;
        let by_notional = rules.min_notional.per(price, Rounding::Ceil)?;
        Ok(rules
            .min_quantity
            .max(by_notional)
            .round_to_lot(rules.lot_size, Rounding::Ceil)?)
    }
}

/// Marks the venues at which nothing is added. A hedged stake has its shorts where they mirror it.
fn bar_growth(context: &Context<'_>, hedges: &mut [Hedge<'_>]) -> Result<(), ComponentError> {
    if hedges.len() < 2 || context.config.chain.is_some() {
        return Ok(());
    }
    let barred = carry::barred(context, hedges)?;
    for hedge in hedges {
        hedge.grows = !barred.contains(&hedge.venue);
    }
    Ok(())
}

/// The hedge venues as they stand, and whether any can be traded.
fn read_hedges<'a>(
    context: &Context<'_>,
    layout: &'a Layout,
) -> Result<(Vec<Hedge<'a>>, bool), ComponentError> {
    let (config, books) = (context.config, context.books);
    let cash = |at: Option<usize>| Value::new(books.quantity_at(at).get());
    let mut any_fresh = false;
    let mut hedges = Vec::with_capacity(layout.hedges.len());
    for hedge in &layout.hedges {
        let account = hedge.accounts.perp;
        let fresh = hedge.slot.is_some_and(|slot| is_fresh(context, slot));
        any_fresh |= fresh;
        let margin = hedge
            .margin_at
            .and_then(|at| context.exposure.margins.get(at));
        hedges.push(Hedge {
            venue: account.venue,
            rules: &hedge.rules,
            accounts: hedge.accounts,
            account,
            share: hedge.share,
            fresh,
            grows: true,
            position: books.quantity_at(hedge.position_at),
            sweepable: if hedge.sweeps {
                books.quantity_at(hedge.deposit_at)
            } else {
                Quantity::ZERO
            },
            target: Quantity::ZERO,
            cash: cash(hedge.cash_at),
            margin: margin.map_or_else(|| cash(hedge.cash_at), |m| m.margin_balance),
            coming: Value::new(context.coming_to(account.venue, layout.quote)?.get()),
            margin_target: Value::ZERO,
            margin_kept: margin.map_or(Ok(Value::ZERO), |held| kept_margin(held, config))?,
        });
    }
    Ok((hedges, any_fresh))
}

impl<'a> Book<'a> {
    /// Reads the book and sizes its target; a capital of nothing gives a target of nothing.
    pub(super) fn read(context: &Context<'_>, layout: &'a Layout) -> Result<Self, ComponentError> {
        let config = context.config;
        let books = context.books;
        let spot_account = layout.spot_accounts.spot;
        let spot_quote = layout.spot_slot.map(|slot| context.view.quote(slot));
        let spot_price = spot_quote.map(|quote| quote.mark).unwrap_or_default();
        let cash = |at: Option<usize>| Value::new(books.quantity_at(at).get());
        let (mut hedges, any_fresh) = read_hedges(context, layout)?;
        bar_growth(context, &mut hedges)?;
        let spots = SpotPlace::read(context, layout);
        let mut spot = spots.iter().map(|place| place.held);
        let spot = spot.try_fold(Quantity::ZERO, Quantity::add)?;
        let any_spot = spots.iter().any(|place| place.fresh);
        let mut book = Self {
            layout,
            quote: layout.quote,
            spot_account,
            spots,
            sells_first: None,
            spot,
            spot_target: Quantity::ZERO,
            spot_price,
            notional_target: Value::ZERO,
            spot_cash: cash(layout.spot_cash_at),
            wallet: cash(layout.wallet_at),
            wallet_target: Value::ZERO,
            hedges,
            tradable: any_fresh && any_spot,
            in_kind: layout.in_kind,
            reference: context.view.quote(books.reference()).mark,
            outside: layout.elsewhere(books)?,
            wallet_base: books.quantity_at(layout.wallet_base_at),
            wallet_base_target: Quantity::ZERO,
            ship: Quantity::ZERO,
            base_sweepable: books.quantity_at(layout.base_deposit_at),
            min_transfer: Value::new(config.min_transfer.get()),
            is_cut: false,
        };
        if book.in_kind {
            let owed = Quantity::new(context.pending_withdrawal.get());
            book.outside = book.outside.sub(owed)?;
            book.min_transfer = config
                .min_transfer
                .notional(book.reference, Rounding::Ceil)?;
        }
        book.size(context)?;
        Ok(book)
    }

    /// With C = equity × (1 − reserve) and h = hedge leverage: spot C·h/(1+h), margin C/(1+h).
    fn size(&mut self, context: &Context<'_>) -> Result<(), ComponentError> {
        let config = context.config;
        let owed = context.pending_withdrawal;
        let pending = if self.in_kind {
            Quantity::new(owed.get()).notional(self.reference, Rounding::Ceil)?
        } else {
            owed
        };
        let equity = context.books.equity().sub(pending)?;
        let solvent = equity.is_positive() && self.spot_price.is_positive();
        let reserve = if solvent {
            equity.at_rate(config.reserve_ratio, Rounding::Ceil)?
        } else {
            Value::ZERO
        };
        if self.in_kind && self.reference.is_positive() {
            let kept = reserve.per(self.reference, Rounding::Floor)?;
            self.wallet_base_target = kept.add(Quantity::new(owed.get()))?;
            let coming = context.coming_to(Venue::WALLET, config.asset)?;
            let missing = self.wallet_base_target.sub(self.wallet_base)?.sub(coming)?;
            if owed.is_positive() && missing.is_positive() {
                // What is missing may be less than can be sent: then the least that can.
                let least = least_sent(context, config.spot_venue, config.asset)?;
                let cost = send_cost(context, config.spot_venue, config.asset)?;
                self.ship = missing.max(least).add(cost)?;
            }
        } else if !self.in_kind {
            self.wallet_target = reserve.add(pending)?;
        }
        if !solvent {
            return Ok(());
        }
        let capital = equity.sub(reserve)?;
        self.notional_target = capital.at_rate(self.layout.spot_share, Rounding::Floor)?;
        let margin = capital.sub(self.notional_target)?;
        let wanted = self.notional_target.per(self.spot_price, Rounding::Floor)?;
        let total = wanted.add(self.outside)?;
        let (kept, fresh_share) = self.kept_part(total)?;
        let kept = if total.is_positive() {
            Rate::new(kept.get().div(total.get(), Rounding::Floor)?).min(Rate::ONE)
        } else {
            Rate::ZERO
        };
        for hedge in &mut self.hedges {
            let share = if !hedge.stays(total)? {
                let share = renormalized(hedge.share, fresh_share)?;
                Rate::new(
                    share
                        .get()
                        .mul(Rate::ONE.sub(kept)?.get(), Rounding::Floor)?,
                )
            } else if total.is_positive() {
                let held = hedge.position.neg()?.max(Quantity::ZERO).min(total);
                Rate::new(held.get().div(total.get(), Rounding::Floor)?)
            } else {
                Rate::ZERO
            };
            hedge.margin_target = margin.at_rate(share, Rounding::Floor)?;
        }
        Ok(())
    }

    /// Shorts of the stale venues, which stay, and the sum of the fresh ones' shares.
    pub(super) fn stale_part(&self) -> Result<(Quantity, Rate), ComponentError> {
        let (mut kept, mut fresh) = (Quantity::ZERO, Rate::ZERO);
        for hedge in &self.hedges {
            if hedge.fresh {
                fresh = fresh.add(hedge.share)?;
            } else {
                kept = kept.sub(hedge.position)?;
            }
        }
        Ok((kept, fresh))
    }

    /// Shorts of the venues that keep what they hold of `total`, and the sum of the other ones' shares.
    fn kept_part(&self, total: Quantity) -> Result<(Quantity, Rate), ComponentError> {
        let (mut kept, mut shared) = (Quantity::ZERO, Rate::ZERO);
        for hedge in &self.hedges {
            if hedge.stays(total)? {
                kept = kept.sub(hedge.position)?;
            } else {
                shared = shared.add(hedge.share)?;
            }
        }
        Ok((kept, shared))
    }

    /// Turns the notional target into whole lots; left out of [`Book::read`] because most steps only
    /// look whether anything is out of its band.
    pub(super) fn aim_at_target(&mut self) -> Result<(), ComponentError> {
        if !self.spot_price.is_positive() {
            return Ok(());
        }
        let core = self.notional_target.per(self.spot_price, Rounding::Floor)?;
        self.aim(core.add(self.ship)?)
    }

    /// Aims at the target, or only as far as a rebalance goes: perhaps to the edge of the inner band around it,
    /// and nowhere else from within. What is held above it stays where only less than it is a reason.
    pub(super) fn aim_for(
        &mut self,
        config: &ModeConfig<'_>,
        reach: Reach,
    ) -> Result<(), ComponentError> {
        if reach == Reach::Whole || !self.spot_price.is_positive() {
            return self.aim_at_target();
        }
        let width = match config.rebalance_to {
            RebalanceTo::InnerBand(inner) => {
                let width = inner.mul(config.utilization_band, Rounding::Floor)?;
                self.notional_target.at_rate(width, Rounding::Floor)?
            }
            RebalanceTo::Target => Value::ZERO,
        };
        let core = self.core_spot()?;
        let held = core.notional(self.spot_price, Rounding::HalfEven)?;
        let mut most = self.notional_target.add(width)?;
        if reach == Reach::Upwards {
            most = most.max(held);
        }
        let nearest = held.max(self.notional_target.sub(width)?).min(most);
        let core = if nearest == held {
            core
        } else {
            nearest.per(self.spot_price, Rounding::Floor)?
        };
        self.aim(core.add(self.ship)?)
    }

    /// Spreads `wanted` base units of spot, and what is held outside, over the hedge venues in whole
    /// lots; spot follows their sum.
    pub(super) fn aim(&mut self, wanted: Quantity) -> Result<(), ComponentError> {
        // What cannot be sold keeps its hedge.
        let wanted = wanted.max(self.stuck_spot()?);
        let total = wanted.add(self.outside)?.max(Quantity::ZERO);
        let (kept, fresh_share) = self.kept_part(total)?;
        let rest = total.sub(kept)?.max(Quantity::ZERO);
        let (mut sum, mut left) = (Quantity::ZERO, rest);
        let mut finest: Option<&mut Hedge<'_>> = None;
        for hedge in &mut self.hedges {
            if hedge.stays(total)? {
                hedge.target = hedge.position.neg()?;
                sum = sum.add(hedge.target)?;
                continue;
            }
            let share = renormalized(hedge.share, fresh_share)?;
            let share = rest.at_rate(share, Rounding::Floor)?;
            hedge.target = share.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            sum = sum.add(hedge.target)?;
            left = left.sub(hedge.target)?;
            let lot = hedge.rules.lot_size;
            if finest
                .as_ref()
                .is_none_or(|known| lot < known.rules.lot_size)
            {
                finest = Some(hedge);
            }
        }
        // What coarse lots leave over is hedged where lots are finest.
        if let Some(hedge) = finest {
            let residue = left.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            hedge.target = hedge.target.add(residue)?;
            sum = sum.add(residue)?;
        }
        self.spot_target = sum.sub(self.outside)?.max(Quantity::ZERO);
        Ok(())
    }

    /// Aims at nothing at all.
    pub(super) fn aim_flat(&mut self) {
        for hedge in &mut self.hedges {
            hedge.target = Quantity::ZERO;
        }
        self.spot_target = Quantity::ZERO;
    }

    /// Aims at nothing but what stale venues hold and the spot against it, and wants no margin.
    pub(super) fn aim_to_close(&mut self) -> Result<(), ComponentError> {
        for hedge in &mut self.hedges {
            hedge.margin_target = Value::ZERO;
        }
        self.aim(Quantity::ZERO)
    }

    /// Units of spot less what leaves for a withdrawal.
    pub(super) fn core_spot(&self) -> Result<Quantity, ComponentError> {
        Ok(self.spot.sub(self.ship)?)
    }

    /// Whether a fresh venue's short is out of its share of the hedge.
    pub(super) fn is_misallocated(&self, config: &ModeConfig<'_>) -> Result<bool, ComponentError> {
        let short = self.short()?;
        let (kept, fresh_share) = self.kept_part(short)?;
        let rest = short.sub(kept)?;
        for hedge in &self.hedges {
            if hedge.stays(short)? {
                continue;
            }
            let share = renormalized(hedge.share, fresh_share)?;
            let part = rest.at_rate(share, Rounding::Floor)?;
            let tolerated = self.layout.part_tolerance(part, config)?;
            let held = hedge.position.neg()?;
            if held.sub(part)?.abs()? > tolerated {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Aims at no more shorts than every venue's margin carries; what another venue was to hand over stays
    /// with it until then, and spot follows where it is not the capital itself.
    pub(super) fn aim_within_margins(
        &mut self,
        config: &ModeConfig<'_>,
    ) -> Result<(), ComponentError> {
        let mut missing = Quantity::ZERO;
        for hedge in &mut self.hedges {
            let most = hedge.carried(self.spot_price, config)?;
            if hedge.target > most {
                missing = missing.add(hedge.target.sub(most)?)?;
                hedge.target = most;
            }
        }
        if missing.is_zero() {
            return Ok(());
        }
        let mut sum = Quantity::ZERO;
        for hedge in &mut self.hedges {
            let given = hedge.position.neg()?.sub(hedge.target)?;
            let back = given.max(Quantity::ZERO).min(missing);
            // In whole lots: what a venue cannot trade would leave the shorts apart from the spot.
            let back = back.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            hedge.target = hedge.target.add(back)?;
            missing = missing.sub(back)?;
            sum = sum.add(hedge.target)?;
        }
        if !self.in_kind {
            self.spot_target = sum.sub(self.outside)?.max(Quantity::ZERO);
        }
        Ok(())
    }

    /// Whether an account has so much less than it keeps that money held for anything else is its margin.
    pub(super) fn is_to_be_topped_up(&self) -> Result<bool, ComponentError> {
        for hedge in self.hedges.iter().filter(|hedge| hedge.fresh) {
            let margin = hedge.margin.add(hedge.coming)?;
            if margin < hedge.margin_kept.at_rate(TOP_UP_BELOW, Rounding::Floor)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// h / (1 + h): the part of the capital that is spot.
    pub(super) const fn spot_share(&self) -> Rate {
        self.layout.spot_share
    }

    /// Where transfers to the spot venue arrive and from it leave.
    pub(super) const fn deposit_account(&self) -> Account {
        self.layout.spot_accounts.deposit
    }

    /// The rules the book was read with.
    pub(super) const fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// Sum of the shorts, >= 0.
    pub(super) fn short(&self) -> Result<Quantity, ComponentError> {
        let sum = self
            .hedges
            .iter()
            .try_fold(Quantity::ZERO, |sum, h| sum.sub(h.position))?;
        Ok(sum)
    }

    /// Sum of the shorts aimed at.
    pub(super) fn aimed_short(&self) -> Result<Quantity, ComponentError> {
        let sum = self
            .hedges
            .iter()
            .try_fold(Quantity::ZERO, |sum, hedge| sum.add(hedge.target))?;
        Ok(sum)
    }

    /// Whether nothing is open; spot that is the capital itself opens nothing.
    pub(super) fn is_flat(&self) -> bool {
        let notional = self.spot.notional(self.spot_price, Rounding::Floor);
        self.hedges.iter().all(|hedge| hedge.position.is_zero())
            && (self.in_kind
                || notional.is_ok_and(|notional| notional < Value::new(fixed18!("10"))))
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
            let tier = exchange::margin::tier(perp, hedge.target, notional);
            let most = tier.map_or(perp.max_leverage, |tier| tier.max_leverage);
            let most = most
                .min(perp.max_leverage)
                .round_to_decimals(0, Rounding::Floor)?;
            let leverage = wanted.max(LEVERAGE_MIN).min(most);
            let symbol = hedge.rules.key.symbol;
            legs.push(Leg::new(
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
            legs.extend(hedge.legs(self.spot_price)?);
        }
        Ok(legs)
    }

    /// Leaves alone the shorts whose change is no order of their venue, and the spot that would have followed them.
    pub(super) fn aim_at_orders(&mut self) -> Result<(), ComponentError> {
        let mut left = Quantity::ZERO;
        for hedge in &mut self.hedges {
            let held = hedge.position.neg()?;
            if hedge.target != held && hedge.legs(self.spot_price)?.is_empty() {
                left = left.add(hedge.target.sub(held)?)?;
                hedge.target = held;
            }
        }
        if !self.in_kind {
            self.spot_target = self.spot_target.sub(left)?.max(Quantity::ZERO);
        }
        Ok(())
    }

    /// The same, or none where lots and smallest orders would leave more delta than is tolerated: what
    /// would be mended at once is not traded, and waits until it is large enough to be hedged.
    pub(super) fn hedged_legs(&self, config: &ModeConfig<'_>) -> Result<Vec<Leg>, ComponentError> {
        let legs = self.legs_to_target()?;
        let (mut spot, mut short) = (self.spot, self.short()?);
        let before = spot.add(self.outside)?.sub(short)?.abs()?;
        for leg in &legs {
            let (change, of) = match &leg.instruction.operation {
                Operation::SpotTrade(trade) => (trade.side.sign(), trade.quantity),
                Operation::PerpTrade(trade) => (-trade.side.sign(), trade.quantity),
                _ => continue,
            };
            let change = Quantity::new(of.get().mul_int(change)?);
            match &leg.instruction.operation {
                Operation::SpotTrade(_) => spot = spot.add(change)?,
                _ => short = short.add(change)?,
            }
        }
        let after = spot.add(self.outside)?.sub(short)?.abs()?;
        let tolerated = spot
            .max(short)
            .at_rate(config.delta_tolerance, Rounding::Floor)?;
        // A bought unit less its fee is what the target counts.
        let fee = spot.sub(self.spot)?.max(Quantity::ZERO);
        let fee = fee.at_rate(self.spot_taker_fee(), Rounding::Ceil)?;
        if after > tolerated.add(fee)? && after > before {
            return Ok(Vec::new());
        }
        Ok(legs)
    }
}
