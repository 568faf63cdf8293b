//! Declared applications: a manifest says what should run where, the planner what to do so that it does.
//!
//! Nothing here performs I/O.

pub mod manifest;
pub mod plan;
pub mod reconcile;
