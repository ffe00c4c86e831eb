//! What Binance would get.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{Instruction, Operation};
use basis_core::transport::Request;

use super::codec::{COLLAR_WIDTH, Collar, Context, KnownOrder, Masked, Network, Stamp, requests};
use super::simulated::PROFILE;
use crate::driver::DryRun;

/// Returns the exact requests of an instruction, key and signature masked.
pub(super) fn dry_run(run: &DryRun<'_>) -> Result<Vec<Request>, ComponentError> {
    let order = run.opening.map(known).transpose()?;
    let collar = run.reference.map(|reference| Collar {
        reference,
        width: COLLAR_WIDTH,
    });
    let context = Context {
        book: run.book,
        rules: run.rules,
        collar,
        order: order.as_ref(),
        withdrawal: None,
    };
    let drafts = requests(PROFILE.venue, run.instruction, &context)?;
    let (network, stamp) = (Network::of(run.environment), Stamp::new(run.at));
    let signer = Masked::default();
    let finished = drafts
        .iter()
        .map(|draft| draft.finish(network, stamp, &signer));
    finished.collect::<Result<_, _>>().map_err(|e| {
        ComponentError::new(Code::InstructionInvalid, e.to_string())
            .with_reason("environment")
            .with_source(e)
    })
}

/// The resting order that an instruction opened.
fn known(opening: &Instruction) -> Result<KnownOrder, ComponentError> {
    let order = match &opening.operation {
        Operation::SpotTrade(trade) => KnownOrder::of_spot(opening.id, trade),
        Operation::PerpTrade(trade) => KnownOrder::of_perp(opening.id, trade),
        _ => None,
    };
    order.ok_or_else(|| {
        let message = format!(
            "the opening instruction is a {}; it must be the limit spot_trade or perp_trade that rests",
            opening.operation.kind()
        );
        ComponentError::new(Code::InstructionInvalid, message)
    })
}
