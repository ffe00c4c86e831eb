//! What a run yields: columns and rows, no text. Writers live in the `basis` crate.

use basis_core::error::ComponentError;
use basis_core::event::Event;
use basis_core::health::Health;
use basis_core::instruction::Operation;
use basis_core::ledger::LedgerEntry;
use basis_core::num::{Price, Quantity, Rate, Value};
use basis_core::types::{Account, Asset, InstructionId, SeriesId, Timestamp, Venue};
use basis_core::venue_event::{EventKey, Fill, Text};
use basis_market::{Coverage, DataFile, MarketView, PriceState, SlotId};
use serde::{Deserialize, Serialize};

use crate::account::{MarginAccount, RiskColumns, RiskSummary};
use crate::benchmark::Benchmark;
use crate::config::ExternalFlow;
use crate::exit::{AccountExit, ExitCost};
use crate::numeraire::ShareAttribution;
use crate::pnl::Attribution;

pub use crate::peg::{PegResult, PegStep};
pub use crate::pnl::StepEnd;
pub use crate::statistics::Statistics;

/// The whole result of one run.
#[derive(Debug)]
pub struct RunResult {
    /// Strategy mode.
    pub mode: &'static str,
    /// Currency results are stated in.
    pub share_class: Asset,
    /// Exclusive start and inclusive end.
    pub range: (Timestamp, Timestamp),
    /// Whether the data was generated.
    pub synthetic: bool,
    /// Where the data came from.
    pub data_source: String,
    /// The files that were read, each with the digest of its bytes; none of generated data.
    pub data_files: Vec<DataFile>,
    /// One row per step; none when the steps went to a sink.
    pub steps: StepColumns,
    /// The first step and the last; absent for a run without a step.
    pub ends: Option<[StepEnd; 2]>,
    /// Every ledger line in posting order.
    pub ledger: Vec<LedgerEntry>,
    /// One row per fill, transfer or other confirmed instruction.
    pub executions: Vec<ExecutionRow>,
    /// Every event in order; `seq` is its index.
    pub events: Vec<Event>,
    /// Sum of each bucket over all steps.
    pub attribution: Attribution,
    /// The same in the share class; absent where that is a stablecoin.
    pub share_attribution: Option<ShareAttribution>,
    /// How near to liquidation everything came.
    pub risk: RiskSummary,
    /// Statistics in USD.
    pub statistics: Statistics,
    /// Statistics in the share class; absent where that is a stablecoin.
    pub share_statistics: Option<Statistics>,
    /// What leaving would take; absent for a run without a step.
    pub exit: Option<ExitSummary>,
    /// Sum of all absolute deltas at the reference price over the equity, after the last step; absent where there
    /// is no equity.
    pub leverage: Option<Rate>,
    /// What lending the capital would have earned; absent where no rate is recorded.
    pub benchmark: Option<Benchmark>,
    /// What the dollar token's price in dollars did to the run; absent where no series is there.
    pub peg: Option<PegResult>,
    /// How often things happened.
    pub counts: Counts,
    /// What each needed series holds of the range, with its gaps and proxies.
    pub coverage: Vec<Coverage>,
    /// Funding instants that booked nothing, with the notional they left exposed.
    pub unbooked_funding: Vec<UnbookedFunding>,
    /// Scheduled withdrawals that were not paid because they asked for more than there was.
    pub refused_withdrawals: Vec<RefusedWithdrawal>,
    /// What the market was made to do that it did not do, in sentences; none in a run on the data as
    /// it is.
    pub shocks: Vec<String>,
    /// What the result rests on, in sentences.
    pub assumptions: Vec<String>,
    /// Whether risk, or a venue that refuses for good, ended the strategy before the end of the range.
    pub halted: Option<String>,
    /// What kept the entry from being made, of a run that wanted to hold something and never did.
    pub never_held: Option<String>,
    /// Health of every component and venue at the end, by name.
    pub health: Vec<(String, Health)>,
}

