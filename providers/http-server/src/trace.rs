//! Which requests are traced: hosts keep their spans, and `wattle trace` shows where their calls went.

use http::HeaderValue;
use wattle_core::{CallId, TraceParent};

/// A link's word on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tracing {
    /// None are, whatever a client asks for: strangers do not decide what hosts keep.
    #[default]
    Off,
    /// Those whose client says so in `traceparent` (W3C Trace Context).
    Accept,
    /// All, each as a trace that begins here and is called as its request is, whatever a client asks for.
    Always,
}

impl Tracing {
    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value {
            "off" => Some(Self::Off),
            "accept" => Some(Self::Accept),
            "always" => Some(Self::Always),
            _ => None,
        }
    }

    /// The trace of a request, whose client may have given a `traceparent`; one that is malformed is none (the standard's 4.3).
    pub(crate) fn parent(self, given: Option<&HeaderValue>, id: CallId) -> Option<TraceParent> {
        match self {
            Self::Off => None,
            Self::Accept => given?.to_str().ok()?.parse().ok(),
            Self::Always => Some(TraceParent::of_call(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_decides_where_the_link_lets_it() {
        let id = CallId::from_bytes([9; 16]);
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let given = HeaderValue::from_static(sampled);
        let unsampled =
            HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
        let malformed = HeaderValue::from_static("00-4bf9");
        let said = |tracing: Tracing, given: &HeaderValue| {
            tracing.parent(Some(given), id).map(|parent| parent.to_string())
        };
        let own = TraceParent::of_call(id).to_string();
        assert_eq!(said(Tracing::Off, &given), None);
        assert_eq!(said(Tracing::Accept, &given).as_deref(), Some(sampled));
        assert_eq!(said(Tracing::Accept, &malformed), None);
        assert_eq!(said(Tracing::Accept, &unsampled).as_deref(), unsampled.to_str().ok());
        assert_eq!(said(Tracing::Always, &given), Some(own));
        assert_eq!(Tracing::Accept.parent(None, id), None);
    }
}
