//! A manifest's JSON Schema, so that editors complete and check one while it is written.
//!
//! The types are a manifest's fields as they are written; nothing is read into them: the reader says more about what is wrong than
//! a schema can. A test holds the two to the same fields. The schema is the stricter of the two where something is forgiven with a
//! warning (an unknown trait), so that whoever writes a manifest sees it.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

/// The schema (JSON Schema, draft 7, which editors know).
pub fn schema() -> Schema {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Application>()
}

/// An application: what should run where, and who may call whom.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Application {
    api_version: ApiVersion,
    kind: Kind,
    metadata: Metadata,
    spec: Spec,
}

#[derive(JsonSchema)]
enum ApiVersion {
    #[schemars(rename = "core.oam.dev/v1beta1")]
    V1Beta1,
}

#[derive(JsonSchema)]
enum Kind {
    Application,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Metadata {
    /// The application's name: 1 to 63 of a-z, 0-9 and '-'.
    name: String,
    /// `version` names the version; `experimental.wasmcloud.dev/shared: "true"` lets other applications use its components.
    annotations: Option<BTreeMap<String, Scalar>>,
    labels: Option<BTreeMap<String, Scalar>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Spec {
    #[schemars(length(min = 1))]
    components: Vec<Component>,
    /// Not honoured: hosts read secrets themselves.
    #[deprecated]
    policies: Option<Vec<serde_json::Value>>,
    /// How a version comes in the place of another.
    rollout: Option<Rollout>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Rollout {
    /// Within this time it has to be healthy (`60s` unless said; 1 s to 1 day); else the one before it runs again.
    timeout: Option<String>,
    /// A part of the hosts gets it first.
    canary: Option<Canary>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Canary {
    /// Percent of each component's instances: as many hosts as have no more of them, at least one.
    #[schemars(range(min = 1, max = 99))]
    weight: u8,
    /// So long it has to be well there (`1m` unless said; 1 s to 1 day); then it goes to all.
    r#for: Option<String>,
}

/// An actor or a provider; it runs as `application/name`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Component {
    /// 1 to 63 of a-z, 0-9 and '-'.
    name: String,
    r#type: ComponentType,
    properties: Properties,
    /// How many run where, and whom it calls.
    traits: Option<Vec<Trait>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ComponentType {
    /// An actor.
    Component,
    /// An actor, in older manifests.
    Actor,
    /// A provider.
    Capability,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Properties {
    /// `file:PATH` relative to the manifest, a reference in a registry, or for a capability the name of a provider that comes with
    /// Wattle.
    image: Option<String>,
    /// Instead of an image: what another application shares.
    application: Option<Shared>,
    /// Instead of an image: what is part of every host.
    #[schemars(rename = "built-in")]
    built_in: Option<BuiltIn>,
    /// The id that it had under wasmCloud: an alias for its name.
    id: Option<String>,
    /// Its settings; later ones win.
    config: Option<Vec<Config>>,
    /// An actor's limits, where they are not to be the host's.
    limits: Option<Limits>,
    /// What an actor has to answer before it counts.
    health: Option<Health>,
    /// The secrets that an actor may read (`wasmcloud:secrets`), each from a file of its host's --secrets-dir. Of a provider not
    /// honoured: give the setting that needs one as {secret: NAME}.
    secrets: Option<Vec<OwnSecret>>,
    /// Not needed: claims say what a provider serves.
    #[deprecated]
    contract: Option<String>,
    /// The name of the links that linkdef traits stand for.
    #[deprecated]
    link_name: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum BuiltIn {
    /// Hands actors the secrets that their links name.
    Secrets,
    /// Shows actors what is on the lattice, lets them command it within their links, and tells them of events.
    LatticeControl,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct OwnSecret {
    /// What the actor calls it.
    name: String,
    properties: Option<KeptSecret>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct KeptSecret {
    /// The file's name in the --secrets-dir; without it, what the actor calls it.
    key: Option<String>,
    /// Not honoured: hosts read secrets themselves.
    #[deprecated]
    policy: Option<String>,
    /// Not honoured: a secret is one value.
    #[deprecated]
    field: Option<String>,
    /// Not honoured: a secret is what it is now.
    #[deprecated]
    version: Option<String>,
}

/// A `GET` that an actor has to answer with a status below 400 on each host, before a new version of it takes the place of the old one.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Health {
    /// The path, which begins with `/`.
    path: String,
    /// Within this time (`1s` unless said; at most 5 s).
    timeout: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Shared {
    /// The application that shares it.
    name: String,
    /// Its name there.
    component: String,
}

/// Settings under a name. Without properties it is a config that the lattice has already.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Config {
    name: String,
    properties: Option<BTreeMap<String, Setting>>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Setting {
    Plain(Scalar),
    Secret(Secret),
}

/// The name of a secret, which a host reads from its --secrets-dir when the setting is used.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Secret {
    secret: String,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Scalar {
    Text(String),
    Number(f64),
    Truth(bool),
    Nothing(()),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Limits {
    /// Linear memory of one instance: 64MiB; 64KiB to 1GiB.
    memory: Option<Scalar>,
    /// Calls that wait for an instance; beyond it they are refused as overloaded.
    queue: Option<u32>,
    /// The longest a call may take to the head of its response: 5s; 1ms to 10m.
    deadline: Option<Scalar>,
}

#[derive(JsonSchema)]
#[schemars(tag = "type", content = "properties", rename_all = "lowercase", deny_unknown_fields)]
enum Trait {
    /// So many in all, spread over hosts.
    SpreadScaler(Scaler),
    /// So many on each host that matches.
    DaemonScaler(Scaler),
    /// Whom it calls.
    Link(Link),
    /// A link, in manifests from before components; it stands at the actor.
    LinkDef(LinkDef),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Scaler {
    /// Of an actor, calls at once; of a provider, processes. 1 unless said.
    instances: Option<u16>,
    /// The same, in older manifests.
    #[deprecated]
    replicas: Option<u16>,
    /// Shares, and the hosts that each is for; all hosts unless said.
    spread: Option<Vec<Spread>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Spread {
    name: String,
    /// Labels that a host needs to have.
    requirements: Option<BTreeMap<String, Scalar>>,
    /// Its share in proportion to the others'; 100 unless said.
    #[schemars(range(min = 0, max = 1_000_000))]
    weight: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Link {
    /// The component that is called.
    target: Target,
    /// The interfaces' namespace: wasi.
    namespace: String,
    /// The interfaces' package: keyvalue.
    package: String,
    /// What may be called: [store, atomics].
    #[schemars(length(min = 1))]
    interfaces: Vec<String>,
    /// Which of the caller's links on these interfaces this is; default unless said.
    name: Option<String>,
    /// Settings of the caller's side.
    source: Option<Side>,
    /// Where the callee may run; any unless said.
    locality: Option<Locality>,
    /// What the callee holds the caller to.
    constraints: Option<BTreeMap<String, Values>>,
    /// source.config, in older manifests.
    #[deprecated]
    source_config: Option<Vec<Config>>,
    /// target.config, in older manifests.
    #[deprecated]
    target_config: Option<Vec<Config>>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Target {
    Name(String),
    Named(NamedEnd),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Side {
    Name(String),
    End(End),
}

/// The called side of a link.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NamedEnd {
    /// The component.
    name: String,
    /// Settings of this side; later ones win.
    config: Option<Vec<Config>>,
    /// Not honoured: give the setting that needs one as {secret: NAME}.
    #[deprecated]
    secrets: Option<Vec<serde_json::Value>>,
}

/// The calling side of a link.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct End {
    /// The component.
    name: Option<String>,
    /// Settings of this side; later ones win.
    config: Option<Vec<Config>>,
    /// Not honoured: give the setting that needs one as {secret: NAME}.
    #[deprecated]
    secrets: Option<Vec<serde_json::Value>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Locality {
    /// On the caller's host if it runs there, else on another.
    Any,
    /// Only on the caller's host.
    Local,
    /// Only on another host.
    Remote,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LinkDef {
    /// The provider.
    target: String,
    /// Settings of the provider's side.
    values: Option<BTreeMap<String, Setting>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{node, reader::Reader, tests::EVERY_FIELD};

    /// The fields of each kind of thing, by the words that the reader has for it.
    fn fields(schema: &serde_json::Value) -> BTreeMap<&'static str, Vec<String>> {
        let names = [
            ("a manifest", ""),
            ("metadata", "Metadata"),
            ("spec", "Spec"),
            ("rollout", "Rollout"),
            ("canary", "Canary"),
            ("a component", "Component"),
            ("properties", "Properties"),
            ("application", "Shared"),
            ("config", "Config"),
            ("a secret", "Secret"),
            ("a secret of an actor", "OwnSecret"),
            ("a secret's properties", "KeptSecret"),
            ("limits", "Limits"),
            ("health", "Health"),
            ("a scaler", "Scaler"),
            ("a spread", "Spread"),
            ("a link", "Link"),
            ("an end of a link", "End"),
            ("a linkdef", "LinkDef"),
        ];
        let of = |definition: &str| {
            let within = match definition {
                "" => schema,
                name => &schema["definitions"][name],
            };
            within["properties"].as_object().expect("properties").keys().cloned().collect()
        };
        names.into_iter().map(|(what, definition)| (what, of(definition))).collect()
    }

    #[test]
    fn the_schema_has_the_fields_that_are_read() {
        let schema = schema().to_value();
        let mut reader = Reader::default();
        let root = node::parse(EVERY_FIELD).expect("YAML");
        crate::manifest::application(&mut reader, &root).expect("a manifest");
        let mut read = reader.known;
        assert_eq!(read.remove("a trait").map(|fields| fields.len()), Some(2));
        let read: BTreeMap<_, Vec<String>> = read
            .into_iter()
            .map(|(what, fields)| (what, fields.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(read, fields(&schema));
    }

    #[test]
    fn the_schema_is_complete() {
        let text = schema().to_value().to_string();
        let references: Vec<&str> = text.split("\"#/definitions/").skip(1).collect();
        assert!(references.len() > 10, "{text}");
        let schema = schema().to_value();
        for reference in references {
            let name = reference.split('"').next().expect("a name");
            assert!(schema["definitions"][name].is_object(), "{name}");
        }
    }
}
