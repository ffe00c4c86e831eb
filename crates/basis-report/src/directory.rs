//! Output directories: written beside their place and moved there whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};

/// One file of an output directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its path inside the directory, parts joined by `/`.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl WrittenFile {
    pub(crate) fn new(name: impl Into<String>, bytes: u64) -> Self {
        Self {
            name: name.into(),
            bytes,
        }
    }
}

/// Refuses an output directory that could not be written after the run, before the run.
///
/// Makes the directories above it; the directory itself appears only when a run has been written.
///
/// # Errors
/// `EVT-001` when `out` is a file or not empty, or when its parent cannot be made or written.
pub fn check_out_dir(out: &Path) -> Result<(), ComponentError> {
    let partial = Partial::create(out)?;
    fs::remove_dir(&partial.path).map_err(|e| unusable(&partial.path, &e.to_string()))
}

/// Writes `files`, each a name and its content, to `out`, which must not exist or be empty.
///
/// # Errors
/// As [`crate::run::write_run`].
pub fn write_files(out: &Path, files: &[(&str, Vec<u8>)]) -> Result<PathBuf, ComponentError> {
    let mut partial = Partial::create(out)?;
    for (name, content) in files {
        write_file(&partial.path, name, content)?;
    }
    partial.move_to_target()
}

/// Writes one file of a directory.
pub(crate) fn write_file(
    directory: &Path,
    name: &str,
    content: &[u8],
) -> Result<WrittenFile, ComponentError> {
    let path = directory.join(name);
    fs::write(&path, content).map_err(|e| failed(&path, &e))?;
    Ok(WrittenFile::new(name, content.len() as u64))
}

/// `EVT-002`: writing `path` failed.
pub(crate) fn failed(path: &Path, e: &io::Error) -> ComponentError {
    ComponentError::new(
        Code::OutputFailed,
        format!("cannot write {}: {e}", path.display()),
    )
}

/// `EVT-001`: nothing can be written at `path`.
pub(crate) fn unusable(path: &Path, why: &str) -> ComponentError {
    ComponentError::new(
        Code::OutputUnusable,
        format!("cannot use the output directory {}: {why}", path.display()),
    )
}

/// The place a run will have, links followed, when it is free.
fn resolve(out: &Path) -> Result<PathBuf, ComponentError> {
    let refuse = |e: io::Error| unusable(out, &e.to_string());
    match fs::metadata(out) {
        Ok(found) if !found.is_dir() => return Err(unusable(out, "it is a file")),
        Ok(_) => {
            if fs::read_dir(out).map_err(refuse)?.next().is_some() {
                return Err(unusable(
                    out,
                    "it exists and is not empty; name a new directory, or empty it",
                ));
            }
            return fs::canonicalize(out).map_err(refuse);
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(refuse(e)),
    }
    let Some(name) = out.file_name() else {
        return Err(unusable(out, "it has no name of its own"));
    };
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(refuse)?;
    Ok(fs::canonicalize(parent).map_err(refuse)?.join(name))
}

/// The directory beside the target that is written first; removed unless it was moved.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// Beside `out`, which must not exist or be empty.
    pub(crate) fn create(out: &Path) -> Result<Self, ComponentError> {
        let target = resolve(out)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let path = target.with_file_name(name);
        // A process id comes back, in containers always: what a killed run left is ours.
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|e| unusable(&target, &e.to_string()))?;
        }
        fs::create_dir(&path).map_err(|e| unusable(&target, &e.to_string()))?;
        Ok(Self { path, target })
    }

    pub(crate) fn move_to_target(&mut self) -> Result<PathBuf, ComponentError> {
        let target = &self.target;
        // Renaming over an empty directory is not portable; removing an empty one is.
        match fs::remove_dir(target) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(target, &e)),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&self.path, target).map_err(|e| failed(target, &e))?;
        Ok(target.clone())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the move there is nothing here any more; a failure to clean up has no one to tell.
        drop(fs::remove_dir_all(&self.path));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory of one test, removed when it ends.
    pub(crate) struct Scratch {
        pub(crate) path: PathBuf,
    }

    impl Scratch {
        pub(crate) fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("basis-report-{}-{name}", std::process::id()));
            drop(fs::remove_dir_all(&path));
            fs::create_dir_all(&path).unwrap();
            Self { path }
        }

        pub(crate) fn write(&self, name: &str, text: &str) {
            fs::write(self.path.join(name), text).unwrap();
        }

        pub(crate) fn entries(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&self.path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.path));
        }
    }

    #[test]
    fn a_file_or_an_unmakeable_place_is_refused_by_name() {
        let scratch = Scratch::new("file");
        let file = scratch.path.join("file");
        fs::write(&file, "x").unwrap();
        let e = check_out_dir(&file).unwrap_err();
        assert!(e.message.contains("file: it is a file"), "{e}");
        let e = check_out_dir(&file.join("below")).unwrap_err();
        assert_eq!(e.code, Code::OutputUnusable);
        assert!(e.message.contains("below"), "{e}");
        assert!(check_out_dir(Path::new("/")).is_err());
    }
}
