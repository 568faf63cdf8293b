//! One connection to a broker: packets in, packets out, and a sign of life now and then.

mod reader;
mod writer;

use std::{io, time::Duration};

use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Connect, ConnectProperties, ConnectReturnCode, Login as Credentials, Packet},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, split},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use wattle_messaging::limit::BODY_LEN_MAX;

#[cfg(test)]
pub(crate) use self::writer::writer_of_nobody;
pub(crate) use self::{
    reader::{Broken, Reader, Said},
    writer::Writer,
};
use crate::{login::Login, reason::is_refusal};

/// How long connecting, TLS and the broker's answer may take together.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// The most bytes of a packet that the broker may send: a message's body, and 64 KiB for its topic and all that it says beside it. The
/// broker is told when a connection begins, and drops what is longer.
pub(crate) const PACKET_LEN_MAX: u32 = BODY_LEN_MAX as u32 + 64 * 1024;

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// How a client introduces itself.
pub(crate) struct Hello<'a> {
    pub(crate) client: &'a str,
    /// Forget what there was of an earlier session.
    pub(crate) clean_start: bool,
    /// Seconds that the broker keeps the session after the connection has ended.
    pub(crate) session_expiry: u32,
    /// Messages that the broker may send without an acknowledgement.
    pub(crate) receive_max: u16,
}

/// What a broker answers to that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcome {
    /// It knows the session.
    pub(crate) resumed: bool,
    /// Seconds that it keeps the session, which may be fewer than it was asked for.
    pub(crate) session_expiry: u32,
    /// The most bytes of a packet that it takes.
    pub(crate) packet_len_max: usize,
    /// Messages that it takes without having acknowledged them.
    pub(crate) receive_max: u16,
    pub(crate) max_qos: QoS,
    pub(crate) retains: bool,
}

/// A connection, open.
pub(crate) struct Opened {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) welcome: Welcome,
    /// What writes. It ends with this.
    pub(crate) driver: Driver,
}

/// A task that ends with whoever holds this.
pub(crate) struct Driver(pub(crate) JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// The broker is not there, or not yet.
    Unreachable(String),
    /// It is, and does not want any client for the moment; or it is something else.
    Unwilling(String),
    /// It is, and does not want this client.
    Refused(String),
}

impl OpenError {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::Unwilling(reason) | Self::Refused(reason) => reason,
        }
    }
}

/// Connects and logs in.
pub(crate) async fn open(login: &Login, hello: &Hello<'_>) -> Result<Opened, OpenError> {
    let opened = timeout(CONNECT_WAIT, handshake(login, hello)).await;
    opened.unwrap_or_else(|_| Err(OpenError::Unreachable("no answer in time".into())))
}

async fn handshake(login: &Login, hello: &Hello<'_>) -> Result<Opened, OpenError> {
    let socket = socket(login).await.map_err(|error| OpenError::Unreachable(error.to_string()))?;
    let (reading, writing) = split(socket);
    let silence_max = login.keep_alive;
    let mut reader = Reader::new(reading, silence_max);
    let (writer, driver) = writer::start(writing, silence_max);
    let driver = Driver(driver);
    let credentials = login.user.as_ref().map(|(username, password)| Credentials {
        username: username.clone(),
        password: password.clone().unwrap_or_default(),
    });
    writer.say(Packet::Connect(connect(login, hello), None, credentials));
    let answer = reader.next().await.map_err(|broken| match broken {
        Broken::Lost(_) | Broken::Silent => OpenError::Unreachable(broken.to_string()),
        _ => OpenError::Unwilling(broken.to_string()),
    })?;
    let Said::Packet(Packet::ConnAck(answer)) = answer else {
        return Err(OpenError::Unwilling("what answers does not speak MQTT 5".into()));
    };
    if answer.code != ConnectReturnCode::Success {
        let reason = format!("it does not take this login: {:?}", answer.code);
        return Err(if is_refusal(answer.code) {
            OpenError::Refused(reason)
        } else {
            OpenError::Unwilling(reason)
        });
    }
    let said = answer.properties.as_ref();
    let welcome = Welcome {
        resumed: answer.session_present,
        session_expiry: said
            .and_then(|said| said.session_expiry_interval)
            .unwrap_or(hello.session_expiry),
        packet_len_max: said
            .and_then(|said| said.max_packet_size)
            .map_or(usize::MAX, |len| usize::try_from(len).unwrap_or(usize::MAX)),
        receive_max: said.and_then(|said| said.receive_max).unwrap_or(u16::MAX),
        max_qos: match said.and_then(|said| said.max_qos) {
            Some(0) => QoS::AtMostOnce,
            Some(1) => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        },
        retains: said.and_then(|said| said.retain_available) != Some(0),
    };
    Ok(Opened { reader, writer, welcome, driver })
}

fn connect(login: &Login, hello: &Hello<'_>) -> Connect {
    Connect {
        keep_alive: u16::try_from(login.keep_alive.as_secs()).unwrap_or(u16::MAX),
        client_id: hello.client.to_owned(),
        clean_start: hello.clean_start,
        properties: Some(ConnectProperties {
            session_expiry_interval: Some(hello.session_expiry),
            receive_maximum: Some(hello.receive_max),
            max_packet_size: Some(PACKET_LEN_MAX),
            ..ConnectProperties::new()
        }),
    }
}

async fn socket(login: &Login) -> io::Result<Box<dyn Socket>> {
    let stream = TcpStream::connect((login.host.as_str(), login.port)).await?;
    stream.set_nodelay(true)?;
    match &login.tls {
        None => Ok(Box::new(stream)),
        Some(tls) => {
            let connector = TlsConnector::from(tls.config.clone());
            Ok(Box::new(connector.connect(tls.name.clone(), stream).await?))
        }
    }
}
