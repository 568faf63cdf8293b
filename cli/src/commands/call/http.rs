//! Calls of `wasi:http/incoming-handler`: a request from the command line, a response on stdout.

use std::io::Read;

use anyhow::Context as _;
use http::{HeaderName, HeaderValue, Request, header};
use serde_json::json;
use wattle_core::{EntityId, control::UserCall};

use super::{Answered, CallArgs};
use crate::{commands::Context, exit::Exit, problem::Problem};

/// The most bytes of a request's body: it travels inside the command's token, which grows it by a third.
const BODY_LEN_MAX: usize = 600 * 1024;

/// `name: value`, as curl takes it.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let refused = || format!("{text:?} is not a header: write 'name: value'");
    let (name, value) = text.split_once(':').ok_or_else(refused)?;
    let name = name.trim().parse().map_err(|_| refused())?;
    let value = value.trim().parse().map_err(|_| refused())?;
    Ok((name, value))
}

pub(super) fn request(
    args: &CallArgs,
    method: &str,
    path: &str,
    deadline_ms: u32,
) -> anyhow::Result<UserCall> {
    let body = body(args.data.as_deref())?;
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in &args.header {
        request = request.header(name, value);
    }
    if !body.is_empty() && !args.header.iter().any(|(name, _)| name == header::CONTENT_LENGTH) {
        request = request.header(header::CONTENT_LENGTH, body.len());
    }
    let (parts, ()) = request
        .body(())
        .map_err(|error| Problem::new(Exit::Usage, format!("{method} {path}: {error}")))?
        .into_parts();
    let said = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = said.map_or_else(|| host_like(&args.id), str::to_owned);
    let params = wattle_http::encode_request(&parts, "http", &host)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()))?;
    Ok(UserCall {
        target: args.id.clone(),
        interface: wattle_http::HANDLE.interface.parse()?,
        function: wattle_http::HANDLE.function.to_owned(),
        params,
        body,
        deadline_ms,
        trace: None,
    })
}

/// The host's name that a request to this one has: `cart.shop` for `shop/cart`.
fn host_like(id: &EntityId) -> String {
    match id.as_str().split_once('/') {
        Some((application, name)) => format!("{name}.{application}"),
        None => id.to_string(),
    }
}

fn body(data: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let body = match data.map(|data| data.strip_prefix('@').ok_or(data)) {
        None => Vec::new(),
        Some(Err(text)) => text.as_bytes().to_vec(),
        Some(Ok("-")) => read(std::io::stdin().lock()).context("stdin")?,
        Some(Ok(path)) => {
            let file = std::fs::File::open(path).with_context(|| path.to_owned())?;
            read(file).with_context(|| path.to_owned())?
        }
    };
    if body.len() > BODY_LEN_MAX {
        let what = format!("a body of more than {BODY_LEN_MAX} bytes does not fit into a command");
        let next = "send it to the http-server's address with curl; wattle get links shows it";
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    Ok(body)
}

/// One byte more than the limit is enough to know that it is exceeded.
fn read(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(BODY_LEN_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn show(context: &Context, answered: &Answered, include: bool) -> anyhow::Result<Exit> {
    let Answered { host, reply } = answered;
    let response = wattle_http::decode_response(&reply.result).context("the response's head")?;
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let status = response.status();
    if context.output.is_json() {
        let body = super::value::bytes_as_json(&reply.body);
        let answer =
            json!({"status": status.as_u16(), "headers": headers, "body": body, "host": host});
        context.output.answer(&answer, String::new);
    } else {
        if include || status.is_client_error() || status.is_server_error() {
            context.output.note(&status.to_string());
        }
        if include {
            context.output.note(&format!("host: {host}"));
            for (name, value) in &headers {
                context.output.note(&format!("{name}: {value}"));
            }
        }
        context.output.bytes(&reply.body);
        if !reply.body.ends_with(b"\n") && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            context.output.bytes(b"\n");
        }
    }
    Ok(if status.as_u16() < 400 { Exit::Ok } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let (name, value) = header("X-Shop:  a: b ").expect("a header");
        assert_eq!((name.as_str(), value.to_str().expect("text")), ("x-shop", "a: b"));
        for bad in ["x", ": y", "a b: c", "a: \u{7}"] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }
}
