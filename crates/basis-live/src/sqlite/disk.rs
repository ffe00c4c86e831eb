//! What a journal needs of a file system beside what SQLite does itself.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where journal files stand. There is one on the machine, [`FileSystem`]; tests bring others.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The name under which SQLite knows it; `None` for SQLite's own.
    fn vfs(&self) -> Option<&'static str>;

    /// Returns whether a file is there.
    ///
    /// # Errors
    /// When that cannot be known.
    fn is_there(&self, path: &Path) -> io::Result<bool>;

    /// Makes an empty file where none is.
    ///
    /// # Errors
    /// When one is there, or the file system refuses.
    fn make(&self, path: &Path) -> io::Result<()>;

    /// Takes the file for this process alone, as long as the result lives.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another has it.
    fn hold(&self, path: &Path) -> io::Result<Option<File>>;

    /// Makes the names in the file's directory durable.
    ///
    /// # Errors
    /// When they are not.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Pages of the write-ahead log, of 4,096 bytes, from which a quiet moment takes them over into the
    /// file. The log keeps its length, so that commits overwrite what is there.
    fn log_pages(&self) -> u32 {
        1_000
    }

    /// Gives the log beside the file its room at once, so that the first commits too overwrite blocks that
    /// are there and need not make the file longer.
    ///
    /// # Errors
    /// When there is no room.
    fn reserve_log(&self, path: &Path, bytes: usize) -> io::Result<()>;
}

/// The machine's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Disk for FileSystem {
    fn vfs(&self) -> Option<&'static str> {
        None
    }

    fn is_there(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn make(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(())
    }

    /// The lock is on the file itself, not on one beside it: a symbolic or hard link is the same file, and
    /// nobody can take the lock away by deleting it. A copy is another file; its next start has another
    /// epoch.
    ///
    /// SQLite's own locks are of another kind and do not meet it, but they are the process's: closing any
    /// handle on a file gives up all that the process has there. So the handle is closed only after
    /// SQLite's own (see `Writer`), and one that was not granted is never closed, since the holder may be
    /// this very process.
    fn hold(&self, path: &Path) -> io::Result<Option<File>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(refused) => {
                std::mem::forget(file);
                Err(match refused {
                    TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
                    TryLockError::Error(e) => e,
                })
            }
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(directory_of(path))?.sync_all()
    }

    fn reserve_log(&self, path: &Path, bytes: usize) -> io::Result<()> {
        // SQLite puts its log beside the file, not beside a link to it.
        let mut name = path.canonicalize()?.into_os_string();
        name.push("-wal");
        let mut log = OpenOptions::new().append(true).open(PathBuf::from(name))?;
        let length = usize::try_from(log.metadata()?.len()).unwrap_or(usize::MAX);
        // Zeros are no frame of the log: SQLite ends its reading before them.
        log.write_all(&vec![0; bytes.saturating_sub(length)])?;
        log.sync_all()
    }
}

/// The directory that a file's name stands in.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    }
}
