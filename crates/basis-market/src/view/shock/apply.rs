//! A market under shocks: its untouched series shared, the touched ones copied.

use std::collections::BTreeSet;
use std::sync::Arc;

use basis_core::num::Fixed18;
use basis_core::types::{SeriesId, SeriesKind, Span, Venue};

use super::rows::{Frame, ReserveShocks};
use super::{Shock, ShockError, ShockSet, Target, bars, pair, rows};
use crate::series::MarketData;
use crate::series::{GasFees, ReserveRow, RowSeries, SeriesRow};
use crate::view::{MarketView, SeriesRequest, ViewPolicy};

impl ShockSet {
    /// `data` as a view of `requests` shows it under the shocks. Series that are not requested (and
    /// are no funding rates, no reference and no proxy) stay as they are.
    pub(crate) fn shocked(
        &self,
        data: &Arc<MarketData>,
        requests: &[SeriesRequest],
        policy: &ViewPolicy,
    ) -> Result<Arc<MarketData>, ShockError> {
        if self.is_empty() {
            return Ok(Arc::clone(data));
        }
        let mut read: BTreeSet<SeriesId> = requests.iter().map(|request| request.id).collect();
        read.extend(requests.iter().filter_map(|request| request.reference));
        read.extend(policy.proxies.values());
        let mut market = MarketData::clone(data);
        for (id, series) in &mut market.bars {
            let shocks = self.those(|shock| shock.moves_market(*id));
            if read.contains(id) && !shocks.is_empty() {
                *series = Arc::new(bars::shocked(series, &shocks)?);
            }
        }
        for (id, series) in &mut market.rates {
            let shocks = self.those(|shock| shock.moves_funding(*id));
            if !shocks.is_empty() {
                *series = Arc::new(bars::shocked_rates(series, &shocks)?);
            }
        }
        self.shock_rows(data, &mut market, &read, requests, policy)?;
        Ok(Arc::new(market))
    }

    fn shock_rows(
        &self,
        data: &MarketData,
        market: &mut MarketData,
        read: &BTreeSet<SeriesId>,
        requests: &[SeriesRequest],
        policy: &ViewPolicy,
    ) -> Result<(), ShockError> {
        let reference = requests.iter().find_map(|request| request.reference);
        let of_reference = self.those(|shock| reference.is_some_and(|id| shock.moves_market(id)));
        let lengths = read.iter().filter_map(|id| Some(data.bars(*id)?.length));
        let frame = Frame {
            grid: lengths
                .min()
                .unwrap_or(Span::HOUR)
                .max(Span::from_seconds(1)),
            slack: policy.slack(),
            reference: reference
                .and_then(|id| data.bars(id))
                .map(|bars| (&**bars, of_reference.as_slice())),
        };
        let follows = |id: SeriesId| reference.is_some_and(|reference| is_token(id, reference));
        each::<Fixed18>(market, read, |series| {
            let id = series.id();
            let shocks = self.those(|shock| match id.kind {
                SeriesKind::StakingRate => shock.moves_protocol(id),
                SeriesKind::StakingMarket => shock.moves_market(id),
                _ => shock.moves_oracle(id),
            });
            let follows = follows(id);
            let is_touched = !shocks.is_empty() || (follows && !of_reference.is_empty());
            is_touched
                .then(|| rows::points(series, &frame, &shocks, follows))
                .transpose()
        })?;
        each::<ReserveRow>(market, read, |series| {
            let id = series.id();
            let shocks = ReserveShocks {
                oracle: self.those(|shock| shock.moves_oracle(id)),
                borrow: self.those(|shock| shock.moves_reserve(id, Target::Borrow)),
                supply: self.those(|shock| shock.moves_reserve(id, Target::Supply)),
                follows: follows(id),
            };
            let own = [&shocks.oracle, &shocks.borrow, &shocks.supply];
            let is_touched = own.iter().any(|shocks| !shocks.is_empty())
                || (shocks.follows && !of_reference.is_empty());
            is_touched
                .then(|| rows::reserve(series, &frame, &shocks))
                .transpose()
        })?;
        each::<GasFees>(market, read, |series| {
            let shocks = self.those(|shock| shock.moves_gas(series.id()));
            (!shocks.is_empty())
                .then(|| rows::gas(series, &frame, &shocks))
                .transpose()
        })
    }

    /// The shocks that are so, in order.
    fn those(&self, is_so: impl Fn(&Shock) -> bool) -> Vec<&Shock> {
        self.shocks().iter().filter(|shock| is_so(shock)).collect()
    }
}

impl MarketView {
    /// Whether a shock has withdrawals from `venue` halted: nothing can be sent away from it.
    #[must_use]
    pub fn withdrawals_halted(&self, venue: Venue) -> bool {
        let shocks = self.policy().shocks.as_ref();
        shocks.is_some_and(|shocks| shocks.withdrawals_halted(venue, self.now()))
    }

    /// Whether a shock has `venue` out: its values are shown as held and nothing trades there.
    #[must_use]
    pub fn is_out(&self, venue: Venue) -> bool {
        let shocks = self.policy().shocks.as_ref();
        shocks.is_some_and(|shocks| shocks.is_out(venue, self.now()))
    }
}

/// Replaces the series for which `shocked` has another.
fn each<T: SeriesRow>(
    market: &mut MarketData,
    read: &BTreeSet<SeriesId>,
    shocked: impl Fn(&RowSeries<T>) -> Result<Option<RowSeries<T>>, ShockError>,
) -> Result<(), ShockError> {
    for (id, series) in T::of_kind_mut(&mut market.rows) {
        if read.contains(id)
            && let Some(other) = shocked(series)?
        {
            *series = Arc::new(other);
        }
    }
    Ok(())
}

/// Whether `id` records an oracle's USD price of what `reference` prices, or of a token of it.
fn is_token(id: SeriesId, reference: SeriesId) -> bool {
    let is_oracle = matches!(id.kind, SeriesKind::Oracle | SeriesKind::AaveReserve);
    let ((base, in_dollars), (root, _)) = (pair(&id), pair(&reference));
    is_oracle && in_dollars && !root.is_empty() && base.ends_with(root)
}
