//! What a test does at an OKX, beside every wire form and what all such venues have.

use basis_core::num::Quantity;
use basis_core::types::{Asset, Timestamp};

use super::settings::{AccountLevel, AccountSettings, Permissions};
use super::{Exchange, Key, Profile};
use crate::server::signature::Verifier;
use crate::server::unified::AccountTerms;

impl Exchange {
    /// Opens an account and returns its number.
    pub fn add_account(&mut self, settings: AccountSettings) -> u32 {
        let account = self.open_account(AccountTerms {
            unified: settings.trading,
            fund: settings.funding,
            spot_fees: settings.spot_fees,
            linear_fees: settings.swap_fees,
        });
        let profile = Profile {
            level: settings.level,
            is_hedge: false,
            fees_in_quote: false,
        };
        self.own.accounts.insert(account, profile);
        self.own.funding.allow(account, settings.addresses);
        account
    }

    /// Gives an account a key, which is used with `passphrase`.
    pub fn add_key(
        &mut self,
        account: u32,
        name: &str,
        (verifier, passphrase): (Verifier, &str),
        permissions: Permissions,
    ) {
        let key = Key {
            account,
            verifier,
            passphrase: passphrase.to_owned(),
            permissions,
        };
        self.own.keys.insert(name.to_owned(), key);
    }

    /// Revokes a key.
    pub fn remove_key(&mut self, name: &str) {
        self.own.keys.remove(name);
    }

    /// Puts an account into hedge mode, or into net mode.
    ///
    /// # Panics
    /// For an account that was not opened here.
    pub fn set_hedge(&mut self, account: u32, is_hedge: bool) {
        let profile = self.own.accounts.get_mut(&account);
        profile
            .expect("invariant: the caller opened the account")
            .is_hedge = is_hedge;
        let swaps: Vec<_> = self.swaps().collect();
        let hedged = &mut self.account_mut(account).hedged;
        hedged.clear();
        if is_hedge {
            hedged.extend(swaps);
        }
    }

    /// Puts an account at another level.
    ///
    /// # Panics
    /// For an account that was not opened here.
    pub fn set_level(&mut self, account: u32, level: AccountLevel) {
        let profile = self.own.accounts.get_mut(&account);
        profile
            .expect("invariant: the caller opened the account")
            .level = level;
    }

    /// Lets an account pay fees of spot in quote, whatever it receives.
    ///
    /// # Panics
    /// For an account that was not opened here.
    pub fn set_fees_in_quote(&mut self, account: u32, in_quote: bool) {
        let profile = self.own.accounts.get_mut(&account);
        profile
            .expect("invariant: the caller opened the account")
            .fees_in_quote = in_quote;
    }

    /// Announces maintenance between two instants of the caller's.
    pub fn announce(&mut self, begin: Timestamp, end: Timestamp) {
        let times = (self.clock(begin), self.clock(end));
        self.own.announced.push(times);
    }

    /// Begins maintenance, or ends it: until then, nothing that acts is taken.
    pub const fn set_maintained(&mut self, is_maintained: bool) {
        self.own.is_maintained = is_maintained;
    }

    /// Sends a deposit of `coin` over a chain to an account; it is credited after the chain's delay.
    ///
    /// # Panics
    /// For a chain that the settings do not have.
    pub fn deposit(
        &mut self,
        account: u32,
        (coin, chain): (Asset, &str),
        amount: Quantity,
        tx_id: &str,
    ) -> u64 {
        self.take_deposit(account, (coin, chain), amount, tx_id)
    }

    /// Lets withdrawals fail from now on and come back, or arrive again.
    pub const fn set_withdrawals_fail(&mut self, fail: bool) {
        self.own.funding.set_failing(fail);
    }
}
