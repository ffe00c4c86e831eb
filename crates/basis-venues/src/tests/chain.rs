mod reporting;

use basis_core::error::VenueErrorKind;
use basis_core::instruction::{AmountOrAll, FlashLoan, Instruction, Lending, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, Quantity, Rounding};
use basis_core::types::{Account, Asset, Item, Label, Timestamp, Venue};
use basis_core::venue_event::{Events, Position};
use basis_sim::chain::{Changes, Protocol, Sync, Transaction};
use basis_sim::refusal::Refusal;
use basis_testkit::{q, transfer};
use proptest::prelude::*;
use serde_json::json;

use crate::testing::chain::{
    ChainDesk, World, asset, at, claim_rewards, flash_loan, lines, stake, step, unaddressed,
    unstake, unwrap, wrap,
};

const WETH: Asset = Asset::literal("WETH");

/// A lender of WETH: takes any asset in, gives WETH out, and lends it in a flash for `premium`.
#[derive(Clone, Debug)]
struct Lender {
    venue: Venue,
    premium: Fixed18,
    supplied: Vec<(Asset, Quantity)>,
    borrowed: Quantity,
}

impl Lender {
    fn boxed(venue: &str, premium: &str) -> Box<dyn Protocol> {
        Box::new(Self {
            venue: Venue::new(venue).unwrap(),
            premium: premium.parse().unwrap(),
            supplied: Vec::new(),
            borrowed: Quantity::ZERO,
        })
    }

    fn account(&self) -> Account {
        Account::new(self.venue, Label::literal("main"))
    }
}

impl Protocol for Lender {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn snapshot(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sync(&mut self, _: &Sync<'_>, _: &mut Events) -> Result<(), Refusal> {
        Ok(())
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        None
    }

    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        transaction.spend_gas(121_000);
        let account = self.account();
        match operation {
            Operation::Supply(ask) => {
                let amount = transaction.of_wallet(ask.asset, ask.amount);
                transaction.units(ask.asset, amount)?;
                // The protocol's own state changes before anything refuses: the chain puts it back.
                self.supplied.push((ask.asset, amount));
                transaction.pay(ask.asset, amount)?;
                let item = Item::Asset(ask.asset);
                transaction.book(EntryKind::Transfer, (account, item), amount, amount)
            }
            Operation::Borrow(Lending {
                amount: AmountOrAll::Exactly(amount),
                ..
            }) => {
                self.borrowed = self.borrowed.add(*amount)?;
                if self.borrowed > q("100") {
                    return Err(Refusal::other("too much debt", Some("36")));
                }
                let item = Item::Debt(WETH);
                transaction.book(EntryKind::Transfer, (account, item), *amount, *amount)?;
                transaction.receive(WETH, *amount)
            }
            other => Err(Refusal::unsupported(self.venue, other.kind(), &[])),
        }
    }

    fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        for (asset, amount) in &self.supplied {
            let item = Item::Asset(*asset);
            positions.push(Position::new(self.account(), item, *amount));
        }
        let debt = Item::Debt(WETH);
        positions.push(Position::new(self.account(), debt, self.borrowed));
        Ok(())
    }

    fn accepts(&self, operation: &Operation) -> bool {
        matches!(operation, Operation::Supply(_) | Operation::Borrow(_))
    }

    fn flash_loan_premium(
        &self,
        _: &Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<Quantity, Refusal> {
        if loan.asset != WETH {
            let text = format!("no {} to lend", loan.asset);
            return Err(Refusal::other(text, Some("26")));
        }
        let premium = loan.amount.get().mul(self.premium, Rounding::Up)?;
        Ok(Quantity::new(premium))
    }
}

fn lending(of: &str, amount: &str) -> Lending {
    Lending {
        asset: asset(of),
        amount: match amount {
            "all" => AmountOrAll::All,
            amount => AmountOrAll::Exactly(q(amount)),
        },
        market: None,
    }
}

