//! Any bytes as a provider's artifact.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wattle_claims::provider;

fuzz_target!(|bytes: &[u8]| {
    let Ok(peeked) = provider::peek(bytes) else { return };
    let binaries =
        peeked.binaries.iter().map(|(name, file)| (name.clone(), file.to_vec())).collect();
    if let Ok(again) = provider::pack(&peeked.token, &binaries) {
        assert_eq!(again, bytes, "an artifact has one spelling");
    }
});
