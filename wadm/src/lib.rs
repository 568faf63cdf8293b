//! Declared applications: a manifest says what should run where, the planner what to do so that it does, and the agent does it.
//!
//! Only [`agent`] performs I/O.

pub mod agent;
pub mod declare;
pub mod declared;
pub mod manifest;
mod observed;
pub mod plan;
pub mod preview;
pub mod reconcile;
