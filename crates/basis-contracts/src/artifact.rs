//! Compiled contracts, as the packages under `tests/chain` ship them.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Address, Evm};
use crate::abi::{self, Token};

/// Turns absence of the packages into a failure; the test command sets it.
const REQUIRE: &str = "BASIS_TESTS_REQUIRE_CONTRACTS";

/// A contract's creation code and where its libraries' addresses go.
#[derive(Clone, Debug)]
pub struct Artifact {
    name: String,
    /// Hexadecimal; what is not linked yet holds placeholders.
    code: String,
    /// Library and its place in the code, in bytes.
    links: Vec<(String, usize)>,
}

#[derive(Deserialize)]
struct File {
    bytecode: Bytecode,
    #[serde(default, rename = "linkReferences")]
    links: Links,
}

/// Hardhat's and Truffle's artifacts hold the code itself, Foundry's a description of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bytecode {
    Plain(String),
    Described {
        object: String,
        #[serde(default, rename = "linkReferences")]
        links: Links,
    },
    Other(IgnoredAny),
}

/// File, library, places.
type Links = std::collections::BTreeMap<String, std::collections::BTreeMap<String, Vec<Place>>>;

#[derive(Deserialize)]
struct Place {
    start: usize,
}

impl Artifact {
    /// Reads an artifact below `tests/chain`.
    ///
    /// # Panics
    /// When it is not there or holds no code.
    pub fn load(path: &str) -> Self {
        let file = folder().join(path);
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|e| panic!("{}: {e}; `cargo xtask setup` installs it", file.display()));
        let (code, links) = if path.ends_with(".js") {
            (typechain_code(&text), Links::new())
        } else {
            let parsed: File =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            match parsed.bytecode {
                Bytecode::Plain(code) => (code, parsed.links),
                Bytecode::Described { object, links } => (object, links),
                Bytecode::Other(_) => panic!("{}: no code", file.display()),
            }
        };
        let links = links.into_values().flatten();
        Self {
            name: path.to_owned(),
            code: code.trim_start_matches("0x").to_owned(),
            links: links
                .flat_map(|(library, places)| {
                    let at = move |place: Place| (library.clone(), place.start);
                    places.into_iter().map(at)
                })
                .collect(),
        }
    }

    /// Puts the addresses of deployed libraries into the code; names the contract does not use are
    /// passed over.
    #[must_use]
    pub fn link(mut self, libraries: &[(&str, Address)]) -> Self {
        for (name, address) in libraries {
            let hex = format!("{address:x}");
            let hex = hex.trim_start_matches("0x");
            self.links.retain(|(library, start)| {
                if library == name {
                    self.code.replace_range(start * 2..start * 2 + 40, hex);
                }
                library != name
            });
        }
        self
    }

    /// Deploys the contract with its constructor's arguments.
    ///
    /// # Panics
    /// When a library is missing or the constructor reverts.
    pub fn deploy(&self, evm: &mut Evm, arguments: &[Token]) -> Address {
        assert!(
            self.links.is_empty(),
            "{}: link {:?}",
            self.name,
            self.links
        );
        let mut code = revm::primitives::hex::decode(&self.code)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        code.extend(abi::encode(arguments));
        evm.deploy(code)
    }
}

/// The code in a factory that typechain wrote: `const _bytecode = "0x…";`.
fn typechain_code(text: &str) -> String {
    let after = text.split("_bytecode = \"").nth(1);
    let code = after.and_then(|rest| rest.split('"').next());
    code.expect("the factory holds code").to_owned()
}

/// Says whether the packages below `tests/chain` are installed; tests without them return.
///
/// # Panics
/// When they are missing and `BASIS_TESTS_REQUIRE_CONTRACTS` says that they must not.
pub fn installed(paths: &[&str]) -> bool {
    let missing = paths.iter().find(|path| !folder().join(path).exists());
    let Some(missing) = missing else {
        return true;
    };
    assert!(
        option_env(REQUIRE).is_none(),
        "{missing} is missing below tests/chain; `cargo xtask setup` installs it"
    );
    eprintln!("SKIPPED: {missing} is missing below tests/chain; `cargo xtask setup` installs it");
    false
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the harness asks, not the product"
)]
fn option_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the packages are.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/chain")
}
