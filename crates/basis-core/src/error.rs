//! The error registry and the errors that cross crate boundaries.
//!
//! Every code a user can meet stands once in [`REGISTRY`], with component, severity, message and
//! resolution; `basis explain CODE` prints it. Errors carry their [`Code`], never a bare string.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::num::{MathError, Quantity};
use crate::text::Text;
use crate::types::{Asset, InstrumentKey, SeriesId, Span, Timestamp, Venue};

/// How bad a failure is, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Logged for monitoring.
    Low,
    /// The run goes on, degraded.
    Medium,
    /// Retried with backoff where its kind is retryable, else the operation fails.
    High,
    /// Reported to health; while running it stops the run for a restart.
    Critical,
}

impl Severity {
    /// `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorEntry {
    /// The code.
    pub code: Code,
    /// The component that reports it.
    pub component: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means.
    pub message: &'static str,
    /// What to do about it.
    pub resolution: &'static str,
}

macro_rules! registry {
    ($($name:ident $text:literal $component:literal $severity:ident $message:literal => $resolution:literal;)*) => {
        /// A registered error code; its text is stable across releases.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $message] $name,)*
        }

        impl Code {
            /// The stable text, as in `EIF-001`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        /// Every code there is, in order.
        pub const REGISTRY: &[ErrorEntry] = &[
            $(ErrorEntry {
                code: Code::$name,
                component: $component,
                severity: Severity::$severity,
                message: $message,
                resolution: $resolution,
            },)*
        ];
    };
}

