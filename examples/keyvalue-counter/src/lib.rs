//! Counts the requests to each path in whatever key-value store it is linked to.

use wattle::{Request, Response, Result, keyvalue};

wattle::http!(count);

fn count(request: Request) -> Result<Response> {
    let key = match request.path().trim_matches('/') {
        "" => "default",
        path => path,
    };
    let counter = keyvalue::open("default")?.increment(key, 1)?;
    Ok(Response::json(format!("{{\"counter\":{counter}}}\n")))
}
