//! Any text as what stands in claims: record keys, audiences, seeds. What is taken is written again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wattle_claims::{Audience, KeyPair, RecordKey};

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<RecordKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(audience) = text.parse::<Audience>() {
        assert_eq!(audience.to_string(), text);
    }
    if let Ok(pair) = KeyPair::from_seed(text) {
        assert_eq!(pair.seed(), text);
    }
});
