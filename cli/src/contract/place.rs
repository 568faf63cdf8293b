//! How a type is called from where it is used.

use super::model::{Contract, Kind, Ownership, Place, ResourceAt, Type};

/// Where text stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// Within a module of the contract.
    Module(usize),
    /// Within the parameters of one.
    Params(usize),
    /// In the contract itself.
    Outside,
    /// Where a module's trait is implemented, and the modules are imported.
    Impl(usize),
}

impl Contract {
    pub(super) fn path(&self, module: usize, from: From) -> String {
        let name = &self.modules[module].name;
        match from {
            From::Module(own) if own == module => String::new(),
            From::Module(_) => format!("super::{name}::"),
            From::Params(own) if own == module => "super::".to_owned(),
            From::Params(_) => format!("super::super::{name}::"),
            From::Outside | From::Impl(_) => format!("{name}::"),
        }
    }

    fn name(&self, place: Place, from: From) -> String {
        self.path(place.module, from) + &self.named(place).name
    }

    /// The type of a value as it is on the wire.
    pub(super) fn wire(&self, of: &Type, from: From) -> String {
        match of {
            Type::Plain(name) => (*name).to_owned(),
            Type::Bytes => "serde_bytes::ByteBuf".to_owned(),
            Type::List(of) => format!("Vec<{}>", self.wire(of, from)),
            Type::Tuple(all) if all.len() == 1 => format!("({},)", self.wire(&all[0], from)),
            Type::Tuple(all) => {
                let all: Vec<String> = all.iter().map(|of| self.wire(of, from)).collect();
                format!("({})", all.join(", "))
            }
            Type::Option(of, false) => format!("Option<{}>", self.wire(of, from)),
            // Nil is the outer one; what is inside is an array of one.
            Type::Option(of, true) => format!("Option<({},)>", self.wire(of, from)),
            Type::Result(ok, err) => {
                let [ok, err] = [ok, err].map(|of| self.wire_or_unit(of.as_deref(), from));
                format!("Result<{ok}, {err}>")
            }
            Type::Named(place) => self.name(*place, from),
            Type::Handle(_, resource) => self.name(resource.handle, from),
        }
    }

    pub(super) fn wire_or_unit(&self, of: Option<&Type>, from: From) -> String {
        of.map_or_else(|| "()".to_owned(), |of| self.wire(of, from))
    }

    /// The type of a parameter: a handle is what it stands for.
    pub(super) fn taken(&self, of: &Type, from: From) -> String {
        match self.resolved(of) {
            Type::Handle(_, resource) => {
                // Where traits are implemented, it is imported.
                let path = if let From::Impl(_) = from { "" } else { "std::sync::" };
                format!("{path}Arc<{}>", self.implementors(*resource, from))
            }
            _ => self.wire(of, from),
        }
    }

    /// The type of what a function gives: a resource is made a handle of for it.
    pub(super) fn given(&self, of: Option<&Type>, from: From) -> String {
        match of.map(|of| self.resolved(of)) {
            Some(Type::Handle(Ownership::Own, resource)) => self.implementors(*resource, from),
            _ => self.wire_or_unit(of, from),
        }
    }

    /// The implementor's own type of a resource.
    fn implementors(&self, at: ResourceAt, from: From) -> String {
        let name = &self.resource(at).name;
        match from {
            From::Module(own) | From::Impl(own) if own == at.handle.module => {
                format!("Self::{name}")
            }
            _ => format!("<Self as {}>::{name}", self.trait_path(at.handle.module, from)),
        }
    }

    pub(super) fn trait_path(&self, module: usize, from: From) -> String {
        let answers = self.modules[module].answers.as_ref();
        self.path(module, from)
            + &answers.expect("resources are of interfaces that are answered").name
    }

    /// The modules that a type's name is reached through from outside.
    pub(super) fn modules_in(&self, of: &Type, found: &mut std::collections::BTreeSet<usize>) {
        match of {
            Type::Plain(_) | Type::Bytes => {}
            Type::List(of) | Type::Option(of, _) => self.modules_in(of, found),
            Type::Tuple(all) => all.iter().for_each(|of| self.modules_in(of, found)),
            Type::Result(ok, err) => {
                ok.iter().chain(err).for_each(|of| self.modules_in(of, found));
            }
            Type::Named(Place { module, .. }) => {
                found.insert(*module);
            }
            Type::Handle(_, resource) => {
                found.insert(resource.handle.module);
            }
        }
    }

    /// A type without any alias, so that the same ones are the same text.
    pub(super) fn bare(&self, of: &Type) -> Type {
        let boxed = |of: &Type| Box::new(self.bare(of));
        match of {
            Type::List(of) => Type::List(boxed(of)),
            Type::Option(of, nested) => Type::Option(boxed(of), *nested),
            Type::Tuple(all) => Type::Tuple(all.iter().map(|of| self.bare(of)).collect()),
            Type::Result(ok, err) => {
                Type::Result(ok.as_deref().map(boxed), err.as_deref().map(boxed))
            }
            Type::Named(place) => match &self.named(*place).kind {
                Kind::Alias(aliased) => self.bare(aliased),
                _ => of.clone(),
            },
            Type::Plain(_) | Type::Bytes | Type::Handle(..) => of.clone(),
        }
    }
}
