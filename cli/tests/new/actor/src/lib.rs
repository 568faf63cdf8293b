//! asker: an actor that answers HTTP.

use wattle::{Request, Response, Result};

/// What it calls: `bindings::namespace::package::interface::function`.
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package local:actor;

            world calls {
                import wattle-test:everything/shapes@1.2.3;
            }
        ",
        path: "wit",
        world: "local:actor/calls",
        generate_all,
    });
}

wattle::http!(answer);

fn answer(request: Request) -> Result<Response> {
    Ok(Response::text(format!("asker was asked for {}\n", request.path())))
}
