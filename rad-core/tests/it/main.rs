//! Behaviour of rad-core through its public surface.

mod memory;
mod module;
mod revenue;
