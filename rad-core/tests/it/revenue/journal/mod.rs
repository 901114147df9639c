//! The journal: its worked example, its laws, and that the laws meet every account of the chart.

mod coverage;
mod example;
mod laws;
