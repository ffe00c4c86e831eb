//! An exchange that is not ours: it answers after seconds of virtual time, fills late and in parts,
//! repeats itself, and pays its own funding.
//!
//! What it knows and has not said lies in an inbox with the instant at which it becomes known; its
//! horizon is the first of them. Its tally moves when it speaks, by its own arithmetic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use basis::core::error::{Rejection, VenueError, VenueErrorKind};
use basis::core::health::Health;
use basis::core::in_flight::InFlightTransfers;
use basis::core::instruction::{Instruction, MarginMode, Operation, OperationKind};
use basis::core::ledger::TradeId;
use basis::core::num::{Quantity, Rate, Rounding};
use basis::core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, Side, Span, Timestamp,
    Venue,
};
use basis::core::venue::{Capabilities, Dependencies};
use basis::core::venue_event::{
    AccountSnapshot, EventKind, Events, Fill, Funding, LiquiditySide, OrderState, OrderUpdate,
    Position, VenueEvent,
};
use basis::market::MarketView;
use basis::market::{ExecutionInterface, Horizon};
use basis::protocols::exchange::PerpPosition;
use basis::venues::driver::BuildContext;

use super::answers::{Answer, Step};
use super::driver::SlowSettings;
use super::{BTC, START, SYMBOL, USDT, arrivals, main_account, signed, trace};

/// Fees of the venue, as its rules say: spot 10 bps out of the quote, perps 5 bps.
const SPOT_FEE: Rate = Rate::literal("0.001");
const PERP_FEE: Rate = Rate::literal("0.0005");

/// What it executes.
pub(super) const OPERATIONS: &[OperationKind] = &[
    OperationKind::SpotTrade,
    OperationKind::PerpTrade,
    OperationKind::CancelOrder,
];

/// An order as the venue keeps it.
struct Order {
    instrument: InstrumentKey,
    side: Side,
    quantity: Quantity,
    filled: Quantity,
    is_open: bool,
    /// What was reported of it.
    reported: Events,
    taken_at: Timestamp,
}

/// What the venue will say of an instruction.
enum Pending {
    Order(Step),
    Cancel(InstructionId),
}

/// The exchange.
pub(super) struct SlowVenue {
    venue: Venue,
    capabilities: Capabilities,
    settings: SlowSettings,
    dependencies: Dependencies,
    transit: Arc<InFlightTransfers>,
    taken: BTreeSet<InstructionId>,
    orders: BTreeMap<InstructionId, Order>,
    /// By the instant each becomes known; what has the same keeps its order.
    inbox: Vec<(Timestamp, InstructionId, Pending)>,
    assets: BTreeMap<Asset, Quantity>,
    position: PerpPosition,
    funded_to: Timestamp,
    trades: u64,
    snapshot: AccountSnapshot,
    snapshot_wanted: bool,
}

impl SlowVenue {
    pub(super) fn new(venue: Venue, settings: SlowSettings, context: BuildContext) -> Self {
        let (world, dependencies) = context.simulated(venue).unwrap();
        Self {
            venue,
            capabilities: Capabilities {
                operations: OPERATIONS.to_vec(),
                ..Capabilities::default()
            },
            settings,
            dependencies,
            transit: world.transit,
            taken: BTreeSet::new(),
            orders: BTreeMap::new(),
            inbox: Vec::new(),
            assets: BTreeMap::new(),
            position: PerpPosition::default(),
            funded_to: START,
            trades: 0,
            snapshot: AccountSnapshot::default(),
            snapshot_wanted: false,
        }
    }

    fn take(&mut self, now: Timestamp, instruction: &Instruction) -> Result<(), VenueErrorKind> {
        let id = instruction.id;
        let default = now.plus(self.settings.answer);
        let (kind, side, quantity) = match &instruction.operation {
            Operation::SpotTrade(trade) => (InstrumentKind::Spot, trade.side, trade.quantity),
            Operation::PerpTrade(trade) => (InstrumentKind::Perp, trade.side, trade.quantity),
            Operation::CancelOrder(cancel) => {
                self.expect(default, id, Pending::Cancel(cancel.order));
                return Ok(());
            }
            other => return Err(VenueErrorKind::Unsupported(other.kind().to_string())),
        };
        let order = Order {
            instrument: InstrumentKey::new(self.venue, kind, SYMBOL),
            side,
            quantity,
            filled: Quantity::ZERO,
            is_open: true,
            reported: Events::new(),
            taken_at: now,
        };
        self.orders.insert(id, order);
        let same = |answer: &&Answer| answer.side == side && answer.quantity == quantity;
        let answer = self.settings.answers.iter().find(same);
        let all = vec![(None, Step::Fills(None, None))];
        for (after, step) in answer.map_or(all, |answer| answer.steps.clone()) {
            let known = after.map_or(default, |after| now.plus(after));
            self.expect(known, id, Pending::Order(step));
        }
        Ok(())
    }

