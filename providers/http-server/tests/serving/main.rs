//! A real `wattle-http-server` process, real clients, and the test in the host's place at the other end of its socketpair.

mod actor;
mod bodies;
mod client;
mod connections;
mod host;
mod links;
mod protocols;
mod refusals;
mod requests;
