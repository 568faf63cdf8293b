//! Which failure of a call is which HTTP status: the one table.

use http::StatusCode;
use wattle_core::ErrorKind;

/// The status an outside client sees when a call failed like this.
///
/// A client cannot tell a missing actor from a stopped one, and a `404` would be taken for the actor's own answer, so both
/// are `503`. What the actor's code did wrong is `500`; a callee lost under way is `502`.
pub const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Trapped | ErrorKind::LimitExceeded | ErrorKind::Failed => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        // Whoever cancelled does not read this.
        ErrorKind::Interrupted | ErrorKind::Cancelled => StatusCode::BAD_GATEWAY,
        ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Overloaded => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent_again_is_never_a_success_or_an_internal_error() {
        for kind in [ErrorKind::NotFound, ErrorKind::Unavailable, ErrorKind::Overloaded] {
            assert!(kind.did_not_run());
            assert_eq!(status_of(kind), StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(status_of(ErrorKind::DeadlineExceeded), StatusCode::GATEWAY_TIMEOUT);
    }
}