    fn expect(&mut self, known: Timestamp, id: InstructionId, pending: Pending) {
        let place = self.inbox.partition_point(|(at, ..)| *at <= known);
        self.inbox.insert(place, (known, id, pending));
    }

    /// Says what has become known by now.
    fn release(&mut self, view: &MarketView, events: &mut Events) {
        while self.inbox.first().is_some_and(|(at, ..)| *at <= view.now()) {
            let (at, id, pending) = self.inbox.remove(0);
            trace(&format!("{} answered {}", self.venue, id.counter()));
            match pending {
                Pending::Order(step) => self.order_step(view, (at, id), step, events),
                Pending::Cancel(target) => self.cancel(view, (at, id), target, events),
            }
        }
    }

    fn order_step(
        &mut self,
        view: &MarketView,
        (at, id): (Timestamp, InstructionId),
        step: Step,
        events: &mut Events,
    ) {
        let order = self.orders.get_mut(&id).unwrap();
        let now = view.now();
        if step == Step::Again {
            events.extend(order.reported.iter().cloned().map(|event| VenueEvent {
                received_at: now,
                ..event
            }));
            return;
        }
        if !order.is_open && matches!(step, Step::Fills(..) | Step::Rests) {
            return;
        }
        let operation = order.instrument.kind.as_str();
        let error = |kind| Box::new(VenueError::new(self.venue, operation, kind));
        let mut reported = Vec::new();
        match step {
            Step::Fills(part, since) => {
                let rest = order.quantity.sub(order.filled).unwrap();
                let at = since.map_or(at, |since| order.taken_at.plus(since));
                let fill = self.fill(view, id, part.unwrap_or(rest));
                reported.push((at, EventKind::Fill(Box::new(fill))));
                let order = self.orders.get_mut(&id).unwrap();
                order.is_open = order.filled < order.quantity;
                let state = if order.is_open {
                    OrderState::Working
                } else {
                    OrderState::Filled
                };
                reported.push((at, state_of(id, order, state)));
            }
            Step::Rests => reported.push((at, state_of(id, order, OrderState::Working))),
            Step::Cancelled | Step::Expired | Step::Lost => {
                order.is_open = false;
                let state = match step {
                    Step::Cancelled => OrderState::Cancelled,
                    Step::Expired => OrderState::Expired,
                    _ => OrderState::Lost,
                };
                reported.push((at, state_of(id, order, state)));
            }
            Step::Fails(kind) => reported.push((
                at,
                EventKind::Rejected {
                    instruction: id,
                    error: error(kind),
                },
            )),
            Step::Unknown => {
                let kind = VenueErrorKind::OutcomeUnknown("the connection dropped".to_owned());
                let error = error(kind);
                reported.push((
                    at,
                    EventKind::OutcomeUnknown {
                        instruction: id,
                        error,
                    },
                ));
            }
            Step::Again => {}
        }
        let order = self.orders.get_mut(&id).unwrap();
        for (at, kind) in reported {
            let event = VenueEvent::new(self.venue, at, now, kind);
            order.reported.push(event.clone());
            events.push(event);
        }
    }

    fn cancel(
        &mut self,
        view: &MarketView,
        (at, id): (Timestamp, InstructionId),
        target: InstructionId,
        events: &mut Events,
    ) {
        let now = view.now();
        let mut push = |kind| events.push(VenueEvent::new(self.venue, at, now, kind));
        match self.orders.get_mut(&target).filter(|order| order.is_open) {
            Some(order) => {
                order.is_open = false;
                push(state_of(target, order, OrderState::Cancelled));
                push(EventKind::Done { instruction: id });
            }
            None => {
                let reason = Rejection::Other(format!("order {target} is not open"));
                let error = VenueError::rejected(self.venue, "cancel_order", reason, None);
                push(EventKind::Rejected {
                    instruction: id,
                    error: Box::new(error),
                });
            }
        }
    }

    /// Fills `quantity` of an order at the mark and moves the tally.
    fn fill(&mut self, view: &MarketView, id: InstructionId, quantity: Quantity) -> Fill {
        let order = self.orders.get_mut(&id).unwrap();
        order.filled = order.filled.add(quantity).unwrap();
        let (instrument, side) = (order.instrument, order.side);
        let mark = view.quote_of(instrument.series()).unwrap().mark;
        let notional = quantity.notional(mark, Rounding::HalfEven).unwrap();
        let turnover = Quantity::new(notional.get());
        let is_spot = instrument.kind == InstrumentKind::Spot;
        let fee_rate = if is_spot { SPOT_FEE } else { PERP_FEE };
        let in_base = is_spot && side == Side::Buy && self.settings.fee_in_base;
        let (fee_asset, charged) = if in_base {
            (BTC, quantity)
        } else {
            (USDT, turnover)
        };
        let fee = charged.at_rate(fee_rate, Rounding::Ceil).unwrap();
        let mut realized = Quantity::ZERO;
        if is_spot {
            self.add(BTC, signed(side, quantity));
            self.add(USDT, signed(side.opposite(), turnover));
        } else {
            let change = self.position.fill(signed(side, quantity), mark, 6).unwrap();
            self.position = change.after;
            realized = Quantity::new(change.realized.get());
            self.add(USDT, realized);
        }
        self.add(fee_asset, fee.neg().unwrap());
        self.trades += 1;
        Fill {
            instruction: Some(id),
            account: main_account(self.venue),
            trade: TradeId::Text(format!("{}-{}", self.venue, self.trades).into()),
            instrument,
            base: BTC,
            quote: USDT,
            side,
            quantity,
            price: mark,
            turnover: if is_spot { turnover } else { Quantity::ZERO },
            reference: mark,
            fee_asset,
            fee,
            fee_rate,
            liquidity: LiquiditySide::Taker,
            realized: Some(realized),
            covered: Quantity::ZERO,
        }
    }

