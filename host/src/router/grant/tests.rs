//! Judging links: what agrees, what is missing, and who may grant.

use wattle_core::{
    BuiltIn, LinkName,
    entity::{CodeKey, Identity},
};

use super::*;

const STORE: &str = "wasi:keyvalue/store";

fn account(letter: char) -> AccountKey {
    format!("A{}", letter.to_string().repeat(55)).parse().expect("a key")
}

fn actor(id: &str, owner: char, key: char) -> Party {
    let key = CodeKey::Actor(format!("M{}", key.to_string().repeat(55)).parse().expect("a key"));
    Party { id: id.parse().expect("an id"), identity: Identity { account: account(owner), key } }
}

fn always() -> Validity {
    Validity { broken: None, from: None, until: None }
}

fn known(party: Party, imports: &[&str], exports: &[&str]) -> Known {
    let parse =
        |names: &[&str]| names.iter().map(|name| name.parse().expect("an interface")).collect();
    Known { party, imports: parse(imports), exports: parse(exports), validity: always() }
}

fn link() -> Link {
    Link {
        source: actor("cart", 'A', 'C'),
        target: actor("kv", 'A', 'K'),
        name: "default".parse::<LinkName>().expect("a name"),
        interfaces: vec![STORE.parse().expect("an interface")],
        locality: Default::default(),
        constraints: Constraints::new(),
        source_config: Default::default(),
        target_config: Default::default(),
    }
}

fn standing(
    link: &Link,
    issuer: char,
    source: &Known,
    target: &Known,
    validity: &Validity,
) -> Standing {
    let account = account(issuer);
    let granted = Granted { link, account: &account, validity, may_command: true };
    judge(&granted, &[source], &[target], |_, _| false).standing
}

fn cart() -> Known {
    known(actor("cart", 'A', 'C'), &[STORE], &[])
}

fn kv() -> Known {
    known(actor("kv", 'A', 'K'), &[], &[STORE])
}

fn denied(standing: Standing) -> String {
    match standing {
        Standing::Denied(denial) => denial.reason,
        Standing::Granted { .. } => panic!("granted"),
    }
}

#[test]
fn all_three_agreeing_is_a_grant() {
    assert!(matches!(standing(&link(), 'A', &cart(), &kv(), &always()), Standing::Granted { .. }));
}

#[test]
fn each_of_the_three_alone_can_deny() {
    let mute = known(actor("cart", 'A', 'C'), &[], &[]);
    assert!(denied(standing(&link(), 'A', &mute, &kv(), &always())).contains("do not import"));
    let deaf = known(actor("kv", 'A', 'K'), &[], &[]);
    assert!(denied(standing(&link(), 'A', &cart(), &deaf, &always())).contains("do not export"));
    assert!(denied(standing(&link(), 'B', &cart(), &kv(), &always())).contains("does not own"));
}

#[test]
fn another_key_or_another_account_under_the_same_id_is_another_identity() {
    for other in [actor("cart", 'A', 'X'), actor("cart", 'B', 'C')] {
        let other = known(other, &[STORE], &[]);
        assert!(
            denied(standing(&link(), 'A', &other, &kv(), &always())).contains("runs under cart")
        );
    }
}

#[test]
fn a_constraint_is_for_a_provider_to_hold_its_caller_to() {
    let mut link = link();
    link.constraints.insert("colour".to_owned(), vec!["blue".to_owned()]);
    assert!(denied(standing(&link, 'A', &cart(), &kv(), &always())).contains("\"colour\""));
    let key = format!("V{}", "K".repeat(55));
    link.target.identity.key = CodeKey::Provider(key.parse().expect("a key"));
    let target = known(link.target.clone(), &[], &[STORE]);
    let standing = standing(&link, 'A', &cart(), &target, &always());
    assert!(matches!(standing, Standing::Granted { .. }));
}

#[test]
fn a_broken_token_of_any_of_the_three_denies() {
    let revoked = Validity { broken: Some("revoked".to_owned()), from: None, until: None };
    assert!(denied(standing(&link(), 'A', &cart(), &kv(), &revoked)).contains("revoked"));
    let mut source = cart();
    source.validity = revoked.clone();
    assert!(denied(standing(&link(), 'A', &source, &kv(), &always())).contains("revoked"));
    let mut target = kv();
    target.validity = revoked;
    assert!(denied(standing(&link(), 'A', &cart(), &target, &always())).contains("revoked"));
}

#[test]
fn a_share_of_the_owner_stands_in_for_its_signature() {
    let (link, account, validity) = (link(), account('B'), always());
    let granted =
        Granted { link: &link, account: &account, validity: &validity, may_command: true };
    let judgement = judge(&granted, &[&cart()], &[&kv()], |_, _| true);
    assert!(matches!(judgement.standing, Standing::Granted { .. }));
}

#[test]
fn what_a_host_tells_of_is_its_accounts_to_grant_and_not_the_listeners() {
    let control = BuiltIn::LatticeControl;
    let hosts = control.party(account('A'));
    let source = known(hosts.clone(), &["wattle:control/watcher"], &[]);
    let target = known(actor("spy", 'B', 'S'), &[], &["wattle:control/watcher"]);
    let interfaces = control.imports();
    let link = Link { source: hosts, target: target.party.clone(), interfaces, ..link() };
    let (own, validity) = (account('B'), always());
    let granted = Granted { link: &link, account: &own, validity: &validity, may_command: true };
    let judged =
        |is_shared: bool| judge(&granted, &[&source], &[&target], |_, _| is_shared).standing;
    assert!(denied(judged(false)).contains("tells only whom account"));
    assert!(matches!(judged(true), Standing::Granted { .. }), "its account shares it");
    let own = known(actor("steward", 'A', 'S'), &[], &["wattle:control/watcher"]);
    let link = Link { target: own.party.clone(), ..link.clone() };
    assert!(matches!(standing(&link, 'A', &source, &own, &always()), Standing::Granted { .. }));
    let mut alias = link;
    alias.source.id = "another".parse().expect("an id");
    assert!(denied(standing(&alias, 'A', &source, &own, &always())).contains("its name alone"));
}

#[test]
fn who_may_not_command_lets_no_actor_command() {
    let control = BuiltIn::LatticeControl;
    let target = known(control.party(account('A')), &[], control.export_names());
    let source = known(actor("steward", 'A', 'S'), control.export_names(), &[]);
    let judged = |interface: &str, may_command: bool| {
        let mut link = Link {
            source: source.party.clone(),
            target: target.party.clone(),
            interfaces: vec![interface.parse().expect("an interface")],
            ..link()
        };
        for name in ["commands", "ids"] {
            link.constraints.insert(name.to_owned(), vec!["*".to_owned()]);
        }
        let (account, validity) = (account('A'), always());
        let granted = Granted { link: &link, account: &account, validity: &validity, may_command };
        judge(&granted, &[&source], &[&target], |_, _| false).standing
    };
    let commands = wattle_control::COMMANDS;
    assert!(denied(judged(commands, false)).contains("lacks the right control"));
    for (interface, may_command) in [(commands, true), (wattle_control::STATE, false)] {
        assert!(matches!(judged(interface, may_command), Standing::Granted { .. }));
    }
}
