//! What the engine does when venues that are not ours answer late, wrongly, or not at all.

mod bad_input;
mod chain;
mod commands;
mod policies;
mod unknown;
mod unreadable;
