//! Identifiers as types, so that a venue can never stand where an asset is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Label, LabelError, Timestamp};

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

    /// The series that holds a perpetual's own mark prices; `None` for spot.
    #[must_use]
    pub const fn mark_series(&self) -> Option<SeriesId> {
        self.series().mark_of_perp()
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
    /// Perpetual-future price bars, last trades.
    Perp,
    /// Bars of a perpetual's mark price: margins, funding and liquidation are computed at it.
    Mark,
    /// Bars of the index that a perpetual follows.
    Index,
    /// Bars of a dollar token against the dollar, as in `USDTUSD`.
    Peg,
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
    pub const ALL: [Self; 14] = [
        Self::Spot,
        Self::Perp,
        Self::Mark,
        Self::Index,
        Self::Peg,
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
            Self::Mark => "mark",
            Self::Index => "index",
            Self::Peg => "peg",
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
        matches!(
            self,
            Self::Spot | Self::Perp | Self::Mark | Self::Index | Self::Peg | Self::Dex
        )
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

impl SeriesId {
    /// The same venue and symbol in a series of another kind.
    #[must_use]
    pub const fn of_kind(self, kind: SeriesKind) -> Self {
        Self { kind, ..self }
    }

    /// The mark series of a perpetual's price series; `None` for any other.
    #[must_use]
    pub const fn mark_of_perp(self) -> Option<Self> {
        match self.kind {
            SeriesKind::Perp => Some(self.of_kind(SeriesKind::Mark)),
            _ => None,
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

/// One start of a book: raised and committed before anything is sent, so that no two starts share one.
///
/// A start takes the greater of the last epoch's seconds + 1 and its own instant, so that a journal that
/// was restored from a backup uses no id again; the random part keeps copies of a journal apart that start
/// in the same second. In a backtest the instant is the run's own and the random part is 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    seconds: u32,
    random: u32,
}

impl Epoch {
    /// The epoch of numbers that belong to no book, as on the command line.
    pub const NONE: Self = Self {
        seconds: 0,
        random: 0,
    };

    /// An epoch of `seconds` since 1970-01-01T00:00:00Z and a random part.
    #[must_use]
    pub const fn new(seconds: u32, random: u32) -> Self {
        Self { seconds, random }
    }

    /// The epoch of a start at `at` after an epoch that began at `last`; the random part is 0.
    ///
    /// `None` after the year 2106, when the seconds are used up.
    #[must_use]
    pub fn after(last: Option<Self>, at: Timestamp) -> Option<Self> {
        let own = u32::try_from(at.nanos().div_euclid(1_000_000_000).max(1)).ok()?;
        let next = match last {
            Some(last) => last.seconds.checked_add(1)?,
            None => 1,
        };
        Some(Self::new(own.max(next), 0))
    }

    /// The same with a random part.
    #[must_use]
    pub const fn with_random(self, random: u32) -> Self {
        Self { random, ..self }
    }

    /// Seconds since 1970-01-01T00:00:00Z, > 0 in a book.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// What keeps copies of a journal apart; 0 in a backtest.
    #[must_use]
    pub const fn random(self) -> u32 {
        self.random
    }
}

/// A text that is no epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no epoch; write 1704067200 or 1704067200r0123abcd")]
pub struct EpochError {
    /// The refused text.
    pub text: String,
}

impl FromStr for Epoch {
    type Err = EpochError;

    fn from_str(text: &str) -> Result<Self, EpochError> {
        let (seconds, random) = match text.split_once('r') {
            None => (text, Some(0)),
            Some((seconds, random)) => (seconds, u32::from_str_radix(random, 16).ok()),
        };
        let parsed = seconds.parse().ok().zip(random);
        let parsed = parsed.map(|(seconds, random)| Self::new(seconds, random));
        // One epoch has one text.
        let parsed = parsed.filter(|epoch| epoch.to_string() == text);
        parsed.ok_or_else(|| EpochError {
            text: text.to_owned(),
        })
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.random {
            0 => write!(f, "{}", self.seconds),
            random => write!(f, "{}r{random:08x}", self.seconds),
        }
    }
}

/// The number of an instruction: unique for the life of a book, over restarts.
///
/// It is written `1704067200-5`, epoch and counter, and `5` for one that belongs to no book. The client
/// order id, the journal key and the causes of transfers derive from it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstructionId {
    epoch: Epoch,
    counter: u32,
}

impl InstructionId {
    /// The instruction `counter` (from 1) of an epoch.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self { epoch, counter }
    }

    /// A number that belongs to no book.
    #[must_use]
    pub const fn plain(counter: u32) -> Self {
        Self::new(Epoch::NONE, counter)
    }

    /// The start of the book that gave it.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        self.epoch
    }

    /// Its place among those of its epoch, from 1; 0 for an instruction that has no number yet.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.counter
    }
}

