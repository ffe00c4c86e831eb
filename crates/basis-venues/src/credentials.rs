//! Credentials: which variables a venue needs in live trading, and the refusal of unusable ones.
//!
//! It does not read the process environment: the binary takes one snapshot and hands it over as
//! [`Variables`]. A backtest never comes here.
//!
//! **Invariant.** Messages name variables and never hold a value.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use basis_core::error::{Code, ComponentError};
use basis_core::secret::{Credentials, Secret};
use basis_core::venue::CredentialSet;

/// Binance: one key pair for spot and one for futures.
pub const BINANCE: CredentialSet = CredentialSet {
    name: "binance",
    variables: &[
        ("spot_api_key", "CEX__BINANCE_SPOT_API_KEY"),
        ("spot_secret", "CEX__BINANCE_SPOT_SECRET"),
        ("futures_api_key", "CEX__BINANCE_FUTURES_API_KEY"),
        ("futures_secret", "CEX__BINANCE_FUTURES_SECRET"),
    ],
};

/// Bybit: one key pair.
pub const BYBIT: CredentialSet = CredentialSet {
    name: "bybit",
    variables: &[
        ("api_key", "CEX__BYBIT_API_KEY"),
        ("secret", "CEX__BYBIT_SECRET"),
    ],
};

/// OKX: one key pair and its passphrase.
pub const OKX: CredentialSet = CredentialSet {
    name: "okx",
    variables: &[
        ("api_key", "CEX__OKX_API_KEY"),
        ("secret", "CEX__OKX_SECRET"),
        ("passphrase", "CEX__OKX_PASSPHRASE"),
    ],
};

/// The wallet and its node; every DEX and on-chain venue works through them.
pub const ALCHEMY: CredentialSet = CredentialSet {
    name: "alchemy",
    variables: &[
        ("private_key", "ALCHEMY__PRIVATE_KEY"),
        ("rpc_url", "ALCHEMY__RPC_URL"),
        ("wallet_address", "ALCHEMY__WALLET_ADDRESS"),
        ("network", "ALCHEMY__NETWORK"),
        ("chain_id", "ALCHEMY__CHAIN_ID"),
    ],
};

/// For a driver that trades without credentials. Any other set without variables is unknown.
pub const NONE: CredentialSet = CredentialSet {
    name: "none",
    variables: &[],
};

/// The sets that are built in.
pub const SETS: [CredentialSet; 4] = [BINANCE, BYBIT, OKX, ALCHEMY];

/// The variable that picks the environment.
pub const ENVIRONMENT_VARIABLE: &str = "BASIS_ENVIRONMENT";

/// Which set of credentials, and with it which networks, a live run may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BasisEnvironment {
    /// Test networks.
    #[default]
    Dev,
    /// Main networks with the staging wallet.
    Staging,
    /// Main networks with the production wallet.
    Prod,
}

/// A value of `BASIS_ENVIRONMENT` that is no environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("BASIS_ENVIRONMENT is `{value}`; use dev, staging or prod (dev when it is not set)")]
pub struct EnvironmentError {
    /// The refused value.
    pub value: String,
}

impl From<EnvironmentError> for ComponentError {
    fn from(e: EnvironmentError) -> Self {
        Self::new(Code::ConfigInvalid, e.to_string()).with_source(e)
    }
}

impl BasisEnvironment {
    /// Every environment.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    /// The environment that `BASIS_ENVIRONMENT` names; dev when it is not set or empty.
    ///
    /// # Errors
    /// [`EnvironmentError`] for any other value.
    pub fn read(variables: &Variables) -> Result<Self, EnvironmentError> {
        variables
            .get(ENVIRONMENT_VARIABLE)
            .filter(|value| !value.expose().is_empty())
            .map_or(Ok(Self::default()), |value| value.expose().parse())
    }

    /// `dev`, `staging` or `prod`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }

    /// The variable that holds the credential with `suffix`: `BASIS_DEV__CEX__BYBIT_SECRET`.
    #[must_use]
    pub fn variable(self, suffix: &str) -> String {
        let environment = match self {
            Self::Dev => "DEV",
            Self::Staging => "STAGING",
            Self::Prod => "PROD",
        };
        format!("BASIS_{environment}__{suffix}")
    }

    /// Whether orders go to main networks, where money is real.
    #[must_use]
    pub const fn is_mainnet(self) -> bool {
        matches!(self, Self::Staging | Self::Prod)
    }
}

impl fmt::Display for BasisEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BasisEnvironment {
    type Err = EnvironmentError;
    fn from_str(text: &str) -> Result<Self, EnvironmentError> {
        Self::ALL
            .into_iter()
            .find(|environment| environment.as_str() == text)
            .ok_or_else(|| EnvironmentError {
                value: text.to_owned(),
            })
    }
}

