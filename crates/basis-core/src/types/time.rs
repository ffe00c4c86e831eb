//! Time as integer nanoseconds since the Unix epoch, UTC, without leap seconds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z. Range: years 1678 to 2261.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A signed length of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

/// Why a text is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no UTC instant; write 2024-05-01T08:00:00Z (fractions of a second allowed)")]
pub struct TimestampError {
    /// The refused text.
    pub text: String,
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// One hour.
    pub const HOUR: Self = Self::from_seconds(3_600);
    /// One day of 86,400 seconds.
    pub const DAY: Self = Self::from_seconds(SECONDS_PER_DAY);

    /// `nanos` nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// `seconds` seconds, saturating at the range of an `i64` of nanoseconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// `minutes` minutes.
    #[must_use]
    pub const fn from_minutes(minutes: i64) -> Self {
        Self::from_seconds(minutes.saturating_mul(60))
    }

    /// `hours` hours.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_seconds(hours.saturating_mul(3_600))
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The length in whole seconds, rounded toward zero.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0 / NANOS_PER_SECOND
    }

    /// This length `count` times, saturating.
    #[must_use]
    pub const fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        match seconds {
            s if self.0 % NANOS_PER_SECOND != 0 => {
                write!(f, "{}ms + {s}s", self.0 % NANOS_PER_SECOND / 1_000_000)
            }
            s if s != 0 && s % SECONDS_PER_DAY == 0 => write!(f, "{}d", s / SECONDS_PER_DAY),
            s if s != 0 && s % 3_600 == 0 => write!(f, "{}h", s / 3_600),
            s if s != 0 && s % 60 == 0 => write!(f, "{}min", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The latest instant; stands for "never" in comparisons.
    pub const MAX: Self = Self(i64::MAX);
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch, saturating.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// From milliseconds since the epoch, saturating.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// This instant moved by `span`, saturating at the range.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This instant moved back by `span`, saturating at the range.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The time from `earlier` to here, saturating; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The latest multiple of `span` since the epoch that is not after this instant.
    #[must_use]
    pub const fn floor_to(self, span: Span) -> Self {
        if span.0 <= 0 {
            self
        } else {
            Self(self.0 - self.0.rem_euclid(span.0))
        }
    }

    /// Midnight UTC of a civil date; `None` when there is no such date or it is out of range.
    #[must_use]
    pub fn from_date(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        days_from_civil(year, month, day)
            .checked_mul(SECONDS_PER_DAY)?
            .checked_mul(NANOS_PER_SECOND)
            .map(Self)
    }

    /// Year, month and day in UTC.
    #[must_use]
    pub fn date(self) -> (i64, i64, i64) {
        civil_from_days(self.seconds().div_euclid(SECONDS_PER_DAY))
    }

    /// Parses `YYYY-MM-DDTHH:MM:SS[.fraction]Z` (a blank may stand for the `T`, `+00:00` for the `Z`).
    ///
    /// # Errors
    /// [`TimestampError`] for anything else, an impossible date, or an instant out of range.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        Self::parse_bytes(text.as_bytes()).ok_or_else(|| TimestampError {
            text: text.to_owned(),
        })
    }

    /// As [`Timestamp::parse`], on bytes and without a message.
    #[must_use]
    pub fn parse_bytes(text: &[u8]) -> Option<Self> {
        if let Some(at) = Self::parse_short(text) {
            return Some(at);
        }
        let number = |from: usize, to: usize| -> Option<i64> {
            text.get(from..to)?.iter().try_fold(0i64, |sum, &c| {
                c.is_ascii_digit().then(|| sum * 10 + i64::from(c - b'0'))
            })
        };
        let is = |at: usize, c: u8| text.get(at) == Some(&c);
        if !(is(4, b'-')
            && is(7, b'-')
            && (is(10, b'T') || is(10, b' '))
            && is(13, b':')
            && is(16, b':'))
        {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let whole = Self::of_parts([year, month, day], [hour, minute, second])?;
        let mut nanos = 0;
        let mut rest = text.get(19..)?;
        if let Some((b'.', fraction)) = rest.split_first() {
            let digits = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            let value = number(20, 20 + digits)?;
            nanos += value * 10i64.pow(u32::try_from(9 - digits).ok()?);
            rest = fraction.get(digits..)?;
        }
        if rest != b"Z" && rest != b"+00:00" {
            return None;
        }
        Self::of_seconds(whole, nanos)
    }

    /// `YYYY-MM-DDTHH:MM:SSZ`, which nearly every instant of a data file is; `None` sends everything else, errors
    /// included, to the whole grammar.
    #[inline]
    fn parse_short(text: &[u8]) -> Option<Self> {
        let [
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
            b'Z',
        ] = text
        else {
            return None;
        };
        let mut most = 0;
        let mut two = |tens: &u8, units: &u8| {
            let (tens, units) = (tens.wrapping_sub(b'0'), units.wrapping_sub(b'0'));
            most = most.max(tens).max(units);
            i64::from(tens) * 10 + i64::from(units)
        };
        let date = [two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2)];
        let clock = [two(h1, h2), two(n1, n2), two(s1, s2)];
        if most > 9 {
            return None;
        }
        Self::of_seconds(Self::of_parts(date, clock)?, 0)
    }

    /// Seconds since the epoch of a date and a time of day; `None` for one that no calendar has.
    #[inline]
    fn of_parts([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> Option<i64> {
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let midnight = days_from_civil(year, month, day) * SECONDS_PER_DAY;
        Some(midnight + hour * 3_600 + minute * 60 + second)
    }

    /// The instant so many nanoseconds after a second; `None` out of range.
    #[inline]
    fn of_seconds(seconds: i64, nanos: i64) -> Option<Self> {
        // The second before the first instants is out of range, its end is not.
        let at = i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos);
        i64::try_from(at).ok().map(Self)
    }

    /// Appends `YYYY-MM-DDTHH:MM:SSZ`, with nine more digits when there is a fraction of a second.
    pub fn write_iso(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.date();
        let of_day = self.seconds().rem_euclid(SECONDS_PER_DAY);
        push_padded(out, year, 4);
        out.push(b'-');
        push_padded(out, month, 2);
        out.push(b'-');
        push_padded(out, day, 2);
        out.push(b'T');
        push_padded(out, of_day / 3_600, 2);
        out.push(b':');
        push_padded(out, of_day / 60 % 60, 2);
        out.push(b':');
        push_padded(out, of_day % 60, 2);
        let fraction = self.0.rem_euclid(NANOS_PER_SECOND);
        if fraction != 0 {
            out.push(b'.');
            push_padded(out, fraction, 9);
        }
        out.push(b'Z');
    }
}

