//! Links between parties whose claims differ from host to host, as while a new version rolls out.

use std::collections::BTreeSet;

use wattle_core::{
    Constraints,
    entity::{CodeKey, Identity},
};

use super::*;
use crate::router::Validity;

const READ: &str = "wasi:keyvalue/store";
const WATCH: &str = "wasi:keyvalue/watcher";
const NOW: Timestamp = Timestamp::from_secs(1_000);

fn account(letter: char) -> AccountKey {
    format!("A{}", letter.to_string().repeat(55)).parse().expect("a key")
}

fn host(letter: char) -> HostKey {
    format!("N{}", letter.to_string().repeat(55)).parse().expect("a key")
}

fn actor(id: &str, key: char) -> Party {
    let key = CodeKey::Actor(format!("M{}", key.to_string().repeat(55)).parse().expect("a key"));
    let identity = Identity { account: account('A'), key };
    Party { id: id.parse().expect("an id"), identity }
}

fn interfaces(names: &[&str]) -> Vec<wattle_core::Interface> {
    names.iter().map(|name| name.parse().expect("an interface")).collect()
}

fn known(party: &Party, imports: &[&str], exports: &[&str]) -> Known {
    let validity = Validity { broken: None, from: None, until: None };
    Known {
        party: party.clone(),
        imports: interfaces(imports),
        exports: interfaces(exports),
        validity,
    }
}

fn there(letter: char, known: Known, is_leaving: bool) -> There {
    There { host: host(letter), known, is_leaving }
}

fn cart() -> Party {
    actor("cart", 'C')
}

fn kv() -> Party {
    actor("kv", 'K')
}

fn link() -> Link {
    Link {
        source: cart(),
        target: kv(),
        name: "default".parse().expect("a name"),
        interfaces: interfaces(&[READ, WATCH]),
        locality: Locality::Any,
        constraints: Constraints::new(),
        source_config: Default::default(),
        target_config: Default::default(),
    }
}

fn put(builder: &mut RoutesBuilder, number: u32, issuer: char) {
    put_link(builder, number, issuer, &link());
}

fn put_link(builder: &mut RoutesBuilder, number: u32, issuer: char, link: &Link) {
    let validity = Validity { broken: None, from: None, until: None };
    let account = account(issuer);
    let granted = Granted { link, account: &account, validity: &validity, may_command: true };
    builder.link(number, &granted, |_, _| false);
}

fn hosts(edge: &Edge, interface: &str) -> BTreeSet<HostKey> {
    edge.hosts(interface, None).cloned().collect()
}

#[test]
fn each_host_is_held_to_the_claims_that_it_runs_by() {
    let mut builder = RoutesBuilder::default();
    // The old versions come first, on both sides.
    builder.placed(there('B', known(&cart(), &[READ], &[]), false));
    builder.placed(there('C', known(&cart(), &[READ, WATCH], &[]), false));
    builder.placed(there('D', known(&kv(), &[], &[READ]), false));
    builder.placed(there('E', known(&kv(), &[], &[READ, WATCH]), false));
    builder.placed(there('F', known(&kv(), &[], &[READ, WATCH]), true));
    put(&mut builder, 1, 'A');
    let routes = builder.finish();
    let edge = &routes.edges()[0];
    for interface in [READ, WATCH] {
        edge.check(interface, NOW).expect("both sides cover it somewhere");
    }
    assert_eq!(hosts(edge, READ), BTreeSet::from([host('D'), host('E')]));
    assert_eq!(hosts(edge, WATCH), BTreeSet::from([host('E')]));
    assert!(edge.is_on(&host('F')), "what was made there is used there");
    assert_eq!(routes.hosts_of(&kv()).count(), 2);
    let imports = |letter| routes.on(&host(letter), &cart()).map(|known| known.imports.len());
    assert_eq!([imports('B'), imports('C'), imports('D')], [Some(1), Some(2), None]);
}

#[test]
fn who_calls_from_a_host_that_leaves_is_known_there_and_called_there_no_more() {
    let mut builder = RoutesBuilder::default();
    builder.placed(there('B', known(&cart(), &[READ], &[]), true));
    let routes = builder.finish();
    assert!(routes.on(&host('B'), &cart()).is_some());
    assert_eq!(routes.hosts_of(&cart()).count(), 0);
}

