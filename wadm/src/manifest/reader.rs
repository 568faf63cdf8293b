//! Values out of nodes: what does not fit is a finding, and the reading goes on.

use std::{collections::BTreeMap, str::FromStr};

use wattle_core::{Name, link::ConfigValue};

use super::{
    finding::{Finding, Findings},
    node::{Key, Node, Placed, Value},
};

/// Collects what is to be said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) findings: Findings,
    /// A component is not there because of what is wrong with it, so that nobody knows what a name may have meant.
    pub(super) is_incomplete: bool,
    /// The fields that were looked for in each kind of thing.
    #[cfg(test)]
    pub(super) known: BTreeMap<&'static str, std::collections::BTreeSet<&'static str>>,
}

/// The fields of a map, of which each is either taken or named as not honoured.
pub(super) struct Fields<'a> {
    what: &'static str,
    node: &'a Node,
    entries: Vec<(&'a Key, &'a Node)>,
    known: Vec<&'static str>,
}

impl Reader {
    pub(super) fn error(&mut self, node: &Node, what: impl Into<String>) {
        self.findings.push(Finding::error(&node.place, what));
    }

    pub(super) fn warning(&mut self, node: &Node, what: impl Into<String>) {
        self.findings.push(Finding::warning(&node.place, what));
    }

    pub(super) fn warning_with_help(&mut self, node: &Node, what: &str, help: &str) {
        self.findings.push(Finding::warning(&node.place, what).with_help(help));
    }

    pub(super) fn fields<'a>(&mut self, node: &'a Node, what: &'static str) -> Option<Fields<'a>> {
        match &node.value {
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key, value)).collect();
                Some(Fields { what, node, entries, known: Vec::new() })
            }
            _ => {
                self.error(node, format!("{what} has to be fields with values"));
                None
            }
        }
    }

    pub(super) fn list<'a>(&mut self, node: &'a Node) -> &'a [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.error(node, "this has to be a list");
        &[]
    }

    pub(super) fn text<'a>(&mut self, node: &'a Node) -> Option<&'a str> {
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        self.error(node, "this has to be a text");
        None
    }

    /// Names with what belongs to them.
    pub(super) fn entries<'a>(&mut self, node: &'a Node) -> &'a [(Key, Node)] {
        if let Value::Map(entries) = &node.value {
            return entries;
        }
        self.error(node, "this has to be names with values");
        &[]
    }

    /// Names with their texts. Numbers and truth values are texts, too.
    pub(super) fn texts(&mut self, node: &Node) -> BTreeMap<String, String> {
        let entries = self.entries(node).iter();
        entries.filter_map(|(key, value)| Some((key.text.clone(), self.setting(value)?))).collect()
    }

    /// Settings, each a text or a secret's name. Whom they are for knows what the texts have to be.
    pub(super) fn settings(&mut self, node: &Node) -> BTreeMap<String, Placed<ConfigValue>> {
        let mut settings = BTreeMap::new();
        for (key, value) in self.entries(node) {
            let value = match &value.value {
                Value::Map(_) => self.secret(value).map(|secret| ConfigValue::Secret { secret }),
                _ => self.setting(value).map(ConfigValue::Plain),
            };
            let Some(value) = value else { continue };
            settings.insert(key.text.clone(), Placed { value, place: key.place.clone() });
        }
        settings
    }

    fn secret(&mut self, node: &Node) -> Option<Name> {
        let mut fields = self.fields(node, "a secret")?;
        // It is a file's name: no other spelling would find it.
        let name =
            fields.need(self, "secret").and_then(|node| self.understood(node, str::parse::<Name>));
        fields.finish(self);
        name
    }

    fn setting(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            _ => {
                self.error(node, "this has to be a text");
                None
            }
        }
    }

    /// Something that is written as a text.
    pub(super) fn parsed<T: FromStr>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        self.understood(node, |text| text.parse().map_err(|_| format!("this has to be {wanted}")))
    }

    /// The same, by a parser that says itself what it wants.
    pub(super) fn understood<T, E: ToString>(
        &mut self,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(self.text(node)?).map_err(|error| error.to_string());
        parsed.map_err(|error| self.error(node, error)).ok()
    }

    /// A name that this manifest gives to something. wasmCloud's may have capital letters, underscores and dots.
    pub(super) fn name(&mut self, node: &Node) -> Option<Name> {
        let text = self.text(node)?;
        let name = self.reference(node)?;
        if name.as_str() != text {
            self.warning(node, format!("{text:?} is called {name} on the lattice"));
        }
        Some(name)
    }

    /// A name that was given elsewhere, and where it stands here.
    pub(super) fn placed(&mut self, node: &Node) -> Option<Placed<Name>> {
        Some(Placed { value: self.reference(node)?, place: node.place.clone() })
    }

    /// A name that was given elsewhere.
    pub(super) fn reference(&mut self, node: &Node) -> Option<Name> {
        match Name::spelled(self.text(node)?) {
            Ok(name) => Some(name),
            Err(error) => {
                self.error(node, error.to_string());
                None
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// A field's value; one without is as good as none.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        let index = self.entries.iter().position(|(key, _)| key.text == name)?;
        let (_, node) = self.entries.swap_remove(index);
        (node.value != Value::Null).then_some(node)
    }

    /// The same under a name of older manifests.
    pub(super) fn take_old(
        &mut self,
        reader: &mut Reader,
        old: &'static str,
        name: &'static str,
    ) -> Option<&'a Node> {
        #[cfg(test)]
        reader.known.entry(self.what).or_default().insert(old);
        let index = self.entries.iter().position(|(key, _)| key.text == old)?;
        let (key, node) = self.entries.swap_remove(index);
        reader
            .findings
            .push(Finding::warning(&key.place, format!("{old} is read as {name}, its name now")));
        (node.value != Value::Null).then_some(node)
    }

    /// A field that has to be there.
    pub(super) fn need(&mut self, reader: &mut Reader, name: &'static str) -> Option<&'a Node> {
        let found = self.take(name);
        if found.is_none() {
            reader.error(self.node, format!("{} needs {name}", self.what));
        }
        found
    }

    /// Names what was not taken.
    pub(super) fn finish(self, reader: &mut Reader) {
        #[cfg(test)]
        reader.known.entry(self.what).or_default().extend(&self.known);
        for (key, _) in self.entries {
            let what = format!("{} has no field {:?}: it is not honoured", self.what, key.text);
            let known = format!("its fields are {}", self.known.join(", "));
            reader.findings.push(Finding::warning(&key.place, what).with_help(known));
        }
    }
}
