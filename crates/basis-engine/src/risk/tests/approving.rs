//! Which blocks pass at reduce-only: a short of 1 BTC at 50,000 that needs 5,000 of margin, and a loan
//! against 2 BTC whose liquidation threshold is 0.7.

use basis_core::error::Code;
use basis_core::instruction::{AmountOrAll, Instruction, Lending, Operation, SetEMode, Transfer};
use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, Rounding};
use basis_core::plan::{Block, FailurePolicy, Leg};
use basis_core::types::{Account, Asset, Item, Label, Side};
use basis_core::venue_event::{
    Adoption, BalanceChange, EventKind, LendingHealth, OtherEvent, Text, VenueEvent,
};
use basis_market::{BarColumns, MarketData, MarketView, SeriesRequest, ViewPolicy};

use super::*;
use crate::account::{Books, Pricing};
use crate::limits::HealthLadder;

const AAVE: Venue = Venue::literal("aave");
const BITCOIN: Asset = Asset::literal("BTC");
const USDT: Asset = Asset::literal("USDT");
const CASH: Account = Account::new(ALPHA, Label::literal("cash"));
const MARGIN: Account = Account::new(ALPHA, Label::literal("margin"));
const LOAN: Account = Account::new(AAVE, Label::literal("main"));
const PERP: InstrumentKey = InstrumentKey::new(ALPHA, InstrumentKind::Perp, BTC);

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// One hour of BTC at 50,000, spot and perp.
pub(super) fn view() -> MarketView {
    let mut data = MarketData::new("bars in code", true);
    let spot = InstrumentKey::new(ALPHA, InstrumentKind::Spot, BTC).series();
    let requests = [spot, PERP.series()].map(|id| {
        let price = vec![Price::literal("50000")];
        let bars = BarColumns {
            id,
            length: Span::HOUR,
            opened_at: vec![Timestamp::EPOCH],
            open: price.clone(),
            high: price.clone(),
            low: price.clone(),
            close: price,
            volume: vec![q("1")],
        };
        data.add_bars(bars).unwrap();
        SeriesRequest {
            id,
            reference: None,
        }
    });
    let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(Timestamp::EPOCH.plus(Span::HOUR)).unwrap();
    view
}

/// A book with the short and the loan.
pub(super) fn opened(view: &MarketView, margin: &str, owed: &str) -> Books {
    let reference = InstrumentKey::new(ALPHA, InstrumentKind::Spot, BTC).series();
    let pricing = Pricing {
        base: BITCOIN,
        symbol: BTC,
        reference,
    };
    let mut books = Books::new(pricing, view).unwrap();
    let mut post = |kind| {
        let event = VenueEvent::new(ALPHA, Timestamp::EPOCH, Timestamp::EPOCH, kind);
        books.post(view, &event).unwrap();
    };
    post(EventKind::Adoption(Box::new(Adoption {
        account: MARGIN,
        item: Item::Position(PERP),
        quantity: q("-1"),
        units: q("-1"),
        entry_price: Some(Price::literal("50000")),
    })));
    let held = [
        (MARGIN, Item::Asset(USDT), margin),
        (CASH, Item::Asset(USDT), "5000"),
        (LOAN, Item::Shares(BITCOIN), "2"),
        (LOAN, Item::Debt(USDT), owed),
    ];
    let changes = held.map(|(account, item, quantity)| {
        let (kind, quantity) = (EntryKind::Transfer, q(quantity));
        BalanceChange::scaled(kind, (account, item), quantity, quantity)
    });
    post(EventKind::Other(Box::new(OtherEvent {
        id: Text::Borrowed("opening"),
        name: Label::literal("opening"),
        instruction: None,
        changes: changes.to_vec(),
    })));
    books.value(view).unwrap();
    books
}

/// A book, its exposure, and a monitor that has judged them.
struct Fixture {
    view: MarketView,
    books: Books,
    exposure: Exposure,
    risk: RiskMonitor,
}

