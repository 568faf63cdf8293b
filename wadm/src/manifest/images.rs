//! Where artifacts come from, and which of our providers stands for which of wasmCloud's.

mod shipped;

use wattle_core::BuiltIn;

use self::shipped::SHIPPED;
use super::{Kind, finding::Finding, node::Node, reader::Reader};

/// An artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// A file, relative to the manifest's folder unless it is absolute.
    File(String),
    /// A provider that comes with Wattle, by its own name or by the one that wasmCloud's users know it by.
    Shipped(&'static Shipped, Spelling),
    /// In a registry, by reference.
    Registry(String),
}

/// Whose name for it a provider was given by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Ours.
    Wattle,
    /// One of wasmCloud's images.
    WasmCloud,
}

/// A provider that comes with Wattle.
#[derive(Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// What it calls actors on.
    pub imports: &'static [&'static str],
    /// What actors call it on.
    pub exports: &'static [&'static str],
    /// Its own settings.
    pub settings: &'static [&'static str],
    /// Those of a link, on its side of it.
    pub link_settings: &'static [&'static str],
    /// wasmCloud's images that it stands for, of any tag.
    images: &'static [&'static str],
}

/// Whose images ours stand for.
const WASMCLOUD: [&str; 2] = ["ghcr.io/wasmcloud/", "wasmcloud.azurecr.io/"];

pub(super) fn read(reader: &mut Reader, node: &Node, kind: Kind) -> Option<Image> {
    let text = reader.text(node)?;
    if let Some(path) = text.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(char::is_control) {
            reader.error(node, format!("{path:?} is no file's name"));
            return None;
        }
        return Some(Image::File(path.to_owned()));
    }
    let found = shipped(text);
    if let (Some(found), Kind::Actor) = (found, kind) {
        let what = format!("{} is a provider", found.name);
        reader.findings.push(Finding::error(&node.place, what).with_help("write type: capability"));
        return None;
    }
    if let Some(shipped) = found {
        let spelling = if shipped.name == text { Spelling::Wattle } else { Spelling::WasmCloud };
        return Some(Image::Shipped(shipped, spelling));
    }
    if text.starts_with(['.', '/']) || text.ends_with(".wasm") || !is_reference(text) {
        let what = format!("{text:?} is neither file:PATH nor a reference like registry/name:tag");
        let finding = Finding::error(&node.place, what);
        reader.findings.push(match text.contains("://") {
            true => finding,
            false => finding.with_help(format!("for a file, write file:{text}")),
        });
        return None;
    }
    if let Some(built_in) = BuiltIn::named(text) {
        let what = format!("{built_in} is built into every host, and has no image");
        let help = format!("write built-in: {built_in}");
        reader.findings.push(Finding::error(&node.place, what).with_help(help));
        return None;
    }
    if kind == Kind::Provider && (is_wasmclouds(text) || !text.contains('/')) {
        let what = format!("no provider of Wattle's stands for {}", repository(text));
        let finding =
            Finding::warning(&node.place, format!("{what}: it is planned by its reference"));
        let ours = SHIPPED.iter().find(|shipped| shipped.name == repository(text));
        reader.findings.push(match ours {
            Some(ours) => finding.with_help(format!("Wattle's has no tag: write {}", ours.name)),
            None => finding,
        });
    }
    Some(Image::Registry(text.to_owned()))
}

/// By its own name, or by an image that it stands for.
fn shipped(text: &str) -> Option<&'static Shipped> {
    let name = repository(text);
    let theirs = WASMCLOUD.iter().find_map(|registry| name.strip_prefix(registry));
    SHIPPED.iter().find(|shipped| match theirs {
        Some(name) => shipped.images.contains(&name),
        None => shipped.name == text,
    })
}

fn is_wasmclouds(text: &str) -> bool {
    WASMCLOUD.iter().any(|registry| text.starts_with(registry))
}

/// A reference without tag and digest.
fn repository(reference: &str) -> &str {
    let bare = reference.split_once('@').map_or(reference, |(bare, _)| bare);
    // A colon before the last slash is a port.
    match bare.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => bare,
    }
}

/// What a registry could know: a repository of parts in lower case, and at its end a tag, a digest or both.
fn is_reference(text: &str) -> bool {
    const LEN_MAX: usize = 512;
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let path = repository(named);
    let tag = named[path.len()..].strip_prefix(':');
    let is_word = |text: &str, more: &[u8]| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        !text.is_empty() && text.bytes().all(fits)
    };
    let is_part = |part: &str| is_word(part, b"._-") && !part.contains(char::is_uppercase);
    let is_registry = |part: &str| match part.split_once(':') {
        Some((host, port)) => is_part(host) && port.parse::<u16>().is_ok() && path.contains('/'),
        None => is_part(part),
    };
    let mut parts = path.split('/');
    text.len() <= LEN_MAX
        && parts.next().is_some_and(is_registry)
        && parts.all(is_part)
        && tag.is_none_or(|tag| is_word(tag, b"._-+"))
        && digest.is_none_or(|digest| {
            let parts = digest.split_once(':');
            parts.is_some_and(|(kind, hex)| is_word(kind, b"+._-") && is_word(hex, b""))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_tag_of_wasmclouds_images_means_ours() {
        for (image, ours) in [
            ("ghcr.io/wasmcloud/http-server:0.27.0", Some("http-server")),
            ("wasmcloud.azurecr.io/httpserver:0.13.1", Some("http-server")),
            ("ghcr.io/wasmcloud/keyvalue-redis@sha256:00", Some("keyvalue-redis")),
            ("ghcr.io/wasmcloud/keyvalue-redis", Some("keyvalue-redis")),
            ("keyvalue-embedded", Some("keyvalue-embedded")),
            ("ghcr.io/wasmcloud/keyvalue-nats:0.4.1", None),
            ("ghcr.io/wasmcloud/keyvalue-embedded:1", None),
            ("example.com:5000/wasmcloud/http-server:1", None),
            ("ghcr.io/someone/http-server:1", None),
        ] {
            assert_eq!(shipped(image).map(|shipped| shipped.name), ours, "{image}");
        }
    }

    #[test]
    fn a_reference_is_a_repository_with_a_tag() {
        for good in ["a", "ghcr.io/a/b:1.0", "localhost:5000/a/b", "a/b@sha256:0f"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a//b",
            "a b",
            "./a.wasm?",
            "http://a/b",
            "ä",
            "a:",
            "a@",
            "a:1:2",
            "a@b@c",
            "FILE:x",
        ] {
            assert!(!is_reference(bad), "{bad}");
        }
        assert_eq!(repository("localhost:5000/a:1"), "localhost:5000/a");
    }
}
