use proptest::prelude::*;
use wattle_claims::{
    ActorClaims, KeyKind, KeyPair, RecordKey, Signed, TokenError,
    module::{self, ModuleError, SECTION, World},
};
use wattle_core::Digest;

use crate::authority::{Authority, NOW, after};

const COMPONENT: &str = r#"(component
    (import "wasi:keyvalue/store@0.2.0-draft" (instance))
    (import "log" (func))
    (component (import "wasi:cli/environment@0.2.0" (instance)))
    (core module (func (export "f")))
    (instance $handler)
    (export "wasi:http/incoming-handler@0.2.4" (instance $handler)))"#;

fn component() -> Vec<u8> {
    wat::parse_str(COMPONENT).unwrap()
}

fn claims(authority: &Authority, hash: Digest) -> Signed<ActorClaims> {
    let claims = ActorClaims {
        name: "hello".into(),
        version: "1.0.0".into(),
        hash,
        imports: vec!["wasi:keyvalue/store".parse().unwrap()],
        exports: vec!["wasi:http/incoming-handler".parse().unwrap()],
    };
    let key = KeyPair::generate(KeyKind::Actor);
    let mut draft = authority.draft(key.public(), claims);
    draft.expires = Some(after(1_000));
    draft.sign(authority.as_account(), NOW).unwrap()
}

/// The component, signed.
fn signed(authority: &Authority, component: &[u8]) -> Vec<u8> {
    let token = claims(authority, module::digest(component));
    module::embed(component, &token).unwrap()
}

