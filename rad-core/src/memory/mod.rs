//! A backend in memory for every trait: for tests, for trying things out, and for platforms that need not last.
//!
//! Each keeps the whole contract of its trait and passes the same conformance suite as the durable ones; only what is in
//! it ends with the process.

mod clock;
mod directory;
mod payment;
mod settings;

pub use clock::ManualClock;
pub use directory::MemoryDirectory;
pub use payment::MemoryOrders;
pub use settings::MemorySettings;
