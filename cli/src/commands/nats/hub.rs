//! `wattle nats init hub`: a server that has the lattice's buckets, and that the servers of sites join as leaf nodes.

use clap::Args;
use wattle_core::{LatticeName, Name};

use super::{
    Access, Written, config,
    files::{Folder, quoted},
    tls::Certificate,
};

const CONFIG: &str = "hub.conf";

#[derive(Debug, Args)]
#[command(after_help = "Example:
  wattle nats init hub --out hub --tls-host nats.example.com --leaf harbour")]
pub(crate) struct HubArgs {
    #[command(flatten)]
    access: Access,
    /// A site to make a login for; repeatable
    #[arg(long, value_name = "NAME")]
    leaf: Vec<Name>,
    /// Where it listens for leaf nodes
    #[arg(long, default_value = "0.0.0.0:7422", value_name = "ADDRESS")]
    leaf_listen: String,
}

/// `domain`: that of its JetStream.
pub(super) fn write(
    args: &HubArgs,
    lattice: &LatticeName,
    domain: &Name,
) -> anyhow::Result<Written> {
    let access = &args.access;
    let folder = Folder::open(&access.out, access.force)?;
    folder.is_free(CONFIG)?;
    let certificate = Certificate::establish(&folder, &access.listen)?;
    let text = [
        config::head("hub", domain.as_str()),
        config::clients(access, &certificate),
        config::jetstream(Some(domain)),
        leaf_nodes(&folder, args, &certificate)?,
        config::authorization(&folder, access, lattice, None)?,
    ];
    folder.write(CONFIG, &text.concat())?;
    let mut next = config::next(&folder, CONFIG, access, &certificate, None);
    next.extend(args.leaf.iter().map(|leaf| join(args, &certificate, domain, leaf)));
    Ok(Written { folder, config: CONFIG, next })
}

fn leaf_nodes(
    folder: &Folder,
    args: &HubArgs,
    certificate: &Certificate,
) -> anyhow::Result<String> {
    let mut users = String::new();
    for leaf in &args.leaf {
        let password = folder.password(&login(leaf), leaf)?;
        let (leaf, password) = (quoted(leaf.as_str()), quoted(&password));
        users.push_str(&format!("      {{ user: {leaf}, password: {password} }}\n"));
    }
    Ok(format!(
        "# Where the servers of sites join, encrypted, each with a login of its own. What a site may say is for the site's own server\n\
         # to judge; what it says is believed by no host for that.\n\
         leafnodes {{\n  listen: {}\n{}  authorization {{\n    users: [\n{users}    ]\n  }}\n}}\n\n",
        quoted(&args.leaf_listen),
        certificate.block("  ")
    ))
}

/// The file of a site's login.
fn login(leaf: &Name) -> String {
    format!("leaf-{leaf}.login")
}

/// The command by which a site joins.
fn join(args: &HubArgs, certificate: &Certificate, domain: &Name, leaf: &Name) -> String {
    let port = args.leaf_listen.rsplit(':').next().unwrap_or("7422");
    let ca = certificate.ca.as_ref().map(|ca| format!(" --hub-ca {ca}")).unwrap_or_default();
    format!(
        "wattle nats init leaf --out {leaf} --name {leaf} --hub-url tls://{}:{port}{ca} --hub-domain {domain} \
         --credentials {}   # at the site",
        certificate.host,
        login(leaf)
    )
}