registry! {
    CreationFailed "EIF-001" "ExecutionInterfaceFactory" High
        "interface creation failed" =>
        "Read the cause below the message: missing dependencies, a driver's own failure, or the creation timeout. Check `basis check MODE`; raise component_config.execution_interface_factory.timeout if the venue is slow.";
    VenueInvalid "EIF-002" "ExecutionInterfaceFactory" High
        "venue validation failed" =>
        "Use a venue that `basis venues` lists, and correct the settings the message names under venue_settings. It is never retried.";
    CredentialsInvalid "EIF-003" "ExecutionInterfaceFactory" Critical
        "credential validation failed" =>
        "Set the variables the message names for the environment in BASIS_ENVIRONMENT (dev: BASIS_DEV__…, staging: BASIS_STAGING__…, prod: BASIS_PROD__…); placeholders (`your_…`, `0x...`, empty) are refused. It is never retried.";
    OrderFailed "EXI-001" "ExecutionInterface" High
        "order execution failed" =>
        "The venue refused the instruction; the message holds its reason and its own code. Nothing was executed.";
    RateLimited "EXI-002" "ExecutionInterface" Medium
        "rate limit exceeded" =>
        "Wait for the time the venue names; lower venue_settings.<venue>.rate_limits if it recurs.";
    VenueUnavailable "EXI-003" "ExecutionInterface" High
        "venue unavailable" =>
        "The request failed before it was sent, so nothing was executed. Check the venue's status and the network.";
    VenueCredentials "EXI-004" "ExecutionInterface" Critical
        "the venue refused the credentials" =>
        "Check key, permissions, IP allow-list and that the key belongs to this environment.";
    OutcomeUnknown "EXI-005" "ExecutionInterface" Critical
        "the outcome of an instruction is UNKNOWN" =>
        "Never resend it. The instruction is in the journal; ask the venue by client order id (or nonce and hash). Until it is resolved nothing is sent to that venue.";
    InstructionInvalid "EXI-006" "ExecutionInterface" High
        "the instruction is not valid at this venue" =>
        "Correct the field the message names; `basis instruct --schema` shows the form and `basis venues --json` what each venue can do.";
    AnswerUnreadable "EXI-007" "ExecutionInterface" Critical
        "an answer of the venue could not be read" =>
        "Report it with the redacted payload; the venue is stopped because its answers can no longer be trusted.";
    VenueHalted "EXI-008" "ExecutionInterface" High
        "nothing is sent to the venue any more" =>
        "The message says why. Look at the account there, mend what it names, then resume; the other venues went on.";
    VenueEventInvalid "EXI-009" "ExecutionInterface" High
        "a venue reported what cannot be" =>
        "The message names the event and what is wrong with it: a defect of the venue or of its driver. What cannot be is not booked; a fill that contradicts its order is, once, for it happened. The venue is halted.";
    NoRoute "EIM-001" "ExecutionInterfaceManager" High
        "no execution interface for the addressed venue" =>
        "Add the venue under venue_settings, or address the instruction to a venue that is there.";
    LegFailed "EXEC-001" "TightLoop" High
        "a leg of a block failed" =>
        "The block's failure policy has been applied (see the event log); the message names the leg and the venue's reason.";
    NakedDelta "EXEC-002" "TightLoop" High
        "a block left more delta open, or for longer, than allowed" =>
        "The strategy and risk see what is open and close it; if a venue is halted, close it there by hand. The bounds are execution.naked_delta_max and execution.naked_time_max_seconds.";
    JournalFailed "EXEC-004" "TightLoop" Critical
        "the journal could not be written" =>
        "Nothing was sent that is not written down. Make room on the disk, or repair it, then start again.";
    JournalRefused "EXEC-005" "TightLoop" Critical
        "the journal cannot be used for this start" =>
        "The message names the file, or what differs with both values. docs/journal.md lists what may change between starts.";
    JournalDamaged "EXEC-006" "TightLoop" Critical
        "the journal contradicts itself" =>
        "Do not trade on it. `basis journal FILE --check` lists what is wrong; go back to a backup, whose numbers are never used again, and compare it with the venues.";
    PositionInvalid "POS-001" "PositionMonitor" Critical
        "a holding went out of range" =>
        "A balance the venue does not lend is negative or a sum overflowed: a defect of the driver that sent the entries.";
    ReconcileFailed "REC-001" "Reconciliation" Critical
        "the venue's positions differ from the books" =>
        "Do not trade on. The message lists account, expected and actual. What a venue held before the run is taken in with `adopt: [venue]`; for anything else resolve open instructions first.";
    ExposureUnpriced "EXP-001" "ExposureMonitor" High
        "a holding has no price" =>
        "Give the run a price series for it (`basis data check DIR` lists what there is) or a proxy under data.proxies.";
    RiskHalted "RISK-001" "RiskMonitor" Critical
        "risk limits halted the run" =>
        "The message holds limit and value. Positions were reduced as far as the ladder allows; review before starting again.";
    RiskRefused "RISK-002" "RiskMonitor" Medium
        "risk refused an instruction" =>
        "At reduce-only nothing may add exposure or bring an account nearer to liquidation than its rung; wait for the state to clear or lower the exposure.";
    StressFailed "RISK-003" "RiskMonitor" High
        "a scenario did not show what it has to" =>
        "The message names scenario, instant and what happened; its row has the sentences that repeat it as one run. Lower the leverage, or report a defect.";
    PnlOpen "PNL-001" "PnlMonitor" Critical
        "the attribution does not close" =>
        "Residual beyond rounding: a defect. Keep the run directory and report it.";
    StrategyInfeasible "STRAT-001" "StrategyManager" High
        "the strategy cannot be built from this configuration" =>
        "The message names the setting, its value and the bound.";
    CapitalTooSmall "STRAT-002" "StrategyManager" High
        "the capital is too small for one lot" =>
        "Raise --capital above the amount the message names, or drop venues from hedge_allocation.";
    NothingHeld "STRAT-003" "StrategyManager" High
        "a book that was wanted was never held" =>
        "The message says what kept the entry from being made; a run that stood aside by its own rule is no failure.";
    DataMissing "DATA-001" "DataProvider" High
        "a needed series is not there" =>
        "Add the file the message names under --data, name a proxy with data.proxies, or choose dates `basis data check DIR` offers.";
    DataMalformed "DATA-002" "DataProvider" High
        "a data file is malformed" =>
        "Correct the line the message names: timestamps ascending without duplicates, prices above zero, plain or exponent decimals, no NaN.";
    DataGap "DATA-003" "DataProvider" High
        "the data has gaps in the requested dates" =>
        "Choose other dates, set data.gaps=hold (marks are then held and listed), or fill the gaps with data.proxies.";
    DataStale "DATA-004" "DataProvider" Medium
        "the newest value is older than its maximum age" =>
        "No order is placed on a stale price. Check the feed, or the gap in the recorded series.";
    DataDirectory "DATA-005" "DataProvider" High
        "the data directory cannot be read" =>
        "Give an existing directory in the documented layout with --data or BASIS_DATA_DIR; without either the built-in synthetic market is used.";
    ConfigInvalid "CFG-001" "Config" High
        "the configuration has problems" =>
        "Each problem is listed with file, line and key path; correct them all at once.";
    ConfigFile "CFG-002" "Config" High
        "a configuration file cannot be read" =>
        "Check the path and that the file is YAML.";
    ModeUnknown "CFG-003" "Config" High
        "unknown strategy mode" =>
        "Use one of the modes the message lists.";
    DatesInvalid "CFG-004" "Config" High
        "the dates of the run are not usable" =>
        "Give --from and --to as YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, from before to, inside the data (`basis data check DIR`).";
    Usage "CFG-005" "Config" High
        "the command line is not usable" =>
        "See `basis help` or `basis help COMMAND`.";
    OutputUnusable "EVT-001" "EventLogger" High
        "the output directory cannot be used" =>
        "Choose a directory that does not exist yet or is empty and can be written, with --out.";
    OutputFailed "EVT-002" "EventLogger" Critical
        "writing the results failed" =>
        "Check disk space and permissions; the unfinished directory has been removed.";
    RunUnreadable "EVT-003" "EventLogger" High
        "a run directory cannot be read" =>
        "Give the directory of one finished run, as `basis backtest --out DIR` left it.";
    ComponentUnhealthy "HEALTH-001" "Health" Critical
        "a component is unhealthy" =>
        "The component's last errors are in the event log and in the result.";
    ArithmeticFailed "POS-002" "PositionMonitor" Critical
        "an amount left the range of exact arithmetic" =>
        "Amounts reach about 1.7e20 with 18 decimals; a price or quantity in the data or config is out of proportion.";
}

