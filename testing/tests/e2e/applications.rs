//! Applications that a manifest declares.

mod deploying;
mod leases;
mod replicated;
mod rollouts;
mod sharing;
mod spreads;

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use serde_json::{Value, json};
use wattle_testing::{Guest, Lattice, Site, Turn, free_port};

const SOON: Duration = Duration::from_secs(10);

fn version_of(status: &Value) -> &str {
    status["version"].as_str().expect("a version")
}

/// An application of one actor, `front`, behind one http-server, `web`.
struct Web<'a> {
    lattice: &'a Lattice,
    name: &'a str,
    site: Site,
    instances: u16,
    /// What the http-server's host has to have.
    pinned: Option<String>,
}

impl<'a> Web<'a> {
    fn new(lattice: &'a Lattice, name: &'a str, guest: Guest) -> Self {
        lattice.write("front.wasm", &guest.component());
        let site = Site { address: format!("127.0.0.1:{}", free_port()) };
        Self { lattice, name, site, instances: 3, pinned: None }
    }

    /// Its manifest, in a file.
    fn write(&self, version: &str) -> String {
        self.write_with(version, "", "")
    }

    fn write_with(&self, version: &str, components: &str, scaler: &str) -> String {
        let text = self.text(version, components, scaler);
        self.lattice.write(&format!("{}.yaml", self.name), text.as_bytes())
    }

    /// Its manifest, with further components, and further properties of the actor's scaler.
    fn text(&self, version: &str, components: &str, scaler: &str) -> String {
        let Self { name, site: Site { address }, instances, pinned, .. } = self;
        let scaler = match scaler {
            "" => format!("instances: {instances}"),
            more if more.starts_with("instances") => more.to_owned(),
            more => format!("instances: {instances}, {more}"),
        };
        let pinned = pinned.as_ref().map_or_else(String::new, |labels| {
            format!(", spread: [{{name: own, requirements: {{{labels}}}}}]")
        });
        format!(
            "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: {name}
  annotations: {{version: '{version}'}}
spec:
  rollout: {{timeout: 4s}}
  components:{components}
    - name: front
      type: component
      properties: {{image: 'file:front.wasm'}}
      traits:
        - type: spreadscaler
          properties: {{{scaler}}}
    - name: web
      type: capability
      properties: {{image: http-server}}
      traits:
        - type: spreadscaler
          properties: {{instances: 1{pinned}}}
        - type: link
          properties:
            target: front
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source: {{config: [{{name: at, properties: {{address: '{address}'}}}}]}}
"
        )
    }
}

const MANIFEST: &str = "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: hello}
spec:
  components:
    - name: hello
      type: component
      properties: {image: 'file:hello.wasm'}
    - name: web
      type: capability
      properties: {image: 'ghcr.io/wasmcloud/http-server:0.27.0'}
      traits:
        - type: link
          properties: {target: hello, namespace: wasi, package: http, interfaces: [incoming-handler]}
";

/// Answers one request with a text, and gives the URL that it is at.
fn serve_once(status: &'static str, text: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("somebody asks");
        let mut head = [0; 4_096];
        let read = client.read(&mut head).expect("a request");
        assert!(head[..read].starts_with(b"GET /wadm.yaml "), "it is asked for");
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
        );
        client.write_all(answer.as_bytes()).expect("it is answered");
    });
    format!("http://{address}/wadm.yaml")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_checked_without_a_lattice() {
    let folder = Lattice::prepare(Turn::shared().await);
    let validate = async |name: &str, text: &str, more: &[&str]| {
        let file = folder.write(name, text.as_bytes());
        folder.wattle(&[&["app", "validate", file.as_str()], more].concat()).await
    };
    let said = validate("good.yaml", MANIFEST, &[]).await.ok();
    assert!(said.stdout.ends_with("good.yaml: valid\n"), "{said}");

    let strange =
        MANIFEST.replace("metadata: {name: hello}", "metadata: {name: hello, colour: red}");
    let said = validate("strange.yaml", &strange, &[]).await.ok();
    assert!(said.stdout.contains("strange.yaml:3:25"), "{said}");
    assert!(said.stdout.ends_with("strange.yaml: valid, with 1 warning\n"), "{said}");

    let wrong = MANIFEST.replace("target: hello", "target: hallo");
    let said = validate("wrong.yaml", &wrong, &["-o", "json"]).await.code(1);
    let answer = said.json();
    assert_eq!(answer["valid"], json!(false));
    let finding = json!({
        "severity": "error",
        "line": 14,
        "column": 32,
        "message": "no component is called hallo",
        "help": "there are hello, web",
    });
    assert_eq!(answer["findings"], json!([finding]));
    folder.wattle(&["app", "validate", "nothing.yaml"]).await.code(4).naming(&["nothing.yaml"]);
    let binary = folder.write("binary.yaml", b"kind: \xff");
    folder.wattle(&["app", "validate", binary.as_str()]).await.code(1).naming(&["byte 6"]);
    let large = folder.write("large.yaml", &vec![b' '; (1 << 20) + 1]);
    folder.wattle(&["app", "validate", large.as_str()]).await.code(1).naming(&["1048576 bytes"]);

    // From this machine's own web server, and from nobody's whom others could speak for.
    let at = serve_once("200 OK", MANIFEST);
    folder.wattle(&["app", "validate", &at]).await.ok().naming(&["valid"]);
    let at = serve_once("404 Not Found", "");
    folder.wattle(&["app", "validate", &at]).await.code(1).naming(&["404"]);
    let at = serve_once("302 Found\r\nlocation: http://10.0.0.5/", "");
    folder.wattle(&["app", "validate", &at]).await.code(1).naming(&["wadm.yaml"]);
    let said = folder.wattle(&["app", "validate", "http://10.0.0.5/wadm.yaml"]).await.code(2);
    said.naming(&["anybody on the way could change it", "https://"]);

    let schema = folder.wattle(&["app", "schema"]).await.ok().json();
    assert_eq!(schema["title"], json!("Application"));
}
