//! Says hello.

use wattle::{Request, Response, Result};

wattle::http!(hello);

fn hello(_request: Request) -> Result<Response> {
    Ok(Response::text("Hello from Wattle!\n"))
}
