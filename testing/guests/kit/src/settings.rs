//! The actor's own settings and its log.

use std::fmt::Write as _;

use wattle::{Request, Response, Result, config, log};

use crate::query;

/// The setting `key`, or all of them.
pub(crate) fn config(request: &Request) -> Result<Response> {
    if let Some(key) = query::text(request, "key")? {
        return Ok(match config::get(&key)? {
            Some(value) => Response::text(value),
            None => Response::text("").status(404),
        });
    }
    let mut all = config::all()?;
    all.sort();
    let mut text = String::new();
    for (key, value) in all {
        writeln!(text, "{key}={value}")?;
    }
    Ok(Response::text(text))
}

/// Writes `message` to the log at `level`, and a line to stderr.
pub(crate) fn log(request: &Request) -> Result<Response> {
    let message = query::text(request, "message")?.unwrap_or_else(|| "hello".to_owned());
    match request.query("level").unwrap_or("info") {
        "debug" => log::debug(&message),
        "warn" => log::warn(&message),
        "error" => log::error(&message),
        "stderr" => eprintln!("{message}"),
        _ => log::info(&message),
    }
    Ok(Response::text("logged\n"))
}
