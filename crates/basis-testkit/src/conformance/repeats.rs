//! Cases of repetition: what is sent, asked, reported or read a second time.

use std::collections::{BTreeMap, BTreeSet};

use basis::core::error::VenueErrorKind;
use basis::core::instruction::{Instruction, Operation, OperationKind};
use basis::core::types::InstructionId;
use basis::core::venue_event::{AccountSnapshot, EventKey, EventKind, Events, VenueEvent};
use basis::engine::account::Posted;

use super::desk::{Check, Desk, ensure};
use super::script::{Script, Step, sample};
use super::subjects::Subject;

/// What a value reads as once it has been written.
macro_rules! through_json {
    ($value:expr) => {{
        let text = serde_json::to_string($value).map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|e| format!("{text}: {e}"))?
    }};
}

/// An id that no script and no probe has.
const REFUSED: InstructionId = InstructionId::plain(900);

/// 26: an instruction whose id was taken on before does nothing: at once, later, within one call, with
/// another operation, after a refusal.
pub(super) fn taken_on(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    let mut sent = Vec::new();
    for step in Script::of(subject.script) {
        desk.play(std::slice::from_ref(&step), &mut |_, _| Ok(()))?;
        let Step::Act {
            venue,
            id,
            operation,
            ..
        } = step
        else {
            continue;
        };
        let instruction = Instruction::new(InstructionId::plain(id), operation);
        desk.ignored(venue, &instruction)?;
        sent.push((venue, instruction));
    }
    for (venue, instruction) in &sent {
        desk.ignored(venue, instruction)?;
    }
    let unknown = Instruction::new(REFUSED, (subject.unknown)().remove(0));
    let refused = desk.execute(subject.venue, REFUSED.counter(), unknown.operation.clone())?;
    ensure!(refused.is_err(), "{unknown:?} was not refused");
    desk.ignored(subject.venue, &unknown)?;
    let (venue, first) = sent.first().ok_or("an empty script")?;
    desk.ignored(venue, &Instruction::new(REFUSED, first.operation.clone()))?;
    twice_in_one_call(subject, first)
}

fn twice_in_one_call(subject: &Subject, first: &Instruction) -> Check {
    let venue = subject.venue;
    let once = Desk::new(subject.bench)?.send(venue, std::slice::from_ref(first));
    let mut desk = Desk::new(subject.bench)?;
    let twice = desk.send(venue, &[first.clone(), first.clone()]);
    ensure!(
        once == twice,
        "sent once {once:?}, twice in one call {twice:?}"
    );
    Ok(())
}

/// 27: after instructions, and after a poll, no venue has anything to add at the same instant, and asking
/// it changes nothing.
pub(super) fn polled_again(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    desk.play(&Script::of(subject.script), &mut |desk, _| {
        let before = desk.state()?;
        for _ in 0..2 {
            let mut events = Events::new();
            for venue in &mut desk.venues {
                venue.poll_events(&desk.view, &mut events);
            }
            ensure!(events.is_empty(), "said afterwards: {events:?}");
        }
        ensure!(desk.state()? == before, "polling has changed the state");
        Ok(())
    })
}

/// What a script brings that has keys, in order.
fn keyed(desk: &Desk) -> Vec<(EventKey, &VenueEvent)> {
    let keyed = desk.heard.iter();
    keyed
        .filter_map(|event| event.key().map(|key| (key, event)))
        .collect()
}

