//! `wattle call`: one call to what runs, as the user, who needs the `invoke` right and no link.

mod http;
mod value;

use clap::Args;
use serde_json::json;
use wattle_core::{
    CallError, EntityId, ErrorKind, HostKey, TraceParent,
    control::{Command, Outcome, UserCall, UserReply},
    inventory::Inventory,
};

use super::{
    Context,
    trace::{self, Traced},
};
use crate::{
    exit::Exit,
    problem::Problem,
    session::{Session, entities::unexpected},
};

/// Part of `--timeout` that is kept for the way there and back: what is left is the call's deadline.
const WAY_MS: u128 = 500;

/// Call an actor over HTTP, or any function that it exports
///
/// It is made on the project's host, or on another where the actor runs, which is named with --include.
/// An HTTP answer goes to stdout as it came; with -o json it is {"status", "headers", "body", "host"}. Other functions take their
/// parameters as a JSON object by WIT names and answer with JSON: bytes are text, or {"base64": "…"} where they are not UTF-8;
/// variants are "case" or {"case": value}, results {"Ok": value} or {"Err": value}, flags ["name", …].
/// Exits with 1 if the HTTP status is 400 or above, or if the function answered with an error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle call counter /hits
  wattle call shop POST /orders --data @order.json -H 'content-type: application/json'
  wattle call shop / --trace
  wattle call shop acme:shop/pricing.quote '{\"name\": \"tea\", \"count\": 3}'")]
pub(crate) struct CallArgs {
    /// The id of what is called
    id: EntityId,
    /// [METHOD] PATH, or INTERFACE.FUNCTION [JSON]
    #[arg(required = true, num_args = 1..=2, value_name = "WHAT")]
    what: Vec<String>,
    /// The HTTP request's body: text, @FILE, or @- for stdin
    #[arg(short, long, value_name = "BODY")]
    data: Option<String>,
    /// An HTTP header; repeatable
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = http::header)]
    header: Vec<(::http::HeaderName, ::http::HeaderValue)>,
    /// Show the HTTP status and headers, too (on stderr)
    #[arg(short, long)]
    include: bool,
    /// Show where the call went, too: each call that it led to, on which host, and how long it took (on stderr)
    #[arg(long)]
    trace: bool,
}

/// What is called, as the command line says it.
#[derive(Debug, PartialEq, Eq)]
enum What<'a> {
    Http { method: &'a str, path: &'a str },
    Function { interface: &'a str, function: &'a str, params: &'a str },
}

pub(crate) async fn run(context: &Context, args: CallArgs) -> anyhow::Result<Exit> {
    let what = parse(&args.what).map_err(|error| Problem::new(Exit::Usage, error))?;
    let deadline = context.global.timeout.as_millis();
    let deadline_ms = u32::try_from(deadline.saturating_sub(WAY_MS).max(1)).unwrap_or(u32::MAX);
    match what {
        What::Http { method, path } => {
            let request = http::request(&args, method, path, deadline_ms)?;
            let show = |answered: &Answered| http::show(context, answered, args.include);
            call(context, &args, request, show).await
        }
        What::Function { interface, function, params } => {
            if args.data.is_some() || !args.header.is_empty() {
                let what = "--data and --header are for HTTP; parameters come as JSON";
                return Err(Problem::new(Exit::Usage, what).into());
            }
            let call_it = UserCall {
                target: args.id.clone(),
                interface: interface.parse()?,
                function: function.to_owned(),
                params: value::encode(params)?,
                body: Vec::new(),
                deadline_ms,
                trace: None,
            };
            let show = |answered: &Answered| {
                if args.include {
                    let Answered { host, .. } = answered;
                    context.output.aside(&json!({"host": host}), || format!("host: {host}"));
                }
                value::show(context, &answered.reply)
            };
            call(context, &args, call_it, show).await
        }
    }
}

/// What came back, and from which host.
struct Answered {
    host: HostKey,
    reply: UserReply,
}

