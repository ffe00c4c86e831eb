//! Events in the books: once, whole or not at all, and undone where the chain undoes them.

use basis_core::error::Code;
use basis_core::venue_event::{
    CapitalFlow, FlowId, FundingMissing, OtherEvent, TransferId, TransferStage, TransferUpdate,
};

use super::*;
use crate::account::{Books, Posted, Pricing};

fn books() -> Books {
    let pricing = Pricing {
        base: BTC,
        symbol: BTCUSDT,
        reference: "spot.alpha.BTCUSDT".parse().unwrap(),
    };
    Books::new(pricing, &view()).unwrap()
}

/// The whole state of the books, to the last field.
fn state(books: &Books) -> String {
    format!("{books:?}")
}

fn new(lines: std::ops::Range<usize>) -> Posted {
    Posted::New {
        lines,
        unpriced: Vec::new(),
        marks: Vec::new(),
    }
}

fn ether(books: &Books) -> Quantity {
    books.quantity(Account::WALLET, Item::Asset(ETH))
}

fn at_stage(stage: TransactionStage, inclusion: u32, changes: Vec<BalanceChange>) -> VenueEvent {
    transaction(TransactionUpdate {
        stage,
        inclusion,
        ..mined(changes)
    })
}

/// A deposit of 10 ETH less gas, and its gas of 0.002.
fn changes() -> Vec<BalanceChange> {
    vec![
        wallet(EntryKind::Transfer, ETH, "10"),
        wallet(EntryKind::Gas, ETH, "-0.002"),
    ]
}

#[test]
fn a_repeated_event_changes_nothing() {
    let (view, mut books) = (view(), books());
    let fill = Fill {
        fee_asset: XYZ,
        fee: quantity("3"),
        ..fill(InstrumentKind::Spot, Side::Buy, "0.02", "50000")
    };
    let event = event(ALPHA, EventKind::Fill(Box::new(fill)));
    let posted = Posted::New {
        lines: 0..3,
        unpriced: vec![(SPOT, Item::Asset(XYZ))],
        marks: Vec::new(),
    };
    assert_eq!(books.post(&view, &event).unwrap(), posted);
    let before = state(&books);
    assert_eq!(books.post(&view, &event).unwrap(), Posted::Repeated);
    assert_eq!(state(&books), before);
}

#[test]
fn events_without_lines_are_known_again_and_those_without_a_key_are_not() {
    let (view, mut books) = (view(), books());
    let missing = FundingMissing {
        account: PERP,
        instrument: perp(),
        scheduled: at(),
        position: quantity("1"),
        mark: Price::literal("50100"),
        exposed_notional: Value::literal("50100"),
    };
    let missing = event(ALPHA, EventKind::FundingMissing(Box::new(missing)));
    assert_eq!(books.post(&view, &missing).unwrap(), new(0..0));
    assert_eq!(books.post(&view, &missing).unwrap(), Posted::Repeated);
    let done = EventKind::Done {
        instruction: INSTRUCTION,
    };
    let done = event(ALPHA, done);
    assert_eq!(books.post(&view, &done).unwrap(), new(0..0));
    assert_eq!(books.post(&view, &done).unwrap(), new(0..0));
}

#[test]
fn an_event_whose_last_line_overflows_leaves_the_books_as_they_were() {
    let (view, mut books) = (view(), books());
    let mut held = changes();
    // A holding that the failing event would be the first of, and one that has a line already.
    held.insert(0, wallet(EntryKind::Transfer, USDC, "5"));
    let too_much = "170141183460469231731";
    let fails = |id: &'static str, changes| {
        let name = Label::literal("grant");
        event(
            POOL,
            EventKind::Other(Box::new(OtherEvent {
                id: id.into(),
                name,
                instruction: None,
                changes,
            })),
        )
    };
    books
        .post(
            &view,
            &fails("first", vec![wallet(EntryKind::Reward, USDC, "5")]),
        )
        .unwrap();
    let before = state(&books);
    // The value of the last line, the sum of the last holding, the sum of all cash.
    let last = [
        vec![wallet(EntryKind::Reward, ETH, too_much)],
        vec![wallet(EntryKind::Reward, USDC, too_much)],
        vec![
            wallet(EntryKind::Transfer, USDT, "170141183460469231730"),
            wallet(EntryKind::Transfer, Asset::literal("DAI"), "2"),
        ],
    ];
    for last in last {
        let changes = held.iter().copied().chain(last).collect();
        let e = books.post(&view, &fails("second", changes)).unwrap_err();
        assert_eq!(e.code, Code::ArithmeticFailed, "{e}");
        assert!(e.message.contains("pool reports other:pool:second"), "{e}");
        assert_eq!(without_memory(&books), without_memory_of(&before));
    }
    // The key is free: the same event without what failed is taken.
    let posted = books.post(&view, &fails("second", held)).unwrap();
    assert_eq!(posted, new(1..4));
}