impl RunResult {
    /// Returns the statistics that lead: those in the share class.
    #[must_use]
    pub fn headline(&self) -> Statistics {
        self.share_statistics.unwrap_or(self.statistics)
    }

    /// Of the scheduled `flows` the withdrawals of which something was neither paid nor refused by the end of
    /// the run.
    pub fn unpaid_withdrawals<'f>(
        &'f self,
        flows: &'f [ExternalFlow],
    ) -> impl Iterator<Item = UnpaidWithdrawal> + 'f {
        let numbered = flows.iter().zip(1u32..);
        let due = numbered.filter(|(flow, _)| flow.amount.is_negative() && flow.at <= self.range.1);
        due.filter_map(|(flow, number)| {
            let asked = flow.amount.abs().ok()?;
            let is_of_it = |event: &EventKey| {
                matches!(event, EventKey::CapitalFlow(id)
                    if (id.scheduled, id.number) == (flow.at, number))
            };
            let lines = self.ledger.iter();
            let mut paid = lines.filter(|line| is_of_it(&line.cause.event));
            let paid = paid
                .try_fold(Quantity::ZERO, |sum, line| sum.sub(line.quantity))
                .ok()?;
            let rest = asked.sub(paid).ok()?;
            let mut refused = self.refused_withdrawals.iter();
            let is_refused = refused.any(|row| row.at == flow.at && row.asked == rest);
            (rest.is_positive() && !is_refused).then_some(UnpaidWithdrawal {
                at: flow.at,
                asked,
                paid,
            })
        })
    }
}

/// A withdrawal of which something was still owed at the end of a run, in the share class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpaidWithdrawal {
    /// When it was due.
    pub at: Timestamp,
    /// What was asked for, > 0.
    pub asked: Quantity,
    /// What of it was paid, >= 0.
    pub paid: Quantity,
}

/// A run that failed, with all that came of it before.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub error: ComponentError,
    /// The instant of the wake that failed; [`Timestamp::MIN`] before the first.
    pub at: Timestamp,
    /// The steps that were closed, and lines, executions and events up to the failure.
    pub result: RunResult,
}

/// Columns with one value per step.
#[derive(Clone, Debug, Default)]
pub struct StepColumns {
    /// The step's instant.
    pub at: Vec<Timestamp>,
    /// Equity at the end of the step, a unit of the run's dollar token counted as one USD.
    pub equity_usd: Vec<Value>,
    /// Capital that came from (> 0) or went (< 0) outside within the step, as `equity_usd`.
    pub external_flow_usd: Vec<Value>,
    /// What the peg adds to both; empty in a run that reads none.
    pub peg: Vec<PegStep>,
    /// Attribution of the step, USD.
    pub attribution: Vec<Attribution>,
    /// Net delta in base units of the underlying after the step.
    pub net_delta: Vec<Quantity>,
    /// The reference price at the step.
    pub reference: Vec<Price>,
    /// How many ledger lines stood at the end of the step: holdings of a step are the sum of these.
    pub ledger_rows: Vec<u32>,
    /// Whether a plan waited for something under way at the end of the step.
    pub parked: Vec<bool>,
    /// Price of every priced item per step.
    pub prices: Vec<PriceColumn>,
    /// Prices of the tokens that stand for another asset.
    pub tokens: Vec<TokenColumn>,
    /// Margin of every perp account per step.
    pub margins: Vec<MarginColumn>,
    /// What leaving everything would take after each step.
    pub exit: Vec<ExitCost>,
    /// What leaving each account would take.
    pub exits: Vec<ExitColumn>,
    /// How far everything is from liquidation.
    pub risk: RiskColumns,
}

