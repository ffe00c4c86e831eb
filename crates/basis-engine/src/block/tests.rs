//! The block machine against venues that misbehave on cue: single cases by hand, all pairs of faults
//! against an oracle of its own, and the states of one leg.

mod by_hand;
mod oracle;
mod pairs;
mod simulator;
mod states;

use basis_core::error::{Rejection, VenueError, VenueErrorKind};
use basis_core::ledger::TradeId;
use basis_core::num::{Fixed18, Price, Quantity, Rate};
use basis_core::plan::{FailurePolicy, Leg};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Label, Side, Span, Symbol,
    Timestamp, Venue,
};
use basis_core::venue_event::{
    EventKind, Fill, LiquiditySide, OrderState, OrderUpdate, VenueEvent,
};

use super::leg::OrderAsked;

const ALPHA: Venue = Venue::literal("alpha");
const BETA: Venue = Venue::literal("beta");
const GAMMA: Venue = Venue::literal("gamma");
const SYMBOL: Symbol = Symbol::literal("BTCUSDT");
/// Base units.
const LOT: Quantity = Quantity::literal("0.01");

const COMPENSATE: FailurePolicy = FailurePolicy::Compensate {
    naked_delta_max: Quantity::literal("0.1"),
    naked_time_max: Span::from_seconds(60),
};

/// An instant of a test: seconds after its start.
fn second(seconds: i64) -> Timestamp {
    Timestamp::EPOCH.plus(Span::from_seconds(seconds))
}

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// Units of 10⁻¹⁸.
fn atto(quantity: Quantity) -> i128 {
    quantity.get().mantissa()
}

fn of_atto(atto: i128) -> Quantity {
    Quantity::new(Fixed18::from_mantissa(atto))
}

/// A market order, spot at alpha and perp elsewhere, numbered.
fn order(id: u32, venue: Venue, side: Side, quantity: Quantity) -> Leg {
    let kind = if venue == ALPHA {
        InstrumentKind::Spot
    } else {
        InstrumentKind::Perp
    };
    let mut leg = Leg::market(
        InstrumentKey::new(venue, kind, SYMBOL),
        side,
        quantity,
        false,
    );
    leg.instruction.id = InstructionId::plain(id);
    leg
}

fn event(venue: Venue, at: Timestamp, kind: EventKind) -> VenueEvent {
    VenueEvent::new(venue, at, at, kind)
}

fn update(id: InstructionId, state: OrderState, filled: Quantity) -> EventKind {
    EventKind::Order(OrderUpdate {
        instruction: id,
        state,
        filled,
        venue_order_id: None,
        reason: None,
    })
}

/// A fill of `quantity` of what was asked; spot buys pay 0.1 % in base, the others pay in quote.
fn fill(id: InstructionId, asked: OrderAsked, trade: u64, quantity: Quantity) -> EventKind {
    let in_base = asked.instrument.kind == InstrumentKind::Spot && asked.side == Side::Buy;
    EventKind::Fill(Box::new(Fill {
        instruction: Some(id),
        account: Account::new(asked.instrument.venue, Label::literal("main")),
        trade: TradeId::Number(trade),
        instrument: asked.instrument,
        base: Asset::literal("BTC"),
        quote: Asset::literal("USDT"),
        side: asked.side,
        quantity,
        price: Price::literal("1000"),
        turnover: Quantity::ZERO,
        reference: Price::literal("1000"),
        fee_asset: Asset::literal(if in_base { "BTC" } else { "USDT" }),
        fee: of_atto(atto(quantity) / 1000),
        fee_rate: Rate::literal("0.001"),
        liquidity: LiquiditySide::Taker,
        realized: None,
        covered: Quantity::ZERO,
    }))
}

/// What a fill does to the delta, net of its fee.
fn delta_of(kind: &EventKind) -> Quantity {
    let EventKind::Fill(fill) = kind else {
        return Quantity::ZERO;
    };
    let sign = i128::from(fill.side.sign());
    let fee = if fill.fee_asset == fill.base {
        atto(fill.fee)
    } else {
        0
    };
    of_atto(sign * atto(fill.quantity) - fee)
}

fn rejected(id: InstructionId, venue: Venue) -> EventKind {
    let reason = Rejection::InsufficientBalance {
        asset: Asset::literal("USDT"),
        needed: Quantity::literal("2"),
        available: Quantity::literal("1"),
    };
    let kind = VenueErrorKind::Rejected {
        reason,
        venue_code: None,
    };
    refusal(id, venue, kind)
}

fn revoked(id: InstructionId, venue: Venue) -> EventKind {
    refusal(id, venue, VenueErrorKind::Auth("no such key".to_owned()))
}

fn refusal(id: InstructionId, venue: Venue, kind: VenueErrorKind) -> EventKind {
    EventKind::Rejected {
        instruction: id,
        error: Box::new(VenueError::new(venue, "order", kind)),
    }
}

fn unknown(id: InstructionId, venue: Venue) -> EventKind {
    let kind = VenueErrorKind::OutcomeUnknown("timeout".to_owned());
    EventKind::OutcomeUnknown {
        instruction: id,
        error: Box::new(VenueError::new(venue, "order", kind)),
    }
}
