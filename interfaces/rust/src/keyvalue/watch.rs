//! Being told of changes in a store: `wasi:keyvalue/watcher`.

use super::Bucket;
use crate::{Result, bindings::keyvalue::store};

#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod handler {
    wit_bindgen::generate!({
        inline: "
            package wattle:watching;

            world watching {
                export wasi:keyvalue/watcher@0.2.0-draft;
            }
        ",
        path: "../keyvalue/wit",
        world: "wattle:watching/watching",
        generate_all,
        with: {
            "wasi:keyvalue/store@0.2.0-draft": crate::bindings::keyvalue::store,
        },
        pub_export_macro: true,
        default_bindings_module: "wattle::keyvalue::watch::handler",
    });
}

/// A key of a store that the actor watches has another value now, or none.
#[derive(Debug)]
pub struct Change {
    /// The bucket. Whether it may be used is up to a link of the actor's own.
    pub bucket: Bucket,
    /// The key.
    pub key: String,
    /// What it had when this was told; nothing if its value is gone.
    pub value: Option<Vec<u8>>,
}

#[doc(hidden)]
pub fn tell(
    watcher: fn(Change) -> Result<()>,
    bucket: store::Bucket,
    key: String,
    value: Option<Vec<u8>>,
) {
    let told = watcher(Change { bucket: Bucket(bucket), key, value });
    if let Err(error) = told {
        panic!("{error}"); // the contract has no other way to fail
    }
}

/// Makes a function the one that is told of changes: it takes a [`Change`](crate::keyvalue::Change) and returns a
/// [`Result`](crate::Result). After an error it is told again, as often as the link's settings say.
#[macro_export]
macro_rules! watch {
    ($watcher:path) => {
        struct WattleWatcher;

        impl $crate::keyvalue::watch::handler::exports::wasi::keyvalue::watcher::Guest
            for WattleWatcher
        {
            fn on_set(
                bucket: $crate::keyvalue::watch::handler::exports::wasi::keyvalue::watcher::Bucket,
                key: String,
                value: Vec<u8>,
            ) {
                $crate::keyvalue::watch::tell($watcher, bucket, key, Some(value));
            }

            fn on_delete(
                bucket: $crate::keyvalue::watch::handler::exports::wasi::keyvalue::watcher::Bucket,
                key: String,
            ) {
                $crate::keyvalue::watch::tell($watcher, bucket, key, None);
            }
        }

        $crate::keyvalue::watch::handler::export!(
            WattleWatcher with_types_in $crate::keyvalue::watch::handler
        );
    };
}
