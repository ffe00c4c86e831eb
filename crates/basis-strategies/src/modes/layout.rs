//! What of the rules and the books a hedged book is read with, looked up once.

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::rules::{Accounts, InstrumentRules, MakerTaker};
use basis_core::types::{Account, Asset, InstrumentKind, Item, Timestamp, Venue};
use basis_market::SlotId;

use super::Context;
use super::hedge::{instrument, rules_of};
use super::spot_allocation::{is_spread, shares};
use crate::config::ModeConfig;
use basis_engine::account::Books;

/// What of the rules a hedged book needs, looked up once and again when dated rules change.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) spot: InstrumentRules,
    pub(super) spot_slot: Option<SlotId>,
    pub(super) spot_accounts: Accounts,
    pub(super) spot_fees: MakerTaker,
    pub(super) hedges: Vec<HedgeLayout>,
    /// Where spot is held, `spot_venue` first.
    pub(super) spots: Vec<SpotLayout>,
    pub(super) valid_until: Timestamp,
    /// Holdings there were when the indices were looked up; a new one makes them stale.
    pub(super) holdings: usize,
    pub(super) spot_at: Option<usize>,
    pub(super) spot_cash_at: Option<usize>,
    pub(super) wallet_at: Option<usize>,
    /// h / (1 + h): the part of the capital that is spot.
    pub(super) spot_share: Rate,
    /// What spot is bought with and margin is held in.
    pub(super) quote: Asset,
    /// Whether capital comes and goes in the asset itself.
    pub(super) in_kind: bool,
    /// Holdings of the asset outside the spot accounts.
    pub(super) elsewhere: Vec<usize>,
    pub(super) wallet_base_at: Option<usize>,
    /// The asset in a deposit account that is not the spot account.
    pub(super) base_deposit_at: Option<usize>,
    /// Sum of the hedges' lots: how far whole lots alone may move a venue from its share.
    pub(super) lots: Quantity,
}

/// A venue that holds spot.
#[derive(Clone, Debug)]
pub(super) struct SpotLayout {
    pub(super) rules: InstrumentRules,
    pub(super) slot: Option<SlotId>,
    pub(super) account: Account,
    pub(super) fees: MakerTaker,
    pub(super) buy_fee_in_base: bool,
    /// Part of the spot that is wanted here; zero where none is.
    pub(super) share: Rate,
    pub(super) held_at: Option<usize>,
    pub(super) cash_at: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct HedgeLayout {
    pub(super) rules: InstrumentRules,
    pub(super) slot: Option<SlotId>,
    pub(super) accounts: Accounts,
    pub(super) share: Rate,
    pub(super) position_at: Option<usize>,
    pub(super) cash_at: Option<usize>,
    pub(super) deposit_at: Option<usize>,
    pub(super) margin_at: Option<usize>,
    /// Whether the deposit account serves nothing else, so that what arrives there is moved on.
    pub(super) sweeps: bool,
}

impl Layout {
    /// Keeps `cached` while the rules it was read from are in force, else reads it anew.
    pub(super) fn current<'c>(
        cached: &'c mut Option<Box<Self>>,
        context: &Context<'_>,
    ) -> Result<&'c Self, ComponentError> {
        let (now, holdings) = (context.view.now(), context.books.holdings().len());
        let stale = cached
            .as_ref()
            .is_none_or(|layout| now >= layout.valid_until || holdings != layout.holdings);
        if stale {
            *cached = Some(Box::new(Self::read(context)?));
        }
        cached
            .as_deref()
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
        let (quote, base) = (spot.quote, Item::Asset(config.asset));
        let spot_account = venue.accounts.spot;
        let spots = spot_layouts(context, quote)?;
        for spot in &spots {
            changes(spot.account.venue);
        }
        let is_spot = |account: Account| spots.iter().any(|spot| spot.account == account);
        let elsewhere = context.books.holdings().iter().enumerate();
        let elsewhere = elsewhere
            .filter(|(_, holding)| holding.item == base && !is_spot(holding.account))
            .map(|(at, _)| at)
            .collect();
        let mut lots = Quantity::ZERO;
        let mut hedges = Vec::with_capacity(config.hedge_allocation.len());
        for &(venue, share) in config.hedge_allocation {
            changes(venue);
            let rules = instrument(context, venue, InstrumentKind::Perp)?.clone();
            let accounts = rules_of(context, venue)?.accounts;
            let slot = context.view.slot(rules.key.series());
            lots = lots.add(rules.lot_size)?;
            hedges.push(HedgeLayout {
                position_at: at(accounts.perp, Item::Position(rules.key)),
                cash_at: at(accounts.perp, Item::Asset(quote)),
                deposit_at: at(accounts.deposit, Item::Asset(quote)),
                margin_at: margins.iter().position(|m| m.account == accounts.perp),
                sweeps: accounts.deposit != accounts.perp && !is_spot(accounts.deposit),
                rules,
                slot,
                accounts,
                share,
            });
        }
        let h = config.hedge_leverage;
        Ok(Self {
            holdings: context.books.holdings().len(),
            spot_at: at(spot_account, base),
            quote,
            in_kind: config.is_in_kind(),
            elsewhere,
            wallet_base_at: at(Account::WALLET, base),
            base_deposit_at: (venue.accounts.deposit != spot_account)
                .then(|| at(venue.accounts.deposit, base))
                .flatten(),
            lots,
            spot_cash_at: at(venue.accounts.spot, Item::Asset(quote)),
            wallet_at: at(Account::WALLET, Item::Asset(quote)),
            spot_share: Rate::new(h.div(h.add(Fixed18::ONE)?, Rounding::Floor)?),
            spot_slot: context.view.slot(spot.key.series()),
            spot,
            spot_accounts: venue.accounts,
            spot_fees: venue.fees.spot,
            hedges,
            spots,
            valid_until,
        })
    }

    /// Whether the book is hedged, funded and on target within every band: then there is nothing to
    /// do, and most steps end here. `false` only means that a full look is needed.
    pub(super) fn is_settled(&self, context: &Context<'_>) -> Result<bool, ComponentError> {
        let (config, books) = (context.config, context.books);
        let (mut spot, mut spot_value) = (Quantity::ZERO, Value::ZERO);
        for place in &self.spots {
            if let Some(held) = books.holding_at(place.held_at) {
                spot = spot.add(held.quantity)?;
                spot_value = spot_value.add(held.value)?;
            }
        }
        if spot.is_zero() {
            return Ok(false);
        }
        let mut short = Quantity::ZERO;
        for hedge in &self.hedges {
            let fresh = hedge.slot.is_some_and(|slot| is_fresh(context, slot));
            if !fresh || hedge.sweeps && !books.quantity_at(hedge.deposit_at).is_zero() {
                return Ok(false);
            }
            short = short.sub(books.quantity_at(hedge.position_at))?;
        }
        for hedge in &self.hedges {
            let held = books.quantity_at(hedge.position_at).neg()?;
            let part = short.at_rate(hedge.share, Rounding::Floor)?;
            let tolerated = self.part_tolerance(part, config)?;
            if held.sub(part)?.abs()? > tolerated {
                return Ok(false);
            }
        }
        if !books.quantity_at(self.base_deposit_at).is_zero() {
            return Ok(false);
        }
        let naked = spot.add(self.elsewhere(books)?)?.sub(short)?.abs()?;
        let tolerated = short.at_rate(config.delta_tolerance, Rounding::Floor)?;
        if !short.is_positive() || naked > tolerated || context.pending_withdrawal.is_positive() {
            return Ok(false);
        }
        let equity = books.equity();
        let capital = equity.sub(equity.at_rate(config.reserve_ratio, Rounding::Ceil)?)?;
        let target = capital.at_rate(self.spot_share, Rounding::Floor)?;
        let band = target.at_rate(config.utilization_band, Rounding::HalfEven)?;
        if target.sub(spot_value)? > band {
            return Ok(false);
        }
        let kept = Rate::ONE.sub(config.margin_deviation_threshold)?;
        let least = capital.sub(target)?.at_rate(kept, Rounding::Ceil)?;
        for hedge in &self.hedges {
            let held = hedge
                .margin_at
                .and_then(|at| context.exposure.margins.get(at));
            // Rounded up: on the edge of the band the full look decides.
            let least = least.at_rate(hedge.share, Rounding::Ceil)?;
            if held.is_none_or(|held| held.margin_balance <= least) {
                return Ok(false);
            }
        }
        Ok(target.is_positive())
    }

    /// Base units outside the spot accounts.
    pub(super) fn elsewhere(&self, books: &Books) -> Result<Quantity, ComponentError> {
        let mut sum = Quantity::ZERO;
        for &at in &self.elsewhere {
            sum = sum.add(books.quantity_at(Some(at)))?;
        }
        Ok(sum)
    }

    /// How far a venue's short may be from its `part`: the band, and what whole lots allow.
    pub(super) fn part_tolerance(
        &self,
        part: Quantity,
        config: &ModeConfig<'_>,
    ) -> Result<Quantity, ComponentError> {
        let band = part.at_rate(config.utilization_band, Rounding::Floor)?;
        Ok(band.add(self.lots)?)
    }

    /// Rules of the spot leg.
    pub(super) const fn spot(&self) -> &InstrumentRules {
        &self.spot
    }
}

