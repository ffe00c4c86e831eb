//! `fixed_weight`, a mode of one's own: a share of the capital in BTC at one exchange, the rest in cash
//! there, traded back to the share when it has left its band.
//!
//! **Invariants.** The strategy reads the view and the books and keeps nothing: what is not done yet is
//! decided again at the next step. It adds nothing while risk asks for less.

use std::sync::Arc;

use basis::App;
use basis::core::config::Reader;
use basis::core::error::{Code, ComponentError};
use basis::core::instruction::{Operation, Transfer};
use basis::core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis::core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis::core::rules::{InstrumentRules, RuleBook, RuleSnapshot};
use basis::core::types::{Account, InstrumentKey, InstrumentKind, Item, SeriesId, Side, Venue};
use basis::engine::RunConfig;
use basis::engine::mode::{Mode, ModeRow, Trades};
use basis::engine::strategy::{Checkpoint, Context, Decision, Strategy};

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "fixed_weight",
    description: "a fixed share of the capital in BTC at one exchange, the rest in cash",
    settings: include_str!("../fixed_weight.yaml"),
    source: "examples/own-mode/fixed_weight.yaml",
    lends: false,
    read,
};

/// Everything that comes with the program, and this mode.
///
/// # Errors
/// CFG-003 when the name is taken.
pub fn app() -> Result<App, ComponentError> {
    App::builtin().with_mode(MODE)
}

/// The version of what is saved of it.
const STATE_VERSION: u32 = 1;

/// The keys of the mode.
#[derive(Clone, Copy, Debug)]
struct FixedWeight {
    exchange: Venue,
    weight: Rate,
    band: Rate,
}

fn read(r: &Reader<'_>) -> Option<Arc<dyn Mode>> {
    let share = |key: &str, default| {
        let bounds = Fixed18::ZERO..=Fixed18::ONE;
        Rate::new(r.fixed(key, bounds, Fixed18::literal(default)))
    };
    let (weight, band) = (share("weight", "0.5"), share("band", "0.05"));
    let exchange = r.required::<Venue>("exchange")?;
    Some(Arc::new(FixedWeight {
        exchange,
        weight,
        band,
    }))
}

impl FixedWeight {
    fn spot(&self, config: &RunConfig) -> InstrumentKey {
        InstrumentKey::new(self.exchange, InstrumentKind::Spot, config.symbol())
    }
}

impl Mode for FixedWeight {
    fn required_series(&self, config: &RunConfig) -> Vec<SeriesId> {
        let mut series = vec![config.reference_price, self.spot(config).series()];
        series.dedup();
        series
    }

    fn venues(&self, _config: &RunConfig) -> Vec<Venue> {
        vec![self.exchange]
    }

    fn trades(&self) -> Trades {
        Trades {
            spot: Some(self.exchange),
            ..Trades::default()
        }
    }

    fn may_change(&self) -> Vec<&'static str> {
        vec!["weight", "band"]
    }

    fn check(&self, config: &RunConfig, rules: &RuleBook) -> Result<(), ComponentError> {
        let place = |at: &RuleSnapshot| {
            let listed = at.instrument(InstrumentKind::Spot, config.symbol())?;
            let fits = listed.base == config.asset && listed.quote == config.share_class;
            fits.then_some(())
        };
        let rules = rules.venue(self.exchange).map(|own| own.at(config.from));
        if rules.and_then(place).is_none() {
            let (asset, class) = (config.asset, config.share_class);
            return Err(infeasible(format!(
                "{} lists no spot {} of {asset} against {class}; name another exchange",
                self.exchange,
                config.symbol()
            )));
        }
        if config.flows.iter().any(|flow| flow.amount.is_negative()) {
            let message = "fixed_weight pays nothing out before the end; remove the withdrawals";
            return Err(infeasible(message.to_owned()));
        }
        Ok(())
    }

    fn build(&self, _config: &RunConfig, _rules: &Arc<RuleBook>) -> Box<dyn Strategy> {
        Box::new(*self)
    }
}

/// The book at the exchange.
struct ExchangeBook<'a> {
    rules: &'a RuleSnapshot,
    spot: &'a InstrumentRules,
    series: SeriesId,
    cash: Value,
    held: Quantity,
}

impl FixedWeight {
    fn book<'a>(&self, context: &'a Context<'_>) -> Result<ExchangeBook<'a>, ComponentError> {
        let (config, now) = (context.config, context.view.now());
        let rules = context.rules.venue(self.exchange).map(|own| own.at(now));
        let spot = rules.and_then(|at| at.instrument(InstrumentKind::Spot, config.symbol()));
        let (Some(rules), Some(spot)) = (rules, spot) else {
            let message = format!("{} lists no {} now", self.exchange, config.symbol());
            return Err(infeasible(message));
        };
        let of = |asset| {
            context
                .books
                .quantity(rules.accounts.spot, Item::Asset(asset))
        };
        Ok(ExchangeBook {
            rules,
            spot,
            series: self.spot(config).series(),
            cash: Value::new(of(config.share_class).get()),
            held: of(config.asset),
        })
    }

