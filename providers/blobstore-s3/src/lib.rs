//! `wasi:blobstore` over S3 and what speaks like it: a container is a bucket, an object an object.

mod account;
mod error;
mod http;
mod io;
mod journal;
mod listing;
mod multipart;
mod patience;
mod provider;
mod reading;
mod settings;
mod signed;
mod store;
mod writing;

pub use provider::S3;
pub use settings::{Settings, SettingsError};
