//! The `basis` binary: the command line with the built-in venues and modes.

use basis::App;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    std::process::exit(basis::cli::run(App::builtin()));
}