fn push_padded(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = u8::try_from(value / 10i64.pow(place) % 10).unwrap_or_default();
        out.push(b'0' + digit);
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

// The two civil-calendar conversions follow Howard Hinnant's public "chrono-Compatible Low-Level
// Date Algorithms" (days_from_civil, civil_from_days).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(30);
        self.write_iso(&mut text);
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_the_same_instant() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59Z",
            "2025-05-31T16:00:00.000000001Z",
            "1969-12-31T23:59:59Z",
            "1677-09-21T00:12:43.145224192Z",
            "2262-04-11T23:47:16.854775807Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2023-11-14T22:13:20Z").unwrap().seconds(),
            1_700_000_000
        );
    }

    #[test]
    fn every_day_of_four_centuries_round_trips() {
        let first = days_from_civil(1700, 1, 1);
        for day in first..first + 146_097 {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), day);
            assert!(d <= days_in_month(y, m));
        }
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2024-05-01",
            "2023-02-29T00:00:00Z",
            "2024-05-01T24:00:00Z",
            "2024-05-01T00:00:00",
            "2024-05-01T00:00:00.Z",
            "2024-05-01T00:00:00+02:00",
            "x024-05-01T00:00:00Z",
            "1677-09-21T00:12:43.145224191Z",
            "2262-04-11T23:47:16.854775808Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floors_before_and_after_the_epoch() {
        assert_eq!(
            Timestamp::from_seconds(-1).floor_to(Span::HOUR),
            Timestamp::from_seconds(-3_600)
        );
        assert_eq!(
            Timestamp::from_seconds(7_199).floor_to(Span::HOUR),
            Timestamp::from_seconds(3_600)
        );
    }

    #[test]
    fn the_short_form_is_read_as_the_whole_grammar_reads_it() {
        let dates = [
            "2024-02-29",
            "2023-02-29",
            "1970-01-01",
            "0001-01-01",
            "9999-12-31",
            "2024-00-10",
            "2024-13-01",
            "202a-01-01",
        ];
        let clocks = [
            "00:00:00", "23:59:59", "24:00:00", "12:60:00", "12:00:60", "1:000:00", "12:0x:00",
        ];
        for date in dates {
            for clock in clocks {
                let short = Timestamp::parse_bytes(format!("{date}T{clock}Z").as_bytes());
                let whole = Timestamp::parse_bytes(format!("{date}T{clock}+00:00").as_bytes());
                assert_eq!(short, whole, "{date}T{clock}");
            }
        }
    }
}
