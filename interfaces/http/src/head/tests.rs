use http::{HeaderMap, HeaderValue, header};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{decode_trailers, encode_trailers};

fn parts(build: request::Builder) -> request::Parts {
    build.body(()).expect("a request").into_parts().0
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(HeaderName::as_str).collect()
}

#[test]
fn the_bytes_of_a_head_are_those_of_its_map() {
    let parts = parts(Request::get("/a?b=c").header("accept", "*/*"));
    let bytes = encode_request(&parts, "http", "shop:80").expect("within limits");
    let expected = b"\x85\xa6method\xa3GET\xa6scheme\xa4http\xa9authority\xa7shop:80\
        \xafpath-with-query\xa6/a?b=c\xa7headers\x91\x92\xa6accept\xc4\x03*/*";
    assert_eq!(bytes, expected);

    let (parts, ()) =
        Response::builder().status(204).header("x", "1").body(()).expect("a head").into_parts();
    let bytes = encode_response(&parts).expect("within limits");
    assert_eq!(bytes, b"\x82\xa6status\xcc\xcc\xa7headers\x91\x92\xa1x\xc4\x011");
}

#[test]
fn a_request_arrives_with_the_whole_address_that_the_client_asked_for() {
    let parts = parts(Request::post("/p").header("host", "shop").header("x", "1"));
    let bytes = encode_request(&parts, "https", "shop").expect("within limits");
    let request = decode_request(&bytes).expect("round trip");
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://shop/p");
    assert_eq!(names(request.headers()), ["host", "x"]);
}

#[test]
fn what_is_about_one_connection_stays_there() {
    let parts = parts(
        Request::get("/")
            .header("connection", "close, X-Hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("te", "trailers")
            .header("transfer-encoding", "chunked")
            .header("upgrade", "websocket")
            .header("x-end", "1"),
    );
    let bytes = encode_request(&parts, "http", "a").expect("within limits");
    assert_eq!(names(decode_request(&bytes).expect("a head").headers()), ["x-end"]);

    #[derive(Serialize)]
    struct Hostile {
        status: u16,
        headers: Vec<(&'static str, &'static serde_bytes::Bytes)>,
    }
    let value = serde_bytes::Bytes::new(b"chunked");
    let hostile = Hostile { status: 200, headers: vec![("transfer-encoding", value)] };
    let head = decode_response(&codec::encode(&hostile)).expect("a head");
    assert!(head.headers().is_empty());
}

#[test]
fn heads_past_a_limit_do_not_travel() {
    let mut many = HeaderMap::new();
    for number in 0..=HEADERS_MAX {
        many.append(header::SET_COOKIE, HeaderValue::from(number));
    }
    assert!(matches!(
        encode_trailers(&many),
        Err(HttpHeadError::TooManyHeaders { count }) if count == HEADERS_MAX + 1
    ));
    let long = parts(Request::get("/").header("x", "y".repeat(HEAD_LEN_MAX)));
    let error = encode_request(&long, "http", "a").expect_err("too long");
    assert!(matches!(error, HttpHeadError::TooLarge { .. }));
    assert_eq!(CallError::from(error).kind, ErrorKind::TooLarge);
    assert!(matches!(
        decode_response(&vec![0; HEAD_LEN_MAX + 1]),
        Err(HttpHeadError::TooLarge { .. })
    ));
}

#[test]
fn a_status_that_does_not_end_a_request_is_refused_on_both_sides() {
    for status in [100, 101, 199, 600, 999] {
        let (parts, ()) = Response::builder().status(status).body(()).expect("a head").into_parts();
        assert!(matches!(encode_response(&parts), Err(HttpHeadError::Status(s)) if s == status));
        let head = codec::encode(&ResponseOut {
            status,
            headers: Fields::of(&HeaderMap::new()).expect("no fields"),
        });
        assert!(matches!(decode_response(&head), Err(HttpHeadError::Status(s)) if s == status));
    }
}

/// Header maps as clients can send them: repeated names, opaque bytes above 0x7f.
fn header_maps() -> impl Strategy<Value = HeaderMap> {
    let value = vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..40);
    vec(("x-[a-z0-9]{0,8}", value), 0..20).prop_map(|fields| {
        let pair = |(name, value): (String, Vec<u8>)| {
            (
                HeaderName::from_bytes(name.as_bytes()).expect("a token"),
                HeaderValue::from_bytes(&value).expect("field bytes"),
            )
        };
        let mut map = HeaderMap::new();
        for (name, value) in fields.into_iter().map(pair) {
            map.append(name, value);
        }
        map
    })
}

proptest! {
    #[test]
    fn heads_and_trailers_survive_the_trip(
        headers in header_maps(),
        method in "[A-Z]{1,12}",
        path in "/[a-zA-Z0-9/._~%-]{0,60}(\\?[a-z=&]{0,20})?",
        status in 200_u16..600,
    ) {
        let mut request = parts(Request::builder().method(method.as_str()).uri(&path));
        request.headers = headers.clone();
        let bytes = encode_request(&request, "http", "shop.test:8080").expect("within limits");
        let decoded = decode_request(&bytes).expect("round trip");
        prop_assert_eq!(decoded.headers(), &headers);
        prop_assert_eq!(decoded.method().as_str(), method);
        prop_assert_eq!(decoded.uri().path_and_query().expect("a path").as_str(), path);

        let mut response = Response::builder().status(status).body(()).expect("a head");
        *response.headers_mut() = headers.clone();
        let bytes = encode_response(&response.into_parts().0).expect("within limits");
        let decoded = decode_response(&bytes).expect("round trip");
        prop_assert_eq!(decoded.headers(), &headers);
        prop_assert_eq!(decoded.status().as_u16(), status);

        let bytes = encode_trailers(&headers).expect("within limits");
        prop_assert_eq!(decode_trailers(&bytes).expect("round trip"), headers);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let _ = (decode_request(&bytes), decode_response(&bytes), decode_trailers(&bytes));
    }

    #[test]
    fn a_damaged_head_is_decoded_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let whole = parts(Request::get("/a").header("accept", "*/*"));
        let mut bytes = encode_request(&whole, "http", "a:1").expect("within limits");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_request(&bytes);
        prop_assert!(decode_request(&bytes[..at]).is_err());
    }
}