/// 28: a fact has one key, the same in every world and after JSON, and no two facts share it; booking it
/// again changes nothing, in whatever order.
pub(super) fn keys(subject: &Subject) -> Check {
    let mut desk = Desk::played(subject)?;
    let other = Desk::played(subject)?;
    let (first, second) = (keyed(&desk), keyed(&other));
    let names = |keyed: &[(EventKey, &VenueEvent)]| -> Vec<EventKey> {
        keyed.iter().map(|(key, _)| key.clone()).collect()
    };
    ensure!(!first.is_empty(), "no event has a key");
    ensure!(names(&first) == names(&second), "another world, other keys");
    let mut known = BTreeSet::new();
    let mut written = BTreeSet::new();
    for (key, event) in &first {
        ensure!(known.insert(key), "two events are called {key}");
        ensure!(written.insert(key.to_string()), "two keys read {key}");
        let again: VenueEvent = through_json!(event);
        ensure!(again.key().as_ref() == Some(key), "{key} is now {again:?}");
        let read: EventKey = through_json!(key);
        ensure!(read == *key, "{key} reads as {read}");
        // Received later, it is the same fact.
        let late = VenueEvent {
            received_at: desk.view.now(),
            ..again
        };
        ensure!(late.key().as_ref() == Some(key), "{key} is late {late:?}");
    }
    let unnamed = desk.heard.iter().filter(|event| event.key().is_none());
    let posting: BTreeSet<_> = desk
        .ledger()
        .iter()
        .map(|line| &*line.cause.event)
        .collect();
    ensure!(
        posting.iter().all(|key| known.contains(key)),
        "lines have causes that no event is called"
    );
    let quiet = unnamed.cloned().collect::<Vec<_>>();
    let again: Vec<_> = first
        .iter()
        .rev()
        .map(|(_, event)| (*event).clone())
        .collect();
    books_nothing(&mut desk, &again, true)?;
    books_nothing(&mut desk, &quiet, false)
}

fn books_nothing(desk: &mut Desk, events: &[VenueEvent], known: bool) -> Check {
    let before: BTreeMap<_, _> = holdings(desk);
    let lines = desk.ledger().to_vec();
    for event in events {
        let posted = desk.books.post(&desk.view, event);
        let posted = posted.map_err(|e| format!("{event:?}: {e}"))?;
        let nothing = match &posted {
            Posted::Repeated => known,
            Posted::New {
                lines, unpriced, ..
            } => !known && lines.is_empty() && unpriced.is_empty(),
        };
        ensure!(nothing, "again {event:?}: {posted:?}");
    }
    ensure!(desk.ledger() == lines, "the ledger has changed");
    ensure!(holdings(desk) == before, "the holdings have changed");
    desk.balances()
}

fn holdings(desk: &Desk) -> BTreeMap<String, String> {
    let held = desk.books.holdings().iter();
    held.map(|holding| {
        let place = format!("{} {}", holding.account, holding.item);
        (place, format!("{holding:?}"))
    })
    .collect()
}

/// 29: every event, refusals and answers included, and every snapshot is the same after JSON.
pub(super) fn json(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    for operation in refusals(subject, &mut desk) {
        desk.refused(subject.venue, operation)?;
    }
    desk.play(&Script::of(subject.script), &mut |desk, _| {
        for (venue, said) in desk.snapshots()? {
            let read: AccountSnapshot = through_json!(&said);
            ensure!(read == said, "{venue} says {said:?}, read as {read:?}");
        }
        Ok(())
    })?;
    let mut kinds = (false, false, false);
    for event in &desk.heard {
        let read: VenueEvent = through_json!(event);
        ensure!(read == *event, "{event:?} reads as {read:?}");
        kinds.0 |= matches!(event.kind, EventKind::Rejected { .. });
        kinds.1 |= matches!(event.kind, EventKind::Snapshot { .. });
        kinds.2 |= event.key().is_some();
    }
    ensure!(kinds == (true, true, true), "met only {kinds:?}");
    Ok(())
}

