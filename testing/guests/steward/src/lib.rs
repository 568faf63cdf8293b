//! Watches the lattice and commands it, as far as its link lets it. What it is told goes to its log; an actor `kit` that starts
//! anywhere is scaled to 7 there.

use wattle::{
    Request, Response, Result,
    control::{self, Done, Error, Event, NewActor},
};

wattle::http!(answer);
wattle::events!(told);

const SCALE: u16 = 7;

fn told(event: Event) -> Result<()> {
    let Event { kind, about, missed, host, .. } = event;
    let about = about.unwrap_or_default();
    println!("told {kind} {about} missed={missed}");
    if kind == "actor-started" && about == "kit" {
        let done = control::scale_actor(Some(&host), &about, SCALE)?;
        println!("scaled {about}: {}", done.detail);
    }
    Ok(())
}

fn answer(request: Request) -> Result<Response> {
    let host = request.query("host");
    let id = request.query("id").unwrap_or_default();
    let number = request.query("scale").and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(match request.path() {
        "/here" => said(control::here()),
        "/hosts" => said(control::hosts().map(|hosts| lines(hosts, |host| host.key))),
        "/actors" => said(
            control::actors(host)
                .map(|all| lines(all, |actor| format!("{} {}", actor.id, actor.scale))),
        ),
        "/providers" => said(
            control::providers(host)
                .map(|all| lines(all, |provider| format!("{} {}", provider.id, provider.ready))),
        ),
        "/links" => said(
            control::links(host)
                .map(|all| lines(all, |link| format!("{} {}", link.key, link.active))),
        ),
        "/scale" => said(control::scale_actor(host, id, number).map(done)),
        "/start" => {
            let artifact = request.query("artifact").unwrap_or_default().to_owned();
            let actor = NewActor { id: id.to_owned(), artifact, scale: 1, config: Vec::new() };
            said(control::start_actor(host, &actor).map(done))
        }
        "/stop" => said(control::stop_actor(host, id).map(done)),
        "/stop-provider" => said(control::stop_provider(host, id).map(done)),
        path => Response::text(format!("the steward has no {path}\n")).status(404),
    })
}

fn lines<T>(all: Vec<T>, line: impl Fn(T) -> String) -> String {
    all.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn done(done: Done) -> String {
    done.detail
}

/// Each kind of error has a status of its own.
fn said(outcome: Result<String, Error>) -> Response {
    let (status, text) = match outcome {
        Ok(text) => (200, text),
        Err(Error::Denied(text)) => (403, text),
        Err(Error::NotFound(text)) => (404, text),
        Err(Error::Invalid(text)) => (400, text),
        Err(Error::Conflict(text)) => (409, text),
        Err(Error::Unavailable(text)) => (503, text),
        Err(Error::Failed(text)) => (502, text),
    };
    Response::text(text).status(status)
}
