//! The provider's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattle_sdk::main::<everything::Everything>()
}
