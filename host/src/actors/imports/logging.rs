//! `wasi:logging`: lines of the actor's log, with their level.

use wasmtime::component::Linker;

use super::WholeInstance;
use crate::actors::instance::Instance;

/// Bytes of a context and of a message that are kept.
const CONTEXT_LEN_MAX: usize = 200;
const MESSAGE_LEN_MAX: usize = 4 * 1024;

mod draft {
    wasmtime::component::bindgen!({
        path: "../interfaces/logging/wit/draft",
        world: "imports",
    });
}

mod unversioned {
    wasmtime::component::bindgen!({
        path: "../interfaces/logging/wit/unversioned",
        world: "imports",
    });
}

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    draft::Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)?;
    unversioned::Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

macro_rules! serve_logging {
    ($($package:ident),*) => {$(
        impl $package::wasi::logging::logging::Host for &mut Instance {
            fn log(&mut self, level: $package::wasi::logging::logging::Level, context: String, message: String) {
                use $package::wasi::logging::logging::Level as Wit;
                let level = match level {
                    Wit::Trace => "trace",
                    Wit::Debug => "debug",
                    Wit::Info => "info",
                    Wit::Warn => "warn",
                    Wit::Error | Wit::Critical => "error",
                };
                self.caller.actor.log(level, line(&context, &message));
            }
        }
    )*};
}

serve_logging!(draft, unversioned);

fn line(context: &str, message: &str) -> String {
    let message = &message[..message.floor_char_boundary(MESSAGE_LEN_MAX)];
    if context.is_empty() {
        return message.to_owned();
    }
    format!("{}: {message}", &context[..context.floor_char_boundary(CONTEXT_LEN_MAX)])
}
