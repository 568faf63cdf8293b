//! Whatever values a function has, they survive the trip; and what came through JSON is understood.

use proptest::{collection::vec, prelude::*, strategy::Union};
use serde::Serialize;
use wasmtime::component::Val;
use wattle_core::codec;

use super::{bytes, of_type, some, text, types};
use crate::actors::bridge::{
    decode, encode,
    handles::each as each_handle,
    shape::{Names, Shape},
};

/// Any value of this shape.
fn any_value(shape: &Shape) -> BoxedStrategy<Val> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        Shape::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        Shape::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        Shape::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        Shape::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        // A handle is a number on both sides of the bytes.
        Shape::U32 | Shape::Handle { .. } => any::<u32>().prop_map(Val::U32).boxed(),
        Shape::S64 => any::<i64>().prop_map(Val::S64).boxed(),
        Shape::U64 => any::<u64>().prop_map(Val::U64).boxed(),
        Shape::Float32 => any::<f32>().prop_map(Val::Float32).boxed(),
        Shape::Float64 => any::<f64>().prop_map(Val::Float64).boxed(),
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::String => ".{0,40}".prop_map(Val::String).boxed(),
        Shape::Bytes => vec(any::<u8>(), 0..300).prop_map(|given| bytes(&given)).boxed(),
        Shape::List(of) => vec(any_value(of), 0..20).prop_map(Val::List).boxed(),
        Shape::Tuple(of) => each(of).prop_map(Val::Tuple).boxed(),
        Shape::Record(names, of) => {
            let names: Vec<String> = owned(names);
            each(of)
                .prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect()))
                .boxed()
        }
        Shape::Enum(names) => prop::sample::select(owned(names)).prop_map(Val::Enum).boxed(),
        Shape::Flags(names) => {
            let all = owned(names);
            let len = all.len();
            prop::sample::subsequence(all, 0..=len).prop_map(Val::Flags).boxed()
        }
        Shape::Option { of, .. } => prop::option::of(any_value(of))
            .prop_map(|value| Val::Option(value.map(Box::new)))
            .boxed(),
        Shape::Variant(names, of) => {
            let cases = owned(names).into_iter().zip(of).map(|(name, of)| {
                payload(of.as_ref())
                    .prop_map(move |value| Val::Variant(name.clone(), value))
                    .boxed()
            });
            Union::new(cases).boxed()
        }
        Shape::Result(of) => {
            let ok = payload(of[0].as_ref()).prop_map(|value| Val::Result(Ok(value)));
            let err = payload(of[1].as_ref()).prop_map(|value| Val::Result(Err(value)));
            prop_oneof![ok, err].boxed()
        }
    }
}

fn payload(shape: Option<&Shape>) -> BoxedStrategy<Option<Box<Val>>> {
    match shape {
        None => Just(None).boxed(),
        Some(shape) => any_value(shape).prop_map(|value| Some(Box::new(value))).boxed(),
    }
}

fn each(shapes: &[Shape]) -> BoxedStrategy<Vec<Val>> {
    shapes.iter().map(any_value).collect::<Vec<_>>().boxed()
}

fn owned(names: &Names) -> Vec<String> {
    names.iter().map(str::to_owned).collect()
}

#[test]
fn every_value_survives_the_trip() {
    let signature = of_type(types::TYPES, types::ALL);
    proptest!(|(params in each(&signature.params.1))| {
        let written = encode::params(&signature, &params).expect("fits");
        prop_assert_eq!(decode::params(&signature, &written), Ok(params.clone()));
        let written = encode::result(&signature, &params).expect("fits");
        prop_assert_eq!(decode::result(&signature, &written), Ok(params.into_iter().next()));
    });
}

#[test]
fn every_value_with_handles_survives_the_trip_and_each_of_them_is_found() {
    let signature = of_type(types::HANDLES, types::WITH_HANDLES);
    let shape = &signature.params.1[0];
    proptest!(|(params in each(&signature.params.1))| {
        let written = encode::params(&signature, &params).expect("fits");
        prop_assert_eq!(decode::params(&signature, &written), Ok(params.clone()));
        let (mut numbers, mut value) = (Vec::new(), params[0].clone());
        each_handle(shape, &mut value, &mut |_, owned, value| {
            assert!(owned, "this function takes no borrows");
            let Val::U32(number) = *value else { panic!("{value:?}") };
            numbers.push(number);
            // It stands for what a guest has, which is no number any more.
            *value = Val::Bool(true);
            Ok(())
        }).expect("values are of their type");
        let mut turned = numbers.into_iter().map(Val::U32);
        each_handle(shape, &mut value, &mut |_, _, value| {
            *value = turned.next().expect("as many as there were");
            Ok(())
        }).expect("values are of their type");
        prop_assert!(turned.next().is_none());
        prop_assert_eq!(&value, &params[0]);
    });
}

/// What bytes that typed code or `wattle call` wrote are to a function that takes a value of this type.
fn read(types: &str, ty: &str, value: impl Serialize) -> Option<Val> {
    #[derive(Serialize)]
    struct Params<T> {
        unheard_of: Vec<Vec<u8>>,
        value: T,
    }
    let bytes = codec::encode(&Params { unheard_of: vec![vec![1]], value });
    decode::params(&of_type(types, ty), &bytes).ok()?.pop()
}

#[test]
fn what_json_can_say_is_understood() {
    assert_eq!(read("", "float64", 3), Some(Val::Float64(3.0)));
    assert_eq!(read("", "float32", -3), Some(Val::Float32(-3.0)));
    assert_eq!(read("", "float32", 0.5_f64), Some(Val::Float32(0.5)));
    assert_eq!(read("", "(list u8)", [1_u16, 255]), Some(bytes(&[1, 255])));
    assert_eq!(read("", "(list u8)", "hi"), Some(bytes(b"hi")));
    assert_eq!(read("", "u64", 7_i8), Some(Val::U64(7)));
    assert_eq!(read("", "u8", 256), None);
    assert_eq!(read("", "u8", -1), None);
    assert_eq!(read("", "u8", 1.5), None);
    assert_eq!(read("", "char", "ab"), None);
    assert_eq!(read("", "(list u8)", [256]), None);
    assert_eq!(read("", "(option u8)", 7), Some(some(Val::U8(7))));
}

#[test]
fn fields_come_in_any_order_and_options_may_be_left_out() {
    let point = r#"(type $p' (record (field "x" u8) (field "y" (option string))))
        (export "p" (type $p (eq $p')))"#;
    let value = |y: Val| Some(Val::Record(vec![("x".to_owned(), Val::U8(1)), ("y".to_owned(), y)]));
    let map = |entries: &[(&str, &str)]| -> std::collections::HashMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    #[derive(Serialize)]
    struct Turned {
        y: &'static str,
        x: u8,
    }
    #[derive(Serialize)]
    struct Less {
        x: u8,
    }
    assert_eq!(read(point, "$p", Turned { y: "a", x: 1 }), value(some(text("a"))));
    assert_eq!(read(point, "$p", Less { x: 1 }), value(Val::Option(None)));
    assert_eq!(read(point, "$p", map(&[("y", "a")])), None, "x is missing");
    assert_eq!(read(point, "$p", [1]), None, "a record is no array");
}
