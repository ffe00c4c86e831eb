//! Mistakes that the schedules must find. Each is one that a client has made somewhere.

use std::collections::BTreeMap;

use basis_core::num::Quantity;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate, VenueEvent};
use basis_live::actor::{Input, Output, RequestId, VenueMachine};
use basis_venues::live::Machine;
use basis_venues::wire::instruction_of;

use super::Bench;
use super::plan::Plan;
use super::schedules::found;
use crate::process::book;

/// A mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tooth {
    #[default]
    None,
    /// An order whose connection breaks is sent again under another id.
    Retries,
    /// A start numbers its instructions as the one before did.
    ReusesIds,
    /// "Not found" is taken for dead, once.
    Impatient,
    /// An acceptance is taken for a working order, as Binance's answer is.
    TakesAcceptance,
}

/// A machine, which may make a mistake.
#[derive(Debug)]
pub(crate) struct Client<B> {
    inner: Machine,
    tooth: Tooth,
    asked: BTreeMap<RequestId, InstructionId>,
    placed: BTreeMap<RequestId, InstructionId>,
    bench: std::marker::PhantomData<B>,
}

/// Our instruction behind a client id.
fn named(client: Option<String>) -> Option<InstructionId> {
    instruction_of(book(), &client?)
}

impl<B: Bench> Client<B> {
    pub(crate) const fn new(inner: Machine, tooth: Tooth) -> Self {
        Self {
            inner,
            tooth,
            asked: BTreeMap::new(),
            placed: BTreeMap::new(),
            bench: std::marker::PhantomData,
        }
    }

    /// The event that a mistaken client makes of an answer.
    fn mistake(&mut self, now: Timestamp, input: &Input) -> Option<Output> {
        let Input::Answer { id, result } = input else {
            return None;
        };
        let text = String::from_utf8_lossy(&result.as_ref().ok()?.body).into_owned();
        let (instruction, state) = match self.tooth {
            Tooth::Impatient => {
                let instruction = self.asked.remove(id)?;
                B::is_not_found(&text).then_some((instruction, OrderState::Lost))?
            }
            Tooth::TakesAcceptance => {
                let instruction = self.placed.remove(id)?;
                B::is_taken(&text).then_some((instruction, OrderState::Working))?
            }
            _ => return None,
        };
        let update = OrderUpdate {
            instruction,
            state,
            filled: Quantity::ZERO,
            venue_order_id: None,
            reason: None,
        };
        let event = VenueEvent::new(B::VENUE, now, now, EventKind::Order(update));
        Some(Output::Event(Box::new(event)))
    }
}

impl<B: Bench> VenueMachine for Client<B> {
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        outputs.extend(self.mistake(now, &input));
        let from = outputs.len();
        self.inner.handle(now, input, outputs);
        for output in &outputs[from..] {
            let Output::Send { id, request, .. } = output else {
                continue;
            };
            let asked = named(B::asked(request));
            self.asked
                .extend(asked.map(|instruction| (*id, instruction)));
            let placed = named(B::placed(request));
            self.placed
                .extend(placed.map(|instruction| (*id, instruction)));
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.inner.due()
    }
}

/// How many of the first schedules find `tooth`.
pub(crate) fn finds<B: Bench>(tooth: Tooth) -> usize {
    let finds = |seed: &u64| {
        let plan = Plan {
            tooth,
            ..Plan::random::<B>(*seed)
        };
        !found::<B>(&plan).is_empty()
    };
    (0..150).filter(finds).count()
}
