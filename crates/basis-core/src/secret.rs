//! Credentials: values that cannot be printed.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text. No `Display`, no `Serialize`; `Debug` shows nothing; memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, to sign or to send. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The credentials of one venue: field name and secret, as the driver's row lists them.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    fields: Vec<(&'static str, Secret)>,
}

impl Credentials {
    /// From field names and secrets.
    #[must_use]
    pub const fn new(fields: Vec<(&'static str, Secret)>) -> Self {
        Self { fields }
    }

    /// The secret of `field`.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Secret> {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, secret)| secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_credentials_shows_no_value() {
        let credentials = Credentials::new(vec![("api_key", Secret::new("topsecret".to_owned()))]);
        let text = format!("{credentials:?} {credentials:#?}");
        assert!(
            !text.contains("topsecret") && text.contains("api_key"),
            "{text}"
        );
        assert_eq!(credentials.get("api_key").unwrap().expose(), "topsecret");
    }
}
