use proptest::prelude::*;
use wattle_wire::frame::{Attached, Frame};

use super::*;

fn pair() -> (Sealer, Opener) {
    let key = Key::random();
    (Sealer::new(SessionId::from_u64(9), key.clone()), Opener::new(key))
}

fn open(opener: &mut Opener, message: &Bytes) -> Result<Opened, Refused> {
    let header = Header::read(message).ok_or(Refused::Malformed)?;
    opener.open(&header, message)
}

fn frames(text: &'static [u8]) -> Result<Opened, Refused> {
    Ok(Opened::Frames(Bytes::from_static(text)))
}

#[test]
fn a_message_passes_once() {
    let (mut sealer, mut opener) = pair();
    let first = sealer.seal(Kind::Frames, Part::Whole, b"one");
    let second = sealer.seal(Kind::Frames, Part::Whole, b"two");
    assert_eq!(open(&mut opener, &second), frames(b"two"));
    assert_eq!(open(&mut opener, &first), frames(b"one"));
    assert_eq!(open(&mut opener, &first), Err(Refused::Repeated));
}

#[test]
fn a_changed_bit_anywhere_is_refused_and_changes_nothing() {
    let (mut sealer, mut opener) = pair();
    let message = sealer.seal(Kind::Frames, Part::Whole, b"one");
    for bit in 0..message.len() * 8 {
        let mut altered = message.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&mut opener, &altered.into()).is_err(), "bit {bit}");
    }
    for len in 0..message.len() {
        assert!(open(&mut opener, &message.slice(..len)).is_err(), "{len} bytes");
    }
    assert_eq!(open(&mut opener, &message), frames(b"one"));
}

#[test]
fn the_last_counter_that_there_is_begins_a_frame_that_never_ends() {
    let (mut sealer, mut opener) = pair();
    sealer.counter = u64::MAX - 1;
    let message = sealer.seal(Kind::Frames, Part::First, b"one");
    assert_eq!(open(&mut opener, &message), Ok(Opened::Part));
    assert_eq!(open(&mut opener, &message), Err(Refused::Repeated));
}

#[test]
fn what_the_receiver_itself_said_is_not_from_the_other() {
    let (mut sealer, _) = pair();
    let (_, mut opener) = pair();
    let reflected = sealer.seal(Kind::Frames, Part::Whole, b"one");
    assert_eq!(open(&mut opener, &reflected), Err(Refused::Tag));
}

#[test]
fn a_new_key_takes_over_and_messages_under_the_old_one_still_arrive() {
    let (mut sealer, mut opener) = pair();
    for round in 0..300_u16 {
        let behind = sealer.seal(Kind::Frames, Part::Whole, b"behind");
        let key = sealer.next_key();
        assert_eq!(sealer.next_key().as_bytes(), key.as_bytes(), "the same until it is taken");
        let number = opener.expect(key);
        assert_eq!(u16::from(number), (round + 1) % 256);
        sealer.advance(number);
        let ahead = sealer.seal(Kind::Frames, Part::Whole, b"ahead");
        assert_eq!(open(&mut opener, &ahead), frames(b"ahead"), "round {round}");
        assert_eq!(open(&mut opener, &behind), frames(b"behind"), "round {round}");
        assert_eq!(open(&mut opener, &ahead), Err(Refused::Repeated));
    }
}

#[test]
fn a_key_is_used_only_when_the_other_side_has_it() {
    let (mut sealer, mut opener) = pair();
    sealer.next_key();
    sealer.advance(7);
    let message = sealer.seal(Kind::Frames, Part::Whole, b"one");
    assert_eq!(open(&mut opener, &message), frames(b"one"));
}

fn encoded(sizes: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for size in sizes {
        Frame::Request {
            number: 1,
            head: Bytes::new(),
            params: vec![5; *size].into(),
            body: Attached::Nothing,
        }
        .encode(&mut out);
    }
    out
}

#[test]
fn a_frame_with_a_missing_part_is_dropped_and_the_next_arrives() {
    let (mut sealer, mut opener) = pair();
    let frames = encoded(&[5_000, 10]);
    let pieces = cut(&frames, 1_000);
    assert!(pieces.len() > 5, "{}", pieces.len());
    for (at, (part, piece)) in pieces.iter().enumerate() {
        let message = sealer.seal(Kind::Frames, *part, piece);
        if at == 2 {
            continue;
        }
        let opened = open(&mut opener, &message);
        match at {
            0 | 1 => assert_eq!(opened, Ok(Opened::Part)),
            at if at + 1 == pieces.len() => {
                assert_eq!(opened, Ok(Opened::Frames(Bytes::copy_from_slice(piece))));
            }
            _ => assert_eq!(opened, Err(Refused::Gap)),
        }
    }
}

proptest! {
    #[test]
    fn frames_of_any_size_arrive_whole_and_in_order(
        sizes in prop::collection::vec(0_usize..9_000, 1..30),
        max in 600_usize..4_000,
    ) {
        let (mut sealer, mut opener) = pair();
        let frames = encoded(&sizes);
        let mut arrived = Vec::new();
        for (part, piece) in cut(&frames, max) {
            prop_assert!(piece.len() <= max);
            let message = sealer.seal(Kind::Frames, part, piece);
            if let Opened::Frames(whole) = open(&mut opener, &message).expect("genuine") {
                arrived.extend_from_slice(&whole);
            }
        }
        prop_assert_eq!(arrived, frames);
    }
}
