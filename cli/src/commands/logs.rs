//! `wattle logs`: what the host, an actor or a provider wrote.

use std::time::Duration;

use clap::Args;
use wattle_claims::Timestamp;
use wattle_core::{
    EntityId, HostKey,
    control::{Command, LogQuery, Outcome},
    inventory::{LogLine, LogPage},
};

use super::Context;
use crate::{
    exit::Exit,
    problem::Report,
    session::{Session, entities::unexpected},
};

/// How often a followed log is asked for what is new.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);
/// Lines asked for at once while following.
const PAGE_LINES: u32 = 1_000;

/// Show log lines of the host and of what it runs
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle logs --follow
  wattle logs counter --lines 20
  wattle logs kv -o json            # one JSON value per line")]
pub(crate) struct LogsArgs {
    /// Only those of this actor or provider [default: all, the host's own too]
    id: Option<EntityId>,
    /// Keep showing new lines until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The newest so many
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: u32,
}

pub(crate) async fn run(context: &Context, args: LogsArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let host = session.host().await?;
    let mut query = LogQuery { id: args.id, after: 0, lines: args.lines };
    let mut page = ask(&session, &host, &query).await?;
    show(context, &page);
    if !args.follow {
        return Ok(Exit::Ok);
    }
    loop {
        // A host that was started again counts from the beginning.
        query.after = if page.last < query.after { 0 } else { page.last };
        query.lines = PAGE_LINES;
        if page.lines.len() < PAGE_LINES as usize {
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
        page = patiently(context, &session, &host, &query).await?;
        show(context, &page);
    }
}

async fn ask(session: &Session, host: &HostKey, query: &LogQuery) -> anyhow::Result<LogPage> {
    match session.ask(host, Command::GetLogs(query.clone())).await? {
        Outcome::Logs(page) => Ok(page),
        other => Err(unexpected(&other)),
    }
}

/// Whoever follows a log wants to see what comes after a restart, too.
async fn patiently(
    context: &Context,
    session: &Session,
    host: &HostKey,
    query: &LogQuery,
) -> anyhow::Result<LogPage> {
    let mut said = false;
    loop {
        let error = match ask(session, host, query).await {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        let report = Report::from(&error);
        if report.exit != Exit::Unreachable {
            return Err(error);
        }
        if !said {
            context.output.note(&format!("{} (still trying; Ctrl-C ends)", report.message));
            said = true;
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}

fn show(context: &Context, page: &LogPage) {
    for line in &page.lines {
        context.output.line(line, || as_text(line));
    }
}

fn as_text(line: &LogLine) -> String {
    let (seconds, millis) = (line.at_ms / 1_000, line.at_ms % 1_000);
    let time = Timestamp::from_secs(seconds).to_string();
    let who = line.id.as_ref().map_or("host", EntityId::as_str);
    let message = line.message.replace('\n', "\n    "); // so that nobody can write what looks like another's line
    format!("{}.{millis:03}Z {:<5} {who}: {message}", time.trim_end_matches('Z'), line.level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_time_level_and_who_and_cannot_pass_for_two() {
        let line = LogLine {
            at_ms: 951_782_399_007,
            id: Some("kv".parse().expect("an id")),
            level: "info".to_owned(),
            message: "b\nc".to_owned(),
        };
        assert_eq!(as_text(&line), "2000-02-28T23:59:59.007Z info  kv: b\n    c");
    }
}
