//! The mesh against real nats-servers, each in a folder of its own, on a free port, gone with its test.
#![allow(clippy::unwrap_used, reason = "tests")]

mod artifacts;
mod connecting;
mod control;
mod given;
mod records;
mod said;
mod scene;
mod servers;
mod sessions;
