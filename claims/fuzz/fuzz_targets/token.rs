//! Any text as a token: form, kind and chain. Nothing may hold, since no signature is guessed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wattle_claims::{DeploymentRecord, LinkRecord, RevokedSet, Signed, Timestamp, Trust, peek_kind};
use wattle_core::control::Command;

fuzz_target!(|text: &str| {
    let _ = peek_kind(text);
    let trust = Trust {
        operators: Default::default(),
        accounts: Default::default(),
        lattice: "home".parse().expect("a name"),
        revocations: RevokedSet::default(),
    };
    if let Ok(signed) = Signed::<Command>::parse(text) {
        let _ = signed.peek_chain();
        assert!(signed.verify(&trust, Timestamp::from_secs(0)).is_err());
    }
    if let Ok(signed) = Signed::<DeploymentRecord>::parse(text) {
        let _ = signed.peek();
        assert!(signed.verify(&trust, Timestamp::from_secs(0)).is_err());
    }
    if let Ok(signed) = Signed::<LinkRecord>::parse(text) {
        let _ = signed.peek();
        assert!(signed.verify(&trust, Timestamp::from_secs(0)).is_err());
    }
});
