//! `wattle nats init leaf`: the server of a site, which joins a hub, and goes on when the line to it is cut.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use wattle_core::{LatticeName, Name};

use super::{
    Access, Written, config,
    files::{Folder, quoted},
    tls::Certificate,
};
use crate::{exit::Exit, problem::Problem, project::file::read_small};

const CONFIG: &str = "leaf.conf";

#[derive(Debug, Args)]
#[command(after_help = "Example:
  wattle nats init leaf --out harbour --name harbour --hub-url tls://nats.example.com:7422 \\
    --hub-ca ca.crt --credentials leaf-harbour.login --allow-host pi-3=N…")]
pub(crate) struct LeafArgs {
    #[command(flatten)]
    access: Access,
    /// The site's name, which the hub made a login for
    #[arg(long)]
    pub(super) name: Name,
    /// Where the hub listens for leaf nodes
    #[arg(long, value_name = "URL")]
    hub_url: String,
    /// The site's login, as the hub's `nats init` wrote it
    #[arg(long, value_name = "FILE")]
    credentials: PathBuf,
    /// The authority of the hub's certificate [default: the system's authorities]
    #[arg(long, value_name = "FILE")]
    hub_ca: Option<PathBuf>,
    /// The hub's JetStream domain, which has the lattice's buckets
    #[arg(long, default_value = "hub", value_name = "NAME")]
    hub_domain: Name,
}

/// `domain`: that of its own JetStream.
pub(super) fn write(
    args: &LeafArgs,
    lattice: &LatticeName,
    domain: &Name,
) -> anyhow::Result<Written> {
    if *domain == args.hub_domain {
        let what =
            format!("the site's JetStream domain is the hub's, {domain}: each needs its own");
        return Err(Problem::new(Exit::Usage, what).next("--js-domain NAME").into());
    }
    let access = &args.access;
    let folder = Folder::open(&access.out, access.force)?;
    folder.is_free(CONFIG)?;
    let certificate = Certificate::establish(&folder, &access.listen)?;
    let hub = Some(&args.hub_domain);
    let text = [
        config::head("leaf", args.name.as_str()),
        config::clients(access, &certificate),
        config::jetstream(Some(domain)),
        remote(&folder, args)?,
        config::authorization(&folder, access, lattice, hub)?,
    ];
    folder.write(CONFIG, &text.concat())?;
    let next = config::next(&folder, CONFIG, access, &certificate, hub);
    Ok(Written { folder, config: CONFIG, next })
}

fn remote(folder: &Folder, args: &LeafArgs) -> anyhow::Result<String> {
    let file = args.credentials.display();
    let login = read_small(&args.credentials)?.with_context(|| format!("no file {file}"))?;
    anyhow::ensure!(login.contains(':'), "{file} holds no login: it is one line, NAME:PASSWORD");
    let (scheme, address) = args.hub_url.split_once("://").unwrap_or(("tls", &args.hub_url));
    let ca = match &args.hub_ca {
        None => String::new(),
        Some(path) => {
            let pem = read_small(path)?.with_context(|| format!("no file {}", path.display()))?;
            folder.write("hub-ca.crt", &format!("{pem}\n"))?;
            "        ca_file: \"hub-ca.crt\"\n".to_owned()
        }
    };
    Ok(format!(
        "# The hub, which this server joins, and joins again whenever the line was cut.\n\
         leafnodes {{\n  remotes: [\n    {{\n      url: {}\n      tls {{\n{ca}      }}\n    }}\n  ]\n}}\n\n",
        quoted(&format!("{scheme}://{login}@{address}"))
    ))
}
