//! `wasi:blobstore` in a file system: a container is a folder, an object a file, seen only when it is whole.

mod disk;
mod listing;
mod provider;
mod reading;
mod root;
mod settings;
mod staging;
mod store;
mod tree;
mod writing;

pub use provider::Files;
pub use settings::{Settings, SettingsError};
