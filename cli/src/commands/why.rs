//! `wattle why`: the whole chain of authority for one call, or where it breaks.

use std::fmt::Write;

use clap::Args;
use wattle_core::{
    EntityId, Interface, LinkName,
    control::{Command, Outcome, Question},
    inventory::Explanation,
};

use super::Context;
use crate::{exit::Exit, session::entities::unexpected};

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
    let host = session.host().await?;
    let question = Question {
        caller: args.caller.clone(),
        callee: args.callee.clone(),
        interface: args.interface.clone(),
        link_name: args.name,
    };
    let explanation = match session.ask(&host, Command::Why(question)).await? {
        Outcome::Explanation(explanation) => explanation,
        other => return Err(unexpected(&other)),
    };
    let question = format!("{} -> {} on {}", args.caller, args.callee, args.interface);
    context.output.answer(&explanation, || as_text(&question, &explanation));
    Ok(if explanation.allowed { Exit::Ok } else { Exit::Denied })
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
