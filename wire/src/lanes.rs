//! A process's further sockets, handed to it over its first one ahead of every frame, so that none has to be inherited.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The most sockets that are handed over; the kernel takes 253 in one message.
pub const LANES_MAX: usize = 64;
/// What stands ahead of the number of sockets, so that anything else on the socket is noticed.
const MARK: [u8; 3] = *b"WL1";

/// Hands `lanes` over `socket`, ahead of every frame.
///
/// # Errors
/// There are too many, or the socket fails.
pub fn send(socket: &UnixStream, lanes: &[OwnedFd]) -> io::Result<()> {
    let count = u8::try_from(lanes.len()).ok().filter(|count| usize::from(*count) <= LANES_MAX);
    let count = count.ok_or_else(|| invalid("too many lanes"))?;
    let lanes: Vec<BorrowedFd<'_>> = lanes.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LANES_MAX))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !lanes.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(&lanes)) {
        return Err(invalid("too many lanes"));
    }
    let message = [MARK[0], MARK[1], MARK[2], count];
    let sent = sendmsg(socket, &[IoSlice::new(&message)], &mut rights, SendFlags::NOSIGNAL)?;
    if sent == message.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Takes what [`send`] handed over; blocks until it came. The sockets are closed when this process executes another program.
///
/// # Errors
/// `socket` is no socket, ended, or what came is not what [`send`] sends.
pub fn receive(socket: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut message = [0; MARK.len() + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LANES_MAX))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut message)],
        &mut rights,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL,
    )?;
    let mut lanes = Vec::new();
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            lanes.extend(fds);
        }
    }
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let [mark @ .., count] = message;
    let whole = got.bytes == message.len() && !got.flags.contains(ReturnFlags::CTRUNC);
    if !whole || mark != MARK || lanes.len() != usize::from(count) {
        return Err(invalid("no lanes came over the socket"));
    }
    Ok(lanes)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn sockets_are_handed_over_ahead_of_what_follows() {
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        let (first, mut first_end) = UnixStream::pair().expect("a pair");
        let (second, _second_end) = UnixStream::pair().expect("a pair");
        send(&here, &[first.into(), second.into()]).expect("sent");
        here.write_all(b"frames").expect("written");

        let mut lanes = receive(&there).expect("received");
        assert_eq!(lanes.len(), 2);
        UnixStream::from(lanes.swap_remove(0)).write_all(b"hi").expect("it is the first");
        let mut said = [0; 2];
        first_end.read_exact(&mut said).expect("it arrives");
        let mut rest = [0; 6];
        there.read_exact(&mut rest).expect("what follows is left alone");
        assert_eq!((&said, &rest), (b"hi", b"frames"));
    }

    #[test]
    fn none_is_a_number_of_lanes_too() {
        let (here, there) = UnixStream::pair().expect("a pair");
        send(&here, &[]).expect("sent");
        assert!(receive(&there).expect("received").is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        let (mut here, there) = UnixStream::pair().expect("a pair");
        here.write_all(b"GET / HTTP/1.1\r\n").expect("written");
        assert_eq!(receive(&there).expect_err("no lanes").kind(), io::ErrorKind::InvalidData);
        let (here, there) = UnixStream::pair().expect("a pair");
        drop(here);
        assert_eq!(receive(&there).expect_err("the end").kind(), io::ErrorKind::UnexpectedEof);
    }
}
