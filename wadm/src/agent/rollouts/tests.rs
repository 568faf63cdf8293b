use wattle_core::{
    app::ApplicationState,
    deployment::{Canary, Deployment, Version},
};

use super::*;

const TERM: u64 = 5;

fn version(name: &str) -> Version {
    Version {
        name: name.parse().expect("a name"),
        components: Vec::new(),
        links: Vec::new(),
        uses: BTreeSet::new(),
        shared: false,
        healthy_within_s: 0,
    }
}

fn declared(generation: u64, versions: &[&str]) -> Declared {
    let deployment = Deployment {
        application: "shop".parse().expect("a name"),
        phase: Phase::Deployed,
        versions: versions.iter().map(|name| version(name)).collect(),
        canary: None,
        is_return: false,
        end: None,
    };
    Declared::new(generation, String::new(), Some(deployment))
}

fn status(state: ApplicationState) -> ApplicationStatus {
    ApplicationStatus {
        application: "shop".parse().expect("a name"),
        phase: Phase::Deployed,
        generation: 1,
        version: "v2".parse().expect("a name"),
        state,
        components: Vec::new(),
        held: Vec::new(),
        used_by: BTreeSet::new(),
        failed_links: [("a -> b".to_owned(), "the port is taken".to_owned())].into(),
    }
}

/// What stands there after something was written down.
fn stored(written: (u64, Option<Rollout>)) -> StoredRollout {
    let (generation, rollout) = written;
    StoredRollout { generation, revision: 1, rollout, text: String::new() }
}

fn verdict(verdict: Verdict) -> Pending {
    Pending { commands: Vec::new(), verdict: Some((1, verdict)) }
}

#[test]
fn a_version_that_fails_is_given_up_once_and_for_this_deployment_only() {
    let (asked, mut trials) = (declared(1, &["v2", "v1"]), Trials::default());
    let failing = status(ApplicationState::Failing);
    let begun = next(TERM, &asked, None, &Pending::default()).expect("it is written down");
    assert!(begun.0 >= TERM << CHANGES_OF_TERM, "others' terms are outdated");
    let begun = stored(begun);
    assert_eq!(next(TERM, &asked, Some(&begun), &Pending::default()), None, "nothing has changed");

    let said = trials.judge(&asked, begun.rollout.as_ref(), &failing, Health::Unwell);
    let Some(Verdict::GivenUp(reason)) = said else { panic!("{said:?}") };
    assert!(reason.contains("the port is taken"), "{reason}");
    let gone_back = next(TERM, &asked, Some(&begun), &verdict(Verdict::GivenUp(reason)));
    let gone_back = stored(gone_back.expect("it is written down"));
    let rollout = gone_back.rollout.as_ref().expect("it goes on");
    assert_eq!(asked.target(Some(rollout)).map(|it| it.name.as_str()), Some("v1"));
    assert_eq!(rollout.version.as_str(), "v1");
    assert_eq!(rollout.given_up.as_ref().map(|it| it.version.as_str()), Some("v2"));
    assert_eq!(
        trials.judge(&asked, Some(rollout), &failing, Health::Unwell),
        None,
        "there is nothing else to go back to"
    );

    // The same again is another attempt.
    let again = declared(2, &["v2", "v1"]);
    assert_eq!(again.target(Some(rollout)).map(|it| it.name.as_str()), Some("v2"));
    let (generation, rollout) =
        next(TERM, &again, Some(&gone_back), &Pending::default()).expect("it");
    assert!(generation > gone_back.generation);
    assert!(rollout.is_some_and(|it| !it.healthy && it.given_up.is_none() && it.generation == 2));
}

#[test]
fn a_verdict_is_not_one_on_the_next_deployment() {
    let begun = next(TERM, &declared(1, &["v2", "v1"]), None, &Pending::default()).expect("it");
    let late = verdict(Verdict::GivenUp("it failed".to_owned()));
    let fixed = declared(2, &["v3", "v1"]);
    let (_, rollout) = next(TERM, &fixed, Some(&stored(begun)), &late).expect("it is written down");
    assert!(rollout.is_some_and(|it| it.given_up.is_none() && it.version.as_str() == "v3"));
}

