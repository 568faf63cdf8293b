//! `wattle-http-client` asks real servers, with the test in its host's place.

mod escapes;
mod failures;
mod host;
mod requests;
mod streams;
mod tls;
mod web;
