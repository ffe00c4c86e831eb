//! Identifiers as types, so that a venue can never stand where an asset is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Label, LabelError};

macro_rules! label_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Label);

        impl $name {
            /// Checks and copies `text`.
            ///
            /// # Errors
            /// [`LabelError`] when the text is no label.
            pub fn new(text: &str) -> Result<Self, LabelError> {
                Label::new(text).map(Self)
            }

            /// From a literal known to be good; for constants.
            ///
            /// # Panics
            /// At compile time in a `const`, when the text is empty or longer than 23 bytes.
            #[must_use]
            pub const fn literal(text: &str) -> Self {
                Self(Label::literal(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = LabelError;
            fn from_str(text: &str) -> Result<Self, LabelError> {
                Self::new(text)
            }
        }
    };
}

label_id!(
    /// A venue: `binance`, `aave`, or one that a user adds. Open on purpose.
    Venue
);
label_id!(
    /// An asset by its ticker: `USDT`, `BTC`, `weETH`.
    Asset
);
label_id!(
    /// A canonical market symbol, base and quote joined: `BTCUSDT`. A venue's own spelling never
    /// leaves the venue's directory.
    Symbol
);

impl Venue {
    /// Our own on-chain wallet: not a listed venue, but an account holder like one.
    pub const WALLET: Self = Self::literal("wallet");
    /// Capital between two accounts; it belongs to nobody's collateral.
    pub const IN_FLIGHT: Self = Self::literal("in_flight");
}

/// One account of a venue: `binance.usdm`, `okx.trading`, `wallet.main`, `in_flight.main`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Who keeps it.
    pub venue: Venue,
    /// The venue's name for the sub-account.
    pub name: Label,
}

impl Account {
    /// The wallet's only account.
    pub const WALLET: Self = Self {
        venue: Venue::WALLET,
        name: Label::literal("main"),
    };
    /// Capital that has left one account and not reached the next.
    pub const IN_FLIGHT: Self = Self {
        venue: Venue::IN_FLIGHT,
        name: Label::literal("main"),
    };

    /// The account `name` at `venue`.
    #[must_use]
    pub const fn new(venue: Venue, name: Label) -> Self {
        Self { venue, name }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.venue, self.name)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// What kind of contract an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstrumentKind {
    /// Immediate delivery: the base asset changes hands.
    Spot,
    /// A linear perpetual future, margined and settled in the quote asset.
    Perp,
    /// The long position of a perpetual in hedge mode. The contract is [`Self::Perp`]: its rules,
    /// prices and funding are the perpetual's, only position, trades and open cost are its own.
    PerpLong,
    /// The short position of a perpetual in hedge mode; as [`Self::PerpLong`].
    PerpShort,
}

impl InstrumentKind {
    /// `spot` or `perp`, also for one side of a perpetual.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Perp | Self::PerpLong | Self::PerpShort => "perp",
        }
    }

    /// The contract that is traded: [`Self::Perp`] for either of its sides.
    #[must_use]
    pub const fn contract(self) -> Self {
        match self {
            Self::Spot => Self::Spot,
            Self::Perp | Self::PerpLong | Self::PerpShort => Self::Perp,
        }
    }

    /// Which side of a hedge-mode perpetual this is; `None` for everything else.
    #[must_use]
    pub const fn position_side(self) -> Option<PositionSide> {
        match self {
            Self::Spot | Self::Perp => None,
            Self::PerpLong => Some(PositionSide::Long),
            Self::PerpShort => Some(PositionSide::Short),
        }
    }

    /// The price series that marks such an instrument.
    #[must_use]
    pub const fn series(self) -> SeriesKind {
        match self {
            Self::Spot => SeriesKind::Spot,
            Self::Perp | Self::PerpLong | Self::PerpShort => SeriesKind::Perp,
        }
    }
}

impl fmt::Display for InstrumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One of the two positions that hedge mode keeps in one perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionSide {
    /// Never below zero.
    Long,
    /// Never above zero.
    Short,
}

impl PositionSide {
    /// `long` or `short`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }

    /// The order side that opens it.
    #[must_use]
    pub const fn opens_with(self) -> Side {
        match self {
            Self::Long => Side::Buy,
            Self::Short => Side::Sell,
        }
    }
}

