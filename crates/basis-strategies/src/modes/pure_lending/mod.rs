//! `pure_lending`: a stablecoin supplied to a lending market; earns the supply rate.
//!
//! Sizing: C = equity × (1 − reserve) is supplied, the reserve stays in the wallet. Gas is paid from ETH worth
//! `gas_reserve_usd`, bought first, and more of it where a transaction costs more than is left. Supplied and
//! withdrawn when the position leaves its band, after a deposit, and for a withdrawal. What the pool has lent out
//! cannot be withdrawn: what it has is taken, and the rest when it is there.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::AmountOrAll;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::rules::RuleBook;
use basis_core::types::{Account, InstrumentKey, InstrumentKind, Item, SeriesId, Timestamp, Venue};
use basis_market::MarketData;
use basis_protocols::gas::GasOperation;
use serde::{Deserialize, Serialize};

use super::chain::legs::{LendingKind, lending};
use super::chain::series::{GAS, oracle, reserve};
use super::chain::{check_capital, floor_to_unit, gas, main_account, settings};
use super::{BuiltIn, Checkpoint, Context, Decision, KeyedStrategy, ModeRow, Uses};
use crate::config::ModeConfig;

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "pure_lending",
    description: "a stablecoin supplied to a lending market; earns the supply rate",
    settings: include_str!("../../../../../configs/modes/pure_lending.yaml"),
    source: "embedded configs/modes/pure_lending.yaml",
    lends: true,
    read: |r| PARTS.read(r),
};

static PARTS: BuiltIn = BuiltIn {
    uses: Uses {
        spot: true,
        hedge: false,
        chain: true,
    },
    required_series,
    optional_series,
    venues,
    check,
    check_market,
    build,
};

/// The version of what is saved of it.
const STATE_VERSION: u32 = 2;

#[derive(Debug, Default, Serialize, Deserialize)]
struct PureLending {
    /// External flows that the position has been scaled to.
    flows_scaled: u64,
    last_moved_at: Option<Timestamp>,
    moving_at: Option<Timestamp>,
    /// Whether the pool had less than was to be withdrawn.
    is_cut: bool,
}

fn required_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    let spot = InstrumentKey::new(config.spot_venue, InstrumentKind::Spot, config.symbol());
    let mut series = vec![config.reference_price, spot.series(), GAS];
    series.extend(reserve(config.asset));
    series.dedup();
    series
}

/// The pool's price of what is lent. Nothing of value hangs on it: the books count a dollar, and without
/// debt neither supply nor withdrawal reads a price. Only the pool's own view of the account in
/// `risk.csv` needs it.
fn optional_series(_config: &ModeConfig<'_>) -> Vec<SeriesId> {
    vec![oracle("USDT_USD")]
}

fn venues(config: &ModeConfig<'_>) -> Vec<Venue> {
    let mut venues = vec![config.spot_venue];
    venues.extend(config.chain.as_ref().map(|chain| chain.lending_venue));
    venues
}

fn check(config: &ModeConfig<'_>, _rules: &RuleBook) -> Result<(), ComponentError> {
    if config.asset == config.share_class {
        return Ok(());
    }
    let message = format!(
        "pure_lending lends its share class; asset is {}, share_class {}; make them the same",
        config.asset, config.share_class
    );
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}

/// What is left beside the gas reserve must be worth lending.
fn check_market(config: &ModeConfig<'_>, _data: &MarketData) -> Result<(), ComponentError> {
    let Some(chain) = config.chain else {
        return Ok(());
    };
    check_capital(config, Quantity::new(chain.gas_reserve_usd.get()))
}

fn build(_config: &ModeConfig<'_>) -> Box<dyn KeyedStrategy> {
    Box::new(PureLending::default())
}

/// The book as it stands and as it should.
#[derive(Clone, Copy, Debug)]
struct LendingBook {
    venue: Venue,
    supplied: Quantity,
    target: Quantity,
    /// What the wallet holds.
    wallet: Quantity,
    /// What is owed to withdrawals.
    owed: Quantity,
}

impl LendingBook {
    fn read(context: &Context<'_>) -> Result<Self, ComponentError> {
        let asset = context.config.asset;
        let venue = settings(context)?.lending_venue;
        let item = Item::Shares(asset);
        let supplied = context.books.holding(main_account(venue), item);
        let owed = Quantity::new(context.pending_withdrawal.get());
        let invested = invested(context, asset)?.sub(owed)?.max(Quantity::ZERO);
        let kept = Rate::ONE.sub(context.config.reserve_ratio)?;
        Ok(Self {
            venue,
            supplied: supplied.map(|held| held.units).unwrap_or_default(),
            target: floor_to_unit(context, asset, invested.at_rate(kept, Rounding::Floor)?)?,
            wallet: context.books.quantity(Account::WALLET, Item::Asset(asset)),
            owed,
        })
    }

    fn strays(&self, threshold: Rate) -> Result<bool, ComponentError> {
        let band = self.target.at_rate(threshold, Rounding::Floor)?;
        Ok(self.supplied.sub(self.target)?.abs()? > band)
    }
}

/// All of the asset that is ours, wherever it is.
fn invested(
    context: &Context<'_>,
    asset: basis_core::types::Asset,
) -> Result<Quantity, ComponentError> {
    let mut sum = Quantity::ZERO;
    for holding in context.books.holdings() {
        if holding.item.asset() == Some(asset) {
            sum = sum.add(holding.signed_units()?)?;
        }
    }
    Ok(sum)
}

