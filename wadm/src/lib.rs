//! Declared applications: a manifest says what should run where.
//!
//! Nothing here performs I/O.

pub mod manifest;