/// One instrument of one venue, written `venue:kind:symbol`; a side of a perpetual in hedge mode is
/// `venue:perp:symbol:long`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstrumentKey {
    /// The venue that lists it.
    pub venue: Venue,
    /// Spot or perp.
    pub kind: InstrumentKind,
    /// Canonical symbol.
    pub symbol: Symbol,
}

impl InstrumentKey {
    /// The instrument `symbol` of `kind` at `venue`.
    #[must_use]
    pub const fn new(venue: Venue, kind: InstrumentKind, symbol: Symbol) -> Self {
        Self {
            venue,
            kind,
            symbol,
        }
    }

    /// One side of this perpetual in hedge mode; the instrument itself without a side.
    #[must_use]
    pub const fn sided(self, side: Option<PositionSide>) -> Self {
        let kind = match side {
            None => self.kind,
            Some(PositionSide::Long) => InstrumentKind::PerpLong,
            Some(PositionSide::Short) => InstrumentKind::PerpShort,
        };
        Self { kind, ..self }
    }

    /// The series that holds this instrument's own prices.
    #[must_use]
    pub const fn series(&self) -> SeriesId {
        SeriesId {
            kind: self.kind.series(),
            venue: self.venue,
            symbol: self.symbol,
        }
    }

    /// The series that holds this instrument's funding rates.
    #[must_use]
    pub const fn funding_series(&self) -> SeriesId {
        SeriesId {
            kind: SeriesKind::Funding,
            venue: self.venue,
            symbol: self.symbol,
        }
    }
}

impl fmt::Display for InstrumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.venue, self.kind, self.symbol)?;
        match self.kind.position_side() {
            Some(side) => write!(f, ":{}", side.as_str()),
            None => Ok(()),
        }
    }
}

/// What a recorded series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// Spot price bars.
    Spot,
    /// Perpetual-future price bars (last trades; they stand in for a mark series).
    Perp,
    /// Funding rates, one row per settlement.
    Funding,
    /// Price bars of an on-chain pool; the symbol ends in the pool's fee, as in `WETHUSDT_3000`.
    Dex,
    /// Indices, rates and totals of one Aave reserve.
    AaveReserve,
    /// Values of a lending market's price oracle.
    Oracle,
    /// ETH per liquid staking token as its protocol redeems it.
    StakingRate,
    /// ETH per liquid staking token in its pool.
    StakingMarket,
    /// Gas fees of a chain.
    Gas,
    /// Rewards per ETH held over a whole period, paid at its end.
    RewardRate,
    /// Lump sums of rewards, paid at their dates.
    RewardTopUp,
}

impl SeriesKind {
    /// Every kind, in catalogue order.
    pub const ALL: [Self; 11] = [
        Self::Spot,
        Self::Perp,
        Self::Funding,
        Self::Dex,
        Self::AaveReserve,
        Self::Oracle,
        Self::StakingRate,
        Self::StakingMarket,
        Self::Gas,
        Self::RewardRate,
        Self::RewardTopUp,
    ];

    /// The word used in ids and config keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Perp => "perp",
            Self::Funding => "funding",
            Self::Dex => "dex",
            Self::AaveReserve => "aave_reserve",
            Self::Oracle => "oracle",
            Self::StakingRate => "staking_rate",
            Self::StakingMarket => "staking_market",
            Self::Gas => "gas",
            Self::RewardRate => "reward_rate",
            Self::RewardTopUp => "reward_top_up",
        }
    }

    /// Whether the series is price bars.
    #[must_use]
    pub const fn has_bars(self) -> bool {
        matches!(self, Self::Spot | Self::Perp | Self::Dex)
    }

    /// Whether a value happens at its instant and is over, as a settlement or a payment; every other
    /// value holds until the next one.
    #[must_use]
    pub const fn is_event(self) -> bool {
        matches!(self, Self::Funding | Self::RewardRate | Self::RewardTopUp)
    }
}

