//! What a test does at a Bybit, beside every wire form and what all such venues have.

use basis_core::types::Symbol;

use super::settings::{AccountSettings, Permissions};
use super::{Exchange, Key};
use crate::server::signature::Verifier;
use crate::server::unified::AccountTerms;

impl Exchange {
    /// Opens an account and returns its number.
    pub fn add_account(&mut self, settings: AccountSettings) -> u32 {
        self.open_account(AccountTerms {
            unified: settings.unified,
            fund: settings.fund,
            spot_fees: settings.spot_fees,
            linear_fees: settings.linear_fees,
        })
    }

    /// Gives an account a key.
    pub fn add_key(
        &mut self,
        account: u32,
        name: &str,
        verifier: Verifier,
        permissions: Permissions,
    ) {
        let key = Key {
            account,
            verifier,
            permissions,
        };
        self.own.keys.insert(name.to_owned(), key);
    }

    /// Revokes a key.
    pub fn remove_key(&mut self, name: &str) {
        self.own.keys.remove(name);
    }

    /// Bans the clients' address.
    pub fn ban(&mut self, seconds: i64) {
        self.own.usage.ban_for(self.now, seconds);
    }

    /// Sets the margin mode of an account: isolated, else cross.
    pub fn set_isolated(&mut self, account: u32, is_isolated: bool) {
        self.account_mut(account).is_isolated = is_isolated;
    }

    /// Puts a perpetual of an account into hedge mode, or into one-way mode.
    pub fn set_hedge(&mut self, account: u32, symbol: Symbol, is_hedge: bool) {
        let hedged = &mut self.account_mut(account).hedged;
        if is_hedge {
            hedged.insert(symbol);
        } else {
            hedged.remove(&symbol);
        }
    }
}
