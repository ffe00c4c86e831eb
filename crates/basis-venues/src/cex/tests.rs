//! Hand-computed ledgers of every behaviour, and conservation over random instructions.

mod advancing;
mod random;
mod refusals;
mod trading;
mod transfers;
