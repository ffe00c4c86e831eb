//! Funding: what a perpetual's next settlement charges.

use basis_core::num::{Fixed18, Quantity};
use basis_core::rules::PerpRules;
use basis_core::types::{Side, Symbol, Timestamp};

use super::account::{LogKind, LogRow};
use super::error::Refusal;
use super::market::{Execution, Settlement};
use super::settings::Category;
use super::{DECIMALS, Exchange, Ways};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// The first settlement after `ms`.
pub(in crate::server) fn next_settlement(perp: &PerpRules, ms: i64) -> i64 {
    let next = perp.next_funding(Timestamp::from_millis(ms));
    next.nanos().div_euclid(NANOS_PER_MILLI)
}

impl<W: Ways> Exchange<W> {
    /// When a perpetual next settles.
    pub(in crate::server) fn next_funding(&self) -> Option<i64> {
        let dues = self.markets.values();
        dues.filter_map(|market| market.next_funding_ms).min()
    }

    /// Settles what is due.
    pub(in crate::server) fn run_funding(&mut self) -> Result<(), Refusal> {
        let now = self.now;
        let due = self
            .markets
            .iter()
            .filter(|(_, market)| market.next_funding_ms.is_some_and(|due| due <= now));
        let due: Vec<Symbol> = due.map(|((_, symbol), _)| *symbol).collect();
        for symbol in due {
            self.settle_funding(symbol)?;
        }
        Ok(())
    }

    fn settle_funding(&mut self, symbol: Symbol) -> Result<(), Refusal> {
        let mark = self.mark(symbol);
        let market = self.market_mut(Category::Linear, symbol)?;
        let perp = market.rules.perp.clone();
        let (Some(perp), Some(time_ms)) = (perp, market.next_funding_ms) else {
            return Ok(());
        };
        market.next_funding_ms = Some(next_settlement(&perp, time_ms));
        let rate = market.funding_rate;
        market.settled.push(Settlement { time_ms, rate });
        // Without a price nobody has a position.
        let Some(mark) = mark else {
            return Ok(());
        };
        for account in 0..u32::try_from(self.accounts.len()).unwrap_or(u32::MAX) {
            for index in 0..=2 {
                let position = self.account(account).position(symbol, index).perp;
                if !position.quantity.is_zero() {
                    let received = position.funding(mark, rate, DECIMALS)?;
                    let row = (index, position.quantity, received);
                    self.pay_funding(account, symbol, row, (mark, rate.get()))?;
                }
            }
        }
        Ok(())
    }

    fn pay_funding(
        &mut self,
        id: u32,
        symbol: Symbol,
        (position_index, held, received): (u8, Quantity, Quantity),
        (mark, rate): (basis_core::num::Price, Fixed18),
    ) -> Result<(), Refusal> {
        let now = self.now;
        let coin = self.market(Category::Linear, symbol)?.rules.quote;
        let (execution, execution_id) = self.new_id(Category::Linear);
        let number = self.next_id();
        let side = if held.is_positive() {
            Side::Buy
        } else {
            Side::Sell
        };
        let account = self.account_mut(id);
        account.move_wallet(coin, received)?;
        account.snapshot(now);
        if account.is_house {
            return Ok(());
        }
        let size = held.abs()?;
        let row = LogRow {
            number,
            kind: LogKind::Funding,
            of: Some((Category::Linear, symbol)),
            side: Some(side),
            coin,
            change: received,
            cash_flow: Quantity::ZERO,
            funding: received,
            fee: Quantity::ZERO,
            rate: if held.is_positive() {
                rate
            } else {
                rate.neg()?
            },
            size,
            quantity: size,
            price: mark.get(),
            ids: (String::new(), execution_id.clone()),
            balance: account.coin(coin).wallet,
            time_ms: now,
        };
        account.log.push(row);
        let row = Execution {
            number: execution,
            id: execution_id,
            account: id,
            kind: "Funding",
            trade: 0,
            order: None,
            side,
            price: mark,
            quantity: size,
            value: size.notional(mark, basis_core::num::Rounding::HalfEven)?,
            // Paid above zero: the other way round than in the log.
            fee: received.neg()?,
            fee_asset: coin,
            rate,
            is_maker: false,
            leaves: Quantity::ZERO,
            mark,
            realized: basis_core::num::Value::ZERO,
            position_index,
            time_ms: now,
        };
        self.market_mut(Category::Linear, symbol)?
            .executions
            .push(row);
        Ok(())
    }
}
