//! Any bytes as a signed component.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wattle_claims::module;

fuzz_target!(|bytes: &[u8]| {
    let wasm = [b"\0asm\x0d\0\x01\0".as_slice(), bytes].concat();
    let _ = module::world(&wasm);
    if let Ok(embedded) = module::read(&wasm) {
        let again = module::embed(embedded.content, &embedded.token).expect("it fitted before");
        assert_eq!(again, wasm, "a signed component has one spelling");
    }
    if let Ok(stripped) = module::strip(&wasm) {
        assert_eq!(module::strip(&stripped).expect("sections"), stripped);
    }
});
