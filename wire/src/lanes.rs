//! A process's further sockets, handed to it over its first one.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

/// The most sockets that are handed over.
pub const LANES_MAX: usize = 64;

/// Hands `lanes` over `socket`, ahead of every frame.
pub fn send(_socket: &UnixStream, _lanes: &[OwnedFd]) -> io::Result<()> {
    unimplemented!()
}

/// Takes what [`send`] handed over; blocks until it came.
pub fn receive(_socket: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    unimplemented!()
}