#[test]
fn what_runs_here_is_judged_by_its_own_claims_and_what_calls_from_elsewhere_by_those_there() {
    let mut builder = RoutesBuilder::default();
    builder.entity(known(&cart(), &[READ], &[]), Callee::Absent);
    builder.entity(known(&kv(), &[], &[READ, WATCH]), Callee::Absent);
    let newer = known(&cart(), &[READ, WATCH], &[]);
    builder.placed(there('B', newer.clone(), false));
    put(&mut builder, 1, 'A');
    let routes = builder.finish();
    let edge = &routes.edges()[0];
    edge.check(READ, NOW).expect("it imports it");
    let denial = edge.check(WATCH, NOW).expect_err("the version here does not");
    assert!(denial.reason.contains("do not import"), "{denial}");
    edge.check_of(&newer, WATCH, NOW).expect("the version there does");
    let until = Some(Timestamp::from_secs(900));
    let expired = Known { validity: Validity { until, ..newer.validity.clone() }, ..newer };
    let denial = edge.check_of(&expired, READ, NOW).expect_err("its time is over");
    assert!(denial.reason.contains("expired"), "{denial}");
}

#[test]
fn another_under_a_callees_id_answers_nothing_and_is_said_where_the_right_one_runs_nowhere() {
    let other = actor("kv", 'X');
    let judged = |is_elsewhere: bool| {
        let mut builder = RoutesBuilder::default();
        builder.entity(known(&cart(), &[READ, WATCH], &[]), Callee::Absent);
        builder.entity(known(&other, &[], &[READ, WATCH]), Callee::BuiltIn(BuiltIn::Secrets));
        if is_elsewhere {
            builder.placed(there('B', known(&kv(), &[], &[READ, WATCH]), false));
        }
        put(&mut builder, 1, 'A');
        builder.finish()
    };
    let routes = judged(false);
    let denial = routes.edges()[0].check(READ, NOW).expect_err("another answers to the id");
    assert!(denial.reason.contains("runs under kv"), "{denial}");
    let routes = judged(true);
    let edge = &routes.edges()[0];
    edge.check(READ, NOW).expect("the right one is elsewhere");
    assert!(matches!(edge.callee, Callee::Absent), "the wrong one is not called");
    assert_eq!(hosts(edge, READ), BTreeSet::from([host('B')]));
}

#[test]
fn another_under_a_callers_id_is_known_as_such() {
    let mut builder = RoutesBuilder::default();
    let other = actor("cart", 'X');
    builder.entity(known(&other, &[READ, WATCH], &[]), Callee::Absent);
    builder.placed(there('B', known(&cart(), &[READ, WATCH], &[]), false));
    put(&mut builder, 1, 'A');
    let routes = builder.finish();
    assert_eq!(routes.edges()[0].usurper, Some(other));
}

#[test]
fn a_caller_takes_its_own_link_and_of_those_the_first_of_its_own_account() {
    let mut builder = RoutesBuilder::default();
    let other = Link { source: actor("cart", 'X'), ..link() };
    for (number, issuer, link) in
        [(1, 'A', &other), (2, 'B', &link()), (3, 'A', &link()), (4, 'A', &link())]
    {
        put_link(&mut builder, number, issuer, link);
    }
    let routes = builder.finish();
    let taken =
        |caller: &Party| routes.edge_of_actor(caller, READ, "default").expect("a link").number;
    assert_eq!(taken(&cart()), 3);
    assert_eq!(taken(&actor("cart", 'X')), 1);
    assert_eq!(taken(&actor("cart", 'Y')), 1, "which says why not");
    let two = routes.edge_of_actor(&cart(), "wasi:keyvalue/atomics", "default");
    assert!(two.is_some(), "another of the package says why not");
}

#[test]
fn a_link_to_other_hosts_is_judged_by_what_runs_there() {
    let mut builder = RoutesBuilder::default();
    builder.entity(known(&cart(), &[READ, WATCH], &[]), Callee::Absent);
    builder.entity(known(&kv(), &[], &[READ]), Callee::BuiltIn(BuiltIn::Secrets));
    builder.placed(there('B', known(&kv(), &[], &[READ, WATCH]), false));
    put_link(&mut builder, 1, 'A', &Link { locality: Locality::Remote, ..link() });
    put(&mut builder, 2, 'A');
    let routes = builder.finish();
    let [remote, any] = routes.edges() else { panic!("two links") };
    remote.check(WATCH, NOW).expect("it is answered there");
    any.check(WATCH, NOW).expect_err("it would be answered here");
    let newer = known(&cart(), &[READ, WATCH], &[]);
    remote.check_of(&newer, WATCH, NOW).expect_err("what others call is here");
}
