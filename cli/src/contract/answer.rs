//! The whole of `contract.rs`, and in it the way from a call's bytes to a function and back.

use super::{
    model::{Answers, Contract, Function, Module, Ownership, ResourceAt, Type},
    place::From,
    text::Text,
};

/// Where `wattle new contract` begins to write.
const HEAD: &str = "\
//! What the WIT says, in Rust: types, a trait for each interface, and the way from a call to its function.
//!
//! Written by `wattle new contract` from `wit/`; what is changed here is lost when it writes again.

#![allow(clippy::all, rustdoc::all, reason = \"names and shapes are those of the WIT\")]
";

impl Contract {
    /// The text of `src/contract.rs`.
    pub(crate) fn to_rust(&self) -> String {
        let mut text = Text::default();
        HEAD.lines().for_each(|line| text.line(line));
        text.blank();
        text.line("use wattle_sdk::{CallError, IncomingCall, Reply};");
        self.write_answer(&mut text);
        if self.has_resources() {
            self.write_delete_link(&mut text);
        }
        self.write_failure(&mut text);
        for (at, module) in self.modules.iter().enumerate() {
            self.write_module(&mut text, at, module);
        }
        text.into_string()
    }

    fn write_answer(&self, text: &mut Text) {
        text.blank();
        text.line("/// Answers a call: the whole of what a provider of these interfaces does in `Provider::call`.");
        let traits: Vec<String> =
            self.answered().map(|(at, _, _)| self.trait_path(at, From::Outside)).collect();
        let head =
            "pub async fn answer<P>(provider: &P, call: IncomingCall) -> Result<Reply, CallError>";
        text.line(head);
        text.line("where");
        text.inside(|text| text.line(format!("P: {},", traits.join(" + "))));
        text.line("{");
        text.inside(|text| {
            text.line("let (context, function, params) = (call.context(), &*call.function, &*call.params);");
            text.block("match &*call.interface", |text| {
                for (_, module, _) in self.answered() {
                    let name = &module.name;
                    let answer = format!("{name}::answer(provider, &context, function, params).await");
                    text.line(format!("{name}::INTERFACE => {answer},"));
                }
                text.line("other => Err(wattle_sdk::unknown_function(other, function)),");
            });
        });
        text.line("}");
    }

    fn write_delete_link(&self, text: &mut Text) {
        let with = || self.answered().filter(|(_, _, answers)| !answers.resources.is_empty());
        let traits: Vec<String> =
            with().map(|(at, _, _)| self.trait_path(at, From::Outside)).collect();
        text.blank();
        text.line("/// Drops the resources that a link's caller still has: part of `Provider::delete_link`.");
        let bounds = traits.join(" + ");
        text.block(format!("pub fn delete_link<P: {bounds}>(provider: &P, link: u32)"), |text| {
            for (at, _, answers) in with() {
                for resource in &answers.resources {
                    let name = self.trait_path(at, From::Outside);
                    text.line(format!("{name}::{}(provider).delete_link(link);", resource.table));
                }
            }
        });
    }

    fn write_module(&self, text: &mut Text, at: usize, module: &Module) {
        text.blank();
        text.docs(module.docs.as_deref(), &format!("The WIT's interface `{}`.", module.id));
        text.block(format!("pub mod {}", module.name), |text| {
            if let Some(answers) = &module.answers {
                text.line("use wattle_sdk::{CallContext, CallError, Reply};");
                text.blank();
                text.line("/// Its name on the wire.");
                text.line(format!("pub const INTERFACE: &str = \"{}\";", module.id));
                self.write_trait(text, at, module, answers);
            }
            for (number, named) in module.types.iter().enumerate() {
                if number > 0 || module.answers.is_some() {
                    text.blank();
                }
                self.write_type(text, at, named);
            }
            if let Some(answers) = &module.answers {
                self.write_params(text, at, answers);
                self.write_dispatch(text, at, answers);
            }
        });
    }