/// A snapshot of environment variables. Any of them may be a secret, so `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Variables {
    by_name: BTreeMap<String, Secret>,
}

impl Variables {
    /// The value of `name`, if it was set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.by_name.get(name)
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let by_name = pairs
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect();
        Self { by_name }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// The name of every credential variable of the built-in sets, in all environments, sorted.
#[must_use]
pub fn credential_variables() -> Vec<String> {
    let mut names: Vec<_> = BasisEnvironment::ALL
        .into_iter()
        .flat_map(|environment| {
            SETS.iter()
                .flat_map(|set| set.variables)
                .map(move |(_, suffix)| environment.variable(suffix))
        })
        .collect();
    names.sort_unstable();
    names
}

/// The credentials of `set` for `environment`.
///
/// # Errors
/// EIF-003 that names every offending variable at once. Its reason is `missing` when at least one
/// is not set, `placeholder` when all are set but some hold no real value, and `unknown_set` for a
/// set that lists no variables (but [`NONE`]).
pub fn load_credentials(
    set: &CredentialSet,
    environment: BasisEnvironment,
    variables: &Variables,
) -> Result<Credentials, ComponentError> {
    if set.variables.is_empty() && *set != NONE {
        return Err(unknown_set(set));
    }
    let mut fields = Vec::with_capacity(set.variables.len());
    let mut missing = Vec::new();
    let mut placeholders = Vec::new();
    for &(field, suffix) in set.variables {
        let name = environment.variable(suffix);
        match variables.get(&name) {
            None => missing.push(name),
            Some(value) if is_placeholder(value.expose()) => placeholders.push(name),
            Some(value) => fields.push((field, value.clone())),
        }
    }
    if missing.is_empty() && placeholders.is_empty() {
        return Ok(Credentials::new(fields));
    }
    Err(unusable(set, environment, &missing, &placeholders))
}

fn unknown_set(set: &CredentialSet) -> ComponentError {
    let known: Vec<_> = SETS.iter().map(|set| set.name).collect();
    let message = format!(
        "credential set `{}` names no variables; the driver's row must list them, use one of {}, \
         or `{}` for a venue without credentials",
        set.name,
        known.join(", "),
        NONE.name
    );
    ComponentError::new(Code::CredentialsInvalid, message).with_reason("unknown_set")
}

fn unusable(
    set: &CredentialSet,
    environment: BasisEnvironment,
    missing: &[String],
    placeholders: &[String],
) -> ComponentError {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("not set: {}", missing.join(", ")));
    }
    if !placeholders.is_empty() {
        parts.push(format!(
            "empty or a placeholder: {}",
            placeholders.join(", ")
        ));
    }
    let message = format!(
        "credentials `{}` for {ENVIRONMENT_VARIABLE}={environment}: {}",
        set.name,
        parts.join("; ")
    );
    let reason = if missing.is_empty() {
        "placeholder"
    } else {
        "missing"
    };
    ComponentError::new(Code::CredentialsInvalid, message).with_reason(reason)
}

