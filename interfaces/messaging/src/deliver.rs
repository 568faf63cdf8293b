//! Handing a message to an actor, and what came of it.

use wattle_core::{
    CallError, ErrorKind,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{
    BrokerMessage,
    error::{Failure, Kind},
    limit::{check_body, check_subject},
    operation,
    wire::{HandleMessage, Outcome},
};

/// What came of handing an actor a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The actor handled it.
    Handled,
    /// The actor answered with an error, in its own words.
    Refused(String),
    /// It never reached the actor, and may be handed over again.
    NotRun(CallError),
    /// The call failed under way. The actor may have handled it.
    Unknown(CallError),
    /// It is no message for an actor, now or later: too large, or not one that the contract knows.
    Unfit(CallError),
}

impl Delivery {
    /// Why it was not handled, for logs and for whoever finds the message later. Nothing if it was.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Handled => None,
            Self::Refused(text) => Some(format!("the actor said: {text}")),
            Self::NotRun(error) | Self::Unknown(error) | Self::Unfit(error) => {
                Some(format!("{}: {}", error.kind.as_str(), error.message))
            }
        }
    }
}

/// Calls a handler once.
///
/// # Cancel safety
/// Dropping the future cancels the call; the actor may have handled the message.
pub async fn deliver(call: &impl Call, message: BrokerMessage<'_>) -> Delivery {
    if let Err(failure) = check(&message) {
        let is_too_large = failure.kind == Kind::TooLarge;
        let kind = if is_too_large { ErrorKind::TooLarge } else { ErrorKind::Malformed };
        return Delivery::Unfit(CallError::new(kind, failure.message));
    }
    let params = codec::encode(&HandleMessage { msg: message });
    let result = match call.call(operation::HANDLE_MESSAGE, params).await {
        Ok(result) => result,
        // Nothing would be changed by handing it over again.
        Err(error) if matches!(error.kind, ErrorKind::TooLarge | ErrorKind::Malformed) => {
            return Delivery::Unfit(error);
        }
        Err(error) if error.kind.did_not_run() => return Delivery::NotRun(error),
        Err(error) => return Delivery::Unknown(error),
    };
    match codec::decode::<Outcome<()>>(&result, PARAMS_LEN_MAX) {
        Ok(Ok(())) => Delivery::Handled,
        Ok(Err(text)) => Delivery::Refused(CallError::new(ErrorKind::Failed, text).message),
        Err(error) => {
            let text = format!("the actor's answer: {error}");
            Delivery::Unknown(CallError::new(ErrorKind::Failed, text))
        }
    }
}

/// What the actor's host holds a message to.
fn check(message: &BrokerMessage<'_>) -> Result<(), Failure> {
    check_subject(&message.subject)?;
    check_body(&message.body)?;
    message.reply_to.as_deref().map_or(Ok(()), check_subject)
}