    fn write_params(&self, text: &mut Text, at: usize, answers: &Answers) {
        text.blank();
        text.line("/// Parameters as they are on the wire.");
        text.block("pub mod params", |text| {
            for (number, function) in answers.functions.iter().enumerate() {
                if number > 0 {
                    text.blank();
                }
                text.line(format!("/// Those of `{}`.", function.wit));
                self.write_record(text, &function.params_name, &function.params, From::Params(at));
            }
        });
    }

    fn write_dispatch(&self, text: &mut Text, at: usize, answers: &Answers) {
        text.blank();
        text.line(format!("pub(super) async fn answer<P: {}>(", answers.name));
        text.inside(|text| {
            text.line("provider: &P,");
            text.line("call: &CallContext,");
            text.line("function: &str,");
            text.line("params: &[u8],");
        });
        text.block(") -> Result<Reply, CallError>", |text| {
            text.block("match function", |text| {
                for function in &answers.functions {
                    text.block(format!("\"{}\" =>", function.wit), |text| {
                        self.write_arm(text, at, answers, function);
                    });
                }
                for resource in &answers.resources {
                    let call = format!("{}::{}(provider)", answers.name, resource.table);
                    text.line(format!(
                        "\"[resource-drop]{}\" => {call}.dropped(call.link, params),",
                        resource.wit
                    ));
                }
                text.line("_ => Err(wattle_sdk::unknown_function(INTERFACE, function)),");
            });
        });
    }

    /// One function: its parameters are read, handles looked up, and what it gives is written.
    fn write_arm(&self, text: &mut Text, at: usize, answers: &Answers, function: &Function) {
        let names: Vec<&str> = function.params.iter().map(|param| param.name.as_str()).collect();
        let pattern = match names.is_empty() {
            true => format!("params::{} {{}}", function.params_name),
            false => format!("params::{} {{ {} }}", function.params_name, names.join(", ")),
        };
        text.line(format!("let {pattern} = wattle_sdk::decode_params(params)?;"));
        for param in &function.params {
            if let Type::Handle(ownership, resource) = self.resolved(&param.of) {
                let verb = if *ownership == Ownership::Own { "take" } else { "get" };
                let (name, table) = (&param.name, self.table(*resource, at));
                text.line(format!("let {name} = {table}.{verb}(call.link, {name}.0)?;"));
            }
        }
        let ours = ["provider".to_owned(), "call".to_owned()];
        let passed: Vec<String> =
            ours.into_iter().chain(names.iter().map(|&name| name.to_owned())).collect();
        let head = format!("let given = {}::{}", answers.name, function.name);
        let outcome = function.outcome(self);
        let given = outcome.gives.map(|of| self.resolved(of));
        let made = match given {
            Some(Type::Handle(Ownership::Own, resource)) => Some(*resource),
            _ => None,
        };
        match (outcome.error, made) {
            (None, None) => text.list(&head, &passed, ".await?;"),
            (None, Some(resource)) => {
                text.list(&head, &passed, ".await?;");
                let table = self.table(resource, at);
                text.line(format!("let given = {table}.insert(call.link, given)?;"));
            }
            (Some(_), None) => {
                text.list(&head, &passed, ".await;");
                text.line("let given = super::Failure::outcome(given)?;");
            }
            (Some(_), Some(resource)) => {
                text.list(&head, &passed, ".await;");
                let table = self.table(resource, at);
                text.line("let given = match super::Failure::outcome(given)? {");
                text.inside(|text| {
                    text.line(format!("Ok(made) => Ok({table}.insert(call.link, made)?),"));
                    text.line("Err(error) => Err(error),");
                });
                text.line("};");
            }
        }
        text.line("wattle_sdk::encode_result(&given)");
    }

    fn table(&self, at: ResourceAt, module: usize) -> String {
        let path = self.trait_path(at.handle.module, From::Module(module));
        format!("{path}::{}(provider)", self.resource(at).table)
    }
}
