//! What replies come to in the words that exchanges have in common: base units, costs above zero.

use basis_core::rules::RuleSnapshot;
use basis_core::types::{Account, InstrumentKind, Label};

use super::VENUE;
use super::questions::ROWS;
use crate::live::codec::{
    BalanceReport, FillReport, OrderReport, Part, PartPage, PositionReport, Rows,
};
use crate::okx::codec::replies::{self, Balance, FillReply, OrderReply};
use crate::wire::{DecodeError, FillError};

/// The funding account.
const FUNDING: Account = Account::new(VENUE, Label::literal("funding"));

fn unlisted(what: &'static str) -> impl Fn(FillError) -> DecodeError {
    move |e| DecodeError::new(what, "instId", e.to_string())
}

/// Where the next page begins: a page that is not full is the last.
fn next_of<T>(rows: &[T], cursor: impl Fn(&T) -> String) -> Option<String> {
    let is_full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= ROWS);
    rows.last().filter(|_| is_full).map(cursor)
}

fn order(rules: &RuleSnapshot, reply: OrderReply) -> Result<OrderReport, DecodeError> {
    let counted = (reply.quantity(rules), reply.filled(rules));
    let of = unlisted("order");
    let source = Some(reply.cancel_source.as_str()).filter(|source| !source.is_empty());
    Ok(OrderReport {
        quantity: counted.0.map_err(&of)?,
        filled: counted.1.map_err(&of)?,
        side: reply.side,
        position_side: reply.pos_side,
        price: reply.px,
        state: reply.state(),
        reason: source.map(|source| format!("cancelSource {source}")),
        updated: reply.u_time,
        client: reply.cl_ord_id,
        venue_id: reply.ord_id,
        symbol: reply.inst_id,
    })
}

/// Orders of one instrument.
pub(super) fn orders(rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<OrderReport>, DecodeError> {
    let rows = replies::orders(body)?;
    let next = next_of(&rows, |row| row.ord_id.clone());
    let rows: Result<_, _> = rows.into_iter().map(|row| order(rules, row)).collect();
    Ok(Rows { rows: rows?, next })
}

/// Fills of one instrument as they happened.
pub(super) fn fills(rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<FillReport>, DecodeError> {
    let mut rows = replies::fills(body)?;
    let next = next_of(&rows, |row| row.bill_id.clone());
    replies::sort_fills(&mut rows);
    let fill = |row: FillReply| {
        let at = row.at();
        Ok(FillReport {
            quantity: row.quantity(rules).map_err(unlisted("fill"))?,
            event: row.event(rules, None, at),
            at,
            trade: row.trade_id,
            client: row.cl_ord_id,
            symbol: row.inst_id,
        })
    };
    let rows: Result<_, DecodeError> = rows.into_iter().map(fill).collect();
    Ok(Rows { rows: rows?, next })
}

fn is_listed(rules: &RuleSnapshot, kind: InstrumentKind, symbol: &str) -> bool {
    let mut listed = rules.instruments.iter();
    listed.any(|rules| rules.key.kind == kind && rules.venue_symbol.as_str() == symbol)
}

/// A page of a part. What the rules do not list is not managed, and its contracts cannot be counted.
pub(super) fn part(part: Part, rules: &RuleSnapshot, body: &[u8]) -> Result<PartPage, DecodeError> {
    let balances = |account: Account, rows: Vec<Balance>| PartPage {
        balances: rows
            .into_iter()
            .map(|row| BalanceReport {
                account,
                asset: row.ccy,
                total: row.total,
            })
            .collect(),
        ..PartPage::default()
    };
    Ok(match part {
        Part::Trading => balances(rules.accounts.perp, replies::balances(body)?.balances),
        Part::Funding => balances(FUNDING, replies::funding_balances(body)?),
        Part::Positions(_) => {
            let mut rows = replies::positions(body)?;
            rows.retain(|row| is_listed(rules, InstrumentKind::Perp, &row.inst_id));
            let position = |row: replies::Position| {
                Ok(PositionReport {
                    amount: row.amount(rules).map_err(unlisted("positions"))?,
                    side: row.pos_side,
                    entry_price: row.avg_px,
                    symbol: row.inst_id,
                })
            };
            let positions: Result<_, DecodeError> = rows.into_iter().map(position).collect();
            PartPage {
                positions: positions?,
                ..PartPage::default()
            }
        }
        Part::Orders(..) => {
            let mut rows = replies::orders(body)?;
            let next = next_of(&rows, |row| row.ord_id.clone());
            rows.retain(|row| is_listed(rules, row.kind, &row.inst_id));
            let orders: Result<_, _> = rows.into_iter().map(|row| order(rules, row)).collect();
            PartPage {
                orders: orders?,
                next,
                ..PartPage::default()
            }
        }
    })
}
