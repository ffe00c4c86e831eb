//! `basis venues`: the driver table.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OperationKind;
use basis_core::venue::ExecutionMode;

use super::Session;
use super::errors::Failure;
use super::report::table;

pub(super) fn run(session: &Session) -> Result<(), Failure> {
    let infos = session.app.venues.infos();
    if session.json {
        let list = serde_json::to_value(&infos).map_err(|e| {
            ComponentError::new(Code::OutputFailed, "the list cannot be written").with_source(e)
        })?;
        return session.print_json(&list);
    }
    let mut rows = table(&["venue", "type", "modes", "capabilities", "description"]);
    for info in infos {
        let modes: Vec<_> = info
            .modes
            .iter()
            .copied()
            .map(ExecutionMode::as_str)
            .collect();
        let operations: Vec<_> = info
            .operations
            .iter()
            .copied()
            .map(OperationKind::as_str)
            .collect();
        rows.add_row([
            info.venue.as_str(),
            info.venue_type.as_str(),
            &modes.join(", "),
            &operations.join(", "),
            info.description,
        ]);
    }
    session.print(&format!("{rows}\n"))
}
