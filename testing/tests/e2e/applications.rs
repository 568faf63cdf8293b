//! Applications that a manifest declares.

use serde_json::json;
use wattle_testing::{Lattice, Turn};

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

    let schema = folder.wattle(&["app", "schema"]).await.ok().json();
    assert_eq!(schema["title"], json!("Application"));
}