/// The venues that hold spot, `spot_venue` first.
fn spot_layouts(context: &Context<'_>, quote: Asset) -> Result<Vec<SpotLayout>, ComponentError> {
    let config = context.config;
    let listed = |venue: Venue| {
        let rules = rules_of(context, venue).ok()?;
        let spot = rules.instrument(InstrumentKind::Spot, config.symbol())?;
        let fits = spot.base == config.asset && spot.quote == quote;
        fits.then_some((rules, spot))
    };
    let has_series = |venue: Venue| {
        let spot = listed(venue);
        spot.is_some_and(|(_, spot)| context.view.slot(spot.key.series()).is_some())
    };
    let base = Item::Asset(config.asset);
    let mut parts = shares(config, &has_series)?;
    // What a book holds where no spot is wanted can be sold there.
    for holding in context.books.holdings().iter().filter(|it| it.item == base) {
        let account = holding.account;
        let is_known = parts.iter().any(|(venue, _)| *venue == account.venue);
        let sells = listed(account.venue).is_some_and(|(rules, _)| rules.accounts.spot == account);
        if is_spread(config) && sells && !is_known {
            parts.push((account.venue, Rate::ZERO));
        }
    }
    let mut spots = Vec::new();
    for (venue, share) in parts {
        let Some((rules, spot)) = listed(venue) else {
            continue;
        };
        let account = rules.accounts.spot;
        spots.push(SpotLayout {
            slot: context.view.slot(spot.key.series()),
            rules: spot.clone(),
            account,
            fees: rules.fees.spot,
            buy_fee_in_base: rules.fees.spot_buy_fee_in_base,
            share,
            held_at: context.books.position_of(account, base),
            cash_at: context.books.position_of(account, Item::Asset(quote)),
        });
    }
    Ok(spots)
}

/// Whether an order may be placed at the slot's price.
pub(super) fn is_fresh(context: &Context<'_>, slot: SlotId) -> bool {
    context.view.quote(slot).state.is_tradable()
}
