//! A component that knows nothing of Wattle: its bindings are made from `wit`, which has the shapes of published interfaces. Each
//! path of its HTTP handler uses one of them and answers with what came of it.

mod bindings {
    #![allow(clippy::all, reason = "generated")]
    wit_bindgen::generate!({ path: "wit", world: "stranger", generate_all });
}

use bindings::{
    exports::{
        wasi::http::incoming_handler::Guest as HttpHandler,
        wasmcloud::messaging::handler::Guest as MessageHandler,
    },
    wasi::{
        blobstore::{
            blobstore,
            types::{IncomingValue, ObjectId, OutgoingValue},
        },
        config0_2_0_draft::runtime,
        config0_2_0_rc_1::store as settings,
        http::{
            outgoing_handler,
            types::{
                Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse,
                ResponseOutparam, Scheme,
            },
        },
        io::streams::{InputStream, StreamError},
        keyvalue::{
            atomics, batch,
            store::{Bucket, open},
        },
        logging::logging::{Level, log},
    },
    wasmcloud::{
        bus2_0_1::lattice::{CallTargetInterface, set_link_name},
        messaging::{consumer, types::BrokerMessage},
    },
};

struct Stranger;

bindings::export!(Stranger with_types_in bindings);

/// What went wrong, as text.
type Answer = Result<String, String>;

impl HttpHandler for Stranger {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let answer = match path {
            "/counter" => counter(),
            "/settings" => settings(),
            "/log" => {
                log(Level::Warn, "stranger", "seen from afar");
                Ok("logged".to_owned())
            }
            "/object" => object(),
            "/publish" => publish(query),
            "/handled" => handled(),
            "/ask" => ask(query),
            "/other-link" => other_link(query),
            _ => Ok("stranger".to_owned()),
        };
        let (status, text) = match answer {
            Ok(text) => (200, text),
            Err(text) => (502, text),
        };
        respond(out, status, text.as_bytes());
    }
}

impl MessageHandler for Stranger {
    /// Keeps the message where `/handled` finds it.
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        bucket()?.set("handled", &message.body).map_err(text)
    }
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

fn bucket() -> Result<Bucket, String> {
    open("default").map_err(text)
}

/// Each of the functions of `wasi:keyvalue`.
fn counter() -> Answer {
    let bucket = bucket()?;
    bucket.set("a", b"1").map_err(text)?;
    let sum = atomics::increment(&bucket, "a", 2).map_err(text)?;
    batch::set_many(&bucket, &[("b".to_owned(), b"two".to_vec())]).map_err(text)?;
    let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let found = batch::get_many(&bucket, &names).map_err(text)?;
    let found = found.iter().flatten().count();
    batch::delete_many(&bucket, &names[1..]).map_err(text)?;
    let keys = bucket.list_keys(None).map_err(text)?.keys;
    let exists = bucket.exists("b").map_err(text)?;
    bucket.delete("a").map_err(text)?;
    let gone = bucket.get("a").map_err(text)?.is_none();
    Ok(format!("{sum} {found} {} {exists} {gone}", keys.join(",")))
}

/// One setting by each of the two interfaces, and all.
fn settings() -> Answer {
    let old = runtime::get("greeting").map_err(text)?;
    let new = settings::get("greeting").map_err(text)?;
    let missing = runtime::get("none").map_err(text)?;
    let all = (runtime::get_all().map_err(text)?.len(), settings::get_all().map_err(text)?.len());
    Ok(format!("{old:?} {new:?} {missing:?} {all:?}"))
}

/// Writes an object, copies it, and reads the copy both ways.
fn object() -> Answer {
    let container = blobstore::create_container("box")?;
    let value = OutgoingValue::new_outgoing_value();
    let body = value.outgoing_value_write_body().map_err(text)?;
    container.write_data("first", &value)?;
    body.blocking_write_and_flush(b"some bytes").map_err(text)?;
    drop(body);
    OutgoingValue::finish(value)?;
    let id = |object: &str| ObjectId { container: "box".to_owned(), object: object.to_owned() };
    blobstore::copy_object(&id("first"), &id("second"))?;
    let all = container.get_data("second", 0, 9)?;
    let size = all.size();
    let all = IncomingValue::incoming_value_consume_sync(all)?;
    let part = IncomingValue::incoming_value_consume_async(container.get_data("second", 0, 3)?)?;
    let part = read(&part)?;
    let (names, _) = container.list_objects()?.read_stream_object_names(10)?;
    Ok(format!("{size} {} {part} {}", String::from_utf8_lossy(&all), names.join(",")))
}

fn publish(subject: &str) -> Answer {
    let body = b"from a stranger".to_vec();
    consumer::publish(&BrokerMessage { subject: subject.to_owned(), body, reply_to: None })?;
    Ok("published".to_owned())
}

fn handled() -> Answer {
    let kept = bucket()?.get("handled").map_err(text)?;
    kept.map(|body| String::from_utf8_lossy(&body).into_owned()).ok_or("nothing".to_owned())
}

/// Asks a server, plainly.
fn ask(authority: &str) -> Answer {
    let refused = |()| "not a request".to_owned();
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some("/")).map_err(refused)?;
    let response = outgoing_handler::handle(request, None).map_err(text)?;
    response.subscribe().block();
    let response = response.get().and_then(Result::ok).ok_or("no response")?.map_err(text)?;
    let body = response.consume().map_err(refused)?;
    let stream = body.stream().map_err(refused)?;
    Ok(format!("{} {}", response.status(), read(&stream)?))
}

/// The key-value store behind another link.
fn other_link(name: &str) -> Answer {
    let interfaces = ["store", "atomics", "batch"];
    let interfaces = interfaces.map(|of| CallTargetInterface::new("wasi", "keyvalue", of));
    set_link_name(name, interfaces.into())?;
    counter()
}

fn read(stream: &InputStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(4_096) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(text(error)),
        }
    }
    String::from_utf8(bytes).map_err(text)
}

fn respond(out: ResponseOutparam, status: u16, text: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a status code");
    let body = response.body().expect("the body, once");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the stream, once");
    // A client that goes away before the end is no matter of ours.
    let _ = stream.blocking_write_and_flush(text);
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