    fn add(&mut self, asset: Asset, amount: Quantity) {
        let held = self.assets.entry(asset).or_default();
        *held = held.add(amount).unwrap();
    }

    /// Settles half past every hour since the last full one; it is published at the next full hour.
    fn fund(&mut self, view: &MarketView, events: &mut Events) {
        let Some(rate) = self.settings.funding_rate else {
            return;
        };
        while self.funded_to.plus(Span::HOUR) <= view.now() {
            let scheduled = self.funded_to.plus(Span::from_minutes(30));
            self.funded_to = self.funded_to.plus(Span::HOUR);
            let instrument = InstrumentKey::new(self.venue, InstrumentKind::Perp, SYMBOL);
            let mark = view.quote_of(instrument.series()).unwrap().mark;
            let amount = self.position.funding(mark, rate, 6).unwrap();
            if self.position.quantity.is_zero() {
                continue;
            }
            self.add(USDT, amount);
            let kind = EventKind::Funding(Box::new(Funding {
                account: main_account(self.venue),
                instrument,
                margin: MarginMode::Cross,
                scheduled,
                asset: USDT,
                position: self.position.quantity,
                mark,
                rate,
                amount,
                proxy: None,
            }));
            events.push(VenueEvent::new(self.venue, scheduled, view.now(), kind));
        }
    }

    fn positions(&self) -> Vec<Position> {
        let account: Account = main_account(self.venue);
        let assets = self
            .assets
            .iter()
            .map(|(&asset, &quantity)| Position::new(account, Item::Asset(asset), quantity));
        let perp = InstrumentKey::new(self.venue, InstrumentKind::Perp, SYMBOL);
        let quantity = self.position.quantity;
        let perps = [Position::new(account, Item::Position(perp), quantity)];
        let all = assets.chain(perps);
        all.filter(|position| !position.quantity.is_zero())
            .collect()
    }
}

fn state_of(instruction: InstructionId, order: &Order, state: OrderState) -> EventKind {
    EventKind::Order(OrderUpdate {
        instruction,
        state,
        filled: order.filled,
        venue_order_id: Some(format!("v{instruction}").into()),
        reason: None,
    })
}

impl ExecutionInterface for SlowVenue {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.dependencies = dependencies;
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        let now = view.now();
        for instruction in instructions {
            let id = instruction.id;
            trace(&format!("{} sent {}", self.venue, id.counter()));
            if !self.taken.insert(id) {
                continue;
            }
            let taken = if self.dependencies.missing().is_empty() {
                self.take(now, instruction)
            } else {
                Err(VenueErrorKind::NotReady)
            };
            if let Err(kind) = taken {
                let operation = instruction.operation.kind().as_str();
                let error = Box::new(VenueError::new(self.venue, operation, kind));
                let kind = EventKind::Rejected {
                    instruction: id,
                    error,
                };
                events.push(VenueEvent::new(self.venue, now, now, kind));
            }
        }
        // What takes no time is known at once.
        self.release(view, events);
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        let mut own = Events::new();
        self.fund(view, &mut own);
        self.release(view, &mut own);
        let assets = &mut self.assets;
        arrivals(&self.transit, self.venue, view.now(), assets, &mut own);
        own.sort_by_key(|event| event.at);
        events.append(&mut own);
        if std::mem::take(&mut self.snapshot_wanted) {
            let now = view.now();
            self.snapshot = AccountSnapshot::at(now);
            self.snapshot.positions = self.positions();
            let kind = EventKind::Snapshot {
                asked: now,
                answered: now,
            };
            events.push(VenueEvent::new(self.venue, now, now, kind));
        }
    }

    fn horizon(&self, _: &MarketView) -> Horizon {
        let inbox = self.inbox.first().map(|(at, ..)| *at);
        let arrival = self.transit.next_arrival(self.venue);
        let funding = self.funded_to.plus(Span::HOUR);
        let funding = self.settings.funding_rate.map(|_| funding);
        let all = [inbox, arrival, funding];
        Horizon::at(all.into_iter().flatten().min())
    }

    fn account(&self) -> &AccountSnapshot {
        &self.snapshot
    }

    fn request_snapshot(&mut self) {
        self.snapshot_wanted = true;
    }

    fn health(&self) -> Health {
        Health::default()
    }
}
