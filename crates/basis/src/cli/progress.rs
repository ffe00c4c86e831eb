//! A progress bar, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr, or nothing when stderr is no terminal or the user wants quiet.
pub(super) fn bar(label: &'static str, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix:>8} [{bar:40}] {percent:>3} % {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style.progress_chars("=> "))
        .with_prefix(label)
}

/// The same with an estimate of the time that is left, for work in equal parts.
pub(super) fn estimating(label: &'static str, parts: u64, quiet: bool) -> ProgressBar {
    let bar = bar(label, quiet);
    if bar.is_hidden() {
        return bar;
    }
    let template = "{prefix:>8} [{bar:40}] {percent:>3} % {msg}, about {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_length(parts);
    bar
}