impl Code {
    /// The registry row.
    ///
    /// # Panics
    /// Never: every code has a row, which a test proves.
    #[must_use]
    pub fn entry(self) -> &'static ErrorEntry {
        REGISTRY
            .iter()
            .find(|entry| entry.code == self)
            .expect("invariant: the macro writes a row for every code")
    }

    /// The code with this text, whatever its case.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        REGISTRY
            .iter()
            .map(|entry| entry.code)
            .find(|code| code.as_str().eq_ignore_ascii_case(text))
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let entry = REGISTRY.iter().find(|entry| entry.code.as_str() == text);
        let entry = entry.ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no registered error code"))
        })?;
        Ok(entry.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A failure of a component, as the factory and the engine report it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code} {message}")]
pub struct ComponentError {
    /// The registered code; component and severity follow from it.
    pub code: Code,
    /// What happened, with the thing, the value, the bound and the way out.
    pub message: String,
    /// The finer reason within the code, a stable word such as `missing` or `placeholder`.
    pub reason: Option<&'static str>,
    /// Whether trying again can help.
    pub retryable: bool,
    /// What it came from.
    #[source]
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ComponentError {
    /// A final failure.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            reason: None,
            retryable: false,
            source: None,
        }
    }

    /// The same with a finer reason.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The same, worth another try.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The component that reports it.
    #[must_use]
    pub fn component(&self) -> &'static str {
        self.code.entry().component
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.entry().severity
    }

    /// This failure's message and those of its causes, outermost first.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let mut chain = vec![self.message.clone()];
        let mut source = self.source.as_deref().map(|e| e as &dyn Error);
        while let Some(e) = source {
            chain.push(e.to_string());
            source = e.source();
        }
        chain
    }
}

impl From<MathError> for ComponentError {
    fn from(e: MathError) -> Self {
        Self::new(Code::ArithmeticFailed, e.to_string()).with_source(e)
    }
}

