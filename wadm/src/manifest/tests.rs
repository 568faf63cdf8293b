//! Manifests as people write them: what is honoured, and what is said about the rest.

use proptest::prelude::*;
use wattle_core::Locality;

use super::*;

/// An application with a counter, as wasmCloud's users write one, and what Wattle adds.
const COUNTER: &str = r#"
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: hits
  annotations: {version: v1.2.0, experimental.wasmcloud.dev/shared: "true"}
  labels: {team: a}
spec:
  components:
    - name: counter
      type: component
      properties:
        image: file://./build/counter.wasm
        id: my-counter-1
        config:
          - name: greeting
            properties: {text: hello, times: 3, word: {secret: pass-word}}
          - name: of-the-lattice
        limits: {memory: 64MiB, queue: 7, deadline: 500ms}
      traits:
        - type: spreadscaler
          properties:
            instances: 10
            spread:
              - {name: east, requirements: {zone: a}, weight: 80}
              - {name: west, requirements: {zone: b}}
        - type: link
          properties:
            target: {name: store, config: [{name: redis, properties: {url: "redis://127.0.0.1:6379"}}]}
            namespace: wasi
            package: keyvalue
            interfaces: [store, atomics]
            locality: local
            constraints: {key-prefix: "hits:", buckets: [a, b]}
    - name: web
      type: capability
      properties: {image: "ghcr.io/wasmcloud/http-server:0.27.0"}
      traits:
        - type: daemonscaler
          properties: {spread: [{name: edge, requirements: {role: edge}}]}
        - type: link
          properties:
            target: counter
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source: {config: [{name: listen, properties: {address: "0.0.0.0:8000"}}]}
    - name: store
      type: capability
      properties: {image: keyvalue-redis}
"#;

/// Something of everything that can be written.
pub(super) const EVERY_FIELD: &str = r#"
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: every}
spec:
  rollout: {timeout: 10s, canary: {weight: 20}}
  components:
    - name: a
      type: actor
      properties: {image: a/b}
      traits:
        - type: spreadscaler
          properties: {spread: [{name: all}]}
        - type: linkdef
          properties: {target: web, values: {address: {secret: where}}}
        - type: link
          properties: {target: {name: kv, config: [{name: none}]}, namespace: wasi, package: keyvalue, interfaces: [store]}
    - {name: web, type: capability, properties: {image: http-server}}
    - {name: kv, type: capability, properties: {image: keyvalue-redis}}
    - {name: b, type: component, properties: {application: {name: other, component: b}}}
    - {name: c, type: component, properties: {image: a/b, limits: {}, health: {path: /}}}
    - {name: d, type: component, properties: {image: a/b, secrets: [{name: x, properties: {key: y}}]}}
"#;

fn good(text: &str) -> Manifest {
    let reading = read(text);
    assert_eq!(reading.findings, []);
    reading.manifest.expect("no error, so a manifest")
}

fn good_with_warnings(text: &str) -> Manifest {
    read(text).manifest.unwrap_or_else(|| panic!("{:?}", said(text)))
}

/// `line: severity: message` of each finding.
fn said(text: &str) -> Vec<String> {
    let severity = |finding: &Finding| match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let one = |finding: &Finding| {
        format!("{}: {}: {}", finding.place.line, severity(finding), finding.message)
    };
    read(text).findings.iter().map(one).collect()
}

/// A manifest with these components, which begin in line 5.
fn with(components: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: a}}\nspec: {{components: [\n{components}\n]}}\n"
    )
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The settings of the first config, secrets as `secret NAME`.
fn settings(configs: &[Config]) -> BTreeMap<String, String> {
    let text = |value: &Placed<ConfigValue>| match &value.value {
        ConfigValue::Plain(text) => text.clone(),
        ConfigValue::Secret { secret } => format!("secret {secret}"),
    };
    let properties = configs[0].properties.iter().flatten();
    properties.map(|(name, value)| (name.clone(), text(value))).collect()
}

fn interfaces(link: &Link) -> Vec<&str> {
    link.interfaces.iter().map(|interface| interface.as_str()).collect()
}