impl fmt::Debug for InstructionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InstructionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch == Epoch::NONE {
            return fmt::Display::fmt(&self.counter, f);
        }
        write!(f, "{}-{}", self.epoch, self.counter)
    }
}

/// A text that is no instruction number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no instruction number; write 5, 1704067200-5 or 1704067200r0123abcd-5")]
pub struct InstructionIdError {
    /// The refused text.
    pub text: String,
}

impl FromStr for InstructionId {
    type Err = InstructionIdError;

    fn from_str(text: &str) -> Result<Self, InstructionIdError> {
        let parsed = match text.split_once('-') {
            None => text.parse().ok().map(Self::plain),
            Some((epoch, counter)) => {
                let parts = epoch.parse().ok().zip(counter.parse().ok());
                parts.map(|(epoch, counter)| Self::new(epoch, counter))
            }
        };
        // One number has one text.
        let parsed = parsed.filter(|id: &Self| id.to_string() == text);
        parsed.ok_or_else(|| InstructionIdError {
            text: text.to_owned(),
        })
    }
}

impl Serialize for InstructionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.epoch == Epoch::NONE {
            return serializer.serialize_u32(self.counter);
        }
        serializer.collect_str(self)
    }
}

/// Reads what it displays as, and a whole number.
impl<'de> Deserialize<'de> for InstructionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = InstructionId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instruction number, as 5 or \"1704067200-5\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<InstructionId, E> {
                let counter = u32::try_from(number).map_err(E::custom)?;
                Ok(InstructionId::plain(counter))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<InstructionId, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// `digits` base-36 digits of `number`, most significant first.
#[expect(
    clippy::indexing_slicing,
    reason = "a remainder of 36 indexes 36 digits"
)]
fn base_36<const DIGITS: usize>(number: u64) -> [u8; DIGITS] {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = number;
    let mut text = [b'0'; DIGITS];
    for slot in text.iter_mut().rev() {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        *slot = ALPHABET[digit];
        rest /= 36;
    }
    text
}

/// The identity of one run: eight lower-case letters or digits, chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 8]);

impl RunId {
    /// Reads 1 to 8 lower-case letters or digits; fewer than eight have zeros before them. None for anything
    /// else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |c: u8| c.is_ascii_digit() || c.is_ascii_lowercase();
        let mut digits = [b'0'; 8];
        let start = digits.len().checked_sub(text.len())?;
        if text.is_empty() || !text.bytes().all(is_digit) {
            return None;
        }
        digits.get_mut(start..)?.copy_from_slice(text.as_bytes());
        Some(Self(digits))
    }

    /// Eight base-36 digits of `number` (its low 41 bits).
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(base_36(number))
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

/// The identity of one book, over all its restarts: eight lower-case letters or digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookId([u8; 8]);

impl BookId {
    /// Eight base-36 digits of `number` (its low 41 bits).
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(base_36(number))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for BookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BookId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_digit = |c: &u8| c.is_ascii_digit() || c.is_ascii_lowercase();
        match <[u8; 8]>::try_from(text.as_bytes()) {
            Ok(bytes) if bytes.iter().all(is_digit) => Ok(Self(bytes)),
            _ => Err(format!(
                "`{text}` is no book id: it is eight lower-case letters or digits"
            )),
        }
    }
}

/// The id a venue is given for one order.
///
/// 29 characters of `[a-z0-9]`, the one form that Binance spot and futures, Bybit and OKX all accept (at
/// most 32; OKX refuses hyphen and underscore): book (8), epoch (7), its random part (7) and counter (7).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId(String);

impl ClientOrderId {
    /// The same instruction of the same book always gives the same id, and no two share one.
    #[must_use]
    pub fn derive(book: BookId, instruction: InstructionId) -> Self {
        let epoch = instruction.epoch();
        let mut text = String::with_capacity(29);
        text.push_str(book.as_str());
        for part in [epoch.seconds(), epoch.random(), instruction.counter()] {
            let digits: [u8; 7] = base_36(part.into());
            text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
        }
        Self(text)
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
mod tests;
