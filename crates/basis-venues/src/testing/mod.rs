//! Desks for tests of several venues at once.

pub(crate) mod chain;
pub(crate) mod lending;
pub(crate) mod pools;
