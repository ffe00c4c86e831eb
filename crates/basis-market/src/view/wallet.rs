//! What a transfer out of our own wallet costs.

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding};
use basis_core::types::{Asset, SeriesId, SeriesKind, Symbol, Venue};
use basis_protocols::gas::GasOperation;

use super::{MarketView, PriceState, is_dollar};
use crate::series::GasFees;

const ETH: Asset = Asset::literal("ETH");
/// The gas price of the chain that the wallet is on.
pub const GAS_SERIES: SeriesId = SeriesId::new(
    SeriesKind::Gas,
    Venue::literal("ethereum"),
    Symbol::literal("gwei"),
);
/// What prices ether where the run trades none.
pub const ETHER_POOL_SERIES: SeriesId = SeriesId::new(
    SeriesKind::Dex,
    Venue::literal("uniswap"),
    Symbol::literal("WETHUSDT_3000"),
);
const GWEI_PER_ETH: i64 = 1_000_000_000;

impl MarketView {
    /// What sending ether or a dollar token out of the wallet costs, in what is sent: gas of a plain transfer, or
    /// of a token's, × the recorded gas price, rounded up to the wei; of a token × the price of ether, rounded up
    /// to its `decimals`. `None` where the view has no fresh gas price, no price of ether, or the asset is
    /// another: then the flat fee of the rules holds.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn wallet_send_cost(
        &self,
        asset: Asset,
        decimals: u32,
    ) -> Result<Option<Quantity>, MathError> {
        let operation = if asset == ETH {
            GasOperation::EthTransfer
        } else if is_dollar(asset) {
            GasOperation::Erc20Transfer
        } else {
            return Ok(None);
        };
        let gas = self
            .row_slot::<GasFees>(GAS_SERIES)
            .and_then(|slot| self.gas(slot))
            .filter(|fees| fees.state.is_tradable());
        let Some(gas) = gas else { return Ok(None) };
        let units = Fixed18::from_int(i64::try_from(operation.gas()).unwrap_or(i64::MAX));
        let gwei = gas.row.gas_price_gwei;
        let ether = units.mul_div(gwei, Fixed18::from_int(GWEI_PER_ETH), Rounding::Up)?;
        if asset == ETH {
            return Ok(Some(Quantity::new(ether)));
        }
        let Some(price) = self.ether_price()? else {
            return Ok(None);
        };
        let cost = ether.mul(price.get(), Rounding::Up)?;
        let cost = cost.round_to_decimals(decimals, Rounding::Up)?;
        Ok(Some(Quantity::new(cost)))
    }

    /// Ether in dollars: as the run marks it, else in its pool.
    fn ether_price(&self) -> Result<Option<Price>, MathError> {
        if let Some(mark) = self.mark_of(ETH) {
            return self.price_usd(mark);
        }
        let pool = self.quote_of(ETHER_POOL_SERIES);
        Ok(pool
            .filter(|quote| quote.state != PriceState::Missing)
            .map(|quote| quote.mark))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::series::rows::tests::{hour, id};
    use crate::{BarColumns, MarketData, RowSeries, SeriesRequest, ViewPolicy};
    use basis_core::types::Span;

    fn view(series: &[&str]) -> MarketView {
        let mut data = MarketData::new("test", true);
        let price = Price::literal("3000");
        let bar = BarColumns {
            id: id("dex.uniswap.WETHUSDT_3000"),
            length: Span::HOUR,
            opened_at: vec![hour(0)],
            open: vec![price],
            high: vec![price],
            low: vec![price],
            close: vec![price],
            volume: vec![Quantity::ZERO],
        };
        data.add_bars(bar).unwrap();
        let fees = GasFees {
            block: 1,
            base_fee_gwei: Fixed18::literal("19.9"),
            priority_fee_gwei: Fixed18::literal("0.1"),
            gas_price_gwei: Fixed18::literal("20"),
        };
        let gas = RowSeries::new(GAS_SERIES, Some(Span::HOUR), vec![hour(1)], vec![fees]).unwrap();
        data.add_rows(gas).unwrap();
        let requests: Vec<_> = series
            .iter()
            .map(|series| SeriesRequest {
                id: id(series),
                reference: None,
            })
            .collect();
        let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
        view.advance_to(hour(1)).unwrap();
        view
    }

    fn cost(series: &[&str], asset: &str) -> Option<Quantity> {
        let asset = Asset::literal(asset);
        view(series).wallet_send_cost(asset, 6).unwrap()
    }

    #[test]
    fn a_transfer_costs_its_gas_in_what_is_sent_and_nothing_is_guessed() {
        const GAS: &str = "gas.ethereum.gwei";
        const POOL: &str = "dex.uniswap.WETHUSDT_3000";
        // 21,000 and 51,700 gas at 20 gwei, ETH at 3,000.
        assert_eq!(cost(&[GAS], "ETH"), Some(Quantity::literal("0.00042")));
        assert_eq!(cost(&[GAS, POOL], "USDT"), Some(Quantity::literal("3.102")));
        assert_eq!(cost(&[GAS], "USDT"), None, "no price of ether");
        assert_eq!(cost(&[POOL], "USDT"), None, "no gas");
        assert_eq!(cost(&[GAS, POOL], "weETH"), None, "another asset");
    }
}
