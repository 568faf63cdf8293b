//! `wattle-timer`: the provider's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattle_sdk::main::<wattle_timer::Timer>()
}
