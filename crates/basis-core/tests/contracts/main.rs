//! The protocol maths against the real contracts: the bytecode their authors ship, run in process.
//!
//! `basis_contracts` deploys them; one module here per protocol compares.
