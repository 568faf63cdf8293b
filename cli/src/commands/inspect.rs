//! `wattle inspect`: what a file, a token, or something that runs says about itself, and whether that holds.

use std::{
    collections::BTreeSet,
    fmt::Write,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use wattle_claims::{Revocations, Signed, Timestamp, Trust};
use wattle_core::{Digest, EntityId, Interface, inventory::Inventory};

use super::Context;
use crate::{
    describe::{Content, Description, TokenDescription, describe, looks_like_token},
    exit::Exit,
    problem::Problem,
    project::{Project, file, keys::Role},
    session::{Standing, entities::nothing_runs_under},
    signing::provider::read,
};

/// The most bytes that are read from stdin.
const STDIN_LEN_MAX: u64 = wattle_lattice::ARTIFACT_LEN_MAX as u64;

/// Show claims, imports, exports, hashes and the chain of trust
///
/// Takes a component, a provider artifact, a token, or the id of something that runs. Nothing is believed: what does not hold
/// says so, with the reason.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle inspect build/counter.signed.wasm
  wattle inspect .wattle/keys/user.jwt
  wattle inspect counter               # what runs under this id")]
pub(crate) struct InspectArgs {
    /// A file, a token, - for stdin, or an id
    #[arg(value_name = "WHAT")]
    what: String,
}

pub(crate) async fn run(context: &Context, args: InspectArgs) -> anyhow::Result<Exit> {
    let bytes = match bytes(&args.what)? {
        Some(bytes) => bytes,
        None => running(context, &args.what).await?,
    };
    let trust = trust(context)?;
    let described = describe(&bytes, trust.as_ref()).with_context(|| args.what.clone())?;
    context.output.answer(&described, || as_text(&described));
    Ok(Exit::Ok)
}

/// A file's, a token's or stdin's bytes; `None` if it is none of these.
pub(super) fn bytes(what: &str) -> anyhow::Result<Option<Vec<u8>>> {
    if what == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(STDIN_LEN_MAX).read_to_end(&mut bytes).context("stdin")?;
        return Ok(Some(bytes));
    }
    if looks_like_token(what) {
        return Ok(Some(what.as_bytes().to_vec()));
    }
    let path = PathBuf::from(what);
    if path.is_file() { read(&path).map(Some) } else { Ok(None) }
}

/// The artifact of what runs under an id.
async fn running(context: &Context, what: &str) -> anyhow::Result<Vec<u8>> {
    let no_file = || match Path::new(what).is_dir() {
        true => Problem::new(Exit::Usage, format!("{what} is a folder: name a file in it")),
        false => Problem::new(Exit::NotFound, format!("no file {what}")),
    };
    let id: EntityId = what.parse().map_err(|_| no_file())?;
    let session = context.session().await.map_err(|error| {
        error.context(format!("there is no file {what}, and to look for what runs under this id"))
    })?;
    let inventories = session.inventories_until(|known| artifact(known, &id).is_some()).await?;
    let digest = artifact(&inventories, &id);
    let digest = digest.ok_or_else(|| nothing_runs_under(&id, &inventories))?;
    Ok(session.lattice.artifacts().await?.get(&digest).await?)
}

/// The artifact that a host runs under an id.
fn artifact(inventories: &[Inventory], id: &EntityId) -> Option<Digest> {
    let actors = inventories.iter().flat_map(|host| &host.actors).map(|a| (&a.id, a.artifact));
    let providers =
        inventories.iter().flat_map(|host| &host.providers).map(|p| (&p.id, p.artifact));
    actors.chain(providers).find(|(found, _)| *found == id).map(|(_, digest)| digest)
}

/// Whom the project trusts; without a project nothing can hold, and nothing is said about it.
pub(super) fn trust(context: &Context) -> anyhow::Result<Option<Trust>> {
    let Some(project) = Project::find(&context.global)? else { return Ok(None) };
    let Ok(token) = project.keys().token(Role::User) else { return Ok(None) };
    let lattice = match &context.global.lattice {
        Some(lattice) => lattice.clone(),
        None => project.lattice()?.name(),
    };
    let mut trust = Standing::of(&token, &lattice)?.trust;
    for list in revocations(&project)? {
        let list =
            Signed::<Revocations>::parse(&list).and_then(|it| it.verify(&trust, Timestamp::now()));
        // One that does not hold revokes nothing.
        if let Ok(list) = list {
            trust.revocations.insert(&list);
        }
    }
    Ok(Some(trust))
}

