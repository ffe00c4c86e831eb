//! What OKX would get.

use basis_core::error::{Code, ComponentError};
use basis_core::transport::Request;

use super::codec::{Network, finish, requests};
use super::simulated::PROFILE;
use crate::driver::DryRun;
use crate::wire::{Masked, Stamp};

/// Returns the exact requests of an instruction, key, passphrase and signature masked.
pub(super) fn dry_run(run: &DryRun<'_>) -> Result<Vec<Request>, ComponentError> {
    let order = run.order()?;
    let drafts = requests(PROFILE.venue, run.instruction, &run.context(order.as_ref()))?;
    let (network, stamp) = (Network::of(run.environment), Stamp::new(run.at));
    let signer = Masked::default();
    let finished = drafts
        .iter()
        .map(|draft| finish(draft, network, stamp, &signer));
    finished.collect::<Result<_, _>>().map_err(|e| {
        ComponentError::new(Code::InstructionInvalid, e.to_string())
            .with_reason("environment")
            .with_source(e)
    })
}
