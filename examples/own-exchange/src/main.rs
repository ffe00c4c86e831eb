//! The command line of `basis` with one exchange more.

use basis::App;

fn main() {
    match App::builtin().with_venue(own_exchange::DRIVER) {
        Ok(app) => std::process::exit(basis::cli::run(app)),
        Err(_) => std::process::exit(2),
    }
}
