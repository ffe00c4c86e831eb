//! Behaviour of the simulated contract.