/// The books but for the memory that events are booked in.
fn without_memory(books: &Books) -> String {
    without_memory_of(&state(books))
}

fn without_memory_of(state: &str) -> String {
    state.split("scratch:").next().unwrap().to_owned()
}

#[test]
fn an_impossible_event_is_refused_with_venue_and_key() {
    let (view, mut books) = (view(), books());
    let fill = fill(InstrumentKind::Spot, Side::Buy, "0", "50000");
    let event = event(ALPHA, EventKind::Fill(Box::new(fill)));
    let before = state(&books);
    let e = books.post(&view, &event).unwrap_err();
    assert_eq!(e.code, Code::VenueEventInvalid);
    assert_eq!(
        e.message,
        "alpha reports fill:alpha.spot:alpha:spot:BTCUSDT:1:buy: fill quantity 0 must be above zero"
    );
    assert_eq!(state(&books), before);
}

#[test]
fn a_reorganisation_is_reversed_and_its_re_mining_books_once() {
    let (view, mut books) = (view(), books());
    let mined = |inclusion| at_stage(TransactionStage::Mined, inclusion, changes());
    let reorged = |inclusion| at_stage(TransactionStage::Reorged, inclusion, Vec::new());
    let finalized = at_stage(TransactionStage::Final, 1, changes());
    assert_eq!(books.post(&view, &mined(0)).unwrap(), new(0..2));
    assert_eq!(ether(&books), quantity("9.998"));
    assert_eq!(books.post(&view, &reorged(0)).unwrap(), new(2..4));
    assert_eq!(ether(&books), Quantity::ZERO);
    assert_eq!(books.post(&view, &mined(1)).unwrap(), new(4..6));
    assert_eq!(books.post(&view, &finalized).unwrap(), new(6..6));
    for again in [mined(0), reorged(0), mined(1), finalized] {
        assert_eq!(books.post(&view, &again).unwrap(), Posted::Repeated);
    }
    assert_eq!(ether(&books), quantity("9.998"));
    let hash = HASH.to_string();
    let written: Vec<_> = books.ledger()[1..4]
        .iter()
        .map(|line| format!("{} {}", text(line), line.cause))
        .collect();
    assert_eq!(
        written,
        [
            format!("wallet.main ETH -0.002 -6 gas 3000 transaction:{hash}:0:mined#1"),
            format!("wallet.main ETH -10 -30000 transfer 3000 transaction:{hash}:0:reorged#0"),
            format!("wallet.main ETH 0.002 6 gas 3000 transaction:{hash}:0:reorged#1"),
        ]
    );
    assert_eq!(books.ledger()[2].instruction, Some(INSTRUCTION));
    let mut causes: Vec<_> = books.ledger().iter().map(|line| &line.cause).collect();
    causes.sort();
    causes.dedup();
    assert_eq!(causes.len(), 6, "every cause stands once");
}

#[test]
fn a_reorganisation_of_what_nobody_saw_mined_has_no_lines() {
    let (view, mut books) = (view(), books());
    let reorged = at_stage(TransactionStage::Reorged, 0, Vec::new());
    assert_eq!(books.post(&view, &reorged).unwrap(), new(0..0));
}

#[test]
fn a_revert_books_its_gas_and_a_reorganisation_gives_it_back() {
    let (view, mut books) = (view(), books());
    let gas = vec![wallet(EntryKind::Gas, ETH, "-0.002")];
    let reverted = at_stage(TransactionStage::Reverted, 0, gas);
    assert_eq!(books.post(&view, &reverted).unwrap(), new(0..1));
    assert_eq!(ether(&books), quantity("-0.002"));
    let finalized = at_stage(TransactionStage::Final, 0, Vec::new());
    assert_eq!(books.post(&view, &finalized).unwrap(), new(1..1));
    let reorged = at_stage(TransactionStage::Reorged, 0, Vec::new());
    assert_eq!(books.post(&view, &reorged).unwrap(), new(1..2));
    assert_eq!(ether(&books), Quantity::ZERO);
}

#[test]
fn a_final_transaction_that_nobody_saw_mined_books_as_mined() {
    let (view, mut books) = (view(), books());
    let finalized = at_stage(TransactionStage::Final, 0, changes());
    assert_eq!(books.post(&view, &finalized).unwrap(), new(0..2));
    let mined = at_stage(TransactionStage::Mined, 0, changes());
    assert_eq!(*books.ledger()[0].cause.event, mined.key().unwrap());
    for again in [mined, finalized] {
        assert_eq!(books.post(&view, &again).unwrap(), Posted::Repeated);
    }
    assert_eq!(ether(&books), quantity("9.998"));
}

