//! Whether the venue may be traded at: clock, key, account mode and rules, before anything is sent.

use std::collections::VecDeque;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{InstrumentKey, Span, Timestamp};
use basis_core::venue_event::EventKind;
use basis_live::actor::Output;

use super::admit::product_of;
use super::purpose::{Answered, Purpose};
use super::recent::{CLOCK_EVERY, Recent};
use super::resolve::fills_of;
use super::settings::LiveSettings;
use super::wire::Offset;
use super::{BinanceMachine, Phase};
use crate::binance::answer::Failure;
use crate::binance::codec::replies::{self, DecodeError, FundingInterval, Listed, Tiers};
use crate::binance::codec::{Draft, Product, instruction_of, open_orders_of, reads};
use crate::binance::weights;

/// How far our clock may be off the venue's.
pub const CLOCK_OFF_MAX: Span = Span::from_seconds(2);
/// How long the start may take.
const START_MAX: Span = Span::from_seconds(25);
/// The wait after a read of the start failed.
const AGAIN: Span = Span::from_seconds(1);

/// One thing that is found out.
#[derive(Clone, Copy, Debug)]
enum Step {
    Clock(Product),
    Permissions,
    Tiers,
    Intervals,
    Rules(Product),
    PositionMode,
    Orders(InstrumentKey),
    Cursor(InstrumentKey),
}

