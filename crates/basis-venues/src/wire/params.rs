//! Query strings, built by hand: the signature covers their exact bytes.

use basis_core::num::Fixed18;
use basis_core::types::Timestamp;

/// Parameters in the order they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a parameter that is there.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a decimal as plain text: no exponent, no more digits than it has.
    #[must_use]
    pub fn with_decimal(self, name: &'static str, value: Fixed18) -> Self {
        self.with(name, value.to_string())
    }

    /// Adds an instant in milliseconds.
    #[must_use]
    pub fn with_millis(self, name: &'static str, at: Timestamp) -> Self {
        self.with(name, millis(at).to_string())
    }

    /// Returns names and values, in order.
    #[must_use]
    pub fn pairs(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// Returns `name=value&…`, values percent-encoded.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        self.encode_into(&mut text);
        text
    }

    /// Writes `name=value&…` behind `text`, values percent-encoded.
    pub(crate) fn encode_into(&self, text: &mut String) {
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            percent_encode(value, text);
        }
    }
}

/// Returns milliseconds since 1970, rounded down.
#[must_use]
pub const fn millis(at: Timestamp) -> i64 {
    at.nanos().div_euclid(1_000_000)
}

/// Writes `value` with every byte but letters, digits and `-._~` as `%XX` (RFC 3986).
pub(crate) fn percent_encode(value: &str, out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if value.bytes().all(is_plain) {
        out.push_str(value);
        return;
    }
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in value.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_encoded_and_keep_their_order() {
        let params = Params::default()
            .with("symbol", "１２３")
            .with("list", "[1, 2]")
            .with_some("absent", None::<String>)
            .with_decimal("quantity", Fixed18::literal("0.00001"));
        assert_eq!(
            params.encode(),
            "symbol=%EF%BC%91%EF%BC%92%EF%BC%93&list=%5B1%2C%202%5D&quantity=0.00001"
        );
    }

    #[test]
    fn milliseconds_round_down_before_the_epoch_too() {
        assert_eq!(millis(Timestamp::from_nanos(1_999_999)), 1);
        assert_eq!(millis(Timestamp::from_nanos(-1)), -1);
    }
}
