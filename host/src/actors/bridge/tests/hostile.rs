//! Bytes that nobody honest writes, and types that nobody sane has.

use proptest::prelude::*;
use wattle_core::{CallError, ErrorKind, call::PARAMS_LEN_MAX};

use super::{bytes, functions_of, imported, list, of_type, types};
use crate::actors::bridge::{
    decode, encode,
    shape::{Shape, Signature},
};

fn kind(signature: &Signature, bytes: &[u8]) -> Option<ErrorKind> {
    decode::params(signature, bytes).err().map(|CallError { kind, .. }| kind)
}

/// Parameters of one value, written as these bytes.
fn of_value(bytes: &[u8]) -> Vec<u8> {
    [b"\x81\xa5value", bytes].concat()
}

#[test]
fn any_bytes_are_values_or_an_error() {
    let signature = of_type(types::TYPES, types::ALL);
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..2_000))| {
        let _: Result<_, _> = decode::params(&signature, &of_value(&bytes));
        let _: Result<_, _> = decode::result(&signature, &bytes);
    });
}

#[test]
fn a_changed_byte_is_another_value_or_an_error() {
    let signature = of_type("", "(list (tuple string (option (result u64 (error string)))))");
    let honest = of_value(b"\x92\x92\xa1a\x81\xa2Ok\x05\x92\xa1b\xc0");
    assert_eq!(kind(&signature, &honest), None);
    proptest!(|(at in 0..honest.len(), to in any::<u8>())| {
        let mut bytes = honest.clone();
        bytes[at] = to;
        if let Ok(values) = decode::params(&signature, &bytes) {
            let again = encode::params(&signature, &values).expect("fits");
            prop_assert_eq!(decode::params(&signature, &again), Ok(values));
        }
    });
}

#[test]
fn a_length_is_not_believed_before_its_bytes_are_there() {
    for (ty, bytes) in [
        ("(list u64)", b"\xdd\xff\xff\xff\xff\x01".as_slice()),
        ("(list u8)", b"\xc6\xff\xff\xff\xff\x01"),
        ("(list u8)", b"\xdd\xff\xff\xff\xff\x01"),
        ("string", b"\xdb\xff\xff\xff\xffa"),
        ("(list string)", b"\xdd\x7f\xff\xff\xff"),
    ] {
        assert_eq!(kind(&of_type("", ty), &of_value(bytes)), Some(ErrorKind::Malformed), "{ty}");
    }
}

#[test]
fn what_does_not_fit_is_malformed() {
    let all = types::TYPES;
    for (what, ty, bytes) in [
        ("bytes behind the end", "u8", b"\x01\x01".as_slice()),
        ("nil", "u8", b"\xc0"),
        ("too few in a tuple", "(tuple u8 u8)", b"\x91\x01"),
        ("too many in a tuple", "(tuple u8 u8)", b"\x93\x01\x01\x01"),
        ("an unknown case", "$shade", b"\xa3red"),
        ("a case without its value", "$shade", b"\xaagrey-level"),
        ("a value where there is none", "$shade", b"\x81\xa4none\x01"),
        ("two cases", "$shade", b"\x82\xa4none\xc0\xa4none\xc0"),
        ("no case", "$shade", b"\x80"),
        ("an unknown name", "$colour", b"\xa3red"),
        ("an unknown flag", "$wishes", b"\x91\xa3red"),
        ("an option without its value", "(option (option u8))", b"\x90"),
        ("an option of two", "(option (option u8))", b"\x92\x01\x01"),
        ("text that is not UTF-8", "string", b"\xa1\xff"),
        ("a result of another case", "(result)", b"\x81\xa2ok\xc0"),
    ] {
        let signature = of_type(all, ty);
        assert_eq!(kind(&signature, &of_value(bytes)), Some(ErrorKind::Malformed), "{what}");
    }
    let signature = of_type("", "u8");
    let twice = b"\x82\xa5value\x01\xa5value\x01";
    for (what, bytes) in
        [("empty", b"".as_slice()), ("no map", b"\x91\x01"), ("missing", b"\x80"), ("twice", twice)]
    {
        assert_eq!(kind(&signature, bytes), Some(ErrorKind::Malformed), "{what}");
    }
}

#[test]
fn depth_that_no_type_has_is_refused_where_it_is_skipped() {
    let deep = [b"\x81\xa1x".as_slice(), &vec![0x91; 1_000_000]].concat();
    assert_eq!(kind(&of_type("", "u8"), &deep), Some(ErrorKind::Malformed));
}

