//! Transfers of an exchange: between its accounts, and out of it.

use basis_core::in_flight::InFlightTransfer;
use basis_core::instruction::Transfer;
use basis_core::types::{InstructionId, Span};
use basis_core::venue_event::{Events, TransferStage};

use super::{Context, SimulatedExchange};
use crate::refusal::Refusal;
use crate::transfer::{Route, departure, refuse_halted, route};

impl SimulatedExchange {
    pub(super) fn transfer(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        transfer: &Transfer,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let venue = self.profile.venue;
        let now = cx.view.now();
        let Transfer {
            asset,
            amount,
            from,
            to,
        } = *transfer;
        let Route {
            fee,
            delay,
            internal,
            ..
        } = route(venue, cx.snapshot, cx.data, transfer, now)?;
        if to.venue != venue {
            refuse_halted(venue, cx.view)?;
        }
        let needed = amount.add(fee)?;
        if from == cx.snapshot.accounts.spot && self.has_debts(cx) {
            let text = format!("{from} owes borrowed assets; buy them back first");
            return Err(Refusal::other(text, None));
        }
        self.require_free(cx, from, asset, needed, None)?;
        let failures = &self.settings.transfer_failures;
        let returns = self.failing.count(failures, instruction, fee)?;
        let left = (from, asset, needed.neg()?);
        if internal && delay == Span::ZERO && !returns {
            self.move_cash(&[left, (to, asset, amount)])?;
            let stage = TransferStage::Moved;
            events.push(departure(
                venue,
                now,
                instruction,
                transfer,
                fee,
                None,
                stage,
            ));
            return Ok(());
        }
        self.move_cash(&[left])?;
        let arrives_at = now.plus(delay);
        let (leaves, arrives) = if returns { (to, from) } else { (from, to) };
        cx.transit.send(InFlightTransfer {
            instruction,
            from: leaves,
            to: arrives,
            asset,
            amount,
            arrives_at,
        });
        let (until, stage) = (Some(arrives_at), TransferStage::Sent);
        events.push(departure(
            venue,
            now,
            instruction,
            transfer,
            fee,
            until,
            stage,
        ));
        Ok(())
    }
}
