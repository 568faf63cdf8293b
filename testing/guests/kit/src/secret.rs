//! A secret by its key: `/secret?key=K`, over the link named `link`; `over` chooses another before it looks.

use wattle::{
    Request, Response, Result, link,
    secrets::{self, Error, Value},
};

use crate::query;

const INTERFACES: [&str; 2] = ["wasmcloud:secrets/store", "wasmcloud:secrets/reveal"];

/// Answers with what it says; `blind=1` reads it and does not look.
pub(crate) fn read(request: &Request) -> Result<Response> {
    if let Some(name) = query::text(request, "link")? {
        link::choose(&name, &INTERFACES)?;
    }
    let key = query::text(request, "key")?.unwrap_or_default();
    let secret = match secrets::get(&key) {
        Ok(secret) => secret,
        Err(error) => return Ok(failed(&error)),
    };
    if request.query("blind").is_some() {
        return Ok(Response::text("read"));
    }
    if let Some(name) = query::text(request, "over")? {
        link::choose(&name, &INTERFACES)?;
    }
    Ok(match secret.reveal() {
        Value::String(text) => Response::text(text),
        Value::Bytes(bytes) => Response::new(bytes),
    })
}

fn failed(error: &Error) -> Response {
    match error {
        Error::Upstream(text) => Response::text(text.clone()).status(403),
        Error::NotFound => Response::text("not-found").status(404),
        Error::Io(text) => Response::text(format!("io: {text}")).status(502),
        Error::NotText => Response::text("no text").status(500),
    }
}
