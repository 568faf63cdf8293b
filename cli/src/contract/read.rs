//! What a WIT says, taken into Rust's words, or why it cannot be.

mod choose;
mod gather;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use wit_parser::{
    Docs, FunctionKind, Handle, InterfaceId, PackageId, Resolve, Type as Wit, TypeDefKind, TypeId,
    TypeOwner,
};

use self::gather::Gathered;
use super::{
    model::{
        Answers, Case, Contract, Field, Function, Kind, Module, Named, Ownership, Place, Resource,
        ResourceAt, Type,
    },
    names::{Names, snake, upper_camel},
};
use crate::{exit::Exit, problem::Problem};

impl Contract {
    /// Takes the interfaces that are chosen, or where none is all that have functions, from a WIT file or folder.
    pub(crate) fn read(wit: &Path, chosen: &[String]) -> anyhow::Result<Self> {
        let (resolve, package) = parse(wit)?;
        let answered = choose::interfaces(&resolve, package, chosen)?;
        let gathered = Gathered::new(&resolve, &answered)?;
        Ok(Reader::new(&resolve, &answered, &gathered).contract())
    }
}

/// The whole names, with their versions, of interfaces that an actor may import: those that are chosen, or all with functions.
pub(crate) fn interfaces(wit: &Path, chosen: &[String]) -> anyhow::Result<Vec<String>> {
    let (resolve, package) = parse(wit)?;
    let all = choose::interfaces(&resolve, package, chosen)?;
    let mut names: Vec<String> = all.into_iter().filter_map(|id| resolve.id_of(id)).collect();
    names.sort();
    Ok(names)
}

fn parse(wit: &Path) -> Result<(Resolve, PackageId), Problem> {
    let shown = wit.display();
    if !wit.exists() {
        return Err(Problem::new(Exit::NotFound, format!("no WIT at {shown}")));
    }
    let mut resolve = Resolve::new();
    match resolve.push_path(wit) {
        Ok((package, _)) => Ok((resolve, package)),
        Err(error) => {
            let rendered = resolve.render_error(&error);
            Err(Problem::new(Exit::Failed, format!("{shown} is no WIT: {}", rendered.trim())))
        }
    }
}

/// An interface's name on the wire, where versions do not appear.
fn id_of(resolve: &Resolve, interface: InterfaceId) -> String {
    let id = resolve.id_of(interface).unwrap_or_default();
    id.split_once('@').map_or(id.as_str(), |(id, _)| id).to_owned()
}

/// The resource behind its aliases.
fn resource(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Wit::Id(aliased)) = resolve.types[id].kind {
        id = aliased;
    }
    id
}

fn owner(resolve: &Resolve, id: TypeId) -> Option<InterfaceId> {
    match resolve.types[id].owner {
        TypeOwner::Interface(interface) => Some(interface),
        TypeOwner::World(_) | TypeOwner::None => None,
    }
}

/// Gives names, then puts everything in its place.
struct Reader<'a> {
    resolve: &'a Resolve,
    answered: &'a BTreeSet<InterfaceId>,
    interfaces: Vec<InterfaceId>,
    modules: BTreeMap<InterfaceId, usize>,
    types: Vec<Vec<TypeId>>,
    places: BTreeMap<TypeId, Place>,
}

impl<'a> Reader<'a> {
    fn new(resolve: &'a Resolve, answered: &'a BTreeSet<InterfaceId>, gathered: &Gathered) -> Self {
        let owners = gathered.types.iter().filter_map(|&id| owner(resolve, id));
        let all: BTreeSet<InterfaceId> = owners.chain(answered.iter().copied()).collect();
        let mut interfaces: Vec<InterfaceId> = all.into_iter().collect();
        interfaces.sort_by_key(|&id| resolve.id_of(id));
        let modules = interfaces.iter().enumerate().map(|(at, &id)| (id, at)).collect();
        let of_module = |&interface: &InterfaceId| {
            let all = resolve.interfaces[interface].types.values().copied();
            all.filter(|id| gathered.types.contains(id)).collect()
        };
        let types: Vec<Vec<TypeId>> = interfaces.iter().map(of_module).collect();
        let mut places = BTreeMap::new();
        for (module, types) in types.iter().enumerate() {
            let placed = types.iter().enumerate();
            places.extend(placed.map(|(index, &id)| (id, Place { module, index })));
        }
        Self { resolve, answered, interfaces, modules, types, places }
    }

