//! Which wadm acts, and what a hostile one can do.

use std::time::Duration;

use serde_json::{Value, json};
use wattle_claims::{
    DeploymentRecord, Draft, Lease, LinkRecord, Record, RecordKey, Rollout, Signed, Timestamp,
    content_of,
};
use wattle_core::{
    Digest, Link,
    app::AppRequest,
    control::{Command, FailureKind, Goal, Outcome, Reconcile, Scale, StartActor},
    deployment::Deployment,
};
use wattle_testing::{Guest, Insider, Lattice, Process, Signing, Turn, eventually, read_host};

use super::Web;

/// A wadm that is lost is replaced within this time.
const TAKEOVER: Duration = Duration::from_secs(5);

/// A lattice of two hosts, of which either may be wadm; the one that came first is.
async fn two_wadms() -> Lattice {
    let lattice = Lattice::prepare(Turn::shared().await);
    for name in ["a", "b"] {
        lattice.up(&["--name", name, "--label", &format!("zone={name}")]).await;
    }
    lattice
}

/// The process of the host that says so in its log, as the last that did.
async fn leader(lattice: &Lattice) -> (String, Process) {
    let mut found = None;
    let file = lattice.file();
    for host in file["hosts"].as_array().expect("hosts") {
        let name = host["name"].as_str().expect("a name");
        let log = lattice.wattle(&["logs", "--host", name, "--lines", "1000"]).await;
        if !log.is_ok() {
            continue;
        }
        let acts =
            log.stdout.lines().rev().find(|line| {
                line.contains("wadm acts") || line.contains("wadm waits for the lease")
            });
        if acts.is_some_and(|line| line.contains("wadm acts")) {
            let pid = host["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            found = Some((name.to_owned(), Process::new(pid.expect("a process"))));
        }
    }
    found.expect("one acts")
}

async fn answers(lattice: &Lattice) -> Option<Value> {
    let said = lattice.wattle(&["app", "list", "-o", "json", "--timeout", "1s"]).await;
    said.is_ok().then(|| said.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_wadm_takes_over_from_one_that_is_killed() {
    let lattice = two_wadms().await;
    let mut web = Web::new(&lattice, "shop", Guest::Hello);
    web.instances = 2;
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let (name, process) = leader(&lattice).await;
    process.kill();
    eventually("another one answers", TAKEOVER, async || answers(&lattice).await).await;
    let (other, _) = leader(&lattice).await;
    assert_ne!(other, name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wadm_that_stood_still_acts_no_more_until_it_holds_the_lease_again() {
    let lattice = two_wadms().await;
    let mut web = Web::new(&lattice, "shop", Guest::Hello);
    web.instances = 2;
    // A frozen host's http-server goes on listening, where no other one on this machine can.
    web.pinned = Some("zone: b".to_owned());
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let (name, process) = leader(&lattice).await;
    assert_eq!(name, "a");
    process.freeze();
    eventually("another one answers", TAKEOVER, async || answers(&lattice).await).await;
    let other = "b";
    // Meanwhile something is to be done, by the other one.
    web.instances = 4;
    lattice.wattle(&["app", "deploy", &web.write("v2")]).await.ok();
    tokio::time::sleep(Duration::from_secs(60)).await;
    process.thaw();
    eventually("it has noticed", TAKEOVER, async || {
        let log = lattice.wattle(&["logs", "--host", &name, "--lines", "1000"]).await;
        let last = log
            .stdout
            .lines()
            .rev()
            .find(|line| line.contains("wadm acts") || line.contains("wadm waits"))?
            .to_owned();
        last.contains("wadm waits").then_some(())
    })
    .await;
    assert_eq!(leader(&lattice).await.0, other);
    // It is a host as before, and gets its part.
    eventually("both have a part", Duration::from_secs(15), async || {
        let status = lattice.wattle(&["app", "status", "shop", "-o", "json"]).await;
        let status = status.is_ok().then(|| status.json())?;
        let front = status["components"].as_array()?.iter().find(|it| it["id"] == "shop/front")?;
        (front["hosts"].as_array()?.len() == 2 && status["state"] == "settled").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wadm_alone_acts_where_no_host_does_and_makes_way_when_it_stops() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let wadm = lattice.spawn(&["wadm"]);
    eventually("it has a token of its own", TAKEOVER, async || {
        lattice.project().join("wadm/host.jwt").exists().then_some(())
    })
    .await;
    lattice.host().kill();
    let all = eventually("it answers", TAKEOVER, async || answers(&lattice).await).await;
    assert_eq!(all[0]["application"], json!("shop"));
    lattice.wattle(&["wadm"]).await.code(6).naming(&["wadm"]);
    lattice.host().gone(TAKEOVER).await;
    lattice.up(&[]).await;
    let settled = async || {
        let status = lattice.wattle(&["app", "status", "shop", "-o", "json"]).await;
        let status = status.is_ok().then(|| status.json())?;
        (status["state"] == json!("settled")).then_some(())
    };
    eventually("all is well", Duration::from_secs(15), settled).await;
    // Laid down and not left to expire: the host's own takes it at once.
    let process = Process::new(wadm.id().expect("it runs"));
    process.interrupt();
    process.gone(TAKEOVER).await;
    eventually("the host's own acts", Duration::from_secs(2), async || answers(&lattice).await)
        .await;
    lattice.wattle(&["app", "delete", "shop"]).await.ok();
}

/// What is deployed, as its user signed it.
async fn deployed(lattice: &Lattice, insider: &Insider, application: &str) -> (String, Deployment) {
    let request = AppRequest::Get { application: application.parse().expect("a name") };
    let verb = request.verb();
    let draft = Draft {
        subject: verb.to_string(),
        audience: insider.audience.clone(),
        not_before: None,
        expires: None,
        body: request,
    };
    let signed = draft.sign(lattice.chain().user.issuer(), Timestamp::now()).expect("it may sign");
    let answer = insider.mesh.ask_wadm(&verb, signed.text(), TAKEOVER).await.expect("an answer");
    let answer = Signed::<wattle_core::control::Answer>::parse(&answer).expect("a token");
    match answer.peek().expect("an answer").body.outcome {
        Ok(Outcome::Deployment(signed)) => {
            let record = Signed::<DeploymentRecord>::parse(&signed.token).expect("a token");
            let deployment = record.peek().expect("a record").body.value;
            (signed.token, deployment.expect("it has not ended"))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_wadm_starts_links_and_scales_nothing_that_no_deployment_says() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let insider = lattice.insider().await;
    let (deployment, said) = deployed(&lattice, &insider, "shop").await;
    let version = said.version().expect("a version").clone();
    let front = version.components.iter().find(|it| it.id.as_str() == "shop/front");
    let front = front.expect("it is there").clone();
    let program = content_of(&front.program);

    // Somebody has the key of the very host whose wadm holds the lease.
    let wadm: Signing = read_host(&lattice.project());
    let account = lattice.chain().account.key.public_key().expect("an account's key");
    let records = insider.mesh.records().await.expect("the store");
    let (lease, revision) =
        records.get(&Lease::key(&account)).await.expect("the store").expect("there is a lease");
    let lease = Signed::<Lease>::parse(&lease).expect("a token").peek().expect("a lease").body;
    let term = lease.term_at(revision);

    let ask = |term: u64, id: &str, goal: Goal| {
        let (deployment, id) = (deployment.clone(), id.parse().expect("an id"));
        insider.tell(&wadm, Command::Reconcile(Reconcile { term, deployment, id, goal }))
    };
    let run = |program: Digest, instances: u16| Goal::Run {
        program,
        instances: instances.try_into().expect("some"),
    };
    let kind = |answer: Option<Result<Outcome, wattle_core::control::Failure>>| match answer {
        Some(Err(failure)) => failure.kind,
        other => panic!("{other:?}"),
    };
    // What the deployment says, it may do.
    let scaled = ask(term, "shop/front", run(program, 2)).await;
    assert!(matches!(scaled, Some(Ok(_))), "{scaled:?}");
    for (what, term, id, goal, expected) in [
        ("an older term", term - 1, "shop/front", run(program, 2), FailureKind::Stale),
        ("a term to come", term + 1, "shop/front", run(program, 2), FailureKind::Stale),
        ("more than is declared", term, "shop/front", run(program, 4), FailureKind::Denied),
        (
            "another program",
            term,
            "shop/front",
            run(Digest::from_bytes([7; 32]), 1),
            FailureKind::Denied,
        ),
        ("under another id", term, "shop/other", run(program, 1), FailureKind::Denied),
        ("another application's", term, "bank/front", run(program, 1), FailureKind::Denied),
        ("to stop another's", term, "bank/front", Goal::Stop, FailureKind::Denied),
    ] {
        assert_eq!(kind(ask(term, id, goal).await), expected, "{what}");
    }
    // A user's commands are not wadm's.
    let start = StartActor {
        id: "mine".parse().expect("an id"),
        artifact: front.program.artifact,
        scale: Scale::UpTo(1.try_into().expect("one")),
        config: vec![],
        limits: front.program.limits,
        values: Default::default(),
        program: None,
    };
    for command in [
        Command::StartActor(start),
        Command::StopActor { id: "shop/front".parse().expect("an id") },
        Command::StopHost { grace_ms: 0 },
        Command::GetLogs(Default::default()),
    ] {
        assert_eq!(
            kind(insider.tell(&wadm, command.clone()).await),
            FailureKind::Denied,
            "{command:?}"
        );
    }

    // It signs no link and no deployment, and a rollout links nothing that the deployment does not have.
    let mut stolen: Link = version.links[0].clone();
    stolen.source.id = "shop/other".parse().expect("an id");
    let key = RecordKey::Link { account: account.clone(), key: stolen.key() };
    let record: LinkRecord =
        Record { generation: u64::MAX, key: key.clone(), value: Some(stolen.clone()) };
    let draft = Draft {
        subject: key.to_string(),
        audience: insider.audience.clone(),
        not_before: None,
        expires: None,
        body: record,
    };
    assert!(draft.sign(wadm.issuer(), Timestamp::now()).is_err(), "a host signs no link");
    let links = lattice.ask(&["get", "links"]).await;
    let key =
        RecordKey::Rollout { account: account.clone(), application: said.application.clone() };
    let rollout = Rollout {
        term,
        generation: u64::MAX,
        version: version.name.clone(),
        healthy: true,
        promoted: false,
        links: [content_of(&stolen), content_of(&version.links[0])].into(),
        given_up: None,
    };
    let token = insider.record(&wadm, key, (term << 20) + 1_000, Some(rollout));
    let told = insider.tell(&wadm, Command::PutRecord { token }).await;
    assert!(matches!(told, Some(Ok(_))), "{told:?}");
    let linked = lattice.ask(&["get", "links"]).await;
    let keys = |links: &Value| -> Vec<Value> {
        links.as_array().expect("links").iter().map(|it| it["link"].clone()).collect()
    };
    assert_eq!(keys(&linked), keys(&links));
    assert_eq!(web.site.get("/").await.status, 200);

    // What was signed once does not outlive what was signed since.
    lattice.wattle(&["app", "undeploy", "shop"]).await;
    let again = ask(term, "shop/front", run(program, 1)).await;
    assert_eq!(kind(again), FailureKind::Stale);
    eventually("nothing runs", TAKEOVER, async || {
        (lattice.inventory().await["actors"] == json!([])).then_some(())
    })
    .await;
}
