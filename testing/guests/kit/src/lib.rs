//! One component with a route for everything that a test wants an actor to do. The README beside the workspace lists them.

mod ambient;
mod fetch;
mod hostile;
mod keyvalue;
mod query;
mod secret;
mod settings;
mod streams;

use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{IncomingRequest, ResponseOutparam},
};
use wattle::{Request, Response, Result};

struct Kit;

wasip2::http::proxy::export!(Kit with_types_in wasip2);

impl Guest for Kit {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let request = Request::from(request);
        if request.path() == "/silent" {
            return; // what `wattle::http!` does not let an actor do: not answering
        }
        let then = keyvalue::afterwards(&request);
        wattle::http::answer(out, route(request));
        if let Err(error) = then.and_then(|key| key.map_or(Ok(()), |key| keyvalue::mark(&key))) {
            eprintln!("{error}");
        }
    }
}

fn route(request: Request) -> Result<Response> {
    match request.path() {
        "/" => Ok(Response::text("kit\n")),
        "/alloc" => hostile::alloc(&request),
        "/config" => settings::config(&request),
        "/drip" => keyvalue::drip(&request),
        "/echo" => streams::echo(&request),
        "/environment" => ambient::environment(),
        "/fetch" => fetch::fetch(&request),
        "/fail" => Err(wattle::Error::msg("asked to fail")),
        "/file" => ambient::file(),
        "/flood" => hostile::flood(&request),
        "/fresh" => ambient::fresh(),
        "/half" => streams::half(&request),
        "/head" => ambient::head(&request),
        "/headers" => hostile::headers(&request),
        "/hoard" => hostile::hoard(&request),
        "/kv" => keyvalue::call(&request),
        "/log" => settings::log(&request),
        "/recurse" => hostile::recurse(&request),
        "/say" => Ok(Response::text(query::text(&request, "text")?.unwrap_or_default())),
        "/secret" => secret::read(&request),
        "/sink" => streams::sink(&request),
        "/sleep" => ambient::sleep(&request),
        "/socket" => ambient::socket(),
        "/source" => streams::source(&request),
        "/spin" => hostile::spin(&request),
        "/status" => Ok(Response::text("").status(query::number(&request, "code", 200)? as u16)),
        "/trap" => panic!("asked to trap"),
        path => Ok(Response::text(format!("the kit has no {path}\n")).status(404)),
    }
}
