//! Where the books keep what an on-chain mode asks for at every step.
//!
//! **Invariant.** An index of the books stays for the run once there is a holding; it is looked up again
//! when the books have another holding.

use basis_core::error::ComponentError;
use basis_core::num::Quantity;
use basis_core::types::{Account, Item, Label};

use super::super::Context;
use super::rewards::RewardPlaces;
use super::stake::{Token, token};
use super::{ETH, WETH, main_account, settings};
use basis_engine::account::Books;

/// Indices into the books; `None` where there was never anything.
#[derive(Clone, Debug)]
pub(in super::super) struct Places {
    /// Holdings there were when the indices were looked up.
    holdings: usize,
    /// The liquid staking token of the mode.
    pub(in super::super) token: Token,
    /// ETH in the wallet.
    pub(in super::super) ether: Option<usize>,
    /// WETH in the wallet.
    pub(in super::super) wrapped: Option<usize>,
    /// The token in the wallet.
    pub(in super::super) tokens: Option<usize>,
    /// ETH between two venues.
    pub(in super::super) in_flight: Option<usize>,
    /// ETH in the withdrawal queue.
    queue: Option<usize>,
    /// ETH that has left it.
    pub(in super::super) claimable: Option<usize>,
    /// The token supplied where the loop borrows.
    pub(in super::super) collateral: Option<usize>,
    /// WETH owed there.
    pub(in super::super) debt: Option<usize>,
    pub(in super::super) rewards: RewardPlaces,
}

impl Places {
    /// Keeps `cached` while the books have no other holding, else looks everything up.
    ///
    /// # Errors
    /// STRAT-001 for a token that no protocol here stands behind, or in a mode without the keys of the
    /// chain.
    pub(in super::super) fn current<'c>(
        cached: &'c mut Option<Box<Self>>,
        context: &Context<'_>,
    ) -> Result<&'c Self, ComponentError> {
        let holdings = context.books.holdings().len();
        cached.take_if(|places| places.holdings != holdings);
        match cached {
            Some(places) => Ok(places),
            empty => Ok(empty.insert(Box::new(Self::find(context)?))),
        }
    }

    fn find(context: &Context<'_>) -> Result<Self, ComponentError> {
        let (books, chain) = (context.books, settings(context)?);
        let token = token(chain.lst)?;
        let wallet = |asset| books.position_of(Account::WALLET, Item::Asset(asset));
        let protocol = |name| {
            let account = Account::new(token.protocol, Label::literal(name));
            books.position_of(account, Item::Asset(ETH))
        };
        let lending = main_account(chain.lending_venue);
        Ok(Self {
            holdings: books.holdings().len(),
            token,
            ether: wallet(ETH),
            wrapped: wallet(WETH),
            tokens: wallet(token.asset),
            in_flight: books.position_of(Account::IN_FLIGHT, Item::Asset(ETH)),
            queue: protocol("queue"),
            claimable: protocol("claimable"),
            collateral: books.position_of(lending, Item::Shares(token.asset)),
            debt: books.position_of(lending, Item::Debt(WETH)),
            rewards: RewardPlaces::find(books),
        })
    }

    /// ETH that waits in the queue or to be claimed.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub(in super::super) fn queued(&self, books: &Books) -> Result<Quantity, ComponentError> {
        let (queue, claimable) = (self.queue, self.claimable);
        Ok(books.quantity_at(queue).add(books.quantity_at(claimable))?)
    }
}
