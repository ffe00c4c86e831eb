//! The command line of `basis` with one mode more.

fn main() {
    match own_mode::app() {
        Ok(app) => std::process::exit(basis::cli::run(app)),
        Err(_) => std::process::exit(2),
    }
}
