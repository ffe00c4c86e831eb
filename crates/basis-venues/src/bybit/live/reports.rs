//! What replies come to in the words that exchanges have in common.

use basis_core::rules::RuleSnapshot;
use basis_core::types::{Account, Label};

use super::VENUE;
use crate::bybit::codec::replies::{self, Balance, ExecutionKind, OrderReply};
use crate::live::codec::{
    BalanceReport, FillReport, OrderReport, Part, PartPage, PositionReport, Rows,
};
use crate::wire::DecodeError;

/// The funding account.
const FUNDING: Account = Account::new(VENUE, Label::literal("funding"));

pub(super) fn order(reply: OrderReply) -> OrderReport {
    OrderReport {
        side: reply.side,
        position_side: reply.position_idx,
        quantity: reply.qty,
        price: reply.price,
        filled: reply.cum_exec_qty,
        state: reply.state(),
        reason: reply.reason().map(ToOwned::to_owned),
        updated: reply.updated_time,
        client: reply.order_link_id,
        venue_id: reply.order_id,
        symbol: reply.symbol,
    }
}

/// Fills of a page as they happened. A funding settlement is no fill; this version does not report it.
pub(super) fn fills(rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<FillReport>, DecodeError> {
    let mut page = replies::executions(body)?;
    page.rows
        .retain(|row| row.what().is_ok_and(|what| what != ExecutionKind::Funding));
    replies::sort_executions(&mut page.rows);
    let fill = |row: replies::Execution| FillReport {
        event: row.event(rules, None, None, row.exec_time),
        quantity: row.exec_qty,
        at: row.exec_time,
        trade: row.exec_id,
        client: row.order_link_id,
        symbol: row.symbol,
    };
    Ok(Rows {
        rows: page.rows.into_iter().map(fill).collect(),
        next: page.next,
    })
}

pub(super) fn part(part: Part, rules: &RuleSnapshot, body: &[u8]) -> Result<PartPage, DecodeError> {
    let balances = |account: Account, rows: Vec<Balance>| PartPage {
        balances: rows
            .into_iter()
            .map(|row| BalanceReport {
                account,
                asset: row.coin,
                total: row.total,
            })
            .collect(),
        ..PartPage::default()
    };
    Ok(match part {
        Part::Trading => balances(rules.accounts.perp, replies::balances(body)?.balances),
        Part::Funding => balances(FUNDING, replies::funding_balances(body)?),
        Part::Positions(_) => {
            let page = replies::positions(body)?;
            let position = |row: replies::Position| {
                Ok(PositionReport {
                    amount: row.amount()?,
                    side: row.position_idx,
                    entry_price: row.avg_price,
                    symbol: row.symbol,
                })
            };
            let rows: Result<_, DecodeError> = page.rows.into_iter().map(position).collect();
            PartPage {
                positions: rows?,
                next: page.next,
                ..PartPage::default()
            }
        }
        Part::Orders(..) => {
            let page = replies::orders(body)?;
            PartPage {
                orders: page.rows.into_iter().map(order).collect(),
                next: page.next,
                ..PartPage::default()
            }
        }
    })
}
