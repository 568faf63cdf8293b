//! wadm at the size that it is made for: 100 applications of 10 components on 20 hosts. NATS and wadm are real; hosts are simulated at
//! the control interface, and have done at once what they are told.
//!
//! That a plan of this size takes less than 100 ms, the planner's own test shows: `a_hundred_applications_are_planned_in_no_time`.

mod applications;
mod fleet;
mod host;
mod site;
mod state;
mod store;
mod user;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use wattle_claims::Lease;
use wattle_core::{EntityId, HostKey, Name, app::ApplicationState};
use wattle_testing::eventually;

use self::{
    applications::{APPLICATIONS, COMPONENTS},
    fleet::Fleet,
    site::Site,
    state::{Runs, Told},
    store::{Store, written},
    user::User,
};

/// How long anything here may take, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing happens: five rounds, one each 2 s.
const REST: Duration = Duration::from_secs(10);
/// Commands after a loss for each component that has another place: no host has more than two instances of one here.
const COMMANDS_EACH: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_applications_settle_rest_and_outlive_their_hosts() {
    let site = Arc::new(Site::start().await);
    let store = Store::watch(&site.connect("watch").await).await;
    let mut fleet = Fleet::start(&site, &site.connect("hosts").await);
    let wadm = site.wadm().await;
    let user = User::connect(&site).await;

    let applications = deploy(&user, &fleet, &site).await;
    rest(&store, &fleet, &site).await;

    let mut sizes = fleet.sizes();
    sizes.sort();
    let ((_, small), (_, large)) = (sizes.first().expect("hosts"), sizes.last().expect("hosts"));
    let little = lose(&mut fleet, &user, small).await;
    let much = lose(&mut fleet, &user, large).await;
    assert!(much.components > 5 * little.components, "{little:?}, {much:?}");

    all_are_settled(&user, &applications).await;
    assert_eq!(fleet.refused(), Vec::<String>::new(), "nothing was asked that a host refuses");
    wadm.stop().await;
}

/// Has everything declared, and waits until it runs and nothing more is to be written down.
async fn deploy(user: &User, fleet: &Fleet, site: &Site) -> BTreeSet<Name> {
    let began = Instant::now();
    let mut applications = BTreeSet::new();
    for deployment in applications::all(&site.account()) {
        assert_eq!(deployment.versions[0].components.len(), COMPONENTS);
        applications.insert(deployment.application.clone());
        user.deploy(deployment).await;
    }
    assert_eq!(applications.len(), APPLICATIONS);
    let put = began.elapsed();
    for application in &applications {
        user.settled(application, PATIENCE).await;
    }
    let settled = began.elapsed();
    for application in &applications {
        user.written_down(application, PATIENCE).await;
    }
    let written = began.elapsed();
    let bytes = all_are_settled(user, &applications).await;
    let told = fleet.told();
    let records = told.iter().filter(|told| **told == Told::Record).count();
    let placed: usize = fleet.sizes().iter().map(|(components, _)| components).sum();
    println!(
        "deployed: handed over in {put:?}, settled after {settled:?}, written down after {written:?}; \
         {} commands for {placed} places, {records} records told, {} questions what runs; \
         the list of all has {bytes} bytes",
        told.len() - records,
        fleet.asked(),
    );
    applications
}

/// Asks for all of them at once; gives the bytes of the answer.
async fn all_are_settled(user: &User, applications: &BTreeSet<Name>) -> usize {
    let (all, bytes) = user.list().await;
    let settled = all.iter().filter(|status| status.state == ApplicationState::Settled);
    let settled: BTreeSet<Name> = settled.map(|status| status.application.clone()).collect();
    assert_eq!(settled, *applications);
    bytes
}

/// While nothing changes, nothing is said and nothing is written but the lease.
async fn rest(store: &Store, fleet: &Fleet, site: &Site) {
    let (before, _) = (store.now(), (fleet.told(), fleet.asked()));
    tokio::time::sleep(REST).await;
    let (told, asked) = (fleet.told(), fleet.asked());
    let mut written = written(&before, &store.now());
    let renewals = written.remove(&Lease::key(&site.account())).unwrap_or_default();
    println!("{REST:?} of rest: {} commands, {asked} questions, {renewals} renewals", told.len());
    assert_eq!(told, Vec::new());
    assert_eq!(written, BTreeMap::new(), "nothing is written but the lease");
    assert!(renewals > 0, "wadm keeps the lease");
}

/// What the loss of a host came to.
#[derive(Debug)]
struct Loss {
    /// What it ran.
    components: usize,
}

/// A host is lost: what it ran comes to run elsewhere, and nothing else is touched.
async fn lose(fleet: &mut Fleet, user: &User, host: &HostKey) -> Loss {
    assert_eq!(fleet.told(), Vec::new(), "nothing happened since");
    let began = Instant::now();
    let ran = fleet.lose(host);
    let of = |id: &EntityId| -> Name {
        let name = id.application().expect("all are of applications");
        name.parse().expect("a name")
    };
    let applications: BTreeSet<Name> = ran.keys().map(of).collect();
    let first = applications.first().expect("it ran something");
    eventually("the loss is seen", PATIENCE, async || {
        let status = user.status(first).await?;
        let hosts = status.components.iter().flat_map(|component| &component.hosts);
        let mut lost = hosts.filter(|at| at.host == *host && at.problem.is_some());
        lost.next().map(drop)
    })
    .await;
    let seen = began.elapsed();
    for application in &applications {
        user.settled(application, PATIENCE).await;
    }
    let settled = began.elapsed();

    let told = fleet.told();
    let is_of_these = |told: &&Told| match told {
        Told::Reconcile(id, _) => ran.contains_key(id),
        Told::Record | Told::Other(_) => false,
    };
    let others: Vec<&Told> = told.iter().filter(|told| !is_of_these(told)).collect();
    let moving: Vec<&Runs> = ran.values().filter(|runs| runs.moves()).collect();
    let instances: usize = moving.iter().map(|runs| usize::from(runs.instances)).sum();
    println!(
        "lost a host of {} components, of which {} with {instances} instances have another place: \
         {} commands, {:.2} for each of these; seen after {seen:?}, settled {:?} later",
        ran.len(),
        moving.len(),
        told.len(),
        told.len() as f64 / moving.len() as f64,
        settled - seen,
    );
    assert_eq!(others, Vec::<&Told>::new(), "nothing is touched but what it ran");
    assert!(told.len() >= moving.len(), "all of it runs elsewhere");
    let most = COMMANDS_EACH * moving.len();
    assert!(told.len() <= most, "{} commands, not {most}", told.len());
    Loss { components: ran.len() }
}
