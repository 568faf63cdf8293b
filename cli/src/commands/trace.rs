//! `wattle trace`: where a call went, on whichever hosts.

mod tree;

use std::collections::HashMap;

use clap::Args;
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
/// request's traceparent says).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle trace 4bf92f3577b34da6a3ce929d0e0e4736")]
pub(crate) struct TraceArgs {
    /// The trace, or the x-request-id of a response
    trace: TraceId,
}

pub(crate) async fn run(context: &Context, args: &TraceArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let traced = Traced::gather(&session, args.trace).await?;
    if traced.spans.is_empty() {
        let what = format!("no host keeps anything of trace {}", args.trace);
        let next = "trace a call: wattle call ID PATH --trace; or all requests over a link: \
                    wattle link put http-server ID wasi:http/incoming-handler --source trace=always";
        return Err(Problem::new(Exit::NotFound, what).next(next).into());
    }
    context.output.answer(&traced.spans, || traced.to_string());
    Ok(Exit::Ok)
}

/// A trace's spans, oldest first as far as the hosts' clocks agree, and what people call the hosts.
pub(crate) struct Traced {
    spans: Vec<Span>,
    names: HashMap<HostKey, String>,
}

impl Traced {
    /// Asks all hosts for what they keep of a trace.
    pub(crate) async fn gather(session: &Session, trace: TraceId) -> anyhow::Result<Self> {
        let heard = session.heard().await?;
        let asked = heard.keys().map(|host| spans(session, host, trace));
        let answers = futures::future::join_all(asked).await;
        let mut spans = Vec::new();
        for ((_, beat), answer) in heard.iter().zip(answers) {
            match answer {
                Ok(kept) => spans.extend(kept),
                // What the others know is worth showing; that it may not be all has to be said.
                Err(error) => session.output.note(&format!("host {}: {error:#}", beat.name)),
            }
        }
        spans.sort_by_key(|span| span.began_us);
        let names = heard.into_iter().map(|(host, beat)| (host, beat.name.to_string())).collect();
        Ok(Self { spans, names })
    }
}

async fn spans(session: &Session, host: &HostKey, trace: TraceId) -> anyhow::Result<Vec<Span>> {
    match session.ask(host, Command::GetTrace { trace }).await? {
        Outcome::Trace(spans) => Ok(spans),
        other => Err(unexpected(&other)),
    }
}
