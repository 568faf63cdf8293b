//! NATS that somebody else set up: with encryption, keys, JWTs, permissions, domains, or without JetStream.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_lattice::{
    Auth, ConnectError, ConnectOptions, Lattice, RecordsError, StoreError, Tls, server::find_binary,
};

use crate::scene::{eventually, host, shop, to};

const WAIT: Duration = Duration::from_secs(10);

/// A server with a configuration of the test's.
struct Given {
    process: Child,
    dir: TempDir,
    ports: Value,
}

impl Given {
    async fn start(config: impl FnOnce(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = config(dir.path());
        let ports = format!("port: -1\nports_file_dir: {:?}\n", dir.path());
        std::fs::write(dir.path().join("nats.conf"), ports + &text).unwrap();
        // It dies with the test's thread, even if the test is killed.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(find_binary().unwrap())
            .args(["-a", "127.0.0.1", "-c", "nats.conf", "-l", "nats.log"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let file = dir.path().join(format!("nats-server_{}.ports", process.id()));
        let read = || async {
            let text = std::fs::read(&file).unwrap_or_default();
            let log = || std::fs::read_to_string(dir.path().join("nats.log")).unwrap_or_default();
            serde_json::from_slice::<Value>(&text).map_err(|_| log())
        };
        let ports = eventually("the server listens", read).await;
        Self { process, dir, ports }
    }

    fn url(&self) -> String {
        self.ports["nats"][0].as_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn options(&self, auth: Auth) -> ConnectOptions {
        ConnectOptions { auth, ..to(&self.url()) }
    }

    async fn refuses(&self, auth: Auth) {
        let error = Lattice::connect(shop(), &self.options(auth)).await.expect_err("refused");
        assert!(matches!(error, ConnectError::Unauthorized { .. }), "{error}");
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everything that a host and its clients do on NATS.
async fn everything_works(options: &ConnectOptions) {
    let lattice = Lattice::connect(shop(), options).await.unwrap();
    let _server = lattice.serve_control(host('A'), |token| async move { Some(token) });
    assert_eq!(lattice.command(&host('A'), "x", WAIT).await.unwrap(), "x");
    let records = lattice.records().await.unwrap();
    let revision = records.put("a", "1", Some(0)).await.unwrap();
    records.put("a", "2", Some(revision)).await.unwrap();
    assert_eq!(records.all().await.unwrap(), [("a".to_owned(), "2".to_owned())]);
    let artifacts = lattice.artifacts().await.unwrap();
    let stored = artifacts.put(&[7; 300_000]).await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), [7; 300_000]);
}

#[tokio::test]
async fn without_jetstream_commands_work_and_records_say_why_not() {
    let given = Given::start(|_| String::new()).await;
    let lattice = Lattice::connect(shop(), &given.options(Auth::None)).await.unwrap();
    let _server = lattice.serve_control(host('A'), |token| async move { Some(token) });
    assert_eq!(lattice.command(&host('A'), "x", WAIT).await.unwrap(), "x");
    let error = lattice.records().await.unwrap_err();
    assert!(matches!(error, RecordsError::Store(StoreError::NoJetStream(_))), "{error}");
}

#[tokio::test]
async fn a_token_opens() {
    let config = "authorization { token: \"t0k3n\" }\njetstream { store_dir: js }\n";
    let given = Given::start(|_| config.to_owned()).await;
    given.refuses(Auth::None).await;
    given.refuses(Auth::Token("other".into())).await;
    everything_works(&given.options(Auth::Token("t0k3n".into()))).await;
}

#[tokio::test]
async fn an_nkey_opens() {
    let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
    let config = |_: &Path| {
        let key = user.public_key();
        format!("authorization {{ users: [ {{ nkey: {key} }} ] }}\njetstream {{ store_dir: js }}\n")
    };
    let given = Given::start(config).await;
    given.refuses(Auth::Nkey { seed: other.seed().unwrap() }).await;
    everything_works(&given.options(Auth::Nkey { seed: user.seed().unwrap() })).await;
}

/// A JWT as NATS's own accounts have them.
fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({ "jti": subject.public_key(), "iat": 1_700_000_000, "name": "x",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": nats });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(&header), encode(&claims));
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_jwt_opens_given_as_it_is_or_in_a_file() {
    let (operator, account, user) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let config = |_: &Path| {
        let kind = json!({ "type": "operator", "version": 2 });
        let operator_jwt = jwt(&operator, &operator, &kind);
        let limits = json!({ "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1 });
        let kind = json!({ "type": "account", "version": 2, "limits": limits });
        let (id, account_jwt) = (account.public_key(), jwt(&operator, &account, &kind));
        format!(
            "operator: \"{operator_jwt}\"\nresolver: MEMORY\n\
             resolver_preload: {{ {id}: \"{account_jwt}\" }}\n"
        )
    };
    let given = Given::start(config).await;
    given.refuses(Auth::None).await;
    let kind = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
    let seed = user.seed().unwrap();
    let other = KeyPair::new_user().seed().unwrap();
    let user_jwt = jwt(&account, &user, &kind);
    given.refuses(Auth::Jwt { jwt: user_jwt.clone(), seed: other }).await;
    let auth = Auth::Jwt { jwt: user_jwt.clone(), seed: seed.clone() };
    Lattice::connect(shop(), &given.options(auth)).await.unwrap();
    let creds = given.file(
        "user.creds",
        &format!(
            "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        ),
    );
    Lattice::connect(shop(), &given.options(Auth::Creds(creds))).await.unwrap();
}

#[tokio::test]
async fn encryption_is_used_where_it_is_offered_and_strangers_certificates_are_refused() {
    let ours = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = |dir: &Path| {
        std::fs::write(dir.join("cert.pem"), ours.cert.pem()).unwrap();
        std::fs::write(dir.join("key.pem"), ours.signing_key.serialize_pem()).unwrap();
        "tls { cert_file: cert.pem, key_file: key.pem }\njetstream { store_dir: js }\n".to_owned()
    };
    let given = Given::start(config).await;
    let url = given.url().replace("127.0.0.1", "localhost");
    let trusting = |ca: PathBuf| {
        let tls = Tls { ca: Some(ca), ..Tls::default() };
        ConnectOptions { tls, ..to(&url) }
    };
    everything_works(&trusting(given.dir.path().join("cert.pem"))).await;

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = given.file("other.pem", &other.cert.pem());
    for options in [trusting(other), to(&url)] {
        let error = Lattice::connect(shop(), &options).await.expect_err("not to be trusted");
        assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    }
}

/// What `docs` tell an operator to allow: the lattice's own subjects and its two buckets, and no inbox.
#[tokio::test]
async fn permissions_for_one_lattice_are_enough() {
    let config = "
        authorization { users: [ { user: a, password: b, permissions: {
            publish: [ 'wattle.1.shop.>', '$JS.API.>', '$JS.FC.>',
                       '$KV.wattle_shop_records.>', '$O.wattle_shop_artifacts.>' ]
            subscribe: [ 'wattle.1.shop.>' ]
        } } ] }
        jetstream { store_dir: js }\n";
    let given = Given::start(|_| config.to_owned()).await;
    let auth = Auth::UserPassword { user: "a".into(), password: "b".into() };
    everything_works(&given.options(auth)).await;
}

#[tokio::test]
async fn the_buckets_of_a_domain_are_reached_through_a_leaf_node() {
    let config = "jetstream { store_dir: js, domain: hub }\nleafnodes { listen: '127.0.0.1:-1' }\n";
    let hub = Given::start(|_| config.to_owned()).await;
    let log = std::fs::read_to_string(hub.dir.path().join("nats.log")).unwrap();
    let listens = log.split("for leafnode connections on ").nth(1).unwrap();
    let hub_leaf = format!("nats://{}", listens.lines().next().unwrap().trim());
    let config = move |_: &Path| {
        format!(
            "jetstream {{ store_dir: js, domain: edge }}\n\
             leafnodes {{ remotes: [ {{ url: '{hub_leaf}' }} ] }}\n"
        )
    };
    let edge = Given::start(config).await;
    let js_domain = Some("hub".to_owned());
    let through = ConnectOptions { js_domain, ..edge.options(Auth::None) };
    // The servers take a moment to find each other.
    let reached = || async {
        let lattice = Lattice::connect(shop(), &through).await.unwrap();
        lattice.records().await.map(drop)
    };
    eventually("the hub is reached", reached).await;
    everything_works(&through).await;
    let direct = Lattice::connect(shop(), &hub.options(Auth::None)).await.unwrap();
    let there = direct.records().await.unwrap().get("a").await.unwrap();
    assert_eq!(there.unwrap().0, "2");
}
