//! Instants as other people's files write them.

use basis_core::types::{Span, Timestamp};

/// How a column writes instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// By what it looks like: digits are seconds, milli-, micro- or nanoseconds since 1970 by their
    /// number, anything else a date.
    Any,
    /// Whole numbers of this many nanoseconds since 1970.
    Unit(i64),
}

impl TimeForm {
    /// From the word a map has after the column.
    pub(super) fn word(word: &str) -> Option<Self> {
        Some(match word {
            "any" | "iso" => Self::Any,
            "s" => Self::Unit(1_000_000_000),
            "ms" => Self::Unit(1_000_000),
            "us" => Self::Unit(1_000),
            "ns" => Self::Unit(1),
            _ => return None,
        })
    }
}

/// An instant, and whether its text named no time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    pub(super) at: Timestamp,
    pub(super) zone_assumed: bool,
}

/// Reads an instant; `None` when the text is none.
pub(super) fn parse(text: &[u8], form: TimeForm) -> Option<Instant> {
    // A JSON number such as 1704067200000.0 is whole all the same.
    let whole = text.strip_suffix(b".0").unwrap_or(text);
    if !whole.is_empty() && whole.len() < 20 && whole.iter().all(u8::is_ascii_digit) {
        let number: i64 = std::str::from_utf8(whole).ok()?.parse().ok()?;
        let unit = match form {
            TimeForm::Unit(unit) => unit,
            TimeForm::Any => match whole.len() {
                9..=10 => 1_000_000_000,
                12..=13 => 1_000_000,
                15..=16 => 1_000,
                18..=19 => 1,
                _ => return None,
            },
        };
        return Some(Instant {
            at: Timestamp::from_nanos(number.checked_mul(unit)?),
            zone_assumed: false,
        });
    }
    match form {
        TimeForm::Any => date(text),
        TimeForm::Unit(_) => None,
    }
}

/// `2024-05-01`, `2024-05-01T08:00:00Z`, `2024-05-01 08:00:00.000 UTC`, `2024.05.01 08:00`,
/// `2024-05-01 08:00:00+03:00` and what lies between them.
fn date(text: &[u8]) -> Option<Instant> {
    let (day, rest) = text.split_at_checked(10)?;
    let mut plain = day.to_vec();
    for at in [4, 7] {
        let byte = plain.get_mut(at)?;
        if !matches!(*byte, b'-' | b'.' | b'/') {
            return None;
        }
        *byte = b'-';
    }
    let clock = match rest {
        [b'T' | b' ', rest @ ..] => rest,
        [] => b"00:00",
        _ => return None,
    };
    let end = clock
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b':' | b'.'))
        .unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(end);
    plain.push(b'T');
    plain.extend_from_slice(clock);
    if clock.len() == 5 {
        plain.extend_from_slice(b":00");
    }
    plain.push(b'Z');
    let at = Timestamp::parse_bytes(&plain)?;
    let offset = offset(zone)?;
    Some(Instant {
        at: at.minus(offset.unwrap_or(Span::ZERO)),
        zone_assumed: offset.is_none(),
    })
}

/// What local time is ahead of UTC; `Some(None)` where no zone is named.
fn offset(zone: &[u8]) -> Option<Option<Span>> {
    let zone = std::str::from_utf8(zone).ok()?.trim();
    let (sign, digits) = match zone.split_at_checked(1) {
        None => return Some(None),
        Some(("+", digits)) => (1, digits),
        Some(("-", digits)) => (-1, digits),
        Some(_) => return matches!(zone, "Z" | "UTC" | "GMT").then_some(Some(Span::ZERO)),
    };
    let digits = digits.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    (minutes <= 14 * 60).then(|| Some(Span::from_minutes(sign * minutes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_instant_is_the_same_instant() {
        for text in [
            "1714550400",
            "1714550400000",
            "1714550400000.0",
            "1714550400000000",
            "1714550400000000000",
            "2024-05-01T08:00:00Z",
            "2024-05-01T08:00:00.000Z",
            "2024-05-01 08:00:00.000 UTC",
            "2024-05-01 08:00:00+00:00",
            "2024-05-01 11:00:00+03:00",
            "2024-05-01T08:00Z",
        ] {
            let read = parse(text.as_bytes(), TimeForm::Any).unwrap();
            assert_eq!(read.at.to_string(), "2024-05-01T08:00:00Z", "{text}");
            assert!(!read.zone_assumed, "{text}");
        }
        for text in [
            "2024-05-01 08:00:00",
            "2024.05.01 08:00",
            "2024/05/01 08:00",
        ] {
            let read = parse(text.as_bytes(), TimeForm::Any).unwrap();
            assert_eq!(read.at.to_string(), "2024-05-01T08:00:00Z", "{text}");
            assert!(read.zone_assumed, "{text}");
        }
    }

    #[test]
    fn a_number_of_no_known_length_is_no_instant() {
        for text in ["", "5", "20240501", "yesterday", "2024-13-01", "1.5"] {
            assert_eq!(parse(text.as_bytes(), TimeForm::Any), None, "{text}");
        }
        let seconds = TimeForm::word("s").unwrap();
        let read = parse(b"86400", seconds).unwrap();
        assert_eq!(read.at.to_string(), "1970-01-02T00:00:00Z");
        assert_eq!(parse(b"2024-05-01", seconds), None);
    }
}