fn supply(of: &str, amount: &str) -> Operation {
    Operation::Supply(lending(of, amount))
}

fn borrow(amount: &str) -> Operation {
    Operation::Borrow(lending("WETH", amount))
}

/// All venues of the crate, two lenders, and a wallet.
fn desk_with(balances: &[(&str, &str)]) -> ChainDesk {
    let mut world = World::new();
    world.bars("dex.uniswap.EIGENWETH_3000", "0.002");
    world.bars("dex.uniswap.ETHFIWETH_3000", "0.001");
    let world = world
        .rates("staking_rate.lido.wstETH_ETH", &["1.25", "1.3", "1.3"])
        .rates("staking_rate.etherfi.weETH_ETH", &["1.25", "1.2", "1.3"])
        .rewards("reward_rate.etherfi.EIGEN", &[(24, 0, 24, "0.1")]);
    let drivers = [
        (&crate::lido::DRIVER, json!({ "queue_delay_hours": "20" })),
        (&crate::etherfi::DRIVER, json!({})),
        (&crate::instadapp::DRIVER, json!({})),
    ];
    let mut desk = ChainDesk::new(world, &drivers, balances);
    desk.install(Lender::boxed("aave", "0.0005"));
    desk.install(Lender::boxed("morpho", "0"));
    desk
}

fn desk() -> ChainDesk {
    desk_with(&[("ETH", "1"), ("WETH", "5")])
}

fn group(steps: Vec<Instruction>) -> Operation {
    Operation::Atomic(steps)
}

#[test]
fn a_loop_is_entered_with_a_flash_loan_in_one_transaction() {
    let mut desk = desk();
    let done = desk.run(
        "instadapp",
        group(vec![
            step("aave", flash_loan("WETH", "10").operation),
            unaddressed(unwrap("WETH", "ETH", "15")),
            unaddressed(stake("ETH", "weETH", "15")),
            step("aave", supply("weETH", "all")),
            step("aave", borrow("10.005")),
        ]),
    );
    assert_eq!(
        lines(&done.entries),
        [
            "wallet.main WETH transfer 10 $20000",
            "wallet.main WETH trade -15 $-30000",
            "wallet.main ETH trade 15 $30000",
            "wallet.main ETH trade -15 $-30000",
            "wallet.main weETH trade 12 $30000",
            "wallet.main weETH transfer -12 $-30000",
            "aave.main weETH transfer 12 $30000",
            "aave.main debt:WETH transfer 10.005 $-20010",
            "wallet.main WETH transfer 10.005 $20010",
            "wallet.main WETH transfer -10 $-20000",
            "wallet.main WETH fee -0.005 $-10",
            // 21000 + 35000 + 210000, four steps of 9000, and 14300 + 70000 + 140000 + 2 × 100000 is
            // 726300 gas at 20 gwei.
            "wallet.main ETH gas -0.014526 $-29.052",
        ]
    );
    assert_eq!(desk.held("wallet.main", "WETH").0, "0");
    // The collateral earns rewards: 12 weETH, worth 15 ETH, for all of the period.
    let events = desk.to(24);
    let reward = events.iter().flat_map(|event| lines(&event.entries));
    let reward: Vec<_> = reward.filter(|line| line.contains("EIGEN")).collect();
    assert_eq!(reward, ["etherfi.rewards EIGEN reward 1.5 $6"]);
}

#[test]
fn the_bill_is_that_of_the_table() {
    use basis_protocols::gas::{GasOperation, atomic_gas};
    let mut desk = desk();
    let done = desk.run(
        "instadapp",
        group(vec![
            unaddressed(unwrap("WETH", "ETH", "4")),
            unaddressed(stake("ETH", "stETH", "2")),
            unaddressed(wrap("stETH", "wstETH", "all")),
        ]),
    );
    let gas = atomic_gas(
        &[
            GasOperation::WethWithdraw,
            GasOperation::LidoSubmit,
            GasOperation::LidoWrap,
        ],
        false,
    );
    let fee = i128::from(gas) * 20_000_000_000;
    let paid = done.entries.last().unwrap();
    assert_eq!(paid.kind, EntryKind::Gas);
    assert_eq!(paid.quantity.get().mantissa(), -fee);
}

