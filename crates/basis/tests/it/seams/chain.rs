//! A chain that is not ours: it reorganises, mines again, reverts, and lets transactions be replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use basis::core::error::{Code, VenueError, VenueErrorKind};
use basis::core::health::Health;
use basis::core::in_flight::InFlightTransfers;
use basis::core::instruction::{
    AmountOrAll, Instruction, Operation, OperationKind, Swap, SwapAmounts,
};
use basis::core::ledger::EntryKind;
use basis::core::num::Quantity;
use basis::core::plan::{FailurePolicy, Leg};
use basis::core::types::{Asset, InstructionId, Item, Label, Side, Span, Timestamp, Venue};
use basis::core::venue::{Capabilities, Dependencies};
use basis::core::venue_event::{
    AccountSnapshot, BalanceChange, EventKey, EventKind, Events, Position, TransactionHash,
    TransactionStage, TransactionUpdate, VenueEvent,
};
use basis::engine::RunResult;
use basis::market::MarketView;
use basis::market::{ExecutionInterface, Horizon};

use crate::tight_loop::{FLAT, compensate, plans};
use crate::world::{
    BETA, BTC, GAMMA, Outcome, USDT, World, arrivals, errors, has_no_residual, hour, lines,
    main_account, order, q, send, states, trace,
};

use TransactionStage::{Broadcast, Dropped, Final, Mined, Reorged, Replaced, Reverted};

/// What becomes known of every transaction: seconds after it was sent, which hash, how often it was taken
/// out before, and its stage.
type Story = &'static [(i64, u8, u32, TransactionStage)];

/// A chain on which a swap gives 6,000 USDT for 0.1 BTC and gas costs 2 USDT.
struct Chain {
    story: Story,
    capabilities: Capabilities,
    transit: Arc<InFlightTransfers>,
    taken: BTreeSet<InstructionId>,
    inbox: Vec<(Timestamp, InstructionId, u8, u32, TransactionStage)>,
    assets: BTreeMap<Asset, Quantity>,
    /// What the tally has taken: hash, inclusion and stage.
    applied: BTreeSet<(u8, u32, TransactionStage)>,
    snapshot: AccountSnapshot,
    snapshot_wanted: bool,
}

const fn hash(letter: u8) -> TransactionHash {
    TransactionHash::new([letter; 32])
}

impl Chain {
    fn create(story: Story, transit: &Arc<InFlightTransfers>) -> Box<dyn ExecutionInterface> {
        Box::new(Self {
            story,
            capabilities: Capabilities {
                operations: vec![OperationKind::Swap],
                ..Capabilities::default()
            },
            transit: Arc::clone(transit),
            taken: BTreeSet::new(),
            inbox: Vec::new(),
            assets: BTreeMap::new(),
            applied: BTreeSet::new(),
            snapshot: AccountSnapshot::default(),
            snapshot_wanted: false,
        })
    }

    /// What a stage moves on the chain itself, once for every time it is included.
    fn apply(&mut self, letter: u8, inclusion: u32, stage: TransactionStage) {
        let moves = matches!(stage, Mined | Reverted | Reorged);
        if !moves || !self.applied.insert((letter, inclusion, stage)) {
            return;
        }
        let moves = match stage {
            Mined => [("-6002", USDT), ("0.1", BTC)],
            Reorged => [("6002", USDT), ("-0.1", BTC)],
            _ => [("-2", USDT), ("0", BTC)],
        };
        for (amount, asset) in moves {
            let held = self.assets.entry(asset).or_default();
            *held = held.add(q(amount)).unwrap();
        }
    }

    fn release(&mut self, now: Timestamp, events: &mut Events) {
        while self.inbox.first().is_some_and(|(at, ..)| *at <= now) {
            let (at, id, letter, inclusion, stage) = self.inbox.remove(0);
            self.apply(letter, inclusion, stage);
            let account = main_account(GAMMA);
            let change =
                |kind, asset, amount| BalanceChange::asset(kind, account, asset, q(amount));
            let gas = change(EntryKind::Gas, USDT, "-2");
            let changes = match stage {
                Mined => vec![
                    change(EntryKind::Trade, USDT, "-6000").exchanged(0, true),
                    change(EntryKind::Trade, BTC, "0.1").exchanged(0, false),
                    gas,
                ],
                Reverted => vec![gas],
                _ => Vec::new(),
            };
            let reverted = VenueErrorKind::Reverted("too little received".to_owned());
            let error = VenueError::new(GAMMA, "swap", reverted);
            let kind = EventKind::Transaction(Box::new(TransactionUpdate {
                instruction: Some(id),
                hash: hash(letter),
                inclusion,
                stage,
                changes,
                waits: false,
                replaced_by: (stage == Replaced).then_some(hash(letter + 1)),
                error: (stage == Reverted).then(|| Box::new(error)),
            }));
            events.push(VenueEvent::new(GAMMA, at, now, kind));
        }
    }
}

