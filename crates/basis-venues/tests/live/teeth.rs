//! Mistakes that the schedules must find. Each is one that a client has made somewhere.

use std::collections::BTreeMap;

use basis_core::num::Quantity;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate, VenueEvent};
use basis_live::actor::{Input, Output, RequestId, VenueMachine};
use basis_venues::binance::codec::instruction_of;
use basis_venues::binance::live::BinanceMachine;

use crate::plan::Plan;
use crate::process::{InMemory, book};
use crate::schedules::Run;

/// A mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tooth {
    #[default]
    None,
    /// What lies below the journal sends an order again when its connection breaks.
    Retries,
    /// A start numbers its instructions as the one before did.
    ReusesIds,
    /// "Not found" is taken for dead, once.
    Impatient,
    /// What a stream has not shown is not asked for.
    TrustsStream,
}

/// A machine, which may make a mistake.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) inner: BinanceMachine,
    tooth: Tooth,
    is_ready: bool,
    asked: BTreeMap<RequestId, InstructionId>,
}

impl Machine {
    pub(crate) const fn new(inner: BinanceMachine, tooth: Tooth) -> Self {
        Self {
            inner,
            tooth,
            is_ready: false,
            asked: BTreeMap::new(),
        }
    }

    fn lost(&mut self, now: Timestamp, input: &Input) -> Option<Output> {
        let Input::Answer { id, result } = input else {
            return None;
        };
        let instruction = self.asked.remove(id)?;
        let body = result.as_ref().ok()?.body.as_slice();
        let text = String::from_utf8_lossy(body);
        let update = OrderUpdate {
            instruction,
            state: OrderState::Lost,
            filled: Quantity::ZERO,
            venue_order_id: None,
            reason: None,
        };
        let kind = EventKind::Order(update);
        let event = VenueEvent::new(BinanceMachine::VENUE, now, now, kind);
        text.contains("-2013")
            .then(|| Output::Event(Box::new(event)))
    }
}

impl VenueMachine for Machine {
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        if self.tooth == Tooth::Impatient {
            outputs.extend(self.lost(now, &input));
        }
        let from = outputs.len();
        self.inner.handle(now, input, outputs);
        for output in &outputs[from..] {
            if let Output::Send { id, request, .. } = output
                && request.method == "GET"
                && request.url.contains("/order?")
                && let Some((_, rest)) = request.url.split_once("origClientOrderId=")
                && let Some(client) = rest.split('&').next()
                && let Some(instruction) = instruction_of(book(), client)
            {
                self.asked.insert(*id, instruction);
            }
        }
        if self.tooth == Tooth::TrustsStream && self.is_ready {
            outputs.retain(|output| !is_question(output));
        }
        let is_ready = |output: &Output| matches!(output, Output::Ready(Ok(())));
        self.is_ready |= outputs.iter().any(is_ready);
    }

    fn due(&self) -> Option<Timestamp> {
        self.inner.due()
    }
}

/// Whether an output asks for orders or fills.
fn is_question(output: &Output) -> bool {
    let Output::Send { request, .. } = output else {
        return false;
    };
    let path = request.url.split('?').next().unwrap();
    let asks = [
        "/order",
        "/openOrders",
        "/allOrders",
        "/myTrades",
        "/userTrades",
    ];
    request.method == "GET" && asks.iter().any(|end| path.ends_with(end))
}

/// How many of the first schedules find `tooth`.
fn found(tooth: Tooth) -> usize {
    let finds = |seed: &u64| {
        let plan = Plan {
            tooth,
            ..Plan::random(*seed)
        };
        let mut run = Run::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        !run.verdict().is_empty()
    };
    (0..150).filter(finds).count()
}

#[test]
fn an_order_sent_again_below_the_journal_is_found() {
    assert!(found(Tooth::Retries) > 0);
}

#[test]
fn a_number_given_twice_is_found() {
    assert!(found(Tooth::ReusesIds) > 0);
}

#[test]
fn not_found_taken_for_dead_is_found() {
    assert!(found(Tooth::Impatient) > 0);
}
