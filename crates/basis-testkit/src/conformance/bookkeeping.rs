//! Cases of bookkeeping: what is reported is what there is, once, and the same every time.

use std::collections::BTreeSet;

use basis::core::error::{Rejection, VenueErrorKind};
use basis::core::instruction::OperationKind;
use basis::core::ledger::{EntryKind, LedgerEntry};
use basis::core::num::{Rounding, Value};
use basis::core::types::Item;
use basis::core::venue::VenueType;

use super::answer::Done;
use super::desk::{Check, Desk, Noise, ensure};
use super::market::Bench;
use super::script::{Script, Step};
use super::subjects::Subject;

/// 11: every operation of the capabilities, executed, as far as the script says.
pub(super) fn supported(subject: &Subject) -> Check {
    let steps = Script::of(subject.script);
    let mut desk = Desk::played(subject)?;
    let done = |kind: &OperationKind| {
        steps.iter().any(|step| {
            matches!(step, Step::Act { venue, operation, .. }
                if *venue == subject.venue && operation.kind() == *kind)
        })
    };
    let can = &desk.venue(subject.venue).capabilities().operations;
    let left: Vec<_> = can.iter().filter(|kind| !done(kind)).collect();
    ensure!(left.is_empty(), "the script executes no {left:?}");
    Ok(())
}

/// 12: lines add up to positions after every instruction and every step.
pub(super) fn sums(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    desk.balances()?;
    let steps = Script::of(subject.script);
    desk.play(&steps, &mut |desk, _| desk.balances())?;
    for _ in 0..30 {
        desk.step()?;
        desk.balances()?;
    }
    Ok(())
}

/// 13: no cause twice.
pub(super) fn causes(subject: &Subject) -> Check {
    unique(&Desk::played(subject)?)
}

fn unique(desk: &Desk) -> Check {
    ensure!(!desk.ledger().is_empty(), "no lines");
    let mut known = BTreeSet::new();
    for line in desk.ledger() {
        ensure!(known.insert(&line.cause), "twice: {}", line.cause);
    }
    Ok(())
}

/// 15: trade lines of assets cancel out; every other line is worth units × reference price.
pub(super) fn values(subject: &Subject) -> Check {
    let desk = Desk::played(subject)?;
    for report in &desk.reports {
        let mut trades = Value::ZERO;
        for line in report {
            ensure!(!line.reference_price.is_zero(), "no price: {line:?}");
            if line.kind == EntryKind::Trade {
                if !matches!(line.item, Item::Position(_)) {
                    trades = trades.add(line.value).map_err(|e| e.to_string())?;
                }
                continue;
            }
            let value = value_of(line)?;
            ensure!(line.value == value, "value {value}: {line:?}");
            if !line.item.is_scaled() {
                ensure!(line.quantity == line.units, "not scaled: {line:?}");
            }
        }
        ensure!(trades.is_zero(), "trades leave {trades}: {report:?}");
    }
    Ok(())
}

fn value_of(line: &LedgerEntry) -> Check<Value> {
    let value = line
        .units
        .notional(line.reference_price, Rounding::HalfEven);
    let value = value.map_err(|e| e.to_string())?;
    if line.item.is_debt() {
        return value.neg().map_err(|e| e.to_string());
    }
    Ok(value)
}

/// 16: the same script in another world brings the same events and lines, byte for byte.
pub(super) fn deterministic(subject: &Subject) -> Check {
    let text = || -> Check<String> {
        let mut desk = Desk::played(subject)?;
        let state = desk.state()?;
        Ok(format!("{:?}\n{:?}\n{state}", desk.heard, desk.ledger()))
    };
    ensure!(text()? == text()?, "two runs differ");
    Ok(())
}

fn nosy(subject: &Subject) -> Check<(Desk, Noise)> {
    let mut desk = Desk::new(subject.bench)?;
    desk.nosy = Some(Noise::default());
    desk.play(&Script::of(subject.script), &mut |_, _| Ok(()))?;
    let noise = desk.nosy.take().unwrap_or_default();
    Ok((desk, noise))
}

/// 17: asked again at the same instant, a venue has nothing new.
pub(super) fn once(subject: &Subject) -> Check {
    let (_, noise) = nosy(subject)?;
    ensure!(noise.again.is_empty(), "said twice: {:?}", noise.again);
    Ok(())
}

/// 18: a venue that is not due has nothing to say, and asking it changes nothing.
pub(super) fn due(subject: &Subject) -> Check {
    let (nosy, noise) = nosy(subject)?;
    ensure!(noise.undue.is_empty(), "not due: {:?}", noise.undue);
    let quiet = Desk::played(subject)?;
    ensure!(
        nosy.ledger() == quiet.ledger(),
        "asking a venue that is not due changes the lines"
    );
    let mut desk = Desk::new(subject.bench)?;
    let honest = &mut |desk: &mut Desk, _: Option<&Done>| -> Check {
        let view = desk.view.clone();
        let venue = desk.venue(subject.venue);
        let horizon = venue.horizon(&view);
        let names_something = horizon.at.is_some() || horizon.bounds.is_some();
        ensure!(
            !horizon.is_due(&view) || names_something,
            "due, and yet no next event"
        );
        ensure!(
            venue.horizon(&view) == horizon,
            "asked again, the horizon is another"
        );
        Ok(())
    };
    desk.play(&Script::of(subject.script), honest)
}

