//! The stages of a transfer between two accounts of ours.

use serde::{Deserialize, Serialize};

use super::Progress;

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStage {
    /// Asked for; nothing has moved.
    Requested,
    /// It has left the sender and is in flight.
    Sent,
    /// Seen on its way to the receiver; nothing moves in the books.
    Confirmed,
    /// In the receiver's account.
    Credited,
    /// Moved from one account to another in one booking: nothing was ever in flight.
    Moved,
    /// Refused before it left; nothing has moved.
    Failed,
    /// Back in the sender's account after it had left.
    Returned,
}

impl TransferStage {
    /// Every stage.
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::Sent,
        Self::Confirmed,
        Self::Credited,
        Self::Moved,
        Self::Failed,
        Self::Returned,
    ];

    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Credited | Self::Moved | Self::Failed | Self::Returned
        )
    }

    /// What a report of `reported` makes of this stage.
    ///
    /// | from \ reported | requested | sent | confirmed | credited | moved | failed | returned |
    /// | --- | --- | --- | --- | --- | --- | --- | --- |
    /// | requested | stays | to | to | to | to | to | to |
    /// | sent | stays | stays | to | to | contradiction | contradiction | to |
    /// | confirmed | stays | stays | stays | to | contradiction | contradiction | to |
    /// | credited | stays | stays | stays | stays | contradiction | contradiction | contradiction |
    /// | moved | stays | contradiction | contradiction | contradiction | stays | contradiction | contradiction |
    /// | failed | stays | contradiction | contradiction | contradiction | contradiction | stays | contradiction |
    /// | returned | stays | stays | stays | contradiction | contradiction | contradiction | stays |
    ///
    /// The receiver may report a credit before the sender reports that it left.
    #[must_use]
    pub const fn after(self, reported: Self) -> Progress<Self> {
        use TransferStage::{Confirmed, Credited, Failed, Moved, Requested, Returned, Sent};
        match (self, reported) {
            (_, Requested)
            | (Sent | Confirmed | Credited | Returned, Sent)
            | (Confirmed | Credited | Returned, Confirmed)
            | (Credited, Credited)
            | (Moved, Moved)
            | (Failed, Failed)
            | (Returned, Returned) => Progress::Stays,
            (Requested, _)
            | (Sent, Confirmed | Credited | Returned)
            | (Confirmed, Credited | Returned) => Progress::To(reported),
            _ => Progress::Contradiction,
        }
    }

    /// The name in causes and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Credited => "credited",
            Self::Moved => "moved",
            Self::Failed => "failed",
            Self::Returned => "returned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row by row: `-` stays, `!` contradicts, `>` moves to what is reported.
    const TABLE: [(TransferStage, &str); 7] = [
        // reported: requested sent confirmed credited moved failed returned
        (TransferStage::Requested, "->>>>>>"),
        (TransferStage::Sent, "-->>!!>"),
        (TransferStage::Confirmed, "--->!!>"),
        (TransferStage::Credited, "----!!!"),
        (TransferStage::Moved, "-!!!-!!"),
        (TransferStage::Failed, "-!!!!-!"),
        (TransferStage::Returned, "---!!!-"),
    ];

    #[test]
    fn every_stage_and_report_is_in_the_table() {
        for (from, row) in TABLE {
            for (reported, expected) in TransferStage::ALL.into_iter().zip(row.chars()) {
                let wanted = match expected {
                    '-' => Progress::Stays,
                    '!' => Progress::Contradiction,
                    _ => Progress::To(reported),
                };
                assert_eq!(from.after(reported), wanted, "{from:?} {reported:?}");
            }
        }
    }
}
