//! An object that is too long to be kept in memory anywhere.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ok, pattern::Pattern};
use crate::{Caller, Carry};

const CONTAINER: &str = "conformance-streams";

/// 64 MiB and a bit, so that the last piece is none of the usual length.
const LEN: u64 = 64 * 1024 * 1024 + 4_321;

/// How soon a store must hear that a reader went away, on a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks at whether it has.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    ok("create-container", store.create_container(CONTAINER)).await;
    let upload = store.write_data(CONTAINER, "long", Pattern::new(6).body(LEN));
    ok("finish", ok("write-data", upload).await.finish()).await;
    a_long_object_comes_back_as_it_was(store).await;
    a_part_of_a_long_object_is_that_part(store).await;
    a_reader_that_goes_away_stops_the_store(store).await;
    ok("delete-container", store.delete_container(CONTAINER)).await;
}

async fn a_long_object_comes_back_as_it_was<C: Carry>(store: &Caller<C>) {
    assert_eq!(ok("object-info", store.object_info(CONTAINER, "long")).await.size, LEN);
    let mut download = ok("get-data", store.get_data(CONTAINER, "long", 0, u64::MAX)).await;
    assert_eq!(download.size, LEN);
    assert_eq!(Pattern::new(6).check(&mut download.body).await, Ok(LEN));
}

async fn a_part_of_a_long_object_is_that_part<C: Carry>(store: &Caller<C>) {
    let (start, end) = (LEN / 2 + 1, LEN - 2);
    let mut download = ok("get-data", store.get_data(CONTAINER, "long", start, end)).await;
    assert_eq!(download.size, end - start + 1);
    let row = Pattern::new(6).skip(start);
    assert_eq!(row.check(&mut download.body).await, Ok(download.size));
}

/// More of them than a link may have at once: so each must have been let go of.
async fn a_reader_that_goes_away_stops_the_store<C: Carry>(store: &Caller<C>) {
    for _ in 0..crate::limit::LINK_BODIES_MAX * 2 {
        let until = Instant::now() + GONE_WITHIN;
        let mut download = loop {
            match store.get_data(CONTAINER, "long", 0, u64::MAX).await {
                Ok(download) => break download,
                // The one before is on its way out: it hears of its reader only over the wire.
                Err(failure) if Instant::now() > until => panic!("get-data: {failure:?}"),
                Err(_) => sleep(PAUSE).await,
            }
        };
        let first = download.body.chunk().await.expect("it has bytes").expect("the store works");
        assert!(Pattern::new(6).is_next(&first));
    }
}
