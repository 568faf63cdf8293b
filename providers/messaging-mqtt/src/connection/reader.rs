//! What a broker says, packet by packet.

use std::{fmt, io, time::Duration};

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::{
    Error,
    v5::{DisconnectReasonCode, Packet, check},
};
use tokio::{
    io::{AsyncReadExt as _, ReadHalf},
    time::timeout,
};

use super::{PACKET_LEN_MAX, Socket};

/// Bytes that are read at once where no longer packet is under way.
const READ_LEN: usize = 16 * 1024;

/// The types of packets that rumqttc does not read as they come, in a packet's first four bits.
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const DISCONNECT: u8 = 14;

/// Reads packets from a connection.
pub(crate) struct Reader {
    socket: ReadHalf<Box<dyn Socket>>,
    buffer: BytesMut,
    silence_max: Duration,
}

/// What a broker says. Of acknowledgements rumqttc does not know all reasons, and takes a packet with another for none: so these are
/// MQTT's own codes.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "each is taken at once, and none is kept")]
pub(crate) enum Said {
    /// It has taken a message of QoS 1, or will not.
    Acknowledged { number: u16, reason: u8 },
    /// The same of QoS 2: it has received it.
    Received { number: u16, reason: u8 },
    /// Anything else.
    Packet(Packet),
}

/// Why a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The broker is gone.
    Lost(String),
    /// It says why.
    Disconnected(DisconnectReasonCode),
    /// It is there, and hangs.
    Silent,
    /// It sends what it must not: this would be longer than it was told.
    TooLarge(usize),
    /// It sends what is none of MQTT's packets.
    Malformed(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(reason) => write!(f, "the connection broke: {reason}"),
            Self::Disconnected(code) => write!(f, "the broker closed the connection: {code:?}"),
            Self::Silent => f.write_str("no answer in time"),
            Self::TooLarge(len) => {
                write!(f, "the broker sends a packet of {len} bytes, the limit is {PACKET_LEN_MAX}")
            }
            Self::Malformed(reason) => write!(f, "the broker does not speak MQTT 5: {reason}"),
        }
    }
}

impl Reader {
    pub(super) fn new(socket: ReadHalf<Box<dyn Socket>>, silence_max: Duration) -> Self {
        Self { socket, buffer: BytesMut::with_capacity(READ_LEN), silence_max }
    }

