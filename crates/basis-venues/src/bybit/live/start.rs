//! Whether the venue may be traded at: clock, key, account, position mode and rules, before anything is sent.

use std::collections::VecDeque;

use basis_core::error::{Code, ComponentError, VenueErrorKind};
use basis_core::instruction::MarginMode;
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstrumentKey, InstrumentKind, Span, Timestamp};
use basis_core::venue_event::EventKind;
use basis_live::actor::Output;

use super::purpose::{Answered, Purpose};
use super::recent::{CLOCK_EVERY, Recent};
use super::settings::LiveSettings;
use super::wire::Offset;
use super::{BybitMachine, Phase};
use crate::bybit::answer::Failure;
use crate::bybit::codec::replies::{self, DecodeError, Listed, Tiers};
use crate::bybit::codec::{Category, open_orders_of, reads};
use crate::wire::{JsonDraft, Range, instruction_of};

/// How far our clock may be off the venue's.
pub const CLOCK_OFF_MAX: Span = Span::from_seconds(2);
/// How long the start may take.
const START_MAX: Span = Span::from_seconds(25);
/// The wait after a read of the start failed.
const AGAIN: Span = Span::from_seconds(1);
/// Instruments of a page, the most that the venue gives.
const ROWS: u32 = 1_000;

/// One thing that is found out.
#[derive(Clone, Copy, Debug)]
enum Step {
    Clock,
    Permissions,
    Account,
    /// Margin tiers of a perpetual of the configuration.
    Tiers(InstrumentKey),
    Rules(Category),
    PositionMode(InstrumentKey),
    Orders(InstrumentKey),
}

/// How far the start has come.
#[derive(Debug)]
pub(super) struct Start {
    steps: VecDeque<Step>,
    tiers: Vec<Tiers>,
    until: Option<Timestamp>,
    /// When the step is asked; `None` while it is.
    due: Option<Timestamp>,
}

/// Why a step did not pass.
enum Problem {
    /// It may pass when it is asked again.
    Passing(String),
    /// It will not.
    Final(ComponentError),
}

impl From<DecodeError> for Problem {
    fn from(e: DecodeError) -> Self {
        Self::Passing(e.to_string())
    }
}

