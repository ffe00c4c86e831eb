//! The `basis` binary: the command line with the built-in venues.

use basis::venues::registry::Registry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    std::process::exit(basis::cli::run(Registry::builtin()));
}
