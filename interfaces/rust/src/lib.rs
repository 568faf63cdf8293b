//! Write a Wattle actor in Rust.
//!
//! An actor is business logic only: it answers requests, and reaches everything else through capabilities that its operator
//! links it to.
//!
//! ```no_run
//! use wattle::{Request, Response, Result, keyvalue};
//!
//! wattle::http!(count);
//!
//! fn count(request: Request) -> Result<Response> {
//!     let hits = keyvalue::open("default")?.increment(request.path(), 1)?;
//!     Ok(Response::text(format!("{hits}\n")))
//! }
//! ```
//!
//! A component imports only what its code uses, so what a module here needs is granted only to actors that call it.

mod bindings;
pub mod blobstore;
pub mod config;
pub mod control;
mod error;
pub mod http;
pub mod keyvalue;
pub mod link;
pub mod log;
pub mod messaging;
pub mod schedule;
pub mod secrets;
pub mod sql;

pub use error::{Error, Result};
pub use http::{Body, Request, Response};

#[doc(hidden)]
pub use wasip2 as __wasip2;
