//! What NATS has to allow: for operators who give each host and each user of a lattice credentials of its own.
//!
//! This is a second fence. Hosts believe nothing for having come through NATS, so that what these permissions leave open (a host
//! may answer any client, say) opens nothing; they keep a stolen credential from being a nuisance to others.

use wattle_core::{HostKey, LatticeName, Subject};

use crate::{artifacts, records};

/// Subjects that one credential may use, as NATS's configuration writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// May be published on.
    pub publish: Vec<String>,
    /// May be subscribed to.
    pub subscribe: Vec<String>,
}

/// What JetStream is asked of a bucket by whoever opens and reads it.
const READS: [&str; 9] = [
    "STREAM.INFO.{}",
    "STREAM.CREATE.{}", // whoever comes first makes it
    "CONSUMER.CREATE.{}",
    "CONSUMER.CREATE.{}.>",
    "CONSUMER.INFO.{}.>",
    "CONSUMER.DELETE.{}.>",
    "DIRECT.GET.{}",
    "DIRECT.GET.{}.>",
    "STREAM.MSG.GET.{}",
];

impl Permissions {
    /// For one host of a lattice. `js_domain`: where its buckets are, if they are not on the server that it connects to.
    pub fn of_host(lattice: &LatticeName, host: &HostKey, js_domain: Option<&str>) -> Self {
        let (records, artifacts) = (records::name(lattice), artifacts::name(lattice));
        let mut publish = vec![
            Subject::Beat { lattice: lattice.clone(), host: host.clone() }.to_string(),
            Subject::all_events(lattice),
            Subject::all_hosts_replies(lattice),
            Subject::all_clients_replies(lattice),
        ];
        publish.extend(Subject::all_calls(lattice));
        publish.extend(reads(&format!("KV_{records}"), js_domain));
        publish.extend(writes(&format!("$KV.{records}.>"), js_domain));
        publish.extend(reads(&format!("OBJ_{artifacts}"), js_domain));
        let subscribe = vec![
            Subject::all_to_host(lattice, host),
            Subject::all_clients_replies(lattice),
            Subject::all_beats(lattice),
        ];
        Self { publish, subscribe }
    }

    /// The same for a host that may be wadm: it commands others, is asked about applications, and keeps their versions.
    #[must_use]
    pub fn and_wadm(mut self, lattice: &LatticeName, js_domain: Option<&str>) -> Self {
        let versions = records::versions_name(lattice);
        let stream = format!("KV_{versions}");
        self.publish.push(Subject::all_commands(lattice));
        self.publish.extend(reads(&stream, js_domain));
        self.publish.extend(writes(&format!("$KV.{versions}.>"), js_domain));
        // The versions of what is deleted go, too.
        self.publish.push(format!("{}STREAM.PURGE.{stream}", api(js_domain)));
        self.subscribe.push(Subject::all_apps(lattice));
        self
    }

    /// For the command line: it commands hosts and uploads artifacts. Records it hands to hosts.
    pub fn of_user(lattice: &LatticeName, js_domain: Option<&str>) -> Self {
        let artifacts = artifacts::name(lattice);
        let stream = format!("OBJ_{artifacts}");
        let mut publish = vec![
            Subject::all_commands(lattice),
            Subject::all_apps(lattice),
            Subject::all_flushes(lattice),
        ];
        publish.extend(reads(&stream, js_domain));
        // An upload that was cut is cleared away.
        publish.push(format!("{}STREAM.PURGE.{stream}", api(js_domain)));
        publish.extend(writes(&format!("$O.{artifacts}.>"), js_domain));
        let subscribe = vec![
            Subject::all_clients_replies(lattice),
            Subject::all_beats(lattice),
            Subject::all_events(lattice),
        ];
        Self { publish, subscribe }
    }
}

fn api(js_domain: Option<&str>) -> String {
    js_domain.map_or_else(|| "$JS.API.".to_owned(), |domain| format!("$JS.{domain}.API."))
}

fn reads(stream: &str, js_domain: Option<&str>) -> impl Iterator<Item = String> {
    let (api, stream) = (api(js_domain), stream.to_owned());
    let flow_control = format!("$JS.FC.{stream}.>");
    let asked = READS.into_iter().map(move |what| format!("{api}{}", what.replace("{}", &stream)));
    asked.chain([flow_control])
}

/// Behind a leaf node, records are published by the domain's name for their subjects, and artifacts by their own.
fn writes(subjects: &str, js_domain: Option<&str>) -> impl Iterator<Item = String> {
    let through = js_domain.map(|domain| format!("$JS.{domain}.API.{subjects}"));
    [subjects.to_owned()].into_iter().chain(through)
}