impl Fixture {
    /// `margin` USDT behind the short, and a debt of `owed` USDT.
    fn new(margin: &str, owed: &str) -> Self {
        let view = view();
        let books = opened(&view, margin, owed);
        let rules = rules();
        let mut exposure = Exposure::new(Arc::clone(&rules));
        exposure.refresh(&books, &view).unwrap();
        let (collateral, debt) = (Value::literal("100000"), owed.parse::<Value>().unwrap());
        let threshold = Rate::literal("0.7");
        let covered = collateral.at_rate(threshold, Rounding::Floor).unwrap();
        exposure.lending.push(LendingHealth {
            account: LOAN,
            collateral,
            debt,
            liquidation_threshold: threshold,
            max_ltv: threshold,
            health_factor: covered.ratio(debt, Rounding::Floor).ok(),
            supply_rate: Rate::ZERO,
            borrow_rate: Rate::ZERO,
        });
        // Neither account is hedged against anything here.
        let limits = RiskConfig {
            net_delta_halt: Rate::literal("10"),
            health: HealthLadder {
                warn: Rate::literal("1.03"),
                reduce_only: Rate::literal("1.02"),
                deleverage: Rate::literal("1.015"),
                halt: Rate::literal("1.005"),
            },
            ..RiskConfig::DEFAULT
        };
        let dust = Dust::Value(Value::ZERO);
        let mut risk = RiskMonitor::new(limits, dust, rules, vec![PERP]);
        let scale = DeltaScale {
            equity: books.equity(),
            reference: Price::literal("50000"),
        };
        let (at, in_transit) = (view.now(), CapitalInTransit::default());
        risk.assess(at, &exposure, scale, in_transit, &NoEvents)
            .unwrap();
        Self {
            view,
            books,
            exposure,
            risk,
        }
    }

    /// The words of the refusal of a block of `legs`; `None` when it passes.
    fn refused(&self, legs: Vec<Leg>) -> Option<String> {
        let failure_policy = FailurePolicy::Halt;
        let block = Block {
            legs,
            failure_policy,
        };
        let (books, exposure) = (&self.books, &self.exposure);
        let judged = self.risk.approve(&block, books, exposure, &self.view);
        let e = judged.err()?;
        assert_eq!(e.code, Code::RiskRefused);
        Some(e.message)
    }
}

fn transfer(amount: &str, from: Account, to: Account) -> Leg {
    let transfer = Transfer {
        asset: USDT,
        amount: q(amount),
        from,
        to,
    };
    Leg::new(ALPHA, Operation::Transfer(transfer))
}

fn lending(asset: Asset, amount: &str) -> Lending {
    let amount = match amount {
        "all" => AmountOrAll::All,
        amount => AmountOrAll::Exactly(q(amount)),
    };
    Lending {
        asset,
        amount,
        market: None,
    }
}

fn withdraw(amount: &str) -> Operation {
    Operation::Withdraw(lending(BITCOIN, amount))
}

fn repay(amount: &str) -> Operation {
    Operation::Repay(lending(USDT, amount))
}

const fn e_mode() -> Operation {
    Operation::SetEMode(SetEMode { category: 1 })
}

fn at_aave(operation: Operation) -> Vec<Leg> {
    vec![Leg::new(AAVE, operation)]
}

fn group(steps: impl IntoIterator<Item = Operation>) -> Vec<Leg> {
    let steps = steps.into_iter();
    let steps = steps.map(|step| Instruction::step(AAVE, step)).collect();
    let venue = Venue::literal("instadapp");
    vec![Leg::new(venue, Operation::Atomic(steps))]
}

#[test]
fn margin_cannot_leave_an_account_at_reduce_only() {
    // 23,000 less 5,000 are used up by a move of 18,000 ÷ 55,000: below 0.35.
    let world = Fixture::new("23000", "50000");
    assert_eq!(world.risk.level(), RiskLevel::ReduceOnly);
    let refused = world.refused(vec![transfer("500", MARGIN, CASH)]).unwrap();
    assert_eq!(
        refused,
        "transfer at alpha brings alpha.margin nearer to liquidation while risk is at reduce_only: \
         distance 0.327272727272727272 before, 0.318181818181818181 after, bound 0.35; leave more \
         collateral there or reduce first"
    );
    let out = transfer("500", CASH, Account::WALLET);
    assert_eq!(world.refused(vec![out]), None, "nothing stands on it");
    assert_eq!(world.refused(vec![transfer("500", CASH, MARGIN)]), None);
}

#[test]
fn margin_may_leave_with_the_position_that_needed_it() {
    let world = Fixture::new("23000", "50000");
    let close = |quantity| Leg::market(PERP, Side::Buy, q(quantity), true);
    let out = |amount| transfer(amount, MARGIN, CASH);
    // 22,500 less 2,500, over 27,500.
    assert_eq!(world.refused(vec![close("0.5"), out("500")]), None);
    assert_eq!(world.refused(vec![close("1"), out("23000")]), None);
    // 20,000 less 4,500 over 49,500: worse than before.
    let refused = world.refused(vec![close("0.1"), out("3000")]).unwrap();
    assert!(refused.contains("0.313131313131313131 after"), "{refused}");
}