impl KeyedStrategy for PureLending {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        if let Some(step) = gas::top_up(context, gas_reserve(context)?)? {
            return Ok(step);
        }
        let book = LendingBook::read(context)?;
        let scale = context.flows_seen != self.flows_scaled;
        let config = context.config;
        let rested = self
            .last_moved_at
            .is_none_or(|at| context.view.now().since(at) >= config.rebalance_min_interval);
        let strays = rested && book.strays(config.equity_deviation)?;
        // A withdrawal is paid from the wallet, whose reserve may cover it.
        let owes = book.owed > book.wallet;
        if !scale && !strays && !owes {
            return Ok(Decision::Hold);
        }
        let change = book.target.sub(book.supplied)?;
        let entered = book.supplied.is_positive();
        // What a withdrawal lacks comes out of the pool in whatever size, and before anything is supplied.
        let lacks = book.owed.sub(book.wallet)?.max(Quantity::ZERO);
        let lacks = lacks.min(book.supplied);
        let (kind, amount, action) = if change.is_negative() || lacks.is_positive() {
            let all = book.target.is_zero();
            let action = if all {
                Action::ExitFull
            } else {
                Action::ExitPartial
            };
            let wanted = change.neg()?.max(lacks);
            let there = cash(context, book.venue)?;
            self.is_cut = there < wanted;
            if self.is_cut && there < wanted.min(config.min_transfer) {
                return Ok(Decision::Waits(
                    "withdrawal",
                    format!("{} has {there} {} of {wanted}", book.venue, config.asset),
                ));
            }
            (LendingKind::Withdraw, wanted.min(there), action)
        } else {
            self.is_cut = false;
            let action = if entered {
                Action::EntryPartial
            } else {
                Action::EntryFull
            };
            (LendingKind::Supply, change.min(book.wallet), action)
        };
        let least = if lacks.is_positive() {
            lacks.min(config.min_transfer)
        } else {
            config.min_transfer
        };
        if amount < least || (context.reduce_only && kind == LendingKind::Supply) {
            self.flows_scaled = context.flows_seen;
            return Ok(Decision::Hold);
        }
        // The reserve is for ordinary prices of gas: a dear transaction is paid for before it is sent.
        if let Some(step) = gas::top_up(context, dear(context, kind)?)? {
            return Ok(step);
        }
        self.moving_at = Some(context.view.now());
        let reason = match (entered, scale) {
            (false, _) => "entry",
            (true, true) => "capital_flow",
            (true, false) => "equity_deviation",
        };
        let amount = AmountOrAll::Exactly(amount);
        let legs = vec![lending(book.venue, kind, config.asset, amount)];
        Ok(Decision::Act(plan(action, reason, legs)))
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        let book = LendingBook::read(context)?;
        if !book.supplied.is_positive() {
            return Ok(None);
        }
        let asset = context.config.asset;
        let there = cash(context, book.venue)?;
        let amount = if there < book.supplied {
            AmountOrAll::Exactly(there)
        } else {
            AmountOrAll::All
        };
        if there.is_zero() {
            return Ok(None);
        }
        let legs = vec![lending(book.venue, LendingKind::Withdraw, asset, amount)];
        Ok(Some(plan(Action::ExitFull, "risk", legs)))
    }

    fn deleverage(
        &mut self,
        _context: &Context<'_>,
        _venue: Venue,
        _fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        // Nothing is owed, so nothing can be cut.
        Ok(None)
    }

    /// What there is of the asset; the gas reserve is none of it, and one more of it may have to be bought.
    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        let gas = Quantity::new(settings(context)?.gas_reserve_usd.get());
        let free = invested(context, context.config.asset)?.sub(gas)?;
        Ok(free.max(Quantity::ZERO))
    }

    /// The gas reserve is the book's only delta: it is no broken hedge.
    fn is_building(&self, _flows_seen: u64) -> bool {
        true
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(STATE_VERSION, self)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        *self = checkpoint.read(STATE_VERSION)?;
        Ok(())
    }

    fn completed(&mut self, flows_seen: u64, traded: bool) {
        if let Some(at) = self.moving_at.take()
            && traded
        {
            self.last_moved_at = Some(at);
            if !self.is_cut {
                self.flows_scaled = flows_seen;
            }
        }
    }
}

/// ETH of the configured reserve, at the price of the underlying.
fn gas_reserve(context: &Context<'_>) -> Result<Quantity, ComponentError> {
    let price = context.view.quote(context.books.reference()).mark;
    let dollars = settings(context)?.gas_reserve_usd;
    if !price.is_positive() {
        return Ok(Quantity::ZERO);
    }
    Ok(dollars.per(price, Rounding::Ceil)?)
}

/// Twice the ETH that a transaction of `kind` costs, with room for the price of gas to rise: half of a reserve is
/// what it may fall to.
fn dear(context: &Context<'_>, kind: LendingKind) -> Result<Quantity, ComponentError> {
    let operation = match kind {
        LendingKind::Withdraw => GasOperation::AaveWithdraw,
        _ => GasOperation::AaveSupply,
    };
    let once = gas::cost(context, operation.gas())?;
    Ok(once.add(once)?)
}

/// What the pool has not lent out.
fn cash(context: &Context<'_>, venue: Venue) -> Result<Quantity, ComponentError> {
    let asset = context.config.asset;
    let terms = context.terms(venue)?;
    let mut lent = terms.flash_loans.iter();
    let found = lent.find(|lent| lent.asset == asset);
    Ok(found.map_or(Quantity::new(Fixed18::MAX), |lent| lent.available))
}

fn plan(action: Action, reason: &'static str, legs: Vec<Leg>) -> Plan {
    Plan {
        action,
        reason: reason.into(),
        blocks: vec![Block {
            legs,
            failure_policy: FailurePolicy::Halt,
        }],
    }
}