impl Start {
    pub(super) fn new(settings: &LiveSettings, rules: &RuleSnapshot) -> Self {
        let mut steps: VecDeque<_> = [Step::Clock, Step::Permissions, Step::Account].into();
        if settings.linear {
            let perps = rules.instruments.iter().filter(|rules| {
                rules.key.kind == InstrumentKind::Perp
                    && settings.symbols.contains(&rules.key.symbol)
            });
            steps.extend(perps.map(|rules| Step::Tiers(rules.key)));
        }
        steps.extend(settings.categories().into_iter().map(Step::Rules));
        Self {
            steps,
            tiers: Vec::new(),
            until: None,
            due: Some(Timestamp::MIN),
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

fn refused(code: Code, reason: &'static str, message: impl Into<String>) -> Problem {
    Problem::Final(ComponentError::new(code, message).with_reason(reason))
}

impl BybitMachine {
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
            return self.step_failed(Problem::Passing("no answer in time".to_owned()));
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
        match self.question(step) {
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
            Step::Permissions => {
                "key: it may trade what is traded, and may not withdraw".to_owned()
            }
            Step::Account => "account: unified, in cross margin mode".to_owned(),
            Step::Rules(category) => {
                let of_category = self.rules.instruments.iter();
                let of_category =
                    of_category.filter(|rules| Category::of(rules.key.kind) == category);
                let names: Vec<_> = of_category
                    .map(|rules| rules.venue_symbol.as_str())
                    .collect();
                format!("rules: {} trades {}", category.as_str(), names.join(", "))
            }
            Step::PositionMode(key) => {
                let mode = mode_name(self.settings.hedge_mode);
                format!("position mode: {key} is in {mode} mode")
            }
            Step::Orders(key) => format!("orders: those of {key} were read"),
            Step::Tiers(_) => return None,
        })
    }

    fn question(&self, step: Step) -> Option<JsonDraft> {
        let listed = |key: InstrumentKey| self.rules.instrument(key.kind, key.symbol);
        let page = |rows| Range {
            rows: Some(rows),
            ..Range::default()
        };
        Some(match step {
            Step::Clock => reads::server_time(),
            Step::Permissions => reads::key_permissions(),
            Step::Account => reads::account_info(),
            Step::Tiers(key) => reads::tiers(listed(key)?),
            Step::Rules(category) => reads::instruments(category, &page(ROWS)),
            Step::PositionMode(key) => reads::position(listed(key)?),
            Step::Orders(key) => open_orders_of(listed(key)?, &page(50)),
        })
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
                let message = format!("bybit: {step:?} of the start: {text}");
                ComponentError::new(Code::VenueUnavailable, message).retryable()
            }
            Problem::Passing(_) => {
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
        let body = answered.result.map_err(|failure| failed(&failure))?;
        match step {
            Step::Clock => {}
            Step::Permissions => check_permissions(&body, &self.settings)?,
            Step::Account => check_account(&body)?,
            Step::Tiers(_) => {
                let tiers = replies::tiers(&body)?;
                if let Phase::Starting(start) = &mut self.phase {
                    start.tiers.extend(tiers);
                }
            }
            Step::Rules(category) => self.take_rules(category, &body)?,
            Step::PositionMode(key) => self.check_mode(key, &body)?,
            Step::Orders(_) => self.note_foreign(&body)?,
        }
        Ok(())
    }

    /// Takes the venue's time, and says when ours is too far off.
    pub(super) fn measure(&mut self, answered: &Answered) -> Result<(), String> {
        let body = answered.result.as_ref().map_err(|e| e.kind.to_string())?;
        let server = replies::server_time(body).map_err(|e| e.to_string())?;
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

    /// A position of index 0 is that of one-way mode.
    fn check_mode(&self, key: InstrumentKey, body: &[u8]) -> Result<(), Problem> {
        let rows = replies::positions(body)?.rows;
        let wanted = self.settings.hedge_mode;
        let Some(row) = rows.first() else {
            return Err(Problem::Passing(format!("{key} has no position row")));
        };
        let hedge = row.position_idx.is_some();
        if hedge == wanted {
            return Ok(());
        }
        let text = format!(
            "{key} is in {} mode, and the settings say {} (venue_settings.bybit.position_mode); change one of them \
             while no position and no order of it is open",
            mode_name(hedge),
            mode_name(wanted)
        );
        Err(refused(Code::CreationFailed, "position_mode", text))
    }

    /// Takes filters as the venue has them now; what does not trade is not listed any more.
    fn take_rules(&mut self, category: Category, body: &[u8]) -> Result<(), Problem> {
        let symbols = &self.settings.symbols;
        let listed = match (category, &self.phase) {
            (Category::Linear, Phase::Starting(start)) => {
                replies::perp_instruments(body, Self::VENUE, symbols, &start.tiers)?
            }
            _ => replies::spot_instruments(body, Self::VENUE, symbols)?,
        };
        let trading: Vec<Listed> = listed.into_iter().filter(|row| row.trading).collect();
        self.rules
            .instruments
            .retain(|rules| Category::of(rules.key.kind) != category);
        if let Phase::Starting(start) = &mut self.phase {
            for row in &trading {
                if category == Category::Linear {
                    start.steps.push_back(Step::PositionMode(row.rules.key));
                }
                start.steps.push_back(Step::Orders(row.rules.key));
            }
        }
        let rules = trading.into_iter().map(|row| row.rules);
        self.rules.instruments.extend(rules);
        self.rules.effective_from = self.now;
        self.emit(self.now, EventKind::Rules { from: self.now });
        Ok(())
    }

    fn note_foreign(&mut self, body: &[u8]) -> Result<(), Problem> {
        for row in replies::orders(body)?.rows {
            if instruction_of(self.settings.book, &row.order_link_id).is_none() {
                self.foreign(&row);
            }
        }
        Ok(())
    }
}

const fn mode_name(hedge: bool) -> &'static str {
    if hedge { "hedge" } else { "one-way" }
}

fn failed(failure: &Failure) -> Problem {
    match &failure.kind {
        VenueErrorKind::Auth(text) => refused(
            Code::VenueCredentials,
            "refused",
            format!("bybit refused the key: {text}"),
        ),
        other => Problem::Passing(other.to_string()),
    }
}

/// Withdrawals are off, so a key that could withdraw is more than is needed.
fn check_permissions(body: &[u8], settings: &LiveSettings) -> Result<(), Problem> {
    let may = replies::key_permissions(body)?;
    let invalid = |reason, text| Err(refused(Code::CredentialsInvalid, reason, text));
    if may.withdraw {
        let text = "the key may withdraw, and withdrawals are off: take that permission from it at the venue";
        return invalid("withdrawals", text);
    }
    if may.read_only {
        let text = "the key may only read: make one at the venue that may trade";
        return invalid("read_only", text);
    }
    if settings.linear && !may.perps {
        let text = "the key may not trade contracts, and perpetuals are traded: give it that permission, or trade \
                    spot alone";
        return invalid("futures", text);
    }
    if settings.spot && !may.spot {
        let text = "the key may not trade spot, and spot is traded: give it that permission, or trade \
                    perpetuals alone";
        return invalid("spot", text);
    }
    Ok(())
}

/// The unified account of the second generation, in cross margin mode, is what is traded in.
fn check_account(body: &[u8]) -> Result<(), Problem> {
    let info = replies::account_info(body)?;
    if !matches!(info.unified_margin_status, 5 | 6) {
        let text = format!(
            "the account is no unified account 2.0 (unifiedMarginStatus {}, and 5 or 6 is one): upgrade it at the \
             venue",
            info.unified_margin_status
        );
        return Err(refused(Code::CreationFailed, "account_mode", text));
    }
    let mode = match info.margin_mode {
        Some(MarginMode::Cross) => return Ok(()),
        Some(MarginMode::Isolated) => "isolated",
        None => "portfolio",
    };
    let text = format!(
        "the account is in {mode} margin mode, which is one for the whole account, and cross alone is traded: \
         choose cross margin at the venue"
    );
    Err(refused(Code::CreationFailed, "margin_mode", text))
}
