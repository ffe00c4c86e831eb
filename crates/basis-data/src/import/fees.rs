//! Gas out of replies of `eth_feeHistory`, which name blocks and no instants.
//!
//! The instants follow from one block whose instant is known ([`Anchor`]) and the chain's slot of
//! [`SLOT`]: a slot that was missed puts later blocks a slot early. Of each hour the first block is
//! taken; what it paid is its base fee, and of the priority fees asked for the middle one.

use basis_core::types::{Span, Timestamp};
use serde::Deserialize;

use super::bind::{Bound, Cell, CellFrom};
use super::read::Wrong;
use super::target::Target;
use super::time::TimeForm;

/// Between two blocks.
const SLOT: Span = Span::from_seconds(12);
/// Wei are nine decimals of a gwei.
const WEI: i32 = -9;

/// A block whose instant is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its number.
    pub block: u64,
    /// When it was mined.
    pub at: Timestamp,
}

impl Anchor {
    /// Reads `19000000@2024-01-13T22:29:59Z`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is no block and its instant; write e.g. 19000000@2024-01-13T22:29:59Z"
            )
        };
        let (block, at) = text.split_once('@').ok_or_else(expected)?;
        Ok(Self {
            block: block.parse().map_err(|_any| expected())?,
            at: at.parse().map_err(|_any| expected())?,
        })
    }

    /// When `block` was mined, no slot missed; `None` out of range.
    fn instant(self, block: u64) -> Option<Timestamp> {
        let apart = i64::try_from(i128::from(block) - i128::from(self.block)).ok()?;
        apart
            .checked_mul(SLOT.nanos())
            .map(|nanos| self.at.plus(Span::from_nanos(nanos)))
    }
}

/// A reply, whole.
#[derive(Debug, Deserialize)]
struct Reply {
    result: FeeHistory,
}

/// What it says. Other fields, as those of blobs, are of no use here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeeHistory {
    oldest_block: String,
    base_fee_per_gas: Vec<String>,
    gas_used_ratio: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    reward: Option<Vec<Vec<String>>>,
}

/// The fee history in `bytes`, with its envelope or without; `None` for anything else.
pub(super) fn history(bytes: &[u8]) -> Option<FeeHistory> {
    let whole = serde_json::from_slice::<Reply>(bytes).map(|reply| reply.result);
    whole.or_else(|_any| serde_json::from_slice(bytes)).ok()
}

/// Reads one reply.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(history: &FeeHistory, target: &mut Target<'_>) -> Result<(), String> {
    let Some(anchor) = target.anchor() else {
        return Err(
            "names blocks and no instants; say one block and its instant, e.g. --anchor \
             19000000@2024-01-13T22:29:59Z"
                .to_owned(),
        );
    };
    let digits = history.oldest_block.strip_prefix("0x");
    let oldest = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let oldest = oldest.ok_or_else(|| {
        format!(
            "`oldestBlock` `{}` is no hexadecimal number",
            history.oldest_block
        )
    })?;
    let Some(rewards) = &history.reward else {
        return Err("has no `reward`; ask for a percentile of the priority fees, [50]".to_owned());
    };
    let blocks = history.gas_used_ratio.len();
    if rewards.len() != blocks || history.base_fee_per_gas.len() < blocks {
        return Err(format!(
            "has {blocks} blocks, {} base fees and {} rewards; is the file cut off?",
            history.base_fee_per_gas.len(),
            rewards.len()
        ));
    }
    let mut wrong = Wrong::default();
    let fees = history.base_fee_per_gas.iter().zip(rewards);
    for ((block, line), (base, asked)) in (oldest..).zip(1_u32..).zip(fees) {
        let Some(at) = anchor.instant(block) else {
            wrong.add(line, format!("block {block} is of no instant"));
            continue;
        };
        if at.since(at.floor_to(Span::HOUR)) >= SLOT {
            target.tally.within_hours += 1;
            continue;
        }
        let Some(priority) = asked.get(asked.len() / 2) else {
            wrong.add(line, "has no priority fee".to_owned());
            continue;
        };
        let (at, block) = (at.to_string(), block.to_string());
        let fields = [
            at.as_bytes(),
            block.as_bytes(),
            base.as_bytes(),
            priority.as_bytes(),
        ];
        if let Err(what) = target.row(line, &fields, &bound()) {
            wrong.add(line, what);
        }
    }
    wrong.result("block")
}

/// Instant, block, base fee and priority fee, in this order.
fn bound() -> Bound {
    let cell = |column, decimals, from| Cell {
        column,
        decimals,
        from,
    };
    let field = |at, shift| CellFrom::Field { at, shift };
    Bound {
        time: vec![0],
        time_form: TimeForm::Any,
        symbol: None,
        confirm: None,
        closes: None,
        cells: vec![
            cell("block", 0, field(1, 0)),
            cell("base_fee_gwei", 18, field(2, WEI)),
            cell("priority_fee_p50_gwei", 18, field(3, WEI)),
            cell("gas_price_gwei", 18, CellFrom::GasPrice),
        ],
        width: 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_counted_from_the_anchor_either_way() {
        let anchor = Anchor::parse("100@2024-01-01T00:00:11Z").unwrap();
        let at = |block| anchor.instant(block).unwrap().to_string();
        assert_eq!(at(400), "2024-01-01T01:00:11Z");
        assert_eq!(at(99), "2023-12-31T23:59:59Z");
        for text in ["100", "x@2024-01-01T00:00:00Z", "100@yesterday"] {
            assert!(
                Anchor::parse(text)
                    .unwrap_err()
                    .contains("no block and its instant")
            );
        }
    }
}
