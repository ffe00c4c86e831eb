//! An instruction as its venue would get it, without a venue.

use basis_core::error::ComponentError;
use basis_core::instruction::Instruction;
use basis_core::num::Price;
use basis_core::rules::RuleSnapshot;
use basis_core::transport::Request;
use basis_core::types::{BookId, Timestamp};

use crate::credentials::BasisEnvironment;
use crate::wire::{COLLAR_WIDTH, Collar, Context, KnownOrder};

/// What an instruction is turned into requests with.
#[derive(Clone, Copy, Debug)]
pub struct DryRun<'a> {
    /// What is asked.
    pub instruction: &'a Instruction,
    /// The instruction that opened the order which this one amends or cancels.
    pub opening: Option<&'a Instruction>,
    /// The venue's rules in force.
    pub rules: &'a RuleSnapshot,
    /// Which networks it is for.
    pub environment: BasisEnvironment,
    /// The stamp of the requests.
    pub at: Timestamp,
    /// Whose client order ids are given.
    pub book: BookId,
    /// The price that a market order's collar is measured from.
    pub reference: Option<Price>,
}

impl DryRun<'_> {
    /// Returns the resting order that this amends or cancels.
    ///
    /// # Errors
    /// [`ComponentError`] where what opened it leaves no order in the book.
    pub(crate) fn order(&self) -> Result<Option<KnownOrder>, ComponentError> {
        self.opening.map(KnownOrder::opened_by).transpose()
    }

    /// Returns what the codec of an exchange makes requests with. Withdrawals are off.
    pub(crate) fn context<'b>(&'b self, order: Option<&'b KnownOrder>) -> Context<'b> {
        let collar = self.reference.map(|reference| Collar {
            reference,
            width: COLLAR_WIDTH,
        });
        Context {
            book: self.book,
            rules: self.rules,
            collar,
            order,
            withdrawal: None,
        }
    }
}

/// Returns the requests, in the order they would be sent, every secret masked: it needs no key, opens no
/// socket and reads no clock.
pub type DryRunner = fn(&DryRun<'_>) -> Result<Vec<Request>, ComponentError>;
