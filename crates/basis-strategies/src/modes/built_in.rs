//! How a mode of this crate meets the engine: its keys are read once and stand beside the run's
//! configuration whenever the strategy is asked.

use std::ops::Deref;
use std::sync::Arc;

use basis_core::config::Reader;
use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Value};
use basis_core::plan::Plan;
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, Venue};
use basis_engine::RunConfig;
use basis_engine::exit::ExitRoutes;
use basis_engine::mode::{Mode, Trades};
use basis_engine::size::EntryShare;
use basis_engine::strategy::{self, Checkpoint, Decision, Strategy};
use basis_market::MarketData;

use super::{chain, spot_perp};
use crate::config::{Keys, ModeConfig, Uses};

/// What a mode is made of.
#[derive(Debug)]
pub(super) struct BuiltIn {
    /// Which groups of keys its configuration has.
    pub(super) uses: Uses,
    /// As [`Mode::required_series`].
    pub(super) required_series: fn(&ModeConfig<'_>) -> Vec<SeriesId>,
    /// As [`Mode::optional_series`].
    pub(super) optional_series: fn(&ModeConfig<'_>) -> Vec<SeriesId>,
    /// As [`Mode::venues`].
    pub(super) venues: fn(&ModeConfig<'_>) -> Vec<Venue>,
    /// As [`Mode::check`].
    pub(super) check: fn(&ModeConfig<'_>, &RuleBook) -> Result<(), ComponentError>,
    /// As [`Mode::check_market`].
    pub(super) check_market: fn(&ModeConfig<'_>, &MarketData) -> Result<(), ComponentError>,
    /// As [`Mode::build`].
    pub(super) build: fn(&ModeConfig<'_>) -> Box<dyn KeyedStrategy>,
}

impl BuiltIn {
    /// The mode with its keys; `None` without one that it cannot do without.
    pub(super) fn read(&'static self, r: &Reader<'_>) -> Option<Arc<dyn Mode>> {
        let keys = Arc::new(Keys::read(r, self.uses)?);
        Some(Arc::new(WithKeys { parts: self, keys }))
    }
}

#[derive(Debug)]
struct WithKeys {
    parts: &'static BuiltIn,
    keys: Arc<Keys>,
}

impl Mode for WithKeys {
    fn required_series(&self, config: &RunConfig) -> Vec<SeriesId> {
        (self.parts.required_series)(&self.keys.beside(config))
    }

    fn optional_series(&self, config: &RunConfig) -> Vec<SeriesId> {
        (self.parts.optional_series)(&self.keys.beside(config))
    }

    fn venues(&self, config: &RunConfig) -> Vec<Venue> {
        (self.parts.venues)(&self.keys.beside(config))
    }

    fn trades(&self) -> Trades {
        Trades {
            spot: self.keys.spot_venue,
            perps: self.keys.hedge_allocation.clone(),
            staking_token: self.keys.chain.as_ref().map(|chain| chain.lst),
        }
    }

    fn entry(&self, config: &RunConfig) -> Vec<EntryShare> {
        spot_perp::entry(&self.keys.beside(config), None).unwrap_or_default()
    }

    fn entry_on(&self, config: &RunConfig, data: &MarketData) -> Vec<EntryShare> {
        spot_perp::entry(&self.keys.beside(config), Some(data)).unwrap_or_default()
    }

    fn spot_alone_at(&self, config: &RunConfig, data: &MarketData) -> Option<Venue> {
        spot_perp::spot_alone_at(&self.keys.beside(config), data)
    }

    fn exit_routes(&self, config: &RunConfig) -> ExitRoutes {
        let config = &self.keys.beside(config);
        let series = (self.parts.required_series)(config);
        ExitRoutes {
            spot: self.keys.spot_venue,
            stakes: chain::exit_routes(config, &series),
        }
    }

    fn kept_in_wallet(&self, config: &RunConfig) -> Option<Quantity> {
        match &self.keys.chain {
            // Cash of a hedged stake is the margin of its shorts until the stake has left.
            Some(_) if self.parts.uses.hedge => None,
            Some(chain) if config.is_in_kind() => Some(chain.gas_reserve),
            _ => Some(Quantity::ZERO),
        }
    }

    fn may_change(&self) -> Vec<&'static str> {
        self.parts.uses.may_change()
    }

    fn check(&self, config: &RunConfig, rules: &RuleBook) -> Result<(), ComponentError> {
        (self.parts.check)(&self.keys.beside(config), rules)
    }

    fn check_market(&self, config: &RunConfig, data: &MarketData) -> Result<(), ComponentError> {
        (self.parts.check_market)(&self.keys.beside(config), data)
    }

    fn build(&self, config: &RunConfig, _rules: &Arc<RuleBook>) -> Box<dyn Strategy> {
        Box::new(Keyed {
            keys: Arc::clone(&self.keys),
            strategy: (self.parts.build)(&self.keys.beside(config)),
        })
    }
}

/// All that a strategy of this crate may read: what the engine shows, and the keys of the mode in place
/// of the configuration that all modes have.
#[derive(Debug)]
pub(super) struct Context<'a> {
    shown: &'a strategy::Context<'a>,
    /// The run's configuration with the keys of the mode.
    pub(super) config: &'a ModeConfig<'a>,
}

impl<'a> Deref for Context<'a> {
    type Target = strategy::Context<'a>;

    fn deref(&self) -> &Self::Target {
        self.shown
    }
}

/// [`Strategy`] with the keys of the mode in the context; what its methods promise is said there.
pub(super) trait KeyedStrategy: Send + std::fmt::Debug {
    /// As [`Strategy::decide`].
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError>;

    /// As [`Strategy::exit`].
    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError>;

    /// As [`Strategy::deleverage`].
    fn deleverage(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError>;

    /// As [`Strategy::top_up`].
    fn top_up(
        &mut self,
        _context: &Context<'_>,
        _venue: Venue,
        _missing: Value,
    ) -> Result<Option<Plan>, ComponentError> {
        Ok(None)
    }

    /// As [`Strategy::payable`].
    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        context.equity_in_share_class()
    }

    /// As [`Strategy::is_building`].
    fn is_building(&self, _flows_seen: u64) -> bool {
        false
    }

    /// As [`Strategy::counts_in_flight`].
    fn counts_in_flight(&self) -> bool {
        false
    }

    /// As [`Strategy::save`].
    fn save(&self) -> Result<Checkpoint, ComponentError>;

    /// As [`Strategy::restore`].
    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError>;

    /// As [`Strategy::completed`].
    fn completed(&mut self, flows_seen: u64, traded: bool);
}

/// A strategy with the keys it is asked with.
#[derive(Debug)]
struct Keyed {
    keys: Arc<Keys>,
    strategy: Box<dyn KeyedStrategy>,
}

impl Keyed {
    fn ask<T>(
        &mut self,
        shown: &strategy::Context<'_>,
        ask: impl FnOnce(&mut dyn KeyedStrategy, &Context<'_>) -> T,
    ) -> T {
        let config = self.keys.beside(shown.config);
        let context = Context {
            shown,
            config: &config,
        };
        ask(self.strategy.as_mut(), &context)
    }
}

impl Strategy for Keyed {
    fn decide(&mut self, shown: &strategy::Context<'_>) -> Result<Decision, ComponentError> {
        self.ask(shown, |strategy, context| strategy.decide(context))
    }

    fn exit(&mut self, shown: &strategy::Context<'_>) -> Result<Option<Plan>, ComponentError> {
        self.ask(shown, |strategy, context| strategy.exit(context))
    }

    fn deleverage(
        &mut self,
        shown: &strategy::Context<'_>,
        venue: Venue,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        self.ask(shown, |strategy, context| {
            strategy.deleverage(context, venue, fraction)
        })
    }

    fn top_up(
        &mut self,
        shown: &strategy::Context<'_>,
        venue: Venue,
        missing: Value,
    ) -> Result<Option<Plan>, ComponentError> {
        self.ask(shown, |strategy, context| {
            strategy.top_up(context, venue, missing)
        })
    }

    fn payable(&mut self, shown: &strategy::Context<'_>) -> Result<Quantity, ComponentError> {
        self.ask(shown, |strategy, context| strategy.payable(context))
    }

    fn is_building(&self, flows_seen: u64) -> bool {
        self.strategy.is_building(flows_seen)
    }

    fn counts_in_flight(&self) -> bool {
        self.strategy.counts_in_flight()
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        self.strategy.save()
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        self.strategy.restore(checkpoint)
    }

    fn completed(&mut self, flows_seen: u64, traded: bool) {
        self.strategy.completed(flows_seen, traded);
    }
}
