//! Waiting until an application is as it should be, with progress, or until it is clear that it is not.

use std::time::{Duration, Instant};

use serde_json::json;
use wattle_core::{
    Name,
    app::{ApplicationState, ApplicationStatus},
};

use crate::{exit::Exit, problem::Problem, session::Session};

/// Between two looks.
const POLL: Duration = Duration::from_millis(200);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Everything that has a place answers there.
    Runs,
    /// Nothing runs but what others use.
    Stopped,
    /// Its deployment has ended.
    Gone,
}

/// Waits, and says how it went.
pub(super) async fn until(
    session: &Session,
    application: &Name,
    generation: u64,
    goal: Goal,
    within: Duration,
) -> anyhow::Result<Exit> {
    let step = session.output.step(&format!("{application} {}", goal.as_progress()));
    let mut until = Instant::now() + within;
    let (mut is_told, mut looked) = (false, Instant::now());
    loop {
        let status = match session.application(application).await {
            Ok(status) => status,
            // wadm may be about to be another one.
            Err(_) if Instant::now() < until => {
                tokio::time::sleep(POLL).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(end) = judge(status.as_ref(), generation, goal) {
            return match end {
                Ok(text) => {
                    step.done(goal.as_done());
                    let json = json!({"application": application, "status": status});
                    session.output.answer(&json, || format!("{application}: {text}"));
                    Ok(Exit::Ok)
                }
                Err(problem) => Err(problem.into()),
            };
        }
        if status.as_ref().is_some_and(|status| status.state == ApplicationState::Canary) {
            // The manifest says how long this may take.
            until += looked.elapsed();
            if !std::mem::replace(&mut is_told, true) {
                session.output.note(&format!("{application} answers as a canary"));
            }
        }
        looked = Instant::now();
        if Instant::now() >= until {
            return Err(too_late(application, status.as_ref(), within).into());
        }
        tokio::time::sleep(POLL).await;
    }
}

impl Goal {
    const fn as_progress(self) -> &'static str {
        match self {
            Self::Runs => "is being deployed",
            Self::Stopped => "is being stopped",
            Self::Gone => "is being deleted",
        }
    }

    const fn as_done(self) -> &'static str {
        match self {
            Self::Runs => "it answers",
            Self::Stopped => "it is stopped",
            Self::Gone => "it is gone",
        }
    }
}

/// Whether there is nothing left to wait for.
fn judge(
    status: Option<&ApplicationStatus>,
    generation: u64,
    goal: Goal,
) -> Option<Result<String, Problem>> {
    let Some(status) = status else {
        return match goal {
            Goal::Runs => None,
            Goal::Stopped | Goal::Gone => Some(Ok("deleted".to_owned())),
        };
    };
    if status.generation != generation {
        let what = format!("somebody else deployed {} meanwhile", status.application);
        let is_newer = status.generation > generation;
        return is_newer.then(|| Err(Problem::new(Exit::Conflict, what).next("wattle app status")));
    }
    let is_kept = !status.used_by.is_empty();
    match (&status.state, goal) {
        (ApplicationState::GivenUp { version, reason }, Goal::Runs) => {
            let what = format!("version {version} was given up: {reason}");
            let next = format!(
                "{} runs as before; see wattle app status {}",
                status.version, status.application
            );
            Some(Err(Problem::new(Exit::Failed, what).next(next)))
        }
        (ApplicationState::Settled, Goal::Runs) => Some(Ok(format!("{} answers", status.version))),
        (ApplicationState::Settled | ApplicationState::GivenUp { .. }, Goal::Stopped) => {
            Some(Ok(kept(status, "stopped")))
        }
        (ApplicationState::Settled | ApplicationState::GivenUp { .. }, Goal::Gone) if is_kept => {
            Some(Ok(kept(status, "deleted")))
        }
        _ => None,
    }
}

fn kept(status: &ApplicationStatus, what: &str) -> String {
    let users: Vec<&str> = status.used_by.iter().map(Name::as_str).collect();
    match users.as_slice() {
        [] => what.to_owned(),
        users => format!(
            "what {} uses of it goes on; it is {what} as soon as nobody does",
            users.join(", ")
        ),
    }
}

fn too_late(application: &Name, status: Option<&ApplicationStatus>, within: Duration) -> Problem {
    let problems = status.map_or_else(Vec::new, ApplicationStatus::problems);
    let why = match problems.as_slice() {
        [] => "wadm is still at it".to_owned(),
        problems => problems.join("\n  "),
    };
    let what = format!("{application} is not there after {} s: {why}", within.as_secs());
    Problem::new(Exit::Failed, what)
        .next(format!("wattle app status {application}; wadm goes on trying"))
}
