//! The types that a provider's functions need, and what among them cannot be carried.

use std::collections::BTreeSet;

use wit_parser::{Function, FunctionKind, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId};

use super::{id_of, owner, resource};
use crate::{exit::Exit, problem::Problem};

/// Types with names, resources too.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) types: BTreeSet<TypeId>,
}

impl Gathered {
    pub(super) fn new(
        resolve: &Resolve,
        answered: &BTreeSet<InterfaceId>,
    ) -> Result<Self, Problem> {
        let mut walk = Walk { resolve, answered, found: Self::default(), at: String::new() };
        for &id in answered {
            let interface = id_of(resolve, id);
            for (name, &of) in &resolve.interfaces[id].types {
                // A resource that is only named counts where it is used.
                if resource(resolve, of) != of && is_resource(resolve, of) {
                    continue;
                }
                walk.at = format!("{interface}.{name}");
                walk.named(of)?;
            }
            for function in resolve.interfaces[id].functions.values() {
                walk.at = format!("{interface}.{}", function.name);
                walk.function(function)?;
            }
        }
        Ok(walk.found)
    }
}

struct Walk<'a> {
    resolve: &'a Resolve,
    answered: &'a BTreeSet<InterfaceId>,
    found: Gathered,
    /// What is looked at, for errors.
    at: String,
}

impl Walk<'_> {
    fn function(&mut self, function: &Function) -> Result<(), Problem> {
        if let FunctionKind::AsyncFreestanding
        | FunctionKind::AsyncMethod(_)
        | FunctionKind::AsyncStatic(_) = function.kind
        {
            return Err(self.unfit("an async function", "write func: calls wait anyway"));
        }
        let types = function.params.iter().map(|param| param.ty).chain(function.result);
        types.into_iter().try_for_each(|of| self.of(&of))
    }

    fn of(&mut self, of: &Type) -> Result<(), Problem> {
        match of {
            Type::Id(id) => self.named(*id),
            Type::ErrorContext => Err(self.unfit("an error-context", "write a type of your own")),
            _ => Ok(()),
        }
    }

    fn named(&mut self, id: TypeId) -> Result<(), Problem> {
        let def = &self.resolve.types[id];
        if is_resource(self.resolve, id) {
            return self.resource(resource(self.resolve, id));
        }
        if def.name.is_some() && !self.found.types.insert(id) {
            return Ok(());
        }
        const STREAMS: &str = "pass a list<u8> at a time, up to 800 kB a call";
        match &def.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().try_for_each(|field| self.of(&field.ty))
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().filter_map(|case| case.ty).try_for_each(|of| self.of(&of))
            }
            TypeDefKind::Tuple(tuple) if tuple.types.is_empty() => {
                Err(self.unfit("an empty tuple", "leave it out"))
            }
            TypeDefKind::Tuple(tuple) => tuple.types.iter().try_for_each(|of| self.of(of)),
            TypeDefKind::Option(of) | TypeDefKind::List(of) | TypeDefKind::Type(of) => self.of(of),
            TypeDefKind::Result(result) => {
                result.ok.iter().chain(&result.err).try_for_each(|of| self.of(of))
            }
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => self.named(*id),
            TypeDefKind::Enum(_) | TypeDefKind::Flags(_) | TypeDefKind::Resource => Ok(()),
            TypeDefKind::Stream(_) => Err(self.unfit("a stream", STREAMS)),
            TypeDefKind::Future(_) => Err(self.unfit("a future", "write a function to ask again")),
            TypeDefKind::Map(..) => {
                Err(self.unfit("a map", "write list<tuple<K, V>>, or a list of records"))
            }
            TypeDefKind::FixedLengthList(..) => {
                Err(self.unfit("a list of a fixed length", "write list<T>, or a tuple"))
            }
            TypeDefKind::Unknown => Err(self.unfit("a type that is not known", "add its WIT")),
        }
    }

    /// A handle means something only to whoever answers the resource's functions.
    fn resource(&mut self, id: TypeId) -> Result<(), Problem> {
        let interface = owner(self.resolve, id);
        if interface.is_some_and(|interface| self.answered.contains(&interface)) {
            self.found.types.insert(id);
            return Ok(());
        }
        let interface = interface.map(|id| id_of(self.resolve, id)).unwrap_or_default();
        let name = self.resolve.types[id].name.as_deref().unwrap_or_default();
        let what =
            format!("the resource {name} of {interface}, which this provider does not answer");
        let next = match interface.starts_with("wasi:") {
            true => "pass a list<u8> at a time, up to 800 kB a call: WASI's resources stay with the actor".to_owned(),
            false => format!("add --interface {interface}"),
        };
        Err(self.unfit(&what, &next))
    }

    fn unfit(&self, what: &str, next: &str) -> Problem {
        Problem::new(Exit::Failed, format!("{} has {what}: that is not carried", self.at))
            .next(next)
    }
}

/// Calls `found` with each resource that a value of this type may hold.
pub(super) fn handles(resolve: &Resolve, of: &Type, found: &mut impl FnMut(TypeId)) {
    let Type::Id(id) = of else { return };
    match &resolve.types[*id].kind {
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => found(resource(resolve, *id)),
        TypeDefKind::Record(record) => {
            record.fields.iter().for_each(|field| handles(resolve, &field.ty, found));
        }
        TypeDefKind::Variant(variant) => {
            let of = variant.cases.iter().filter_map(|case| case.ty);
            of.into_iter().for_each(|of| handles(resolve, &of, found));
        }
        TypeDefKind::Tuple(tuple) => {
            tuple.types.iter().for_each(|of| handles(resolve, of, found));
        }
        TypeDefKind::Option(of) | TypeDefKind::List(of) | TypeDefKind::Type(of) => {
            handles(resolve, of, found);
        }
        TypeDefKind::Result(result) => {
            result.ok.iter().chain(&result.err).for_each(|of| handles(resolve, of, found));
        }
        _ => {}
    }
}

/// Whether it is one, or another name for one.
fn is_resource(resolve: &Resolve, id: TypeId) -> bool {
    matches!(resolve.types[resource(resolve, id)].kind, TypeDefKind::Resource)
}

pub(super) fn is_byte(resolve: &Resolve, of: &Type) -> bool {
    match of {
        Type::U8 => true,
        Type::Id(id) => {
            matches!(&resolve.types[*id].kind, TypeDefKind::Type(of) if is_byte(resolve, of))
        }
        _ => false,
    }
}

pub(super) fn is_option(resolve: &Resolve, of: &Type) -> bool {
    let Type::Id(id) = of else { return false };
    match &resolve.types[*id].kind {
        TypeDefKind::Option(_) => true,
        TypeDefKind::Type(of) => is_option(resolve, of),
        _ => false,
    }
}
