//! What a component imports and nothing provides is named when it starts, not at its first call.

use wattle_testing::{Guest, Lattice};

use super::{made, made::published, start};

/// A component that imports an interface of this text, and what has to be said of it.
struct Misfit {
    id: &'static str,
    package: &'static str,
    import: &'static str,
    naming: &'static [&'static str],
}

const MISFITS: [Misfit; 7] = [
    Misfit {
        id: "later-keyvalue",
        package: "package wasi:keyvalue@0.3.0; interface store { open: func(name: string); }",
        import: "import wasi:keyvalue/store@0.3.0;",
        naming: &["wasi:keyvalue/store@0.3.0", "0.2.0-draft"],
    },
    Misfit {
        id: "later-http",
        package: "package wasi:http@0.3.0; interface client { send: func(url: string) -> string; }",
        import: "import wasi:http/client@0.3.0;",
        naming: &["wasi:http/client@0.3.0"],
    },
    Misfit {
        id: "later-bus",
        package: "package wasmcloud:bus@3.0.0; interface lattice { set-link-name: func(name: string); }",
        import: "import wasmcloud:bus/lattice@3.0.0;",
        naming: &["wasmcloud:bus/lattice@3.0.0", "1 and 2 only"],
    },
    Misfit {
        id: "final-config",
        package: "package wasi:config@0.3.0; interface store { get: func(key: string) -> option<string>; }",
        import: "import wasi:config/store@0.3.0;",
        naming: &["wasi:config/store@0.3.0"],
    },
    Misfit {
        id: "unknown-interface",
        package: "package wasi:keyvalue@0.2.0-draft; interface cache { fill: func(name: string); }",
        import: "import wasi:keyvalue/cache@0.2.0-draft;",
        naming: &["wasi:keyvalue/cache@0.2.0-draft"],
    },
    Misfit {
        id: "unknown-function",
        package: "package wasmcloud:messaging@0.2.0; interface consumer { publish-all: func(body: list<u8>); }",
        import: "import wasmcloud:messaging/consumer@0.2.0;",
        naming: &["wasmcloud:messaging/consumer@0.2.0", "publish-all"],
    },
    Misfit {
        id: "another-type",
        package: "package wasi:logging@0.1.0-draft; interface logging { log: func(level: u8, context: string, message: string); }",
        import: "import wasi:logging/logging@0.1.0-draft;",
        naming: &["wasi:logging/logging@0.1.0-draft", "log"],
    },
];

impl Misfit {
    fn component(&self) -> Vec<u8> {
        made::component(&[self.package.to_owned()], self.import)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_name_and_nothing_else_is_affected() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    for misfit in &MISFITS {
        let said = start(&lattice, misfit.id, &misfit.component()).await.code(2);
        said.naming(misfit.naming).naming(&[misfit.id]);
    }
    assert_eq!(hello.get("/").await.status, 200);
    let inventory = lattice.inventory().await;
    let running = inventory["actors"].as_array().expect("actors");
    assert_eq!(running.len(), 1, "{inventory}");
}

const WEATHER: &str = "package acme:weather@1.2.0; interface forecast { today: func() -> string; }";

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_provides_is_named_with_the_link_that_would() {
    let lattice = Lattice::start().await;
    let world = "import acme:weather/forecast@1.2.0;
        import wasi:keyvalue/store@0.2.0-draft;
        import wasi:keyvalue/batch@0.2.0-draft;
        import wasi:logging/logging@0.1.0-draft;";
    let packages = [WEATHER.to_owned(), published("keyvalue"), published("logging")];
    let asker = made::component(&packages, world);
    let forecast = "acme:weather/forecast@1.2.0";
    let said = start(&lattice, "asker", &asker).await.ok();
    let advice = "wattle link put asker CALLEE acme:weather/forecast";
    let said = said.naming(&[forecast, advice, "wasi:keyvalue/store@0.2.0-draft"]);
    assert!(!said.to_string().contains("wasi:logging"), "{said}");

    // What could provide it is named; and once it is linked, nothing is.
    let teller = made::component(&packages[..1], "export acme:weather/forecast@1.2.0;");
    start(&lattice, "teller", &teller).await.ok();
    let file = lattice.path().join("asker.wasm").to_string_lossy().into_owned();
    let again = ["start", "actor", file.as_str(), "--id", "asker"];
    let said = lattice.wattle(&again).await.ok();
    let advice = "wattle link put asker teller acme:weather/forecast";
    said.naming(&[advice]);
    lattice.wattle(&advice.split(' ').skip(1).collect::<Vec<_>>()).await.ok();
    let said = lattice.wattle(&again).await.ok();
    assert!(!said.to_string().contains("acme:weather"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_starts_with_the_word_that_nothing_calls_it() {
    let lattice = Lattice::start().await;
    let command = made::component(&made::wasi("0.2.3"), "include wasi:cli/command@0.2.3;");
    start(&lattice, "command", &command).await.ok().naming(&["nothing calls it", "wasi:cli/run"]);
}

/// An application of one actor, from a file.
fn manifest(name: &str) -> String {
    format!(
        "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: {name}
spec:
  rollout: {{timeout: 10s}}
  components:
    - name: actor
      type: component
      properties: {{image: 'file:{name}.wasm'}}
      traits:
        - type: spreadscaler
          properties: {{instances: 1}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_names_them_too() {
    let lattice = Lattice::start().await;
    let deploy = async |name: &str, component: &[u8], arguments: &[&str]| {
        lattice.write(&format!("{name}.wasm"), component);
        let file = lattice.write(&format!("{name}.yaml"), manifest(name).as_bytes());
        lattice.wattle(&[&["app", "deploy", &file], arguments].concat()).await
    };
    let asker = made::component(&[WEATHER.to_owned()], "import acme:weather/forecast@1.2.0;");
    let said = deploy("asker", &asker, &["--dry-run"]).await.ok();
    said.naming(&["lacks", "acme:weather/forecast"]);
    let [misfit, ..] = &MISFITS;
    let said = deploy("misfit", &misfit.component(), &["--within", "10s"]).await;
    assert!(!said.is_ok(), "{said}");
    said.naming(misfit.naming);
}
