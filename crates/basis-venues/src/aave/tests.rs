//! Behaviour of the simulated pool: hand-computed lines, interest, refusals, liquidation.

mod interest;
mod liquidation;
mod operations;
mod random;
mod recorded;
mod refusals;
