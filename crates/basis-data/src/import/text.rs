//! Takes text apart into rows of fields: CSV with or without a header, JSON arrays and objects.
//!
//! Nothing is converted: a number is the text that stands in the file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::csv::fields_of;

/// The lines of a CSV file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    number: u32,
    separator: u8,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        // Some vendors name themselves above the header.
        let vendor = rest.starts_with(b"https://") || rest.starts_with(b"http://");
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .filter(|_| vendor);
        let (rest, number) = match end.and_then(|end| rest.get(end + 1..)) {
            Some(below) => (below, 1),
            None => (rest, 0),
        };
        let first = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |separator| first.iter().filter(|byte| **byte == separator).count();
        let separator = [b',', b';', b'\t', b'|']
            .into_iter()
            .rev()
            .max_by_key(|separator| count(*separator))
            .unwrap_or(b',');
        Self {
            rest,
            number,
            separator,
        }
    }

    /// The next line that is not blank, taken apart, with its number.
    ///
    /// # Errors
    /// What is wrong with its quotes.
    pub(super) fn next_into(
        &mut self,
        fields: &mut Vec<&'a [u8]>,
    ) -> Option<Result<u32, (u32, &'static str)>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', self.rest);
            let (line, rest) = match end {
                Some(end) => self.rest.split_at(end),
                None => (self.rest, Default::default()),
            };
            self.rest = rest.get(1..).unwrap_or_default();
            self.number = self.number.saturating_add(1);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            fields.clear();
            fields_of(line, self.separator, |field| fields.push(field));
            if memchr::memchr(b'"', line).is_some() {
                for field in fields.iter_mut() {
                    let Some(bare) = unquoted(field) else {
                        let what = "has a quoted field that holds a separator or a quote; \
                                    such files are not read";
                        return Some(Err((self.number, what)));
                    };
                    *field = bare;
                }
            }
            return Some(Ok(self.number));
        }
    }
}

/// A field without its quotes; `None` where a quote opens or closes elsewhere.
fn unquoted(field: &[u8]) -> Option<&[u8]> {
    let inner = match field {
        [b'"', inner @ .., b'"'] => inner,
        _ => field,
    };
    (!inner.contains(&b'"')).then_some(inner)
}

/// The rows of a JSON document, and what stands beside them.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) rows: Vec<&'a RawValue>,
    /// Texts and numbers on the way to the rows, by name.
    pub(super) beside: BTreeMap<String, String>,
}

/// Where replies keep their rows; elsewhere in the only list or object there is.
const PLACES: [&str; 9] = [
    "result",
    "data",
    "list",
    "rows",
    "items",
    "arg",
    "reserve",
    "paramsHistory",
    "reserveParamsHistoryItems",
];

/// An object beside the rows whose own fields are told, as `eMode.ltv`.
const NESTED: &str = "eMode";

/// Finds the rows: an array, or the array in the reply of a venue.
///
/// # Errors
/// What the document is instead.
pub(super) fn document(bytes: &[u8]) -> Result<Document<'_>, String> {
    let mut beside = BTreeMap::new();
    let mut at: &RawValue = serde_json::from_slice(bytes)
        .map_err(|e| format!("is no JSON: {e}; is the file cut off?"))?;
    // As deep as any reply is.
    for _ in 0..5 {
        if at.get().starts_with('[') {
            let rows: Vec<&RawValue> = serde_json::from_str(at.get()).map_err(|e| e.to_string())?;
            of_rows(&rows, &mut beside)?;
            return Ok(Document { rows, beside });
        }
        let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(at.get()) else {
            return Err("is neither a list of rows nor the reply of a venue".to_owned());
        };
        for (name, value) in &fields {
            scalar(&mut beside, name.clone(), value);
            if name == NESTED {
                nested(&mut beside, name, value);
            }
        }
        refuse_error(&beside)?;
        let holds = |value: &&RawValue| value.get().starts_with('[') || !is_empty_or_plain(value);
        let inner = PLACES
            .iter()
            .find_map(|place| fields.get(*place).copied().filter(holds));
        let mut only = fields.values().copied().filter(holds);
        let only = only.next().filter(|_| only.next().is_none());
        at = inner.or(only).ok_or_else(|| {
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            format!("has no list of rows; it has {}", names.join(", "))
        })?;
    }
    Err("has its rows too deep for a reply".to_owned())
}

/// Whether a value is no object, or one without a field.
fn is_empty_or_plain(value: &RawValue) -> bool {
    let inner = value.get().strip_prefix('{');
    inner.is_none_or(|inner| inner.trim_start().starts_with('}'))
}

/// A value that is neither an object nor a list nor nothing, by its name.
fn scalar(beside: &mut BTreeMap<String, String>, name: String, value: &RawValue) {
    let text = value.get();
    if !text.starts_with(['{', '[']) && text != "null" {
        beside.insert(name, bare(value).into_owned());
    }
}

