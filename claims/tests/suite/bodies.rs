//! What control says, through a token and back.

use std::collections::BTreeMap;

use wattle_claims::{Right, SignError, TokenError, TokenKind};
use wattle_core::{
    CallError, Digest,
    beat::Beat,
    control::{
        ActorLimits, Answer, Command, Failure, FailureKind, Goal, Outcome, Reconcile, Scale,
        StartActor, UserCall, UserReply,
    },
    link::ConfigValue,
};

use crate::authority::{Authority, HEADER, NOW, forge, verify};

#[test]
fn a_command_survives_the_trip() {
    let authority = Authority::new();
    let start = StartActor {
        id: "shop/cart".parse().unwrap(),
        artifact: Digest::from_bytes([7; 32]),
        scale: Scale::UpTo(5.try_into().unwrap()),
        config: vec!["cart".parse().unwrap()],
        limits: ActorLimits { memory_bytes: Some(u64::MAX), ..Default::default() },
        values: [("a".into(), ConfigValue::Plain("b".into()))].into(),
        program: Some(Digest::from_bytes([8; 32])),
    };
    let call = UserCall {
        target: "cart".parse().unwrap(),
        interface: "wasi:keyvalue/store".parse().unwrap(),
        function: "get".into(),
        params: vec![0, 255, 128],
        body: (0..=255).collect(),
        deadline_ms: 5,
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap()),
    };
    let goal = |goal| Reconcile {
        term: 9,
        deployment: "e30".into(),
        id: "shop/cart".parse().unwrap(),
        goal,
    };
    let program = Digest::from_bytes([9; 32]);
    for command in [
        Command::Reconcile(goal(Goal::Stop)),
        Command::Reconcile(goal(Goal::Run { program, instances: 3.try_into().unwrap() })),
        Command::StartActor(start),
        Command::GetInventory,
        Command::GetTrace { trace: "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap() },
        Command::ScaleActor { id: "cart".parse().unwrap(), scale: Scale::Stopped },
        Command::PutRecord { token: authority.signed_link().text().to_owned() },
        Command::Call(call),
    ] {
        let signed = authority
            .draft(authority.host.public(), command.clone())
            .sign(authority.as_user(), NOW)
            .unwrap();
        let verified = signed.verify(&authority.trust(), NOW).unwrap();
        assert_eq!(verified.body, command);
        assert_eq!(verified.subject, authority.host.public());
    }
}

#[test]
fn a_user_commands_by_right_and_an_account_by_itself() {
    let authority = Authority::new();
    let rights = [Right::Control, Right::Invoke];
    for (issuer, has) in
        [(authority.as_user(), [true, false]), (authority.as_account(), [true, true])]
    {
        let draft = authority.draft(authority.host.public(), Command::GetInventory);
        let verified = draft.sign(issuer, NOW).unwrap().verify(&authority.trust(), NOW).unwrap();
        assert_eq!(rights.map(|right| verified.may(right)), has);
    }
}

#[test]
fn an_answer_survives_the_trip() {
    let authority = Authority::new();
    let reply = UserReply { result: vec![1, 2, 3], body: b"hello".to_vec() };
    for outcome in [
        Ok(Outcome::Done { unchanged: true, detail: None }),
        Ok(Outcome::Reply(Ok(reply))),
        Ok(Outcome::Reply(Err(CallError::new(wattle_core::ErrorKind::Overloaded, "full")))),
        Ok(Outcome::Config(BTreeMap::from([("a".into(), "b".into())]))),
        Err(Failure::new(FailureKind::Denied, "no").with_next("wattle keys")),
    ] {
        let answer = Answer { command: "0f".into(), outcome };
        let signed = authority.draft("0f", answer.clone()).sign(authority.as_host(), NOW).unwrap();
        let verified = signed.verify(&authority.trust(), NOW).unwrap();
        assert_eq!(verified.body, answer);
        assert_eq!(*verified.account(), authority.account_key());
        assert!(verified.user().is_none());
    }
}

#[test]
fn bytes_do_not_swell_beyond_twice_their_size() {
    let authority = Authority::new();
    let reply = UserReply { result: vec![], body: vec![0xab; 100_000] };
    let answer = Answer { command: "0f".into(), outcome: Ok(Outcome::Reply(Ok(reply))) };
    let signed = authority.draft("0f", answer).sign(authority.as_host(), NOW).unwrap();
    assert!(signed.text().len() < 200_000, "{}", signed.text().len());
}

#[test]
fn a_command_is_addressed_to_a_host() {
    let authority = Authority::new();
    let error = authority
        .draft(authority.account.public(), Command::GetInventory)
        .sign(authority.as_user(), NOW)
        .unwrap_err();
    assert!(matches!(error, SignError::Refused(TokenError::Subject { .. })), "{error}");
}

#[test]
fn an_answer_is_about_the_command_that_it_names() {
    let authority = Authority::new();
    let outcome = Ok(Outcome::Done { unchanged: false, detail: None });
    let answer = Answer { command: "0f".into(), outcome };
    let payload = authority.payload(&authority.host, "0e", answer);
    let text = format!("{}~{}", forge(HEADER, &payload, &authority.host), authority.host_token);
    let error = verify::<Answer>(&text, &authority.trust(), NOW).unwrap_err();
    assert!(matches!(error, TokenError::Subject { of: TokenKind::Answer, .. }), "{error}");
}

#[test]
fn a_host_beats_for_itself_only() {
    let authority = Authority::new();
    let beat = Beat {
        name: "n".parse().unwrap(),
        version: "0".into(),
        uptime_s: 0,
        actors: 0,
        providers: 0,
        in_flight: 0,
        labels: [].into(),
        draining: false,
        running: 7,
    };
    let other = authority.sibling().host.public();
    let payload = authority.payload(&authority.host, &other, beat);
    let text = format!("{}~{}", forge(HEADER, &payload, &authority.host), authority.host_token);
    let error = verify::<Beat>(&text, &authority.trust(), NOW).unwrap_err();
    assert!(matches!(error, TokenError::Subject { of: TokenKind::Beat, .. }), "{error}");
}
