//! Orders that the venue cancels once their owner was not heard of for as long as it had said.

use serde_json::{Value, json};

use super::error::ApiError;
use super::routes::Call;
use super::{Category, Ending, Exchange};
use crate::server::unified::Task;

/// How many tags of an account may have a countdown.
const TAGS_MAX: usize = 20;

/// When the orders of an account, or those with one tag, are canceled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Countdown {
    due_ms: i64,
}

/// `POST /api/v5/trade/cancel-all-after`.
pub(super) fn cancel_all_after(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let seconds = params.integer("timeOut")?;
    let seconds = seconds.ok_or_else(|| ApiError::missing("timeOut"))?;
    if seconds != 0 && !(10..=120).contains(&seconds) {
        return Err(ApiError::parameter("timeOut"));
    }
    let tag = super::orders::read_tag(params)?;
    let key = (call.account, tag.clone());
    let now = exchange.now;
    let countdowns = &mut exchange.own.countdowns;
    let mut trigger_ms = 0;
    if seconds == 0 {
        countdowns.remove(&key);
    } else {
        let of_account = countdowns.keys().filter(|(of, _)| *of == call.account);
        if !countdowns.contains_key(&key) && of_account.count() >= TAGS_MAX {
            let text = "You've reached the maximum limit for tags of cancel-all-after timers.";
            return Err(ApiError::new(51_071, text));
        }
        trigger_ms = now.saturating_add(seconds * 1_000);
        countdowns.insert(key, Countdown { due_ms: trigger_ms });
    }
    Ok(vec![json!({
        "triggerTime": trigger_ms.to_string(), "tag": tag, "ts": now.to_string()
    })])
}

impl Exchange {
    /// When a countdown next ends.
    pub(super) fn next_countdown(&self) -> Option<i64> {
        let countdowns = self.own.countdowns.values();
        countdowns.map(|countdown| countdown.due_ms).min()
    }

    /// Cancels what nobody has kept alive.
    ///
    /// # Panics
    /// Never: what is open can be ended.
    pub(super) fn run_countdowns(&mut self) {
        let now = self.now;
        let due = self
            .own
            .countdowns
            .extract_if(.., |_, countdown| countdown.due_ms <= now);
        let due: Vec<_> = due.map(|(key, _)| key).collect();
        for (account, tag) in due {
            let mut open: Vec<(Category, _, u64)> = Vec::new();
            for ((category, symbol), market) in &self.markets {
                for order in market.open_orders(account) {
                    let terms = self.own.terms.get(&order.number);
                    if tag.is_empty() || terms.is_some_and(|terms| terms.tag == tag) {
                        open.push((*category, *symbol, order.number));
                    }
                }
            }
            for (category, symbol, number) in open {
                let task = Task::Cancel {
                    order: number,
                    ending: Ending::DeadMan,
                };
                self.pass_on(category, symbol, task)
                    .expect("invariant: what is open can be ended");
            }
        }
    }
}