/// Why a venue refuses an instruction for good. The same typed reason in backtest and live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejection {
    /// A free balance does not cover it.
    #[error("insufficient balance: {needed} {asset} needed, {available} free")]
    InsufficientBalance {
        /// The asset that is short.
        asset: Asset,
        /// Units needed, fees included.
        needed: Quantity,
        /// Units free.
        available: Quantity,
    },
    /// The margin account does not cover the initial margin.
    #[error(
        "insufficient margin: {needed} {asset} of initial margin needed, {available} available"
    )]
    InsufficientMargin {
        /// The collateral asset.
        asset: Asset,
        /// Initial margin and fee after the trade.
        needed: Quantity,
        /// Margin balance that may be bound.
        available: Quantity,
    },
    /// A filter of the instrument.
    #[error("{instrument}: {what} {value} violates {bound}")]
    Filter {
        /// The instrument.
        instrument: InstrumentKey,
        /// What was checked: `quantity`, `price`, `notional`.
        what: Text,
        /// The value sent.
        value: String,
        /// The bound, in words and numbers.
        bound: String,
    },
    /// Reduce-only, but there is nothing to reduce.
    #[error("{instrument}: reduce-only order of {quantity} against a position of {position}")]
    ReduceOnly {
        /// The instrument.
        instrument: InstrumentKey,
        /// Base units asked.
        quantity: Quantity,
        /// Signed base units held.
        position: Quantity,
    },
    /// The newest bar of the market has no room for it: orders take at most a part of its volume.
    #[error(
        "{instrument}: no room for an order of {quantity}: the newest bar traded {volume}, of which orders \
         take at most {most}, and {taken} of it are taken"
    )]
    NoVolume {
        /// The instrument.
        instrument: InstrumentKey,
        /// Base units asked.
        quantity: Quantity,
        /// Base units that the bar traded.
        volume: Quantity,
        /// Base units of it that orders take at most.
        most: Quantity,
        /// Base units that orders of ours took of it before.
        taken: Quantity,
    },
    /// No fresh price: no order is placed on a stale or missing market.
    #[error("{series} has no fresh price at {at} ({})", last_value(*age))]
    MarketStale {
        /// The series without a value.
        series: SeriesId,
        /// When it was wanted.
        at: Timestamp,
        /// Age of the last value; a century or more when there has been none.
        age: Span,
    },
    /// An amount below the venue's minimum.
    #[error("{what} of {value} {asset} is below the minimum of {minimum}")]
    BelowMinimum {
        /// What was asked: `withdrawal`, `transfer`.
        what: Text,
        /// In which asset.
        asset: Asset,
        /// The amount asked.
        value: Quantity,
        /// The least allowed.
        minimum: Quantity,
    },
    /// An amount above the most that the request allows.
    #[error("{what} of {value} {asset} is above the maximum of {maximum}")]
    AboveMaximum {
        /// What it is an amount of: `swap input`, `liquidity`.
        what: Text,
        /// In which asset.
        asset: Asset,
        /// The amount needed.
        value: Quantity,
        /// The most allowed.
        maximum: Quantity,
    },
    /// Anything else, in the venue's words.
    #[error("{0}")]
    Other(String),
}

/// What went wrong at a venue, split by whether it may have acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VenueErrorKind {
    /// Refused; final.
    #[error("rejected: {reason}{}", .venue_code.as_ref().map(|c| format!(" (venue code {c})")).unwrap_or_default())]
    Rejected {
        /// Why.
        reason: Rejection,
        /// The venue's own code for it, as text.
        venue_code: Option<Text>,
    },
    /// The transaction reverted; final, gas is spent.
    #[error("reverted: {0}")]
    Reverted(String),
    /// Not accepted because of a limit.
    #[error("rate limited{}", .retry_after.map(|s| format!(", retry after {s}")).unwrap_or_default())]
    RateLimited {
        /// The wait the venue asks for.
        retry_after: Option<Span>,
    },
    /// Failed before anything was sent.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Sent, and no evidence of what came of it.
    #[error("outcome UNKNOWN: {0}")]
    OutcomeUnknown(String),
    /// Credentials refused.
    #[error("credentials refused: {0}")]
    Auth(String),
    /// The instruction is not valid here.
    #[error("invalid: {0}")]
    InvalidRequest(String),
    /// The venue cannot do this.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// An answer could not be read.
    #[error("unreadable answer: {0}")]
    Decode(String),
    /// The interface has no dependencies yet.
    #[error("not ready: dependencies were not set")]
    NotReady,
}

/// A failure at a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{venue} {operation}: {kind}")]
pub struct VenueError {
    /// Where.
    pub venue: Venue,
    /// What was being done, a short stable word such as `perp_trade`.
    pub operation: Text,
    /// What went wrong.
    pub kind: VenueErrorKind,
}

