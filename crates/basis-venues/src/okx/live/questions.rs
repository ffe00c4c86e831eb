//! What is asked, and which quantities a request of ours sets.

use basis_core::num::{Price, Quantity};
use basis_core::rules::InstrumentRules;
use basis_core::types::{Asset, InstrumentKind, Span, Timestamp};

use crate::live::codec::{OrderList, OrderQuestion, Part, RequestTerms, Setup};
use crate::okx::codec::{Product, base_units, open_orders, open_orders_of, query, reads};
use crate::wire::{JsonDraft, NamedOrder, Range};

/// Rows of a page, the most that the venue gives.
pub(super) const ROWS: u32 = 100;
/// How far back the lists of recent orders and fills reach, an hour less than the venue says.
const ORDERS_RECENT: Span = Span::from_hours(7 * 24 - 1);
const FILLS_RECENT: Span = Span::from_hours(3 * 24 - 1);

pub(super) fn page(from: Option<Timestamp>, cursor: Option<&str>) -> Range {
    Range {
        from,
        to: None,
        rows: Some(ROWS),
        cursor: cursor.map(ToOwned::to_owned),
    }
}

/// Quantity and price that a placement or an amendment sets, in base units.
pub(super) fn terms(draft: &JsonDraft, listed: &InstrumentRules) -> RequestTerms {
    let size = draft.field("sz").or_else(|| draft.field("newSz"));
    let size = size.and_then(|text| Quantity::parse(text).ok());
    let price = draft.field("px").or_else(|| draft.field("newPx"));
    (
        size.and_then(|size| base_units(listed, size).ok()),
        price.and_then(|text| Price::parse(text).ok()),
    )
}

pub(super) fn order(list: OrderList, question: &OrderQuestion<'_>) -> JsonDraft {
    let listed = question.listed;
    match list {
        OrderList::Recent => query(listed, &NamedOrder::Client(question.client.clone())),
        OrderList::Open => open_orders_of(listed, &page(None, question.cursor)),
        OrderList::Closed => {
            let range = page(Some(question.since), question.cursor);
            if question.now.since(question.since) < ORDERS_RECENT {
                reads::closed_orders(listed, &range)
            } else {
                reads::archived_orders(listed, &range)
            }
        }
    }
}

/// The fills of an order by the venue's id of it; without one, all of its instrument since it was sent.
pub(super) fn fills(question: &OrderQuestion<'_>) -> JsonDraft {
    let range = page(Some(question.since), question.cursor);
    let is_recent = question.now.since(question.since) < FILLS_RECENT;
    reads::fills_since_sent(question.listed, question.venue_id, &range, is_recent)
}

pub(super) fn parts(Setup { settings, .. }: Setup<'_>) -> Vec<Part> {
    // No list of the venue asks for a settlement asset.
    let any = Asset::literal("USDT");
    let mut parts = vec![Part::Trading, Part::Funding];
    if settings.spot {
        parts.push(Part::Orders(InstrumentKind::Spot, any));
    }
    if settings.perps {
        parts.push(Part::Positions(any));
        parts.push(Part::Orders(InstrumentKind::Perp, any));
    }
    parts
}

pub(super) fn part(part: Part, cursor: Option<&str>) -> JsonDraft {
    match part {
        Part::Trading => reads::balances(),
        Part::Funding => reads::funding_balances(),
        Part::Positions(_) => reads::positions(None),
        Part::Orders(kind, _) => open_orders(Product::of(kind), &page(None, cursor)),
    }
}

#[cfg(test)]
mod tests {
    use basis_core::types::{BookId, ClientOrderId, Epoch, InstructionId};
    use basis_testkit::{BTC, START, p, q, rules};

    use super::*;
    use crate::wire::Fields;

    #[test]
    fn what_a_request_sets_is_read_back_in_base_units() {
        let rules = rules("okx");
        let swap = rules.at(START);

        let listed = |kind| swap.instrument(kind, BTC).unwrap();
        let draft = |size, price| {
            let fields = Fields::default().with(size, "3").with(price, "49000.5");
            JsonDraft::act("/x", fields)
        };
        let wanted = |quantity| (Some(q(quantity)), Some(p("49000.5")));
        for names in [("sz", "px"), ("newSz", "newPx")] {
            let draft = draft(names.0, names.1);
            let perp = terms(&draft, listed(InstrumentKind::Perp));
            assert_eq!(perp, wanted("0.03"), "a contract is 0.01");
            assert_eq!(terms(&draft, listed(InstrumentKind::Spot)), wanted("3"));
        }
    }

    #[test]
    fn what_is_older_than_the_recent_lists_is_asked_of_the_archives() {
        let rules = rules("okx");
        let swap = rules.at(START);
        let listed = swap.instrument(InstrumentKind::Perp, BTC);
        let id = InstructionId::new(Epoch::new(1, 0), 1);
        let client = ClientOrderId::derive(BookId::from_number(1), id);
        let asked = |days: i64, venue_id| {
            let question = OrderQuestion {
                listed: listed.unwrap(),
                client: &client,
                venue_id,
                since: START,
                now: START.plus(Span::from_hours(days * 24)),
                cursor: None,
            };
            (order(OrderList::Closed, &question), fills(&question))
        };
        for (days, orders, of_fills) in [
            (1, "/api/v5/trade/orders-history", "/api/v5/trade/fills"),
            (
                5,
                "/api/v5/trade/orders-history",
                "/api/v5/trade/fills-history",
            ),
            (
                20,
                "/api/v5/trade/orders-history-archive",
                "/api/v5/trade/fills-history",
            ),
        ] {
            let (closed, fills) = asked(days, None);
            assert_eq!((closed.path, fills.path), (orders, of_fills), "{days} days");
            assert!(fills.query().contains("begin="), "{}", fills.query());
            let (_, fills) = asked(days, Some("77"));
            assert!(fills.query().contains("ordId=77"), "{}", fills.query());
        }
    }
}