/// Whether `value` only holds the place of a credential.
fn is_placeholder(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    value.is_empty()
        || value.starts_with("your_")
        || value == "0x..."
        || value == "changeme"
        || (value.starts_with('<') && value.ends_with('>'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUE: &str = "s3cr3t-value";

    fn complete(set: &CredentialSet, environment: BasisEnvironment) -> BTreeMap<String, String> {
        set.variables
            .iter()
            .map(|(_, suffix)| (environment.variable(suffix), VALUE.to_owned()))
            .collect()
    }

    fn snapshot(map: &BTreeMap<String, String>) -> Variables {
        map.clone().into_iter().collect()
    }

    #[test]
    fn every_set_loads_in_every_environment() {
        for set in &SETS {
            for environment in BasisEnvironment::ALL {
                let variables = snapshot(&complete(set, environment));
                let credentials = load_credentials(set, environment, &variables).unwrap();
                for (field, _) in set.variables {
                    assert_eq!(credentials.get(field).unwrap().expose(), VALUE);
                }
            }
        }
    }

    #[test]
    fn variable_names_are_those_of_the_specification() {
        let names = credential_variables();
        assert_eq!(names.len(), 42, "14 variables in 3 environments");
        for name in [
            "BASIS_DEV__CEX__BINANCE_SPOT_API_KEY",
            "BASIS_STAGING__CEX__BINANCE_FUTURES_SECRET",
            "BASIS_PROD__CEX__OKX_PASSPHRASE",
            "BASIS_PROD__ALCHEMY__CHAIN_ID",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn all_missing_and_placeholder_variables_are_named_at_once() {
        for set in &SETS {
            let environment = BasisEnvironment::Staging;
            let mut map = complete(set, environment);
            let names: Vec<_> = map.keys().cloned().collect();
            map.remove(&names[0]);
            map.insert(names[1].clone(), "Your_Key_Here".to_owned());
            let e = load_credentials(set, environment, &snapshot(&map)).unwrap_err();
            assert_eq!((e.code.as_str(), e.reason), ("EIF-003", Some("missing")));
            assert!(
                e.message.contains(&names[0]) && e.message.contains(&names[1]),
                "{e}"
            );
            let text = format!("{e} {e:?}").to_lowercase();
            assert!(!text.contains("your_key") && !text.contains(VALUE), "{e:?}");
        }
    }

    #[test]
    fn placeholders_are_refused_and_real_values_are_not() {
        for value in [
            "",
            " \t",
            "your_api_key",
            "YOUR_SECRET",
            "0x...",
            "ChangeMe",
            "<api key>",
        ] {
            let mut map = complete(&BYBIT, BasisEnvironment::Dev);
            map.insert("BASIS_DEV__CEX__BYBIT_SECRET".to_owned(), value.to_owned());
            let e = load_credentials(&BYBIT, BasisEnvironment::Dev, &snapshot(&map)).unwrap_err();
            assert_eq!(e.reason, Some("placeholder"), "{value:?}");
            assert!(
                e.message
                    .ends_with("empty or a placeholder: BASIS_DEV__CEX__BYBIT_SECRET")
            );
        }
        for value in ["0xabc", "yours", "k<y>1", "changeme2"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn credentials_of_another_environment_do_not_count() {
        let variables = snapshot(&complete(&OKX, BasisEnvironment::Prod));
        let e = load_credentials(&OKX, BasisEnvironment::Dev, &variables).unwrap_err();
        assert!(
            e.message.contains("BASIS_ENVIRONMENT=dev")
                && e.message.contains("BASIS_DEV__CEX__OKX_API_KEY")
        );
    }

    #[test]
    fn a_set_without_variables_is_unknown_unless_it_says_none() {
        let unknown = CredentialSet {
            name: "kraken",
            variables: &[],
        };
        let e =
            load_credentials(&unknown, BasisEnvironment::Dev, &Variables::default()).unwrap_err();
        assert_eq!(e.reason, Some("unknown_set"));
        assert!(e.message.contains("`kraken`"), "{e}");
        assert!(load_credentials(&NONE, BasisEnvironment::Prod, &Variables::default()).is_ok());
    }

    #[test]
    fn environment_defaults_to_dev_and_refuses_other_words() {
        let with = |value: &str| -> Variables {
            [(ENVIRONMENT_VARIABLE.to_owned(), value.to_owned())]
                .into_iter()
                .collect()
        };
        assert_eq!(
            BasisEnvironment::read(&Variables::default()),
            Ok(BasisEnvironment::Dev)
        );
        assert_eq!(
            BasisEnvironment::read(&with("prod")),
            Ok(BasisEnvironment::Prod)
        );
        assert_eq!(BasisEnvironment::read(&with("")), Ok(BasisEnvironment::Dev));
        for value in [" ", "PROD", "production", "test"] {
            let e = BasisEnvironment::read(&with(value))
                .unwrap_err()
                .to_string();
            assert!(
                e.contains(&format!("`{value}`")) && e.contains("dev, staging or prod"),
                "{e}"
            );
        }
    }

    #[test]
    fn the_documentation_lists_exactly_the_variables_there_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/environment.md");
        let text = std::fs::read_to_string(path).unwrap();
        let mut known: Vec<_> = SETS
            .iter()
            .flat_map(|set| set.variables)
            .map(|(_, suffix)| format!("BASIS_<ENV>__{suffix}"))
            .collect();
        known.extend(
            [
                ENVIRONMENT_VARIABLE,
                "BASIS_EXECUTION_MODE",
                "BASIS_LOG_LEVEL",
                "BASIS_DATA_DIR",
                crate::factory::TIMEOUT_VARIABLE,
                crate::factory::MAX_RETRIES_VARIABLE,
            ]
            .map(str::to_owned),
        );
        known.sort_unstable();
        let mut listed: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.starts_with("BASIS_") || name.starts_with("EXECUTION_"))
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, known);
    }

    proptest! {
        #[test]
        fn prop_a_snapshot_prints_names_and_never_values(value in "[a-z]{12,40}") {
            let variables: Variables = [("BASIS_DEV__X".to_owned(), value.clone())].into_iter().collect();
            let text = format!("{variables:?} {variables:#?}");
            prop_assert!(text.contains("BASIS_DEV__X") && !text.contains(&value));
        }
    }
}
