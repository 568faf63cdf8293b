//! Why a call is not allowed, in words that its reader can act on.

use std::fmt;

use wattle_core::{
    EntityId,
    entity::{CodeKey, Party},
    link::DEFAULT_LINK_NAME,
};

/// What is missing, and the command that would grant it, where one helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) reason: String,
    pub(crate) next: Option<String>,
}

impl Denial {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), next: None }
    }

    #[must_use]
    pub(crate) fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// `callee`: whom the caller should be linked to, where there is one choice.
    pub(crate) fn no_link(
        caller: &Party,
        callee: Option<&EntityId>,
        interface: &str,
        link_name: &str,
    ) -> Self {
        let name = if link_name == DEFAULT_LINK_NAME {
            String::new()
        } else {
            format!(" --name {link_name}")
        };
        let callee = callee.map_or("CALLEE", EntityId::as_str);
        Self::new(format!("no link from {caller} to {interface} (link {link_name:?})"))
            .with_next(format!("wattle link put {} {callee} {interface}{name}", caller.id))
    }

    pub(crate) fn no_such_number(provider: &EntityId, number: u32) -> Self {
        Self::new(format!("{provider} has no link number {number}"))
    }

    /// Somebody else runs under the id of a link's end.
    pub(crate) fn another(role: &str, wanted: &Party, found: &Party) -> Self {
        let reason = format!(
            "the link's {role} is {} of account {}, but {} of account {} runs under {}",
            wanted.identity.key,
            wanted.identity.account,
            found.identity.key,
            found.identity.account,
            wanted.id
        );
        let next = format!("put the link again: wattle link put … {} …", wanted.id);
        Self::new(reason).with_next(next)
    }

    pub(crate) fn not_imported(caller: &Party, interface: &str) -> Self {
        Self::new(format!("the claims of {caller} do not import {interface}"))
            .with_next("build it with the import and sign it again: wattle build".to_owned())
    }

    pub(crate) fn not_exported(callee: &Party, interface: &str) -> Self {
        if let CodeKey::BuiltIn(built_in) = callee.identity.key {
            let exports = built_in.export_names().join(", ");
            return Self::new(format!(
                "{callee} does not answer on {interface}, only on {exports}"
            ));
        }
        Self::new(format!("the claims of {callee} do not export {interface}"))
            .with_next("build it with the export and sign it again: wattle build".to_owned())
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.next {
            Some(next) => write!(f, "; next: {next}"),
            None => Ok(()),
        }
    }
}