impl StepColumns {
    /// Columns for the series and tokens of `view`, and the slots of the series.
    pub(crate) fn of(view: &MarketView) -> (Self, Vec<SlotId>) {
        let mut columns = Self::default();
        let mut slots = Vec::new();
        for (series, slot) in view.series() {
            slots.push(slot);
            columns.prices.push(PriceColumn {
                series,
                mark: Vec::new(),
                state: Vec::new(),
            });
        }
        let tokens = view.tokens().map(|(asset, _)| TokenColumn {
            asset,
            price: Vec::new(),
            state: Vec::new(),
        });
        columns.tokens = tokens.collect();
        (columns, slots)
    }

    /// Adds the margins of the step that was added last.
    pub(crate) fn push_margins(&mut self, margins: &[MarginAccount]) {
        let done = self.at.len();
        for margin in margins {
            let is_its = |column: &MarginColumn| column.account == margin.account;
            let index = self.margins.iter().position(is_its).unwrap_or_else(|| {
                let empty = vec![Value::ZERO; done.saturating_sub(1)];
                self.margins.push(MarginColumn {
                    account: margin.account,
                    margin_balance: empty.clone(),
                    maintenance_margin: empty,
                });
                self.margins.len() - 1
            });
            if let Some(column) = self.margins.get_mut(index) {
                column.margin_balance.push(margin.margin_balance);
                column.maintenance_margin.push(margin.maintenance_margin);
            }
        }
    }

    /// Adds what leaving takes after the step that was added last.
    pub(crate) fn push_exit(&mut self, exit: ExitCost, accounts: &[AccountExit]) {
        self.exit.push(exit);
        let done = self.exit.len();
        for row in accounts {
            let is_its = |column: &ExitColumn| column.account == row.account;
            let index = self.exits.iter().position(is_its).unwrap_or_else(|| {
                self.exits.push(ExitColumn {
                    account: row.account,
                    exit: Vec::new(),
                });
                self.exits.len() - 1
            });
            if let Some(column) = self.exits.get_mut(index) {
                column.exit.resize(done - 1, ExitCost::NONE);
                column.exit.push(row.exit);
            }
        }
        for column in &mut self.exits {
            column.exit.resize(done, ExitCost::NONE);
        }
    }

    /// Makes room for `rows` more steps.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.at.reserve(rows);
        self.equity_usd.reserve(rows);
        self.external_flow_usd.reserve(rows);
        self.attribution.reserve(rows);
        self.net_delta.reserve(rows);
        self.reference.reserve(rows);
        self.ledger_rows.reserve(rows);
        self.parked.reserve(rows);
        for column in &mut self.prices {
            column.mark.reserve(rows);
            column.state.reserve(rows);
        }
        for column in &mut self.tokens {
            column.price.reserve(rows);
            column.state.reserve(rows);
        }
        for column in &mut self.margins {
            column.margin_balance.reserve(rows);
            column.maintenance_margin.reserve(rows);
        }
        self.exit.reserve(rows);
        for column in &mut self.exits {
            column.exit.reserve(rows);
        }
        self.risk.reserve(rows);
    }

    /// Takes the steps out and leaves columns of the same series and accounts with as much room.
    pub(crate) fn take_rows(&mut self) -> Self {
        let prices = self.prices.iter().map(|column| PriceColumn {
            series: column.series,
            mark: Vec::new(),
            state: Vec::new(),
        });
        let margins = self.margins.iter().map(|column| MarginColumn {
            account: column.account,
            margin_balance: Vec::new(),
            maintenance_margin: Vec::new(),
        });
        let tokens = self.tokens.iter().map(|column| TokenColumn {
            asset: column.asset,
            price: Vec::new(),
            state: Vec::new(),
        });
        let exits = self.exits.iter().map(|column| ExitColumn {
            account: column.account,
            exit: Vec::new(),
        });
        let mut empty = Self {
            exits: exits.collect(),
            prices: prices.collect(),
            tokens: tokens.collect(),
            margins: margins.collect(),
            risk: self.risk.emptied(),
            ..Self::default()
        };
        empty.reserve(self.at.len());
        std::mem::replace(self, empty)
    }
}

