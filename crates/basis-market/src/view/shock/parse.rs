//! Reading the sentence of a shock.

use basis_core::num::Fixed18;
use basis_core::types::{Asset, SeriesKind, Span, Timestamp, Venue};

use super::{Shock, Size, Target};

/// The longest span a shock may name: ten years.
const LONGEST: Span = Span::from_hours(87_600);

/// A sentence that is no shock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shock `{text}`, column {column}: {problem}; expected {expected}")]
pub struct ShockParseError {
    /// The sentence.
    pub text: String,
    /// Where it stops making sense, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
    /// What could stand there.
    pub expected: &'static str,
}

/// First words that say what a shock acts on, where an asset would say itself.
const WORDS: [(&str, Target); 13] = [
    ("market", Target::Market),
    ("spot", Target::Kind(SeriesKind::Spot)),
    ("perp", Target::Kind(SeriesKind::Perp)),
    ("dex", Target::Kind(SeriesKind::Dex)),
    ("peg", Target::Kind(SeriesKind::Peg)),
    ("oracle", Target::Oracle),
    ("protocol", Target::Protocol),
    ("funding", Target::Funding),
    ("borrow", Target::Borrow),
    ("supply", Target::Supply),
    ("gas", Target::Gas),
    ("outage", Target::Outage),
    ("halt", Target::Halt),
];

const SUBJECT: &str = "an asset, as `ETH`, or one of market, spot, perp, dex, peg, oracle, \
                       protocol, funding, borrow, supply (each may name a venue, as `perp.binance`) and an \
                       asset, or `gas`, `outage VENUE`, `halt withdrawals VENUE`";
const ASSET: &str = "an asset, as `ETH`";
const VENUE: &str = "a venue, as `binance`";
const CHANGE: &str = "a change above -100 %, as `-20%`, or a factor above 0, as `x0.8`";
const RATE: &str = "what is added to the rate, as `-0.05%`, or a factor, as `x-1`";
const CLAUSE: &str = "`at INSTANT`, `over SPAN` or `for SPAN`, each at most once";
const INSTANT: &str = "an instant in UTC, as `2025-02-03T00:00Z`";
const SPAN: &str = "a span of up to ten years, as `30min`, `6h` or `2d`";

/// The words of a sentence, one after the other.
struct Tokens<'a> {
    text: &'a str,
    /// Offset in bytes of what is not read yet.
    at: usize,
}

impl<'a> Tokens<'a> {
    /// The next word and its offset.
    fn next(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.text.get(self.at..)?;
        let start = self.at + (rest.len() - rest.trim_start().len());
        let word = self.text.get(start..)?.split_whitespace().next()?;
        self.at = start + word.len();
        Some((start, word))
    }

    fn error(&self, at: usize, problem: String, expected: &'static str) -> ShockParseError {
        let before = self.text.get(..at).unwrap_or_default();
        ShockParseError {
            text: self.text.to_owned(),
            column: before.chars().count() + 1,
            problem,
            expected,
        }
    }

    fn refuse(&self, (at, word): (usize, &str), expected: &'static str) -> ShockParseError {
        self.error(at, format!("`{word}` does not fit"), expected)
    }

    fn need(&mut self, expected: &'static str) -> Result<(usize, &'a str), ShockParseError> {
        let end = self.text.trim_end().len();
        self.next()
            .ok_or_else(|| self.error(end, "the text ends".to_owned(), expected))
    }
}

/// When a shock acts.
#[derive(Clone, Copy)]
struct When {
    at: Timestamp,
    over: Span,
    until: Option<Timestamp>,
}

