//! Links that wasmCloud's users write in fewer words than ours: to the web, and to objects.

use wattle_core::Interface;

use super::Reader;
use crate::manifest::{Component, Finding, Image, Link, Placed, Shipped, Source, Spelling};

const PROVIDER: &str = "http-client";
const CONSTRAINT: &str = "allowed-hosts";

const BLOBSTORE: &str = "wasi:blobstore/blobstore";
const CONTAINER: &str = "wasi:blobstore/container";

/// Every host of every name, which still leaves out what is no public address.
const ANYWHERE: &str = "*://*:*";

/// wasmCloud's client asks whom it is told to, so a manifest that was written for it goes on to, as far as addresses are public. One
/// written for ours names what it means.
pub(super) fn hosts(reader: &mut Reader, callee: &Component, provider: &Shipped, link: &mut Link) {
    let named = link.constraints.get(CONSTRAINT).is_some_and(|hosts| !hosts.is_empty());
    if provider.name != PROVIDER || named {
        return;
    }
    let help = format!("write constraints: {{{CONSTRAINT}: [https://api.example.com]}}");
    let finding = match is_wasmclouds(callee) {
        true => {
            link.constraints.insert(CONSTRAINT.to_owned(), vec![ANYWHERE.to_owned()]);
            let what = "the link names no hosts, so it allows all that have public addresses";
            Finding::warning(&link.place, what)
        }
        false => Finding::error(&link.place, "the link names no hosts that may be asked"),
    };
    reader.findings.push(finding.with_help(help));
}

/// There, a link on `blobstore` is one on the containers that come of it.
pub(super) fn containers(callee: &Component, link: &mut Link) {
    let names = |name: &str| link.interfaces.iter().find(|named| named.value.as_str() == name);
    let Some(Placed { place, .. }) = names(BLOBSTORE) else { return };
    if is_wasmclouds(callee) && names(CONTAINER).is_none() {
        let value: Interface = CONTAINER.parse().expect("it is well formed");
        let place = place.clone();
        link.interfaces.push(Placed { value, place });
    }
}

fn is_wasmclouds(component: &Component) -> bool {
    matches!(&component.source, Source::Image(Image::Shipped(_, Spelling::WasmCloud)))
}