#[test]
fn the_cheapest_lender_is_taken_unless_one_is_named() {
    let mut desk = desk();
    let steps = |loan: Instruction| {
        group(vec![
            loan,
            unaddressed(unwrap("WETH", "ETH", "1")),
            unaddressed(wrap("ETH", "WETH", "1")),
        ])
    };
    let done = desk.run("instadapp", steps(flash_loan("WETH", "100")));
    assert!(!lines(&done.entries).iter().any(|line| line.contains("fee")));
    let named = step("aave", flash_loan("WETH", "100").operation);
    let done = desk.run("instadapp", steps(named));
    let fee = "wallet.main WETH fee -0.05 $-100".to_owned();
    assert!(lines(&done.entries).contains(&fee));
    let (code, text) = desk.refused("instadapp", steps(flash_loan("ETH", "1")));
    assert_eq!(
        (code.as_deref(), text.as_str()),
        (Some("26"), "step 1, flash_loan: no ETH to lend")
    );
    let named = step("lido", flash_loan("WETH", "1").operation);
    let (_, text) = desk.refused("instadapp", steps(named));
    assert!(text.contains("lido gives no flash loans of WETH"), "{text}");
}

#[test]
fn a_group_that_fails_names_the_step_and_undoes_the_rest() {
    let mut desk = desk();
    desk.run("lido", stake("ETH", "stETH", "0.5"));
    desk.view.advance_to(at(25)).unwrap();
    let mut refused = |steps| desk.refused("instadapp", group(steps));
    let (code, text) = refused(vec![
        unaddressed(unwrap("WETH", "ETH", "2")),
        step("aave", supply("WETH", "1")),
        step("aave", borrow("200")),
    ]);
    assert_eq!(code.as_deref(), Some("36"));
    assert_eq!(text, "step 3, borrow at aave: too much debt");
    let (_, text) = refused(vec![
        unaddressed(unwrap("WETH", "ETH", "2")),
        unaddressed(stake("ETH", "stETH", "5")),
    ]);
    assert!(
        text.starts_with("step 2, stake at lido: insufficient balance"),
        "{text}"
    );
    let (_, text) = refused(vec![unaddressed(supply("WETH", "1"))]);
    assert!(
        text.contains("aave and morpho can execute it; name one"),
        "{text}"
    );
    let (_, text) = refused(vec![step("curve", supply("WETH", "1"))]);
    assert!(text.contains("curve is no venue of this chain"), "{text}");
    let nested = unaddressed(group(vec![unaddressed(unwrap("WETH", "ETH", "1"))]));
    let (_, text) = refused(vec![nested]);
    assert!(text.contains("groups do not nest"), "{text}");
    let (_, text) = refused(vec![flash_loan("WETH", "1")]);
    assert!(text.contains("an atomic group without a step"), "{text}");
    let (_, text) = refused(vec![
        step("aave", flash_loan("WETH", "1000").operation),
        unaddressed(unwrap("WETH", "ETH", "4.6")),
    ]);
    assert_eq!(
        text,
        "reverted: the flash loan is not repaid: 1000.5 WETH are due with the fee of 0.5, the \
         wallet holds 1000.4 after the last step"
    );
}

#[test]
fn only_instadapp_takes_groups_and_it_takes_nothing_else() {
    let mut desk = desk();
    let steps = group(vec![unaddressed(unwrap("WETH", "ETH", "1"))]);
    let (_, text) = desk.refused("lido", steps);
    assert!(text.contains("lido executes no atomic"), "{text}");
    let (_, text) = desk.refused("instadapp", stake("ETH", "stETH", "0.1"));
    assert!(
        text.contains("instadapp executes no stake; it can: atomic"),
        "{text}"
    );
}

