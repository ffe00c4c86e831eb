//! What a program is made of: the venues it knows and the modes it runs.

use basis_core::error::ComponentError;
use basis_engine::mode::{ModeRow, Modes};
use basis_venues::driver::VenueDriver;
use basis_venues::registry::Registry;

/// The venues and modes of a program.
#[derive(Clone, Debug)]
pub struct App {
    /// The venues.
    pub venues: Registry,
    /// The modes.
    pub modes: Modes,
}

impl App {
    /// Everything that comes with the program.
    #[must_use]
    pub fn builtin() -> Self {
        Self::from(Registry::builtin())
    }

    /// The same with a venue of one's own.
    ///
    /// # Errors
    /// EIF-002 when a venue of its name is there already.
    pub fn with_venue(self, driver: VenueDriver) -> Result<Self, ComponentError> {
        Ok(Self {
            venues: self.venues.with(driver)?,
            ..self
        })
    }

    /// The same with a mode of one's own.
    ///
    /// # Errors
    /// CFG-003 when a mode of its name is there already.
    pub fn with_mode(self, row: ModeRow) -> Result<Self, ComponentError> {
        Ok(Self {
            modes: self.modes.with(row)?,
            ..self
        })
    }
}

impl From<Registry> for App {
    /// These venues with the built-in modes.
    fn from(venues: Registry) -> Self {
        Self {
            venues,
            modes: basis_strategies::builtin(),
        }
    }
}

impl From<&Registry> for App {
    fn from(venues: &Registry) -> Self {
        Self::from(venues.clone())
    }
}

impl From<&Self> for App {
    fn from(app: &Self) -> Self {
        app.clone()
    }
}
