//! `wattle-http-client` asks real servers, with the test in its host's place.

#[path = "../../../sql-postgres/tests/postgres/beside.rs"]
mod beside;
mod escapes;
mod failures;
mod host;
mod requests;
mod streams;
mod tls;
mod web;
