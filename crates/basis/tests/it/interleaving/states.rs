//! The states of orders, transfers and transactions by their tables, whatever order reports come in.

use std::collections::BTreeMap;

use basis::core::types::InstructionId;
use basis::core::venue_event::{
    EventKind, OrderState, Progress, TransactionHash, TransactionStage, TransferId, TransferStage,
    VenueEvent,
};
use proptest::prelude::*;

/// How far everything that was reported has come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct States {
    pub(super) orders: BTreeMap<InstructionId, OrderState>,
    pub(super) transfers: BTreeMap<TransferId, TransferStage>,
    pub(super) transactions: BTreeMap<(TransactionHash, u32), TransactionStage>,
}

impl States {
    /// Takes a report; what contradicts an earlier one is an error.
    pub(super) fn take(&mut self, event: &VenueEvent) -> Result<(), String> {
        let report = match &event.kind {
            EventKind::Order(update) => Some((update.instruction, update.state)),
            EventKind::Rejected { instruction, .. } => Some((*instruction, OrderState::Rejected)),
            EventKind::OutcomeUnknown { instruction, .. } => {
                Some((*instruction, OrderState::Unknown))
            }
            // What fills was accepted.
            EventKind::Fill(fill) => fill.instruction.map(|id| (id, OrderState::Working)),
            _ => None,
        };
        if let Some((id, reported)) = report {
            let state = self.orders.entry(id).or_insert(OrderState::Submitted);
            go_on(state, reported, OrderState::after)?;
        }
        match &event.kind {
            EventKind::Transfer(update) => {
                let first = TransferStage::Requested;
                let stage = self.transfers.entry(update.id.clone()).or_insert(first);
                go_on(stage, update.stage, TransferStage::after)
            }
            EventKind::Transaction(update) => {
                let key = (update.hash, update.inclusion);
                let first = TransactionStage::Signed;
                let stage = self.transactions.entry(key).or_insert(first);
                go_on(stage, update.stage, TransactionStage::after)
            }
            _ => Ok(()),
        }
    }
}

fn go_on<S: Copy + std::fmt::Debug>(
    state: &mut S,
    reported: S,
    after: fn(S, S) -> Progress<S>,
) -> Result<(), String> {
    match after(*state, reported) {
        Progress::To(next) => *state = next,
        Progress::Stays => {}
        Progress::Contradiction => {
            return Err(format!("{state:?} and {reported:?}"));
        }
    }
    Ok(())
}

/// The state that reports lead to, in the order they come.
fn led_to<S: Copy + std::fmt::Debug>(
    first: S,
    reports: &[S],
    after: fn(S, S) -> Progress<S>,
) -> Result<S, TestCaseError> {
    let mut state = first;
    for report in reports {
        let progress = go_on(&mut state, *report, after);
        progress.map_err(|e| TestCaseError::fail(format!("{e} in {reports:?}")))?;
    }
    Ok(state)
}

/// Some of the reports before the last ones, all of these, a few of all of them again, in any order; and
/// the state that they end in.
fn reports<S: Copy + std::fmt::Debug + 'static>(
    before: Vec<S>,
    last: Vec<S>,
    end: S,
) -> impl Strategy<Value = (Vec<S>, S)> {
    let count = before.len();
    let some = prop::sample::subsequence(before, 0..=count);
    let repeated = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (some, repeated)
        .prop_map(move |(some, repeated)| {
            let mut reports = [some, last.clone()].concat();
            let again: Vec<_> = repeated.iter().map(|at| *at.get(&reports)).collect();
            reports.extend(again);
            reports
        })
        .prop_shuffle()
        .prop_map(move |reports| (reports, end))
}

fn of_an_order() -> impl Strategy<Value = (Vec<OrderState>, OrderState)> {
    use OrderState::{Cancelled, Expired, Filled, Lost, Rejected, Submitted, Unknown, Working};
    let accepted = || vec![Submitted, Unknown, Working];
    let refused = || vec![Submitted, Unknown];
    prop_oneof![
        reports(accepted(), vec![Filled], Filled),
        reports(accepted(), vec![Cancelled], Cancelled),
        reports(accepted(), vec![Expired], Expired),
        // Taken back while it filled.
        reports(accepted(), vec![Cancelled, Filled], Filled),
        reports(vec![Submitted, Unknown], vec![Working], Working),
        reports(refused(), vec![Rejected], Rejected),
        reports(refused(), vec![Lost], Lost),
    ]
}

fn of_a_transfer() -> impl Strategy<Value = (Vec<TransferStage>, TransferStage)> {
    use TransferStage::{Confirmed, Credited, Failed, Moved, Requested, Returned, Sent};
    prop_oneof![
        reports(vec![Requested, Sent, Confirmed], vec![Credited], Credited),
        reports(vec![Requested, Sent, Confirmed], vec![Returned], Returned),
        reports(vec![Requested, Sent], vec![Confirmed], Confirmed),
        reports(vec![Requested], vec![Moved], Moved),
        reports(vec![Requested], vec![Failed], Failed),
    ]
}

/// A transaction that is dropped, replaced or reorged can go on from there, so its reports have an order.
fn of_a_transaction() -> impl Strategy<Value = (Vec<TransactionStage>, TransactionStage)> {
    use TransactionStage::{Broadcast, Final, Mined, Reverted, Signed};
    prop_oneof![
        reports(vec![Signed, Broadcast], vec![Mined], Mined),
        reports(vec![Signed, Broadcast], vec![Reverted], Reverted),
        reports(vec![Signed, Broadcast, Mined], vec![Final], Final),
        reports(vec![Signed, Broadcast, Reverted], vec![Final], Final),
    ]
}

proptest! {
    #[test]
    fn prop_reports_of_an_order_end_alike_in_any_order((reports, end) in of_an_order()) {
        let state = led_to(OrderState::Submitted, &reports, OrderState::after)?;
        prop_assert_eq!(state, end, "{:?}", reports);
    }

    #[test]
    fn prop_reports_of_a_transfer_end_alike_in_any_order((reports, end) in of_a_transfer()) {
        let state = led_to(TransferStage::Requested, &reports, TransferStage::after)?;
        prop_assert_eq!(state, end, "{:?}", reports);
    }

    #[test]
    fn prop_reports_of_a_transaction_end_alike_in_any_order((reports, end) in of_a_transaction()) {
        let state = led_to(TransactionStage::Signed, &reports, TransactionStage::after)?;
        prop_assert_eq!(state, end, "{:?}", reports);
    }
}
