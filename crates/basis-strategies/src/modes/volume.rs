//! Orders no larger than what the newest bars have room for; both legs of a hedge are cut alike, and what is
//! left is sent in later steps.

use basis_core::error::ComponentError;
use basis_core::num::{Bps, Quantity, Rate, Rounding};
use basis_core::rules::InstrumentRules;
use basis_core::types::Venue;
use basis_core::venue::TakingTerms;
use basis_market::SlotId;

use super::Context;
use super::hedge::Book;
use super::spots::SpotPlace;

/// How much of a bar orders may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The participation of the venue's settings.
    Planned,
    /// What risk asks for: as much as the venue takes of what reduces.
    Urgent,
}

/// Base units that orders of ours may still take of the newest bar; `None` where nothing bounds them.
///
/// # Errors
/// What the venue says when it is asked; POS-002 out of range.
pub(super) fn room(
    context: &Context<'_>,
    venue: Venue,
    (rules, slot): (&InstrumentRules, Option<SlotId>),
    pace: Pace,
) -> Result<Option<Quantity>, ComponentError> {
    let terms = context.terms(venue)?;
    let share = terms
        .taking
        .and_then(|taking| taking.participation(pace == Pace::Urgent));
    let (Some(share), Some(slot)) = (share, slot) else {
        return Ok(None);
    };
    let most = context.view.quote(slot).volume;
    let most = most.at_rate(share, Rounding::Floor)?;
    let mut taken = terms.taken.iter();
    let taken = taken.find(|(key, _)| *key == rules.key);
    let taken = taken.map(|(_, taken)| *taken).unwrap_or_default();
    Ok(Some(most.sub(taken)?.max(Quantity::ZERO)))
}

impl Book<'_> {
    /// The impact of the purchase of `wanted` base units of spot at `spot_venue`, as
    /// [`Book::impact_of_buying_at`] has it.
    pub(super) fn impact_of_buying(
        &self,
        context: &Context<'_>,
        wanted: Quantity,
    ) -> Result<Rate, ComponentError> {
        let place = self.spots.first();
        place.map_or(Ok(Rate::ZERO), |place| {
            self.impact_of_buying_at(context, place, wanted)
        })
    }

    /// The impact of the purchase of `wanted` base units of spot at a venue, as far as there is room for it; zero
    /// where nothing says it. The half spread is what the buffer beside it is for.
    pub(super) fn impact_of_buying_at(
        &self,
        context: &Context<'_>,
        place: &SpotPlace<'_>,
        wanted: Quantity,
    ) -> Result<Rate, ComponentError> {
        let venue = place.account.venue;
        let Some((taking, slot)) = context.terms(venue)?.taking.zip(place.layout.slot) else {
            return Ok(Rate::ZERO);
        };
        let room = room(context, venue, (place.rules(), Some(slot)), Pace::Planned)?;
        let bought = room.map_or(wanted, |room| wanted.min(room));
        let impact = TakingTerms {
            half_spread: Bps::ZERO,
            ..taking
        };
        let cost = context.view.activity(slot)?.cost(&impact, bought)?;
        let cost = cost.map(|cost| cost.to_rate(Rounding::Ceil)).transpose()?;
        Ok(cost.unwrap_or_default())
    }

    /// Brings the aim as near to the position held as the newest bars have room for: every leg by the same
    /// part, so that what is hedged stays hedged.
    pub(super) fn aim_within_volume(
        &mut self,
        context: &Context<'_>,
        pace: Pace,
    ) -> Result<(), ComponentError> {
        let part = self.part_with_room(context, pace)?;
        if part >= Rate::ONE {
            return Ok(());
        }
        self.is_cut = true;
        let (mut whole, mut cut) = (Quantity::ZERO, Quantity::ZERO);
        for hedge in &mut self.hedges {
            let held = hedge.position.neg()?;
            let change = hedge.target.sub(held)?;
            let kept = change.abs()?.at_rate(part, Rounding::Floor)?;
            let kept = kept.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            let kept = if change.is_negative() {
                kept.neg()?
            } else {
                kept
            };
            hedge.target = held.add(kept)?;
            (whole, cut) = (whole.add(change)?, cut.add(kept)?);
        }
        let change = self.spot_target.sub(self.spot)?;
        if change.is_zero() {
            return Ok(());
        }
        // What the legs were to change of the delta is cut like they are.
        let naked = change.sub(whole)?;
        let naked_part = naked.abs()?.at_rate(part, Rounding::Floor)?;
        let naked = if naked.is_negative() {
            naked_part.neg()?
        } else {
            naked_part
        };
        self.spot_target = self.spot.add(cut)?.add(naked)?;
        Ok(())
    }

    /// Bounds what each venue of several buys and sells of spot by what its newest bar has room for.
    fn bound_spots(&mut self, context: &Context<'_>, pace: Pace) -> Result<(), ComponentError> {
        for place in &mut self.spots {
            let (rules, layout) = (place.rules(), place.layout);
            let market = (rules, layout.slot);
            let Some(room) = room(context, place.account.venue, market, pace)? else {
                continue;
            };
            // A buy is larger by the fee that is taken out of it, and by up to a lot.
            let bought = room.sub(rules.lot_size)?.max(Quantity::ZERO);
            let kept = Rate::ONE.sub(layout.fees.taker)?;
            let bought = bought.at_rate(kept, Rounding::Floor)?;
            let within = |known: Option<Quantity>, most: Quantity| {
                Some(known.map_or(most, |known| known.min(most)))
            };
            place.most_bought = within(place.most_bought, bought);
            place.most_sold = within(place.most_sold, room);
        }
        Ok(())
    }

    /// The part of every leg to the aim that the market with the least room takes, 0 to 1.
    fn part_with_room(
        &mut self,
        context: &Context<'_>,
        pace: Pace,
    ) -> Result<Rate, ComponentError> {
        let mut part = Rate::ONE;
        let mut bound = |needed: Quantity, room: Option<Quantity>| -> Result<(), ComponentError> {
            if let Some(room) = room.filter(|room| needed > *room) {
                part = part.min(room.ratio(needed, Rounding::Floor)?);
            }
            Ok(())
        };
        let (layout, rules) = (self.layout(), self.layout().spot());
        let change = self.spot_target.sub(self.spot)?;
        if self.spots.len() > 1 {
            self.bound_spots(context, pace)?;
            let mut traded = self.spot_targets()?.into_iter();
            let traded = traded.try_fold(Quantity::ZERO, Quantity::add)?;
            bound(change.abs()?, Some(traded.sub(self.spot)?.abs()?))?;
        } else if !change.is_zero() {
            // A buy is larger by the fee that is taken out of it, and by up to a lot.
            let fee = change.max(Quantity::ZERO);
            let fee = fee.div_rate(Rate::ONE.sub(self.spot_taker_fee())?, Rounding::Ceil)?;
            let needed = fee.max(change.abs()?).add(rules.lot_size)?;
            let market = (rules, layout.spot_slot);
            bound(
                needed,
                room(context, self.spot_account.venue, market, pace)?,
            )?;
        }
        for (hedge, at) in self.hedges.iter().zip(&layout.hedges) {
            let change = hedge.target.add(hedge.position)?;
            if !change.is_zero() {
                let market = (hedge.rules, at.slot);
                bound(change.abs()?, room(context, hedge.venue, market, pace)?)?;
            }
        }
        Ok(part)
    }
}
