//! Messages over a broker: `wasmcloud:messaging`. An actor [publishes](publish) and [asks](request) over the link that it has, and
//! [handles](crate::messages!) what a broker's provider that is linked to it takes from its subscriptions.

use std::{fmt, time::Duration};

use crate::bindings::messaging::consumer;
pub use crate::bindings::messaging::types::BrokerMessage as Message;

#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod handler {
    wit_bindgen::generate!({
        inline: "
            package wattle:handler;

            world handler {
                export wasmcloud:messaging/handler@0.2.0;
            }
        ",
        path: "../messaging/wit",
        world: "wattle:handler/handler",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "wattle::messaging::handler",
    });
}

/// Why a message was not sent, or not answered. It begins with its kind: `denied: …`, `timeout: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// The kind: `denied`, `invalid`, `too-large`, `no-responders`, `timeout`, `unavailable`, `interrupted`, `failed`.
    pub fn kind(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Sends a message. The broker has taken it when this returns, as far as it tells.
pub fn publish(subject: impl Into<String>, body: impl Into<Vec<u8>>) -> Result<(), Error> {
    let message = Message { subject: subject.into(), body: body.into(), reply_to: None };
    consumer::publish(&message).map_err(Error)
}

/// Answers a message, if anybody waits for that.
pub fn reply(message: &Message, body: impl Into<Vec<u8>>) -> Result<(), Error> {
    match &message.reply_to {
        Some(subject) => publish(subject, body),
        None => Ok(()),
    }
}

/// Sends a message and waits for one answer to it.
pub fn request(subject: &str, body: &[u8], wait: Duration) -> Result<Message, Error> {
    let wait = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
    consumer::request(subject, body, wait).map_err(Error)
}

/// Makes a function the actor's handler of messages: it takes a [`Message`] and returns a [`Result`](crate::Result). An error has
/// the message come again where the link keeps messages until they are handled.
#[macro_export]
macro_rules! messages {
    ($handler:path) => {
        struct WattleMessageHandler;

        impl $crate::messaging::handler::exports::wasmcloud::messaging::handler::Guest
            for WattleMessageHandler
        {
            fn handle_message(
                message: $crate::messaging::handler::wasmcloud::messaging::types::BrokerMessage,
            ) -> Result<(), String> {
                let message = $crate::messaging::Message {
                    subject: message.subject,
                    body: message.body,
                    reply_to: message.reply_to,
                };
                $handler(message).map_err(|error: $crate::Error| error.to_string())
            }
        }

        $crate::messaging::handler::export!(
            WattleMessageHandler with_types_in $crate::messaging::handler
        );
    };
}
