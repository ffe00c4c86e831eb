//! Accounts: wallets, positions, settings, keys.

use std::collections::BTreeMap;

use basis_core::num::{Fixed18, MathError, Quantity};
use basis_core::types::{Asset, PositionSide, Symbol};
use basis_protocols::exchange::PerpPosition;

use super::settings::{AccountSettings, Permissions};
use crate::server::signature::Verifier;

/// What a spot wallet has of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// For new orders.
    pub free: Quantity,
    /// Held back by open orders.
    pub locked: Quantity,
}

impl Balance {
    /// Returns free and locked together.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn total(&self) -> Result<Quantity, MathError> {
        self.free.add(self.locked)
    }
}

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Signed size and open cost.
    pub perp: PerpPosition,
    /// What it keeps as margin of its own while isolated.
    pub isolated_wallet: Quantity,
    /// When it last changed, in the venue's milliseconds.
    pub updated_ms: i64,
}

/// Settings of an account for one perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolConfig {
    /// A whole number.
    pub leverage: Fixed18,
    /// Isolated, else cross.
    pub isolated: bool,
}

impl Default for SymbolConfig {
    fn default() -> Self {
        Self {
            leverage: Fixed18::from_int(20),
            isolated: false,
        }
    }
}

/// The USD-M side of an account.
#[derive(Clone, Debug, Default)]
pub(super) struct UsdMAccount {
    pub(super) wallet: BTreeMap<Asset, Quantity>,
    pub(super) positions: BTreeMap<(Symbol, Option<PositionSide>), Position>,
    pub(super) configs: BTreeMap<Symbol, SymbolConfig>,
    pub(super) is_hedge: bool,
    pub(super) income: Vec<Income>,
    pub(super) updated_ms: i64,
    /// How wallet and positions were, and since when.
    pub(super) versions: Vec<(i64, UsdMState)>,
}

/// What of the USD-M side reads show.
#[derive(Clone, Debug, Default)]
pub(super) struct UsdMState {
    pub(super) wallet: BTreeMap<Asset, Quantity>,
    pub(super) positions: BTreeMap<(Symbol, Option<PositionSide>), Position>,
}

/// A row of the income history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Income {
    /// `FUNDING_FEE`, `COMMISSION`, `REALIZED_PNL` or `TRANSFER`.
    pub kind: &'static str,
    /// Of what; none of a transfer.
    pub symbol: Option<Symbol>,
    /// Above zero is received.
    pub amount: Quantity,
    /// In what.
    pub asset: Asset,
    /// Unique within its kind.
    pub id: u64,
    /// The trade it comes from.
    pub trade: Option<u64>,
    /// When, in the venue's milliseconds.
    pub time_ms: i64,
}

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) settings: AccountSettings,
    pub(super) spot: BTreeMap<Asset, Balance>,
    pub(super) spot_updated_ms: i64,
    pub(super) spot_versions: Vec<(i64, BTreeMap<Asset, Balance>)>,
    pub(super) usdm: UsdMAccount,
    /// Whether it is the venue's own: it pays no fees and owes without bound.
    pub(super) is_house: bool,
}

/// A key of an account.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) account: u32,
    pub(super) verifier: Verifier,
    pub(super) permissions: Permissions,
    pub(super) created_ms: i64,
}

impl Account {
    pub(super) fn new(settings: AccountSettings, is_house: bool, now: i64) -> Self {
        let spot: BTreeMap<Asset, Balance> = settings
            .spot
            .iter()
            .map(|(asset, free)| {
                let locked = Quantity::ZERO;
                (
                    *asset,
                    Balance {
                        free: *free,
                        locked,
                    },
                )
            })
            .collect();
        let usdm = UsdMAccount {
            wallet: settings.usdm.iter().copied().collect(),
            ..UsdMAccount::default()
        };
        let mut account = Self {
            settings,
            spot,
            spot_updated_ms: now,
            spot_versions: Vec::new(),
            usdm,
            is_house,
        };
        account.snapshot_spot(now);
        account.snapshot_usdm(now);
        account
    }

    pub(super) fn free(&self, asset: Asset) -> Quantity {
        self.spot.get(&asset).map_or(Quantity::ZERO, |b| b.free)
    }

    /// Moves the free balance by a signed amount.
    pub(super) fn move_free(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let balance = self.spot.entry(asset).or_default();
        balance.free = balance.free.add(by)?;
        Ok(())
    }

    /// Moves from free to locked; back, when below zero.
    pub(super) fn lock(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let balance = self.spot.entry(asset).or_default();
        balance.free = balance.free.sub(by)?;
        balance.locked = balance.locked.add(by)?;
        Ok(())
    }

    /// Takes out of what is locked.
    pub(super) fn pay_locked(&mut self, asset: Asset, amount: Quantity) -> Result<(), MathError> {
        let balance = self.spot.entry(asset).or_default();
        balance.locked = balance.locked.sub(amount)?;
        Ok(())
    }

    /// Remembers the spot wallet as it is now, for stale reads.
    pub(super) fn snapshot_spot(&mut self, now: i64) {
        self.spot_updated_ms = now;
        self.spot_versions.push((now, self.spot.clone()));
    }

    /// Remembers the USD-M side as it is now, for stale reads.
    pub(super) fn snapshot_usdm(&mut self, now: i64) {
        self.usdm.updated_ms = now;
        let state = UsdMState {
            wallet: self.usdm.wallet.clone(),
            positions: self.usdm.positions.clone(),
        };
        self.usdm.versions.push((now, state));
    }

    /// The spot wallet as it was at `ms`, or as it began.
    pub(super) fn spot_at(&self, ms: i64) -> &BTreeMap<Asset, Balance> {
        version(&self.spot_versions, ms).unwrap_or(&self.spot)
    }

    /// The USD-M side as it was at `ms`, or as it began.
    pub(super) fn usdm_at(&self, ms: i64) -> Option<&UsdMState> {
        version(&self.usdm.versions, ms)
    }

    pub(super) fn config(&self, symbol: Symbol) -> SymbolConfig {
        self.usdm.configs.get(&symbol).copied().unwrap_or_default()
    }

    pub(super) fn position(&self, symbol: Symbol, side: Option<PositionSide>) -> Position {
        let positions = &self.usdm.positions;
        positions.get(&(symbol, side)).copied().unwrap_or_default()
    }

    pub(super) fn margin_balance(&self, asset: Asset) -> Quantity {
        let wallet = &self.usdm.wallet;
        wallet.get(&asset).copied().unwrap_or_default()
    }

    /// Moves a balance of the USD-M wallet by a signed amount.
    pub(super) fn move_margin(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let balance = self.usdm.wallet.entry(asset).or_default();
        *balance = balance.add(by)?;
        Ok(())
    }
}

fn version<T>(versions: &[(i64, T)], ms: i64) -> Option<&T> {
    let mut newest_first = versions.iter().rev();
    let at = newest_first.find(|(since, _)| *since <= ms);
    at.or(versions.first()).map(|(_, version)| version)
}
