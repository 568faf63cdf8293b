//! An attacker who reads all that is said on NATS, and says what it likes on any subject.

use std::{collections::BTreeMap, ops::Range};

use async_nats::{Client, HeaderMap, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use wattle_core::Subject;
use wattle_lattice::Refused;

use super::party::{Account, Party};
use crate::scene::{Scene, eventually, shop, soon};

/// Calls whose messages the attacker has.
const CALLS: usize = 20;
/// Where a message between hosts has what; its tag comes last.
const SESSION: Range<usize> = 4..12;
const COUNTER: Range<usize> = 12..20;
const TAG_LEN: usize = 32;

struct Attack {
    scene: Scene,
    account: Account,
    attacker: Client,
    here: Party,
    there: Party,
    /// All that was said while `here` called `there`.
    heard: Vec<Message>,
    /// Calls that were made.
    calls: usize,
}

impl Attack {
    async fn begin() -> Self {
        let scene = Scene::start().await;
        let account = Account::new();
        let attacker = scene.stranger().await;
        let tap = attacker.subscribe(format!("wattle.1.{}.host.>", shop())).await.unwrap();
        attacker.flush().await.unwrap();
        let (here, there) = (account.host(&scene).await, account.host(&scene).await);
        let mut attack = Self { scene, account, attacker, here, there, heard: vec![], calls: 0 };
        attack.call(CALLS).await;
        attack.heard = said(tap).await;
        attack
    }

    async fn call(&mut self, times: usize) {
        for _ in 0..times {
            self.here.call(&self.there, "echo", b"pay", None).await.unwrap();
        }
        self.calls += times;
    }

    /// Says something, and waits until everybody has heard it.
    async fn say(&self, subject: &str, payload: Bytes) {
        self.attacker.publish(subject.to_owned(), payload).await.unwrap();
    }

    /// What is refused is counted, nothing ran, and calls go on.
    async fn refused_as(&self, party: &Party, expected: &[(Refused, u64)]) {
        self.attacker.flush().await.unwrap();
        let expected: BTreeMap<Refused, u64> = expected.iter().copied().collect();
        eventually("all is counted", || async {
            let counted: BTreeMap<Refused, u64> = party.refused().into_iter().collect();
            if counted == expected { Ok(()) } else { Err(counted) }
        })
        .await;
        assert_eq!((self.here.callee.calls(), self.there.callee.calls()), (0, self.calls));
        self.here.call(&self.there, "echo", b"", None).await.unwrap();
    }

    fn to(&self, party: &Party) -> Vec<&Message> {
        let own = format!(".host.{}.", party.key);
        self.heard.iter().filter(|message| message.subject.contains(&own)).collect()
    }
}

/// Everything that a tap has heard by now.
async fn said(mut tap: Subscriber) -> Vec<Message> {
    tap.unsubscribe_after(0).await.ok();
    let mut heard = Vec::new();
    while let Ok(Some(message)) =
        tokio::time::timeout(std::time::Duration::from_millis(200), tap.next()).await
    {
        heard.push(message);
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_said_said_again_is_refused() {
    let attack = Attack::begin().await;
    let to_there = attack.to(&attack.there);
    assert_eq!(to_there.len(), CALLS + 2, "a hello, a key, and the calls");
    for message in &to_there {
        attack.say(&message.subject, message.payload.clone()).await;
    }
    attack.refused_as(&attack.there, &[(Refused::Repeated, CALLS as u64 + 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_said_again_are_refused() {
    let attack = Attack::begin().await;
    let to_here = attack.to(&attack.here);
    for message in &to_here {
        attack.say(&message.subject, message.payload.clone()).await;
    }
    let frames = to_here.len() as u64 - 1;
    let expected = [(Refused::Repeated, frames), (Refused::UnknownSession, 1)];
    attack.refused_as(&attack.here, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_meant_for_one_host_does_nothing_at_another() {
    let attack = Attack::begin().await;
    let other = attack.account.host(&attack.scene).await;
    let to_there = attack.to(&attack.there);
    let calls = Subject::Call { lattice: shop(), host: other.key.clone(), lane: None }.to_string();
    for message in &to_there {
        attack.say(&calls, message.payload.clone()).await;
    }
    let rest = to_there.len() as u64 - 1;
    attack.refused_as(&other, &[(Refused::OtherHost, 1), (Refused::UnknownSession, rest)]).await;
    assert_eq!(other.callee.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_before_counts_after_a_restart() {
    let mut attack = Attack::begin().await;
    let Attack { there, .. } = attack;
    let recorded: Vec<Message> = {
        let own = format!(".host.{}.", there.key);
        attack.heard.iter().filter(|message| message.subject.contains(&own)).cloned().collect()
    };
    attack.there = there.restarted(&attack.scene).await;
    for message in &recorded {
        attack.say(&message.subject, message.payload.clone()).await;
    }
    // The hello holds still, and is answered; without the curve key that it names nobody can go on from there.
    let rest = recorded.len() as u64 - 1;
    attack.attacker.flush().await.unwrap();
    eventually("all is counted", || async {
        let counted = attack.there.refused();
        if counted == [(Refused::UnknownSession, rest)] { Ok(()) } else { Err(counted) }
    })
    .await;
    assert_eq!(attack.there.callee.calls(), CALLS);
    let calls =
        async { while attack.here.call(&attack.there, "echo", b"", None).await.is_err() {} };
    soon("calls go on", calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_said_is_not_taken_as_said_to_it() {
    let attack = Attack::begin().await;
    let calls =
        Subject::Call { lattice: shop(), host: attack.there.key.clone(), lane: None }.to_string();
    let replies = attack.to(&attack.here);
    for message in &replies {
        attack.say(&calls, message.payload.clone()).await;
    }
    // They carry the number that their receiver knows the session by, not their sender's.
    let count = replies.len() as u64;
    attack.refused_as(&attack.there, &[(Refused::UnknownSession, count)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_altered_byte_is_noticed() {
    let attack = Attack::begin().await;
    let to_there = attack.to(&attack.there);
    let last = to_there.last().unwrap();
    for at in 0..last.payload.len() {
        let mut altered = last.payload.to_vec();
        altered[at] ^= 0x10;
        attack.say(&last.subject, altered.into()).await;
    }
    // The header's first three bytes are no kind of message; session and counter name others; all else is the tag's.
    let count = last.payload.len() as u64;
    attack.attacker.flush().await.unwrap();
    eventually("all is counted", || async {
        let counted = attack.there.refused();
        let sum: u64 = counted.iter().map(|(_, count)| count).sum();
        if sum == count { Ok(()) } else { Err(counted) }
    })
    .await;
    assert_eq!(attack.there.callee.calls(), CALLS);
    attack.here.call(&attack.there, "echo", b"", None).await.unwrap();
}

/// Frames of one session, as if they were another's, which the attacker knows the number of.
#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_one_session_is_not_taken_in_another() {
    let attack = Attack::begin().await;
    let own = attack.to(&attack.there);
    let tap = attack.attacker.subscribe(format!("wattle.1.{}.host.>", shop())).await.unwrap();
    attack.attacker.flush().await.unwrap();
    let other = attack.account.host(&attack.scene).await;
    other.call(&attack.there, "echo", b"", None).await.unwrap();
    let others = said(tap).await;
    let call = others.iter().rfind(|message| message.subject.contains(attack.there.key.as_str()));
    let call = call.unwrap();
    let before = attack.there.callee.calls();
    // The first is a hello, the second a key, and the third the first of the counters, which the other session has seen too.
    for message in &own[3..] {
        let mut moved = message.payload.to_vec();
        moved[SESSION].copy_from_slice(&call.payload[SESSION]);
        attack.say(&call.subject, moved.into()).await;
    }
    attack.attacker.flush().await.unwrap();
    let expected = [(Refused::Tag, own.len() as u64 - 3)];
    eventually("all is counted", || async {
        let counted = attack.there.refused();
        if counted == expected { Ok(()) } else { Err(counted) }
    })
    .await;
    assert_eq!(attack.there.callee.calls(), before);
    other.call(&attack.there, "echo", b"", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_long_after_is_too_late() {
    const WINDOW: usize = 1_024;
    let mut attack = Attack::begin().await;
    attack.call(WINDOW).await;
    let old: Vec<Message> = attack.to(&attack.there)[2..].iter().copied().cloned().collect();
    for message in &old {
        attack.say(&message.subject, message.payload.clone()).await;
    }
    attack.refused_as(&attack.there, &[(Refused::Late, old.len() as u64)]).await;
}

/// In the place of the answer that a caller waits for: a genuine one of before, with a counter of its time and other words.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_reply_answers_nobody() {
    let attack = Attack::begin().await;
    let genuine = attack.to(&attack.here).last().copied().unwrap().clone();
    let waiting = attack.here.start_call(&attack.there, "never");
    attack.there.callee.begun.notified().await;
    let forgeries = 100_u64;
    for number in 0..forgeries {
        let mut forged = genuine.payload.to_vec();
        let counter = CALLS as u64 + 1 + number;
        forged[COUNTER].copy_from_slice(&counter.to_le_bytes());
        if number % 2 == 0 {
            let end = forged.len() - TAG_LEN;
            forged[end - 1] ^= 1;
        }
        attack.say(&genuine.subject, forged.into()).await;
    }
    attack.attacker.flush().await.unwrap();
    eventually("all is counted", || async {
        let counted = attack.here.refused();
        if counted == [(Refused::Tag, forgeries)] { Ok(()) } else { Err(counted) }
    })
    .await;
    assert!(!waiting.is_finished());
    waiting.abort();
    attack.here.call(&attack.there, "echo", b"", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_hello_is_not_answered() {
    let attack = Attack::begin().await;
    let to_there = attack.to(&attack.there);
    let hello = to_there.first().unwrap();
    let len = hello.payload.len();
    let places = (20..len).step_by(len / 40);
    let mut count = 0;
    for at in places {
        let mut altered = hello.payload.to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        attack.say(&hello.subject, altered.into()).await;
        count += 1;
        let before = count;
        eventually("it is looked at", || async {
            let sum: u64 = attack.there.refused().iter().map(|(_, count)| count).sum();
            if sum >= before { Ok(()) } else { Err(sum) }
        })
        .await;
    }
    attack.refused_as(&attack.there, &[(Refused::Claims, count)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there_is_believed_of_nats_only_after_a_look() {
    let attack = Attack::begin().await;
    let replies = attack.to(&attack.here)[0].subject.to_string();
    let waiting = attack.here.start_call(&attack.there, "never");
    attack.there.callee.begun.notified().await;
    for _ in 0..100 {
        let mut headers = HeaderMap::new();
        headers.insert("Status", "503");
        attack.attacker.publish_with_headers(replies.clone(), headers, Bytes::new()).await.unwrap();
    }
    attack.attacker.flush().await.unwrap();
    attack.here.call(&attack.there, "echo", b"", None).await.unwrap();
    assert!(!waiting.is_finished());
    waiting.abort();
}

/// Beginnings of genuine messages with nonsense behind them, on every subject that a host has.
#[tokio::test(flavor = "multi_thread")]
async fn a_million_random_messages_change_nothing() {
    const MESSAGES: usize = 1_000_000;
    const CALLS_MEANWHILE: usize = 100;
    let attack = Attack::begin().await;
    let heard: BTreeMap<String, Bytes> = attack
        .heard
        .iter()
        .map(|message| (message.subject.to_string(), message.payload.clone()))
        .collect();
    let (host, lattice) = (attack.there.key.clone(), shop());
    let mut subjects: Vec<String> = heard.keys().cloned().collect();
    subjects.push(Subject::Control { lattice: lattice.clone(), host: host.clone() }.to_string());
    subjects.push(Subject::Beat { lattice: lattice.clone(), host }.to_string());
    subjects.push(Subject::Event { lattice, kind: "host-stopped".parse().unwrap() }.to_string());
    let genuine: Vec<Bytes> = heard.into_values().collect();
    let there = format!(".host.{}.call", attack.there.key);
    let mut to_there = 0;
    for number in 0..MESSAGES {
        let mut noise = genuine[number % genuine.len()].to_vec();
        let keep = rand::random_range(0..noise.len());
        noise[keep..].fill_with(rand::random);
        noise.truncate(rand::random_range(keep..=noise.len()));
        let subject = &subjects[number % subjects.len()];
        to_there += u64::from(subject.contains(&there));
        attack.say(subject, noise.into()).await;
        if number % (MESSAGES / CALLS_MEANWHILE) == 0 {
            attack.here.call(&attack.there, "echo", b"", None).await.unwrap();
        }
    }
    attack.attacker.flush().await.unwrap();
    attack.here.call(&attack.there, "echo", b"", None).await.unwrap();
    assert_eq!(attack.there.callee.calls(), CALLS + CALLS_MEANWHILE + 1);
    let refused: u64 = attack.there.refused().iter().map(|(_, count)| count).sum();
    // NATS drops what a subscription has no room for.
    assert!((to_there / 2..=to_there).contains(&refused), "{refused} of {to_there}");
}
