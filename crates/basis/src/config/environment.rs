//! The environment: read once, here, with `.env` beneath it.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `BASIS_ENVIRONMENT` | `dev` (default), `staging` or `prod`: which credentials and networks live trading uses |
//! | `BASIS_EXECUTION_MODE` | `backtest` or `live` |
//! | `BASIS_LOG_LEVEL` | `DEBUG`, `INFO` (default), `WARNING` or `ERROR`: what of the program's notes reaches stderr |
//! | `BASIS_DATA_DIR` | where market data is read from when `--data` is not given |
//! | `EXECUTION_INTERFACE_FACTORY_TIMEOUT` | seconds one creation of an interface may take, 1 to 300 |
//! | `EXECUTION_INTERFACE_FACTORY_MAX_RETRIES` | tries after the first, 1 to 10 |
//! | `BASIS_<ENV>__…` | credentials, live trading only |

use std::collections::BTreeMap;
use std::path::Path;

use basis_core::config::nearest;
use basis_core::error::{Code, ComponentError};
use basis_venues::credentials::{BasisEnvironment, Variables};
use basis_venues::factory::{MAX_RETRIES_VARIABLE, TIMEOUT_VARIABLE};
use basis_venues::registry::Registry;

/// Picks credentials and networks.
pub const ENVIRONMENT: &str = "BASIS_ENVIRONMENT";
/// Backtest or live.
pub const EXECUTION_MODE: &str = "BASIS_EXECUTION_MODE";
/// What reaches stderr.
pub const LOG_LEVEL: &str = "BASIS_LOG_LEVEL";
/// Where market data is.
pub const DATA_DIR: &str = "BASIS_DATA_DIR";

/// What the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Variables,
    warnings: Vec<String>,
}

impl Environment {
    /// Reads the process environment over the file `.env` in `directory`, if there is one.
    ///
    /// # Errors
    /// CFG-002 when `.env` is there and cannot be read, naming the line.
    pub fn read(directory: &Path, registry: &Registry) -> Result<Self, ComponentError> {
        let mut pairs = read_env_file(&directory.join(".env"))?;
        let mut warnings = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            match value.into_string() {
                Ok(value) => {
                    pairs.insert(name.to_owned(), value);
                }
                Err(_) if is_ours(name) => {
                    warnings.push(format!(
                        "environment: {name} is no UTF-8 text and is ignored"
                    ));
                }
                Err(_) => {}
            }
        }
        let mut environment = Self::from_pairs(pairs, registry);
        environment.warnings.extend(warnings);
        Ok(environment)
    }

    /// From names and values; a `BASIS_…` name that nobody reads becomes a warning.
    #[must_use]
    pub fn from_pairs(pairs: BTreeMap<String, String>, registry: &Registry) -> Self {
        let known = known_names(registry);
        let warnings = pairs
            .keys()
            .filter(|name| is_ours(name) && !known.contains(name))
            .map(|name| {
                // Without the prefix that all of them share, or everything resembles everything.
                let stem = |name: &str| name.strip_prefix("BASIS_").unwrap_or(name).to_owned();
                let stems: Vec<_> = known.iter().map(|name| stem(name)).collect();
                let near = nearest(&stem(name), stems.iter().map(String::as_str))
                    .and_then(|near| known.iter().find(|name| stem(name) == near))
                    .map(|near| format!("; did you mean {near}?"))
                    .unwrap_or_default();
                format!("environment: {name} is not known and is ignored{near}")
            })
            .collect();
        Self {
            variables: pairs.into_iter().collect(),
            warnings,
        }
    }

    /// The value of one of the settings above; an empty value counts as not set.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.expose())
            .filter(|value| !value.is_empty())
    }

    /// Every variable; any of them may be a secret.
    #[must_use]
    pub const fn variables(&self) -> &Variables {
        &self.variables
    }

    /// What the user should know about variables that have no effect.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Whether somebody who sets `name` means this program.
fn is_ours(name: &str) -> bool {
    name.starts_with("BASIS_") || name.starts_with("EXECUTION_INTERFACE_FACTORY_")
}

fn known_names(registry: &Registry) -> Vec<String> {
    let settings = [
        ENVIRONMENT,
        EXECUTION_MODE,
        LOG_LEVEL,
        DATA_DIR,
        TIMEOUT_VARIABLE,
        MAX_RETRIES_VARIABLE,
    ];
    let own = registry
        .all()
        .flat_map(|driver| driver.facts.credentials.variables)
        .flat_map(|(_, suffix)| {
            BasisEnvironment::ALL
                .into_iter()
                .map(|env| env.variable(suffix))
        });
    settings
        .into_iter()
        .map(str::to_owned)
        .chain(basis_venues::credentials::credential_variables())
        .chain(own)
        .collect()
}

fn read_env_file(path: &Path) -> Result<BTreeMap<String, String>, ComponentError> {
    let failed = |e: dotenvy::Error| {
        // A parse error of dotenvy quotes the line, which may hold a secret: only its number goes on.
        let what = match e {
            dotenvy::Error::LineParse(_, at) => format!("a line cannot be read (column {at})"),
            dotenvy::Error::Io(e) => e.to_string(),
            _ => "it cannot be read".to_owned(),
        };
        ComponentError::new(Code::ConfigFile, format!("{}: {what}", path.display()))
    };
    let mut pairs = BTreeMap::new();
    if path.is_file() {
        for pair in dotenvy::from_path_iter(path).map_err(failed)? {
            let (name, value) = pair.map_err(failed)?;
            pairs.insert(name, value);
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Environment::from_pairs(pairs, &Registry::builtin())
    }

    #[test]
    fn unknown_variables_are_warnings_with_the_nearest_name() {
        let environment = environment(&[
            ("BASIS_DATA_DRI", "x"),
            ("BASIS_DEV__CEX__BYBIT_SECRT", "topsecret"),
            ("BASIS_PROD__CEX__OKX_SECRET", "fine"),
            ("PATH", "/bin"),
        ]);
        let warnings = environment.warnings().join("\n");
        assert_eq!(environment.warnings().len(), 2, "{warnings}");
        assert!(
            warnings.contains(
                "BASIS_DATA_DRI is not known and is ignored; did you mean BASIS_DATA_DIR?"
            )
        );
        assert!(warnings.contains("did you mean BASIS_DEV__CEX__BYBIT_SECRET?"));
        assert!(!warnings.contains("topsecret"));
    }

    #[test]
    fn debug_shows_no_value() {
        let environment = environment(&[("BASIS_DEV__CEX__BYBIT_SECRET", "topsecret")]);
        assert!(!format!("{environment:?}").contains("topsecret"));
        assert_eq!(
            environment.setting("BASIS_DEV__CEX__BYBIT_SECRET"),
            Some("topsecret")
        );
    }

    #[test]
    fn broken_env_files_do_not_leak_their_lines() {
        let dir = std::env::temp_dir().join(format!("basis-env-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(".env");
        std::fs::write(&path, "A=1\nSECRET='topsecret\n").unwrap();
        let e = read_env_file(&path).unwrap_err();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(e.code, Code::ConfigFile);
        assert!(!format!("{e:?} {e}").contains("topsecret"), "{e:?}");
    }
}
