//! Market data: the recorded layout and its checks, and a synthetic market for runs without data.
//!
//! It turns files into [`basis_market::MarketData`]. It does not decide what is visible when
//! (that is [`basis_market::MarketView`]) and fills no gap.
//!
//! **Invariants.** Numbers are read exactly; a line that cannot be is an error naming file, line,
//! column and text, never a skipped row. Results do not depend on the number of threads. Generated
//! data is labeled synthetic. Reads only below the given directory and, to import, the named files;
//! only [`mod@import`] writes, below its directory. Prints nothing.

pub mod catalogue;
pub mod check;
pub mod csv;
pub mod digest;
pub mod import;
mod load;
#[cfg(feature = "parquet")]
pub mod parquet;
mod ray;
pub mod render;
pub mod rows;
pub mod runnable;
pub mod synthetic;

pub use catalogue::{Catalogue, IgnoredFile, SeriesFile};
pub use check::{DataReport, GapRange, SeriesReport, TableReport, check};
pub use import::{ImportReport, ImportRequest, ImportedSeries, SourceReport, import};
pub use load::{LoadProgress, LoadRequest, LoadedData, load};
pub use render::render;
pub use runnable::{DateRange, ModeGaps, ModeRange, ModeRequirement, runnable};
pub use synthetic::{SyntheticGap, SyntheticSpec, synthetic};

/// A directory for one test, removed when dropped.
#[cfg(test)]
pub(crate) mod scratch {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);

    pub(crate) struct Scratch(PathBuf);

    impl Scratch {
        pub(crate) fn new() -> Self {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("basis-data-{}-{number}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        /// Writes a file below the directory and returns its path.
        pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    /// The recorded data beside the checkout; `None`, said loudly, when it is not there.
    pub(crate) fn recorded() -> Option<PathBuf> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        if dir.join("spot").is_dir() {
            return Some(dir);
        }
        eprintln!("SKIPPED: no recorded data in {}", dir.display());
        None
    }
}