/// Makes the call and shows its answer; then, also of a call that failed, where it went, if that is wanted.
async fn call(
    context: &Context,
    args: &CallArgs,
    mut call: UserCall,
    show: impl FnOnce(&Answered) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    if !args.trace {
        return show(&call_where_it_runs(&session, &call).await?);
    }
    let parent = TraceParent::begin(rand::random());
    call.trace = Some(parent);
    // Hosts forget traces that many others follow, so who to ask is found out while the call runs.
    let (answered, hosts) =
        tokio::join!(call_where_it_runs(&session, &call), trace::hosts(&session));
    let shown = answered.and_then(|answered| show(&answered));
    let traced = async { Traced::gather(&session, hosts?, parent.trace).await };
    match traced.await {
        Ok(traced) => {
            context.output.aside(&json!({"trace": parent.trace, "spans": traced.spans}), || {
                format!("trace {}\n{traced}", parent.trace)
            })
        }
        Err(error) => {
            let said = json!({"trace": parent.trace, "failed": format!("{error:#}")});
            context.output.aside(&said, || format!("trace {}: {error:#}", parent.trace));
        }
    }
    shown
}

/// On the host that is meant, or, if the actor does not run there and no other was asked for, on one where it does.
async fn call_where_it_runs(session: &Session, call: &UserCall) -> anyhow::Result<Answered> {
    let host = session.host().await?;
    let failed = match call_on(session, &host, call).await? {
        Ok(reply) => return Ok(Answered { host, reply }),
        Err(error) => error,
    };
    if failed.kind == ErrorKind::NotFound && !session.is_for_one_host() {
        // What others say of a host may be over; only those that answer for themselves are called. Who may call need not have the
        // right to look: then what the first host said is all there is to say.
        let runs = |known: &[Inventory]| running(known, &call.target).is_some();
        let inventories = session.inventories_until(runs).await.unwrap_or_default();
        if let Some(there) = running(&inventories, &call.target).filter(|there| **there != host) {
            return match call_on(session, there, call).await? {
                Ok(reply) => Ok(Answered { host: there.clone(), reply }),
                Err(error) => Err(call_failed(error)),
            };
        }
    }
    Err(call_failed(failed))
}

/// A host that runs this actor itself.
fn running<'a>(inventories: &'a [Inventory], id: &EntityId) -> Option<&'a HostKey> {
    let runs = |inventory: &&Inventory| inventory.actors.iter().any(|actor| actor.id == *id);
    inventories.iter().find(runs).map(|inventory| &inventory.host)
}

async fn call_on(
    session: &Session,
    host: &HostKey,
    call: &UserCall,
) -> anyhow::Result<Result<UserReply, CallError>> {
    match session.ask(host, Command::Call(call.clone())).await? {
        Outcome::Reply(answer) => Ok(answer),
        other => Err(unexpected(&other)),
    }
}

fn call_failed(error: CallError) -> anyhow::Error {
    anyhow::Error::from(error).context("the call failed")
}

fn parse(what: &[String]) -> Result<What<'_>, String> {
    match what {
        [path] if path.starts_with('/') => Ok(What::Http { method: "GET", path }),
        [method, path] if path.starts_with('/') => Ok(What::Http { method, path }),
        [operation] => function(operation, "{}"),
        [operation, params] => function(operation, params),
        _ => Err("say what to call: [METHOD] PATH, or INTERFACE.FUNCTION [JSON]".to_owned()),
    }
}

/// `wasi:keyvalue/store.get`; a function may have a dot itself (`bucket.get`), an interface has none.
fn function<'a>(operation: &'a str, params: &'a str) -> Result<What<'a>, String> {
    let split = operation.split_once('.').filter(|(interface, function)| {
        !function.is_empty() && interface.parse::<wattle_core::Interface>().is_ok()
    });
    match split {
        Some((interface, function)) => Ok(What::Function { interface, function, params }),
        None => Err(format!(
            "{operation:?} is neither a path (/…) nor a function (acme:shop/pricing.quote)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_path_is_an_http_get_unless_a_method_is_said() {
        assert_eq!(parse(&what(&["/x"])), Ok(What::Http { method: "GET", path: "/x" }));
        assert_eq!(parse(&what(&["PUT", "/x"])), Ok(What::Http { method: "PUT", path: "/x" }));
    }

    #[test]
    fn a_function_is_said_with_its_interface() {
        let words = what(&["wasi:keyvalue/store.bucket.get", "{\"key\":1}"]);
        let expected = What::Function {
            interface: "wasi:keyvalue/store",
            function: "bucket.get",
            params: "{\"key\":1}",
        };
        assert_eq!(parse(&words), Ok(expected));
        for bad in [&["store.get"][..], &["wasi:keyvalue/store"], &["wasi:keyvalue/store."], &["x"]]
        {
            assert!(parse(&what(bad)).is_err(), "{bad:?}");
        }
    }
}
