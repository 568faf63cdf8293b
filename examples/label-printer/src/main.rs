//! The provider's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattle_sdk::main::<wattle_label_printer::LabelPrinter>()
}
