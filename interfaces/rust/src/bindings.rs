//! The contracts' imports, generated from the WIT beside this crate.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    inline: "
        package wattle:actor;

        world imports {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            import wasi:config/runtime@0.2.0-draft;
            import wasi:logging/logging@0.1.0-draft;
            import wasmcloud:bus/lattice@2.0.0;
            import wasi:blobstore/blobstore@0.2.0-draft;
            import wasi:blobstore/container@0.2.0-draft;
            import wasi:blobstore/types@0.2.0-draft;
            import wasmcloud:messaging/consumer@0.2.0;
            import wasmcloud:secrets/store@0.1.0-draft;
            import wasmcloud:secrets/reveal@0.1.0-draft;
            import wattle:control/state@0.1.0;
            import wattle:control/commands@0.1.0;
            import wattle:sql/sql@0.1.0;
        }
    ",
    path: [
        "../keyvalue/wit",
        "../config/wit/draft",
        "../logging/wit/draft",
        "../bus/wit/v2",
        "../blobstore/wit",
        "../messaging/wit",
        "../secrets/wit",
        "../control/wit",
        "../sql/wit",
    ],
    world: "wattle:actor/imports",
    generate_all,
    with: {
        "wasi:io/streams@0.2.12": wasip2::io::streams,
    },
});

pub use self::{
    wasi::*,
    wasmcloud::{bus, messaging, secrets},
    wattle::{control, sql},
};