impl Shock {
    /// Reads `[WHAT] ASSET CHANGE at INSTANT [over SPAN] [for SPAN]`.
    ///
    /// | sentence | acts on |
    /// | --- | --- |
    /// | `ETH -20% at 2025-02-03T00:00Z over 1h` | prices of ETH, and the oracle prices of ETH and its tokens |
    /// | `market ETH …`, `spot …`, `perp.binance …`, `dex …` | prices only, of one kind or venue only |
    /// | `oracle ETH …`, `oracle weETH …` | oracle prices only |
    /// | `weETH -5% …`, `market weETH -5% …` | the market rate of a staking token |
    /// | `protocol weETH -1% …` | the rate its protocol redeems it at |
    /// | `funding BTC -0.05% …`, `funding.bybit BTC x-1 …` | every rate settled meanwhile |
    /// | `borrow WETH +30% …`, `supply USDT …` | yearly rate of a reserve, and its index |
    /// | `gas x20 …` | fees of every chain |
    /// | `outage binance at … for 6h` | nothing trades there |
    /// | `halt withdrawals bybit at … for 2d` | nothing leaves it |
    ///
    /// `over` is the span of the way there, none when left out; `for` is how long after `at` the way
    /// back begins, which takes as long; without it the shock stays. Of a price a percentage is a
    /// change of it, of a rate it is added to it.
    ///
    /// # Errors
    /// [`ShockParseError`] with the column and what could stand there.
    pub fn parse(text: &str) -> Result<Self, ShockParseError> {
        let mut words = Tokens { text, at: 0 };
        let first = words.need(SUBJECT)?;
        let (target, venue) = subject(&words, first)?;
        let (asset, venue) = match target {
            Target::Everything => (Some(asset(&words, first)?), None),
            Target::Gas => (None, venue),
            Target::Outage => (None, Some(venue_word(&mut words, first, venue)?)),
            Target::Halt => {
                let word = words.need("`withdrawals`")?;
                if word.1 != "withdrawals" {
                    return Err(words.refuse(word, "`withdrawals`"));
                }
                (None, Some(venue_word(&mut words, first, venue)?))
            }
            _ => {
                let word = words.need(ASSET)?;
                (Some(asset(&words, word)?), venue)
            }
        };
        let size = match target {
            Target::Outage | Target::Halt => Size::Whole,
            _ => size(&mut words, target)?,
        };
        let When { at, over, until } = when(&mut words, target)?;
        Ok(Self {
            text: text.trim().to_owned(),
            target,
            asset,
            venue,
            size,
            at,
            over,
            until,
        })
    }
}

/// What the first word says: `perp.binance`, `gas`, an asset.
fn subject(
    words: &Tokens<'_>,
    (at, word): (usize, &str),
) -> Result<(Target, Option<Venue>), ShockParseError> {
    let (head, scope) = word
        .split_once('.')
        .map_or((word, None), |(head, scope)| (head, Some(scope)));
    let known = WORDS.iter().find(|(name, _)| *name == head);
    let Some((_, target)) = known else {
        if scope.is_some() {
            return Err(words.refuse((at, word), SUBJECT));
        }
        return Ok((Target::Everything, None));
    };
    let venue = scope.map(Venue::new).transpose();
    let venue =
        venue.map_err(|_e| words.refuse((at + head.len() + 1, scope.unwrap_or("")), VENUE))?;
    Ok((*target, venue))
}

fn asset(words: &Tokens<'_>, word: (usize, &str)) -> Result<Asset, ShockParseError> {
    let starts_well = word.1.starts_with(|c: char| c.is_ascii_alphabetic());
    match Asset::new(word.1) {
        Ok(asset) if starts_well => Ok(asset),
        _ => {
            let expected = if word.0 == 0 { SUBJECT } else { ASSET };
            Err(words.refuse(word, expected))
        }
    }
}

/// The venue after `outage` or `halt withdrawals`, which cannot carry one themselves.
fn venue_word(
    words: &mut Tokens<'_>,
    first: (usize, &str),
    scope: Option<Venue>,
) -> Result<Venue, ShockParseError> {
    if scope.is_some() {
        return Err(words.refuse(first, SUBJECT));
    }
    let word = words.need(VENUE)?;
    Venue::new(word.1).map_err(|_e| words.refuse(word, VENUE))
}

