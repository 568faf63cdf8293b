//! `wattle trace`: where a call went, on whichever hosts.

mod tree;

use std::{collections::HashMap, time::Duration};

use clap::Args;
use serde_json::json;
use tokio::time::timeout;
use wattle_core::{
    HostKey, Span, TraceId,
    control::{Command, Outcome},
};

use super::Context;
use crate::{
    exit::Exit,
    problem::Problem,
    session::{Session, entities::unexpected},
};

/// Show where a traced call went, on which hosts, and how long each step took
///
/// Hosts keep the newest spans of traced calls in memory: those of `wattle call --trace`, and those of requests over links of
/// http-server whose setting `trace` is `always` (the trace is called as the response's x-request-id) or `accept` (as the
/// request's traceparent says). To see them needs the right `inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle trace 4bf92f3577b34da6a3ce929d0e0e4736")]
pub(crate) struct TraceArgs {
    /// The trace, or the x-request-id of a response
    trace: TraceId,
}

/// The longest that hosts may take to tell what they keep; what comes later is not waited for.
const WAIT: Duration = Duration::from_secs(5);

/// Spans of one host that are taken: more than a host tells, and little enough that one that lies fills no memory.
const OF_HOST_MAX: usize = 1_000;

pub(crate) async fn run(context: &Context, args: &TraceArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let traced = Traced::gather(&session, hosts(&session).await?, args.trace).await?;
    if traced.spans.is_empty() {
        let what = format!("no host keeps anything of trace {} (any more)", args.trace);
        let next = "trace a call: wattle call ID PATH --trace; or all requests over a link: \
                    wattle link put http-server ID wasi:http/incoming-handler --source trace=always";
        return Err(Problem::new(Exit::NotFound, what).next(next).into());
    }
    context.output.answer(&traced.spans, || traced.to_string());
    Ok(Exit::Ok)
}

/// The hosts to ask: the one that `--host` names, or all that there are.
pub(crate) async fn hosts(session: &Session) -> anyhow::Result<Vec<(HostKey, String)>> {
    if session.is_for_one_host() {
        return session.hosts_and_names().await;
    }
    let heard = session.heard().await?;
    if heard.is_empty() {
        return Err(session.nobody());
    }
    Ok(heard.into_iter().map(|(host, beat)| (host, beat.name.to_string())).collect())
}

/// A trace's spans, oldest first as far as the hosts' clocks agree, and what people call the hosts.
pub(crate) struct Traced {
    pub(crate) spans: Vec<Span>,
    names: HashMap<HostKey, String>,
}

impl Traced {
    /// Asks hosts for what they keep of a trace. If none knows anything, the first reason why one did not answer is an error.
    pub(crate) async fn gather(
        session: &Session,
        hosts: Vec<(HostKey, String)>,
        trace: TraceId,
    ) -> anyhow::Result<Self> {
        let asked = hosts.iter().map(|(host, _)| timeout(WAIT, spans(session, host, trace)));
        let answers = futures::future::join_all(asked).await;
        let (mut spans, mut failed) = (Vec::new(), None);
        for ((host, name), answer) in hosts.iter().zip(answers) {
            match answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {WAIT:?}"))) {
                // A host speaks for itself alone.
                Ok(kept) => spans
                    .extend(kept.into_iter().filter(|span| span.host == *host).take(OF_HOST_MAX)),
                Err(error) => {
                    // What the others know is worth showing; that it may not be all has to be said.
                    let said = json!({"host": host, "name": name, "failed": format!("{error:#}")});
                    session.output.aside(&said, || format!("host {name}: {error:#}"));
                    failed = failed.or(Some(error));
                }
            }
        }
        if let Some(error) = failed.filter(|_| spans.is_empty()) {
            return Err(error);
        }
        spans.sort_by_key(|span| span.began_us);
        Ok(Self { spans, names: hosts.into_iter().collect() })
    }
}

async fn spans(session: &Session, host: &HostKey, trace: TraceId) -> anyhow::Result<Vec<Span>> {
    match session.ask(host, Command::GetTrace { trace }).await? {
        Outcome::Trace(spans) => Ok(spans),
        other => Err(unexpected(&other)),
    }
}
