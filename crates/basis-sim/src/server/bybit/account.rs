//! Accounts: the unified and the funding one, positions, settings, keys.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::{Fixed18, MathError, Quantity};
use basis_core::types::{Asset, Symbol};
use basis_protocols::exchange::PerpPosition;

use super::settings::{AccountSettings, Category, Permissions};
use crate::server::signature::Verifier;

/// What the unified account has of a coin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coin {
    /// All of it, without unrealized results.
    pub wallet: Quantity,
    /// What of it spot orders hold.
    pub locked: Quantity,
}

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Signed size and open cost.
    pub perp: PerpPosition,
    /// When it last changed, in the venue's milliseconds.
    pub updated_ms: i64,
}

/// A row of the transaction log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its number, which rises.
    pub number: u64,
    /// `TRADE`, `SETTLEMENT`, `TRANSFER_IN` or `TRANSFER_OUT`.
    pub kind: &'static str,
    /// Of what; none of a transfer.
    pub of: Option<(Category, Symbol)>,
    /// The side of a position or of a trade.
    pub side: &'static str,
    /// The coin.
    pub coin: Asset,
    /// What it added to the wallet: cash flow + funding − fee.
    pub change: Quantity,
    /// Realized result, or what a transfer or a spot trade moved.
    pub cash_flow: Quantity,
    /// Received above zero.
    pub funding: Quantity,
    /// Paid above zero.
    pub fee: Quantity,
    /// The rate of funding, with the sign turned for shorts, or of the fee.
    pub rate: Fixed18,
    /// The size of the position afterwards, unsigned.
    pub size: Quantity,
    /// What traded or was settled.
    pub quantity: Quantity,
    /// At which price; zero of a transfer.
    pub price: Fixed18,
    /// The order and the execution it comes from.
    pub ids: (String, String),
    /// What the wallet held afterwards.
    pub balance: Quantity,
    /// When, in the venue's milliseconds.
    pub time_ms: i64,
}

/// What reads show of an account.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    pub(super) unified: BTreeMap<Asset, Coin>,
    pub(super) fund: BTreeMap<Asset, Quantity>,
    /// By symbol and index: 0 one-way, 1 and 2 the sides of hedge mode.
    pub(super) positions: BTreeMap<(Symbol, u8), Position>,
}

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) settings: AccountSettings,
    pub(super) holdings: Holdings,
    /// How the holdings were, and since when.
    versions: Vec<(i64, Holdings)>,
    pub(super) leverage: BTreeMap<Symbol, Fixed18>,
    /// Perpetuals in hedge mode.
    pub(super) hedged: BTreeSet<Symbol>,
    /// Isolated, else cross: one for the account.
    pub(super) is_isolated: bool,
    pub(super) log: Vec<LogRow>,
    /// Whether it is the venue's own: it pays no fees and owes without bound.
    pub(super) is_house: bool,
}

/// A key of an account.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) account: u32,
    pub(super) verifier: Verifier,
    pub(super) permissions: Permissions,
}

/// The leverage before anybody sets one.
const LEVERAGE: Fixed18 = Fixed18::from_int(10);

impl Account {
    pub(super) fn new(settings: AccountSettings, is_house: bool, now: i64) -> Self {
        let unified = settings.unified.iter().map(|(asset, wallet)| {
            let coin = Coin {
                wallet: *wallet,
                locked: Quantity::ZERO,
            };
            (*asset, coin)
        });
        let holdings = Holdings {
            unified: unified.collect(),
            fund: settings.fund.iter().copied().collect(),
            positions: BTreeMap::new(),
        };
        Self {
            versions: vec![(now, holdings.clone())],
            holdings,
            settings,
            leverage: BTreeMap::new(),
            hedged: BTreeSet::new(),
            is_isolated: false,
            log: Vec::new(),
            is_house,
        }
    }

    pub(super) fn coin(&self, asset: Asset) -> Coin {
        let coins = &self.holdings.unified;
        coins.get(&asset).copied().unwrap_or_default()
    }

    pub(super) fn fund(&self, asset: Asset) -> Quantity {
        let coins = &self.holdings.fund;
        coins.get(&asset).copied().unwrap_or_default()
    }

    pub(super) fn position(&self, symbol: Symbol, index: u8) -> Position {
        let positions = &self.holdings.positions;
        positions.get(&(symbol, index)).copied().unwrap_or_default()
    }

    pub(super) fn leverage(&self, symbol: Symbol) -> Fixed18 {
        self.leverage.get(&symbol).copied().unwrap_or(LEVERAGE)
    }

    /// Moves the unified wallet by a signed amount.
    pub(super) fn move_wallet(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let coin = self.holdings.unified.entry(asset).or_default();
        coin.wallet = coin.wallet.add(by)?;
        Ok(())
    }

    pub(super) fn move_fund(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let amount = self.holdings.fund.entry(asset).or_default();
        *amount = amount.add(by)?;
        Ok(())
    }

    /// Locks more for spot orders; less, when below zero.
    pub(super) fn lock(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let coin = self.holdings.unified.entry(asset).or_default();
        coin.locked = coin.locked.add(by)?;
        Ok(())
    }

    /// Remembers the holdings as they are now, for stale reads.
    pub(super) fn snapshot(&mut self, now: i64) {
        self.versions.push((now, self.holdings.clone()));
    }

    /// The holdings as they were at `ms`, or as they began.
    pub(super) fn at(&self, ms: i64) -> &Holdings {
        let mut newest_first = self.versions.iter().rev();
        let at = newest_first.find(|(since, _)| *since <= ms);
        let at = at.or(self.versions.first());
        at.map_or(&self.holdings, |(_, holdings)| holdings)
    }
}