#[test]
fn what_would_take_too_much_memory_is_too_large() {
    let signature = of_type("", "(list u8)");
    let written = encode::params(&signature, &[bytes(&[7; 800_000])]).expect("fits");
    assert_eq!(kind(&signature, &written), None);
    let len = u32::try_from(PARAMS_LEN_MAX - 100).expect("it is 4 MiB");
    let header = [b"\xc6".as_slice(), &len.to_be_bytes()].concat();
    let bytes = of_value(&[header, vec![7; len as usize]].concat());
    assert_eq!(kind(&signature, &bytes), Some(ErrorKind::TooLarge));
    let units = "(list (option (option (option u8))))";
    let header = [b"\xdd".as_slice(), &len.to_be_bytes()].concat();
    let bytes = of_value(&[header, vec![0xc0; len as usize]].concat());
    assert_eq!(kind(&of_type("", units), &bytes), Some(ErrorKind::TooLarge));
    assert_eq!(kind(&signature, &vec![0; PARAMS_LEN_MAX + 1]), Some(ErrorKind::TooLarge));
    let signature = of_type("", "(list u64)");
    let many = list(std::iter::repeat_n(wasmtime::component::Val::U64(u64::MAX), 1 << 19));
    let error = encode::params(&signature, &[many]).expect_err("more than 4 MiB");
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

/// Why the bridge does not carry a function of this type.
fn unfit(items: &str) -> String {
    functions_of(items).expect_err("unfit").to_string()
}

#[test]
fn a_handle_is_a_number_and_nothing_else() {
    let signature = of_type(types::HANDLES, "(option (own $cart))");
    assert_eq!(kind(&signature, &of_value(b"\xce\xff\xff\xff\xff")), None);
    for (what, bytes) in [
        ("past 32 bits", b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00".as_slice()),
        ("negative", b"\xff"),
        ("text", b"\xa17"),
        ("a list", b"\x91\x07"),
    ] {
        assert_eq!(kind(&signature, &of_value(bytes)), Some(ErrorKind::Malformed), "{what}");
    }
}

#[test]
fn a_resource_of_the_hosts_own_in_an_interface_of_ones_own_fails_the_start_with_its_name() {
    let text = r#"
        (import "wasi:io/streams@0.2.0" (instance $streams
            (export "output-stream" (type (sub resource)))))
        (alias export $streams "output-stream" (type $stream))
        (import "wattle-test:bridge/all" (instance
            (alias outer $world $stream (type $outer))
            (export "stream" (type $stream (eq $outer)))
            (export "pour" (func (param "into" (borrow $stream))))))
        "#;
    let why = imported(text).expect_err("unfit").to_string();
    for part in ["wattle-test:bridge/all", "pour", "wasi:io/streams.output-stream"] {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn an_interface_that_uses_the_resource_of_another_means_the_same() {
    let text = r#"
        (import "a:b/carts" (instance $carts (export "cart" (type (sub resource)))))
        (alias export $carts "cart" (type $cart))
        (import "a:b/desk" (instance
            (alias outer $world $cart (type $outer))
            (export "basket" (type $basket (eq $outer)))
            (export "pay" (func (param "basket" (own $basket))))))
        "#;
    let imported = imported(text).expect("the bridge carries it");
    let [resource] = &*imported.resources else { panic!("{:?}", imported.resources) };
    assert_eq!(
        (resource.interface.as_str(), &*resource.drop_function),
        ("a:b/carts", "[resource-drop]cart")
    );
    let handle = Shape::Handle { resource: 0, owned: true };
    assert_eq!(imported.functions[0].1.params.1, [handle]);
}

#[test]
fn types_too_deep_or_too_many_fail_the_start() {
    let deep = format!("{}u8{}", "(option ".repeat(30), ")".repeat(30));
    let why = unfit(&format!(r#"(export "run" (func (param "value" {deep})))"#));
    assert!(why.contains("deeper"), "{why}");
    let mut doubled = "(type $t0 (tuple u8 u8))".to_owned();
    for level in 1..16 {
        let before = level - 1;
        doubled.push_str(&format!("(type $t{level} (tuple $t{before} $t{before}))"));
    }
    let why = unfit(&format!(r#"{doubled} (export "run" (func (param "value" $t15)))"#));
    assert!(why.contains("types"), "{why}");
}
