//! Handing a tick to an actor, and what came of it.

use wattle_core::{
    CallError, ErrorKind,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{ON_TIME, OnTime, Outcome, Tick};

/// What came of handing an actor a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// The actor did what was to be done.
    Done,
    /// The actor answered with an error, in its own words.
    Refused(String),
    /// It never reached the actor, and may be handed over again.
    NotRun(CallError),
    /// The call failed under way. The actor may have done what was to be done.
    Unknown(CallError),
}

impl Handed {
    /// Why it was not done, for logs. Nothing if it was.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Done => None,
            Self::Refused(text) => Some(format!("the actor said: {text}")),
            Self::NotRun(error) | Self::Unknown(error) => {
                Some(format!("{}: {}", error.kind.as_str(), error.message))
            }
        }
    }
}

/// Calls a handler once.
///
/// # Cancel safety
/// Dropping the future cancels the call; the actor may have done its work.
pub async fn hand(call: &impl Call, tick: Tick) -> Handed {
    let result = match call.call(ON_TIME, codec::encode(&OnTime { tick })).await {
        Ok(result) => result,
        Err(error) if error.kind.did_not_run() => return Handed::NotRun(error),
        Err(error) => return Handed::Unknown(error),
    };
    match codec::decode::<Outcome>(&result, PARAMS_LEN_MAX) {
        Ok(Ok(())) => Handed::Done,
        Ok(Err(text)) => Handed::Refused(CallError::new(ErrorKind::Failed, text).message),
        Err(error) => {
            let text = format!("the actor's answer: {error}");
            Handed::Unknown(CallError::new(ErrorKind::Failed, text))
        }
    }
}
