//! Which of its links an actor's calls take.

use std::fmt;

use crate::bindings::bus::lattice::{CallTargetInterface, set_link_name};

/// The link of this name is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// From here to the end of this request, calls to these interfaces (`wasi:keyvalue/store`, say) take the link of this name.
/// `default` goes back to the usual one.
pub fn choose(name: &str, interfaces: &[&str]) -> Result<(), Error> {
    let targets = interfaces.iter().map(|interface| target(interface)).collect::<Result<_, _>>()?;
    set_link_name(name, targets).map_err(Error)
}

fn target(interface: &str) -> Result<CallTargetInterface, Error> {
    let parts = interface.split_once(':').and_then(|(namespace, rest)| {
        let (package, name) = rest.split_once('/')?;
        Some(CallTargetInterface::new(namespace, package, name))
    });
    parts.ok_or_else(|| Error(format!("{interface:?} is not namespace:package/interface")))
}
