//! The states of an order, and what a report makes of one.
//!
//! Order states only ever move on. A report that comes late or twice changes nothing; two final states
//! that exclude each other are a contradiction, which is the venue's to explain.

use serde::{Deserialize, Serialize};

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Sent; the venue has not said yet whether it takes it.
    Submitted,
    /// Sent, and nobody knows whether the venue took it.
    Unknown,
    /// The venue has it and it may fill.
    Working,
    /// Filled whole.
    Filled,
    /// Taken back, by us or by the venue; it may have filled in part.
    Cancelled,
    /// Its time in force ended; it may have filled in part.
    Expired,
    /// Never accepted, by the venue's positive word.
    Rejected,
    /// Proven never to have been accepted, though the venue never said so.
    Lost,
}

/// What a report makes of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<S> {
    /// It moves on to this one.
    To(S),
    /// It stays: the report is late, or comes twice.
    Stays,
    /// Both cannot be true.
    Contradiction,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Unknown,
        Self::Working,
        Self::Filled,
        Self::Cancelled,
        Self::Expired,
        Self::Rejected,
        Self::Lost,
    ];

    /// Whether nothing can follow. Fills of a final order may still be on their way.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Submitted | Self::Unknown | Self::Working)
    }

    /// Whether the venue certainly took it.
    #[must_use]
    pub const fn was_accepted(self) -> bool {
        matches!(
            self,
            Self::Working | Self::Filled | Self::Cancelled | Self::Expired
        )
    }

    /// What a report of `reported` makes of this state.
    ///
    /// | from \ reported | submitted | unknown | working | filled | cancelled, expired | rejected, lost |
    /// | --- | --- | --- | --- | --- | --- | --- |
    /// | submitted | stays | to | to | to | to | to |
    /// | unknown | stays | stays | to | to | to | to |
    /// | working | stays | stays | stays | to | to | contradiction |
    /// | filled | stays | stays | stays | stays | stays | contradiction |
    /// | cancelled, expired | stays | stays | stays | to filled | stays | contradiction |
    /// | rejected, lost | stays | stays | contradiction | contradiction | contradiction | stays |
    ///
    /// A cancelled or expired order may turn out to have filled whole in a race; a filled one stays so.
    #[must_use]
    pub const fn after(self, reported: Self) -> Progress<Self> {
        use OrderState::{Cancelled, Expired, Filled, Lost, Rejected, Submitted, Unknown, Working};
        match (self, reported) {
            (_, Submitted)
            | (Unknown | Working, Unknown)
            | (Working, Working)
            | (Filled | Cancelled | Expired, Unknown | Working)
            | (Filled, Filled | Cancelled | Expired)
            | (Cancelled | Expired, Cancelled | Expired)
            | (Rejected | Lost, Unknown | Rejected | Lost) => Progress::Stays,
            (Submitted, _) | (Unknown, _) | (Working, Filled | Cancelled | Expired) => {
                Progress::To(reported)
            }
            (Cancelled | Expired, Filled) => Progress::To(Filled),
            (Working | Filled | Cancelled | Expired, Rejected | Lost)
            | (Rejected | Lost, Working | Filled | Cancelled | Expired) => Progress::Contradiction,
        }
    }

    /// The name in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Unknown => "unknown",
            Self::Working => "working",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of [`OrderState::after`] written out, row by row: `-` stays, `!` contradicts, a letter
    /// is the state it moves to.
    const TABLE: [(OrderState, &str); 8] = [
        (OrderState::Submitted, "-uwfcerl"),
        (OrderState::Unknown, "--wfcerl"),
        (OrderState::Working, "---fce!!"),
        (OrderState::Filled, "------!!"),
        (OrderState::Cancelled, "---f--!!"),
        (OrderState::Expired, "---f--!!"),
        (OrderState::Rejected, "--!!!!--"),
        (OrderState::Lost, "--!!!!--"),
    ];

    #[test]
    fn every_state_and_report_is_in_the_table() {
        let letters = "suwfcerl";
        for (from, row) in TABLE {
            for ((reported, expected), own) in OrderState::ALL
                .into_iter()
                .zip(row.chars())
                .zip(letters.chars())
            {
                let progress = from.after(reported);
                match expected {
                    '-' => assert_eq!(progress, Progress::Stays, "{from:?} {reported:?}"),
                    '!' => assert_eq!(progress, Progress::Contradiction, "{from:?} {reported:?}"),
                    letter => {
                        assert_eq!(letter, own, "{from:?} {reported:?}");
                        assert_eq!(progress, Progress::To(reported), "{from:?} {reported:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn reports_in_any_order_end_in_the_same_final_state() {
        use OrderState::{Cancelled, Filled, Submitted, Unknown, Working};
        let step = |state: OrderState, reported| match state.after(reported) {
            Progress::To(next) => next,
            Progress::Stays => state,
            Progress::Contradiction => panic!("{state:?} {reported:?}"),
        };
        for reports in [
            [Submitted, Unknown, Working, Filled],
            [Filled, Working, Unknown, Submitted],
            [Unknown, Filled, Cancelled, Working],
            [Cancelled, Filled, Submitted, Unknown],
        ] {
            let last = reports.into_iter().fold(Submitted, step);
            assert_eq!(last, Filled, "{reports:?}");
        }
    }
}