    fn contract(&self) -> Contract {
        let mut names = Names::modules();
        let modules = (0..self.interfaces.len()).map(|at| self.module(at, &mut names));
        Contract { modules: modules.collect() }
    }

    fn module(&self, at: usize, names: &mut Names) -> Module {
        let id = self.interfaces[at];
        let interface = &self.resolve.interfaces[id];
        let wit = interface.name.as_deref().unwrap_or_default();
        let mut taken = Names::types();
        let types = self.types[at].iter().map(|&id| self.named(id, &mut taken)).collect();
        Module {
            id: id_of(self.resolve, id),
            name: names.take(snake(wit)),
            docs: docs(&interface.docs),
            types,
            answers: self.answered.contains(&id).then(|| self.answers(at, id, &mut taken)),
        }
    }

    fn named(&self, id: TypeId, names: &mut Names) -> Named {
        let def = &self.resolve.types[id];
        let wit = def.name.clone().unwrap_or_default();
        let wanted = match def.kind {
            TypeDefKind::Resource => format!("{}Handle", upper_camel(&wit)),
            _ => upper_camel(&wit),
        };
        let name = names.take(wanted);
        Named { docs: docs(&def.docs), kind: self.kind(id, &name, names), name, wit }
    }

    fn kind(&self, id: TypeId, name: &str, names: &mut Names) -> Kind {
        let mut cases = Names::of_cases();
        let mut bare = |wit: &str, of: &Docs| Case {
            wit: wit.to_owned(),
            name: cases.take(upper_camel(wit)),
            docs: docs(of),
            of: None,
        };
        match &self.resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                let mut taken = Names::default();
                let fields = record.fields.iter().map(|field| Field {
                    wit: field.name.clone(),
                    name: taken.take(snake(&field.name)),
                    docs: docs(&field.docs),
                    of: self.of(&field.ty),
                });
                Kind::Record(fields.collect())
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let of = case.ty.as_ref().map(|of| self.of(of));
                    Case { of, ..bare(&case.name, &case.docs) }
                });
                Kind::Variant(cases.collect())
            }
            TypeDefKind::Enum(all) => {
                Kind::Enum(all.cases.iter().map(|case| bare(&case.name, &case.docs)).collect())
            }
            TypeDefKind::Flags(all) => {
                let flags = all.flags.iter().map(|flag| bare(&flag.name, &flag.docs)).collect();
                Kind::Flags(names.take(format!("{name}Flag")), flags)
            }
            TypeDefKind::Resource => Kind::Handle,
            _ => Kind::Alias(self.structural(id)),
        }
    }

    fn answers(&self, at: usize, id: InterfaceId, names: &mut Names) -> Answers {
        let interface = &self.resolve.interfaces[id];
        let wit = interface.name.as_deref().unwrap_or_default();
        let mut functions_taken = Names::default();
        let mut params_taken = Names::types();
        let functions: Vec<Function> = interface
            .functions
            .values()
            .map(|function| self.function(function, &mut functions_taken, &mut params_taken))
            .collect();
        let name = names.take(upper_camel(wit));
        let resources = self.resources(at).into_iter().map(|id| {
            let def = &self.resolve.types[id];
            let wit = def.name.clone().unwrap_or_default();
            Resource {
                name: names.take(upper_camel(&wit)),
                table: functions_taken.take(snake(&format!("{wit}-handles"))),
                docs: docs(&def.docs),
                wit,
            }
        });
        let resources = resources.collect();
        Answers { name, resources, needs: self.needs(at, id), functions }
    }

    fn resources(&self, module: usize) -> Vec<TypeId> {
        let all = self.types[module].iter().copied();
        all.filter(|&id| matches!(self.resolve.types[id].kind, TypeDefKind::Resource)).collect()
    }

    /// Other modules whose resources are parameters or results here.
    fn needs(&self, at: usize, id: InterfaceId) -> Vec<usize> {
        let functions = self.resolve.interfaces[id].functions.values();
        let types = functions.flat_map(|function| {
            function.params.iter().map(|param| param.ty).chain(function.result)
        });
        let mut found = BTreeSet::new();
        for of in types {
            gather::handles(self.resolve, &of, &mut |resource| {
                found.extend(owner(self.resolve, resource).and_then(|id| self.modules.get(&id)));
            });
        }
        found.remove(&at);
        found.into_iter().collect()
    }

    fn function(
        &self,
        function: &wit_parser::Function,
        names: &mut Names,
        params_names: &mut Names,
    ) -> Function {
        let of_resource = |id: TypeId| self.resolve.types[id].name.clone().unwrap_or_default();
        let item = function.name.rsplit_once('.').map_or(function.name.as_str(), |(_, item)| item);
        let (called, receiver) = match function.kind {
            FunctionKind::Constructor(id) => (format!("new-{}", of_resource(id)), None),
            FunctionKind::Method(id) | FunctionKind::AsyncMethod(id) => {
                (format!("{}-{item}", of_resource(id)), Some(of_resource(id)))
            }
            FunctionKind::Static(id) | FunctionKind::AsyncStatic(id) => {
                (format!("{}-{item}", of_resource(id)), None)
            }
            FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => {
                (function.name.clone(), None)
            }
        };
        let mut taken = Names::params();
        let params = function.params.iter().map(|param| {
            let receiver = receiver.as_deref().filter(|_| param.name == "self");
            Field {
                name: taken.take(snake(receiver.unwrap_or(&param.name))),
                wit: param.name.clone(),
                docs: None,
                of: self.of(&param.ty),
            }
        });
        Function {
            params: params.collect(),
            name: names.take(snake(&called)),
            params_name: params_names.take(upper_camel(&called)),
            result: function.result.as_ref().map(|of| self.of(of)),
            docs: docs(&function.docs),
            wit: function.name.clone(),
        }
    }

    fn of(&self, of: &Wit) -> Type {
        match of {
            Wit::Bool => Type::Plain("bool"),
            Wit::U8 => Type::Plain("u8"),
            Wit::U16 => Type::Plain("u16"),
            Wit::U32 => Type::Plain("u32"),
            Wit::U64 => Type::Plain("u64"),
            Wit::S8 => Type::Plain("i8"),
            Wit::S16 => Type::Plain("i16"),
            Wit::S32 => Type::Plain("i32"),
            Wit::S64 => Type::Plain("i64"),
            Wit::F32 => Type::Plain("f32"),
            Wit::F64 => Type::Plain("f64"),
            Wit::Char => Type::Plain("char"),
            Wit::String => Type::Plain("String"),
            Wit::ErrorContext => unreachable!("gathering refuses error-context"),
            Wit::Id(id) => match self.places.get(id) {
                Some(&place) => Type::Named(place),
                None => self.structural(*id),
            },
        }
    }

    fn structural(&self, id: TypeId) -> Type {
        let boxed = |of: &Wit| Box::new(self.of(of));
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(of) => self.of(of),
            TypeDefKind::List(of) if gather::is_byte(self.resolve, of) => Type::Bytes,
            TypeDefKind::List(of) => Type::List(boxed(of)),
            TypeDefKind::Option(of) => Type::Option(boxed(of), gather::is_option(self.resolve, of)),
            TypeDefKind::Tuple(tuple) => {
                Type::Tuple(tuple.types.iter().map(|of| self.of(of)).collect())
            }
            TypeDefKind::Result(result) => {
                Type::Result(result.ok.as_ref().map(boxed), result.err.as_ref().map(boxed))
            }
            TypeDefKind::Handle(Handle::Own(id)) => self.handle(Ownership::Own, *id),
            TypeDefKind::Handle(Handle::Borrow(id)) => self.handle(Ownership::Borrow, *id),
            other => unreachable!("gathering refuses or names a {}", other.as_str()),
        }
    }

    fn handle(&self, ownership: Ownership, id: TypeId) -> Type {
        let id = resource(self.resolve, id);
        let handle = self.places[&id];
        let index = self.resources(handle.module).iter().position(|&found| found == id);
        let index = index.expect("a resource is one of its module's");
        Type::Handle(ownership, ResourceAt { handle, index })
    }
}

fn docs(docs: &Docs) -> Option<String> {
    docs.contents.clone()
}