#[test]
fn everything_that_a_manifest_can_say_is_read() {
    let reading = read(COUNTER);
    let said: Vec<&str> = reading.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(said, Vec::<&str>::new());
    let manifest = reading.manifest.expect("no error");
    assert_eq!((manifest.name.as_str(), manifest.version.as_deref()), ("hits", Some("v1.2.0")));
    assert!(manifest.shared);
    assert_eq!(manifest.labels, texts(&[("team", "a")]));
    let [counter, web, store] = &manifest.components[..] else { panic!("three components") };

    assert_eq!((counter.kind, counter.place.line), (Kind::Actor, 10));
    let limits = (Some(64 << 20), Some(7), Some(500));
    let ActorLimits { memory_bytes, queue, deadline_ms } = counter.limits;
    assert_eq!((memory_bytes, queue, deadline_ms), limits);
    assert_eq!(counter.source, Source::Image(Image::File("./build/counter.wasm".to_owned())));
    assert_eq!(counter.alias.as_ref().map(|alias| alias.as_str()), Some("my-counter-1"));
    let own = texts(&[("text", "hello"), ("times", "3"), ("word", "secret pass-word")]);
    assert_eq!(settings(&counter.config), own);
    assert_eq!(counter.config[1].properties, None);
    let Scaler::Spread { instances: 10, spread } = &counter.scaler else {
        panic!("{:?}", counter.scaler)
    };
    let shares: Vec<_> = spread.iter().map(|share| (share.name.as_str(), share.weight)).collect();
    assert_eq!(shares, [("east", 80), ("west", 100)]);
    assert_eq!(spread[0].requirements, texts(&[("zone", "a")]));
    let [link] = &counter.links[..] else { panic!("one link") };
    assert_eq!((link.target.as_str(), link.name.as_str()), ("store", "default"));
    assert_eq!(interfaces(link), ["wasi:keyvalue/store", "wasi:keyvalue/atomics"]);
    assert_eq!(link.locality, Locality::Local);
    assert_eq!(link.constraints["buckets"], ["a", "b"]);
    assert_eq!(link.constraints["key-prefix"], ["hits:"]);
    let url = texts(&[("url", "redis://127.0.0.1:6379")]);
    assert_eq!(settings(&link.target_config), url);

    let Source::Image(Image::Shipped(shipped, _)) = &web.source else { panic!("{:?}", web.source) };
    assert_eq!((shipped.name, web.kind), ("http-server", Kind::Provider));
    assert!(matches!(&web.scaler, Scaler::Daemon { instances: 1, spread } if spread.len() == 1));
    assert_eq!(web.links[0].source_config[0].name.as_str(), "listen");
    assert_eq!(store.scaler, Scaler::Spread { instances: 1, spread: Vec::new() });
}

