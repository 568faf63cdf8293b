//! Requests to the web.

use std::{io::Write as _, time::Duration};

use wattle::{
    Request, Response, Result,
    http::{Outgoing, SendError},
    link,
};

use crate::query;

/// Asks for `url`, and answers as that does.
pub(crate) fn fetch(request: &Request) -> Result<Response> {
    if let Some(name) = request.query("link") {
        link::choose(name, &["wasi:http/outgoing-handler"])?;
    }
    let url = query::text(request, "url")?.unwrap_or_default();
    let method = request.query("method").map_or_else(|| request.method(), str::to_owned);
    let mut outgoing = Outgoing::new(method, url);
    if let Some(ms) = request.query("timeout") {
        outgoing = outgoing.timeout(Duration::from_millis(ms.parse()?));
    }
    if request.method() == "POST" {
        let mut body = request.body();
        outgoing = outgoing.stream(move |out| {
            while let Some(chunk) = body.chunk()? {
                out.write_all(&chunk)?;
            }
            Ok(())
        });
    }
    let answer = match outgoing.send() {
        Ok(answer) => answer,
        Err(error) => return Ok(Response::text(format!("{}\n", name(&error))).status(502)),
    };
    let mut body = answer.body();
    let mut response = Response::stream(move |out| {
        while let Some(chunk) = body.chunk()? {
            out.write_all(&chunk)?;
        }
        Ok(())
    })
    .status(answer.status());
    for name in ["content-type", "location"] {
        if let Some(value) = answer.header(name) {
            response = response.header(name, value);
        }
    }
    Ok(response)
}

/// The case of the WIT's error, without what it carries.
fn name(error: &SendError) -> String {
    match error {
        SendError::Code(code) => format!("{code:?}").replace("ErrorCode::", ""),
        other => other.to_string(),
    }
}
