//! The case of terms: what a venue says of how it deals is how it deals.

use basis::core::instruction::OperationKind;
use basis::core::num::{Quantity, Rate, Rounding};
use basis::core::types::{Account, Asset, Item, Span};
use basis::core::venue::{EModeTerms, FlashLoanTerms, PoolTerms, Terms};
use basis::core::venue_event::{EventKind, Position, RedemptionStage};

use super::desk::{Check, Desk, ensure};
use super::script::{Script, Status, Step, atomic, e_mode, flash_loan, staking, swap};
use super::subjects::Subject;

/// Given to a pool and brought back: small, so that its own impact is far below any fee.
const SMALL: &str = "0.01";

/// What a way there and back may lose, in fees: on the way back a pool gives its own move back at prices
/// that the first fee has not touched; off the peg the fee may grow. A wrong denominator is further off.
const FEES: [Rate; 2] = [Rate::literal("1.9"), Rate::literal("5")];

/// What a flash loan costs at least within a group, by the dated rules that are built in.
const GROUP_FEE: Rate = Rate::literal("0.0005");

/// 25: terms are those of the operations, asking for them changes nothing, and instructions meet them.
pub(super) fn terms(subject: &Subject) -> Check {
    let venue = subject.venue;
    let mut desk = Desk::new(subject.bench)?;
    let before = desk.state()?;
    let view = desk.view.clone();
    let interface = desk.venue(venue);
    let can = interface.capabilities().operations.clone();
    let said = interface.terms(&view).map_err(|e| e.to_string())?;
    ensure!(desk.state()? == before, "asking has changed the state");
    of_operations(&said, &can)?;
    if let Some(delay) = said.unstake_delay {
        queues(subject, delay)?;
    }
    for offer in &said.flash_loans {
        lends(&mut desk, venue, offer).map_err(|e| format!("{offer:?}: {e}"))?;
    }
    for mode in &said.e_modes {
        has_mode(&mut desk, venue, mode).map_err(|e| format!("{mode:?}: {e}"))?;
    }
    for pool in &said.pools {
        exchanges(&mut desk, venue, pool).map_err(|e| format!("{pool:?}: {e}"))?;
    }
    Ok(())
}

/// What joins the queue says that it waits for `delay`, and leaves it then.
fn queues(subject: &Subject, delay: Span) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let mut queued = Vec::new();
    for step in Script::of(subject.script) {
        desk.play(std::slice::from_ref(&step), &mut |desk, done| {
            let (Step::Act { operation, .. }, Some(done)) = (&step, done) else {
                return Ok(());
            };
            if operation.kind() == OperationKind::Unstake {
                let until = desk.view.now().plus(delay);
                ensure!(
                    done.status == Status::Pending && done.until == Some(until),
                    "queued {done:?}, said {delay:?}"
                );
                queued.push((done.instruction, until));
            }
            Ok(())
        })?;
    }
    ensure!(!queued.is_empty(), "the script never joins the queue");
    let ready = desk.heard.iter().filter_map(|event| match &event.kind {
        EventKind::Redemption(request) if request.stage == RedemptionStage::Ready => {
            Some((request.instruction, event.at))
        }
        _ => None,
    });
    let ready: Vec<_> = ready.collect();
    ensure!(ready == queued, "queued {queued:?}, ready {ready:?}");
    Ok(())
}

fn of_operations(said: &Terms, can: &[OperationKind]) -> Check {
    let rows = [
        (OperationKind::Unstake, said.unstake_delay.is_some()),
        (OperationKind::SetEMode, !said.e_modes.is_empty()),
        (OperationKind::Swap, !said.pools.is_empty()),
    ];
    for (kind, has_terms) in rows {
        let executes = can.contains(&kind);
        ensure!(
            executes == has_terms,
            "{kind} is executed: {executes}, has terms: {has_terms}"
        );
    }
    Ok(())
}

