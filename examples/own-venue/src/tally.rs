//! What the exchange holds for us, changed by its own arithmetic.

use basis::core::error::VenueErrorKind;
use basis::core::instruction::MarginMode;
use basis::core::ledger::TradeId;
use basis::core::num::{MathError, Price, Quantity, Rounding};
use basis::core::types::{Asset, InstrumentKey, InstrumentKind, Item, Side, Symbol, Timestamp};
use basis::core::venue_event::{
    AccountSnapshot, EventKind, Events, Fill, Funding, LiquiditySide, Position, TransferId,
    TransferStage, TransferUpdate, VenueEvent,
};
use basis::market::MarketView;

use crate::orders::Order;
use crate::{ACCOUNT, BTC, DECIMALS, FUNDING_INTERVAL, HARBOR, Harbor, PERP_FEE, SPOT_FEE, USDT};

impl Harbor {
    /// The mark of an instrument; zero while the market has shown none.
    fn mark(view: &MarketView, instrument: InstrumentKey) -> Price {
        let quote = view.quote_of(instrument.series());
        quote.map_or(Price::ZERO, |quote| quote.mark)
    }

    /// USDT that must be free for an order: what it moves at the mark, and its fee.
    pub(crate) fn needed(
        view: &MarketView,
        instrument: InstrumentKey,
        quantity: Quantity,
    ) -> Result<Quantity, VenueErrorKind> {
        let mark = Self::mark(view, instrument);
        if !mark.is_positive() {
            return Err(VenueErrorKind::Unavailable(format!(
                "{instrument} has no price"
            )));
        }
        let amount =
            || turnover(quantity, mark, Rounding::Ceil)?.add(fee(quantity, mark, instrument)?);
        amount().map_err(|e| VenueErrorKind::InvalidRequest(e.to_string()))
    }

    fn add(&mut self, asset: Asset, change: Quantity) -> Result<(), MathError> {
        let held = self.cash.entry(asset).or_default();
        *held = held.add(change)?;
        Ok(())
    }

    /// Fills so much of an order at the mark.
    pub(crate) fn fill(
        &mut self,
        view: &MarketView,
        order: &Order,
        quantity: Quantity,
    ) -> Result<Fill, MathError> {
        let (instrument, side) = (order.instrument, order.side);
        let mark = Self::mark(view, instrument);
        let fee = fee(quantity, mark, instrument)?;
        let change = Quantity::new(quantity.get().mul_int(side.sign())?);
        let (mut moved, mut realized) = (Quantity::ZERO, Quantity::ZERO);
        if is_spot(instrument) {
            let rounding = match side {
                Side::Buy => Rounding::Ceil,
                Side::Sell => Rounding::Floor,
            };
            moved = turnover(quantity, mark, rounding)?;
            self.add(BTC, change)?;
            let paid = Quantity::new(moved.get().mul_int(side.opposite().sign())?);
            self.add(USDT, paid)?;
        } else {
            let filled = self.position.fill(change, mark, DECIMALS)?;
            self.position = filled.after;
            realized = Quantity::new(filled.realized.get());
            self.add(USDT, realized)?;
        }
        self.add(USDT, fee.neg()?)?;
        self.trades += 1;
        Ok(Fill {
            instruction: Some(order.id),
            account: ACCOUNT,
            trade: TradeId::Text(format!("H{}", self.trades).into()),
            instrument,
            base: BTC,
            quote: USDT,
            side,
            quantity,
            price: mark,
            turnover: moved,
            reference: mark,
            fee_asset: USDT,
            fee,
            fee_rate: if is_spot(instrument) {
                SPOT_FEE
            } else {
                PERP_FEE
            },
            liquidity: LiquiditySide::Taker,
            realized: Some(realized),
            covered: Quantity::ZERO,
        })
    }

    /// The next instant at which funding is settled; `None` before the first poll.
    pub(crate) fn next_funding(&self) -> Option<Timestamp> {
        let last = self.funded_to?.floor_to(FUNDING_INTERVAL);
        Some(last.plus(FUNDING_INTERVAL))
    }

    /// Settles the funding instants since the last one on the position held.
    pub(crate) fn fund(&mut self, view: &MarketView, events: &mut Events) -> Result<(), MathError> {
        let now = view.now();
        while let Some(scheduled) = self.next_funding().filter(|at| *at <= now) {
            self.funded_to = Some(scheduled);
            if self.position.quantity.is_zero() {
                continue;
            }
            let instrument = perp();
            let mark = Self::mark(view, instrument);
            let rate = self.settings.funding_rate;
            let amount = self.position.funding(mark, rate, DECIMALS)?;
            self.add(USDT, amount)?;
            let kind = EventKind::Funding(Box::new(Funding {
                account: ACCOUNT,
                instrument,
                margin: MarginMode::Cross,
                scheduled,
                asset: USDT,
                position: self.position.quantity,
                mark,
                rate,
                amount,
                proxy: None,
            }));
            events.push(VenueEvent::new(HARBOR, scheduled, now, kind));
        }
        self.funded_to = self.funded_to.or(Some(now));
        Ok(())
    }

    /// Takes what has arrived from other venues.
    pub(crate) fn arrivals(
        &mut self,
        now: Timestamp,
        events: &mut Events,
    ) -> Result<(), MathError> {
        for sent in self.transit.collect(HARBOR, now) {
            self.add(sent.asset, sent.amount)?;
            let kind = EventKind::Transfer(Box::new(TransferUpdate {
                id: TransferId::Instruction(sent.instruction),
                instruction: Some(sent.instruction),
                from: sent.from,
                to: sent.to,
                asset: sent.asset,
                amount: sent.amount,
                fee: Quantity::ZERO,
                stage: TransferStage::Credited,
                until: None,
                txid: None,
            }));
            events.push(VenueEvent::new(HARBOR, sent.arrives_at, now, kind));
        }
        Ok(())
    }

    /// What it holds now, sorted, nothing that is zero.
    pub(crate) fn read(&self, now: Timestamp) -> AccountSnapshot {
        let mut snapshot = AccountSnapshot::at(now);
        let cash = self.cash.iter();
        let cash = cash.map(|(asset, held)| Position::new(ACCOUNT, Item::Asset(*asset), *held));
        let open = Position::new(ACCOUNT, Item::Position(perp()), self.position.quantity);
        let all = cash.chain([open]);
        snapshot.positions = all.filter(|held| !held.quantity.is_zero()).collect();
        snapshot
    }
}

fn perp() -> InstrumentKey {
    InstrumentKey::new(HARBOR, InstrumentKind::Perp, Symbol::literal("BTCUSDT"))
}

fn is_spot(instrument: InstrumentKey) -> bool {
    instrument.kind == InstrumentKind::Spot
}

/// USDT that a quantity is worth at a price, at the exchange's own scale.
fn turnover(quantity: Quantity, price: Price, rounding: Rounding) -> Result<Quantity, MathError> {
    let exact = quantity.notional(price, Rounding::Ceil)?.get();
    Ok(Quantity::new(exact.round_to_decimals(DECIMALS, rounding)?))
}

/// The fee of a fill, rounded up.
fn fee(quantity: Quantity, price: Price, instrument: InstrumentKey) -> Result<Quantity, MathError> {
    let rate = if is_spot(instrument) {
        SPOT_FEE
    } else {
        PERP_FEE
    };
    let exact = quantity
        .notional(price, Rounding::Ceil)?
        .at_rate(rate, Rounding::Ceil)?;
    let rounded = exact.get().round_to_decimals(DECIMALS, Rounding::Ceil)?;
    Ok(Quantity::new(rounded))
}
