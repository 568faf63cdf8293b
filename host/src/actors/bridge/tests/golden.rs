//! The bridge writes the very bytes that typed code writes.

use serde::Serialize;
use serde_bytes::{ByteBuf, Bytes};
use wasmtime::component::Val;
use wattle_core::{
    Handle, codec,
    handle::{Dropped, drop_function},
};
use wattle_keyvalue::{
    Error,
    wire::{
        Get, GetMany, Increment, KeyResponse, KeyValue, ListKeys, Open, Outcome, Set, SetMany, Text,
    },
};

use super::{bytes, list, of_type, signature, some, text, types};
use crate::actors::bridge::{decode, encode};

/// The key-value contract as it is on the wire, where a bucket is its name.
const KEY_VALUE: &str = r#"
    (type $error' (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $error')))
    (type $page' (record (field "keys" (list string)) (field "cursor" (option u64))))
    (export "key-response" (type $page (eq $page')))
    (export "open" (func (param "bucket" string) (result (result (error $error)))))
    (export "get" (func (param "bucket" string) (param "key" string) (result (result (option (list u8)) (error $error)))))
    (export "set" (func (param "bucket" string) (param "key" string) (param "value" (list u8)) (result (result (error $error)))))
    (export "exists" (func (param "bucket" string) (param "key" string) (result (result bool (error $error)))))
    (export "list-keys" (func (param "bucket" string) (param "cursor" (option u64)) (result (result $page (error $error)))))
    (export "increment" (func (param "bucket" string) (param "key" string) (param "delta" u64) (result (result u64 (error $error)))))
    (export "get-many" (func (param "bucket" string) (param "keys" (list string)) (result (result (list (option (tuple string (list u8)))) (error $error)))))
    (export "set-many" (func (param "bucket" string) (param "key-values" (list (tuple string (list u8)))) (result (result (error $error)))))
"#;

#[track_caller]
fn assert_params(function: &str, values: &[Val], typed: &impl Serialize) {
    let signature = signature(KEY_VALUE, function);
    let written = encode::params(&signature, values).expect("fits");
    assert_eq!(written, codec::encode(typed), "{function}");
    assert_eq!(decode::params(&signature, &written).expect("its own bytes"), values, "{function}");
}

#[track_caller]
fn assert_result<T: Serialize>(function: &str, value: Val, typed: Outcome<T>) {
    let signature = signature(KEY_VALUE, function);
    let written = encode::result(&signature, std::slice::from_ref(&value)).expect("fits");
    assert_eq!(written, codec::encode(&typed), "{function}");
    assert_eq!(decode::result(&signature, &written), Ok(Some(value)), "{function}");
}

#[test]
fn parameters_are_those_of_the_typed_key_value_contract() {
    let (bucket, key) = ("b".into(), "k".into());
    assert_params("open", &[text("b")], &Open { bucket: "b".into() });
    assert_params("get", &[text("b"), text("k")], &Get { bucket, key });
    let value = b"\x00\xffv".as_slice().into();
    let set = Set { bucket: "b".into(), key: "k".into(), value };
    assert_params("set", &[text("b"), text("k"), bytes(b"\x00\xffv")], &set);
    for cursor in [None, Some(7), Some(u64::MAX)] {
        let given = Val::Option(cursor.map(|at| Box::new(Val::U64(at))));
        assert_params("list-keys", &[text("b"), given], &ListKeys { bucket: "b".into(), cursor });
    }
    for delta in [0, 127, 128, 255, 256, 65_535, 65_536, 1 << 32, u64::MAX] {
        let typed = Increment { bucket: "b".into(), key: "k".into(), delta };
        assert_params("increment", &[text("b"), text("k"), Val::U64(delta)], &typed);
    }
    let typed = GetMany { bucket: "b".into(), keys: vec![Text("x".into()), Text("y".into())] };
    assert_params("get-many", &[text("b"), list([text("x"), text("y")])], &typed);
    let pair = KeyValue("x".into(), b"1".as_slice().into());
    let typed = SetMany { bucket: "b".into(), key_values: vec![pair] };
    let pairs = list([Val::Tuple(vec![text("x"), bytes(b"1")])]);
    assert_params("set-many", &[text("b"), pairs], &typed);
}

#[test]
fn results_are_those_of_the_typed_key_value_contract() {
    let ok = |value: Val| Val::Result(Ok(Some(Box::new(value))));
    let case = |name: &str, of: Option<Val>| {
        let value = Val::Variant(name.to_owned(), of.map(Box::new));
        Val::Result(Err(Some(Box::new(value))))
    };
    assert_result("open", Val::Result(Ok(None)), Outcome::Ok(()));
    assert_result("open", case("no-such-store", None), Outcome::<()>::Err(Error::NoSuchStore));
    let other = Error::Other("why".to_owned());
    assert_result("set", case("other", Some(text("why"))), Outcome::<()>::Err(other));
    let none: Option<ByteBuf> = None;
    assert_result("get", ok(Val::Option(None)), Outcome::Ok(none));
    assert_result("get", ok(some(bytes(b""))), Outcome::Ok(Some(ByteBuf::new())));
    assert_result("exists", ok(Val::Bool(true)), Outcome::Ok(true));
    let page = KeyResponse { keys: vec!["a".to_owned()], cursor: Some(300) };
    let value = Val::Record(vec![
        ("keys".to_owned(), list([text("a")])),
        ("cursor".to_owned(), some(Val::U64(300))),
    ]);
    assert_result("list-keys", ok(value), Outcome::Ok(page));
    let found = vec![Some(("k".to_owned(), ByteBuf::from(*b"v"))), None];
    let pair = some(Val::Tuple(vec![text("k"), bytes(b"v")]));
    assert_result("get-many", ok(list([pair, Val::Option(None)])), Outcome::Ok(found));
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    DarkRed,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Wish {
    GiftWrap,
    Insured,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Shade {
    None,
    GreyLevel(u8),
    Named((&'static str, Colour)),
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct All {
    a_bool: bool,
    small: (i8, u8, i16, u16),
    large: (i32, u32, i64, u64),
    floats: (f32, f64),
    letter: char,
    name: &'static str,
    raw: &'static Bytes,
    shades: Vec<Shade>,
    colour: Colour,
    wishes: Vec<Wish>,
    maybe: Option<u32>,
    /// Options in options: what is inside is an array of one.
    nested: Option<(Option<(Option<&'static str>,)>,)>,
    outcome: Result<&'static Bytes, Shade>,
    bare: Result<(), ()>,
}

#[derive(Serialize)]
struct Params {
    value: All,
}

fn typed() -> All {
    All {
        a_bool: true,
        small: (-128, 255, -129, 65_535),
        large: (i32::MIN, u32::MAX, i64::MIN, u64::MAX),
        floats: (0.1, -0.0),
        letter: 'ß',
        name: "wattle",
        raw: Bytes::new(b"\x00\x80\xff"),
        shades: vec![Shade::None, Shade::GreyLevel(7), Shade::Named(("x", Colour::DarkRed))],
        colour: Colour::DarkRed,
        wishes: vec![Wish::GiftWrap, Wish::Insured],
        maybe: None,
        nested: Some((Some((None,)),)),
        outcome: Err(Shade::None),
        bare: Ok(()),
    }
}

fn dynamic() -> Val {
    let name = str::to_owned;
    let colour = || Val::Enum(name("dark-red"));
    let shade = |case: &str, of: Option<Val>| Val::Variant(name(case), of.map(Box::new));
    let fields = [
        ("a-bool", Val::Bool(true)),
        ("small", Val::Tuple(vec![Val::S8(-128), Val::U8(255), Val::S16(-129), Val::U16(65_535)])),
        (
            "large",
            Val::Tuple(vec![
                Val::S32(i32::MIN),
                Val::U32(u32::MAX),
                Val::S64(i64::MIN),
                Val::U64(u64::MAX),
            ]),
        ),
        ("floats", Val::Tuple(vec![Val::Float32(0.1), Val::Float64(-0.0)])),
        ("letter", Val::Char('ß')),
        ("name", text("wattle")),
        ("raw", bytes(b"\x00\x80\xff")),
        (
            "shades",
            list([
                shade("none", None),
                shade("grey-level", Some(Val::U8(7))),
                shade("named", Some(Val::Tuple(vec![text("x"), colour()]))),
            ]),
        ),
        ("colour", colour()),
        ("wishes", Val::Flags(vec![name("gift-wrap"), name("insured")])),
        ("maybe", Val::Option(None)),
        ("nested", some(some(Val::Option(None)))),
        ("outcome", Val::Result(Err(Some(Box::new(shade("none", None)))))),
        ("bare", Val::Result(Ok(None))),
    ];
    Val::Record(fields.into_iter().map(|(field, value)| (name(field), value)).collect())
}

#[test]
fn every_kind_is_written_as_serde_writes_it() {
    let signature = of_type(types::TYPES, types::ALL);
    let value = [dynamic()];
    let written = encode::params(&signature, &value).expect("fits");
    assert_eq!(written, codec::encode(&Params { value: typed() }));
    assert_eq!(decode::params(&signature, &written).expect("its own bytes"), value);
    let written = encode::result(&signature, &value).expect("fits");
    assert_eq!(written, codec::encode(&typed()));
}

#[test]
fn nothing_is_an_empty_map_of_parameters_and_nil_as_a_result() {
    let signature = signature(r#"(export "run" (func))"#, "run");
    assert_eq!(encode::params::<Val>(&signature, &[]).expect("fits"), [0x80]);
    assert_eq!(encode::result(&signature, &[]).expect("fits"), codec::encode(&()));
    assert_eq!(decode::params(&signature, &[0x80]), Ok(vec![]));
    assert_eq!(decode::result(&signature, &[0xc0]), Ok(None));
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Payment {
    Cash,
    ByVoucher(Handle),
    Split((Handle, u64)),
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Order {
    cart: Handle,
    spare: Option<Handle>,
    nested: Option<(Option<Handle>,)>,
    number: u32,
    payments: Vec<Payment>,
    outcome: Result<Handle, Vec<Handle>>,
    raw: &'static Bytes,
}

#[test]
fn handles_are_written_as_numbers_wherever_they_are() {
    #[derive(Serialize)]
    struct Params {
        value: Order,
    }
    let order = || Order {
        cart: Handle::new(0),
        spare: Some(Handle::new(127)),
        nested: Some((Some(Handle::new(128)),)),
        number: 7,
        payments: vec![
            Payment::Cash,
            Payment::ByVoucher(Handle::new(65_535)),
            Payment::Split((Handle::new(65_536), 9)),
        ],
        outcome: Err(vec![Handle::new(u32::MAX)]),
        raw: Bytes::new(b"\xff"),
    };
    let payment = |case: &str, of: Option<Val>| Val::Variant(case.to_owned(), of.map(Box::new));
    let fields = [
        ("cart", Val::U32(0)),
        ("spare", some(Val::U32(127))),
        ("nested", some(some(Val::U32(128)))),
        ("number", Val::U32(7)),
        (
            "payments",
            list([
                payment("cash", None),
                payment("by-voucher", Some(Val::U32(65_535))),
                payment("split", Some(Val::Tuple(vec![Val::U32(65_536), Val::U64(9)]))),
            ]),
        ),
        ("outcome", Val::Result(Err(Some(Box::new(list([Val::U32(u32::MAX)])))))),
        ("raw", bytes(b"\xff")),
    ];
    let value = fields.map(|(field, value)| (field.to_owned(), value));
    let value = [Val::Record(value.into())];
    let signature = of_type(types::HANDLES, types::WITH_HANDLES);
    let written = encode::params(&signature, &value).expect("fits");
    assert_eq!(written, codec::encode(&Params { value: order() }));
    assert_eq!(decode::params(&signature, &written).expect("its own bytes"), value);
    assert_eq!(encode::result(&signature, &value).expect("fits"), codec::encode(&order()));
}

#[test]
fn a_method_has_its_self_first_and_a_constructor_gives_the_handle() {
    #[derive(Serialize)]
    struct Add {
        #[serde(rename = "self")]
        this: Handle,
        item: &'static str,
    }
    let cart = r#"
        (export "cart" (type $cart (sub resource)))
        (export "[constructor]cart" (func (param "owner" string) (result (own $cart))))
        (export "[method]cart.add" (func (param "self" (borrow $cart)) (param "item" string)))
    "#;
    let add = signature(cart, "[method]cart.add");
    let written = encode::params(&add, &[Val::U32(300), text("tea")]).expect("fits");
    assert_eq!(written, codec::encode(&Add { this: Handle::new(300), item: "tea" }));
    let made = signature(cart, "[constructor]cart");
    let written = encode::result(&made, &[Val::U32(300)]).expect("fits");
    assert_eq!(written, codec::encode(&Handle::new(300)));
    assert_eq!(drop_function("cart"), "[resource-drop]cart");
    let dropped = Dropped { handles: vec![Handle::new(300)].into() };
    assert_eq!(codec::encode(&dropped), b"\x81\xa7handles\x91\xcd\x01\x2c");
}
