//! The same answers as the examples give, without Wasm.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};
use redis::{AsyncCommands as _, AsyncConnectionConfig, aio::MultiplexedConnection};

use crate::serve::Answer;

/// Says hello.
pub(crate) struct Hello;

impl Answer for Hello {
    type Lane = ();

    async fn lane(&self) -> Result<()> {
        Ok(())
    }

    async fn answer(_: &Arc<()>, _: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        Ok(Response::new(Full::new(Bytes::from_static(b"Hello from Wattle!\n"))))
    }
}

/// Counts the requests to each path in Redis.
pub(crate) struct Counter {
    client: redis::Client,
}

impl Counter {
    pub(crate) fn new(url: &str) -> Result<Self> {
        Ok(Self { client: redis::Client::open(url)? })
    }
}

impl Answer for Counter {
    type Lane = MultiplexedConnection;

    async fn lane(&self) -> Result<MultiplexedConnection> {
        connect(&self.client).await
    }

    async fn answer(
        redis: &Arc<MultiplexedConnection>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>> {
        let mut redis = MultiplexedConnection::clone(redis);
        let count: u64 = redis.incr(request.uri().path(), 1_u64).await?;
        let body = format!("{{\"counter\":{count}}}\n");
        Ok(Response::builder()
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?)
    }
}

/// Waits for Redis however long it takes: a twin that gives up after half a second, which is the client's default, would fail the
/// measurement on a busy machine.
pub(crate) async fn connect(client: &redis::Client) -> Result<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(client.get_multiplexed_async_connection_with_config(&patient).await?)
}