fn nested(beside: &mut BTreeMap<String, String>, name: &str, value: &RawValue) {
    let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get());
    for (inner, value) in fields.unwrap_or_default() {
        scalar(beside, format!("{name}.{inner}"), value);
    }
}

/// Rows of the subgraph may name their reserve, each for itself: all of one, or no series comes of them.
fn of_rows(rows: &[&RawValue], beside: &mut BTreeMap<String, String>) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        reserve: Option<&'a RawValue>,
    }
    let reserve = |row: &&'_ RawValue| {
        // A list would be read as fields in their order.
        let text = row.get();
        text.starts_with('{')
            .then(|| serde_json::from_str::<Row<'_>>(text).ok())
            .flatten()
            .and_then(|row| row.reserve.map(|reserve| reserve.get().to_owned()))
    };
    let Some(first) = rows.first().and_then(reserve) else {
        return Ok(());
    };
    if let Some(other) = rows
        .iter()
        .find_map(|row| reserve(row).filter(|of| *of != first))
    {
        return Err(format!(
            "has rows of several reserves, {first} and {other}; ask for one, where: {{reserve: …}}"
        ));
    }
    let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(&first);
    for (name, value) in fields.unwrap_or_default() {
        scalar(beside, name, value);
    }
    Ok(())
}

/// A reply that says it failed is no data.
fn refuse_error(beside: &BTreeMap<String, String>) -> Result<(), String> {
    for key in ["retCode", "code"] {
        if let Some(code) = beside.get(key).filter(|code| *code != "0") {
            let said = ["retMsg", "msg", "message"]
                .iter()
                .find_map(|key| beside.get(*key));
            let said = said.map(String::as_str).unwrap_or_default();
            return Err(format!("is an error of the venue: {code} {said}"));
        }
    }
    Ok(())
}

/// The text of a value, a string without its quotes; nothing for `null`.
pub(super) fn bare(value: &RawValue) -> Cow<'_, str> {
    let text = value.get();
    match text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        None if text == "null" => Cow::Borrowed(""),
        None => Cow::Borrowed(text),
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        Some(_) => serde_json::from_str::<String>(text).map_or(Cow::Borrowed(text), Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart_by_their_own_separator() {
        for text in [
            "a,b\n1,2\n",
            "a;b\r\n1;2\r\n\r\n",
            "a\tb\n1\t2",
            "\u{feff}\"a\",b\n\"1\",2",
        ] {
            let mut lines = Lines::new(text.as_bytes());
            let mut fields = Vec::new();
            assert_eq!(lines.next_into(&mut fields), Some(Ok(1)));
            assert_eq!(fields, [b"a", b"b"], "{text}");
            assert_eq!(lines.next_into(&mut fields), Some(Ok(2)));
            assert_eq!(fields, [b"1", b"2"], "{text}");
            assert_eq!(lines.next_into(&mut fields), None);
        }
        let mut vendor = Lines::new(b"https://www.example.com\na,b\n");
        assert_eq!(vendor.next_into(&mut Vec::new()), Some(Ok(2)));
        let mut lines = Lines::new(b"a,b\n\"1,5\",2\n");
        let mut fields = Vec::new();
        lines.next_into(&mut fields);
        assert!(matches!(lines.next_into(&mut fields), Some(Err((2, _)))));
    }

    #[test]
    fn rows_are_found_in_replies_and_errors_are_told() {
        let found = document(br#"{"retCode":0,"result":{"category":"linear","list":[["1","2"]]}}"#);
        let found = found.unwrap();
        assert_eq!(found.rows.len(), 1);
        assert_eq!(found.beside["category"], "linear");
        assert_eq!(document(b"[[1,2],[3,4]]").unwrap().rows.len(), 2);
        let deep =
            br#"{"data":{"id":"x","attributes":{"ohlcv_list":[[1],[2],[3]]}},"meta":{"base":{}}}"#;
        assert_eq!(document(deep).unwrap().rows.len(), 3);
        for (text, expected) in [
            (
                r#"{"retCode":10001,"retMsg":"params error"}"#,
                "error of the venue: 10001 params",
            ),
            (
                r#"{"code":"50011","msg":"Too Many Requests"}"#,
                "error of the venue: 50011 Too",
            ),
            (r#"{"x":{}}"#, "no list of rows; it has x"),
            (r#"{"x":[],"y":[]}"#, "no list of rows; it has x, y"),
            (
                r#"{"id":1,"error":{"code":-32000,"message":"pruned"}}"#,
                "error of the venue: -32000 pruned",
            ),
            (
                r#"{"items":[{"reserve":{"id":"0x1"}},{"reserve":{"id":"0x2"}}]}"#,
                "rows of several reserves",
            ),
            ("[[1,2],[3", "cut off"),
            ("5", "neither a list"),
        ] {
            let said = document(text.as_bytes()).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
