//! Parameters and results as they travel: MessagePack maps with the WIT's names. Results are `result<T, string>`.
//!
//! What is read is borrowed from what was received, so a body is not copied on its way.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What every function answers. The text begins with the name of a [`Kind`](crate::Kind) where a provider wrote it.
pub type Outcome<T> = Result<T, String>;

/// The WIT's `broker-message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BrokerMessage<'a> {
    /// Where it was published.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// Any bytes.
    #[serde(borrow, with = "serde_bytes")]
    pub body: Cow<'a, [u8]>,
    /// Where an answer is awaited, if one is.
    #[serde(default)]
    pub reply_to: Option<String>,
}

impl BrokerMessage<'_> {
    /// The same message, no longer tied to what it was read from.
    pub fn into_owned(self) -> BrokerMessage<'static> {
        BrokerMessage {
            subject: self.subject.into_owned().into(),
            body: self.body.into_owned().into(),
            reply_to: self.reply_to,
        }
    }
}

/// Parameters of [`PUBLISH`](crate::operation::PUBLISH).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Publish<'a> {
    /// What to send.
    #[serde(borrow)]
    pub msg: BrokerMessage<'a>,
}

/// Parameters of [`HANDLE_MESSAGE`](crate::operation::HANDLE_MESSAGE): the same as those of `publish`.
pub type HandleMessage<'a> = Publish<'a>;

/// Parameters of [`REQUEST`](crate::operation::REQUEST).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Request<'a> {
    /// Where to send it.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// Any bytes.
    #[serde(borrow, with = "serde_bytes")]
    pub body: Cow<'a, [u8]>,
    /// How long to wait for the answer, in milliseconds; at most as long as the call itself may take.
    pub timeout_ms: u32,
}