#[test]
fn collateral_cannot_leave_a_loan_beyond_its_rung() {
    // 70,000 ÷ 68,700.
    let world = Fixture::new("30000", "68700");
    assert_eq!(world.risk.level(), RiskLevel::ReduceOnly);
    let refused = world.refused(at_aave(withdraw("0.1"))).unwrap();
    assert_eq!(
        refused,
        "withdraw at aave brings aave.main nearer to liquidation while risk is at reduce_only: health \
         factor 1.018922852983988355 before, 0.967976710334788937 after, bound 1.02; leave more \
         collateral there or reduce first"
    );
    assert!(world.refused(group([withdraw("0.1")])).is_some());
    let all = world.refused(at_aave(withdraw("all"))).unwrap();
    assert!(all.contains("before, 0 after"), "{all}");
    assert_eq!(world.refused(at_aave(repay("1000"))), None);
}

#[test]
fn the_state_after_a_group_decides_and_not_its_steps() {
    let world = Fixture::new("30000", "68700");
    let steps = || [withdraw("0.1"), repay("10000")];
    assert_eq!(world.refused(group(steps())), None);
    let turned = steps().into_iter().rev();
    assert_eq!(world.refused(group(turned)), None);
    // It borrows, and still leaves the worst account better off.
    let borrow = Operation::Borrow(lending(USDT, "1000"));
    assert_eq!(world.refused(group([repay("5000"), borrow.clone()])), None);
    let refused = world.refused(group([borrow, repay("500")])).unwrap();
    assert!(
        refused.contains("atomic at instadapp adds exposure"),
        "{refused}"
    );
    // Too little is repaid for what leaves.
    let refused = world.refused(group([repay("1000"), withdraw("0.1")]));
    assert!(refused.unwrap().starts_with("withdraw at aave brings"));
    assert_eq!(world.refused(group([repay("all"), withdraw("all")])), None);
}

#[test]
fn leaving_in_proportion_passes_with_what_the_sale_costs() {
    let world = Fixture::new("30000", "68700");
    // A tenth of the debt is repaid.
    let leave = |collateral| group([repay("6870"), withdraw(collateral)]);
    assert_eq!(world.refused(leave("0.2")), None);
    assert_eq!(world.refused(leave("0.21")), None);
    let refused = world.refused(leave("0.2101")).unwrap();
    assert!(refused.contains("before, 1.0132"), "{refused}");
    let world = Fixture::new("23000", "50000");
    let close = Leg::market(PERP, Side::Buy, q("0.3"), true);
    assert_eq!(
        world.refused(vec![close, transfer("7200", MARGIN, CASH)]),
        None
    );
}

#[test]
fn a_healthy_loan_may_give_collateral_back_down_to_its_rung() {
    // The perp account is at reduce-only; the loan at 1.4.
    let world = Fixture::new("23000", "50000");
    assert_eq!(world.refused(at_aave(withdraw("0.5"))), None, "1.05");
    let refused = world.refused(at_aave(withdraw("0.6"))).unwrap();
    assert!(refused.contains("1.4 before, 0.98 after"), "{refused}");
}

#[test]
fn the_efficiency_mode_stays_while_anything_is_owed() {
    let world = Fixture::new("30000", "68700");
    let refused = world.refused(at_aave(e_mode())).unwrap();
    assert_eq!(
        refused,
        "set_e_mode at aave changes the efficiency mode while risk is at reduce_only and aave.main \
         owes; repay everything first"
    );
    assert!(world.refused(group([repay("68000"), e_mode()])).is_some());
    assert!(world.refused(group([e_mode(), repay("all")])).is_some());
    assert_eq!(world.refused(group([repay("all"), e_mode()])), None);
}

#[test]
fn below_reduce_only_all_passes_but_collateral_that_keeps_the_distance() {
    let world = Fixture::new("30000", "50000");
    assert_eq!(world.risk.level(), RiskLevel::Clear);
    // 24,500 less 5,000 over 55,000 is 0.354…
    assert_eq!(world.refused(vec![transfer("5500", MARGIN, CASH)]), None);
    let refused = world.refused(vec![transfer("6000", MARGIN, CASH)]).unwrap();
    assert!(refused.contains("0.345454545454545454 after"), "{refused}");
    assert_eq!(world.refused(at_aave(e_mode())), None);
    assert_eq!(world.refused(at_aave(withdraw("0.5"))), None, "1.05");
    assert!(world.refused(at_aave(withdraw("0.6"))).is_some(), "0.98");
}