    /// What it says next. A broker is asked for a sign of life several times within the longest silence.
    ///
    /// # Cancel safety
    /// What was read of a packet stays here.
    pub(crate) async fn next(&mut self) -> Result<Said, Broken> {
        loop {
            if let Some(said) = take(&mut self.buffer)? {
                return Ok(said);
            }
            self.buffer.reserve(READ_LEN);
            let read = timeout(self.silence_max, self.socket.read_buf(&mut self.buffer)).await;
            match read {
                Err(_) => return Err(Broken::Silent),
                Ok(Ok(0)) => return Err(Broken::Lost("it was closed".into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(lost(&error)),
            }
        }
    }
}

fn lost(error: &io::Error) -> Broken {
    Broken::Lost(error.to_string())
}

/// The packet that the buffer begins with, once it is there whole. How long it will be is in its first bytes.
fn take(buffer: &mut BytesMut) -> Result<Option<Said>, Broken> {
    let header = match check(buffer.iter(), Some(PACKET_LEN_MAX)) {
        Ok(header) => header,
        Err(Error::InsufficientBytes(_)) => return Ok(None),
        Err(Error::PayloadSizeLimitExceeded { pkt_size, .. }) => {
            return Err(Broken::TooLarge(pkt_size));
        }
        Err(error) => return Err(Broken::Malformed(error.to_string())),
    };
    let mut packet = buffer.split_to(header.frame_length());
    let said = match packet[0] >> 4 {
        DISCONNECT => return Err(Broken::Disconnected(disconnected(&packet))),
        PUBACK => {
            acknowledged(&packet).map(|(number, reason)| Said::Acknowledged { number, reason })
        }
        PUBREC => acknowledged(&packet).map(|(number, reason)| Said::Received { number, reason }),
        _ => Packet::read(&mut packet, None).map(Said::Packet).map_err(|error| error.to_string()),
    };
    said.map(Some).map_err(Broken::Malformed)
}

/// What stands behind a packet's type and its length, which is of one to four bytes.
fn behind_len(packet: &[u8]) -> &[u8] {
    let before_last = packet.iter().skip(1).take_while(|&&byte| byte & 0x80 != 0).count();
    packet.get(before_last + 2..).unwrap_or_default()
}

/// A message's number, and what became of it. Without a reason it is a success.
fn acknowledged(packet: &[u8]) -> Result<(u16, u8), String> {
    let (number, rest) =
        behind_len(packet).split_first_chunk().ok_or("an acknowledgement of nothing")?;
    Ok((u16::from_be_bytes(*number), rest.first().copied().unwrap_or(0)))
}

/// The reason that ends a connection. rumqttc does not read one without properties, which is how most come.
fn disconnected(packet: &[u8]) -> DisconnectReasonCode {
    let code = behind_len(packet).first().copied().unwrap_or(0);
    DisconnectReasonCode::try_from(code).unwrap_or(DisconnectReasonCode::UnspecifiedError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_taken_whole_and_one_after_the_other() {
        let mut buffer = BytesMut::from(&[0xd0, 0, 0xd0][..]);
        assert!(matches!(take(&mut buffer), Ok(Some(Said::Packet(Packet::PingResp(_))))));
        assert_eq!(take(&mut buffer), Ok(None));
        buffer.extend_from_slice(&[0]);
        assert!(matches!(take(&mut buffer), Ok(Some(Said::Packet(Packet::PingResp(_))))));
    }

    #[test]
    fn a_packet_past_the_limit_is_refused_by_its_first_bytes() {
        let mut buffer = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f][..]);
        assert_eq!(take(&mut buffer), Err(Broken::TooLarge(268_435_455)));
        assert!(buffer.capacity() < READ_LEN, "nothing was made ready for it");
    }

    #[test]
    fn an_acknowledgement_has_its_reason_whichever_it_is() {
        let said = |bytes: &[u8]| take(&mut BytesMut::from(bytes));
        let number = 0x0102;
        for (bytes, reason) in [
            (&[0x40, 2, 1, 2][..], 0),
            (&[0x40, 3, 1, 2, 0x95], 0x95),
            (&[0x40, 4, 1, 2, 0xfe, 0], 0xfe),
            (&[0x40, 8, 1, 2, 0x87, 4, 0x1f, 0, 1, b'n'], 0x87),
        ] {
            assert_eq!(said(bytes), Ok(Some(Said::Acknowledged { number, reason })));
            let bytes = [&[0x50], &bytes[1..]].concat();
            assert_eq!(said(&bytes), Ok(Some(Said::Received { number, reason })));
        }
        assert!(matches!(said(&[0x40, 1, 1]), Err(Broken::Malformed(_))));
    }

    #[test]
    fn any_bytes_are_a_packet_or_a_reason_and_never_a_panic() {
        for first in 0..=u8::MAX {
            for rest in [
                &[][..],
                &[0],
                &[1, 0],
                &[2, 0, 0],
                &[3, 0, 9, 1],
                &[4, 0, 0, 0x26, 0xff],
                &[0x80, 0x80, 0x80, 0x80, 1],
            ] {
                let mut buffer = BytesMut::from(&[&[first], rest].concat()[..]);
                let _ = take(&mut buffer); // whichever of the two it is
            }
        }
        let said = |bytes: &[u8]| take(&mut BytesMut::from(bytes));
        let taken_over = DisconnectReasonCode::SessionTakenOver;
        assert_eq!(said(&[0xe0, 1, 0x8e]), Err(Broken::Disconnected(taken_over)));
        let normal = DisconnectReasonCode::NormalDisconnection;
        assert_eq!(said(&[0xe0, 0]), Err(Broken::Disconnected(normal)));
    }
}
