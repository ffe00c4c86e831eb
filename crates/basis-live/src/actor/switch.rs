//! The kill switch: while it is thrown, nothing but a cancellation leaves.

use std::fmt;
use std::path::PathBuf;

/// Says whether trading has been stopped by hand. It is asked immediately before a request that acts leaves.
pub trait KillSwitch: Send + Sync + fmt::Debug {
    /// Why nothing may be sent, in words; `None` when it may.
    fn thrown(&self) -> Option<String>;
}

/// A switch that is thrown while a file is there, or while nobody can say whether it is.
#[derive(Clone, Debug)]
pub struct FileSwitch {
    path: PathBuf,
}

impl FileSwitch {
    /// Watches `path`.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl KillSwitch for FileSwitch {
    fn thrown(&self) -> Option<String> {
        let path = self.path.display();
        match self.path.try_exists() {
            Ok(false) => None,
            Ok(true) => Some(format!(
                "the kill file {path} is there; remove it to trade on"
            )),
            Err(e) => Some(format!("the kill file {path} cannot be looked for: {e}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_throws_the_switch_until_it_is_removed() {
        let path = std::env::temp_dir().join(format!("basis-kill-{}", std::process::id()));
        let switch = FileSwitch::new(path.clone());
        assert_eq!(switch.thrown(), None);
        std::fs::write(&path, "").unwrap();
        assert!(switch.thrown().unwrap().contains("basis-kill-"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(switch.thrown(), None);
    }

    #[test]
    fn a_place_that_cannot_be_looked_at_throws_the_switch() {
        // A file is no folder, so nothing can be looked for below it.
        let below = std::env::current_exe().unwrap().join("kill");
        let thrown = FileSwitch::new(below).thrown();
        assert!(thrown.is_some_and(|text| text.contains("cannot be looked for")));
    }
}
