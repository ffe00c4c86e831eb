//! Cases of refusal: a typed error with its code, and nothing has changed.

use basis::core::error::{Rejection, VenueErrorKind};
use basis::core::health::HealthState;
use basis::core::instruction::{Operation, OperationKind};

use super::desk::{Check, Desk, ensure};
use super::market;
use super::script::{Script, Step, atomic, sample, swap};
use super::subjects::Subject;

fn all_refused(desk: &mut Desk, subject: &Subject, operations: Vec<Operation>) -> Check {
    ensure!(!operations.is_empty(), "nothing was asked");
    for operation in operations {
        desk.refused(subject.venue, operation)?;
    }
    Ok(())
}

/// 3: every operation outside the capabilities.
pub(super) fn unsupported(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let can = desk.venue(subject.venue).capabilities().operations.clone();
    for kind in OperationKind::ALL
        .into_iter()
        .filter(|kind| !can.contains(kind))
    {
        let e = desk.refused(subject.venue, sample(kind))?;
        ensure!(
            matches!(e.kind, VenueErrorKind::Unsupported(_)),
            "{kind}: expected unsupported, found {e}"
        );
        let text = e.to_string();
        ensure!(text.contains(kind.as_str()), "{kind}: {text}");
        let lists = can.iter().all(|can| text.contains(can.as_str()));
        ensure!(lists, "{kind}: {text} does not say what it can");
    }
    Ok(())
}

/// 4: unknown asset, symbol, pool, market, account, order or withdrawal request.
pub(super) fn unknown(subject: &Subject) -> Check {
    all_refused(&mut Desk::new(subject.bench)?, subject, (subject.unknown)())
}

/// 5: nothing, and less.
pub(super) fn no_amount(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    for (of, _) in subject.amounts {
        all_refused(&mut desk, subject, vec![of("0"), of("-1")])?;
    }
    Ok(())
}

/// 6: more than there is.
pub(super) fn too_much(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    for (of, amount) in subject.amounts {
        let operation = of(amount);
        let text = format!("{operation:?}");
        let e = desk.refused(subject.venue, operation)?;
        ensure!(
            matches!(e.kind, VenueErrorKind::Rejected { .. }),
            "{text}: expected a rejection, found {e}"
        );
    }
    Ok(())
}

/// 7: below a minimum, above a cap or maximum.
pub(super) fn bounds(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let (prepare, refused) = (subject.bounds)();
    desk.prepare(subject.venue, prepare)?;
    all_refused(&mut desk, subject, refused)
}

/// 8: more decimals than the asset has.
pub(super) fn decimals(subject: &Subject) -> Check {
    all_refused(&mut Desk::new(subject.bench)?, subject, (subject.finer)())
}

/// 9: a price or rate that is too old.
pub(super) fn stale(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let (prepare, refused) = (subject.priced)();
    desk.prepare(subject.venue, prepare)?;
    desk.to(market::STALE)?;
    for operation in refused {
        let e = desk.refused(subject.venue, operation)?;
        let typed = matches!(
            &e.kind,
            VenueErrorKind::Rejected {
                reason: Rejection::MarketStale { .. } | Rejection::Other(_),
                ..
            }
        );
        let text = e.to_string();
        ensure!(typed && text.contains("no fresh price"), "found {text}");
        let named = subject.needs.iter().any(|series| text.contains(series));
        ensure!(named, "{text} names none of {:?}", subject.needs);
    }
    Ok(())
}