fn in_wallet(desk: &mut Desk, asset: Asset) -> Check<Quantity> {
    let mut held = Quantity::ZERO;
    for (_, rows) in desk.positions()? {
        let of_wallet =
            |row: &&Position| row.account == Account::WALLET && row.item == Item::Asset(asset);
        held = rows.iter().find(of_wallet).map_or(held, |row| row.quantity);
    }
    Ok(held)
}

/// A loan costs its premium, and the fee of the groups at least, rounded up to the asset's unit at most; what is available is all there is.
fn lends(desk: &mut Desk, venue: &str, offer: &FlashLoanTerms) -> Check {
    let premium = offer.premium.to_rate(Rounding::Up).map_err(text)?;
    let asset = offer.asset.as_str();
    let held = in_wallet(desk, offer.asset)?;
    let all = offer
        .available
        .at_rate(premium.max(GROUP_FEE), Rounding::Ceil);
    let affordable = all.map_err(text)? < held;
    let amount = if affordable { offer.available } else { held };
    // A group needs a step; these two leave everything as it is.
    let wrapped = || staking("wrap", ["ETH", "WETH"], "1");
    let unwrapped = || staking("unwrap", ["WETH", "ETH"], "1");
    let group = |units: Quantity| {
        let loan = flash_loan(asset, &units.to_string());
        atomic(&[
            (venue, loan),
            ("wallet", wrapped()),
            ("wallet", unwrapped()),
        ])
    };
    // Nobody has supplied any, as of the collateral of a market that starts empty.
    if amount.is_positive() {
        desk.probe("instadapp", group(amount))?.map_err(text)?;
    }
    let cost = held.sub(in_wallet(desk, offer.asset)?).map_err(text)?;
    let asked = premium.max(GROUP_FEE);
    let asked = amount.at_rate(asked, Rounding::Floor).map_err(text)?;
    let over = cost.sub(asked).map_err(text)?;
    ensure!(
        !over.is_negative() && over <= Quantity::literal("0.000001"),
        "{amount} cost {cost}, by its terms {asked}"
    );
    let above = offer.available.add(Quantity::literal("1")).map_err(text)?;
    let e = desk.refused("instadapp", group(above))?;
    let holds = format!("holds {}", offer.available);
    ensure!(e.to_string().contains(&holds), "{e}");
    Ok(())
}

fn has_mode(desk: &mut Desk, venue: &str, mode: &EModeTerms) -> Check {
    ensure!(mode.assets.len() > 1, "only one asset");
    let done = desk.probe(venue, e_mode(mode.category))?;
    done.map(drop).map_err(text)
}

/// There and back through the pool costs its fee twice.
fn exchanges(desk: &mut Desk, venue: &str, pool: &PoolTerms) -> Check {
    let mut given = None;
    for asset in &pool.assets {
        if given.is_none() && in_wallet(desk, *asset)?.is_positive() {
            given = Some(*asset);
        }
    }
    let given = given.ok_or("the wallet holds none of it")?;
    let name = pool.pool.as_str();
    for taken in pool.assets.iter().filter(|asset| **asset != given) {
        let (start, other) = (in_wallet(desk, given)?, in_wallet(desk, *taken)?);
        let there = swap(name, [given.as_str(), taken.as_str()], SMALL, "0");
        desk.probe(venue, there)?.map_err(text)?;
        let got = in_wallet(desk, *taken)?.sub(other).map_err(text)?;
        let way = [taken.as_str(), given.as_str()];
        let back = swap(name, way, &got.to_string(), "0");
        desk.probe(venue, back)?.map_err(text)?;
        let lost = start.sub(in_wallet(desk, given)?).map_err(text)?;
        let lost = lost.ratio(Quantity::literal(SMALL), Rounding::Floor);
        let lost = lost.map_err(text)?;
        let [least, most] = FEES.map(|times| pool.fee.mul(times, Rounding::Floor));
        let (least, most) = (least.map_err(text)?, most.map_err(text)?);
        ensure!(
            (least..=most).contains(&lost),
            "{given} → {taken} → {given} lost {lost}, by its fee {least} to {most}"
        );
    }
    Ok(())
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}