fn size(words: &mut Tokens<'_>, target: Target) -> Result<Size, ShockParseError> {
    let is_rate = matches!(target, Target::Funding | Target::Borrow | Target::Supply);
    let expected = if is_rate { RATE } else { CHANGE };
    let word = words.need(expected)?;
    let refused = || words.refuse(word, expected);
    if let Some(factor) = word.1.strip_prefix('x') {
        let factor = Fixed18::parse(factor).map_err(|_e| refused())?;
        if !is_rate && !factor.is_positive() {
            return Err(refused());
        }
        return Ok(Size::Times(factor));
    }
    let percent = word.1.strip_suffix('%').ok_or_else(refused)?;
    // A hundredth is exact: two more decimals.
    let fraction = Fixed18::parse(&format!("{percent}e-2")).map_err(|_e| refused())?;
    if is_rate {
        return Ok(Size::Plus(fraction));
    }
    let factor = Fixed18::ONE.add(fraction).map_err(|_e| refused())?;
    if !factor.is_positive() {
        return Err(refused());
    }
    Ok(Size::Times(factor))
}

fn when(words: &mut Tokens<'_>, target: Target) -> Result<When, ShockParseError> {
    let is_switch = matches!(target, Target::Outage | Target::Halt);
    let (mut at, mut over, mut lasts) = (None, None, None);
    while let Some(clause) = words.next() {
        match clause.1 {
            "at" if at.is_none() => {
                let word = words.need(INSTANT)?;
                let instant = instant(word.1);
                at = Some(instant.ok_or_else(|| words.refuse(word, INSTANT))?);
            }
            "over" if over.is_none() && !is_switch => over = Some(span(words)?.1),
            "for" if lasts.is_none() => lasts = Some(span(words)?),
            _ => return Err(words.refuse(clause, CLAUSE)),
        }
    }
    let end = words.text.trim_end().len();
    let Some(at) = at else {
        return Err(words.error(end, "the text ends".to_owned(), "`at INSTANT`"));
    };
    let over = over.unwrap_or_default();
    if is_switch && lasts.is_none() {
        return Err(words.error(end, "the text ends".to_owned(), "`for SPAN`"));
    }
    if let Some((column, lasts)) = lasts
        && lasts < over
    {
        let problem = format!("it goes back after {lasts}, before it is there after {over}");
        return Err(words.error(column, problem, "a span no shorter than that after `over`"));
    }
    Ok(When {
        at,
        over,
        until: lasts.map(|(_, lasts)| at.plus(lasts)),
    })
}

/// `2025-02-03T00:00:00Z`, without the seconds, or a day alone.
fn instant(text: &str) -> Option<Timestamp> {
    if text.len() == 10 {
        return Timestamp::parse(&format!("{text}T00:00:00Z")).ok();
    }
    match text.strip_suffix('Z') {
        Some(minutes) if minutes.len() == 16 => Timestamp::parse(&format!("{minutes}:00Z")).ok(),
        _ => Timestamp::parse(text).ok(),
    }
}

