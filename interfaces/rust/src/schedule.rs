//! What has to be done at its times: `wattle:schedule`. A timer that is linked to the actor says [when](crate::schedule!).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod handler {
    wit_bindgen::generate!({
        inline: "
            package wattle:timed;

            world timed {
                export wattle:schedule/handler@0.1.0;
            }
        ",
        path: "../schedule/wit",
        world: "wattle:timed/timed",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "wattle::schedule::handler",
    });
}

/// A time that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The name of the schedule that says so; `default` where the link has only one.
    pub schedule: String,
    /// When it was due, in milliseconds since 1970 (UTC). It names the tick: no other of its schedule has the same.
    pub due_ms: u64,
    /// How many of the schedule's times just before this one came and went without a call.
    pub missed: u32,
    /// 1, and one more each time that this tick comes again after an error.
    pub attempt: u32,
}

impl Tick {
    /// When it was due.
    pub fn due(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.due_ms)
    }
}

/// Makes a function the one that is called at the actor's times: it takes a [`Tick`] and returns a [`Result`](crate::Result). After an
/// error it is called again for the same tick, as often as the link's settings say.
#[macro_export]
macro_rules! schedule {
    ($handler:path) => {
        struct WattleScheduleHandler;

        impl $crate::schedule::handler::exports::wattle::schedule::handler::Guest
            for WattleScheduleHandler
        {
            fn on_time(
                tick: $crate::schedule::handler::exports::wattle::schedule::handler::Tick,
            ) -> Result<(), String> {
                let tick = $crate::schedule::Tick {
                    schedule: tick.schedule,
                    due_ms: tick.due,
                    missed: tick.missed,
                    attempt: tick.attempt,
                };
                $handler(tick).map_err(|error: $crate::Error| error.to_string())
            }
        }

        $crate::schedule::handler::export!(
            WattleScheduleHandler with_types_in $crate::schedule::handler
        );
    };
}
