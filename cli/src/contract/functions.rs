//! The trait that a provider implements for an interface.

use super::{
    model::{Answers, Contract, Function, Module, Resource},
    place::From,
    text::Text,
};

impl Contract {
    pub(super) fn write_trait(&self, text: &mut Text, at: usize, module: &Module, own: &Answers) {
        let needs = own.needs.iter().map(|&need| self.trait_path(need, From::Module(at)));
        let supers: Vec<String> =
            needs.chain(["Send".to_owned(), "Sync".to_owned(), "'static".to_owned()]).collect();
        text.blank();
        text.line(format!(
            "/// Answers `{}`: many calls at once, each dropped when its caller",
            module.id
        ));
        text.line("/// goes away or its time is up.");
        text.block(format!("pub trait {}: {}", own.name, supers.join(" + ")), |text| {
            let mut first = true;
            for resource in &own.resources {
                write_resource(text, resource, &mut first);
            }
            for function in &own.functions {
                if !std::mem::take(&mut first) {
                    text.blank();
                }
                text.docs(function.docs.as_deref(), &format!("The WIT's `{}`.", function.wit));
                let tail = format!(
                    " -> impl Future<Output = {}> + Send;",
                    self.returned(function, From::Module(at))
                );
                let params = self.arguments(function, From::Module(at), "");
                text.list(&format!("fn {}", function.name), &params, &tail);
            }
        });
    }

    /// A function's parameters in Rust; `unused` stands ahead of the names of those that nothing is done with yet.
    pub(super) fn arguments(&self, function: &Function, from: From, unused: &str) -> Vec<String> {
        let named = function.params.iter().map(|param| {
            let name = match unused {
                "" => param.name.as_str(),
                _ => param.name.trim_start_matches("r#"),
            };
            format!("{unused}{name}: {}", self.taken(&param.of, from))
        });
        let ours = ["&self".to_owned(), format!("{unused}call: &CallContext")];
        ours.into_iter().chain(named).collect()
    }

    /// What it answers.
    pub(super) fn returned(&self, function: &Function, from: From) -> String {
        let outcome = function.outcome(self);
        let gives = self.given(outcome.gives, from);
        match outcome.error {
            Some(error) => {
                let path = if let From::Module(_) = from { "super::" } else { "" };
                format!("Result<{gives}, {path}Failure<{}>>", self.wire_or_unit(error, from))
            }
            None => format!("Result<{gives}, CallError>"),
        }
    }
}

fn write_resource(text: &mut Text, resource: &Resource, first: &mut bool) {
    let Resource { wit, name, table, docs } = resource;
    if !std::mem::take(first) {
        text.blank();
    }
    text.docs(docs.as_deref(), &format!("The WIT's resource `{wit}`."));
    text.line("///");
    text.line("/// Calls share one; it is dropped with the last that uses it after its caller has let go of it.");
    text.line(format!("type {name}: Send + Sync + 'static;"));
    text.blank();
    text.line(format!("/// Those that callers have of `{wit}`: a field of the provider."));
    text.line(format!("fn {table}(&self) -> &wattle_sdk::Handles<Self::{name}>;"));
}