impl VenueError {
    /// A failure of `kind`.
    #[must_use]
    pub const fn new(venue: Venue, operation: &'static str, kind: VenueErrorKind) -> Self {
        Self {
            venue,
            operation: Text::Borrowed(operation),
            kind,
        }
    }

    /// A refusal with the venue's own code.
    #[must_use]
    pub const fn rejected(
        venue: Venue,
        operation: &'static str,
        reason: Rejection,
        venue_code: Option<Text>,
    ) -> Self {
        Self::new(
            venue,
            operation,
            VenueErrorKind::Rejected { reason, venue_code },
        )
    }

    /// The component code of this kind: the one table for all venues.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.kind {
            VenueErrorKind::Rejected { .. } | VenueErrorKind::Reverted(_) => Code::OrderFailed,
            VenueErrorKind::RateLimited { .. } => Code::RateLimited,
            VenueErrorKind::Unavailable(_) => Code::VenueUnavailable,
            VenueErrorKind::OutcomeUnknown(_) => Code::OutcomeUnknown,
            VenueErrorKind::Auth(_) => Code::VenueCredentials,
            VenueErrorKind::InvalidRequest(_) | VenueErrorKind::Unsupported(_) => {
                Code::InstructionInvalid
            }
            VenueErrorKind::Decode(_) => Code::AnswerUnreadable,
            VenueErrorKind::NotReady => Code::CreationFailed,
        }
    }

    /// Whether the same request may be sent again: it certainly did nothing.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            VenueErrorKind::RateLimited { .. } | VenueErrorKind::Unavailable(_)
        )
    }

    /// Whether the venue must be asked before anything else is done.
    #[must_use]
    pub const fn needs_reconcile(&self) -> bool {
        matches!(self.kind, VenueErrorKind::OutcomeUnknown(_))
    }

    /// Whether the venue must not be used any further.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(
            self.kind,
            VenueErrorKind::Auth(_) | VenueErrorKind::Decode(_)
        )
    }
}

impl From<VenueError> for ComponentError {
    fn from(e: VenueError) -> Self {
        let error = Self::new(e.code(), e.to_string());
        let error = if e.is_retryable() {
            error.retryable()
        } else {
            error
        };
        error.with_source(e)
    }
}

/// The age of a value that there has never been.
pub const NEVER: Span = Span::from_hours(876_000);

/// How old the last value is, or that there has been none.
fn last_value(age: Span) -> String {
    if age >= NEVER {
        "there has been no value yet".to_owned()
    } else {
        format!("last value {age} old")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_without_a_value_is_not_said_to_have_an_old_one() {
        let stale = |age| Rejection::MarketStale {
            series: "oracle.aave.WETH_USD".parse().unwrap(),
            at: Timestamp::EPOCH,
            age,
        };
        let never = stale(NEVER).to_string();
        assert!(never.ends_with("(there has been no value yet)"), "{never}");
        let ended = stale(Timestamp::EPOCH.since(Timestamp::MIN)).to_string();
        assert!(ended.ends_with("(there has been no value yet)"), "{ended}");
        let old = stale(Span::from_hours(25)).to_string();
        assert!(old.ends_with("(last value 25h old)"), "{old}");
    }

    #[test]
    fn every_code_is_unique_and_says_what_to_do() {
        for (at, entry) in REGISTRY.iter().enumerate() {
            assert_eq!(entry.code.entry(), entry);
            assert_eq!(
                Code::find(&entry.code.as_str().to_lowercase()),
                Some(entry.code)
            );
            assert!(entry.resolution.ends_with('.'), "{}", entry.code);
            assert!(
                REGISTRY
                    .iter()
                    .skip(at + 1)
                    .all(|other| other.code.as_str() != entry.code.as_str())
            );
        }
    }

    #[test]
    fn specification_codes_keep_their_severity() {
        assert_eq!(
            Code::find("EIF-001").unwrap().entry().severity,
            Severity::High
        );
        assert_eq!(
            Code::find("EIF-002").unwrap().entry().severity,
            Severity::High
        );
        assert_eq!(
            Code::find("EIF-003").unwrap().entry().severity,
            Severity::Critical
        );
    }
}
