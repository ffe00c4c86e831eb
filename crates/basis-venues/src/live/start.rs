//! Whether the venue may be traded at: clock, key, account, position mode and rules, before anything is sent.

use std::collections::VecDeque;

use basis_core::error::{Code, ComponentError, VenueErrorKind};
use basis_core::rules::InstrumentRules;
use basis_core::types::{Span, Timestamp, Venue};
use basis_core::venue_event::EventKind;
use basis_live::actor::Output;

use super::codec::{OrderReport, Problem, Setup, Step, StepFound};
use super::purpose::{Answered, Purpose};
use super::recent::{CLOCK_EVERY, Recent};
use super::wire::Offset;
use super::{Machine, Phase};
use crate::wire::{Failure, JsonDraft, instruction_of};

/// How far our clock may be off the venue's.
pub const CLOCK_OFF_MAX: Span = Span::from_seconds(2);
/// How long the start may take.
const START_MAX: Span = Span::from_seconds(25);
/// The wait after a read of the start failed.
const AGAIN: Span = Span::from_seconds(1);

/// How far the start has come.
#[derive(Debug)]
pub(super) struct Start {
    steps: VecDeque<Step>,
    until: Option<Timestamp>,
    /// When the step is asked; `None` while it is.
    due: Option<Timestamp>,
    /// Why the step did not pass when it was last answered.
    problem: Option<String>,
}

impl Start {
    /// A start that measures the clock, then takes `steps`.
    pub(super) fn new(steps: Vec<Step>) -> Self {
        let mut all: VecDeque<_> = [Step::Clock].into();
        all.extend(steps);
        Self {
            steps: all,
            until: None,
            due: Some(Timestamp::MIN),
            problem: None,
        }
    }

    /// When it goes on: with its step, or by giving up.
    pub(super) const fn due(&self) -> Option<Timestamp> {
        match self.due {
            Some(due) => Some(due),
            None => self.until,
        }
    }
}

/// A problem that will not pass.
pub(crate) fn refused(code: Code, reason: &'static str, message: impl Into<String>) -> Problem {
    Problem::Final(ComponentError::new(code, message).with_reason(reason))
}

impl Machine {
    /// Asks the next step of the start, when it is due.
    pub(super) fn begin(&mut self) {
        let now = self.now;
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        let until = *start.until.get_or_insert(now.plus(START_MAX));
        if start.due.is_none() && now >= until {
            // The gateway may turn the address away for longer than a start waits.
            self.wire.withdraw(Purpose::Start);
            let before = start.problem.take();
            let text = before.unwrap_or_else(|| "no answer in time".to_owned());
            return self.step_failed(Problem::Passing(text));
        }
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        if start.due.is_none_or(|due| due > now) {
            return;
        }
        start.due = None;
        let Some(step) = start.steps.front().copied() else {
            return self.started();
        };
        match self.step_question(step) {
            Some(draft) => self.wire.read(now, draft, Purpose::Start),
            None => self.step_passed(),
        }
    }

    /// What a step that passed has shown, for a person.
    fn describe(&self, step: Step) -> Option<String> {
        Some(match step {
            Step::Clock => {
                let clock = self.wire.clock;
                let (offset, skew) = (clock.offset, clock.skew);
                format!("clock: the venue is {offset} from this machine's, known to {skew}")
            }
            Step::PositionMode(key) => {
                let mode = mode_name(self.settings.hedge_mode);
                format!("position mode: {key} is in {mode} mode")
            }
            Step::Orders(key) => format!("orders: those of {key} were read"),
            other => return self.codec.describe(other, self.setup()),
        })
    }

    fn step_question(&self, step: Step) -> Option<JsonDraft> {
        match step {
            Step::Clock => Some(self.codec.time_question()),
            other => self.codec.step_question(other, self.setup()),
        }
    }

    fn step_passed(&mut self) {
        let step = match &mut self.phase {
            Phase::Starting(start) => start.steps.pop_front(),
            Phase::Ready | Phase::Refused => None,
        };
        if let Some(text) = step.and_then(|step| self.describe(step)) {
            self.notice(text);
        }
        if let Phase::Starting(start) = &mut self.phase {
            start.due = Some(self.now);
            start.problem = None;
            self.begin();
        }
    }

    pub(super) fn start_expired(&mut self) {
        self.step_failed(Problem::Passing("no turn within the limits".to_owned()));
    }

    pub(super) fn start_answered(&mut self, answered: Answered) {
        let Phase::Starting(start) = &self.phase else {
            return;
        };
        let Some(step) = start.steps.front().copied() else {
            return;
        };
        match self.take_step(step, answered) {
            Ok(()) => self.step_passed(),
            Err(problem) => self.step_failed(problem),
        }
    }

