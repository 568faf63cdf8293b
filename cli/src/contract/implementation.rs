//! The places to fill in: a provider of the contract that builds and runs, and whose functions say that they are not written yet.

use std::collections::BTreeSet;

use super::{
    model::{Answers, Contract, Module},
    names::{Names, upper_camel},
    place::From,
    text::Text,
};

const START: &str = r#"
    async fn start(_context: Context) -> Result<Self, StartError> {
        // Fill in: the provider's own settings are in `context.start.config`.
        Ok(@made@)
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("@name@ is called, it does not call"));
        }
        // Fill in: check the link's settings, `link.config`, and keep by `link.link` what calls over it need. To hold callers to
        // something, name it in `CONSTRAINTS` and read it from `link.constraints`.
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, @link@: u32) {
        // Fill in: let go of what `put_link` kept.@deleted@
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let provider = Arc::clone(self);
        async move { contract::answer(&*provider, call).await }
    }"#;

const NOT_WRITTEN: &str = r#"
/// What a function answers until it is written.
fn not_written<T, E: From<CallError>>(function: &str) -> Result<T, E> {
    Err(CallError::new(ErrorKind::Failed, format!("{function} is not written yet")).into())
}"#;

/// A resource of the contract, as the provider keeps it.
struct Kept<'a> {
    module: usize,
    wit: &'a str,
    table: &'a str,
    /// The struct's name, and that of the field with all of them.
    name: String,
    field: String,
}

/// What a provider of this name is called in Rust.
pub(crate) fn provider_type(name: &str) -> String {
    Names::types().take(upper_camel(name))
}

impl Contract {
    /// The text of `src/provider.rs`, for a provider of this name.
    pub(crate) fn implementation(&self, name: &str) -> String {
        let mut names = Names::types();
        let provider = names.take(provider_type(name));
        let kept = self.kept(&mut names);
        let mut text = Text::default();
        text.line(format!("//! The provider: what {name} does when it is called."));
        text.blank();
        self.write_imports(&mut text, !kept.is_empty());
        write_structs(&mut text, name, &provider, &kept);
        text.blank();
        text.block(format!("impl Provider for {provider}"), |text| {
            let filled = start(name, &kept);
            filled
                .lines()
                .skip(1)
                .for_each(|line| text.line(line.strip_prefix("    ").unwrap_or(line)));
        });
        for (at, module, answers) in self.answered() {
            self.write_impl(&mut text, (at, module, answers), &provider, &kept);
        }
        NOT_WRITTEN.lines().for_each(|line| text.line(line));
        text.into_string()
    }

    fn kept(&self, names: &mut Names) -> Vec<Kept<'_>> {
        let mut fields = Names::default();
        let resources = self.answered().flat_map(|(module, _, answers)| {
            answers.resources.iter().map(move |resource| (module, resource))
        });
        let kept = resources.map(|(module, resource)| Kept {
            module,
            wit: &resource.wit,
            table: &resource.table,
            name: names.take(upper_camel(&resource.wit)),
            field: fields.take(resource.table.clone()),
        });
        kept.collect()
    }

    fn write_imports(&self, text: &mut Text, resources: bool) {
        let mut sdk = vec![
            "CallContext",
            "CallError",
            "Context",
            "ErrorKind",
            "IncomingCall",
            "LinkDetail",
            "LinkError",
            "LinkGrant",
            "Provider",
            "Reply",
            "Side",
            "StartError",
        ];
        if resources {
            sdk.insert(4, "Handles");
        }
        text.line("use std::sync::Arc;");
        text.blank();
        text.line("use wattle_sdk::{");
        text.inside(|text| wrapped(text, &sdk));
        text.line("};");
        text.blank();
        let mut used = BTreeSet::new();
        for (at, _, answers) in self.answered() {
            used.insert(at);
            for function in &answers.functions {
                for param in &function.params {
                    self.modules_in(&param.of, &mut used);
                }
                let outcome = function.outcome(self);
                for of in outcome.gives.into_iter().chain(outcome.error.flatten()) {
                    self.modules_in(of, &mut used);
                }
            }
        }
        let failure = (!self.errors().is_empty()).then_some("Failure");
        let modules = used.into_iter().map(|at| self.modules[at].name.as_str());
        let all: Vec<&str> = ["self"].into_iter().chain(failure).chain(modules).collect();
        text.line(format!("use crate::contract::{{{}}};", all.join(", ")));
    }

    fn write_impl(
        &self,
        text: &mut Text,
        (at, module, answers): (usize, &Module, &Answers),
        provider: &str,
        kept: &[Kept<'_>],
    ) {
        text.blank();
        text.block(format!("impl {}::{} for {provider}", module.name, answers.name), |text| {
            let mut first = true;
            let own = kept.iter().filter(|kept| kept.module == at);
            for (resource, kept) in answers.resources.iter().zip(own) {
                text.line(format!("type {} = {};", resource.name, kept.name));
                text.blank();
                text.block(
                    format!("fn {}(&self) -> &Handles<{}>", kept.table, kept.name),
                    |text| {
                        text.line(format!("&self.{}", kept.field));
                    },
                );
                first = false;
            }
            for function in &answers.functions {
                if !std::mem::take(&mut first) {
                    text.blank();
                }
                let from = From::Impl(at);
                let params = self.arguments(function, from, "_");
                let tail = format!(" -> {} {{", self.returned(function, from));
                text.list(&format!("async fn {}", function.name), &params, &tail);
                text.inside(|text| text.line(format!("not_written(\"{}\")", function.wit)));
                text.line("}");
            }
        });
    }
}

fn write_structs(text: &mut Text, name: &str, provider: &str, kept: &[Kept<'_>]) {
    text.blank();
    text.line(format!(
        "/// The provider {name}: one value of it serves all links, many calls at once."
    ));
    text.line("#[derive(Debug)]");
    if kept.is_empty() {
        text.line(format!("pub struct {provider} {{}}"));
    } else {
        text.block(format!("pub struct {provider}"), |text| {
            for Kept { field, name, .. } in kept {
                text.line(format!("{field}: Handles<{name}>,"));
            }
        });
    }
    for Kept { name, wit, .. } in kept {
        text.blank();
        text.line(format!(
            "/// One `{wit}` of a caller. What changes in it needs a lock: calls share it."
        ));
        text.line("#[derive(Debug)]");
        text.line(format!("pub struct {name} {{}}"));
    }
}

fn start(name: &str, kept: &[Kept<'_>]) -> String {
    let fields: Vec<String> = kept
        .iter()
        .map(|Kept { field, wit, .. }| format!("{field}: Handles::new(\"{wit}\")"))
        .collect();
    let made = match fields.is_empty() {
        true => "Self {}".to_owned(),
        false => format!("Self {{ {} }}", fields.join(", ")),
    };
    let (link, deleted) = match kept.is_empty() {
        true => ("_link", ""),
        false => ("link", "\n        contract::delete_link(self, link);"),
    };
    START
        .replace("@made@", &made)
        .replace("@name@", name)
        .replace("@link@", link)
        .replace("@deleted@", deleted)
}

/// Names, as many on a line as fit.
fn wrapped(text: &mut Text, names: &[&str]) {
    const WIDTH: usize = 96;
    let mut line = String::new();
    for name in names {
        if line.len() + name.len() + 2 > WIDTH {
            text.line(line.trim_end());
            line.clear();
        }
        line.push_str(name);
        line.push_str(", ");
    }
    text.line(line.trim_end());
}