#[test]
fn hashes_count_the_transactions_that_happened() {
    let reference = |desk: &mut ChainDesk| {
        let done = desk.run("wallet", unwrap("WETH", "ETH", "1"));
        done.venue_reference.unwrap()
    };
    let mut one = desk();
    let mut other = desk();
    other.refused("wallet", unwrap("WETH", "ETH", "6"));
    assert_eq!(reference(&mut one), reference(&mut other));
    assert_ne!(reference(&mut one), reference(&mut other).replace('1', "2"));
}

#[test]
fn rebasing_tokens_are_no_plain_assets_of_the_wallet() {
    let mut desk = desk();
    desk.run("lido", stake("ETH", "stETH", "0.5"));
    let (_, text) = desk.refused(
        "instadapp",
        group(vec![step("aave", supply("stETH", "0.1"))]),
    );
    assert!(text.contains("use the wrapped token"), "{text}");
}

#[test]
fn a_transfer_is_no_step() {
    let mut desk = desk();
    let to = Account::new(Venue::literal("bybit"), Label::literal("unified"));
    let send = transfer("ETH", "0.1", Account::WALLET, to);
    let (_, text) = desk.refused("instadapp", group(vec![step("wallet", send)]));
    assert!(text.contains("step 1, transfer at wallet"), "{text}");
}

fn any_step() -> impl Strategy<Value = Instruction> {
    let amount = (1_u64..18_000_000_000_000_000_000)
        .prop_map(|wei| Quantity::new(Fixed18::from_mantissa(i128::from(wei))).to_string());
    let amount = prop_oneof![3 => amount, 1 => Just("all".to_owned())];
    (0_u8..12, amount).prop_map(|(which, amount)| match which {
        0 => unaddressed(unwrap("WETH", "ETH", &amount)),
        1 => unaddressed(wrap("ETH", "WETH", &amount)),
        2 => unaddressed(stake("ETH", "stETH", &amount)),
        3 => unaddressed(stake("ETH", "wstETH", &amount)),
        4 => unaddressed(stake("ETH", "eETH", &amount)),
        5 => unaddressed(stake("ETH", "weETH", &amount)),
        6 => unaddressed(wrap("stETH", "wstETH", &amount)),
        7 => unaddressed(unwrap("weETH", "eETH", &amount)),
        8 => unaddressed(unstake("wstETH", &amount)),
        9 => unaddressed(unstake("eETH", &amount)),
        10 => step("aave", supply("weETH", &amount)),
        _ => unaddressed(claim_rewards(None)),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Groups of random steps: those that happen leave lines that add up (the desk checks that after
    /// every call), those that fail leave the state as it was, to the last bit.
    #[test]
    fn prop_groups_happen_whole_or_not_at_all(
        groups in proptest::collection::vec(
            (0_i64..9, any::<bool>(), proptest::collection::vec(any_step(), 1..5)),
            1..12,
        ),
    ) {
        let mut desk = desk_with(&[
            ("ETH", "60"), ("WETH", "50"), ("wstETH", "30"), ("weETH", "30"),
        ]);
        let mut hour = 0;
        for (later, fails, mut steps) in groups {
            hour += later;
            desk.view.advance_to(at(hour)).unwrap();
            if fails {
                steps.push(step("aave", borrow("101")));
            }
            let before = format!("{:?}", desk.chain.state());
            match desk.try_run("instadapp", group(steps)) {
                Ok(_) => prop_assert!(!fails),
                Err(e) => {
                    prop_assert!(!matches!(e.kind, VenueErrorKind::NotReady));
                    prop_assert_eq!(&before, &format!("{:?}", desk.chain.state()), "{}", e);
                }
            }
            desk.to(hour);
        }
        desk.to(hour + 40);
    }
}