    fn step_failed(&mut self, problem: Problem) {
        let now = self.now;
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        let step = start.steps.front().copied();
        let is_over = start.until.is_some_and(|until| now >= until);
        let error = match problem {
            Problem::Final(error) => error,
            Problem::Passing(text) if is_over => {
                let venue = self.codec.venue();
                let message = format!("{venue}: {step:?} of the start: {text}");
                ComponentError::new(Code::VenueUnavailable, message).retryable()
            }
            Problem::Passing(text) => {
                start.problem = Some(text);
                start.due = Some(now.plus(AGAIN));
                return;
            }
        };
        self.phase = Phase::Refused;
        self.halted = Some(error.message.clone());
        self.out.push(Output::Ready(Err(error)));
        self.serve_backlog();
    }

    fn started(&mut self) {
        self.phase = Phase::Ready;
        self.clock_due = self.now.plus(CLOCK_EVERY);
        let since = self.wire.clock.venue(self.now);
        let keys = self.rules.instruments.iter().map(|rules| rules.key);
        self.recent = keys.map(|key| Recent::new(key, since, self.now)).collect();
        self.out.push(Output::Ready(Ok(())));
        self.serve_backlog();
    }

    fn serve_backlog(&mut self) {
        for command in std::mem::take(&mut self.backlog) {
            self.command(command);
        }
    }

    fn take_step(&mut self, step: Step, answered: Answered) -> Result<(), Problem> {
        if let Step::Clock = step {
            return self.measure(&answered).map_err(|text| {
                if answered.result.is_ok() {
                    refused(Code::CreationFailed, "clock", text)
                } else {
                    Problem::Passing(text)
                }
            });
        }
        let venue = self.venue();
        let body = answered.result.map_err(|failure| failed(venue, &failure))?;
        let setup = Setup {
            settings: &self.settings,
            rules: &self.rules,
        };
        match self.codec.take_step(step, setup, &body)? {
            StepFound::Nothing => {}
            StepFound::Rules(trading) => self.take_rules(step, trading),
            StepFound::Orders(rows) => self.note_foreign(&rows),
        }
        Ok(())
    }

    /// Takes the venue's time, and says when ours is too far off.
    pub(super) fn measure(&mut self, answered: &Answered) -> Result<(), String> {
        let body = answered.result.as_ref().map_err(|e| e.kind.to_string())?;
        let server = self.codec.time(body).map_err(|e| e.to_string())?;
        let round_trip = self.now.since(answered.sent_at);
        let half = Span::from_nanos(round_trip.nanos() / 2);
        let middle = answered.sent_at.plus(half);
        let offset = server.since(middle);
        // The venue's milliseconds are rounded down.
        let skew = Span::from_nanos(half.nanos().saturating_add(1_000_000));
        if offset.nanos().saturating_abs() > CLOCK_OFF_MAX.nanos().saturating_add(skew.nanos()) {
            return Err(format!(
                "this machine's clock is {offset} from the venue's, more than {CLOCK_OFF_MAX}; set it by NTP"
            ));
        }
        self.wire.clock = Offset { offset, skew };
        Ok(())
    }

    /// Takes filters as the venue has them now; what does not trade is not listed any more.
    fn take_rules(&mut self, step: Step, trading: Vec<InstrumentRules>) {
        let Step::Rules(kind) = step else {
            return;
        };
        self.rules
            .instruments
            .retain(|rules| rules.key.kind != kind);
        if let Phase::Starting(start) = &mut self.phase {
            for rules in &trading {
                start.steps.extend(self.codec.steps_of(rules.key));
            }
        }
        self.rules.instruments.extend(trading);
        self.rules.effective_from = self.now;
        self.emit(self.now, EventKind::Rules { from: self.now });
    }

    fn note_foreign(&mut self, rows: &[OrderReport]) {
        for row in rows {
            if instruction_of(self.settings.book, &row.client).is_none() {
                self.foreign(row);
            }
        }
    }
}

/// Checks that what `what` names is in the position mode of the settings.
pub(crate) fn check_mode(
    venue: Venue,
    what: &str,
    (hedge, wanted): (bool, bool),
) -> Result<(), Problem> {
    if hedge == wanted {
        return Ok(());
    }
    let text = format!(
        "{what} is in {} mode, and the settings say {} (venue_settings.{venue}.position_mode); change one of them \
         while no position and no order of it is open",
        mode_name(hedge),
        mode_name(wanted)
    );
    Err(refused(Code::CreationFailed, "position_mode", text))
}

const fn mode_name(hedge: bool) -> &'static str {
    if hedge { "hedge" } else { "one-way" }
}

fn failed(venue: Venue, failure: &Failure) -> Problem {
    match &failure.kind {
        VenueErrorKind::Auth(text) => refused(
            Code::VenueCredentials,
            "refused",
            format!("{venue} refused the key: {text}"),
        ),
        other => Problem::Passing(other.to_string()),
    }
}
