//! `wattle logs`: what hosts, actors and providers wrote.

use std::time::Duration;

use clap::Args;
use futures::future::try_join_all;
use serde::Serialize;
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
    session::{
        Session,
        entities::{nothing_runs_under, runs, unexpected},
    },
};

/// How often a followed log is asked for what is new.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);
/// Lines asked for at once while following.
const PAGE_LINES: u32 = 1_000;

/// Show log lines of the hosts and of what they run
///
/// Of all hosts of the project that run, unless --host names one; with several, each line begins with its host's name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle logs --follow
  wattle logs counter --lines 20
  wattle logs --host pi-2
  wattle logs kv -o json            # one JSON value per line")]
pub(crate) struct LogsArgs {
    /// Only those of this actor or provider [default: all, the hosts' own too]
    id: Option<EntityId>,
    /// Keep showing new lines until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The newest so many
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: u32,
}

/// The log of one host, as far as it was shown.
struct Log<'a> {
    context: &'a Context,
    session: &'a Session,
    host: HostKey,
    /// The host's name, where lines of several are shown.
    name: Option<String>,
    query: LogQuery,
}

/// A line, and who wrote it, for programs.
#[derive(Serialize)]
struct Said<'a> {
    host: &'a HostKey,
    #[serde(flatten)]
    line: &'a LogLine,
}

pub(crate) async fn run(context: &Context, args: LogsArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let query = LogQuery { id: args.id, after: 0, lines: args.lines };
    let hosts = session.hosts_and_names().await?;
    let several = hosts.len() > 1;
    let log = |(host, name): (HostKey, String)| {
        let name = several.then_some(name);
        Log { context, session: &session, host, name, query: query.clone() }
    };
    let mut logs: Vec<Log<'_>> = hosts.into_iter().map(log).collect();
    let pages = try_join_all(logs.iter().map(Log::ask)).await?;
    let mut lines: Vec<_> =
        logs.iter().zip(&pages).flat_map(|(log, page)| log.lines(page)).collect();
    lines.sort_by_key(|(_, line)| line.at_ms);
    if let Some(id) = query.id.as_ref().filter(|_| lines.is_empty() && !args.follow) {
        let inventories = session.inventories_until(|known| runs(known, id)).await?;
        if !runs(&inventories, id) {
            return Err(nothing_runs_under(id, &inventories).into());
        }
    }
    let older = lines.len().saturating_sub(usize::try_from(args.lines).unwrap_or(usize::MAX));
    lines[older..].iter().for_each(|(log, line)| log.show(line));
    if args.follow {
        try_join_all(logs.iter_mut().zip(pages).map(|(log, page)| log.follow(page))).await?;
    }
    Ok(Exit::Ok)
}

impl Log<'_> {
    async fn ask(&self) -> anyhow::Result<LogPage> {
        match self.session.ask(&self.host, Command::GetLogs(self.query.clone())).await? {
            Outcome::Logs(page) => Ok(page),
            other => Err(unexpected(&other)),
        }
    }

    fn lines<'a>(&'a self, page: &'a LogPage) -> impl Iterator<Item = (&'a Self, &'a LogLine)> {
        page.lines.iter().map(move |line| (self, line))
    }

    fn show(&self, line: &LogLine) {
        self.context.output.line(&Said { host: &self.host, line }, || {
            let name = self.name.as_ref().map(|name| format!("{name} | ")).unwrap_or_default();
            format!("{name}{}", as_text(line))
        });
    }

    /// Shows what comes after `page`, until it cannot be had.
    async fn follow(&mut self, mut page: LogPage) -> anyhow::Result<()> {
        loop {
            // A host that was started again counts from the beginning.
            self.query.after = if page.last < self.query.after { 0 } else { page.last };
            self.query.lines = PAGE_LINES;
            if page.lines.len() < PAGE_LINES as usize {
                tokio::time::sleep(FOLLOW_EVERY).await;
            }
            page = self.patiently().await?;
            page.lines.iter().for_each(|line| self.show(line));
        }
    }

    /// Whoever follows a log wants to see what comes after a restart, too.
    async fn patiently(&self) -> anyhow::Result<LogPage> {
        let mut said = false;
        loop {
            let error = match self.ask().await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let report = Report::from(&error);
            if report.exit != Exit::Unreachable {
                return Err(error);
            }
            if !said {
                let note = format!("{} (still trying; Ctrl-C ends)", report.message);
                self.context.output.note(&note);
                said = true;
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
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