/// 30: `account()` is there at once: empty before the first answer, then the last answer, and only a poll
/// brings another.
pub(super) fn account(subject: &Subject) -> Check {
    let view = subject.bench.view(None);
    let world = subject.bench.world(&view);
    let dependencies = world.dependencies();
    let settings = subject.bench.settings();
    let mut desk = Desk::unread(subject.bench, world, view, &settings, Some(dependencies))?;
    let is_empty = |desk: &mut Desk, when: &str| -> Check {
        let said = desk.venue(subject.venue).account();
        ensure!(*said == AccountSnapshot::default(), "{when}: {said:?}");
        Ok(())
    };
    is_empty(&mut desk, "before anything")?;
    let steps = Script::of(subject.script);
    desk.play(steps.get(..1).ok_or("an empty script")?, &mut |_, _| Ok(()))?;
    is_empty(&mut desk, "after an instruction")?;
    desk.step()?;
    is_empty(&mut desk, "after an hour that nobody asked in")?;
    desk.venue(subject.venue).request_snapshot();
    is_empty(&mut desk, "asked but not answered")?;
    let view = desk.view.clone();
    let venue = desk.venue(subject.venue);
    ensure!(
        venue.horizon(&view).is_due(&view),
        "asked, and not due to answer"
    );
    let mut events = Events::new();
    venue.poll_events(&view, &mut events);
    let now = view.now();
    let answers = |event: &&VenueEvent| event.kind == snapshot(now);
    ensure!(
        events.iter().filter(answers).count() == 1,
        "answered by {events:?}"
    );
    let said = venue.account().clone();
    ensure!(
        (said.asked, said.answered) == (now, now),
        "the answer at {now} is {said:?}"
    );
    ensure!(*venue.account() == said, "read again it is another");
    desk.step()?;
    let venue = desk.venue(subject.venue);
    ensure!(
        *venue.account() == said,
        "another answer that nobody asked for"
    );
    Ok(())
}

fn snapshot(at: basis::core::types::Timestamp) -> EventKind {
    EventKind::Snapshot {
        asked: at,
        answered: at,
    }
}

/// Some of everything that the venue refuses.
fn refusals(subject: &Subject, desk: &mut Desk) -> Vec<Operation> {
    let can = &desk.venue(subject.venue).capabilities().operations;
    let cannot = OperationKind::ALL
        .into_iter()
        .filter(|kind| !can.contains(kind));
    let mut all: Vec<_> = cannot.map(sample).collect();
    all.extend((subject.unknown)());
    for (of, too_much) in subject.amounts {
        all.extend(["0", "-1", too_much].map(of));
    }
    all
}

/// 31: a refusal is exactly one event, `Rejected`, of the venue and the instruction it was sent to, now and
/// without a key; one in the middle of a call keeps nothing from the others.
pub(super) fn one_refusal(subject: &Subject) -> Check {
    let mut desk = Desk::new(subject.bench)?;
    for (operation, number) in refusals(subject, &mut desk).into_iter().zip(1..) {
        let id = InstructionId::plain(REFUSED.counter() * 1_000 + number);
        let instruction = Instruction::new(id, operation);
        let events = desk.send(subject.venue, std::slice::from_ref(&instruction));
        let now = desk.view.now();
        let [
            VenueEvent {
                venue,
                at,
                received_at,
                kind: EventKind::Rejected { instruction, error },
            },
        ] = &events[..]
        else {
            return Err(format!("{instruction:?} is answered by {events:?}"));
        };
        ensure!(
            venue.as_str() == subject.venue && error.venue == *venue && *instruction == id,
            "{id} at {} is refused by {events:?}",
            subject.venue
        );
        ensure!((*at, *received_at) == (now, now), "at {now}: {events:?}");
        let doubtful = matches!(error.kind, VenueErrorKind::OutcomeUnknown(_));
        ensure!(!doubtful, "refused, and nobody knows: {events:?}");
        let unnamed = events.iter().all(|event| event.key().is_none());
        ensure!(unnamed, "a refusal has a key");
    }
    between_two(subject)
}

fn between_two(subject: &Subject) -> Check {
    let Some(Step::Act { operation, .. }) = Script::of(subject.script).into_iter().next() else {
        return Err("a script begins with an instruction".to_owned());
    };
    let good = Instruction::new(InstructionId::plain(1), operation);
    let bad = Instruction::new(REFUSED, (subject.unknown)().remove(0));
    let alone = Desk::new(subject.bench)?.send(subject.venue, std::slice::from_ref(&good));
    for order in [[&good, &bad], [&bad, &good]] {
        let both = Desk::new(subject.bench)?.send(subject.venue, &order.map(Clone::clone));
        let (refused, rest): (Vec<_>, Vec<_>) = both
            .into_iter()
            .partition(|event| event.instruction() == Some(REFUSED));
        ensure!(refused.len() == 1, "refused by {refused:?}");
        ensure!(rest == alone, "beside a refusal {rest:?}, alone {alone:?}");
    }
    Ok(())
}
