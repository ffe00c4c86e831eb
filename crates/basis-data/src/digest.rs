//! The SHA-256 of a file, so that a run says exactly which data it was made from.

use std::fmt::Write as _;
use std::path::Path;

use basis_market::DataFile;
use sha2::{Digest, Sha256};

/// Returns the entry of `series`, of which `bytes` stand at `path` in the data directory `dir`.
pub(crate) fn digest(dir: &Path, series: &str, path: &Path, bytes: &[u8]) -> DataFile {
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(sha256, "{byte:02x}").expect("invariant: a String takes every write");
    }
    let below = path.strip_prefix(dir).unwrap_or(path);
    DataFile {
        series: series.to_owned(),
        path: below.display().to_string(),
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_digest_is_that_of_sha256sum() {
        let scratch = Scratch::new();
        let path = scratch.path().join("spot/okx/BTCUSDT_1h.csv");
        let found = digest(scratch.path(), "spot.okx.BTCUSDT", &path, b"abc");
        assert_eq!(found.path, "spot/okx/BTCUSDT_1h.csv");
        assert_eq!(
            found.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
