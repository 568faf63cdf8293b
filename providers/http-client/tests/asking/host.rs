//! The provider's process, links to it, and requests over them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use wattle_core::CallError;
use wattle_http::outgoing::{
    ALLOWED_ADDRESSES, ALLOWED_HOSTS, ErrorCode, Options, SEND, SendError, decode_outcome,
    encode_send,
};
use wattle_sdk::{
    Body, Reply,
    test_host::{self, Launch, TestHost},
};

/// How long a call may take up to the head of its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A running `wattle-http-client`. It dies with this.
pub(crate) struct Host(pub(crate) TestHost);

impl Host {
    pub(crate) async fn start() -> Self {
        Self(TestHost::start(Launch::new(env!("CARGO_BIN_EXE_wattle-http-client"))).await)
    }

    /// Puts a link that allows these hosts, and addresses of this machine.
    pub(crate) async fn link(&self, hosts: &[&str], config: &[(&str, &str)]) -> Link {
        self.put(hosts, &["127.0.0.0/8", "::1"], config).await.expect("a link")
    }

    /// Puts a link, or hears why it does not hold.
    pub(crate) async fn put(
        &self,
        hosts: &[&str],
        addresses: &[&str],
        config: &[(&str, &str)],
    ) -> Result<Link, String> {
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        let constraints = [
            (ALLOWED_HOSTS.to_owned(), owned(hosts)),
            (ALLOWED_ADDRESSES.to_owned(), owned(addresses)),
        ];
        let config = config.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let link = self.0.link_to_provider(&[SEND.interface], constraints.into(), config).await?;
        Ok(Link(link.with_deadline(DEADLINE)))
    }

    pub(crate) async fn delete(&self, link: &Link) {
        self.0.delete(link.0.number()).await;
    }
}

/// A link for requests.
#[derive(Clone)]
pub(crate) struct Link(test_host::Link);

/// What came back, its body still on its way.
pub(crate) struct Answer {
    pub(crate) head: Response<()>,
    pub(crate) body: Body,
}

impl Answer {
    pub(crate) async fn text(mut self) -> String {
        let bytes = self.body.collect(1 << 20).await.expect("a whole body");
        String::from_utf8(bytes.to_vec()).expect("text")
    }
}

impl Link {
    pub(crate) async fn get(&self, url: &str) -> Result<Answer, SendError> {
        self.send(Request::get(url).body(None).expect("a request")).await
    }

    /// The code with which a request fails.
    pub(crate) async fn failure(&self, url: &str) -> ErrorCode {
        match self.get(url).await {
            Ok(answer) => panic!("{url} answered {}", answer.head.status()),
            Err(error) => error.code,
        }
    }

    pub(crate) async fn send(&self, request: Request<Option<Body>>) -> Result<Answer, SendError> {
        self.send_with(request, Options::default()).await
    }

    pub(crate) async fn send_with(
        &self,
        request: Request<Option<Body>>,
        options: Options,
    ) -> Result<Answer, SendError> {
        let (head, body) = request.into_parts();
        let params = encode_send(&head, &options).expect("a request with an address");
        let reply = self.call(params, body).await.expect("a call that was understood");
        let head = decode_outcome(&reply.result).expect("an outcome")?;
        Ok(Answer { head, body: reply.body.unwrap_or_else(|| Body::full(Bytes::new())) })
    }

    pub(crate) async fn call(
        &self,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        self.0.carry(SEND, params, body).await
    }
}
