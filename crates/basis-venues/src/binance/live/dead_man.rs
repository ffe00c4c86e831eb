//! The dead-man switch of USD-M: while orders of ours rest, the venue is asked again and again to cancel every
//! order of the instrument should nothing more be heard. It would cancel foreign orders too, so it is off unless
//! the account is declared ours alone. Spot has none.

use basis_core::instruction::Operation;
use basis_core::types::{InstrumentKey, InstrumentKind, Span, Timestamp};

use super::BinanceMachine;
use super::purpose::{Answered, Purpose};
use crate::binance::codec::cancel_after;

/// How soon a renewal that failed is tried again.
const AGAIN: Span = Span::from_seconds(1);
/// How often the switch is renewed within its time.
const RENEWALS: i64 = 3;

/// The switch of one perpetual.
#[derive(Debug)]
pub(super) struct DeadMan {
    instrument: InstrumentKey,
    /// When it is renewed; `None` while it is not armed.
    renew: Option<Timestamp>,
    asking: bool,
    /// Whether the request under way disarms it.
    is_disarming: bool,
}

impl DeadMan {
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.renew.filter(|_| !self.asking)
    }
}

impl BinanceMachine {
    /// A switch for each managed perpetual, where the settings have one.
    pub(super) fn begin_dead_man(&mut self) {
        if self.settings.dead_man.is_none() || !self.settings.usdm {
            return;
        }
        let perps = self.rules.instruments.iter();
        let perps = perps.filter(|rules| rules.key.kind == InstrumentKind::Perp);
        let managed = perps.filter(|rules| self.settings.symbols.contains(&rules.key.symbol));
        let switches = managed.map(|rules| DeadMan {
            instrument: rules.key,
            renew: None,
            asking: false,
            is_disarming: false,
        });
        self.dead_men = switches.collect();
    }

    /// Whether an order of ours may rest in a perpetual.
    fn may_rest(&self, instrument: InstrumentKey) -> bool {
        self.orders.values().any(|order| {
            let is_perp = matches!(order.instruction.operation, Operation::PerpTrade(_));
            is_perp && order.instrument.symbol == instrument.symbol && order.stamp.is_some()
        })
    }

    /// Arms, renews and disarms.
    pub(super) fn look_after_dead_man(&mut self) {
        let Some(time) = self.settings.dead_man else {
            return;
        };
        let now = self.now;
        for place in 0..self.dead_men.len() {
            let Some(switch) = self.dead_men.get(place).filter(|switch| !switch.asking) else {
                continue;
            };
            let (instrument, renew) = (switch.instrument, switch.renew);
            let is_disarming = switch.is_disarming;
            let rests = self.may_rest(instrument);
            let after = match (rests, renew) {
                (true, None) => time,
                (true, Some(due)) if due <= now => time,
                (false, Some(due)) if !is_disarming || due <= now => Span::ZERO,
                _ => continue,
            };
            let listed = self.rules.instrument(instrument.kind, instrument.symbol);
            let draft = listed.map(|listed| cancel_after(listed, after));
            if let (Some(draft), Some(switch)) = (draft, self.dead_men.get_mut(place)) {
                switch.asking = true;
                switch.is_disarming = !rests;
                switch.renew = Some(now.plus(Span::from_nanos(time.nanos() / RENEWALS)));
                self.wire.read(now, draft, Purpose::DeadMan(place));
            }
        }
    }

    pub(super) fn dead_man_failed(&mut self, place: usize, reason: &str) {
        let now = self.now;
        let Some(switch) = self.dead_men.get_mut(place) else {
            return;
        };
        switch.asking = false;
        // It is tried again, also where it was to be disarmed: it may be armed still.
        switch.renew = Some(now.plus(AGAIN));
        let what = if switch.is_disarming {
            "disarmed"
        } else {
            "renewed"
        };
        let text = format!(
            "the dead-man switch of {} was not {what}: {reason}",
            switch.instrument
        );
        self.notice(text);
    }

    pub(super) fn dead_man_answered(&mut self, place: usize, answered: &Answered) {
        if let Err(failure) = &answered.result {
            let reason = failure.kind.to_string();
            self.read_failed("dead-man switch", failure);
            return self.dead_man_failed(place, &reason);
        }
        if let Some(switch) = self.dead_men.get_mut(place) {
            switch.asking = false;
            if switch.is_disarming {
                switch.renew = None;
            }
        }
    }
}
