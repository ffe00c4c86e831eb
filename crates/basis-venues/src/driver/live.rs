//! A venue on its real hosts: what its machine is made of.

use basis_core::config::Node;
use basis_core::error::ComponentError;
use basis_core::rules::RuleSnapshot;
use basis_core::secret::Credentials;
use basis_core::types::{BookId, Symbol};
use basis_live::actor::VenueMachine;

use crate::credentials::BasisEnvironment;

/// What the live side of a venue is made of.
#[derive(Clone, Debug)]
pub struct LiveRequest<'a> {
    /// Its section `venue_settings.<venue>`.
    pub section: &'a Node,
    /// Which networks it is for.
    pub environment: BasisEnvironment,
    /// Its credentials.
    pub credentials: &'a Credentials,
    /// The rules of the configuration; the venue's own are read over them.
    pub rules: &'a RuleSnapshot,
    /// Whose client order ids are given.
    pub book: BookId,
    /// What is managed.
    pub symbols: Vec<Symbol>,
    /// Whether spot is traded, and whether perpetuals are.
    pub products: (bool, bool),
}

/// Makes the machine of a venue; it opens no socket and reads no clock.
pub type LiveBuilder = fn(&LiveRequest<'_>) -> Result<Box<dyn VenueMachine>, ComponentError>;