impl ExecutionInterface for Chain {
    fn venue(&self) -> Venue {
        GAMMA
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, _: Dependencies) {}

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        _: &mut Events,
    ) {
        for instruction in instructions {
            trace(&format!("gamma sent {}", instruction.id.counter()));
            if !self.taken.insert(instruction.id) {
                continue;
            }
            for &(after, letter, inclusion, stage) in self.story {
                let at = view.now().plus(Span::from_seconds(after));
                self.inbox
                    .push((at, instruction.id, letter, inclusion, stage));
            }
        }
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        let now = view.now();
        self.release(now, events);
        arrivals(&self.transit, GAMMA, now, &mut self.assets, events);
        if std::mem::take(&mut self.snapshot_wanted) {
            self.snapshot = AccountSnapshot::at(now);
            let account = main_account(GAMMA);
            let held = self.assets.iter().filter(|(_, held)| !held.is_zero());
            self.snapshot.positions = held
                .map(|(asset, held)| Position::new(account, Item::Asset(*asset), *held))
                .collect();
            let (asked, answered) = (now, now);
            let kind = EventKind::Snapshot { asked, answered };
            events.push(VenueEvent::new(GAMMA, now, now, kind));
        }
    }

    fn horizon(&self, _: &MarketView) -> Horizon {
        let inbox = self.inbox.first().map(|(at, ..)| *at);
        let arrival = self.transit.next_arrival(GAMMA);
        Horizon::at(inbox.into_iter().chain(arrival).min())
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

fn swap() -> Leg {
    let swap = Swap {
        pool: Label::literal("pool"),
        asset_in: USDT,
        asset_out: BTC,
        amounts: SwapAmounts::ExactInput {
            amount_in: AmountOrAll::Exactly(q("6000")),
            minimum_out: Quantity::ZERO,
        },
    };
    Leg::new(GAMMA, Operation::Swap(swap))
}

/// A swap at three on a chain with this story, with other legs beside it.
fn run(story: Story, beside: &[Leg], policy: FailurePolicy) -> Outcome {
    let mut legs = vec![swap()];
    legs.extend_from_slice(beside);
    let mut plans = plans(vec![legs], policy);
    let (_, fund) = plans.first_mut().unwrap();
    let fund = fund.blocks.first_mut().unwrap();
    fund.legs.push(send("50000", GAMMA));
    let outcome = World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: {}, beta: {} }",
        plans,
        interfaces: vec![Box::new(move |transit| Chain::create(story, transit))],
        ..World::default()
    }
    .run();
    let result = outcome.result.as_ref().unwrap();
    assert!(has_no_residual(result));
    assert_eq!(errors(result, Code::VenueEventInvalid), [""; 0]);
    assert_eq!(result.counts.steps, 8);
    outcome
}

/// The lines of the chain's account after it was funded.
fn of_chain(result: &RunResult) -> Vec<String> {
    let mut own = lines(result);
    own.retain(|line| line.starts_with("gamma.main"));
    assert_eq!(own.remove(0), "gamma.main USDT 50000 50000 transfer");
    own
}

const SWAPPED: [&str; 3] = [
    "gamma.main USDT -6000 -6000 trade",
    "gamma.main BTC 0.1 6000 trade",
    "gamma.main USDT -2 -2 gas",
];
const UNDONE: [&str; 3] = [
    "gamma.main USDT 6000 6000 trade",
    "gamma.main BTC -0.1 -6000 trade",
    "gamma.main USDT 2 2 gas",
];

/// The transactions behind the lines, each once: letter, inclusion, stage.
fn causes(result: &RunResult) -> Vec<(u8, u32, TransactionStage)> {
    let mut causes = Vec::new();
    for line in &result.ledger {
        if let EventKey::Transaction {
            hash,
            inclusion,
            stage,
        } = &*line.cause.event
        {
            let cause = (hash.bytes()[0], *inclusion, *stage);
            if causes.last() != Some(&cause) {
                causes.push(cause);
            }
        }
    }
    causes
}

