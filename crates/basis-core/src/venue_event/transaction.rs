//! The stages of a transaction on chain. Unlike an order, it can go back: a reorganisation takes a
//! mined one out, and it may be mined again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Progress;

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStage {
    /// Signed, and so it has a hash and a nonce; nothing left.
    Signed,
    /// A node was asked to spread it.
    Broadcast,
    /// In a block, and it did what it was asked.
    Mined,
    /// In a block, and it did nothing but cost gas.
    Reverted,
    /// Deep enough in the chain to stay.
    Final,
    /// Its block was taken out; what it changed is undone.
    Reorged,
    /// No node knows it, and its nonce is free.
    Dropped,
    /// Another transaction took its nonce.
    Replaced,
}

impl TransactionStage {
    /// Every stage.
    pub const ALL: [Self; 8] = [
        Self::Signed,
        Self::Broadcast,
        Self::Mined,
        Self::Reverted,
        Self::Final,
        Self::Reorged,
        Self::Dropped,
        Self::Replaced,
    ];

    /// Whether its changes stand in the ledger at this stage.
    #[must_use]
    pub const fn is_included(self) -> bool {
        matches!(self, Self::Mined | Self::Reverted | Self::Final)
    }

    /// What a report of `reported` makes of this stage, both of one inclusion.
    ///
    /// | from \ reported | signed | broadcast | mined, reverted | final | reorged | dropped, replaced |
    /// | --- | --- | --- | --- | --- | --- | --- |
    /// | signed | stays | to | to | to | contradiction | to |
    /// | broadcast | stays | stays | to | to | contradiction | to |
    /// | mined, reverted | stays | stays | itself stays, the other contradicts | to | to | contradiction |
    /// | final | stays | stays | stays | stays | contradiction | contradiction |
    /// | reorged | stays | to | to | to | stays | to |
    /// | dropped, replaced | stays | to | to | to | contradiction | stays |
    ///
    /// A dropped or replaced transaction can still be mined: some node kept it. What is reorged comes
    /// back as the next inclusion.
    #[must_use]
    pub const fn after(self, reported: Self) -> Progress<Self> {
        use TransactionStage::{
            Broadcast, Dropped, Final, Mined, Reorged, Replaced, Reverted, Signed,
        };
        match (self, reported) {
            (_, Signed)
            | (Broadcast | Mined | Reverted | Final, Broadcast)
            | (Mined, Mined)
            | (Reverted, Reverted)
            | (Final, Mined | Reverted | Final)
            | (Reorged, Reorged)
            | (Dropped | Replaced, Dropped | Replaced) => Progress::Stays,
            (Signed | Broadcast | Dropped | Replaced | Final, Reorged)
            | (Mined, Reverted)
            | (Reverted, Mined)
            | (Mined | Reverted | Final, Dropped | Replaced) => Progress::Contradiction,
            (Signed | Broadcast | Mined | Reverted | Reorged | Dropped | Replaced, _) => {
                Progress::To(reported)
            }
        }
    }

    /// The name in causes and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Broadcast => "broadcast",
            Self::Mined => "mined",
            Self::Reverted => "reverted",
            Self::Final => "final",
            Self::Reorged => "reorged",
            Self::Dropped => "dropped",
            Self::Replaced => "replaced",
        }
    }
}

/// The hash of a transaction, written `0x…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionHash([u8; 32]);

impl TransactionHash {
    /// The hash with these bytes, first byte first.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TransactionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TransactionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl FromStr for TransactionHash {
    type Err = String;

    /// Parses `0x` and 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no transaction hash; write 0x and 64 hexadecimal digits");
        let digits = text.strip_prefix("0x").ok_or_else(wrong)?;
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * at..2 * at + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|e| format!("{}: {e}", wrong()))?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for TransactionHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransactionHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row by row: `-` stays, `!` contradicts, `>` moves to what is reported.
    const TABLE: [(TransactionStage, &str); 8] = [
        // reported: signed broadcast mined reverted final reorged dropped replaced
        (TransactionStage::Signed, "->>>>!>>"),
        (TransactionStage::Broadcast, "-->>>!>>"),
        (TransactionStage::Mined, "---!>>!!"),
        (TransactionStage::Reverted, "--!->>!!"),
        (TransactionStage::Final, "-----!!!"),
        (TransactionStage::Reorged, "->>>>->>"),
        (TransactionStage::Dropped, "->>>>!--"),
        (TransactionStage::Replaced, "->>>>!--"),
    ];

    #[test]
    fn every_stage_and_report_is_in_the_table() {
        for (from, row) in TABLE {
            for (reported, expected) in TransactionStage::ALL.into_iter().zip(row.chars()) {
                let wanted = match expected {
                    '-' => Progress::Stays,
                    '!' => Progress::Contradiction,
                    _ => Progress::To(reported),
                };
                assert_eq!(from.after(reported), wanted, "{from:?} {reported:?}");
            }
        }
    }

    #[test]
    fn hashes_read_as_they_are_written_and_nothing_else_does() {
        let mut bytes = [0; 32];
        bytes[0] = 0xab;
        bytes[31] = 7;
        let hash = TransactionHash::new(bytes);
        assert_eq!(hash.to_string().parse::<TransactionHash>().unwrap(), hash);
        for wrong in ["", "0x", "ab", "0xzz", &hash.to_string()[..65]] {
            assert!(wrong.parse::<TransactionHash>().is_err(), "{wrong}");
        }
    }
}
