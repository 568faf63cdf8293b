//! What the configurations of all kinds of servers have in common.

use wattle_core::{HostKey, LatticeName, Name};
use wattle_lattice::Permissions;

use super::{
    Access,
    files::{Folder, quoted},
    tls::Certificate,
};
use crate::{exit::Exit, problem::Problem};

/// The first lines: what this is, and what every server of ours says.
pub(super) fn head(kind: &str, name: &str) -> String {
    format!(
        "# A nats-server for Wattle, written by `wattle nats init {kind}`. Needs nats-server 2.10 or newer.\n\
         # Paths are relative to the folder that it is started in: nats-server -c {kind}.conf\n\n\
         server_name: {}\n\n\
         # The largest message. Wattle cuts what is larger into pieces.\n\
         max_payload: 1MB\n\n\
         # Figures for whoever runs it, to this machine only: curl http://127.0.0.1:8222/varz\n\
         # http: \"127.0.0.1:8222\"\n\n",
        quoted(name)
    )
}

/// Where hosts and users connect, encrypted.
pub(super) fn clients(access: &Access, certificate: &Certificate) -> String {
    format!(
        "# Where hosts and users connect.\nlisten: {}\n\n\
         # Whoever connects has to encrypt.\n{}\n",
        quoted(&access.listen.listen),
        certificate.block("")
    )
}

/// JetStream, in a domain of its own where servers are joined by leaf nodes.
pub(super) fn jetstream(domain: Option<&Name>) -> String {
    let domain = domain.map_or_else(String::new, |domain| {
        format!(
            "  # Tells this JetStream from those beyond leaf nodes: each goes on when the line between them is cut.\n  \
             domain: {}\n",
            quoted(domain.as_str())
        )
    });
    format!(
        "# Wattle's records and artifacts are in JetStream.\njetstream {{\n  store_dir: \"jetstream\"\n{domain}  \
         # Each write is on disk before it is acknowledged: what a host was told survives a power cut.\n  \
         sync_interval: always\n}}\n\n"
    )
}

/// Who may connect: a credential for users, and one for each host. `js_domain`: where the lattice's buckets are, if not here.
pub(super) fn authorization(
    folder: &Folder,
    access: &Access,
    lattice: &LatticeName,
    js_domain: Option<&Name>,
) -> anyhow::Result<String> {
    let is_allowed = |name: &&Name| access.allow_host.iter().any(|(host, _)| host == *name);
    if let Some(other) = access.wadm.iter().find(|name| !is_allowed(name)) {
        let problem = Problem::new(Exit::Usage, format!("--wadm {other}: no such host is allowed"));
        return Err(problem.next(format!("--allow-host {other}=N…")).into());
    }
    let domain = js_domain.map(Name::as_str);
    let key = folder.nkey("user.nkey")?;
    let mut users = user("the command line", &key, &Permissions::of_user(lattice, domain));
    for (name, host) in &access.allow_host {
        let key = folder.nkey(&credential(name))?;
        let allowed = Permissions::of_host(lattice, host, domain);
        let is_wadm = access.wadm.contains(name);
        let allowed = if is_wadm { allowed.and_wadm(lattice, domain) } else { allowed };
        users.push_str(&user(&format!("host {name} ({host})"), &key, &allowed));
    }
    Ok(format!(
        "# Nobody is let in but these. Each has an nkey: the server knows the public half, the seed is in a file beside this one, to\n\
         # be handed to its owner and to nobody else. To take one back, delete its entry: nats-server --signal reload\n\
         #\n\
         # The permissions are a second fence. Wattle authenticates all that travels itself; here a stolen credential is kept from\n\
         # being a nuisance to others.\n\
         authorization {{\n  users: [\n{users}  ]\n}}\n"
    ))
}

/// One entry of `users`.
fn user(what: &str, nkey: &str, permissions: &Permissions) -> String {
    let list = |subjects: &[String]| {
        let lines = subjects.iter().map(|subject| format!("          {}\n", quoted(subject)));
        lines.collect::<String>()
    };
    format!(
        "    # {what}\n    {{\n      nkey: {nkey}\n      permissions: {{\n        \
         publish: [\n{}        ]\n        subscribe: [\n{}        ]\n      }}\n    }}\n",
        list(&permissions.publish),
        list(&permissions.subscribe)
    )
}

/// The file of a host's credential.
fn credential(host: &Name) -> String {
    format!("host-{host}.nkey")
}

/// The commands that follow: start it, look, and start each host.
pub(super) fn next(
    folder: &Folder,
    config: &str,
    access: &Access,
    certificate: &Certificate,
    js_domain: Option<&Name>,
) -> Vec<String> {
    let port = access.listen.listen.rsplit(':').next().unwrap_or("4222");
    let ca = certificate.ca.as_ref().map(|ca| format!(" --tls-ca {ca}")).unwrap_or_default();
    let domain = js_domain.map(|domain| format!(" --js-domain {domain}")).unwrap_or_default();
    let nats = format!("--nats-url tls://{}:{port}{ca}{domain}", certificate.host);
    let host = |(name, _): &(Name, HostKey)| {
        let nkey = credential(name);
        format!(
            "wattle host --name {name} --trust O… --token host.jwt {nats} --nkey {nkey}   # on its machine"
        )
    };
    let start = format!("cd {} && nats-server -c {config}", folder.path().display());
    let look = format!("wattle get hosts {nats} --nkey user.nkey");
    [start, look].into_iter().chain(access.allow_host.iter().map(host)).collect()
}
