//! The bytes of the contract, written out: what `wattle new contract` wrote says the same as the WIT does through any other language.

use wattle_label_printer::contract::printer::{
    Condition, ConditionFlag, Element, Error, LabelHandle, Picture, Place, Receipt, Size,
    StyleFlag, Text, params,
};
use wattle_sdk::Handle;

#[track_caller]
fn assert_bytes<T: serde::Serialize>(value: &T, parts: &[&[u8]]) {
    let written = rmp_serde::to_vec_named(value).expect("bytes");
    assert_eq!(written, parts.concat(), "{}", String::from_utf8_lossy(&written));
}

fn label() -> LabelHandle {
    LabelHandle(Handle::new(7))
}

#[test]
fn parameters_are_maps_with_the_names_of_the_wit() {
    let size = Size { width: 1_000, height: 60 };
    let of_size = b"\x82\xa5width\xcd\x03\xe8\xa6height\x3c";
    assert_bytes(&params::NewLabel { size }, &[b"\x81\xa4size", of_size]);
    let print = |copies| params::LabelPrint { label: label(), copies };
    assert_bytes(&print(Some(2)), &[b"\x82\xa4self\x07\xa6copies\x02"]);
    assert_bytes(&print(None), &[b"\x82\xa4self\x07\xa6copies\xc0"]);
    assert_bytes(&params::PrintAll { labels: vec![label(); 2] }, &[b"\x81\xa6labels\x92\x07\x07"]);
    assert_bytes(&params::Status {}, &[b"\x80"]);
}

#[test]
fn elements_are_tagged_by_their_case() {
    let at = Place { x: 1, y: 2 };
    let style = [StyleFlag::Turned, StyleFlag::Inverted].into();
    let text = Text { at: at.clone(), height: 35, style, content: "ß".to_owned() };
    let picture = Picture { at: at.clone(), width: 8, dots: vec![0, 0xff].into() };
    let frame = Element::Frame((at, Size { width: 3, height: 4 }));
    let elements = vec![Element::Text(text), Element::Picture(picture), frame];
    let of_place = &b"\x82\xa1x\x01\xa1y\x02"[..];
    let expected: [&[u8]; 10] = [
        b"\x82\xa4self\x07\xa8elements\x93",
        b"\x81\xa4text\x84\xa2at",
        of_place,
        b"\xa6height\x23\xa5style\x92\xa8inverted\xa6turned\xa7content\xa2\xc3\x9f",
        b"\x81\xa7picture\x83\xa2at",
        of_place,
        b"\xa5width\x08\xa4dots\xc4\x02\x00\xff",
        b"\x81\xa5frame\x92",
        of_place,
        b"\x82\xa5width\x03\xa6height\x04",
    ];
    assert_bytes(&params::LabelAdd { label: label(), elements }, &expected);
}

#[test]
fn results_are_the_value_or_the_error() {
    let printed: Result<Receipt, Error> = Ok(Receipt { copies: 1, bytes: 300 });
    assert_bytes(&printed, &[b"\x81\xa2Ok\x82\xa6copies\x01\xa5bytes\xcd\x01\x2c"]);
    let condition: Condition = [ConditionFlag::PaperOut].into();
    let stopped: Result<Receipt, Error> = Err(Error::Stopped(condition));
    assert_bytes(&stopped, &[b"\x81\xa3Err\x81\xa7stopped\x91\xa9paper-out"]);
    let made: Result<LabelHandle, Error> = Ok(label());
    assert_bytes(&made, &[b"\x81\xa2Ok\x07"]);
}
