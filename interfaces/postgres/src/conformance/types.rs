//! Every value of the contract, as a parameter and back.

use wattle_core::call::Call;

use super::{ok, samples, value};
use crate::{Caller, PgValue};

pub(super) async fn run<C: Call>(database: &Caller<C>) {
    every_value_is_read_as_it_was_written(database).await;
    a_value_under_another_name_is_read_under_the_stored_one(database).await;
    every_type_has_a_null(database).await;
    floats_that_are_no_numbers_come_back(database).await;
}

async fn every_value_is_read_as_it_was_written<C: Call>(database: &Caller<C>) {
    ok("hstore", database.query_batch("CREATE EXTENSION IF NOT EXISTS hstore")).await;
    let samples = samples::all();
    let columns: Vec<_> =
        samples.iter().enumerate().map(|(n, (name, _))| format!("c{n} {name}")).collect();
    let table = format!(
        "DROP TABLE IF EXISTS wattle_conformance_types; CREATE TABLE wattle_conformance_types ({})",
        columns.join(", ")
    );
    ok("a table of every type", database.query_batch(&table)).await;
    for (n, (name, sample)) in samples.iter().enumerate() {
        let insert =
            format!("INSERT INTO wattle_conformance_types (c{n}) VALUES ($1) RETURNING c{n}");
        let returned = value(database, &insert, std::slice::from_ref(sample)).await;
        assert_eq!(&returned, sample, "{name}");
        let select =
            format!("SELECT c{n} FROM wattle_conformance_types WHERE c{n} IS NOT NULL LIMIT 1");
        let read = value(database, &select, &[]).await;
        assert_eq!(&read, sample, "{name}");
        ok("the next", database.query("DELETE FROM wattle_conformance_types", &[])).await;
    }
    ok("tidying", database.query_batch("DROP TABLE wattle_conformance_types")).await;
}

async fn a_value_under_another_name_is_read_under_the_stored_one<C: Call>(database: &Caller<C>) {
    for (name, written, read) in samples::aliases() {
        let select = format!("SELECT $1::{name}");
        assert_eq!(value(database, &select, &[written]).await, read, "{name}");
    }
}

async fn every_type_has_a_null<C: Call>(database: &Caller<C>) {
    for (name, _) in samples::all() {
        let select = format!("SELECT $1::{name}");
        assert_eq!(value(database, &select, &[PgValue::Null]).await, PgValue::Null, "{name}");
    }
}

async fn floats_that_are_no_numbers_come_back<C: Call>(database: &Caller<C>) {
    for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.0, f64::MIN_POSITIVE / 4.0] {
        let sample = PgValue::Float8(crate::float::from_f64(number));
        let read = value(database, "SELECT $1::float8", std::slice::from_ref(&sample)).await;
        assert_eq!(read, sample, "{number}");
    }
    for number in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0, f32::MIN_POSITIVE / 4.0] {
        let sample = PgValue::Float4(crate::float::from_f32(number));
        let read = value(database, "SELECT $1::float4", std::slice::from_ref(&sample)).await;
        assert_eq!(read, sample, "{number}");
    }
}