/// How far the start has come.
#[derive(Debug)]
pub(super) struct Start {
    steps: VecDeque<Step>,
    tiers: Vec<Tiers>,
    intervals: Vec<FundingInterval>,
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
    pub(super) fn new(settings: &LiveSettings) -> Self {
        let mut steps: VecDeque<_> = settings.products().map(Step::Clock).collect();
        if settings.endpoints.wallet.is_some() {
            steps.push_back(Step::Permissions);
        }
        if settings.usdm {
            steps.extend([Step::PositionMode, Step::Tiers, Step::Intervals]);
        }
        steps.extend(settings.products().map(Step::Rules));
        Self {
            steps,
            tiers: Vec::new(),
            intervals: Vec::new(),
            until: None,
            due: Some(Timestamp::MIN),
        }
    }

    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

fn refused(code: Code, reason: &'static str, message: impl Into<String>) -> Problem {
    Problem::Final(ComponentError::new(code, message).with_reason(reason))
}

impl BinanceMachine {
    /// Asks the next step of the start, when it is due.
    pub(super) fn begin(&mut self) {
        let now = self.now;
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        start.until.get_or_insert(now.plus(START_MAX));
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
            Step::Clock(product) => {
                let clock = self.wire.clock(product);
                let name = product_name(product);
                format!(
                    "clock: {name} is {} from this machine's, known to {}",
                    clock.offset, clock.skew
                )
            }
            Step::Permissions => {
                "key: it may trade what is traded, and may not withdraw".to_owned()
            }
            Step::PositionMode => {
                let mode = if self.settings.hedge_mode {
                    "hedge"
                } else {
                    "one-way"
                };
                format!("position mode: {mode}")
            }
            Step::Rules(product) => {
                let of_product = self.rules.instruments.iter();
                let of_product = of_product.filter(|rules| product_of(rules.key.kind) == product);
                let names: Vec<_> = of_product
                    .map(|rules| rules.venue_symbol.as_str())
                    .collect();
                format!(
                    "rules: {} trades {}",
                    product_name(product),
                    names.join(", ")
                )
            }
            Step::Orders(key) => format!("orders: those of {key} were read"),
            Step::Tiers | Step::Intervals | Step::Cursor(_) => return None,
        })
    }

    fn question(&self, step: Step) -> Option<Draft> {
        let listed = |key: InstrumentKey| self.rules.instrument(key.kind, key.symbol);
        Some(match step {
            Step::Clock(product) => reads::server_time(product),
            Step::Permissions => reads::key_permissions(),
            Step::Tiers => reads::tiers(None),
            Step::Intervals => reads::funding_intervals(),
            Step::Rules(product) => reads::exchange_info(product),
            Step::PositionMode => reads::position_mode(),
            Step::Orders(key) => open_orders_of(listed(key)?),
            Step::Cursor(key) => {
                let newest = reads::Range {
                    rows: Some(1),
                    ..reads::Range::default()
                };
                reads::fills(listed(key)?, reads::FillsOf::Between(newest))
            }
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
                let message = format!("binance: {step:?} of the start: {text}");
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
        self.out.push(Output::Ready(Ok(())));
        self.begin_streams();
        self.begin_funding(self.now);
        self.begin_dead_man();
        self.serve_backlog();
    }

    fn serve_backlog(&mut self) {
        for command in std::mem::take(&mut self.backlog) {
            self.command(command);
        }
    }

    fn take_step(&mut self, step: Step, answered: Answered) -> Result<(), Problem> {
        if let Step::Clock(product) = step {
            return self.measure(product, &answered).map_err(|text| {
                if answered.result.is_ok() {
                    refused(Code::CreationFailed, "clock", text)
                } else {
                    Problem::Passing(text)
                }
            });
        }
        let body = answered.result.map_err(|failure| failed(&failure))?;
        match step {
            Step::Clock(_) => {}
            Step::Permissions => check_permissions(&body, self.settings.usdm)?,
            Step::Tiers => {
                let tiers = replies::tiers(&body)?;
                if let Phase::Starting(start) = &mut self.phase {
                    start.tiers = tiers;
                }
            }
            Step::Intervals => {
                let intervals = replies::funding_intervals(&body)?;
                if let Phase::Starting(start) = &mut self.phase {
                    start.intervals = intervals;
                }
            }
            Step::Rules(product) => self.take_rules(product, &body)?,
            Step::PositionMode => self.check_mode(replies::hedge_mode(&body)?)?,
            Step::Orders(_) => self.note_foreign(&body)?,
            Step::Cursor(key) => {
                let fills = fills_of(product_of(key.kind), &body)?;
                let newest = fills.iter().map(|fill| fill.trade_id).max();
                self.recent.push(Recent::new(key, newest, self.now));
            }
        }
        Ok(())
    }

    /// Takes the venue's time, and says when ours is too far off.
    pub(super) fn measure(&mut self, product: Product, answered: &Answered) -> Result<(), String> {
        let body = answered.result.as_ref().map_err(|e| e.kind.to_string())?;
        let server = replies::server_time(body).map_err(|e| e.to_string())?;
        let round_trip = self.now.since(answered.sent_at);
        let half = Span::from_nanos(round_trip.nanos() / 2);
        let middle = answered.sent_at.plus(half);
        let offset = server.since(middle);
        // The venue's milliseconds are rounded down.
        let skew = Span::from_nanos(half.nanos().saturating_add(1_000_000));
        let measured = Offset { offset, skew };
        if offset.nanos().saturating_abs() > CLOCK_OFF_MAX.nanos().saturating_add(skew.nanos()) {
            return Err(format!(
                "this machine's clock is {offset} from the venue's, more than {CLOCK_OFF_MAX}; set it by NTP"
            ));
        }
        self.wire.set_clock(product, measured);
        Ok(())
    }

    fn check_mode(&self, hedge: bool) -> Result<(), Problem> {
        let name = |hedge| if hedge { "hedge" } else { "one-way" };
        let wanted = self.settings.hedge_mode;
        if hedge == wanted {
            return Ok(());
        }
        let text = format!(
            "the account is in {} mode, and the settings say {} (venue_settings.binance.position_mode); change \
             one of them while no position and no order is open",
            name(hedge),
            name(wanted)
        );
        Err(refused(Code::CreationFailed, "position_mode", text))
    }

    /// Takes filters and limits as the venue has them now; what does not trade is not listed any more.
    fn take_rules(&mut self, product: Product, body: &[u8]) -> Result<(), Problem> {
        let limits = weights::published(&replies::limits(body)?);
        if !limits.is_empty() {
            self.wire.set_limits(product, &limits);
        }
        let symbols = &self.settings.symbols;
        let listed = match (product, &self.phase) {
            (Product::UsdM, Phase::Starting(start)) => {
                let more = (start.tiers.as_slice(), start.intervals.as_slice());
                replies::perp_instruments(body, Self::VENUE, symbols, more)?
            }
            _ => replies::spot_instruments(body, Self::VENUE, symbols)?,
        };
        let trading: Vec<Listed> = listed.into_iter().filter(|row| row.trading).collect();
        self.rules
            .instruments
            .retain(|rules| product_of(rules.key.kind) != product);
        if let Phase::Starting(start) = &mut self.phase {
            for row in &trading {
                start.steps.push_back(Step::Orders(row.rules.key));
                start.steps.push_back(Step::Cursor(row.rules.key));
            }
        }
        let rules = trading.into_iter().map(|row| row.rules);
        self.rules.instruments.extend(rules);
        self.rules.effective_from = self.now;
        self.emit(self.now, EventKind::Rules { from: self.now });
        Ok(())
    }

    fn note_foreign(&mut self, body: &[u8]) -> Result<(), Problem> {
        for row in replies::orders(body)? {
            if instruction_of(self.settings.book, &row.client_order_id).is_some() {
                continue;
            }
            if self.settings.dead_man.is_some() {
                let text = format!(
                    "order {} of {} ({}) is none of this book, and the account is declared ours alone \
                     (venue_settings.binance.live.sole_owner): the dead-man switch would cancel it",
                    row.order_id, row.symbol, row.client_order_id
                );
                return Err(refused(Code::CreationFailed, "sole_owner", text));
            }
            self.foreign(&row);
        }
        Ok(())
    }
}

const fn product_name(product: Product) -> &'static str {
    match product {
        Product::Spot => "spot",
        Product::UsdM => "USD-M",
        Product::Wallet => "the wallet",
    }
}

fn failed(failure: &Failure) -> Problem {
    use basis_core::error::VenueErrorKind;

    match &failure.kind {
        VenueErrorKind::Auth(text) => refused(
            Code::VenueCredentials,
            "refused",
            format!("binance refused the key: {text}"),
        ),
        other => Problem::Passing(other.to_string()),
    }
}

/// Withdrawals are off, so a key that could withdraw is more than is needed.
fn check_permissions(body: &[u8], usdm: bool) -> Result<(), Problem> {
    let may = replies::key_permissions(body)?;
    if may.enable_withdrawals {
        let text = "the key may withdraw, and withdrawals are off: take that permission from it at the venue";
        return Err(refused(Code::CredentialsInvalid, "withdrawals", text));
    }
    if usdm && !may.enable_futures {
        let text = "the key may not trade futures, and USD-M is traded: give it that permission, or trade \
                    spot alone";
        return Err(refused(Code::CredentialsInvalid, "futures", text));
    }
    Ok(())
}
