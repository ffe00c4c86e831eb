//! What happens at the venue by itself, when its time has come.

use super::Exchange;
use super::error::ApiError;

impl Exchange {
    /// Returns when something is next due, in the venue's milliseconds.
    pub(super) fn next_due(&self) -> Option<i64> {
        let dues = [
            self.next_funding(),
            self.next_transfer(),
            self.next_ending(),
            self.next_expiry(),
        ];
        dues.into_iter().flatten().min()
    }

    /// Moves on to `ms` on the venue's clock; what is due until then happens at its own instant.
    pub(super) fn advance(&mut self, ms: i64) {
        while let Some(due) = self.next_due().filter(|due| *due <= ms) {
            self.now = due.max(self.now);
            self.run_due()
                .expect("invariant: what was accepted can be settled");
        }
        self.now = ms;
    }

    fn run_due(&mut self) -> Result<(), ApiError> {
        self.run_transfers()?;
        self.run_funding()?;
        self.run_countdowns()?;
        self.end_dated_orders()?;
        self.expire_listen_keys();
        Ok(())
    }
}
