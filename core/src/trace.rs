//! Where a call went: its trace context on the way, and the spans that hosts keep of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{call::CallId, call::ErrorKind, key::HostKey, name::shortened};

/// Bytes of a `traceparent` of version 00; what later versions append is not read.
const TRACEPARENT_LEN: usize = 55;
const FLAG_SAMPLED: u8 = 1;

/// All that one request led to, on whichever hosts. Never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

/// One step of a trace. Never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u64);

/// The trace that a call belongs to, and the step that it is part of: W3C Trace Context, level 1, `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The step that made the call.
    pub span: SpanId,
    /// Whether somebody wants to know where the call goes. Other flags are not handed on, as the standard wants it.
    sampled: bool,
}

impl TraceParent {
    /// Begins a trace that hosts keep, from 24 random bytes.
    pub fn begin(random: [u8; 24]) -> Self {
        let (trace, span) = random.split_at(16);
        let trace = u128::from_be_bytes(trace.try_into().expect("sixteen bytes")).max(1);
        let span = u64::from_be_bytes(span.try_into().expect("eight bytes")).max(1);
        Self { trace: TraceId(trace), span: SpanId(span), sampled: true }
    }

    /// Begins a trace that hosts keep and that is called as the call is.
    pub fn of_call(id: CallId) -> Self {
        let trace = u128::from_be_bytes(id.into_bytes()).max(1);
        let span = ((trace >> 64) as u64 ^ trace as u64).max(1);
        Self { trace: TraceId(trace), span: SpanId(span), sampled: true }
    }

    /// Whether somebody wants to know where this call went, so that hosts keep its spans.
    pub const fn is_sampled(self) -> bool {
        self.sampled
    }

    /// The same trace, one step further.
    #[must_use]
    pub const fn with_span(self, span: SpanId) -> Self {
        Self { span, ..self }
    }
}

impl SpanId {
    /// A span of this number, which the maker takes from a random generator; zero is one.
    pub fn from_random(random: u64) -> Self {
        Self(random.max(1))
    }
}

/// A step of a trace: one call, as the host that kept it saw it. A call to another host has two, one at either end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Span {
    /// This step.
    pub span: SpanId,
    /// The step that it is part of; unknown to hosts where it began outside.
    pub parent: SpanId,
    /// The call, as logs name it.
    pub call: CallId,
    /// Who called; `user` for `wattle call`.
    pub caller: String,
    /// Who was called.
    pub callee: String,
    /// On what.
    pub interface: String,
    /// The function's WIT name.
    pub function: String,
    /// The host that keeps this span.
    pub host: HostKey,
    /// The other host that it sent the call to; `None` where it answered by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_to: Option<HostKey>,
    /// When it began by that host's clock, in microseconds since 1970.
    pub began_us: u64,
    /// Microseconds until the head of the answer; its stream may have gone on.
    pub took_us: u64,
    /// How it failed; `Cancelled` also where the caller stopped waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
}

/// Why a text is no trace context, or no id of a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1}")]
pub struct TraceError(String, &'static str);

/// `count` lower-case hex digits.
fn hex_digits(text: &str, count: usize) -> Option<u128> {
    let well_formed = text.len() == count
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if well_formed { u128::from_str_radix(text, 16).ok() } else { None }
}

/// The same for an id, which is not zero (W3C Trace Context, 3.2.2).
fn id_digits(text: &str, count: usize) -> Option<u128> {
    hex_digits(text, count).filter(|number| *number != 0)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for TraceId {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let refused = || {
            TraceError(
                shortened(text),
                "a trace's id: it has 32 lower-case hex digits, not all of them zeros",
            )
        };
        id_digits(text, 32).map(Self).ok_or_else(refused)
    }
}

impl FromStr for SpanId {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let refused = || {
            TraceError(
                shortened(text),
                "a span's id: it has 16 lower-case hex digits, not all of them zeros",
            )
        };
        id_digits(text, 16).map(|number| Self(number as u64)).ok_or_else(refused)
    }
}

impl FromStr for TraceParent {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let refused = || TraceError(shortened(text), "a traceparent: 00-TRACE-SPAN-FLAGS");
        // Later versions begin with the same four fields (W3C Trace Context, 3.2.4).
        let is_later = text.get(..2).is_some_and(|version| version != "00" && version != "ff");
        let known = match text.as_bytes().get(TRACEPARENT_LEN) {
            None => text,
            Some(b'-') if is_later => text.get(..TRACEPARENT_LEN).ok_or_else(refused)?,
            Some(_) => return Err(refused()),
        };
        let fields: Vec<&str> = known.split('-').collect();
        let [version, trace, span, flags] = fields[..] else { return Err(refused()) };
        if version == "ff" {
            return Err(refused());
        }
        let [Some(_), Some(flags)] = [version, flags].map(|byte| hex_digits(byte, 2)) else {
            return Err(refused());
        };
        Ok(Self {
            trace: trace.parse().map_err(|_| refused())?,
            span: span.parse().map_err(|_| refused())?,
            sampled: flags & u128::from(FLAG_SAMPLED) != 0,
        })
    }
}

/// As text, wherever it travels.
macro_rules! as_text {
    ($($type:ident),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        text_on_the_wire!($type);
    )*};
}

macro_rules! text_on_the_wire {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(TraceId, SpanId);
text_on_the_wire!(TraceParent);

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_has_one_spelling() {
        let parent: TraceParent = GIVEN.parse().expect("the example of the standard");
        assert_eq!(parent.to_string(), GIVEN);
        assert!(parent.is_sampled());
        let unsampled: TraceParent =
            GIVEN.replace("-01", "-00").parse().expect("flags may be zero");
        assert!(!unsampled.is_sampled());
        let later = format!("{}-more", GIVEN.replacen("00-", "01-", 1).replace("-01", "-ff"));
        assert_eq!(later.parse(), Ok(parent), "what a later version adds is left out");
        let zero_trace = format!("00-{:032}-00f067aa0ba902b7-01", 0);
        let zero_span = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016}-01", 0);
        for bad in [
            "",
            "00",
            &GIVEN[..54],
            &format!("{GIVEN}-"),
            &GIVEN.to_uppercase(),
            &GIVEN.replacen("00-", "ff-", 1),
            &GIVEN.replace("-01", "-+1"),
            &GIVEN.replace("-01", "-0B"),
            &GIVEN.replacen("00-", "0A-", 1),
            &format!("{GIVEN}-more"),
            &GIVEN.replace("4bf9", "-bf9"),
            &GIVEN.replace("4bf9", "+bf9"),
            &GIVEN.replace("4bf9", "äf9"),
            &zero_trace,
            &zero_span,
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_trace_may_be_called_as_its_call_is() {
        let id = CallId::from_bytes([0xab; 16]);
        let parent = TraceParent::of_call(id);
        assert_eq!(parent.trace.to_string(), id.to_string());
        assert_eq!(parent.to_string().parse(), Ok(parent));
        let zero = TraceParent::of_call(CallId::from_bytes([0; 16]));
        assert_eq!(zero.to_string().parse(), Ok(zero), "never zero");
        assert_eq!(
            TraceParent::begin([0; 24]).to_string().parse(),
            Ok(TraceParent::begin([0; 24]))
        );
    }

    #[test]
    fn a_step_further_is_the_same_trace() {
        let parent: TraceParent = GIVEN.parse().expect("well formed");
        let next = parent.with_span(SpanId::from_random(7));
        assert_eq!(next.to_string(), GIVEN.replace("00f067aa0ba902b7", "0000000000000007"));
    }
}
