//! The command line of `basis` with one venue more.

fn main() {
    match own_venue::registry() {
        Ok(registry) => std::process::exit(basis::cli::run(registry)),
        Err(_) => std::process::exit(2),
    }
}
