//! What holds, and everything that must not.

#![allow(missing_docs, reason = "tests are named by what they show")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audiences;
mod authority;
mod bodies;
mod chains;
mod forgeries;
mod golden;
mod issuers;
mod modules;
mod providers;
mod records;
mod revocations;
mod times;
