//! `wattle-messaging-mqtt`: the provider's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattle_sdk::main::<wattle_messaging_mqtt::Mqtt>()
}
