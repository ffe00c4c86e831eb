//! Accounts: the unified and the funding one, positions, settings.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::{Fixed18, MathError, Quantity};
use basis_core::types::{Asset, Side, Symbol};
use basis_protocols::exchange::PerpPosition;

use super::settings::{AccountTerms, Category};

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

/// What a row of the transaction log is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// A trade: of spot one row for each coin.
    Trade,
    /// Funding that was paid or received.
    Funding,
    /// What came from the funding account.
    TransferIn,
    /// What went there.
    TransferOut,
}

/// A row of the transaction log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its number, which rises.
    pub number: u64,
    /// What happened.
    pub kind: LogKind,
    /// Of what; none of a transfer.
    pub of: Option<(Category, Symbol)>,
    /// The side of a position or of a trade; none of a transfer.
    pub side: Option<Side>,
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
pub(in crate::server) struct Holdings {
    pub(in crate::server) unified: BTreeMap<Asset, Coin>,
    pub(in crate::server) fund: BTreeMap<Asset, Quantity>,
    /// By symbol and index: 0 one-way, 1 and 2 the sides of hedge mode.
    pub(in crate::server) positions: BTreeMap<(Symbol, u8), Position>,
}

/// An account.
#[derive(Clone, Debug)]
pub(in crate::server) struct Account {
    pub(in crate::server) terms: AccountTerms,
    pub(in crate::server) holdings: Holdings,
    /// How the holdings were, and since when.
    versions: Vec<(i64, Holdings)>,
    pub(in crate::server) leverage: BTreeMap<Symbol, Fixed18>,
    /// Before anybody set one.
    leverage_before: Fixed18,
    /// Perpetuals in hedge mode.
    pub(in crate::server) hedged: BTreeSet<Symbol>,
    /// Isolated, else cross: one for the account.
    pub(in crate::server) is_isolated: bool,
    pub(in crate::server) log: Vec<LogRow>,
    /// Whether it is the venue's own: it pays no fees and owes without bound.
    pub(in crate::server) is_house: bool,
}

impl Account {
    pub(in crate::server) fn new(
        terms: AccountTerms,
        (is_house, leverage): (bool, Fixed18),
        now: i64,
    ) -> Self {
        let unified = terms.unified.iter().map(|(asset, wallet)| {
            let coin = Coin {
                wallet: *wallet,
                locked: Quantity::ZERO,
            };
            (*asset, coin)
        });
        let holdings = Holdings {
            unified: unified.collect(),
            fund: terms.fund.iter().copied().collect(),
            positions: BTreeMap::new(),
        };
        Self {
            versions: vec![(now, holdings.clone())],
            holdings,
            terms,
            leverage: BTreeMap::new(),
            leverage_before: leverage,
            hedged: BTreeSet::new(),
            is_isolated: false,
            log: Vec::new(),
            is_house,
        }
    }

    pub(in crate::server) fn coin(&self, asset: Asset) -> Coin {
        let coins = &self.holdings.unified;
        coins.get(&asset).copied().unwrap_or_default()
    }

    pub(in crate::server) fn fund(&self, asset: Asset) -> Quantity {
        let coins = &self.holdings.fund;
        coins.get(&asset).copied().unwrap_or_default()
    }

    pub(in crate::server) fn position(&self, symbol: Symbol, index: u8) -> Position {
        let positions = &self.holdings.positions;
        positions.get(&(symbol, index)).copied().unwrap_or_default()
    }

    pub(in crate::server) fn leverage(&self, symbol: Symbol) -> Fixed18 {
        self.leverage
            .get(&symbol)
            .copied()
            .unwrap_or(self.leverage_before)
    }

    /// Moves the unified wallet by a signed amount.
    pub(in crate::server) fn move_wallet(
        &mut self,
        asset: Asset,
        by: Quantity,
    ) -> Result<(), MathError> {
        let coin = self.holdings.unified.entry(asset).or_default();
        coin.wallet = coin.wallet.add(by)?;
        Ok(())
    }

    pub(in crate::server) fn move_fund(
        &mut self,
        asset: Asset,
        by: Quantity,
    ) -> Result<(), MathError> {
        let amount = self.holdings.fund.entry(asset).or_default();
        *amount = amount.add(by)?;
        Ok(())
    }

    /// Locks more for spot orders; less, when below zero.
    pub(in crate::server) fn lock(&mut self, asset: Asset, by: Quantity) -> Result<(), MathError> {
        let coin = self.holdings.unified.entry(asset).or_default();
        coin.locked = coin.locked.add(by)?;
        Ok(())
    }

    /// Remembers the holdings as they are now, for stale reads.
    pub(in crate::server) fn snapshot(&mut self, now: i64) {
        self.versions.push((now, self.holdings.clone()));
    }

    /// The holdings as they were at `ms`, or as they began.
    pub(in crate::server) fn at(&self, ms: i64) -> &Holdings {
        let mut newest_first = self.versions.iter().rev();
        let at = newest_first.find(|(since, _)| *since <= ms);
        let at = at.or(self.versions.first());
        at.map_or(&self.holdings, |(_, holdings)| holdings)
    }
}
