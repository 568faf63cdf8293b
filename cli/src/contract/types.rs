//! Types, written so that serde's bytes are the contract's.

use super::{
    model::{Case, Contract, Field, Kind, Named},
    names::{of_field, of_variant},
    place::From,
    text::Text,
};

const SERDE: &str = "serde::Serialize, serde::Deserialize";
const KEBAB: &str = "#[serde(rename_all = \"kebab-case\")]";

impl Contract {
    pub(super) fn write_type(&self, text: &mut Text, module: usize, named: &Named) {
        let Named { wit, name, docs, kind } = named;
        let from = From::Module(module);
        match kind {
            Kind::Record(fields) => {
                text.docs(docs.as_deref(), &format!("The WIT's record `{wit}`."));
                self.write_record(text, name, fields, from);
            }
            Kind::Variant(cases) => {
                text.docs(docs.as_deref(), &format!("The WIT's variant `{wit}`."));
                text.line(format!("#[derive(Clone, Debug, PartialEq, {SERDE})]"));
                self.write_cases(text, name, cases, from);
            }
            Kind::Enum(cases) => {
                text.docs(docs.as_deref(), &format!("The WIT's enum `{wit}`."));
                self.write_enum(text, name, cases, from);
            }
            Kind::Flags(flag, cases) => {
                text.docs(docs.as_deref(), &format!("The WIT's flags `{wit}`."));
                text.line(format!("pub type {name} = std::collections::BTreeSet<{flag}>;"));
                text.blank();
                text.line(format!("/// One of [`{name}`]."));
                self.write_enum(text, flag, cases, from);
            }
            Kind::Alias(of) => {
                text.docs(docs.as_deref(), &format!("The WIT's `{wit}`."));
                text.line(format!("pub type {name} = {};", self.wire(of, from)));
            }
            Kind::Handle => {
                let otherwise = format!("The WIT's resource `{wit}`, as a caller has it.");
                text.line(format!("/// {otherwise}"));
                text.line(format!(
                    "#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, {SERDE})]"
                ));
                text.line(format!("pub struct {name}(pub wattle_sdk::Handle);"));
            }
        }
    }

    pub(super) fn write_record(&self, text: &mut Text, name: &str, fields: &[Field], from: From) {
        text.line(format!("#[derive(Clone, Debug, PartialEq, {SERDE})]"));
        text.line(KEBAB);
        if fields.is_empty() {
            return text.line(format!("pub struct {name} {{}}"));
        }
        text.block(format!("pub struct {name}"), |text| {
            for Field { wit, name, docs, of } in fields {
                text.docs(docs.as_deref(), &format!("The WIT's `{wit}`."));
                if of_field(name) != *wit {
                    text.line(format!("#[serde(rename = \"{wit}\")]"));
                }
                text.line(format!("pub {name}: {},", self.wire(of, from)));
            }
        });
    }

    fn write_enum(&self, text: &mut Text, name: &str, cases: &[Case], from: From) {
        let derived = "Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash";
        text.line(format!("#[derive({derived}, {SERDE})]"));
        self.write_cases(text, name, cases, from);
    }

    fn write_cases(&self, text: &mut Text, name: &str, cases: &[Case], from: From) {
        text.line(KEBAB);
        text.block(format!("pub enum {name}"), |text| {
            for Case { wit, name, docs, of } in cases {
                text.docs(docs.as_deref(), &format!("The WIT's `{wit}`."));
                if of_variant(name) != *wit {
                    text.line(format!("#[serde(rename = \"{wit}\")]"));
                }
                let of = of.as_ref().map(|of| format!("({})", self.wire(of, from)));
                text.line(format!("{name}{},", of.unwrap_or_default()));
            }
        });
    }
}