impl fmt::Display for SeriesKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One recorded series, written `kind.venue.symbol`, as in `perp.okx.BTCUSDT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId {
    /// What the series holds.
    pub kind: SeriesKind,
    /// The venue it was recorded at.
    pub venue: Venue,
    /// Canonical symbol.
    pub symbol: Symbol,
}

impl SeriesId {
    /// The series of `kind` for `symbol` at `venue`.
    #[must_use]
    pub const fn new(kind: SeriesKind, venue: Venue, symbol: Symbol) -> Self {
        Self {
            kind,
            venue,
            symbol,
        }
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.kind, self.venue, self.symbol)
    }
}

impl FromStr for SeriesId {
    type Err = String;

    /// Parses `kind.venue.symbol`.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("`{text}` is no series; write kind.venue.SYMBOL, e.g. perp.bybit.BTCUSDT");
        let mut parts = text.split('.');
        let (Some(kind), Some(venue), Some(symbol), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(expected());
        };
        let kind = SeriesKind::ALL
            .into_iter()
            .find(|candidate| candidate.as_str() == kind)
            .ok_or_else(|| {
                let kinds = SeriesKind::ALL.map(SeriesKind::as_str).join(", ");
                format!("{} (kinds: {kinds})", expected())
            })?;
        let venue = Venue::new(venue).map_err(|e| format!("{}: {e}", expected()))?;
        let symbol = Symbol::new(symbol).map_err(|e| format!("{}: {e}", expected()))?;
        Ok(Self {
            kind,
            venue,
            symbol,
        })
    }
}

/// The direction of an order or fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Adds base units.
    Buy,
    /// Takes base units away.
    Sell,
}

impl Side {
    /// +1 for a buy, -1 for a sell.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// `buy` or `sell`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// The number of an instruction within one run or one live account; never reused.
///
/// The client order id and the journal key derive from it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct InstructionId(pub u64);

impl fmt::Display for InstructionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The identity of one run: eight lower-case letters or digits, chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 8]);

impl RunId {
    /// Eight base-36 digits of `number` (its low 41 bits).
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder of 36 indexes 36 digits"
    )]
    pub fn from_number(number: u64) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut rest = number;
        let mut text = [b'0'; 8];
        for slot in text.iter_mut().rev() {
            let digit = usize::try_from(rest % 36).unwrap_or_default();
            *slot = DIGITS[digit];
            rest /= 36;
        }
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The id a venue is given for one order.
///
/// 1 to 32 characters of `[A-Za-z0-9]`, the one form that Binance spot and futures, Bybit and OKX
/// all accept (OKX refuses hyphen and underscore).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId(String);

impl ClientOrderId {
    /// `b`, the run, `i`, the instruction number: the same instruction always gives the same id.
    #[must_use]
    pub fn derive(run: RunId, instruction: InstructionId) -> Self {
        Self(format!("b{run}i{instruction}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_order_id_fits_every_venue() {
        let longest = ClientOrderId::derive(RunId::from_number(u64::MAX), InstructionId(u64::MAX));
        assert!(longest.as_str().len() <= 32, "{longest}");
        assert!(longest.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_side_of_a_perpetual_has_its_own_text_and_the_perpetual_s_series() {
        let perp = InstrumentKey::new(
            Venue::literal("binance"),
            InstrumentKind::Perp,
            Symbol::literal("BTCUSDT"),
        );
        let long = perp.sided(Some(PositionSide::Long));
        assert_eq!(long.to_string(), "binance:perp:BTCUSDT:long");
        assert_eq!(perp.sided(None), perp);
        assert_ne!(long, perp);
        assert_eq!(long.series(), perp.series());
        assert_eq!(long.funding_series(), perp.funding_series());
        assert_eq!(long.kind.contract(), InstrumentKind::Perp);
    }

    #[test]
    fn series_id_round_trips_and_says_what_it_wants() {
        let id: SeriesId = "perp.okx.BTCUSDT".parse().unwrap();
        assert_eq!(id.to_string(), "perp.okx.BTCUSDT");
        assert!(
            "perp.okx"
                .parse::<SeriesId>()
                .unwrap_err()
                .contains("kind.venue.SYMBOL")
        );
        let message = "perps.okx.BTCUSDT".parse::<SeriesId>().unwrap_err();
        assert!(
            message.contains("(kinds: spot, perp, funding, dex,"),
            "{message}"
        );
        for kind in SeriesKind::ALL {
            let id = SeriesId::new(kind, Venue::literal("aave"), Symbol::literal("weETH_ETH"));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(
                serde_json::to_value(kind).unwrap(),
                kind.as_str(),
                "one word"
            );
        }
    }
}