/// The marks of one series over all steps.
#[derive(Clone, Debug)]
pub struct PriceColumn {
    /// Which series.
    pub series: SeriesId,
    /// Mark per step.
    pub mark: Vec<Price>,
    /// Where each mark came from.
    pub state: Vec<PriceState>,
}

/// What one token was worth over all steps: an asset that stands for another.
#[derive(Clone, Debug)]
pub struct TokenColumn {
    /// The token.
    pub asset: Asset,
    /// USD per unit and step; zero before anything was known.
    pub price: Vec<Price>,
    /// Where each price came from.
    pub state: Vec<PriceState>,
}

/// Margin of one account over all steps.
#[derive(Clone, Debug)]
pub struct MarginColumn {
    /// The perp account.
    pub account: Account,
    /// Collateral plus unrealised result.
    pub margin_balance: Vec<Value>,
    /// Maintenance margin.
    pub maintenance_margin: Vec<Value>,
}

/// What leaving one account would take over all steps.
#[derive(Clone, Debug)]
pub struct ExitColumn {
    /// The account.
    pub account: Account,
    /// Per step; nothing before the account was first used.
    pub exit: Vec<ExitCost>,
}

/// What leaving would take at the end of a run, and what its value went through.
#[derive(Clone, Copy, Debug)]
pub struct ExitSummary {
    /// What leaving would take after the last step.
    pub last: ExitCost,
    /// Largest fall of the time-weighted index of the exit value from its peak, >= 0.
    pub max_drawdown: f64,
}

/// One confirmed instruction or late fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionRow {
    /// The instruction.
    pub instruction: InstructionId,
    /// Where.
    pub venue: Venue,
    /// The operation's name.
    pub operation: Text,
    /// The plan's action it belongs to.
    pub action: Text,
    /// `settled`, `open` or `pending`.
    pub status: Text,
    /// The venue's time.
    pub at: Timestamp,
    /// The fill, when it is one.
    pub fill: Option<Fill>,
    /// The moved amount, when it is a transfer: asset, units, from, to.
    pub transfer: Option<(Asset, Quantity, Account, Account)>,
    /// What was asked and the transaction that did it, when it happened on chain.
    pub transaction: Option<(Box<str>, Operation)>,
}

/// A funding instant without a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnbookedFunding {
    /// Where and in what.
    pub series: SeriesId,
    /// When.
    pub at: Timestamp,
    /// Signed position held.
    pub position: Quantity,
    /// Its worth at mark, >= 0, USD.
    pub exposed_notional: Value,
}

/// A scheduled withdrawal that the equity could not pay. It displays as the event log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedWithdrawal {
    /// When it was due.
    pub at: Timestamp,
    /// When it was refused: at its instant, or later when closing had cost too much.
    pub refused_at: Timestamp,
    /// In what.
    pub asset: Asset,
    /// Units asked for, > 0.
    pub asked: Quantity,
    /// Equity that was free for it, >= 0.
    pub available: Quantity,
}

impl std::fmt::Display for RefusedWithdrawal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            asset,
            asked,
            available,
            ..
        } = self;
        write!(
            f,
            "withdrawal refused: asked {asked} {asset}, available {available} {asset}"
        )
    }
}

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps of the clock.
    pub steps: u64,
    /// Orders sent.
    pub orders: u64,
    /// Fills confirmed.
    pub fills: u64,
    /// Plans that traded after the first entry.
    pub rebalances: u64,
    /// Positions closed by a venue.
    pub liquidations: u64,
    /// Transfers between venues.
    pub transfers: u64,
    /// Funding payments booked.
    pub funding_payments: u64,
    /// Legs refused by a venue.
    pub rejections: u64,
    /// Rebalances put off because a market was stale.
    pub rebalances_deferred: u64,
    /// Steps at which exposure was not added because it was not expected to earn its cost.
    #[serde(default)]
    pub stood_aside_steps: u64,
}
