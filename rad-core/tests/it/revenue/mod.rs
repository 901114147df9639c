//! The revenue engine: its format, its worked example, its laws.

mod format;
