//! What the result of a run rests on.

use super::Engine;
use crate::setup;

impl Engine {
    /// Of the configuration and the data, then what the books hold that nothing values or that no way out is known
    /// of: a sentence each.
    pub(super) fn assumptions(&self) -> Vec<String> {
        let series: Vec<_> = self.coverage.iter().map(|found| found.series).collect();
        let mut list = setup::assumptions(&self.config, self.view.provenance(), &series);
        let unpriced = self.books.unpriced().iter();
        list.extend(
            unpriced
                .map(|(account, item)| format!("{item} in {account} has no price: it counts as 0")),
        );
        list.extend(self.exits.assumptions());
        list
    }
}
