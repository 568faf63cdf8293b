//! The bytes of the contract: the WIT's values as MessagePack, which any other implementation writes too.

use wattle_core::codec;
use wattle_schedule::{OnTime, Outcome, Tick};

fn on_time() -> OnTime {
    let tick = Tick { schedule: "nightly".into(), due: 1_700_000_000_000, missed: 2, attempt: 1 };
    OnTime { tick }
}

#[test]
fn a_tick_is_a_map_with_the_wit_s_names() {
    let expected = [
        &b"\x81\xa4tick\x84\xa8schedule\xa7nightly\xa3due\xcf"[..],
        &1_700_000_000_000_u64.to_be_bytes(),
        b"\xa6missed\x02\xa7attempt\x01",
    ]
    .concat();
    let bytes = codec::encode(&on_time());
    assert_eq!(bytes, expected);
    assert_eq!(codec::decode::<OnTime>(&bytes, bytes.len()).expect("what we wrote"), on_time());
}

#[test]
fn results_are_variants_with_the_wit_s_names() {
    assert_eq!(codec::encode(&Outcome::Ok(())), b"\x81\xa2Ok\xc0");
    assert_eq!(codec::encode(&Outcome::Err("no".into())), b"\x81\xa3Err\xa2no");
}
