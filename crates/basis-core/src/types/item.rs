//! What a ledger line counts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Asset, InstrumentKey, InstrumentKind, PositionSide, Symbol, Venue};

/// What a ledger line counts: units of an asset, a position in an instrument, or scaled units of a
/// balance that moves by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// Units of an asset held in the account; a withdrawal request is a holding of what it pays, in
    /// the account of the queue.
    Asset(Asset),
    /// Signed base units of a perpetual position, long > 0.
    Position(InstrumentKey),
    /// Scaled units of a balance that the account's protocol owes us in the asset: scaled aTokens,
    /// Morpho supply shares (10^6 to the unit of the asset), shares of a rebasing token. Written
    /// `shares:WETH`.
    Shares(Asset),
    /// Scaled units of what we owe the account's protocol, >= 0, worth less than nothing. Written
    /// `debt:WETH`.
    Debt(Asset),
    /// One asset of a liquidity position in the account's pool. The quantity is the position's liquidity
    /// (the contract's integer ÷ 10^18) or its pool tokens, the same on the item of each of the pool's
    /// assets; the units are what burning all of it would pay now in this asset. Written
    /// `liquidity:USDC`, or `liquidity:WETH:-200:200` where the position has a range.
    Liquidity {
        /// One of the pool's assets.
        asset: Asset,
        /// The range of a concentrated position.
        ticks: Option<TickRange>,
    },
}

impl Item {
    /// Whether a positive quantity counts against us.
    #[must_use]
    pub const fn is_debt(&self) -> bool {
        matches!(self, Self::Debt(_))
    }

    /// Whether what a unit stands for moves by itself, so that quantity and units differ.
    #[must_use]
    pub const fn is_scaled(&self) -> bool {
        matches!(
            self,
            Self::Shares(_) | Self::Debt(_) | Self::Liquidity { .. }
        )
    }

    /// The asset that is held, owed to us or owed by us; `None` for a position.
    #[must_use]
    pub const fn asset(&self) -> Option<Asset> {
        match self {
            Self::Asset(asset)
            | Self::Shares(asset)
            | Self::Debt(asset)
            | Self::Liquidity { asset, .. } => Some(*asset),
            Self::Position(_) => None,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset(asset) => write!(f, "{asset}"),
            Self::Position(key) => write!(f, "{key}"),
            Self::Shares(asset) => write!(f, "shares:{asset}"),
            Self::Debt(asset) => write!(f, "debt:{asset}"),
            Self::Liquidity { asset, ticks } => {
                write!(f, "liquidity:{asset}")?;
                match ticks {
                    Some(ticks) => write!(f, ":{ticks}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl FromStr for Item {
    type Err = String;

    /// Parses what `Display` writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |e: &dyn fmt::Display| {
            format!(
                "`{text}` is no item ({e}); write an asset, shares:ASSET, debt:ASSET, liquidity:ASSET, \
                 liquidity:ASSET:LOWER:UPPER or venue:perp:SYMBOL"
            )
        };
        let asset = |name: &str| Asset::new(name).map_err(|e| wrong(&e));
        let parts: Vec<_> = text.split(':').collect();
        match parts.as_slice() {
            [name] => asset(name).map(Self::Asset),
            ["shares", name] => asset(name).map(Self::Shares),
            ["debt", name] => asset(name).map(Self::Debt),
            ["liquidity", name] => Ok(Self::Liquidity {
                asset: asset(name)?,
                ticks: None,
            }),
            ["liquidity", name, lower, upper] => {
                let tick = |tick: &str| tick.parse::<i32>().map_err(|e| wrong(&e));
                Ok(Self::Liquidity {
                    asset: asset(name)?,
                    ticks: Some(TickRange::new(tick(lower)?, tick(upper)?)),
                })
            }
            [venue, "perp", symbol, side @ ..] => {
                let venue = Venue::new(venue).map_err(|e| wrong(&e))?;
                let symbol = Symbol::new(symbol).map_err(|e| wrong(&e))?;
                let side = match side {
                    [] => None,
                    ["long"] => Some(PositionSide::Long),
                    ["short"] => Some(PositionSide::Short),
                    _ => return Err(wrong(&"a side is long or short")),
                };
                let key = InstrumentKey::new(venue, InstrumentKind::Perp, symbol);
                Ok(Self::Position(key.sided(side)))
            }
            _ => Err(wrong(&"too many or unknown parts")),
        }
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The price range of a concentrated position, written `-200:200`.
///
/// Eight bytes without alignment, for [`Item`] stands in every ledger line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TickRange {
    /// Big-endian with the sign turned, so that bytes compare as the numbers do.
    lower: [u8; 4],
    upper: [u8; 4],
}

impl TickRange {
    /// The range from `lower` up to, not including, `upper`. Whether a pool takes it is the pool's to
    /// say.
    #[must_use]
    pub const fn new(lower: i32, upper: i32) -> Self {
        Self {
            lower: pack(lower),
            upper: pack(upper),
        }
    }

    /// The lowest tick at which the liquidity is active.
    #[must_use]
    pub const fn lower(self) -> i32 {
        unpack(self.lower)
    }

    /// The first tick above at which it no longer is.
    #[must_use]
    pub const fn upper(self) -> i32 {
        unpack(self.upper)
    }
}

const fn pack(tick: i32) -> [u8; 4] {
    (tick ^ i32::MIN).to_be_bytes()
}

const fn unpack(bytes: [u8; 4]) -> i32 {
    i32::from_be_bytes(bytes) ^ i32::MIN
}

impl From<(i32, i32)> for TickRange {
    fn from((lower, upper): (i32, i32)) -> Self {
        Self::new(lower, upper)
    }
}

impl fmt::Display for TickRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.lower(), self.upper())
    }
}

impl fmt::Debug for TickRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_reads_as_it_is_written() {
        for text in [
            "WETH",
            "shares:weETH",
            "debt:USDT",
            "liquidity:USDC",
            "liquidity:WETH:-200:200",
            "liquidity:WETH:-887272:887272",
            "binance:perp:BTCUSDT",
            "binance:perp:BTCUSDT:short",
        ] {
            let item: Item = text.parse().unwrap();
            assert_eq!(item.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_item_is_refused_with_the_forms_there_are() {
        for text in [
            "",
            "liquidity:",
            "liquidity:WETH:-200",
            "liquidity:WETH:low:200",
            "liquidity:WETH:-200:2147483648",
            "binance:perp:BTCUSDT:flat",
            "binance:spot:BTCUSDT",
        ] {
            let refused = text.parse::<Item>().unwrap_err();
            assert!(
                refused.contains("liquidity:ASSET:LOWER:UPPER"),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn ranges_keep_their_ticks_and_sort_as_numbers() {
        let ticks = [i32::MIN, -887_272, -1, 0, 1, 887_272, i32::MAX];
        let ranges = ticks.map(|lower| TickRange::new(lower, lower.saturating_add(60)));
        assert!(ranges.is_sorted());
        for (range, lower) in ranges.into_iter().zip(ticks) {
            assert_eq!(
                (range.lower(), range.upper()),
                (lower, lower.saturating_add(60))
            );
        }
        assert!(TickRange::new(-60, -1) < TickRange::new(-60, 60));
    }

    #[test]
    fn a_range_makes_neither_items_nor_lines_larger() {
        assert_eq!(size_of::<Item>(), size_of::<InstrumentKey>());
        assert_eq!(align_of::<Item>(), 1);
    }
}
