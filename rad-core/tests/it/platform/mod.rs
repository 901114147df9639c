//! The use cases, end to end on in-memory backends: who may do what, and what becomes of credits when things go wrong.

mod access;
mod acting;
mod buying;
mod checking;
mod deploying;
mod following;
mod grouping;
mod hooks;
mod market;
mod publishing;
mod recovery;
mod refining;
mod scanning;
mod sharing;
mod tokens;
mod unsteady;
mod updating;
mod watching;