#[test]
fn a_canary_goes_further_when_its_time_has_passed_and_back_when_it_fails() {
    let with = |for_s| {
        let mut declared = declared(1, &["v2", "v1"]);
        let deployment = declared.deployment.as_mut().expect("it has not ended");
        deployment.canary = Some(Canary { weight: 10, for_s });
        declared
    };
    let canary =
        ApplicationStatus { failed_links: BTreeMap::new(), ..status(ApplicationState::Canary) };
    let short = with(0);
    assert_eq!(short.canary(None), Some(10));
    let said = Trials::default()
        .judge(&short, None, &canary, Health::Canary)
        .expect("its time has passed");
    assert_eq!(said, Verdict::Promoted);
    let (_, rollout) = next(TERM, &short, None, &verdict(said)).expect("it is written down");
    assert_eq!(short.canary(rollout.as_ref()), None);
    // Another deployment is another canary.
    let again = Declared::new(2, String::new(), short.deployment);
    assert_eq!(again.canary(rollout.as_ref()), Some(10));

    let (long, mut trials) = (with(60), Trials::default());
    assert_eq!(trials.judge(&long, None, &canary, Health::Canary), None);
    let said = trials.judge(&long, None, &status(ApplicationState::Failing), Health::Unwell);
    assert!(matches!(said, Some(Verdict::GivenUp(_))), "{said:?}");
}

#[test]
fn a_version_that_has_no_place_is_neither_healthy_nor_given_up() {
    let (asked, mut trials) = (declared(1, &["v2", "v1"]), Trials::default());
    let failing = status(ApplicationState::Failing);
    assert_eq!(trials.judge(&asked, None, &failing, Health::Nowhere), None);
    let said = trials.judge(&asked, None, &failing, Health::Unwell);
    assert!(matches!(said, Some(Verdict::GivenUp(_))), "{said:?}");
}

#[test]
fn a_version_that_was_healthy_is_kept_whatever_happens_to_it() {
    let (asked, mut trials) = (declared(1, &["v2", "v1"]), Trials::default());
    let settled =
        ApplicationStatus { failed_links: BTreeMap::new(), ..status(ApplicationState::Settled) };
    assert_eq!(trials.judge(&asked, None, &settled, Health::Well), Some(Verdict::Healthy));
    // What fails because it has no place, as the one before would, is no worse than that one.
    let lacking = status(ApplicationState::Failing);
    assert_eq!(trials.judge(&asked, None, &lacking, Health::Well), Some(Verdict::Healthy));
    let healthy = next(TERM, &asked, None, &verdict(Verdict::Healthy)).expect("it is written down");
    let healthy = stored(healthy);
    let failing = status(ApplicationState::Failing);
    assert_eq!(trials.judge(&asked, healthy.rollout.as_ref(), &failing, Health::Unwell), None);
    // Who takes over writes it anew, under a term of its own.
    let (generation, rollout) =
        next(TERM + 1, &asked, Some(&healthy), &Pending::default()).expect("it is written down");
    assert!(generation >= (TERM + 1) << CHANGES_OF_TERM);
    assert!(rollout.is_some_and(|rollout| rollout.healthy && rollout.term == TERM + 1));
}

#[test]
fn a_version_without_a_place_is_not_begun() {
    let mut asked = declared(1, &["v2", "v1"]);
    assert!(asked.is_on_trial(None));
    asked.held = vec!["no place".to_owned()];
    assert_eq!(asked.target(None).map(|it| it.name.as_str()), Some("v1"));
    let mut first = declared(1, &["v1"]);
    first.held = vec!["no place".to_owned()];
    assert!(!first.is_on_trial(None), "there is nothing to go on with");
    assert_eq!(first.target(None).map(|it| it.name.as_str()), Some("v1"));
}

#[test]
fn a_deployment_that_has_ended_ends_its_rollout() {
    let begun = next(TERM, &declared(1, &["v1"]), None, &Pending::default()).expect("it");
    let ended = Declared::new(2, String::new(), None);
    let (_, rollout) =
        next(TERM, &ended, Some(&stored(begun)), &Pending::default()).expect("its tombstone");
    assert_eq!(rollout, None);
    assert_eq!(next(TERM, &ended, None, &Pending::default()), None);
}