/// A custom section, its lengths spelled in `width` bytes each, or in the fewest.
fn custom(name: &str, content: &[u8], width: usize) -> Vec<u8> {
    let leb = |mut value: usize| {
        let mut bytes = Vec::new();
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 && bytes.len() + 1 >= width {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    };
    let body = [&leb(name.len()), name.as_bytes(), content].concat();
    [&[0], leb(body.len()).as_slice(), &body].concat()
}

fn refusal(authority: &Authority, wasm: &[u8]) -> ModuleError {
    module::verify(wasm, &authority.trust(), NOW).unwrap_err()
}

#[test]
fn a_signed_component_is_verified_and_its_content_is_what_was_signed() {
    let authority = Authority::new();
    let component = component();
    let wasm = signed(&authority, &component);
    let verified = module::verify(&wasm, &authority.trust(), NOW).unwrap();
    assert_eq!(verified.content, component);
    assert_eq!(verified.hash, module::digest(&component));
    assert_eq!(verified.claims.body.name, "hello");
    assert_eq!(*verified.claims.account(), authority.account_key());
    // It is still a component, for any other tool.
    assert!(wasmparser::Validator::new().validate_all(&wasm).is_ok());
    assert_eq!(module::strip(&wasm).unwrap(), component);
    assert_eq!(module::strip(&component).unwrap(), component);
}

#[test]
fn what_holds_now_does_not_hold_for_ever() {
    let authority = Authority::new();
    let wasm = signed(&authority, &component());
    let late = after(10_000);
    let error = module::verify(&wasm, &authority.trust(), late).unwrap_err();
    assert!(matches!(error, ModuleError::Token(TokenError::Expired { .. })), "{error}");
    let stranger = Authority::new();
    let error = refusal(&stranger, &wasm);
    assert!(matches!(error, ModuleError::Token(TokenError::Untrusted { .. })), "{error}");
}

#[test]
fn every_flipped_bit_is_noticed() {
    let authority = Authority::new();
    let wasm = signed(&authority, &component());
    for at in 0..wasm.len() {
        for bit in 0..8 {
            let mut changed = wasm.clone();
            changed[at] ^= 1 << bit;
            assert!(
                module::verify(&changed, &authority.trust(), NOW).is_err(),
                "bit {bit} of byte {at} of {}",
                wasm.len()
            );
        }
    }
}

#[test]
fn a_component_cut_anywhere_is_refused() {
    let authority = Authority::new();
    let wasm = signed(&authority, &component());
    for len in 0..wasm.len() {
        assert!(module::verify(&wasm[..len], &authority.trust(), NOW).is_err(), "{len}");
    }
}

#[test]
fn anything_behind_the_claims_is_refused() {
    let authority = Authority::new();
    let wasm = signed(&authority, &component());
    for byte in 0..=u8::MAX {
        assert!(matches!(
            refusal(&authority, &[wasm.as_slice(), &[byte]].concat()),
            ModuleError::Malformed(_)
        ));
    }
    for section in [custom("name", b"", 1), custom(SECTION, b"", 1)[..1].repeat(2)] {
        let error = refusal(&authority, &[wasm.as_slice(), &section].concat());
        assert!(matches!(error, ModuleError::NotLast | ModuleError::Malformed(_)), "{error}");
    }
    let error = refusal(&authority, &[wasm.as_slice(), &custom("name", b"x", 1)].concat());
    assert_eq!(error, ModuleError::NotLast);
}

#[test]
fn two_claims_sections_are_refused() {
    let authority = Authority::new();
    let component = component();
    let wasm = signed(&authority, &component);
    let section = &wasm[component.len()..];
    let twice = [wasm.as_slice(), section].concat();
    assert_eq!(refusal(&authority, &twice), ModuleError::HasClaims);
    // Even if the second one speaks of everything ahead of it, the first one included.
    let token = claims(&authority, module::digest(&wasm));
    assert_eq!(module::embed(&wasm, &token).unwrap_err(), ModuleError::HasClaims);
    let again = [wasm.as_slice(), &custom(SECTION, token.text().as_bytes(), 1)].concat();
    assert_eq!(refusal(&authority, &again), ModuleError::HasClaims);
    // And if one of them is empty, or spelled at length.
    for other in [custom(SECTION, b"", 1), custom(SECTION, b"", 5)] {
        let wasm = [component.as_slice(), &other, section].concat();
        assert_eq!(refusal(&authority, &wasm), ModuleError::HasClaims);
    }
    assert_eq!(module::strip(&twice).unwrap(), component);
}

#[test]
fn lengths_have_one_spelling() {
    let authority = Authority::new();
    let component = component();
    let token = claims(&authority, module::digest(&component));
    for width in [3, 4, 5] {
        let section = custom(SECTION, token.text().as_bytes(), width);
        let wasm = [component.as_slice(), &section].concat();
        assert_eq!(refusal(&authority, &wasm), ModuleError::NotLast, "{width}");
    }
    let section = custom(SECTION, token.text().as_bytes(), 1);
    assert!(module::verify(&[component, section].concat(), &authority.trust(), NOW).is_ok());
}

#[test]
fn claims_of_a_nested_component_grant_nothing() {
    let authority = Authority::new();
    let inner = signed(&authority, &component());
    // The signed component as the fourth kind of section, a component, of another.
    let outer = |section: u8| {
        let mut wasm = wat::parse_str("(component)").unwrap();
        let body = custom("", &inner, 1);
        // The same lengths as a custom section without a name, whose one byte of name length is dropped.
        let (mut at, mut len) = (1, 0_usize);
        for shift in (0..).step_by(7) {
            len |= usize::from(body[at] & 0x7f) << shift;
            at += 1;
            if body[at - 1] & 0x80 == 0 {
                break;
            }
        }
        let len = len - 1;
        wasm.push(section);
        wasm.extend([(len & 0x7f) as u8 | 0x80, (len >> 7) as u8]);
        wasm.extend_from_slice(&inner);
        wasm
    };
    let wasm = outer(4);
    assert!(wasmparser::Parser::new(0).parse_all(&wasm).all(|payload| payload.is_ok()));
    assert_eq!(refusal(&authority, &wasm), ModuleError::NoClaims { nested: true });
    assert_eq!(refusal(&authority, &component()), ModuleError::NoClaims { nested: false });
    // The outer one may be signed in its own right: then its own claims are those that count.
    let wasm = signed(&authority, &wasm);
    let verified = module::verify(&wasm, &authority.trust(), NOW).unwrap();
    assert_eq!(verified.content.len(), outer(4).len());
}

#[test]
fn a_token_of_another_kind_or_none_at_all_is_refused() {
    let authority = Authority::new();
    let component = component();
    let with = |content: &[u8]| [component.as_slice(), &custom(SECTION, content, 1)].concat();
    for (content, wanted) in [
        (authority.signed_link().text().as_bytes(), "kind"),
        (b"".as_slice(), "malformed"),
        (b"\xff\xfe".as_slice(), "malformed"),
    ] {
        let error = refusal(&authority, &with(content));
        let found = match error {
            ModuleError::Token(TokenError::Kind { .. }) => "kind",
            ModuleError::Token(TokenError::Malformed(_)) => "malformed",
            _ => "other",
        };
        assert_eq!(found, wanted);
    }
}

#[test]
fn claims_of_another_component_are_refused() {
    let authority = Authority::new();
    let other = wat::parse_str("(component)").unwrap();
    let token = claims(&authority, module::digest(&other));
    let wasm = module::embed(&component(), &token).unwrap();
    let found = module::digest(&component());
    let signed = module::digest(&other);
    assert_eq!(refusal(&authority, &wasm), ModuleError::Hash { found, signed });
}

#[test]
fn what_is_not_a_component_is_refused() {
    let authority = Authority::new();
    let core = wat::parse_str("(module)").unwrap();
    let token = claims(&authority, module::digest(&core));
    for wasm in [core.as_slice(), b"", b"\0asm", b"not wasm at all", &[0; 100]] {
        assert!(matches!(refusal(&authority, wasm), ModuleError::Malformed(_)));
        assert!(matches!(module::embed(wasm, &token), Err(ModuleError::Malformed(_))));
        assert!(matches!(module::strip(wasm), Err(ModuleError::Malformed(_))));
        assert!(matches!(module::world(wasm), Err(ModuleError::Malformed(_))));
    }
}

#[test]
fn the_world_is_what_the_outermost_component_imports_and_exports() {
    let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let world = World {
        imports: set(&["wasi:keyvalue/store@0.2.0-draft", "log"]),
        exports: set(&["wasi:http/incoming-handler@0.2.4"]),
    };
    assert_eq!(module::world(&component()).unwrap(), world);
    let authority = Authority::new();
    assert_eq!(module::world(&signed(&authority, &component())).unwrap(), world);
}

#[test]
fn a_digest_is_sha_256() {
    assert_eq!(
        module::digest(b"abc").hex(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn claims_can_be_read_without_trusting_them() {
    let stranger = Authority::new();
    let wasm = signed(&stranger, &component());
    let embedded = module::read(&wasm).unwrap();
    let claims = embedded.token.peek().unwrap();
    assert_eq!(claims.body.hash, embedded.hash);
    assert!(claims.subject.parse::<RecordKey>().is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_component_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let wasm = [b"\0asm\x0d\0\x01\0".as_slice(), &bytes].concat();
        let _ = module::read(&wasm);
        let _ = module::world(&wasm);
        if let Ok(stripped) = module::strip(&wasm) {
            prop_assert_eq!(module::strip(&stripped).expect("stripped"), stripped);
        }
    }

    #[test]
    fn a_changed_component_is_a_component_or_a_refusal(at: prop::sample::Index, byte: u8) {
        let mut wasm = component();
        let at = at.index(wasm.len());
        wasm[at] = byte;
        let _ = module::read(&wasm);
        let _ = module::world(&wasm);
    }
}
