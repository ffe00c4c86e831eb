//! A request of an exchange that takes parameters in the query of reads and in the JSON body of
//! everything else, and signs in headers.

use basis_core::secret::Secret;
use basis_core::types::{Span, Timestamp};

use super::params::{Params, millis};

/// What a request does at the venue, and with it what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing: it may be repeated.
    Read,
    /// Places, changes or cancels something: it is sent at most once.
    Act,
}

/// One value of a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text; decimals are texts.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// The stamp of the request in milliseconds, known when it is signed.
    Stamp,
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// The fields of a JSON body, in the order they are sent: the signature covers their exact bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(&'static str, Scalar)>);

impl Fields {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Scalar>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a field that is there.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Scalar>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a field that is true, or none.
    #[must_use]
    pub fn with_flag(self, name: &'static str, value: bool) -> Self {
        if value {
            self.with(name, Scalar::Flag(true))
        } else {
            self
        }
    }

    /// Returns names and values, in order.
    #[must_use]
    pub fn pairs(&self) -> &[(&'static str, Scalar)] {
        &self.0
    }

    /// Writes `{"name":value,…}` behind `text`.
    fn encode_into(&self, stamp: Stamp, text: &mut String) {
        text.push('{');
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            quote(name, text);
            text.push(':');
            match value {
                Scalar::Text(value) => quote(value, text),
                Scalar::Number(number) => text.push_str(&number.to_string()),
                Scalar::Flag(true) => text.push_str("true"),
                Scalar::Flag(false) => text.push_str("false"),
                Scalar::Stamp => text.push_str(&millis(stamp.at()).to_string()),
            }
        }
        text.push('}');
    }
}

/// Writes `text` as a JSON string.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Where the parameters of a request stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// In the query of a `GET`.
    Query(Params),
    /// In the JSON body of a `POST`.
    Body(Fields),
}

/// A request without host, stamp and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonDraft {
    /// From `/`.
    pub path: &'static str,
    /// Its parameters.
    pub payload: Payload,
    /// Whether it carries key and signature; market data does not.
    pub signed: bool,
    /// What it does.
    pub effect: Effect,
    /// Whether the live network alone has it.
    pub live_only: bool,
}

impl JsonDraft {
    /// A signed read.
    pub(crate) const fn read(path: &'static str, params: Params) -> Self {
        Self {
            path,
            payload: Payload::Query(params),
            signed: true,
            effect: Effect::Read,
            live_only: false,
        }
    }

    /// A read of market data.
    pub(crate) fn public(path: &'static str, params: Params) -> Self {
        Self {
            signed: false,
            ..Self::read(path, params)
        }
    }

    /// A signed request that acts.
    pub(crate) const fn act(path: &'static str, fields: Fields) -> Self {
        Self {
            path,
            payload: Payload::Body(fields),
            signed: true,
            effect: Effect::Act,
            live_only: false,
        }
    }

    /// The same, on the live network alone.
    pub(crate) fn on_live_only(self) -> Self {
        Self {
            live_only: true,
            ..self
        }
    }

    /// Returns the text that the body has under `name`.
    #[cfg(feature = "live")]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let Payload::Body(fields) = &self.payload else {
            return None;
        };
        let mut pairs = fields.pairs().iter();
        match pairs.find(|(field, _)| *field == name)? {
            (_, Scalar::Text(text)) => Some(text.as_str()),
            _ => None,
        }
    }

    /// `GET` or `POST`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self.payload {
            Payload::Query(_) => "GET",
            Payload::Body(_) => "POST",
        }
    }

    /// Returns the query as it is sent, without its question mark; empty for a body.
    #[must_use]
    pub fn query(&self) -> String {
        match &self.payload {
            Payload::Query(params) => params.encode(),
            Payload::Body(_) => String::new(),
        }
    }

    /// Returns the body as it is sent; empty for a query.
    #[must_use]
    pub fn body(&self, stamp: Stamp) -> String {
        let mut text = String::new();
        if let Payload::Body(fields) = &self.payload {
            // Orders have some 250 bytes.
            text.reserve(320);
            fields.encode_into(stamp, &mut text);
        }
        text
    }

    /// Returns `origin`, path and query.
    pub(crate) fn url(&self, origin: &str, query: &str) -> String {
        let mut url = String::with_capacity(origin.len() + self.path.len() + query.len() + 1);
        url.push_str(origin);
        url.push_str(self.path);
        if !query.is_empty() {
            url.push('?');
            url.push_str(query);
        }
        url
    }
}

/// When a signed request was made, and until when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    at: Timestamp,
    window: Span,
}

impl Stamp {
    /// How long after its stamp a request of ours may still be accepted.
    pub const WINDOW: Span = Span::from_seconds(3);

    /// A stamp of the venue's time `at` (our clock and the measured offset), with the window of
    /// [`Stamp::WINDOW`].
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self {
            at,
            window: Self::WINDOW,
        }
    }

    /// Returns the venue's time of the request.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the window in whole milliseconds.
    pub(crate) const fn window_millis(&self) -> i64 {
        self.window.nanos().div_euclid(1_000_000)
    }

    /// Returns the last instant at which the venue lets the request in. Binance spot does not check it in
    /// its engine: there 10 seconds come on top. OKX checks it of placements and amendments alone.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.at.plus(self.window)
    }
}

/// Who signs in headers.
pub trait HeaderSigner {
    /// Returns the name of the key.
    fn api_key(&self) -> &Secret;

    /// Returns the passphrase that belongs to the key, where the venue has one.
    fn passphrase(&self) -> Option<&Secret> {
        None
    }

    /// Returns the signature of `text` as the header holds it.
    fn sign(&self, text: &str) -> Secret;
}

/// Stands where key and signature would: for requests that are shown and not sent.
#[derive(Clone, Debug)]
pub struct Masked {
    key: Secret,
}

impl Masked {
    /// What is shown in the place of a secret.
    pub const TEXT: &'static str = "MASKED";
}

impl Default for Masked {
    fn default() -> Self {
        Self {
            key: Secret::new(Self::TEXT.to_owned()),
        }
    }
}

impl Masked {
    /// Returns what stands for a secret.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.key
    }
}

impl HeaderSigner for Masked {
    fn api_key(&self) -> &Secret {
        &self.key
    }

    fn passphrase(&self) -> Option<&Secret> {
        Some(&self.key)
    }

    fn sign(&self, _text: &str) -> Secret {
        Secret::new(Self::TEXT.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_in_the_order_of_its_fields() {
        let fields = Fields::default()
            .with("qty", "0.01")
            .with_some("absent", None::<String>)
            .with("positionIdx", Scalar::Number(2))
            .with_flag("reduceOnly", true)
            .with_flag("unsaid", false)
            .with("timestamp", Scalar::Stamp)
            .with("memo", "a\"b\\c\n");
        let draft = JsonDraft::act("/x", fields);
        let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
        let text = draft.body(stamp);
        let wanted = r#"{"qty":"0.01","positionIdx":2,"reduceOnly":true,"timestamp":1700000000000,"memo":"a\"b\\c\u000a"}"#;
        assert_eq!(text, wanted);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["memo"], "a\"b\\c\n");
    }
}
