//! The WIT that actors see says what the wire types say.

use wattle_core::codec;
use wattle_postgres::{PgValue, operation};
use wit_parser::{Resolve, TypeDefKind};

fn wit() -> Resolve {
    let mut wit = Resolve::default();
    wit.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/wit")).expect("the WIT is well formed");
    wit
}

#[test]
fn the_cases_of_a_value_are_the_wit_s_in_its_order() {
    let wit = wit();
    let (_, types) = wit
        .interfaces
        .iter()
        .find(|(_, found)| found.name.as_deref() == Some("types"))
        .expect("types");
    let TypeDefKind::Variant(variant) = &wit.types[types.types["pg-value"]].kind else {
        panic!("pg-value is a variant")
    };
    let cases: Vec<_> = variant.cases.iter().map(|case| format!("`{}`", case.name)).collect();
    // Serde names every case when it is given none of them.
    let error = codec::decode::<PgValue>(&codec::encode("none"), 100).expect_err("no such case");
    let (_, known) = error
        .to_string()
        .split_once("expected one of ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("serde's words");
    assert_eq!(known, cases.join(", "));
    assert_eq!(cases.len(), 97);
}

#[test]
fn the_functions_are_the_wit_s() {
    let wit = wit();
    let mut functions: Vec<_> = wit
        .interfaces
        .iter()
        .flat_map(|(_, interface)| {
            let name = interface.name.clone().expect("a name");
            interface
                .functions
                .keys()
                .map(move |function| format!("wasmcloud:postgres/{name}.{function}"))
        })
        .collect();
    functions.sort();
    let mut ours: Vec<_> =
        [operation::QUERY, operation::QUERY_BATCH, operation::PREPARE, operation::EXEC]
            .map(|operation| operation.to_string())
            .into();
    ours.sort();
    assert_eq!(functions, ours);
}