#[test]
fn a_transaction_that_is_reorged_and_mined_again_is_booked_once() {
    let story: Story = &[
        (1, b'a', 0, Broadcast),
        (12, b'a', 0, Mined),
        (24, b'a', 0, Reorged),
        (36, b'a', 1, Mined),
        // A node that lags tells the old story again.
        (40, b'a', 0, Mined),
        (41, b'a', 0, Reorged),
        (48, b'a', 1, Final),
    ];
    let outcome = run(story, &[], FailurePolicy::Halt);
    let result = outcome.result.unwrap();
    let expected = [SWAPPED, UNDONE, SWAPPED].concat();
    assert_eq!(of_chain(&result), expected);
    let expected = [(b'a', 0, Mined), (b'a', 0, Reorged), (b'a', 1, Mined)];
    assert_eq!(causes(&result), expected);
    assert_eq!(outcome.trace, ["gamma sent 4"], "it is sent once");
    assert_eq!(outcome.completed, [false, true]);
}

#[test]
fn a_reorged_transaction_that_never_comes_back_leaves_nothing() {
    let story: Story = &[
        (12, b'a', 0, Mined),
        (24, b'a', 0, Reorged),
        (90, b'a', 0, Dropped),
    ];
    let outcome = run(story, &[], FailurePolicy::Halt);
    let result = outcome.result.unwrap();
    assert_eq!(of_chain(&result), [SWAPPED, UNDONE].concat());
    let equity = result.steps.equity_usd.last().unwrap();
    assert_eq!(
        equity.get(),
        q("999970").get(),
        "the cost of three transfers alone"
    );
}

#[test]
fn a_revert_books_its_gas_and_its_siblings_are_unwound() {
    let story: Story = &[(1, b'a', 0, Broadcast), (12, b'a', 0, Reverted)];
    let beside = [order(BETA, Side::Sell, "0.1")];
    let outcome = run(story, &beside, compensate());
    let result = outcome.result.unwrap();
    assert_eq!(of_chain(&result), ["gamma.main USDT -2 -2 gas"]);
    assert_eq!(causes(&result), [(b'a', 0, Reverted)]);
    let perp: Vec<_> = lines(&result)
        .into_iter()
        .filter(|l| l.contains("perp"))
        .collect();
    let there_and_back = [
        "beta.main beta:perp:BTCUSDT -0.1 -6010 trade",
        "beta.main beta:perp:BTCUSDT 0.1 6010 trade",
    ];
    assert_eq!(perp, there_and_back);
    let failed = errors(&result, Code::LegFailed);
    assert!(failed[0].contains("too little received"), "{failed:?}");
    assert_eq!(errors(&result, Code::NakedDelta), [""; 0]);
}

#[test]
fn a_replaced_transaction_is_booked_under_the_new_hash() {
    let story: Story = &[
        (1, b'a', 0, Broadcast),
        (12, b'a', 0, Replaced),
        (13, b'b', 0, Broadcast),
        (24, b'b', 0, Mined),
        // The old one is forgotten late.
        (30, b'a', 0, Dropped),
        (36, b'b', 0, Final),
    ];
    let outcome = run(story, &[], FailurePolicy::Halt);
    let result = outcome.result.unwrap();
    assert_eq!(of_chain(&result), SWAPPED);
    assert_eq!(causes(&result), [(b'b', 0, Mined)]);
    assert_eq!(outcome.completed, [false, true]);
}

#[test]
fn a_transaction_that_is_mined_and_final_is_booked_once() {
    let story: Story = &[
        (12, b'a', 0, Mined),
        (20, b'a', 0, Final),
        (30, b'a', 0, Mined),
    ];
    let outcome = run(story, &[], FailurePolicy::Halt);
    let result = outcome.result.unwrap();
    assert_eq!(of_chain(&result), SWAPPED);
}

#[test]
fn a_block_waits_for_its_transaction_to_be_mined() {
    let story: Story = &[(1, b'a', 0, Broadcast), (7000, b'a', 0, Mined)];
    let beside = [order(BETA, Side::Sell, "0.1")];
    let outcome = run(story, &beside, FailurePolicy::Halt);
    let result = outcome.result.unwrap();
    let mined = result
        .ledger
        .iter()
        .find(|line| line.item == Item::Asset(BTC));
    assert_eq!(mined.unwrap().at, hour(3).plus(Span::from_seconds(7000)));
    let parked = states(&result, "plan_parked");
    assert_eq!(
        parked.last().unwrap(),
        "waiting for [1714521600-4, 1714521600-5]"
    );
    assert_eq!(outcome.completed, [false, true]);
}