/// 20: positions come sorted, one row a holding, no empty rows, none of another venue.
pub(super) fn sorted(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let tidy = &mut |desk: &mut Desk, _: Option<&Done>| -> Check {
        for (venue, rows) in desk.positions()? {
            let keys: Vec<_> = rows.iter().map(|row| (row.account, row.item)).collect();
            ensure!(
                keys.is_sorted_by(|a, b| a < b),
                "{venue} reports in the order {keys:?}"
            );
            for row in &rows {
                let empty = row.quantity.is_zero() && row.units.is_zero();
                ensure!(!empty, "{venue} reports an empty row: {row:?}");
                let flight = row.account == basis::core::types::Account::IN_FLIGHT;
                let own = row.account.venue == venue || flight;
                ensure!(own, "{venue} reports a row of somebody else: {row:?}");
            }
        }
        Ok(())
    };
    tidy(&mut desk, None)?;
    desk.play(&Script::of(subject.script), tidy)
}

/// 22: a transaction pays gas once, in ETH, and is refused without; what is no transaction pays none.
pub(super) fn gas(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let steps = Script::of(subject.script);
    let registry = subject.bench.registry();
    let row = registry.require(subject.venue).map_err(|e| e.to_string())?;
    let on_chain = row.facts.venue_type != VenueType::Cex;
    let mut kinds = steps.iter().filter_map(|step| match step {
        Step::Act { operation, .. } => Some(operation.kind()),
        Step::Wait(_) => None,
    });
    let count = &mut |_: &mut Desk, done: Option<&Done>| -> Check {
        let Some(done) = done else { return Ok(()) };
        let is_transaction = on_chain && kinds.next() != Some(OperationKind::Transfer);
        let of_gas = |line: &&LedgerEntry| line.kind == EntryKind::Gas;
        let paid: Vec<_> = done.lines.iter().filter(of_gas).collect();
        ensure!(
            paid.len() == usize::from(is_transaction),
            "instruction {}: {paid:?}",
            done.instruction
        );
        for line in paid {
            let place = (line.account.to_string(), line.item.to_string());
            ensure!(
                place == ("wallet.main".to_owned(), "ETH".to_owned()) && line.units.is_negative(),
                "gas is paid as {line:?}"
            );
        }
        Ok(())
    };
    desk.play(&steps, count)?;
    if on_chain {
        without_ether(subject, &steps)?;
    }
    Ok(())
}

fn without_ether(subject: &Subject, steps: &[Step]) -> Check {
    let mut desk = Desk::with(subject.bench, &subject.bench.settings_without_ether(), None)?;
    let Some(Step::Act { operation, .. }) = steps.first() else {
        return Err("a script begins with an instruction".to_owned());
    };
    let e = desk.refused(subject.venue, operation.clone())?;
    let typed = matches!(
        &e.kind,
        VenueErrorKind::Rejected {
            reason: Rejection::InsufficientBalance { asset, .. },
            ..
        } if asset.as_str() == "ETH"
    );
    ensure!(typed, "without ether: {e}");
    Ok(())
}

/// Hours after which a script begins that uses another venue's account, whose script is then over.
fn begins_after(venue: &str) -> i64 {
    if venue == "instadapp" { 60 } else { 0 }
}

/// All scripts side by side in one world, hour by hour: they meet on one chain and in one wallet.
pub(super) fn side_by_side(subjects: &[Subject]) -> Check {
    let mut desk = Desk::new(Bench::BUILTIN)?;
    desk.nosy = Some(Noise::default());
    let mut running: Vec<_> = subjects
        .iter()
        .zip(0..)
        .map(|(subject, number)| {
            let steps = Script::after(100 * number, subject.script);
            (begins_after(subject.venue), steps.into_iter().peekable())
        })
        .collect();
    while running.iter_mut().any(|(_, steps)| steps.peek().is_some()) {
        for (waits, steps) in &mut running {
            while *waits == 0 {
                match steps.next() {
                    Some(Step::Wait(hours)) => *waits = hours,
                    Some(act) => desk.play(&[act], &mut |desk, _| desk.balances())?,
                    None => break,
                }
            }
            *waits = (*waits - 1).max(0);
        }
        desk.step()?;
        desk.balances()?;
    }
    let noise = desk.nosy.take().unwrap_or_default();
    let quiet = noise.again.is_empty() && noise.undue.is_empty();
    ensure!(quiet, "superfluous questions were answered: {noise:?}");
    unique(&desk)
}
