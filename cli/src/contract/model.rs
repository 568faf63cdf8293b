//! A contract in Rust's words, before it is written.

/// The interfaces that a provider answers, and those whose types they use.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(super) modules: Vec<Module>,
}

/// One interface: a module.
#[derive(Debug)]
pub(super) struct Module {
    /// `namespace:package/interface`, as it is on the wire: without a version.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) docs: Option<String>,
    pub(super) types: Vec<Named>,
    /// What is answered; an interface that is used for its types alone has none.
    pub(super) answers: Option<Answers>,
}

/// The functions of an interface: a trait.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) name: String,
    pub(super) resources: Vec<Resource>,
    pub(super) functions: Vec<Function>,
    /// Modules whose resources the functions take or give: their traits are this one's, too.
    pub(super) needs: Vec<usize>,
}

/// A resource: a type of the trait's implementor, and a table of those that callers have.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) wit: String,
    /// The implementor's type.
    pub(super) name: String,
    /// The function that gives the table.
    pub(super) table: String,
    pub(super) docs: Option<String>,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) wit: String,
    pub(super) name: String,
    /// The type of its parameters on the wire.
    pub(super) params_name: String,
    pub(super) params: Vec<Field>,
    pub(super) result: Option<Type>,
    pub(super) docs: Option<String>,
}

/// A type with a name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) wit: String,
    pub(super) name: String,
    pub(super) docs: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Record(Vec<Field>),
    Variant(Vec<Case>),
    Enum(Vec<Case>),
    /// With the name of the type that one flag has.
    Flags(String, Vec<Case>),
    Alias(Type),
    /// What a resource is on the wire.
    Handle,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) wit: String,
    pub(super) name: String,
    pub(super) docs: Option<String>,
    pub(super) of: Type,
}

#[derive(Debug)]
pub(super) struct Case {
    pub(super) wit: String,
    pub(super) name: String,
    pub(super) docs: Option<String>,
    pub(super) of: Option<Type>,
}

#[derive(Clone, Debug)]
pub(super) enum Type {
    /// One that Rust has under this name.
    Plain(&'static str),
    /// `list<u8>`.
    Bytes,
    List(Box<Self>),
    Tuple(Vec<Self>),
    /// Whether what is in it is an option, too.
    Option(Box<Self>, bool),
    Result(Option<Box<Self>>, Option<Box<Self>>),
    Named(Place),
    Handle(Ownership, ResourceAt),
}

/// Where a named type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) module: usize,
    pub(super) index: usize,
}

/// Whose a handle is after the call that it is a parameter of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// The callee's.
    Own,
    /// The caller's, as before.
    Borrow,
}

/// A resource: what it is on the wire, and which of its module's resources it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResourceAt {
    pub(super) handle: Place,
    pub(super) index: usize,
}

impl Contract {
    pub(super) fn named(&self, place: Place) -> &Named {
        &self.modules[place.module].types[place.index]
    }

    pub(super) fn resource(&self, at: ResourceAt) -> &Resource {
        let answers = self.modules[at.handle.module].answers.as_ref();
        &answers.expect("only interfaces that are answered have resources").resources[at.index]
    }

    /// Modules with functions, by their numbers.
    pub(super) fn answered(&self) -> impl Iterator<Item = (usize, &Module, &Answers)> {
        let all = self.modules.iter().enumerate();
        all.filter_map(|(at, module)| Some((at, module, module.answers.as_ref()?)))
    }

    /// What the provider's claims list among its exports.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.answered().map(|(_, module, _)| module.id.as_str())
    }

    pub(super) fn has_resources(&self) -> bool {
        self.answered().any(|(_, _, answers)| !answers.resources.is_empty())
    }

    /// The type behind all aliases.
    pub(super) fn resolved<'a>(&'a self, mut of: &'a Type) -> &'a Type {
        while let Type::Named(place) = of
            && let Kind::Alias(aliased) = &self.named(*place).kind
        {
            of = aliased;
        }
        of
    }
}

impl Function {
    /// What it gives, apart from how it fails: nothing, a value, or the first case of a `result`, with the type of the other.
    pub(super) fn outcome<'a>(&'a self, contract: &'a Contract) -> Outcome<'a> {
        let resolved = self.result.as_ref().map(|of| contract.resolved(of));
        match resolved {
            Some(Type::Result(ok, err)) => {
                Outcome { gives: ok.as_deref(), error: Some(err.as_deref()) }
            }
            _ => Outcome { gives: self.result.as_ref(), error: None },
        }
    }
}

pub(super) struct Outcome<'a> {
    pub(super) gives: Option<&'a Type>,
    /// What it answers when it fails, if it has an answer for that: a `result` may have one without a value.
    pub(super) error: Option<Option<&'a Type>>,
}