    /// Capital on its way to the account that buys: from the wallet, then within the exchange.
    fn funding(context: &Context<'_>, to: &RuleSnapshot) -> Result<Option<Leg>, ComponentError> {
        let (asset, config) = (context.config.share_class, context.config);
        let held = |account| context.books.quantity(account, Item::Asset(asset));
        let accounts = &to.accounts;
        let arrived = held(accounts.deposit);
        if accounts.deposit != accounts.spot && arrived.is_positive() {
            return Ok(Some(transfer(
                context,
                arrived,
                accounts.deposit,
                accounts.spot,
            )));
        }
        let kept = context.equity_in_share_class()?;
        let kept = kept.at_rate(config.reserve_ratio, Rounding::Ceil)?;
        let wallet = context.rules.venue(Venue::WALLET);
        let row = wallet.and_then(|rules| rules.at(context.view.now()).withdrawal(asset));
        let fee = row.map_or(Quantity::ZERO, |row| Quantity::new(row.fee.get()));
        let spare = held(Account::WALLET).sub(kept)?.sub(fee)?.get();
        let spare = Quantity::new(spare.round_to_decimals(2, Rounding::Floor)?);
        let goes = spare.is_positive() && spare >= config.min_transfer;
        Ok(goes.then(|| transfer(context, spare, Account::WALLET, accounts.deposit)))
    }

    /// The order that brings the asset to `weight` of what stands at the exchange; `None` when it is too
    /// small to be one.
    fn order(
        context: &Context<'_>,
        book: &ExchangeBook<'_>,
        (weight, band): (Rate, Rate),
    ) -> Result<Option<Leg>, ComponentError> {
        let Some(quote) = context.view.quote_of(book.series) else {
            return Ok(None);
        };
        if !quote.state.is_tradable() {
            return Ok(None);
        }
        let value = book.held.notional(quote.mark, Rounding::Floor)?;
        let whole = value.add(book.cash)?;
        let off = whole.at_rate(weight, Rounding::Floor)?.sub(value)?;
        if off.abs()? <= whole.at_rate(band, Rounding::Floor)? {
            return Ok(None);
        }
        let side = if off.is_positive() {
            Side::Buy
        } else {
            Side::Sell
        };
        if side == Side::Buy && context.reduce_only {
            return Ok(None);
        }
        let size = off.abs()?.per(quote.mark, Rounding::Floor)?;
        let size = size.min(book.spot.max_market_quantity);
        let size = size.round_to_lot(book.spot.lot_size, Rounding::Floor)?;
        let notional = size.notional(quote.mark, Rounding::Floor)?;
        let fits = size >= book.spot.min_quantity && notional >= book.spot.min_notional;
        Ok(fits.then(|| Leg::market(book.spot.key, side, size, false)))
    }
}

impl Strategy for FixedWeight {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        let book = self.book(context)?;
        if let Some(leg) = Self::funding(context, book.rules)? {
            return Ok(Decision::Act(plan(Action::EntryPartial, "capital", leg)));
        }
        let order = Self::order(context, &book, (self.weight, self.band))?;
        Ok(order.map_or(Decision::Hold, |leg| {
            Decision::Act(plan(Action::EntryPartial, "weight", leg))
        }))
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        let book = self.book(context)?;
        let order = Self::order(context, &book, (Rate::ZERO, Rate::ZERO))?;
        Ok(order.map(|leg| plan(Action::ExitFull, "risk", leg)))
    }

    fn deleverage(
        &mut self,
        _context: &Context<'_>,
        _venue: Venue,
        _fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        // Nothing is borrowed and no perp is held: there is no account to relieve.
        Ok(None)
    }

    /// The book is meant to be long: its delta is no broken hedge.
    fn is_building(&self, _flows_seen: u64) -> bool {
        true
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(STATE_VERSION, &())
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        checkpoint.read(STATE_VERSION)
    }

    fn completed(&mut self, _flows_seen: u64, _traded: bool) {}
}

fn transfer(context: &Context<'_>, amount: Quantity, from: Account, to: Account) -> Leg {
    let asset = context.config.share_class;
    let transfer = Transfer {
        asset,
        amount,
        from,
        to,
    };
    Leg::new(from.venue, Operation::Transfer(transfer))
}

fn plan(action: Action, reason: &'static str, leg: Leg) -> Plan {
    let legs = vec![leg];
    let failure_policy = FailurePolicy::Halt;
    Plan {
        action,
        reason: reason.into(),
        blocks: vec![Block {
            legs,
            failure_policy,
        }],
    }
}

fn infeasible(message: String) -> ComponentError {
    ComponentError::new(Code::StrategyInfeasible, message)
}
