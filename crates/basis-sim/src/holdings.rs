//! Quantities of assets by account: the tally of an exchange's cash, and of the wallet.

use basis_core::num::{MathError, Quantity};
use basis_core::types::{Account, Asset, Item};
use basis_core::venue_event::Position;

/// Quantities of assets by account, sorted, zeros left out.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    rows: Vec<((Account, Asset), Quantity)>,
}

impl Holdings {
    /// Returns what `account` holds of `asset`.
    #[must_use]
    pub fn get(&self, account: Account, asset: Asset) -> Quantity {
        self.rows
            .binary_search_by_key(&(account, asset), |row| row.0)
            .ok()
            .and_then(|at| self.rows.get(at))
            .map_or(Quantity::ZERO, |row| row.1)
    }

    /// Adds a change.
    ///
    /// # Errors
    /// [`MathError`] when the sum leaves the range.
    pub fn add(
        &mut self,
        account: Account,
        asset: Asset,
        change: Quantity,
    ) -> Result<(), MathError> {
        let after = self.get(account, asset).add(change)?;
        match self
            .rows
            .binary_search_by_key(&(account, asset), |row| row.0)
        {
            Ok(at) if after.is_zero() => {
                self.rows.remove(at);
            }
            Ok(at) => {
                if let Some(row) = self.rows.get_mut(at) {
                    row.1 = after;
                }
            }
            Err(_) if after.is_zero() => {}
            Err(at) => self.rows.insert(at, ((account, asset), after)),
        }
        Ok(())
    }

    /// Adds several changes, all of them or none.
    ///
    /// # Errors
    /// [`MathError`] when a sum leaves the range.
    pub fn add_all(&mut self, changes: &[(Account, Asset, Quantity)]) -> Result<(), MathError> {
        for (count, (account, asset, _)) in (1..).zip(changes) {
            let so_far = changes.iter().take(count);
            so_far
                .filter(|change| (change.0, change.1) == (*account, *asset))
                .try_fold(self.get(*account, *asset), |sum, change| sum.add(change.2))?;
        }
        for &(account, asset, quantity) in changes {
            self.add(account, asset, quantity)?;
        }
        Ok(())
    }

    /// What one account holds.
    pub fn of(&self, account: Account) -> impl Iterator<Item = (Asset, Quantity)> {
        let rows = self.rows.iter().filter(move |row| row.0.0 == account);
        rows.map(|row| (row.0.1, row.1))
    }

    /// Everything that is held, by account and asset.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        self.rows.iter().map(|&((account, asset), quantity)| {
            Position::new(account, Item::Asset(asset), quantity)
        })
    }
}
