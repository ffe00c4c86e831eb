//! The SHA-256 of a file, so that a run says exactly which data it was made from.

use std::fmt::Write as _;
use std::path::Path;

use basis_core::error::ComponentError;
use basis_market::DataFile;
use sha2::{Digest, Sha256};

use crate::csv::read;

/// Returns the entry of `series`, read from `path` in the data directory `dir`.
///
/// # Errors
/// `DATA-001` when the file cannot be read.
pub(crate) fn digest(dir: &Path, series: &str, path: &Path) -> Result<DataFile, ComponentError> {
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(read(path)?) {
        write!(sha256, "{byte:02x}").expect("invariant: a String takes every write");
    }
    let below = path.strip_prefix(dir).unwrap_or(path);
    Ok(DataFile {
        series: series.to_owned(),
        path: below.display().to_string(),
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_digest_is_that_of_sha256sum() {
        let scratch = Scratch::new();
        let path = scratch.write("spot/okx/BTCUSDT_1h.csv", "abc");
        let found = digest(scratch.path(), "spot.okx.BTCUSDT", &path).unwrap();
        assert_eq!(found.path, "spot/okx/BTCUSDT_1h.csv");
        assert_eq!(
            found.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
