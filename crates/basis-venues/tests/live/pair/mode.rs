//! A mode that holds spot against a perp of one exchange: as much of both as its timetable says.

use std::sync::Arc;

use basis_core::config::Reader;
use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate};
use basis_core::plan::{Action, Block, Leg, Plan};
use basis_core::rules::RuleBook;
use basis_core::types::{
    Account, InstrumentKey, InstrumentKind, Item, SeriesId, Side, Span, Timestamp, Venue,
};
use basis_engine::RunConfig;
use basis_engine::mode::{Mode, ModeRow};
use basis_engine::strategy::{Checkpoint, Context, Decision, Strategy};
use basis_testkit::{BTC, START, q};
use basis_venues::binance::live::BinanceMachine;

use crate::plan::account;
use crate::venue::BITCOIN;

/// From which minute on how much is to be held.
pub(super) const TIMETABLE: [(i64, &str); 3] = [(0, "0.1"), (15, "0.16"), (30, "0")];

/// The lot of the perp: less than this is not traded.
const LOT: &str = "0.001";

pub(super) const ROW: ModeRow = ModeRow {
    name: "pair",
    description: "spot against a perp of one exchange, by a timetable",
    settings: "",
    source: "the tests",
    lends: false,
    read: |_: &Reader<'_>| Some(Arc::new(Pair)),
};

#[derive(Clone, Copy, Debug)]
pub(super) struct Pair;

pub(super) fn spot() -> InstrumentKey {
    InstrumentKey::new(BinanceMachine::VENUE, InstrumentKind::Spot, BTC)
}

pub(super) fn perp() -> InstrumentKey {
    InstrumentKey::new(BinanceMachine::VENUE, InstrumentKind::Perp, BTC)
}

pub(super) fn spot_account() -> Account {
    account("spot")
}

pub(super) fn perp_account() -> Account {
    account("usdm")
}

impl Mode for Pair {
    fn required_series(&self, _: &RunConfig) -> Vec<SeriesId> {
        vec![spot().series(), perp().series(), perp().funding_series()]
    }

    fn venues(&self, _: &RunConfig) -> Vec<Venue> {
        vec![BinanceMachine::VENUE]
    }

    fn build(&self, _: &RunConfig, _: &Arc<RuleBook>) -> Box<dyn Strategy> {
        Box::new(*self)
    }
}

fn target(at: Timestamp) -> Quantity {
    let minute = |minutes: i64| START.plus(Span::from_minutes(minutes));
    let mut rows = TIMETABLE.iter().rev();
    let row = rows.find(|(from, _)| minute(*from) <= at);
    row.map(|(_, held)| q(held)).unwrap_or_default()
}

/// What brings `held` to `wanted`; nothing where less than a lot is missing.
fn leg(key: InstrumentKey, held: Quantity, wanted: Quantity) -> Option<Leg> {
    let missing = wanted.sub(held).unwrap();
    let size = missing.abs().unwrap();
    let size = Quantity::new(
        size.get()
            .round_to_step(q(LOT).get(), basis_core::num::Rounding::Down)
            .unwrap(),
    );
    let side = if missing.is_negative() {
        Side::Sell
    } else {
        Side::Buy
    };
    (!size.is_zero()).then(|| Leg::market(key, side, size, false))
}

impl Pair {
    fn towards(context: &Context<'_>, wanted: Quantity) -> Option<Plan> {
        let books = context.books;
        let held = books.quantity(spot_account(), Item::Asset(BITCOIN));
        let short = books.quantity(perp_account(), Item::Position(perp()));
        let legs: Vec<_> = leg(spot(), held, wanted)
            .into_iter()
            .chain(leg(perp(), short, wanted.neg().unwrap()))
            .collect();
        let action = if wanted.is_zero() {
            Action::ExitFull
        } else if held.is_zero() && short.is_zero() {
            Action::EntryFull
        } else {
            Action::EntryPartial
        };
        (!legs.is_empty()).then(|| Plan {
            action,
            reason: format!("to {wanted}").into(),
            blocks: vec![Block {
                legs,
                failure_policy: context.failure_policy(),
            }],
        })
    }
}

impl Strategy for Pair {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        let plan = Self::towards(context, target(context.view.now()));
        Ok(plan.map_or(Decision::Hold, Decision::Act))
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        Ok(Self::towards(context, Quantity::ZERO))
    }

    fn deleverage(
        &mut self,
        context: &Context<'_>,
        _: Venue,
        _: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        Ok(Self::towards(context, Quantity::ZERO))
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(1, &())
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        checkpoint.read(1)
    }

    fn completed(&mut self, _: u64, _: bool) {}
}
