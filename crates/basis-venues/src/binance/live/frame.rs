//! What the frames of the private streams make of orders, fills, transfers and settings.

use basis_core::instruction::Operation;
use basis_live::actor::StreamId;

use super::BinanceMachine;
use crate::binance::codec::stream::{OrderFact, StreamFact, perp_frame, spot_frame};
use crate::binance::codec::{Product, instruction_of, subscription};

/// Binance's number of a stamp that its clock refuses.
const CLOCK: i64 = -1021;

impl BinanceMachine {
    /// Takes a frame. One that cannot be read may have said anything: the stream is opened anew.
    pub(super) fn stream_frame(&mut self, place: usize, id: StreamId, frame: &[u8]) {
        let Some((product, is_subscribing)) = self.stream_at(place) else {
            return;
        };
        if is_subscribing {
            match subscription(frame) {
                Ok(Some(Ok(()))) => return self.stream_is_live(place, id),
                Ok(Some(Err(refusal))) => {
                    if refusal.code == CLOCK {
                        self.clock_due = self.now;
                    }
                    let text = format!("not subscribed: {} {}", refusal.code, refusal.msg);
                    return self.stream_ended(place, &text);
                }
                Ok(None) => {}
                Err(e) => return self.stream_ended(place, &format!("a frame: {e}")),
            }
        }
        let fact = match product {
            Product::UsdM => perp_frame(frame),
            Product::Spot | Product::Wallet => spot_frame(frame),
        };
        match fact {
            Ok(StreamFact::Order(fact)) => self.order_frame((place, product), &fact),
            Ok(StreamFact::BalanceUpdate { .. }) => self.balance_moved(),
            Ok(StreamFact::PerpAccount { reason, .. }) if reason == "ORDER" => {}
            Ok(StreamFact::PerpAccount { reason, .. }) if reason == "FUNDING_FEE" => {
                self.funding_settled();
            }
            Ok(StreamFact::PerpAccount { .. }) => self.balance_moved(),
            Ok(StreamFact::Config { symbol }) => self.setting_changed(symbol.as_deref()),
            Ok(StreamFact::Ended) => self.stream_ended(place, "the venue ended it"),
            Ok(StreamFact::MarginCall) => {
                self.notice("the venue warns of a liquidation of the USD-M account");
                self.request_account();
            }
            Ok(StreamFact::SpotBalances(_) | StreamFact::Other(_)) => {}
            Err(e) => self.stream_ended(place, &format!("a frame cannot be read: {e}")),
        }
    }

    /// An order of ours moved, or somebody else's filled.
    fn order_frame(&mut self, (place, product): (usize, Product), fact: &OrderFact) {
        let order = &fact.order;
        if self.instrument(product, &order.symbol).is_none() {
            return;
        }
        let client = order.client_order_id.as_str();
        let instruction = instruction_of(self.settings.book, client);
        let open = instruction.filter(|id| self.orders.contains_key(id));
        if let Some(id) = open {
            let at = self.ours(product, order.at);
            self.observe(id, order, at);
        }
        let Some(fill) = &fact.fill else {
            return;
        };
        match open.filter(|id| self.orders.contains_key(id)) {
            Some(id) => {
                self.post(id, fill);
                self.settle(id);
            }
            None => self.attribute(instruction, fill, client),
        }
        self.shown_on_stream(place, fill);
    }

    /// Money moved without an order: a transfer that is looked for may have arrived.
    fn balance_moved(&mut self) {
        let now = self.now;
        let changes = self.changes.values_mut();
        for change in changes.filter(|change| !change.look.asking && change.look.due.is_some()) {
            if let Operation::Transfer(_) = change.instruction.operation {
                change.look.at(now);
            }
        }
        self.request_account();
    }

    /// A setting of the account changed: one that is looked for may have been taken.
    fn setting_changed(&mut self, symbol: Option<&str>) {
        let now = self.now;
        let mut is_asked = false;
        for change in self.changes.values_mut() {
            if let Operation::SetLeverage(_) = change.instruction.operation {
                is_asked = true;
                if !change.look.asking && change.look.due.is_some() {
                    change.look.at(now);
                }
            }
        }
        if !is_asked {
            let of = symbol.map_or_else(String::new, |symbol| format!(" of {symbol}"));
            self.notice(format!(
                "a setting{of} of the USD-M account was changed elsewhere"
            ));
        }
    }
}
