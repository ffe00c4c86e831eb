//! What names of files and instruments say: symbol, kind, interval.

use basis_core::types::Span;

use super::kind::Kind;

/// The length of `1h`, `15m`, `1D`, `4H` and `30s`; `None` for anything else, months and weeks included.
pub(super) fn interval(text: &str) -> Option<Span> {
    let text = text.strip_suffix("utc").unwrap_or(text);
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: i64 = count
        .parse()
        .ok()
        .filter(|count| (1..=1_440).contains(count))?;
    let unit = match unit {
        "s" => Span::from_seconds(1),
        "m" => Span::from_minutes(1),
        "h" | "H" => Span::HOUR,
        "d" | "D" => Span::DAY,
        _ => return None,
    };
    Some(unit.times(count))
}

/// An instrument as the layout names it, and its kind where its own spelling says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instrument {
    pub(super) symbol: String,
    pub(super) kind: Option<Kind>,
}

/// Reads `BTCUSDT`, `BTC-USDT`, `BTC-USDT-SWAP`, `BTC/USDT`, `BTC/USDT:USDT`.
///
/// # Errors
/// Why the layout has no place for it.
pub(super) fn instrument(text: &str) -> Result<Instrument, String> {
    let refuse = |what: &str| Err(format!("instrument `{text}` {what}"));
    let inverse = "is not margined in its quote; only linear contracts are run";
    let found = |symbol: String, kind| Ok(Instrument { symbol, kind });
    if let Some((base, rest)) = text.split_once('/') {
        return match rest.split_once(':') {
            None => found(format!("{base}{rest}"), Some(Kind::Spot)),
            Some((quote, settle)) if quote == settle => {
                found(format!("{base}{quote}"), Some(Kind::Perp))
            }
            Some(_) if rest.contains('-') => refuse("expires; only perpetuals are run"),
            Some(_) => refuse(inverse),
        };
    }
    if text.ends_with("_PERP") {
        return refuse(inverse);
    }
    let parts: Vec<_> = text.split('-').collect();
    match parts.as_slice() {
        [_, "USD", "SWAP"] => refuse(inverse),
        [base, quote, "SWAP"] => found(format!("{base}{quote}"), Some(Kind::Perp)),
        [base, quote] => found(format!("{base}{quote}"), Some(Kind::Spot)),
        [symbol] if symbol.contains('_') => refuse("expires; only perpetuals are run"),
        [symbol] if !symbol.is_empty() && symbol.bytes().all(|c| c.is_ascii_alphanumeric()) => {
            found((*symbol).to_owned(), None)
        }
        _ => refuse("is no pair or perpetual that is known here"),
    }
}

/// What the name of a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) symbol: Option<String>,
    pub(super) every: Option<Span>,
}

/// Reads `BTCUSDT-1h-2024-01.csv`, `BTCUSDT-fundingRate-2024-01.csv`, `BTC_USDT-1h.json`,
/// `BTC_USDT_USDT-1h-futures.json` and `BTCUSDT_1h.csv`.
pub(super) fn file_name(name: &str) -> FileName {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let mut parts = stem.split('-');
    let first = parts.next().unwrap_or_default();
    let every = parts.next().and_then(interval);
    if let Some((symbol, length)) = crate::catalogue::split_length(first)
        && every.is_none()
    {
        // Rates of staking name what they are of.
        let symbol = ["_protocol", "_market"]
            .iter()
            .find_map(|of| symbol.strip_suffix(of))
            .unwrap_or(symbol);
        return FileName {
            symbol: Some(symbol.to_owned()),
            every: Some(length),
        };
    }
    let symbol = match first.split('_').collect::<Vec<_>>().as_slice() {
        [base, quote, settle] if quote == settle => Some(format!("{base}{quote}")),
        // Margined in coin: refused as an instrument.
        [_, "PERP"] => Some(first.to_owned()),
        [base, quote] if is_word(base) && is_word(quote) && !is_number(quote) => {
            Some(format!("{base}{quote}"))
        }
        [symbol] if is_word(symbol) && symbol.len() > 4 => Some((*symbol).to_owned()),
        _ => None,
    };
    FileName { symbol, every }
}

fn is_word(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_digit())
}

/// Whether the folders of Binance's archive say that its bars are of the premium, which is no price.
pub(super) fn is_premium(label: &str) -> bool {
    label.contains("premiumIndexKlines")
}

/// The kind of bars that the folders of Binance's archive say.
pub(super) fn folder_kind(label: &str) -> Option<Kind> {
    let label = label.replace('\\', "/");
    let says = |folder: &str| label.split('/').any(|part| part == folder);
    if says("markPriceKlines") {
        Some(Kind::Mark)
    } else if says("indexPriceKlines") {
        Some(Kind::Index)
    } else if says("futures") && says("um") {
        Some(Kind::Perp)
    } else if says("spot") {
        Some(Kind::Spot)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_of_every_spelling_have_one_name() {
        let read = |text: &str| instrument(text).unwrap();
        let expected = |kind| Instrument {
            symbol: "BTCUSDT".to_owned(),
            kind,
        };
        assert_eq!(read("BTCUSDT"), expected(None));
        assert_eq!(read("BTC-USDT"), expected(Some(Kind::Spot)));
        assert_eq!(read("BTC-USDT-SWAP"), expected(Some(Kind::Perp)));
        assert_eq!(read("BTC/USDT"), expected(Some(Kind::Spot)));
        assert_eq!(read("BTC/USDT:USDT"), expected(Some(Kind::Perp)));
        for (text, expected) in [
            ("BTC-USD-SWAP", "margined"),
            ("BTC/USD:BTC", "margined"),
            ("BTCUSD_PERP", "margined"),
            ("BTCUSDT_240329", "expires"),
            ("BTC/USDT:USDT-240329", "expires"),
            ("BTC-USD-250328-92000-C", "known here"),
            ("", "known here"),
        ] {
            let said = instrument(text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn names_of_files_say_symbol_and_interval() {
        let named = |symbol: &str, every| FileName {
            symbol: Some(symbol.to_owned()),
            every,
        };
        let hour = Some(Span::HOUR);
        assert_eq!(file_name("SOLUSDT-1h-2024-01.csv"), named("SOLUSDT", hour));
        assert_eq!(
            file_name("1000PEPEUSDT-fundingRate-2024-01.csv"),
            named("1000PEPEUSDT", None)
        );
        assert_eq!(file_name("BTC_USDT-1h.json"), named("BTCUSDT", hour));
        assert_eq!(
            file_name("BTC_USDT_USDT-1h-futures.json"),
            named("BTCUSDT", hour)
        );
        assert_eq!(file_name("BTCUSDT_1h.csv"), named("BTCUSDT", hour));
        let staking = file_name("weETH_ETH_protocol_1d.csv");
        assert_eq!(staking, named("weETH_ETH", Some(Span::DAY)));
        assert_eq!(file_name("klines.json"), FileName::default());
        assert_eq!(file_name("part_2.csv"), FileName::default());
    }

    #[test]
    fn folders_of_the_archive_say_the_kind() {
        for (label, expected) in [
            (
                "data/spot/monthly/klines/X-1h-2024-01.zip",
                Some(Kind::Spot),
            ),
            ("data/futures/um/daily/klines/X.zip", Some(Kind::Perp)),
            (
                "futures/um/monthly/markPriceKlines/X.zip:X.csv",
                Some(Kind::Mark),
            ),
            ("Downloads/X.zip", None),
        ] {
            assert_eq!(folder_kind(label), expected, "{label}");
        }
    }
}