/// The lists that this project has signed, as it keeps them.
fn revocations(project: &Project) -> anyhow::Result<Vec<String>> {
    let folder = match std::fs::read_dir(project.revocations()) {
        Ok(folder) => folder,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut lists = Vec::new();
    for entry in folder {
        lists.extend(file::read_small(&entry?.path())?);
    }
    Ok(lists)
}

/// A description for people.
pub(super) fn as_text(described: &Description) -> String {
    let mut text = String::new();
    line(&mut text, "what", described.what);
    if let Some(token) = &described.token {
        token_lines(&mut text, token, &described.content);
    }
    let content = &described.content;
    for (what, interfaces) in [("imports", &content.imports), ("exports", &content.exports)] {
        if let Some(interfaces) = interfaces {
            line(&mut text, what, &interfaces.join("\n             "));
        }
    }
    if let Some(imports) = &content.imports {
        line(&mut text, "needs", &needs(imports));
    }
    if let Some(hash) = content.hash {
        line(&mut text, "hash", &hash.to_string());
    }
    for (platform, binary) in &content.binaries {
        line(&mut text, "binary", &format!("{platform}, {} bytes, {}", binary.bytes, binary.hash));
    }
    if let Some(digest) = content.digest {
        line(&mut text, "artifact", &digest.to_string());
    }
    let verdict = match (described.holds, &described.problem) {
        (Some(true), _) => "yes".to_owned(),
        (_, Some(problem)) => format!("no: {problem}"),
        _ => "not checked: no project here says whom to trust".to_owned(),
    };
    line(&mut text, "holds", &verdict);
    text
}

/// What somebody else has to provide.
fn needs(imports: &[String]) -> String {
    let is_needed = |name: &&String| name.parse::<Interface>().is_ok_and(|it| it.needs_link());
    let needed: Vec<&str> = imports.iter().filter(is_needed).map(String::as_str).collect();
    if needed.is_empty() {
        return "no links".to_owned();
    }
    format!("links for {}", needed.join("\n                       "))
}

fn token_lines(text: &mut String, token: &TokenDescription, content: &Content) {
    line(text, "token", &format!("{} {}", token.kind, token.id));
    line(text, "subject", &token.subject);
    line(text, "issuer", &token.issuer);
    line(text, "audience", &token.audience);
    line(text, "issued", &token.issued_at);
    if let Some(not_before) = &token.not_before {
        line(text, "not before", not_before);
    }
    line(text, "expires", token.expires.as_deref().unwrap_or("never"));
    for step in &token.chain {
        let name = step.name.as_deref().unwrap_or("");
        let expires = step.expires.as_ref().map(|at| format!(", expires {at}")).unwrap_or_default();
        line(text, "hangs on", &format!("{} {name} {}{expires}", step.kind, step.subject));
    }
    let Some(fields) = token.body.as_object() else { return };
    for (name, value) in fields {
        let (label, shown) = match name.as_str() {
            "imports" => ("may import", !says_the_same(value, content.imports.as_deref())),
            "exports" => ("may export", !says_the_same(value, content.exports.as_deref())),
            "hash" | "binaries" => (name.as_str(), content.digest.is_none()),
            name => (name, true),
        };
        if shown {
            line(text, label, &field(value));
        }
    }
}

/// Whether claims cover exactly what a component imports or exports; then one list is enough.
fn says_the_same(claimed: &Value, found: Option<&[String]>) -> bool {
    let Some(found) = found else { return false };
    let interface = |name: &str| name.parse::<Interface>().ok();
    let found: BTreeSet<_> = found.iter().filter_map(|name| interface(name)).collect();
    let claimed = claimed.as_array().map_or(&[][..], Vec::as_slice).iter();
    claimed.filter_map(|name| interface(name.as_str()?)).collect::<BTreeSet<_>>() == found
}

fn field(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            values.join(", ")
        }
        other => {
            let pretty = serde_json::to_string_pretty(other).unwrap_or_default();
            pretty.replace('\n', "\n             ")
        }
    }
}

fn line(text: &mut String, what: &str, value: &str) {
    let _ = writeln!(text, "{what:<12} {value}"); // writing to a String cannot fail
}
