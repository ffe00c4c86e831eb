//! The events of one instruction as `basis instruct` prints them.

use basis_core::error::{ComponentError, VenueError};
use basis_core::instruction::Instruction;
use basis_core::ledger::LedgerEntry;
use basis_core::types::{InstructionId, Timestamp, Venue};
use basis_core::venue_event::{
    EventKind, Fill, OrderState, TransactionUpdate, TransferStage, VenueEvent,
};
use basis_engine::posting::{self, NothingHeld};
use basis_market::ExecutionInterface;
use basis_market::MarketView;
use serde_json::{Value as Json, json};

/// What came of one instruction.
#[derive(Debug)]
pub(super) struct Answer {
    venue: Venue,
    instruction: InstructionId,
    status: Status,
    /// Order id at the venue or transaction hash.
    reference: Option<String>,
    fills: Vec<(Fill, Timestamp)>,
    lines: Vec<LedgerEntry>,
}

/// How far it has come.
#[derive(Debug)]
enum Status {
    /// Nothing more will come of it.
    Settled,
    /// An order rests.
    Open,
    /// Under way.
    Pending {
        until: Option<Timestamp>,
        /// Whose queues it may have joined.
        queues: Vec<Venue>,
    },
}

/// Why there is no answer to print.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The venue refused, or does not know.
    Venue(VenueError),
    /// What it reported cannot be booked.
    Posting(ComponentError),
}

impl From<Refusal> for ComponentError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Venue(e) => e.into(),
            Refusal::Posting(e) => e,
        }
    }
}

