//! The section `venue_settings.<dex>`: the keys every venue has, and `pools`.
//!
//! A pool that comes with the venue needs no entry; an entry of its name changes the keys it writes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use basis_core::config::{Node, NodeValue, Problems, Reader};
use basis_core::num::{Bps, Fixed18, Value};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind};
use basis_core::venue::VenueType;
use basis_protocols::bar_pool::{Impact, SQRT_IMPACT_MAX};
use basis_protocols::gas::GasOperation;

use super::{BarModel, Model, Pool, VolumeUnit};
use crate::settings::read_common;

/// What sets the settings of one DEX apart from another's.
#[derive(Clone, Copy)]
pub struct Dex {
    /// Pools that work without an entry, from recorded series.
    pub defaults: &'static [PoolDefault],
    /// The denominator of `fee`, as the venue's contracts have it.
    pub fee_denominator: i64,
    /// The highest `fee`.
    pub fee_max: i64,
    /// What a swap in a pool known by bars uses.
    pub gas: GasOperation,
    /// Reads a pool given by its state.
    pub read_state: fn(&Self, &Reader<'_>, &[Asset]) -> Option<Model>,
}

impl fmt::Debug for Dex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dex")
            .field("defaults", &self.defaults)
            .finish_non_exhaustive()
    }
}

/// A pool that comes with the venue.
#[derive(Clone, Copy, Debug)]
pub struct PoolDefault {
    /// Its name.
    pub name: Label,
    /// The series of its prices.
    pub series: SeriesId,
    /// Base and quote.
    pub assets: [Asset; 2],
    /// In the venue's own denominator.
    pub fee: i64,
    /// Quote units on each side, an assumption.
    pub depth: Value,
}

/// What the section says.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Sorted by name.
    pub pools: Vec<Pool>,
}

/// The denominator of fees in the bar model.
const MILLION: i64 = 1_000_000;

impl PoolSettings {
    /// Reads the section. Problems go to `problems`, and a pool with one is left out.
    pub fn read(dex: &Dex, node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        read_common(&reader, VenueType::Dex);
        let written = reader.map("pools");
        let unwritten = dex
            .defaults
            .iter()
            .filter(|pool| written.iter().all(|entry| entry.key != pool.name.as_str()));
        let mut pools: Vec<_> = unwritten.map(|pool| pool.pool(dex)).collect();
        for entry in written {
            let Ok(name) = Label::new(&entry.key) else {
                let text = format!("`{}` is no name of a pool: 1 to 23 bytes", entry.key);
                reader.problem("pools", text);
                continue;
            };
            let path = reader.path_of(&format!("pools.{name}"));
            let row = Reader::new(&entry.node, path, problems);
            pools.extend(read_pool(dex, &row, name));
            row.finish();
        }
        reader.finish();
        pools.sort_by_key(|pool| pool.name);
        Self { pools }
    }
}

impl PoolDefault {
    fn pool(&self, dex: &Dex) -> Pool {
        let [base, quote] = self.assets;
        let depth = self.depth;
        Pool {
            name: self.name,
            assets: vec![base, quote],
            model: Model::Bars(BarModel {
                series: self.series,
                base,
                quote,
                fee: dex.of_a_million(self.fee),
                impact: Impact::ConstantProduct { depth },
                volume: VolumeUnit::Dollars,
                gas: dex.gas,
                moved: None,
            }),
            reported: BTreeMap::new(),
        }
    }
}

impl Dex {
    /// A fee in the venue's denominator in millionths, rounded up.
    fn of_a_million(&self, fee: i64) -> u32 {
        let scale = (self.fee_denominator / MILLION).max(1);
        let up = fee.saturating_add(scale.saturating_sub(1)) / scale;
        u32::try_from(up).unwrap_or(u32::MAX)
    }

    /// Reads `fee`, which must be there without a default.
    pub fn read_fee(&self, row: &Reader<'_>, default: Option<i64>) -> Option<i64> {
        let missing = row.node("fee").is_none();
        if missing && default.is_none() {
            let text = format!(
                "is required: as the contract has it, of {}",
                self.fee_denominator
            );
            row.problem("fee", text);
        }
        if missing {
            return default;
        }
        row.within("fee", 0..=self.fee_max)
    }
}

/// Reads one entry of `pools`; `None` after a problem.
fn read_pool(dex: &Dex, row: &Reader<'_>, name: Label) -> Option<Pool> {
    let default = dex.defaults.iter().find(|pool| pool.name == name);
    let from_bars = row.choice("model", &[("bars", true), ("state", false)], true);
    let assets = if row.node("assets").is_none()
        && let Some(default) = default
    {
        Some(default.assets.to_vec())
    } else {
        read_assets(row)
    };
    let model = if from_bars {
        read_bars(dex, row, assets.as_deref(), default).map(Model::Bars)
    } else {
        (dex.read_state)(dex, row, assets.as_deref().unwrap_or_default())
    };
    let (assets, model) = (assets?, model?);
    Some(Pool {
        name,
        assets,
        model,
        reported: BTreeMap::new(),
    })
}