#[test]
fn what_is_not_honoured_is_named_with_its_line() {
    let text = COUNTER
        .replace("labels: {team: a}", "labels: {team: a}\n  namespace: prod")
        .replace(
            "  components:\n",
            "  policies: [{name: vault, type: policy.secret}]\n  components:\n",
        )
        .replace(
            "id: my-counter-1",
            "id: my-counter\n        secrets: [{name: token, properties: {policy: vault, key: token}}]\n        colour: red",
        )
        .replace(
            "- type: daemonscaler",
            "- type: burstscaler\n          properties: {x: 1}\n        - type: daemonscaler",
        )
        .replace(
            "            interfaces: [store, atomics]",
            "            interfaces: [store, eventual]\n            retries: 3",
        );
    assert!(read(&text).manifest.is_some(), "{:?}", said(&text));
    assert_eq!(
        said(&text),
        [
            "8: warning: metadata has no field \"namespace\": it is not honoured",
            "10: warning: policies are not honoured: hosts read secrets themselves",
            "17: warning: a secret's policy is not honoured",
            "18: warning: properties has no field \"colour\": it is not honoured",
            "36: warning: keyvalue-redis serves nothing on wasi:keyvalue/eventual: the link does not allow it",
            "37: warning: a link has no field \"retries\": it is not honoured",
            "44: warning: a trait of type \"burstscaler\" is not known here: it is not honoured",
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "
apiVersion: v1
metadata: {name: 'A b/c'}
spec:
  components:
    - type: service
      properties: {}
    - name: x
      type: component
      properties: {image: 'http://x/y', config: text}
      traits:
        - type: link
        - type: spreadscaler
          properties: {instances: many, spread: [{name: a}, {name: a, weight: -1}]}
        - type: spreadscaler
          properties: {}
";
    assert!(read(text).manifest.is_none());
    assert_eq!(
        said(text),
        [
            "2: error: a manifest needs kind",
            "2: error: apiVersion has to be core.oam.dev/v1beta1",
            "3: error: \"A b/c\" is not a name: use 1 to 63 of a-z, 0-9 and '-'",
            "6: error: a component needs name",
            "6: error: \"service\" is no type: there are component and capability",
            "7: error: properties needs image, or application for what another one shares",
            "10: error: \"http://x/y\" is neither file:PATH nor a reference like registry/name:tag",
            "10: error: this has to be a list",
            "12: error: link needs properties",
            "14: error: this has to be a number from 0 to 65535",
            "14: error: this has to be a number from 0 to 1000000",
            "15: error: a component has one scaler",
        ]
    );
}

#[test]
fn links_are_checked_against_what_is_there() {
    let actor = |name: &str, links: &str| {
        format!("{{name: {name}, type: component, properties: {{image: a/b}}, traits: [{links}]}}")
    };
    let link = |target: &str, more: &str| {
        format!(
            "{{type: link, properties: {{target: {target}, namespace: x, package: y, interfaces: [z]{more}}}}}"
        )
    };
    let (b, c) = (actor("b", ""), actor("c", ""));
    for (links, expected) in [
        (link("b", ""), vec![]),
        (link("nobody", ""), vec!["error: no component is called nobody"]),
        (
            link("a", ""),
            vec!["warning: a is linked to itself, which allows nothing: it is not honoured"],
        ),
        (
            format!("{}, {}", link("b", ""), link("b", "")),
            vec!["warning: a is linked to b in line 5, too: once is enough"],
        ),
        (
            format!("{}, {}", link("b", ""), link("c", "")),
            vec!["error: a has a link \"default\" on x:y/z in line 5, to b: which one is meant?"],
        ),
        (format!("{}, {}", link("b", ""), link("c", ", name: other")), vec![]),
        (
            link("b", ", source: {name: c}"),
            vec!["warning: the link stands at a, which is its source: c is not honoured"],
        ),
        (
            link("b", ", source_config: [{name: n}]"),
            vec!["warning: source_config is read as source.config, its name now"],
        ),
        (
            link("b", ", locality: near"),
            vec!["error: \"near\" is no locality: there are any, local and remote"],
        ),
    ] {
        let text = with(&[actor("a", &links), b.clone(), c.clone()].join(",\n"));
        let expected: Vec<String> = expected.iter().map(|said| format!("5: {said}")).collect();
        assert_eq!(said(&text), expected, "{text}");
    }
    let twice = with(&[b.clone(), b].join(",\n"));
    assert_eq!(said(&twice), ["6: error: there is a component b already, in line 5"]);
}

#[test]
fn links_to_one_component_on_one_package_are_one() {
    let link = |interfaces: &str, more: &str| {
        format!(
            "{{type: link, properties: {{target: kv, namespace: wasi, package: keyvalue, interfaces: [{interfaces}]{more}}}}}"
        )
    };
    let text = |links: &[String]| {
        with(&format!(
            "{{name: a, type: component, properties: {{image: a/b}}, traits: [\n{}\n]}},\n\
             {{name: kv, type: capability, properties: {{image: keyvalue-redis}}}}",
            links.join(",\n")
        ))
    };
    let manifest = good(&text(&[link("store", ""), link("atomics, store", "")]));
    let [link_of_both] = &manifest.components[0].links[..] else { panic!("one link") };
    assert_eq!(interfaces(link_of_both), ["wasi:keyvalue/store", "wasi:keyvalue/atomics"]);
    let other = ", target_config: [{name: n, properties: {url: 'redis://y'}}]";
    for (links, expected) in [
        (
            [link("store", ""), link("store", other)],
            "7: error: a is linked to kv in line 6, too, and not in the same way",
        ),
        (
            [link("store", ""), link("batch", ", locality: local")],
            "7: error: a is linked to kv in line 6, too, and not in the same way",
        ),
        (
            [link("store", ""), link("store", ", name: b, constraints: {tables: t}")],
            "7: error: wasi:keyvalue knows no constraint \"tables\": it would deny all",
        ),
    ] {
        let said = said(&text(&links));
        assert!(said.contains(&expected.to_owned()), "{said:?}");
    }
    let none = good_with_warnings(&text(&[link("watch", "")]));
    assert_eq!(none.components[0].links, [], "a link that allows nothing is none");
}

#[test]
fn settings_that_a_provider_does_not_know_are_named_and_left_out() {
    let web = |settings: &str| {
        with(&format!(
            "{{name: a, type: component, properties: {{image: a/b}}}},\n\
             {{name: web, type: capability, properties: {{image: http-server, config: [{{name: own, properties: {{DEFAULT_ADDRESS: x, cors: y}}}}]}}, traits: [\n\
             {{type: link, properties: {{target: a, namespace: wasi, package: http, interfaces: [incoming-handler], \
             source: {{config: [{{name: n, properties: {{{settings}}}}}]}}}}}}]}}"
        ))
    };
    let cors = "6: warning: http-server has no setting \"cors\" here: it is not honoured";
    for (settings_there, expected, honoured) in [
        ("ADDRESS: 'a:1'", None, vec![("address", "a:1")]),
        (
            "Port: 8080",
            Some("warning: port is read as the address 127.0.0.1:8080"),
            vec![("address", "127.0.0.1:8080")],
        ),
        (
            "port: 8080, address: 'a:1'",
            Some("warning: address says the port, too: port is not honoured"),
            vec![("address", "a:1")],
        ),
        (
            "readonly_mode: true",
            Some("warning: http-server has no setting \"readonly_mode\" here: it is not honoured"),
            vec![],
        ),
    ] {
        let text = web(settings_there);
        let all = [Some(cors.to_owned()), expected.map(|said| format!("7: {said}"))];
        assert_eq!(said(&text), all.into_iter().flatten().collect::<Vec<_>>());
        let manifest = good_with_warnings(&text);
        let web = &manifest.components[1];
        assert_eq!(settings(&web.config), texts(&[("default_address", "x")]));
        assert_eq!(settings(&web.links[0].source_config), texts(&honoured));
    }
    assert!(said(&web("port: http")).contains(&"7: error: \"http\" is not a port".to_owned()));
}

#[test]
fn a_link_is_on_what_it_says_and_nothing_else() {
    let text = |link: &str| {
        with(&format!(
            "{{name: a, type: component, properties: {{image: a/b}}, traits: [{{type: link, properties: {{target: kv, {link}}}}}]}},\n\
             {{name: kv, type: capability, properties: {{image: keyvalue-redis}}}}"
        ))
    };
    for (link, expected) in [
        (
            "namespace: wasi, package: 'keyvalue/store@x', interfaces: [nonsense]",
            "\"keyvalue/store\" is no package: use letters, digits and '-'",
        ),
        (
            "namespace: 'wasi:keyvalue/atomics@', package: zzz, interfaces: [batch]",
            "\"wasi:keyvalue/atomics\" is no namespace: use letters, digits and '-'",
        ),
        (
            "namespace: wasi, package: keyvalue, interfaces: ['store/x']",
            "\"store/x\" is no interface: use letters, digits and '-'",
        ),
        (
            "namespace: wasi, package: 'keyvalue@0.2.0', interfaces: [store], constraints: {zzz: 1}",
            "wasi:keyvalue knows no constraint \"zzz\": it would deny all",
        ),
        (
            "namespace: wasi, package: keyvalue, interfaces: [store], target_config: [{name: c, properties: {url: x}}], target: {name: kv, config: [{name: c, properties: {url: y}}]}",
            "\"target\" is said twice, first in line 5",
        ),
    ] {
        let said = said(&text(link));
        assert!(said.contains(&format!("5: error: {expected}")), "{link}: {said:?}");
    }
    let versions = "namespace: wasi, package: 'keyvalue@0.2.0', interfaces: ['store@0.2.0-draft2', 'store@0.1.0']";
    let manifest = good_with_warnings(&text(versions));
    assert_eq!(interfaces(&manifest.components[0].links[0]), ["wasi:keyvalue/store"]);
    assert_eq!(said(&text(versions)).len(), 4);
    let twice = text("namespace: wasi, package: keyvalue, interfaces: [store], target_config: [{name: c, properties: {url: x}}]")
        .replace("target: kv", "target: {name: kv, config: [{name: c, properties: {url: y}}]}");
    assert!(
        said(&twice).contains(&"5: error: config c is given twice, and not the same".to_owned())
    );
}

#[test]
fn limits_go_as_far_as_hosts_do() {
    let limits = "image: a/b, limits: {memory: 1GiB, deadline: 10m}";
    let text = with(&format!("{{name: a, type: component, properties: {{{limits}}}}}"));
    let ActorLimits { memory_bytes, deadline_ms, .. } =
        good_with_warnings(&text).components[0].limits;
    assert_eq!((memory_bytes, deadline_ms), (Some(1 << 30), Some(600_000)));
}

#[test]
fn what_would_be_lost_or_mean_nothing_is_said() {
    let actor = |properties: &str| {
        with(&format!("{{name: a, type: component, properties: {{{properties}}}}}"))
    };
    for (text, expected) in [
        (actor("image: a/b, limits: {deadline: 100000d}"), "error: a deadline is from 1ms to 10m"),
        (actor("image: a/b, limits: {deadline: 600001ms}"), "error: a deadline is from 1ms to 10m"),
        (actor("image: a/b, limits: {deadline: 0}"), "error: a deadline is from 1ms to 10m"),
        (
            actor("image: a/b, limits: {memory: 1025MiB}"),
            "error: an instance has from 64KiB to 1GiB",
        ),
        (actor("image: a/b, limits: {memory: 63KiB}"), "error: an instance has from 64KiB to 1GiB"),
        (actor("image: a/b, health: {}"), "error: health needs path"),
        (
            actor("image: a/b, health: {path: up}"),
            "error: a probe's path begins with / and has at most 1024 plain characters",
        ),
        (
            actor("image: a/b, health: {path: /, timeout: 6s}"),
            "error: a probe is answered within 1ms to 5s",
        ),
        (
            actor("image: a/b, config: [{name: c, properties: {k: {secret: DB_PASSWORD}}}]"),
            "error: \"DB_PASSWORD\" is not a name: use 1 to 63 of a-z, 0-9 and '-'",
        ),
        (actor("image: http-server"), "error: http-server is a provider"),
        (
            actor("image: 'ghcr.io/wasmcloud/http-server:0.27.0'"),
            "error: http-server is a provider",
        ),
        (actor("image: a/b, id: My_Id"), "warning: \"My_Id\" is called my-id on the lattice"),
        (
            actor("application: {name: x, component: y}, limits: {queue: 1}"),
            "warning: who shares it says its limits: these are not honoured",
        ),
        (
            actor("application: {name: x, component: y}, config: []"),
            "warning: who shares it gives it its config: this is not honoured",
        ),
    ] {
        assert_eq!(said(&text), [format!("5: {expected}")], "{text}");
    }
    let shared = COUNTER.replace("shared: \"true\"", "shared: yes");
    assert_eq!(said(&shared), ["6: warning: this is neither true nor false: nothing is shared"]);
    assert!(!good_with_warnings(&shared).shared);
}

#[test]
fn what_stands_at_a_component_without_a_name_begets_no_errors() {
    let text = with(
        "{type: component, properties: {image: a/b}, traits: [{type: linkdef, properties: {target: web}}]},\n\
         {name: '', type: component, properties: {image: a/b}},\n\
         {name: web, type: capability, properties: {image: http-server}, traits: [{type: link, properties: \
         {target: gone, namespace: wasi, package: http, interfaces: [incoming-handler]}}]}",
    );
    assert_eq!(
        said(&text),
        [
            "5: error: a component needs name",
            "6: error: \"\" is not a name: use 1 to 63 of a-z, 0-9 and '-'",
        ]
    );
}

#[test]
fn one_mistake_is_one_error() {
    let text = with(
        "{name: a, type: actro, properties: {image: ./a.wasm, id: x}, traits: [{type: link, properties: \
         {target: b, namespace: x, package: y, interfaces: [z]}}]},\n\
         {name: b, type: component, properties: {image: ./b.wasm, id: x}}",
    );
    assert_eq!(
        said(&text),
        [
            "5: error: \"actro\" is no type: there are component and capability",
            "6: error: \"./b.wasm\" is neither file:PATH nor a reference like registry/name:tag",
            "6: error: the id x is another component's, in line 5",
        ]
    );
    let help = read(&text).findings[1].help.clone();
    assert_eq!(help.as_deref(), Some("for a file, write file:./b.wasm"));
    let shares = "{name: a, type: component, properties: {image: a/b}, traits: [{type: spreadscaler, properties: {spread: [{name: x, weight: 0}]}}]}";
    assert_eq!(said(&with(shares)), ["5: error: all weights are 0, so that nothing has a share"]);
}

#[test]
fn of_very_many_findings_some_are_said() {
    let text = with(&"{name: a, type: component, properties: {image: a/b}, x: y},\n".repeat(1_000));
    let Reading { manifest, findings, unsaid } = read(&text);
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    assert_eq!((manifest, errors, findings.len(), unsaid), (None, 100, 200, 1_799));
}

#[test]
fn names_of_wasmclouds_become_ours_and_say_so() {
    let text = with(
        "{name: Http_Front, type: actor, properties: {image: a/b}},\n\
         {name: web, type: capability, properties: {image: http-server}, traits: [{type: link, properties: \
         {target: Http_Front, namespace: wasi, package: http, interfaces: [incoming-handler]}}]}",
    );
    assert_eq!(said(&text), ["5: warning: \"Http_Front\" is called http-front on the lattice"]);
    let manifest = read(&text).manifest.expect("a warning is no error");
    assert_eq!(manifest.components[1].links[0].target.value, manifest.components[0].name);
}

#[test]
fn a_linkdef_is_read_as_the_link_that_it_stands_for() {
    let text = with(
        "{name: a, type: actor, properties: {image: x/y}, traits: [\n\
         {type: linkdef, properties: {target: web, values: {address: '0.0.0.0:8080'}}},\n\
         {type: linkdef, properties: {target: kv, values: {URL: 'redis://x'}}},\n\
         {type: linkdef, properties: {target: other}}]},\n\
         {name: web, type: capability, properties: {image: 'wasmcloud.azurecr.io/httpserver:0.17.0', contract: 'wasmcloud:httpserver'}},\n\
         {name: kv, type: capability, properties: {image: keyvalue-redis}},\n\
         {name: other, type: capability, properties: {image: 'example.com/other:1'}}",
    );
    assert_eq!(
        said(&text),
        [
            "6: warning: linkdef is read as what it stands for: a link",
            "7: warning: linkdef is read as what it stands for: a link",
            "8: error: what other serves is not known, so that a linkdef does not say enough",
            "9: warning: claims say what a provider serves: this is not needed",
        ]
    );
    let text = text.replace("{type: linkdef, properties: {target: other}}", "");
    let manifest = read(&text).manifest.expect("no error is left");
    let [actor, web, ..] = &manifest.components[..] else { panic!("components") };
    assert_eq!((actor.links[0].target.as_str(), web.links[0].target.as_str()), ("kv", "a"));
    let address = texts(&[("address", "0.0.0.0:8080")]);
    assert_eq!(settings(&web.links[0].source_config), address);
    let url = texts(&[("url", "redis://x")]);
    assert_eq!(settings(&actor.links[0].target_config), url);
}

#[test]
fn what_another_application_shares_is_referred_to() {
    let text = with(
        "{name: web, type: capability, properties: {application: {name: common, component: http}}}",
    );
    let manifest = good(&text);
    let Source::Shared { application, component } = &manifest.components[0].source else {
        panic!("{:?}", manifest.components[0].source)
    };
    assert_eq!((application.as_str(), component.as_str()), ("common", "http"));
}

#[test]
fn an_anchor_saves_writing_and_a_provider_that_is_not_ours_is_named() {
    let text = with(
        "{name: a, type: component, properties: {image: x/y, config: &c [{name: n, properties: {k: v}}]}},\n\
         {name: b, type: component, properties: {image: x/y, config: *c}},\n\
         {name: c, type: capability, properties: {image: 'ghcr.io/wasmcloud/messaging-nats:0.27.0'}},\n\
         {name: d, type: capability, properties: {image: 'ghcr.io/wasmcloud/keyvalue-nats:0.4.1'}}",
    );
    assert_eq!(
        said(&text),
        [
            "8: warning: no provider of Wattle's stands for ghcr.io/wasmcloud/keyvalue-nats: it is planned by its reference",
        ]
    );
    let manifest = read(&text).manifest.expect("warnings are no errors");
    assert_eq!(manifest.components[0].config, manifest.components[1].config);
}

/// What comes of cutting, doubling and changing lines: hardly ever a manifest, often YAML.
fn mangled() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = COUNTER.lines().collect();
    let count = lines.len();
    proptest::collection::vec((0..count, 0..4u8), 0..8).prop_map(move |changes| {
        let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        for (at, change) in changes {
            let line = lines[at % lines.len()].clone();
            match change {
                0 => lines[at % count] = String::new(),
                1 => lines.push(line),
                2 => lines[at] = line.replace(':', ": ["),
                _ => lines[at] = format!("  {line}"),
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused_with_a_reason_in_the_text(text in mangled()) {
        let Reading { manifest, findings, .. } = read(&text);
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        prop_assert!(manifest.is_some() || failed, "refused without a reason");
        for finding in findings {
            prop_assert!(finding.place.line <= text.lines().count() + 1);
            prop_assert!(text.get(finding.place.bytes.clone()).is_some(), "{finding:?}");
        }
    }
}

#[test]
fn a_link_to_the_web_names_whom_it_asks_and_an_old_one_may_ask_whatever_is_public() {
    let text = |image: &str, constraints: &str| {
        format!(
            "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: web}}
spec:
  components:
    - name: checker
      type: component
      properties: {{image: file:checker.wasm}}
      traits:
        - {{type: spreadscaler, properties: {{instances: 1}}}}
        - type: link
          properties: {{target: client, namespace: wasi, package: http, interfaces: [outgoing-handler]{constraints}}}
    - {{name: client, type: capability, properties: {{image: '{image}'}}}}
"
        )
    };
    let theirs = text("ghcr.io/wasmcloud/http-client:0.13.1", "");
    let manifest = read(&theirs).manifest.expect("it is applied as it is");
    let hosts = &manifest.components[0].links[0].constraints["allowed-hosts"];
    assert_eq!(hosts, &["*://*:*"]);
    let [warning] = said(&theirs).try_into().expect("one finding");
    assert!(warning.contains("12: warning: the link names no hosts"), "{warning}");

    let ours = text("http-client", "");
    assert!(read(&ours).manifest.is_none());
    assert!(said(&ours)[0].contains("error: the link names no hosts"), "{:?}", said(&ours));
    let named = text("http-client", ", constraints: {allowed-hosts: ['https://*']}");
    assert_eq!(said(&named), Vec::<String>::new());
}

#[test]
fn an_actors_secrets_are_a_link_to_where_hosts_keep_them() {
    let secrets = "secrets: [{name: DB, properties: {key: db-password}}, {name: token}]";
    let text =
        with(&format!("{{name: a, type: component, properties: {{image: a/b, {secrets}}}}}"));
    let manifest = good(&text);
    let keeper = manifest.components.last().expect("a component more");
    assert_eq!(keeper.source, Source::BuiltIn(BuiltIn::Secrets));
    let [link] = &manifest.components[0].links[..] else { panic!("one link") };
    assert_eq!(link.target.value, keeper.name);
    assert_eq!(interfaces(link), ["wasmcloud:secrets/store", "wasmcloud:secrets/reveal"]);
    let named = texts(&[("DB", "secret db-password"), ("token", "secret token")]);
    assert_eq!(settings(&link.target_config), named);
}

#[test]
fn what_is_built_in_needs_no_image_and_its_links_say_what_they_allow() {
    let link = |more: &str| {
        with(&format!(
            "{{name: a, type: component, properties: {{image: a/b}}, traits: [{{type: link, properties: {{target: keep, namespace: wasmcloud, package: secrets, interfaces: [store]{more}}}}}]}},\n\
             {{name: keep, type: capability, properties: {{built-in: secrets}}}}"
        ))
    };
    good(&link(", constraints: {names: [db-password, api-*]}"));
    let [nothing] = &said(&link(""))[..] else { panic!("one finding") };
    assert_eq!(nothing, "5: error: the link names no secrets, so it allows none");
    let [remote] = &said(&link(", constraints: {names: a}, locality: remote"))[..] else {
        panic!("one finding")
    };
    assert!(remote.contains("on the host of its caller"), "{remote}");
    for (written, wrong) in [
        ("type: capability, properties: {image: secrets}", "has no image"),
        ("type: component, properties: {built-in: secrets}", "is a provider"),
        ("type: capability, properties: {built-in: vault}", "is not built into hosts"),
        ("type: capability, properties: {built-in: secrets, image: a/b}", "has one of"),
    ] {
        let said = said(&with(&format!("{{name: a, {written}}}")));
        assert!(said.iter().any(|it| it.contains(wrong)), "{written}: {said:?}");
    }
}
