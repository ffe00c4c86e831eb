//! Whether there is nothing to do: most steps end here.
//!
//! [`MarketNeutral::decide_with`] reads and sizes the whole book and finds everything within its band.
//! What that comes to is asked here of the books themselves, in the same order, without sizing what is
//! not looked at. `false` only means that the whole book must be read: on an edge, with a stale market,
//! with anything under way. Where it says `true` the whole book says [`Decision::Hold`] and changes
//! nothing, which debug builds check at every step ([`MarketNeutral::holds`]).

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::types::Item;

use super::super::leverage::Loop;
use super::super::places::Places;
use super::super::settings;
use super::book::{NeutralBook, Target};
use super::{MarketNeutral, Phase, Stake, strays};
use crate::modes::hedge::kept_margin;
use crate::modes::layout::{Layout, is_fresh};
use crate::modes::{Context, Decision};

/// Above what a venue's part of the margin can be more than its share of it. The whole book takes
/// margin × part ÷ sum of parts, parts being shares of (equity − reserve) ÷ (1 + hedge leverage) rounded
/// down at 18 decimals: with [`MARGIN_LEAST`] that is some 10^-16 of it.
const ABOVE_ROUNDING: Rate = Rate::literal("1.000000001");

/// Less margin than this is looked at in full.
const MARGIN_LEAST: Value = Value::literal("1");

/// What the perps of a hedge come to.
#[derive(Clone, Copy, Debug)]
struct Shorts {
    /// Sum of the shorts, base units.
    short: Quantity,
    /// Delta of everything that is no perp.
    long: Quantity,
}

impl MarketNeutral {
    /// Whether the book is hedged, funded, on target and at its debt ratio, with nothing to collect and
    /// no capital to scale to. A number out of range is left to the whole book, which names it.
    pub(super) fn rests(&self, context: &Context<'_>, layout: &Layout, places: &Places) -> bool {
        self.phase == Phase::Resting
            && context.flows_seen == self.flows_scaled
            && !context.pending_withdrawal.is_positive()
            && self.is_idle(context, layout, places).unwrap_or(false)
    }

    fn is_idle(
        &self,
        context: &Context<'_>,
        layout: &Layout,
        places: &Places,
    ) -> Result<bool, ComponentError> {
        let Some(shorts) = hedged(context, layout)? else {
            return Ok(false);
        };
        if collects(context, places)? {
            return Ok(false);
        }
        let rested = self.last_rested_at;
        let interval = context.config.rebalance_min_interval;
        if rested.is_some_and(|at| context.view.now().since(at) < interval) {
            return Ok(true);
        }
        Ok(on_target(context, layout, places, shorts)?
            && (self.stake == Stake::Plain
                || !strays(
                    context,
                    &Loop::read(context, places)?,
                    self.leverage.target(context)?,
                )?))
    }

    /// Whether the whole book agrees that there is nothing to do, and leaves everything as it is.
    pub(super) fn holds(&self, context: &Context<'_>, layout: &Layout, places: &Places) -> bool {
        let mut looked = self.clone();
        let decision = NeutralBook::read(context, layout, (self.stake, places))
            .and_then(|mut book| looked.decide_with(context, &mut book));
        matches!(decision, Ok(Decision::Hold)) && format!("{looked:?}") == format!("{self:?}")
    }
}

/// The shorts, where nothing waits to be swept and net delta is within its tolerance.
fn hedged(context: &Context<'_>, layout: &Layout) -> Result<Option<Shorts>, ComponentError> {
    let books = context.books;
    if books.quantity_at(layout.base_deposit_at).is_positive() {
        return Ok(None);
    }
    let mut short = Quantity::ZERO;
    for hedge in &layout.hedges {
        if hedge.sweeps && books.quantity_at(hedge.deposit_at).is_positive() {
            return Ok(None);
        }
        short = short.sub(books.quantity_at(hedge.position_at))?;
    }
    let mut long = Quantity::ZERO;
    for holding in books.holdings() {
        if !matches!(holding.item, Item::Position(_)) {
            long = long.add(holding.delta)?;
        }
    }
    let tolerance = context.config.delta_tolerance;
    let tolerated = long.max(short).at_rate(tolerance, Rounding::Floor)?;
    let is_hedged = long.sub(short)?.abs()? <= tolerated;
    Ok(is_hedged.then_some(Shorts { short, long }))
}

/// Whether a withdrawal request waits to be claimed, gas must be bought, or rewards are more than dust.
fn collects(context: &Context<'_>, places: &Places) -> Result<bool, ComponentError> {
    let books = context.books;
    let ether = books.quantity_at(places.ether);
    Ok(books.quantity_at(places.claimable).is_positive()
        || ether.add(ether)? < settings(context)?.gas_reserve
        || !places.rewards.are_dust(context)?)
}

/// Whether the long, every venue's part of the shorts, every margin and the idle ETH are within their
/// bands, all perps being fresh.
fn on_target(
    context: &Context<'_>,
    layout: &Layout,
    places: &Places,
    Shorts { short, long }: Shorts,
) -> Result<bool, ComponentError> {
    let (books, config) = (context.books, context.config);
    let Some(price) = layout.spot_slot.map(|slot| context.view.quote(slot).mark) else {
        return Ok(false);
    };
    let Some(target) = Target::of(context, price)?.filter(|it| it.margin > MARGIN_LEAST) else {
        return Ok(false);
    };
    let width = target
        .long
        .at_rate(config.utilization_band, Rounding::Floor)?;
    if target.long.sub(long)? > width {
        return Ok(false);
    }
    let spare = books
        .quantity_at(places.ether)
        .sub(settings(context)?.gas_reserve)?;
    let idle = spare
        .max(Quantity::ZERO)
        .add(books.quantity_at(layout.spot_at))?
        .add(books.quantity_at(places.wrapped))?;
    if idle > width {
        return Ok(false);
    }
    let kept = Rate::ONE.sub(config.margin_deviation_threshold)?;
    let kept = kept.max(Rate::ZERO);
    let least = target.margin.at_rate(ABOVE_ROUNDING, Rounding::Ceil)?;
    let least = least.at_rate(kept, Rounding::Ceil)?;
    let mut shares = Rate::ZERO;
    for hedge in &layout.hedges {
        shares = shares.add(hedge.share)?;
        let held = books.quantity_at(hedge.position_at).neg()?;
        let part = short.at_rate(hedge.share, Rounding::Floor)?;
        let tolerated = layout.part_tolerance(part, config)?;
        let margin = hedge
            .margin_at
            .and_then(|at| context.exposure.margins.get(at));
        let Some(margin) = margin else {
            return Ok(false);
        };
        // What a short that is open keeps counts like what is wanted.
        let kept_here = kept_margin(margin, config)?;
        let margin = margin.margin_balance;
        if !hedge.slot.is_some_and(|slot| is_fresh(context, slot))
            || held.sub(part)?.abs()? > tolerated
            || margin < least.at_rate(hedge.share, Rounding::Ceil)?
            || margin < kept_here
        {
            return Ok(false);
        }
    }
    Ok(shares == Rate::ONE)
}