/// 10: a series that the run does not read.
pub(super) fn missing(subject: &Subject) -> Check {
    for series in subject.needs {
        let mut desk = Desk::with(subject.bench, &subject.bench.settings(), Some(series))?;
        let (prepare, priced) = (subject.priced)();
        let mut found = None;
        for operation in prepare.into_iter().chain(priced) {
            let before = desk.state()?;
            if let Err(e) = desk.probe(subject.venue, operation)? {
                ensure!(desk.state()? == before, "refused ({e}) and changed");
                found = Some(e);
                break;
            }
        }
        let e = found.ok_or_else(|| format!("without {series}: executed"))?;
        // What any venue's series would do is named with a star.
        let of = series.split('.').nth(1).unwrap_or_default();
        let any = series.replace(&format!(".{of}."), ".*.");
        let text = e.to_string();
        let named = text.contains(series) || text.contains(&any);
        ensure!(named, "without {series}: {text} does not name it");
    }
    Ok(())
}

/// 14: the same in the middle of a script, when there is something to touch.
pub(super) fn untouched(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let steps = Script::of(subject.script);
    let acts = steps.iter().position(|step| matches!(step, Step::Wait(_)));
    let middle = acts.unwrap_or(steps.len());
    let (before, after) = steps.split_at(middle);
    desk.play(before, &mut |_, _| Ok(()))?;
    all_refused(&mut desk, subject, (subject.unknown)())?;
    for (of, _) in subject.amounts {
        all_refused(&mut desk, subject, vec![of("0"), of("-1")])?;
    }
    let can = desk.venue(subject.venue).capabilities().operations.clone();
    let cannot = OperationKind::ALL
        .into_iter()
        .filter(|kind| !can.contains(kind));
    all_refused(&mut desk, subject, cannot.map(sample).collect())?;
    // What was refused must not stand in the way of what follows.
    desk.play(after, &mut |_, _| Ok(()))?;
    desk.balances()
}

/// 19: healthy after a success, failures counted.
pub(super) fn health(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let steps = Script::of(subject.script);
    let first = steps.get(..1).ok_or("an empty script")?;
    let health = |desk: &mut Desk| desk.venue(subject.venue).health();
    let counts = health(&mut desk).counts();
    ensure!(counts == (0, 0), "before anything {counts:?}");
    let unknown = (subject.unknown)().remove(0);
    let e = desk.refused(subject.venue, unknown)?;
    let failed = health(&mut desk);
    ensure!(
        failed.counts() == (1, 1),
        "after a refusal {:?}",
        failed.counts()
    );
    let last = failed.last_errors().last();
    let code = last.map(|(_, code, _)| *code);
    ensure!(code == Some(e.code()), "{e} is kept as {last:?}");
    desk.play(first, &mut |_, _| Ok(()))?;
    let health = health(&mut desk);
    ensure!(
        health.counts() == (2, 1),
        "after a success {:?}",
        health.counts()
    );
    ensure!(
        health.state() == HealthState::Healthy,
        "after a success {:?}",
        health.state()
    );
    ensure!(
        health.updated_at() == Some(desk.view.now()),
        "last updated at {:?}",
        health.updated_at()
    );
    Ok(())
}

/// 21: a group whose middle step fails leaves every holding of every venue as it was, and costs nothing.
pub(super) fn all_or_nothing(subject: &Subject) -> Check {
    let step = || (subject.step)().ok_or("the venue has no operation that can be a step");
    let place = match subject.venue {
        "instadapp" => "uniswap",
        venue => venue,
    };
    let good = || swap("WETHUSDT", ["WETH", "USDT"], "1", "0");
    let bad = swap("WETHUSDT", ["WETH", "USDT"], "1", "1000000");
    let mut desk = Desk::new(subject.bench)?;
    desk.prepare(
        "aave",
        vec![sample(basis::core::instruction::OperationKind::Supply)],
    )?;
    let group = [(place, step()?), ("uniswap", bad), ("uniswap", good())];
    let e = desk.refused("instadapp", atomic(&group))?;
    ensure!(e.to_string().contains("step 2"), "{e} does not say where");
    // Without the bad step it goes through.
    let group = [(place, step()?), ("uniswap", good())];
    let done = desk.probe("instadapp", atomic(&group))?;
    done.map_err(|e| format!("the group without the bad step: {e}"))?;
    desk.balances()
}
