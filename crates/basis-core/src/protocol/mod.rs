//! Pure maths of venues and protocols: no state, no I/O, every rounding named.
//!
//! The same functions serve the simulated venue, the risk monitor and live previews.

pub mod perp;
