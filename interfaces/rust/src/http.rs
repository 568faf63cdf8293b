//! HTTP, bodies streaming both ways: [requests that come in](Request) and are answered, and [requests to the web](Outgoing), which
//! a link has to allow.

mod body;
mod outgoing;
mod request;
mod response;

pub use body::{Body, BodyWriter};
pub use outgoing::{Answer, Outgoing, SendError, get, post};
pub use request::Request;
pub use response::Response;
#[doc(hidden)]
pub use response::answer;
pub use wasip2::http::types::ErrorCode;

/// Makes a function the actor's HTTP handler: it takes a [`Request`] and returns a [`Result`](crate::Result) of a [`Response`].
#[macro_export]
macro_rules! http {
    ($handler:path) => {
        struct WattleHttpHandler;

        impl $crate::__wasip2::exports::http::incoming_handler::Guest for WattleHttpHandler {
            fn handle(
                request: $crate::__wasip2::http::types::IncomingRequest,
                out: $crate::__wasip2::http::types::ResponseOutparam,
            ) {
                $crate::http::answer(out, $handler($crate::Request::from(request)));
            }
        }

        $crate::__wasip2::http::proxy::export!(
            WattleHttpHandler with_types_in $crate::__wasip2
        );
    };
}
#[doc(inline)]
pub use http as handler;