/// Reads the list `key`; `None` after a problem or when it is absent.
pub fn read_list<T>(row: &Reader<'_>, key: &str) -> Option<Vec<T>>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    if row.node(key).is_none() {
        row.problem(key, "is required: a list");
        return None;
    }
    let mut values = Vec::new();
    let mut whole = true;
    for item in row.list(key) {
        let value = match &item.value {
            NodeValue::Text(text) => text.parse::<T>().map_err(|e| format!("`{text}`: {e}")),
            _ => Err("expected a list of single values".to_owned()),
        };
        match value {
            Ok(value) => values.push(value),
            Err(text) => {
                row.problem(key, text);
                whole = false;
            }
        }
    }
    whole.then_some(values)
}

fn read_assets(row: &Reader<'_>) -> Option<Vec<Asset>> {
    let assets = read_list::<Asset>(row, "assets")?;
    let twice = (1..assets.len()).any(|at| {
        let (before, rest) = assets.split_at(at);
        rest.first().is_some_and(|asset| before.contains(asset))
    });
    if twice || !(2..=4).contains(&assets.len()) {
        row.problem("assets", "a pool has 2 to 4 assets, each once");
        return None;
    }
    Some(assets)
}

fn read_bars(
    dex: &Dex,
    row: &Reader<'_>,
    assets: Option<&[Asset]>,
    default: Option<&PoolDefault>,
) -> Option<BarModel> {
    let series = match (row.parse::<SeriesId>("series"), default) {
        (Some(series), _) => Some(series),
        (None, Some(default)) if row.node("series").is_none() => Some(default.series),
        (None, None) if row.node("series").is_none() => {
            row.problem("series", "is required: the series of the pool's prices");
            None
        }
        (None, _) => None,
    };
    let fee = dex.read_fee(row, default.map(|default| default.fee));
    let impact = read_impact(row, default.map(|default| default.depth));
    let units = [("usd", VolumeUnit::Dollars), ("quote", VolumeUnit::Quote)];
    let volume = row.choice("volume", &units, VolumeUnit::Dollars);
    let series = series?;
    if !matches!(series.kind, SeriesKind::Dex | SeriesKind::StakingMarket) {
        let text = format!("{series} is neither bars of a pool (dex) nor a staking_market");
        row.problem("series", text);
        return None;
    }
    if series.kind == SeriesKind::StakingMarket && matches!(impact, Some(Impact::Sqrt { .. })) {
        let text = format!("sqrt_impact needs volumes, and {series} has none; take another");
        row.problem("impact", text);
        return None;
    }
    let &[base, quote] = assets? else {
        row.problem("assets", "a pool known by bars has 2: base and quote");
        return None;
    };
    Some(BarModel {
        series,
        base,
        quote,
        fee: dex.of_a_million(fee?),
        impact: impact?,
        volume,
        gas: dex.gas,
        moved: None,
    })
}

fn read_impact(row: &Reader<'_>, default_depth: Option<Value>) -> Option<Impact> {
    #[derive(Clone, Copy)]
    enum Kind {
        None,
        Fixed,
        ConstantProduct,
        Sqrt,
    }
    let kinds = [
        ("none", Kind::None),
        ("fixed_bps", Kind::Fixed),
        ("constant_product", Kind::ConstantProduct),
        ("sqrt_impact", Kind::Sqrt),
    ];
    let kind = row.choice("impact", &kinds, Kind::ConstantProduct);
    let bps = |key: &str, max: Fixed18, default: i64| {
        let bounds = Fixed18::ZERO..=max;
        Bps::new(row.fixed(key, bounds, Fixed18::from_int(default)))
    };
    let impact = bps("impact_bps", Fixed18::from_int(9_999), 10);
    let max = bps("impact_max_bps", SQRT_IMPACT_MAX.get(), 500);
    let depth_bounds = Fixed18::ONE..=Fixed18::from_int(1_000_000_000_000);
    let absent = row.node("depth").is_none();
    let depth = row.within("depth", depth_bounds).map(Value::new);
    match kind {
        Kind::None => Some(Impact::None),
        Kind::Fixed => Some(Impact::FixedBps(impact)),
        Kind::Sqrt => Some(Impact::Sqrt { impact, max }),
        Kind::ConstantProduct => {
            let depth = depth.or(default_depth.filter(|_| absent));
            if absent && depth.is_none() {
                let text = "is required by constant_product: units of the quote asset on each side";
                row.problem("depth", text);
            }
            depth.map(|depth| Impact::ConstantProduct { depth })
        }
    }
}
