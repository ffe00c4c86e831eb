//! Mistakes that the schedules must find. Each is one that a client has made somewhere.

use std::collections::BTreeMap;

use basis_core::num::Quantity;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate, VenueEvent};
use basis_live::actor::{Input, Output, RequestId, VenueMachine};
use basis_venues::bybit::live::BybitMachine;
use basis_venues::wire::instruction_of;

use super::plan::Plan;
use super::schedules::found;
use crate::process::book;

/// A mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tooth {
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
pub(super) struct Machine {
    inner: BybitMachine,
    tooth: Tooth,
    asked: BTreeMap<RequestId, InstructionId>,
    placed: BTreeMap<RequestId, InstructionId>,
}

/// Our instruction that a request names.
fn named(text: &str, before: &str) -> Option<InstructionId> {
    let (_, rest) = text.split_once(before)?;
    let client = rest.split(['&', '"']).next()?;
    instruction_of(book(), client)
}

impl Machine {
    pub(super) const fn new(inner: BybitMachine, tooth: Tooth) -> Self {
        Self {
            inner,
            tooth,
            asked: BTreeMap::new(),
            placed: BTreeMap::new(),
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
                text.contains("\"list\":[]")
                    .then_some((instruction, OrderState::Lost))?
            }
            Tooth::TakesAcceptance => {
                let instruction = self.placed.remove(id)?;
                text.contains("\"retCode\":0")
                    .then_some((instruction, OrderState::Working))?
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
        let event = VenueEvent::new(BybitMachine::VENUE, now, now, EventKind::Order(update));
        Some(Output::Event(Box::new(event)))
    }
}

impl VenueMachine for Machine {
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        outputs.extend(self.mistake(now, &input));
        let from = outputs.len();
        self.inner.handle(now, input, outputs);
        for output in &outputs[from..] {
            let Output::Send { id, request, .. } = output else {
                continue;
            };
            if request.url.contains("/v5/order/realtime") {
                let instruction = named(&request.url, "orderLinkId=");
                self.asked
                    .extend(instruction.map(|instruction| (*id, instruction)));
            }
            if request.url.contains("/v5/order/create") {
                let body = String::from_utf8_lossy(&request.body);
                let instruction = named(&body, "\"orderLinkId\":\"");
                self.placed
                    .extend(instruction.map(|instruction| (*id, instruction)));
            }
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.inner.due()
    }
}

/// How many of the first schedules find `tooth`.
fn finds(tooth: Tooth) -> usize {
    let finds = |seed: &u64| {
        let plan = Plan {
            tooth,
            ..Plan::random(*seed)
        };
        !found(&plan).is_empty()
    };
    (0..150).filter(finds).count()
}

#[test]
fn an_order_sent_again_at_bybit_is_found() {
    assert!(finds(Tooth::Retries) > 0);
}

#[test]
fn a_number_given_twice_at_bybit_is_found() {
    assert!(finds(Tooth::ReusesIds) > 0);
}

#[test]
fn not_found_taken_for_dead_at_bybit_is_found() {
    assert!(finds(Tooth::Impatient) > 0);
}

#[test]
fn an_acceptance_taken_for_an_order_at_bybit_is_found() {
    assert!(finds(Tooth::TakesAcceptance) > 0);
}
