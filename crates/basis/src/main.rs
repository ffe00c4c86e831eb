//! The `basis` binary: the command line with the built-in venues.

use basis::venues::registry::Registry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(
    clippy::exit,
    reason = "the exit code is part of the command line's contract"
)]
fn main() {
    std::process::exit(basis::cli::run(Registry::builtin()));
}
