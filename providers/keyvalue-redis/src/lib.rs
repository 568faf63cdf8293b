//! `wasi:keyvalue` over Redis: one multiplexed connection per lane and server, which comes back by itself.

mod address;
mod connection;
mod line;
mod notifications;
mod pool;
mod provider;
mod store;
mod watching;

pub use address::{Address, AddressError};
pub use pool::{Lanes, Pool};
pub use provider::Redis;
pub use store::RedisStore;
