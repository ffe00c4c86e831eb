//! What imported rows are, and where the layout has them.

use basis_core::types::{SeriesId, SeriesKind, Span, Symbol, Venue};

use crate::catalogue::length_name;
use crate::csv::{BAR_HEADER, RATE_HEADER};
use crate::rows::{
    GAS_HEADER, MARKET_RATE_HEADER, ORACLE_HEADER, PROTOCOL_RATE_HEADER, RESERVE_HEADER,
};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Spot bars.
    Spot,
    /// Bars of a perpetual, last trades.
    Perp,
    /// Bars of a perpetual's mark price.
    Mark,
    /// Bars of the index a perpetual follows.
    Index,
    /// Bars of a dollar token against the dollar.
    Peg,
    /// Settled funding rates.
    Funding,
    /// Bars of a pool.
    Dex,
    /// A reserve of Aave.
    AaveReserve,
    /// Values of Aave's oracle.
    Oracle,
    /// What a staking protocol redeems at.
    StakingRate,
    /// What a staking token trades at in its pool.
    StakingMarket,
    /// Gas fees of a chain.
    Gas,
}

impl Kind {
    /// Every kind with its word.
    pub const ALL: [(&'static str, Self); 12] = [
        ("spot", Self::Spot),
        ("perp", Self::Perp),
        ("mark", Self::Mark),
        ("index", Self::Index),
        ("peg", Self::Peg),
        ("funding", Self::Funding),
        ("dex", Self::Dex),
        ("aave_reserve", Self::AaveReserve),
        ("oracle", Self::Oracle),
        ("staking_rate", Self::StakingRate),
        ("staking_market", Self::StakingMarket),
        ("gas", Self::Gas),
    ];

    /// The kind of a word.
    #[must_use]
    pub fn word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, _)| *known == word).map(|(_, kind)| kind)
    }

    /// The word of a kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }

    /// Whether its rows are bars.
    #[must_use]
    pub const fn has_bars(self) -> bool {
        matches!(
            self,
            Self::Spot | Self::Perp | Self::Mark | Self::Index | Self::Peg | Self::Dex
        )
    }

    /// The header of its files.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::Spot | Self::Perp | Self::Mark | Self::Index | Self::Peg | Self::Dex => {
                BAR_HEADER
            }
            Self::Funding => RATE_HEADER,
            Self::AaveReserve => RESERVE_HEADER,
            Self::Oracle => ORACLE_HEADER,
            Self::StakingRate => PROTOCOL_RATE_HEADER,
            Self::StakingMarket => MARKET_RATE_HEADER,
            Self::Gas => GAS_HEADER,
        }
    }

    /// The columns of its files after the instant, each with the decimals it keeps.
    pub(super) fn columns(self) -> Vec<(&'static str, u8)> {
        let decimals = |name: &str| match name {
            "block" => 0,
            "liquidity_index" | "liquidity_rate" => 27,
            "variable_borrow_index" | "variable_borrow_rate" => 27,
            _ => 18,
        };
        let columns = self.header().split(',').skip(1);
        columns.map(|name| (name, decimals(name))).collect()
    }

    /// The series that a file of this kind is read as, and checked as before it is written.
    pub(super) fn series(self, venue: Venue, symbol: Symbol) -> SeriesId {
        let kind = match self {
            Self::Spot => SeriesKind::Spot,
            Self::Perp => SeriesKind::Perp,
            Self::Mark => SeriesKind::Mark,
            Self::Index => SeriesKind::Index,
            Self::Peg => SeriesKind::Peg,
            Self::Funding => SeriesKind::Funding,
            Self::Dex => SeriesKind::Dex,
            Self::AaveReserve => SeriesKind::AaveReserve,
            Self::Oracle => SeriesKind::Oracle,
            Self::StakingRate => SeriesKind::StakingRate,
            Self::StakingMarket => SeriesKind::StakingMarket,
            Self::Gas => SeriesKind::Gas,
        };
        SeriesId::new(kind, venue, symbol)
    }

    /// The file of a series, relative to the directory.
    pub(super) fn path(self, venue: &str, symbol: &str, every: Span) -> String {
        let every = length_name(every);
        match self {
            Self::Funding => format!("funding/{venue}/{symbol}.csv"),
            Self::AaveReserve => format!("aave/reserves/{symbol}_{every}.csv"),
            Self::Oracle => format!("aave/oracle/{symbol}_{every}.csv"),
            Self::StakingRate => format!("staking/{symbol}_protocol_{every}.csv"),
            Self::StakingMarket => format!("staking/{symbol}_market_{every}.csv"),
            Self::Gas => format!("gas/{venue}_{every}.csv"),
            Self::Peg => format!("peg/{symbol}_{every}.csv"),
            _ => format!("{}/{venue}/{symbol}_{every}.csv", self.as_str()),
        }
    }
}
