//! The smallest provider: it sends back what it gets. Also what this crate's tests, and a host's, run as a child.

use std::{future::Future, process::ExitCode, sync::Arc, time::Duration};

use wattle_sdk::{
    CallError, Context, ErrorKind, Host, IncomingCall, LinkDetail, LinkError, LinkGrant, Operation,
    OutgoingCall, Provider, Reply, StartError, call_id,
};

/// What `ask` asks the other end of its link for.
const ANSWER: Operation = Operation { interface: "test:echo/answer", function: "answer" };
/// How long it waits for that.
const ASK_WAIT: Duration = Duration::from_secs(5);

struct Echo {
    host: Host,
}

impl Provider for Echo {
    /// Refuses with the setting `fail`, exits with the setting `exit`.
    async fn start(context: Context) -> Result<Self, StartError> {
        let config = &context.start.config;
        if let Some(reason) = config.get("fail") {
            return Err(StartError::new(reason.clone()));
        }
        if let Some(last_words) = config.get("exit") {
            tracing::error!("{last_words}");
            std::process::exit(7);
        }
        tracing::info!(lanes = context.host.lanes(), "echoing");
        Ok(Self { host: context.host })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        Ok(LinkDetail { url: link.config.get("url").cloned() })
    }

    async fn delete_link(&self, _link: u32) {}

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let this = Arc::clone(self);
        async move {
            match &*call.function {
                "echo" => Ok(Reply { result: call.params, body: call.body }),
                "ask" => {
                    let asked = OutgoingCall {
                        id: call_id(),
                        link: call.link,
                        operation: ANSWER,
                        params: call.params,
                        body: call.body,
                        deadline: ASK_WAIT,
                        trace: call.trace,
                    };
                    this.host.call(asked).await
                }
                "lane" => Ok(Reply::new(
                    std::thread::current().name().unwrap_or_default().as_bytes().to_vec(),
                )),
                "never" => std::future::pending().await,
                "panic" => panic!("as asked"),
                other => Err(CallError::new(ErrorKind::NotFound, format!("no function {other}"))),
            }
        }
    }
}

fn main() -> ExitCode {
    wattle_sdk::main::<Echo>()
}
