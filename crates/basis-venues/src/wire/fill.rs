//! The event that a fill is, whoever reported it.

use basis_core::num::{MathError, Price, Quantity, Rate, Rounding};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKind, LabelError, PositionSide, Side, Timestamp,
};
use basis_core::venue_event::{EventKind, Fill, LiquiditySide, TradeId, VenueEvent};

/// A fill that does not fit the rules: no event can be made of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// A symbol that the rules do not list.
    #[error("a fill of {symbol}, which the rules do not list")]
    Unlisted {
        /// The venue's symbol.
        symbol: String,
    },
    /// What it says is not enough to book it.
    #[error("a fill of {symbol} cannot be booked: {what}")]
    Unclear {
        /// The venue's symbol.
        symbol: String,
        /// What is not clear.
        what: &'static str,
    },
    /// A fee in something that has no name here.
    #[error("a fee asset that is none: {0}")]
    FeeAsset(#[from] LabelError),
    /// An amount out of range.
    #[error("a fill out of range: {0}")]
    Range(#[from] MathError),
}

/// A fill in base units and with the fee as a cost, as the venue reports it.
pub(crate) struct FillFacts<'a> {
    pub(crate) kind: InstrumentKind,
    /// The venue's symbol.
    pub(crate) symbol: &'a str,
    pub(crate) trade: TradeId,
    pub(crate) side: Side,
    /// Which position of hedge mode.
    pub(crate) position_side: Option<PositionSide>,
    pub(crate) price: Price,
    /// Base units, > 0.
    pub(crate) quantity: Quantity,
    /// Quote units, as the venue rounds them.
    pub(crate) turnover: Quantity,
    /// The mark at that moment; where none is known the fill's own price stands in for it.
    pub(crate) reference: Option<Price>,
    /// The fee; below zero for a rebate.
    pub(crate) fee: Quantity,
    pub(crate) fee_asset: &'a str,
    pub(crate) maker: bool,
    /// The result that a perp fill settled, where the venue says.
    pub(crate) realized: Option<Quantity>,
    pub(crate) at: Timestamp,
}

/// Returns the rules of the instrument that the venue calls `symbol`.
pub(crate) fn of_symbol<'a>(
    rules: &'a RuleSnapshot,
    kind: InstrumentKind,
    symbol: &str,
) -> Result<&'a InstrumentRules, FillError> {
    let mut listed = rules.instruments.iter();
    let listed =
        listed.find(|rules| rules.key.kind == kind && rules.venue_symbol.as_str() == symbol);
    listed.ok_or_else(|| FillError::Unlisted {
        symbol: symbol.to_owned(),
    })
}

impl FillFacts<'_> {
    /// Returns the event that it is, of `instruction` where its order is ours.
    ///
    /// The fee's rate is computed from fee and fill where the fee is in base or quote; a fee in another coin
    /// says nothing of its rate, and the rules' rate stands in.
    pub(crate) fn event(
        &self,
        rules: &RuleSnapshot,
        instruction: Option<InstructionId>,
        received_at: Timestamp,
    ) -> Result<VenueEvent, FillError> {
        let listed = of_symbol(rules, self.kind, self.symbol)?;
        let fee_asset = Asset::new(self.fee_asset)?;
        let is_spot = self.kind == InstrumentKind::Spot;
        let fill = Fill {
            instruction,
            account: self.account(rules),
            trade: self.trade.clone(),
            instrument: listed.key.sided(self.position_side),
            base: listed.base,
            quote: listed.quote,
            side: self.side,
            quantity: self.quantity,
            price: self.price,
            turnover: if is_spot {
                self.turnover
            } else {
                Quantity::ZERO
            },
            reference: self.reference.unwrap_or(self.price),
            fee_asset,
            fee: self.fee,
            fee_rate: self.fee_rate(rules, listed, fee_asset)?,
            liquidity: if self.maker {
                LiquiditySide::Maker
            } else {
                LiquiditySide::Taker
            },
            realized: if is_spot {
                Some(Quantity::ZERO)
            } else {
                self.realized
            },
            covered: Quantity::ZERO,
        };
        let venue = listed.key.venue;
        let kind = EventKind::Fill(Box::new(fill));
        Ok(VenueEvent::new(venue, self.at, received_at, kind))
    }

    const fn account(&self, rules: &RuleSnapshot) -> Account {
        match self.kind {
            InstrumentKind::Spot => rules.accounts.spot,
            _ => rules.accounts.perp,
        }
    }

    fn fee_rate(
        &self,
        rules: &RuleSnapshot,
        listed: &InstrumentRules,
        fee_asset: Asset,
    ) -> Result<Rate, MathError> {
        if fee_asset == listed.quote && self.turnover.is_positive() {
            return self.fee.ratio(self.turnover, Rounding::HalfEven);
        }
        if fee_asset == listed.base {
            return self.fee.ratio(self.quantity, Rounding::HalfEven);
        }
        let rates = match self.kind {
            InstrumentKind::Spot => rules.fees.spot,
            _ => rules.fees.perp,
        };
        Ok(if self.maker { rates.maker } else { rates.taker })
    }
}
