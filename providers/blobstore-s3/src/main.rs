//! `wattle-blobstore-s3`: the provider's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattle_sdk::main::<wattle_blobstore_s3::S3>()
}
