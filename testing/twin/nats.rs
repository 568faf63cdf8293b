//! The same way as a call to another host takes, without Wasm: hyper, one request over NATS, one reply.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};

use crate::serve::Answer;

const SUBJECT: &str = "twin.echo";

/// Asks the echo for each request.
pub(crate) struct Asker {
    url: String,
}

impl Asker {
    pub(crate) const fn new(url: String) -> Self {
        Self { url }
    }
}

impl Answer for Asker {
    type Lane = async_nats::Client;

    async fn lane(&self) -> Result<async_nats::Client> {
        connect(&self.url).await
    }

    async fn answer(
        nats: &Arc<async_nats::Client>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>> {
        let question = Bytes::copy_from_slice(request.uri().path().as_bytes());
        let answer = nats.request(SUBJECT, question).await?;
        Ok(Response::new(Full::new(answer.payload)))
    }
}

/// `nats://USER:PASSWORD@HOST:PORT`.
async fn connect(url: &str) -> Result<async_nats::Client> {
    let (login, server) =
        url.trim_start_matches("nats://").rsplit_once('@').context("--nats has no login")?;
    let (user, password) = login.split_once(':').context("--nats has no password")?;
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    options.connect(server).await.context("connecting to NATS")
}

/// Answers until the process is killed. Says on stdout when it hears.
pub(crate) fn echo(url: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let nats = connect(url).await?;
        let mut questions = nats.subscribe(SUBJECT).await?;
        nats.flush().await?;
        println!("listening");
        while let Some(question) = questions.next().await {
            let Some(reply) = question.reply else { continue };
            nats.publish(reply, Bytes::from_static(b"Hello from Wattle!\n")).await?;
        }
        Ok(())
    })
}