impl Answer {
    /// Reads what `events` say of `instruction`; what they say of anything else is left out.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn of(
        venue: Venue,
        instruction: &Instruction,
        (events, view): (&[VenueEvent], &MarketView),
    ) -> Result<Self, Refusal> {
        let mut answer = Self {
            venue,
            instruction: instruction.id,
            status: Status::Pending {
                until: None,
                queues: Vec::new(),
            },
            reference: None,
            fills: Vec::new(),
            lines: Vec::new(),
        };
        let own = |event: &&VenueEvent| event.instruction() == Some(instruction.id);
        for event in events.iter().filter(own) {
            answer.take(event)?;
            let posting = posting::lines_of(event, view, &NothingHeld)
                .map_err(|e| Refusal::Posting(e.into()))?;
            answer.lines.extend(posting.lines);
        }
        Ok(answer)
    }

    fn take(&mut self, event: &VenueEvent) -> Result<(), Refusal> {
        match &event.kind {
            EventKind::Rejected { error, .. } | EventKind::OutcomeUnknown { error, .. } => {
                return Err(Refusal::Venue(VenueError::clone(error)));
            }
            EventKind::Fill(fill) => self.fills.push((Fill::clone(fill), event.at)),
            EventKind::Order(order) => {
                if let Some(id) = &order.venue_order_id {
                    self.reference = Some(id.to_string());
                }
                match order.state {
                    OrderState::Working => self.status = Status::Open,
                    state if state.is_final() => self.status = Status::Settled,
                    _ => {}
                }
            }
            EventKind::Transaction(transaction) => {
                self.reference = Some(transaction.hash.to_string());
                self.status = if transaction.waits {
                    Status::Pending {
                        until: None,
                        queues: joined(transaction),
                    }
                } else {
                    Status::Settled
                };
            }
            EventKind::Transfer(transfer) => {
                if let Some(txid) = &transfer.txid {
                    self.reference = Some(txid.to_string());
                }
                self.status = match transfer.stage {
                    stage if stage.is_final() => Status::Settled,
                    TransferStage::Requested | TransferStage::Sent | TransferStage::Confirmed => {
                        Status::Pending {
                            until: transfer.until,
                            queues: Vec::new(),
                        }
                    }
                    _ => return Ok(()),
                };
            }
            EventKind::Done { .. } | EventKind::Redemption(_) | EventKind::Other(_) => {
                self.status = Status::Settled;
            }
            _ => {}
        }
        Ok(())
    }

    /// Says of a queue that was joined when it will have paid, by the terms of the protocol.
    ///
    /// # Errors
    /// When a protocol cannot say its terms.
    pub(super) fn ask_queues(
        &mut self,
        protocols: &[Box<dyn ExecutionInterface>],
        view: &MarketView,
    ) -> Result<(), VenueError> {
        let Status::Pending { until, queues } = &mut self.status else {
            return Ok(());
        };
        for protocol in protocols.iter().filter(|p| queues.contains(&p.venue())) {
            if let Some(delay) = protocol.terms(view)?.unstake_delay {
                *until = (*until).max(Some(view.now().plus(delay)));
            }
        }
        Ok(())
    }

    /// The answer at `at`.
    pub(super) fn as_json(&self, at: Timestamp, synthetic: bool) -> Json {
        let (status, until) = match &self.status {
            Status::Settled => ("settled", None),
            Status::Open => ("open", None),
            Status::Pending { until, .. } => ("pending", *until),
        };
        json!({
            "venue": self.venue,
            "instruction_id": self.instruction,
            "status": status,
            "until": until,
            "at": at,
            "synthetic": synthetic,
            "venue_reference": self.reference,
            "fills": self.fills.iter().map(fill).collect::<Vec<_>>(),
            "entries": self.lines.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

/// The venues in whose accounts the transaction left something.
fn joined(transaction: &TransactionUpdate) -> Vec<Venue> {
    let arrived = transaction
        .changes
        .iter()
        .filter(|c| c.quantity.is_positive());
    arrived.map(|change| change.account.venue).collect()
}

fn fill((fill, at): &(Fill, Timestamp)) -> Json {
    json!({
        "trade_id": fill.trade.to_string(),
        "instrument": fill.instrument.to_string(),
        "side": fill.side.as_str(),
        "quantity": fill.quantity.to_string(),
        "price": fill.price.to_string(),
        "mark": fill.reference.to_string(),
        "fee_asset": fill.fee_asset,
        "fee": fill.fee.to_string(),
        "fee_rate": fill.fee_rate.to_string(),
        "liquidity": fill.liquidity.as_str(),
        "at": at,
    })
}

fn line(entry: &LedgerEntry) -> Json {
    json!({
        "at": entry.at,
        "account": entry.account.to_string(),
        "item": entry.item.to_string(),
        "quantity": entry.quantity.to_string(),
        "units": entry.units.to_string(),
        "value": entry.value.to_string(),
        "kind": entry.kind.as_str(),
        "instruction_id": entry.instruction,
        "reference_price": entry.reference_price.to_string(),
        "cause": entry.cause.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use basis_core::error::VenueErrorKind;
    use basis_core::instruction::{CancelOrder, Operation};
    use basis_core::num::Quantity;
    use basis_core::types::{Account, Asset, Label, Span, Symbol};
    use basis_core::venue_event::{OrderUpdate, TransferId, TransferUpdate};
    use basis_market::{MarketData, ViewPolicy};

    use super::*;

    const VENUE: Venue = Venue::literal("okx");

    fn view() -> MarketView {
        MarketView::new(Arc::new(MarketData::default()), &[], ViewPolicy::default()).unwrap()
    }

    fn of(kinds: Vec<EventKind>) -> Result<Json, Refusal> {
        let view = view();
        let asked = Operation::CancelOrder(CancelOrder {
            symbol: Symbol::literal("BTCUSDT"),
            order: InstructionId::plain(1),
        });
        let instruction = Instruction::new(InstructionId::plain(7), asked);
        let events: Vec<_> = kinds
            .into_iter()
            .map(|kind| VenueEvent::new(VENUE, view.now(), view.now(), kind))
            .collect();
        let answer = Answer::of(VENUE, &instruction, (&events, &view))?;
        Ok(answer.as_json(view.now(), false))
    }

    fn order(instruction: u32, state: OrderState) -> EventKind {
        EventKind::Order(OrderUpdate {
            instruction: InstructionId::plain(instruction),
            state,
            filled: Quantity::ZERO,
            venue_order_id: None,
            reason: None,
        })
    }

    #[test]
    fn the_last_state_of_an_order_says_how_far_it_has_come() {
        for (states, status) in [
            (&[OrderState::Submitted][..], "pending"),
            (&[OrderState::Submitted, OrderState::Working], "open"),
            (&[OrderState::Working, OrderState::Filled], "settled"),
            (&[OrderState::Expired], "settled"),
        ] {
            let kinds = states.iter().map(|state| order(7, *state)).collect();
            assert_eq!(of(kinds).unwrap()["status"], status, "{states:?}");
        }
    }

    #[test]
    fn what_is_said_of_another_instruction_is_left_out() {
        let answer = of(vec![
            EventKind::Done {
                instruction: InstructionId::plain(7),
            },
            order(1, OrderState::Working),
        ]);
        assert_eq!(answer.unwrap()["status"], "settled");
    }

    #[test]
    fn a_transfer_that_left_is_under_way_with_its_lines() {
        let account = |name| Account::new(VENUE, Label::literal(name));
        let until = view().now().plus(Span::HOUR);
        let mut transfer = TransferUpdate {
            id: TransferId::Instruction(InstructionId::plain(7)),
            instruction: Some(InstructionId::plain(7)),
            from: account("trading"),
            to: account("funding"),
            asset: Asset::literal("USDT"),
            amount: Quantity::literal("5"),
            fee: Quantity::ZERO,
            stage: TransferStage::Sent,
            until: Some(until),
            txid: None,
        };
        let sent = of(vec![EventKind::Transfer(Box::new(transfer.clone()))]).unwrap();
        assert_eq!(sent["status"], "pending");
        assert_eq!(sent["until"], until.to_string());
        assert_eq!(sent["entries"][0]["cause"], "transfer:7:sent#0");
        transfer.stage = TransferStage::Moved;
        let moved = of(vec![EventKind::Transfer(Box::new(transfer))]).unwrap();
        assert_eq!(
            (&moved["status"], &moved["until"]),
            (&"settled".into(), &Json::Null)
        );
    }

    #[test]
    fn a_refusal_is_the_venues_own() {
        let error = VenueError::new(VENUE, "cancel_order", VenueErrorKind::NotReady);
        let refused = of(vec![EventKind::Rejected {
            instruction: InstructionId::plain(7),
            error: Box::new(error.clone()),
        }]);
        let Err(Refusal::Venue(e)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(e, error);
    }
}