#[test]
fn a_final_transaction_fills_in_what_mined_left_out() {
    let (view, mut books) = (view(), books());
    let mined = at_stage(TransactionStage::Mined, 0, Vec::new());
    let finalized = at_stage(TransactionStage::Final, 0, changes());
    assert_eq!(books.post(&view, &mined).unwrap(), new(0..0));
    assert_eq!(books.post(&view, &finalized).unwrap(), new(0..2));
    for again in [&mined, &finalized] {
        assert_eq!(books.post(&view, again).unwrap(), Posted::Repeated);
    }
    assert_eq!(books.lines_under(&mined.key().unwrap()), books.ledger());
}

#[test]
fn a_replaced_transaction_books_under_the_new_hash() {
    let (view, mut books) = (view(), books());
    let replacement = TransactionHash::new([0xcd; 32]);
    let replaced = transaction(TransactionUpdate {
        stage: TransactionStage::Replaced,
        replaced_by: Some(replacement),
        ..mined(Vec::new())
    });
    let mined = transaction(TransactionUpdate {
        hash: replacement,
        ..mined(changes())
    });
    assert_eq!(books.post(&view, &replaced).unwrap(), new(0..0));
    assert_eq!(books.post(&view, &mined).unwrap(), new(0..2));
    let cause = books.ledger()[0].cause.to_string();
    assert_eq!(cause, format!("transaction:{replacement}:0:mined#0"));
}

#[test]
fn every_line_of_a_long_event_is_booked() {
    let (view, mut books) = (view(), books());
    let change = wallet(EntryKind::Transfer, USDT, "1");
    let long = at_stage(TransactionStage::Mined, 0, vec![change; 300]);
    assert_eq!(books.post(&view, &long).unwrap(), new(0..300));
    let held = books.quantity(Account::WALLET, Item::Asset(USDT));
    assert_eq!(held, quantity("300"));
    assert_eq!(books.ledger()[299].cause.line, 299);
    assert_eq!(books.value(&view).unwrap(), Value::literal("300"));
}

#[test]
fn a_venue_that_names_no_result_settles_at_the_books_average_cost() {
    let (view, mut books) = (view(), books());
    let fills = [
        (1, Side::Sell, "1", "50000"),
        (2, Side::Sell, "1", "51000"),
        (3, Side::Buy, "1", "50000"),
    ];
    for (trade, side, amount, price) in fills {
        let fill = Fill {
            trade: TradeId::Number(trade),
            ..fill(InstrumentKind::Perp, side, amount, price)
        };
        let fill = event(ALPHA, EventKind::Fill(Box::new(fill)));
        books.post(&view, &fill).unwrap();
    }
    // Sold at 50500 on average.
    assert_eq!(
        text(books.ledger().last().unwrap()),
        "alpha.perp USDT 500 500 realized_pnl 1"
    );
    let open = books.open_position(PERP, perp());
    assert_eq!(open, Some((quantity("-1"), Value::literal("-50500"))));
}

#[test]
fn what_is_on_its_way_is_held_by_nobody_else() {
    let (view, mut books) = (view(), books());
    let transfer = |venue, stage| {
        let update = TransferUpdate {
            id: TransferId::Instruction(INSTRUCTION),
            instruction: Some(INSTRUCTION),
            from: SPOT,
            to: Account::WALLET,
            asset: USDT,
            amount: quantity("100"),
            fee: Quantity::ZERO,
            stage,
            until: None,
            txid: None,
        };
        event(venue, EventKind::Transfer(Box::new(update)))
    };
    let deposit = CapitalFlow {
        id: FlowId {
            scheduled: at(),
            number: 0,
            part: 0,
        },
        account: SPOT,
        asset: USDT,
        amount: quantity("100"),
    };
    let held = |books: &Books| {
        [SPOT, Account::IN_FLIGHT, Account::WALLET]
            .map(|account| books.quantity(account, Item::Asset(USDT)).to_string())
    };
    let deposit = event(ALPHA, EventKind::CapitalFlow(deposit));
    books.post(&view, &deposit).unwrap();
    let sent = transfer(ALPHA, TransferStage::Sent);
    books.post(&view, &sent).unwrap();
    assert_eq!(held(&books), ["0", "100", "0"]);
    let credited = transfer(Venue::WALLET, TransferStage::Credited);
    books.post(&view, &credited).unwrap();
    assert_eq!(held(&books), ["0", "0", "100"]);
    for again in [sent, credited] {
        assert_eq!(books.post(&view, &again).unwrap(), Posted::Repeated);
    }
}