/// A span with the offset it stands at.
fn span(words: &mut Tokens<'_>) -> Result<(usize, Span), ShockParseError> {
    let word = words.need(SPAN)?;
    let digits = word.1.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match word.1.get(digits.len()..) {
        Some("s") => Some(Span::from_seconds(1)),
        Some("m" | "min") => Some(Span::from_minutes(1)),
        Some("h") => Some(Span::HOUR),
        Some("d") => Some(Span::DAY),
        _ => None,
    };
    let count = digits.parse::<i64>().ok().filter(|count| *count > 0);
    match (count, unit) {
        (Some(count), Some(unit)) if unit.times(count) <= LONGEST => {
            Ok((word.0, unit.times(count)))
        }
        _ => Err(words.refuse(word, SPAN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_what_how_far_when_and_how_long() {
        let shock =
            Shock::parse("perp.binance ETH -20% at 2025-02-03T06:00Z over 1h for 6h").unwrap();
        let at = Timestamp::parse("2025-02-03T06:00:00Z").unwrap();
        assert_eq!(shock.target, Target::Kind(SeriesKind::Perp));
        assert_eq!(shock.asset, Some(Asset::literal("ETH")));
        assert_eq!(shock.venue, Some(Venue::literal("binance")));
        assert_eq!(shock.size, Size::Times(Fixed18::literal("0.8")));
        assert_eq!((shock.at(), shock.over), (at, Span::HOUR));
        assert_eq!(shock.end(), at.plus(Span::from_hours(7)));
        let text = |at: &str| Shock::parse(&format!("gas x20 at {at}")).unwrap().at();
        assert_eq!(text("2025-02-03"), text("2025-02-03T00:00:00Z"));
        assert_eq!(
            Shock::parse("gas x2 at 2025-02-03").unwrap().end(),
            Timestamp::MAX
        );
    }

    #[test]
    fn of_a_rate_a_percentage_is_added_and_a_factor_may_be_negative() {
        let size = |text: &str| Shock::parse(text).unwrap().size;
        let plus = |text| Size::Plus(Fixed18::literal(text));
        let times = |text| Size::Times(Fixed18::literal(text));
        assert_eq!(
            size("funding BTC -0.05% at 2025-02-03 for 3d"),
            plus("-0.0005")
        );
        assert_eq!(size("funding.bybit BTC x-1 at 2025-02-03"), times("-1"));
        assert_eq!(size("borrow WETH +30% at 2025-02-03 for 2d"), plus("0.3"));
        assert_eq!(size("BTC +40% at 2025-02-03"), times("1.4"));
    }

    /// A sentence, the column of what does not fit, what is said of it, one of the alternatives.
    type Refused = (&'static str, usize, &'static str, &'static str);

    fn check(refused: &[Refused]) {
        for (text, column, problem, expected) in refused {
            let message = Shock::parse(text).unwrap_err().to_string();
            assert!(message.contains(&format!("column {column}:")), "{message}");
            assert!(message.contains(problem), "{message}");
            let (_, alternatives) = message.split_once("; expected ").unwrap();
            assert!(alternatives.contains(expected), "{message}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_column_and_the_alternatives() {
        check(&[
            ("", 1, "the text ends", "an asset"),
            ("-20% ETH", 1, "`-20%` does not fit", "market, spot, perp"),
            (
                "ETH -100% at 2025-02-03",
                5,
                "`-100%` does not fit",
                "above -100 %",
            ),
            ("ETH 20 at 2025-02-03", 5, "`20` does not fit", "`-20%`"),
            ("ETH x-1 at 2025-02-03", 5, "`x-1` does not fit", "above 0"),
            ("ETH -20%", 9, "the text ends", "`at INSTANT`"),
            (
                "ETH -20% at noon",
                13,
                "`noon` does not fit",
                "2025-02-03T00:00Z",
            ),
            (
                "ETH -20% at 2025-02-03 over 1y",
                29,
                "`1y` does not fit",
                "`30min`",
            ),
        ]);
    }

    #[test]
    fn times_and_venues_that_do_not_fit_are_named_too() {
        check(&[
            (
                "ETH -20% when 2025-02-03",
                10,
                "`when` does not fit",
                "`over SPAN`",
            ),
            (
                "ETH -20% at 2025-02-03 over 2h for 1h",
                36,
                "before it is there after 2h",
                "no shorter",
            ),
            (
                "perps.binance ETH -2% at 2025-02-03",
                1,
                "does not fit",
                "`perp.binance`",
            ),
            (
                "perp.b!n ETH -2% at 2025-02-03",
                6,
                "`b!n` does not fit",
                "a venue",
            ),
            (
                "outage binance at 2025-02-03",
                29,
                "the text ends",
                "`for SPAN`",
            ),
            (
                "outage binance at 2025-02-03 over 1h",
                30,
                "`over` does not fit",
                "`at INSTANT`",
            ),
            (
                "halt deposits bybit",
                6,
                "`deposits` does not fit",
                "`withdrawals`",
            ),
        ]);
    }
}
