//! Frames between two processes: calls both ways over one socket, or in messages that somebody else carries, with bodies that
//! stream under back-pressure.
//!
//! A [`Connection`] carries calls; a [`Handler`] answers those of the other side. What travels is in [`frame`].

mod body;
mod connection;
pub mod frame;
mod handler;
pub mod lanes;
mod limits;
mod pipe;

pub use body::{Body, BodySender, ChunkSource, StreamError};
pub use connection::{Closed, Connection, ControlError, Counters, Intake, Outlet, PingError};
pub use handler::{Handler, Reply, Request};
pub use limits::Limits;
