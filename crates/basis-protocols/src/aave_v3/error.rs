//! How a call of the pool ends when it does not succeed.

use super::{ReserveId, UserId};

/// Declares the pool's numbered errors once: variant, number, meaning.
macro_rules! pool_errors {
    ($($variant:ident = $code:literal, $meaning:literal;)+) => {
        /// A refusal by the pool itself, under the number its `Errors` library gives it.
        ///
        /// The numbers mean the same in both versions; [`PoolError::NotBorrowableInEMode`] exists
        /// only in 3.2.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum PoolError {
            $(#[doc = concat!($meaning, ".")] $variant = $code,)+
        }

        impl PoolError {
            /// Every error this module can give, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The pool's number, which its revert carries as text.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The same number as text: what the revert carries.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($code),)+
                }
            }

            /// What the number means, in words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// The error with the pool's number `code`; `None` for numbers no operation here gives.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pool_errors! {
    EModeCategoryReserved = 16, "e-mode category 0 is reserved for no e-mode";
    InvalidReserveParams = 20, "the risk parameters of the reserve contradict each other";
    InvalidEModeCategoryParams = 21, "the risk parameters of the e-mode category contradict each other";
    InvalidMintAmount = 24, "the amount is too small to mint one scaled unit";
    InvalidBurnAmount = 25, "the amount is too small to burn one scaled unit";
    InvalidAmount = 26, "the amount is zero, or above what the reserve holds";
    ReserveInactive = 27, "the reserve is not active";
    ReserveFrozen = 28, "the reserve is frozen";
    ReservePaused = 29, "the reserve is paused";
    BorrowingNotEnabled = 30, "borrowing is not enabled for the reserve";
    NotEnoughAvailableUserBalance = 32, "the amount is above the user's balance";
    CollateralBalanceIsZero = 34, "the user has no collateral";
    HealthFactorLowerThanThreshold = 35, "the health factor would be below the liquidation threshold";
    CollateralCannotCoverNewBorrow = 36, "the collateral cannot cover the new borrow";
    NoDebtOfSelectedType = 39, "the user has no variable debt in the reserve";
    NoExplicitAmountToRepayOnBehalf = 40, "repaying for somebody else needs an explicit amount";
    UnderlyingBalanceZero = 43, "the user has no balance in the reserve";
    HealthFactorNotBelowThreshold = 45, "the health factor is not below the liquidation threshold";
    CollateralCannotBeLiquidated = 46, "the reserve is not collateral of this user";
    CurrencyNotBorrowedByUser = 47, "the user did not borrow the asset to repay";
    BorrowCapExceeded = 50, "the borrow cap would be exceeded";
    SupplyCapExceeded = 51, "the supply cap would be exceeded";
    DebtCeilingExceeded = 53, "the debt ceiling of the isolated collateral would be exceeded";
    LtvValidationFailed = 57, "collateral without a loan-to-value has to leave first";
    InconsistentEModeCategory = 58, "the e-mode category does not exist or does not fit the asset";
    AssetNotBorrowableInIsolation = 60, "the asset is not borrowable against isolated collateral";
    UserInIsolationModeOrLtvZero = 62, "the user is in isolation mode, or the asset has no loan-to-value";
    InvalidDecimals = 66, "the number of decimals is out of range";
    InvalidReserveFactor = 67, "the reserve factor is above 100 %";
    InvalidBorrowCap = 68, "the borrow cap does not fit its field";
    InvalidSupplyCap = 69, "the supply cap does not fit its field";
    InvalidLiquidationProtocolFee = 70, "the liquidation protocol fee is above 100 %";
    InvalidDebtCeiling = 73, "the debt ceiling does not fit its field";
    InvalidOptimalUsageRatio = 83, "the optimal usage ratio is out of range";
    SiloedBorrowingViolation = 89, "a siloed asset cannot be borrowed beside another";
    FlashLoanDisabled = 91, "flash loans are disabled for the reserve";
    InvalidMaxRate = 92, "the highest borrow rate of the strategy is above 1000 %";
    Slope2BelowSlope1 = 95, "the second slope of the strategy is below the first";
    NotBorrowableInEMode = 100, "the asset is not borrowable in the user's e-mode";
}

/// Why an operation did nothing.
///
/// All but the last two are what the contracts end with; a live call that reverts and a simulated
/// one that is refused carry the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Revert {
    /// The pool's own refusal.
    #[error("aave pool error {}: {}", .0.code(), .0.meaning())]
    Pool(PoolError),
    /// Solidity's panic `0x11`: checked arithmetic out of range. Taking more out of a reserve than
    /// it holds ends here.
    #[error("panic 0x11: arithmetic underflow or overflow")]
    Arithmetic,
    /// Solidity's panic `0x12`: division by zero.
    #[error("panic 0x12: division by zero")]
    DivisionByZero,
    /// `WadRayMath` or `PercentageMath` reverted without data: a product above 256 bits, or a zero
    /// divisor.
    #[error("reverted without data by the pool's ray or percentage arithmetic")]
    Math,
    /// `SafeCast`: a value does not fit 128 bits.
    #[error("safe cast: value does not fit in 128 bits")]
    Cast,
    /// The underlying token refused to leave the aToken contract, whose balance is too small.
    #[error("the aToken contract holds too little of the underlying asset")]
    Underlying,
    /// The oracle has no price above zero, and no fallback is set.
    #[error("no price above zero for the asset")]
    Price,
    /// No such reserve in this market.
    #[error("no reserve {} in this market", .0.0)]
    UnknownReserve(ReserveId),
    /// No such user in this market.
    #[error("no user {} in this market", .0.0)]
    UnknownUser(UserId),
}

impl Revert {
    /// The pool's own error, if it is one.
    #[must_use]
    pub const fn pool_error(self) -> Option<PoolError> {
        match self {
            Self::Pool(e) => Some(e),
            _ => None,
        }
    }
}

impl From<PoolError> for Revert {
    fn from(e: PoolError) -> Self {
        Self::Pool(e)
    }
}

/// Refuses with `error` unless `condition` holds, as Solidity's `require` does.
#[inline]
pub(super) const fn require(condition: bool, error: PoolError) -> Result<(), Revert> {
    if condition {
        Ok(())
    } else {
        Err(Revert::Pool(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_found_by_its_number_and_carries_it_as_text() {
        for &error in PoolError::ALL {
            assert_eq!(PoolError::from_code(error.code()), Some(error));
            assert_eq!(error.text(), error.code().to_string());
            assert!(!error.meaning().ends_with('.'));
        }
        assert_eq!(PoolError::from_code(38), None);
        assert!(
            PoolError::ALL
                .windows(2)
                .all(|pair| pair[0].code() < pair[1].code())
        );
    }

    #[test]
    fn messages_carry_number_and_meaning() {
        let refused = Revert::from(PoolError::CollateralCannotCoverNewBorrow);
        assert_eq!(
            refused.to_string(),
            "aave pool error 36: the collateral cannot cover the new borrow"
        );
        assert_eq!(
            refused.pool_error(),
            Some(PoolError::CollateralCannotCoverNewBorrow)
        );
        assert_eq!(Revert::Arithmetic.pool_error(), None);
        assert_eq!(
            Revert::UnknownReserve(ReserveId(7)).to_string(),
            "no reserve 7 in this market"
        );
    }
}
