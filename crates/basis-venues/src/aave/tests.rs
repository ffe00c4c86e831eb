//! Behaviour of the simulated pool.
