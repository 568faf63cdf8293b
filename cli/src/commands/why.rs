//! `wattle why`: the whole chain of authority for one call, or where it breaks.

use std::fmt::Write;

use clap::Args;
use wattle_core::{
    EntityId, HostKey, Interface, LinkName,
    control::{Command, Outcome, Question},
    inventory::Explanation,
};

use super::Context;
use crate::{
    exit::Exit,
    session::{
        Session,
        entities::{host_of, party, unexpected},
    },
};

/// Show why a call is allowed, or what is missing
///
/// Exits with 0 if the call would be allowed and with 3 if not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle why counter kv wasi:keyvalue/store")]
pub(crate) struct WhyArgs {
    /// Who would call
    caller: EntityId,
    /// Who would be called
    callee: EntityId,
    /// On what: namespace:package/interface
    interface: Interface,
    /// Over which link
    #[arg(long, default_value = "default", value_name = "LINK_NAME")]
    name: LinkName,
}

pub(crate) async fn run(context: &Context, args: WhyArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let hosts = hosts(&session, &args).await?;
    let question = Question {
        caller: args.caller.clone(),
        callee: args.callee.clone(),
        interface: args.interface.clone(),
        link_name: args.name,
    };
    let mut explanation = explained(&session, &hosts[0], &question).await?;
    for host in &hosts[1..] {
        if explanation.allowed {
            explanation = explained(&session, host, &question).await?;
        }
    }
    let question = format!("{} -> {} on {}", args.caller, args.callee, args.interface);
    context.output.answer(&explanation, || as_text(&question, &explanation));
    Ok(if explanation.allowed { Exit::Ok } else { Exit::Denied })
}

/// The hosts that know whether the link holds: those that run its ends. At least one.
async fn hosts(session: &Session, args: &WhyArgs) -> anyhow::Result<Vec<HostKey>> {
    let mut hosts = Vec::new();
    if !session.is_for_one_host() {
        let inventories = session.inventories().await?;
        for id in [&args.caller, &args.callee] {
            let party = party(&inventories, id).ok();
            let host = party.and_then(|party| host_of(&inventories, &party).cloned());
            hosts.extend(host.filter(|host| !hosts.contains(host)));
        }
    }
    if hosts.is_empty() {
        hosts.push(session.host().await?);
    }
    Ok(hosts)
}

async fn explained(
    session: &Session,
    host: &HostKey,
    question: &Question,
) -> anyhow::Result<Explanation> {
    match session.ask(host, Command::Why(question.clone())).await? {
        Outcome::Explanation(explanation) => Ok(explanation),
        other => Err(unexpected(&other)),
    }
}

fn as_text(question: &str, explanation: &Explanation) -> String {
    let verdict = if explanation.allowed { "allowed" } else { "denied" };
    let mut text = format!("{question}: {verdict}\n");
    for step in &explanation.steps {
        let mark = if step.holds { "+" } else { "x" };
        let _ = writeln!(text, "  {mark} {}", step.finding); // writing to a String cannot fail
    }
    if let Some(next) = &explanation.next {
        let _ = writeln!(text, "next: {next}");
    }
    text
}

#[cfg(test)]
mod tests {
    use wattle_core::inventory::Step;

    use super::*;

    #[test]
    fn a_denial_shows_where_the_chain_breaks_and_what_would_grant_it() {
        let explanation = Explanation {
            allowed: false,
            steps: vec![
                Step { holds: true, finding: "a imports x:y/z".to_owned() },
                Step { holds: false, finding: "no link".to_owned() },
            ],
            next: Some("wattle link put a b x:y/z".to_owned()),
        };
        assert_eq!(
            as_text("a -> b on x:y/z", &explanation),
            "a -> b on x:y/z: denied\n  + a imports x:y/z\n  x no link\nnext: wattle link put a b x:y/z\n"
        );
    }
}
