//! Bodies of any length, both ways, in constant memory.

use bytes::Bytes;
use http::Request;
use wattle_sdk::Body;

use crate::{host::Host, web::Web};

const CHUNK_LEN: usize = 64 * 1024;
const CHUNKS: usize = 4_096; // 256 MiB

/// What the process may have more than before, in bytes.
const RESIDENT_MORE_MAX: u64 = 48 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_streams_both_ways_at_once_in_constant_memory() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    link.get(&web.url("/see")).await.expect("warm").text().await;
    let before = host.0.peak_memory();

    let (mut sender, body) = Body::channel();
    let writing = tokio::spawn(async move {
        for number in 0..CHUNKS {
            sender.send(Bytes::from(vec![number as u8; CHUNK_LEN])).await.expect("it is read");
        }
        sender.finish(None);
    });
    let request = Request::post(web.url("/echo")).body(Some(body)).expect("a request");
    let mut answer = link.send(request).await.expect("an answer");
    let mut at = 0_usize;
    while let Some(chunk) = answer.body.chunk().await {
        for byte in chunk.expect("no gap") {
            assert_eq!(byte, (at / CHUNK_LEN) as u8, "at {at}");
            at += 1;
        }
    }
    assert_eq!(at, CHUNKS * CHUNK_LEN);
    writing.await.expect("all of it was written");
    let more = host.0.peak_memory().saturating_sub(before);
    println!("{} MiB both ways took {} KiB", (CHUNKS * CHUNK_LEN) >> 20, more >> 10);
    assert!(more < RESIDENT_MORE_MAX, "{more} bytes more");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_not_taken_for_a_whole_one() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    let (mut sender, body) = Body::channel();
    let request = Request::post(web.url("/length")).body(Some(body)).expect("a request");
    let call = tokio::spawn(async move { link.send(request).await.map(drop) });
    sender.send(Bytes::from_static(b"half")).await.expect("it is read");
    web.until_open(1).await;
    drop(sender); // without its end
    call.await.expect("no panic").expect_err("the server saw no whole body");
    web.until_open(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_given_up_after_its_answer_is_not_taken_for_a_whole_one() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    let (mut sender, body) = Body::channel();
    let request = Request::post(web.url("/early")).body(Some(body)).expect("a request");
    sender.send(Bytes::from_static(b"half")).await.expect("there is room");
    let answer = link.send(request).await.expect("an answer");
    assert_eq!(answer.text().await, "early");
    assert!(!web.upload().await, "the server took half of it for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_reads_on_ends_at_the_server() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    let (mut sender, body) = Body::channel();
    let request = Request::post(web.url("/echo")).body(Some(body)).expect("a request");
    let answer = link.send(request).await.expect("an answer");
    sender.send(Bytes::from_static(b"some")).await.expect("it is read");
    drop(answer);
    web.until_open(0).await;
}
