//! Holdings that no way out is known of: they count at their marks, which a sale would not get.

use std::collections::BTreeSet;

use basis_core::types::{Account, Item};
use basis_market::{Mark, MarketView, is_dollar};

use super::ExitRoutes;
use crate::account::Books;

/// What is held without a way out, and what was.
#[derive(Debug, Default)]
pub(super) struct Unrouted {
    /// Holdings that would have none.
    holdings: Vec<usize>,
    /// Those that were ever there.
    met: BTreeSet<(Account, Item)>,
}

impl Unrouted {
    /// Looks the holdings over anew.
    pub(super) fn find(&mut self, books: &Books, view: &MarketView, routes: &ExitRoutes) {
        let holdings = books.holdings().iter().enumerate();
        let without = holdings.filter(|(_, held)| is_unrouted(held.item, view, routes));
        self.holdings = without.map(|(at, _)| at).collect();
    }

    /// Whether any of them is held now, which is kept.
    pub(super) fn is_held(&mut self, books: &Books) -> bool {
        let mut is_held = false;
        for at in &self.holdings {
            if let Some(held) = books.holding_at(Some(*at))
                && !held.units.is_zero()
            {
                is_held = true;
                self.met.insert((held.account, held.item));
            }
        }
        is_held
    }

    /// A sentence for each that was ever held.
    pub(super) fn assumptions(&self) -> Vec<String> {
        let met = self.met.iter();
        let met = met.map(|(account, item)| {
            format!(
                "no way out of {item} in {account} is known to the mode: it is in the exit value at its mark, as \
                 if leaving it cost nothing, and exit_hours is empty while it is held; name it in the mode's \
                 exit_routes"
            )
        });
        met.collect()
    }
}

/// Whether a staking token, a loan or liquidity is none that the routes leave.
fn is_unrouted(item: Item, view: &MarketView, routes: &ExitRoutes) -> bool {
    let mut stakes = routes.stakes.iter();
    match item {
        Item::Asset(asset) | Item::Shares(asset) => {
            let grows = matches!(view.mark_of(asset), Some(Mark::Rate { is_yield: true, .. }));
            grows && !is_dollar(asset) && stakes.all(|stake| stake.token != asset)
        }
        Item::Debt(asset) => stakes.all(|stake| stake.paid_in != asset),
        Item::Position(_) => false,
        _ => true,
    }
}
