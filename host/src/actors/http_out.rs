//! `wasi:http/outgoing-handler` without a provider behind it: linked, because components import it with the rest of
//! `wasi:http`, and denied, because nothing grants it.

use std::{future::Future, sync::Arc};

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Actor;

/// Bytes that a guest may write into a body ahead of its reader. Small, so that streams of any size pass in little memory.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

/// Denies what an instance asks of the outside.
pub(crate) struct NoOutgoingHttp(Arc<Actor>);

impl NoOutgoingHttp {
    pub(crate) fn new(actor: &Arc<Actor>) -> Self {
        Self(actor.clone())
    }
}

type Response = http::Response<WasiBody>;
type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for NoOutgoingHttp {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _worker: Worker,
    ) -> Box<dyn Future<Output = Result<(Response, Worker), Error>> + Send> {
        let to = request
            .uri()
            .authority()
            .map(|authority| authority.as_str().to_owned())
            .unwrap_or_default();
        let message = format!(
            "request to {to:?} denied: no provider of wasi:http/outgoing-handler is linked"
        );
        self.0.log("warn", message);
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }
}
