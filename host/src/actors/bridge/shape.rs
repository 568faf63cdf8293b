//! The shape of values, read once from a component's types: what encoding and decoding go by.

use std::sync::Arc;

use wasmtime::component::{ResourceType, Type, types::ComponentFunc};

use super::resources::Resources;

/// How deep types may be nested. The wire nests at most twice as deep, and one more for the parameters, which has to stay within
/// [`codec::DEPTH_MAX`](wattle_core::codec::DEPTH_MAX).
pub(super) const DEPTH_MAX: usize = 24;

/// Types in all functions of a component that the bridge carries. A type is counted wherever it is used: a small component can
/// name one that would be written out as billions.
pub(super) const SHAPES_MAX: usize = 20_000;

/// What a value looks like, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    Float32,
    Float64,
    Char,
    String,
    /// `list<u8>`.
    Bytes,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    Record(Names, Vec<Shape>),
    Variant(Names, Vec<Option<Shape>>),
    Enum(Names),
    Flags(Names),
    /// `nested`: what is in it is an option, too.
    Option {
        of: Box<Shape>,
        nested: bool,
    },
    /// Its cases are [`RESULT_CASES`].
    Result(Box<[Option<Shape>; 2]>),
    /// A resource, by where it stands among those of the component ([`Resources`]). On the wire it is a `u32`, and that is what it is to
    /// encoding and decoding.
    Handle {
        resource: u32,
        owned: bool,
    },
}

/// What serde calls the cases of a `Result`.
pub(super) const RESULT_CASES: [&str; 2] = ["Ok", "Err"];

/// Names in their order, and found without trying them all: a hostile message asks for many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    names: Vec<Box<str>>,
    sorted: Vec<usize>,
}

impl Names {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        let mut sorted: Vec<usize> = (0..names.len()).collect();
        sorted.sort_by_key(|&index| &names[index]);
        Self { names, sorted }
    }

    /// Where the name stands.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let found = self.sorted.binary_search_by(|&index| self.names[index].as_ref().cmp(name));
        found.ok().and_then(|at| self.sorted.get(at)).copied()
    }

    /// The name that was found there.
    pub(super) fn get(&self, at: usize) -> &str {
        &self.names[at]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }
}

/// What a function takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) params: (Names, Vec<Shape>),
    pub(super) result: Option<Shape>,
    /// Nothing, for a function without handles.
    pub(super) handles: Option<Handles>,
}

/// Where a function has handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handles {
    /// Which parameters have some.
    pub(super) params: Vec<bool>,
    /// Of which resources, each once.
    pub(super) resources: Vec<u32>,
}

/// What the bridge cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error(
        "is or uses a resource: an instance of an actor lives for one call, so only a provider can offer them"
    )]
    Offered,
    #[error(
        "uses the resource {0}, which does not live behind a link: an interface of one's own cannot take or give it"
    )]
    Foreign(Arc<str>),
    #[error("uses {0}, which the bridge does not carry yet")]
    Kind(&'static str),
    #[error("has types nested deeper than {DEPTH_MAX}")]
    Depth,
    #[error("has more than {SHAPES_MAX} types")]
    Count,
}

/// Reads shapes, as many as a component may have.
pub(super) struct Shapes<'a> {
    left: usize,
    /// What the component imports; nothing for its exports, which cannot have any.
    resources: Option<&'a Resources>,
    /// Of the function that is being read.
    used: Vec<u32>,
    handles: usize,
}

impl<'a> Shapes<'a> {
    pub(super) fn of_exports() -> Self {
        Self { left: SHAPES_MAX, resources: None, used: Vec::new(), handles: 0 }
    }

    pub(super) fn of_imports(resources: &'a Resources) -> Self {
        Self { resources: Some(resources), ..Self::of_exports() }
    }

    pub(super) fn signature(&mut self, function: &ComponentFunc) -> Result<Signature, Unfit> {
        (self.handles, self.used) = (0, Vec::new());
        let names = Names::new(function.params().map(|(name, _)| name));
        let (mut shapes, mut with_handles) = (Vec::new(), Vec::new());
        for (_, ty) in function.params() {
            let before = self.handles;
            shapes.push(self.shape(&ty, 1)?);
            with_handles.push(self.handles > before);
        }
        let result = function.results().next().map(|ty| self.shape(&ty, 1)).transpose()?;
        let resources = std::mem::take(&mut self.used);
        let handles = (self.handles > 0).then_some(Handles { params: with_handles, resources });
        Ok(Signature { params: (names, shapes), result, handles })
    }

    /// Where a resource stands that lives behind a link; what lives here may be named as long as no function uses it.
    pub(super) fn resource(&self, ty: &ResourceType) -> Result<Option<u32>, Unfit> {
        Ok(self.resources.ok_or(Unfit::Offered)?.find(ty).ok())
    }

    fn handle(&mut self, ty: &ResourceType, owned: bool) -> Result<Shape, Unfit> {
        let resources = self.resources.ok_or(Unfit::Offered)?;
        let resource = resources.find(ty).map_err(Unfit::Foreign)?;
        if !self.used.contains(&resource) {
            self.used.push(resource);
        }
        self.handles += 1;
        Ok(Shape::Handle { resource, owned })
    }

    fn shape(&mut self, ty: &Type, depth: usize) -> Result<Shape, Unfit> {
        if depth > DEPTH_MAX {
            return Err(Unfit::Depth);
        }
        self.left = self.left.checked_sub(1).ok_or(Unfit::Count)?;
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::S8,
            Type::U8 => Shape::U8,
            Type::S16 => Shape::S16,
            Type::U16 => Shape::U16,
            Type::S32 => Shape::S32,
            Type::U32 => Shape::U32,
            Type::S64 => Shape::S64,
            Type::U64 => Shape::U64,
            Type::Float32 => Shape::Float32,
            Type::Float64 => Shape::Float64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::Enum(ty) => Shape::Enum(Names::new(ty.names())),
            Type::Flags(ty) => Shape::Flags(Names::new(ty.names())),
            Type::Own(ty) => self.handle(ty, true)?,
            Type::Borrow(ty) => self.handle(ty, false)?,
            Type::Map(_) => return Err(Unfit::Kind("map")),
            Type::Future(_) => return Err(Unfit::Kind("future")),
            Type::Stream(_) => return Err(Unfit::Kind("stream")),
            Type::ErrorContext => return Err(Unfit::Kind("error-context")),
            Type::FixedLengthList(_) => return Err(Unfit::Kind("lists of a fixed length")),
            nesting => self.nesting(nesting, depth + 1)?,
        })
    }

    /// Types that other types are in.
    fn nesting(&mut self, ty: &Type, depth: usize) -> Result<Shape, Unfit> {
        Ok(match ty {
            Type::List(ty) => match self.shape(&ty.ty(), depth)? {
                Shape::U8 => Shape::Bytes,
                of => Shape::List(Box::new(of)),
            },
            Type::Tuple(ty) => {
                Shape::Tuple(ty.types().map(|ty| self.shape(&ty, depth)).collect::<Result<_, _>>()?)
            }
            Type::Record(ty) => {
                let names = Names::new(ty.fields().map(|field| field.name));
                let of = ty.fields().map(|field| self.shape(&field.ty, depth));
                Shape::Record(names, of.collect::<Result<_, _>>()?)
            }
            Type::Variant(ty) => {
                let names = Names::new(ty.cases().map(|case| case.name));
                let of = ty.cases().map(|case| self.payload(case.ty, depth));
                Shape::Variant(names, of.collect::<Result<_, _>>()?)
            }
            Type::Option(ty) => {
                let of = self.shape(&ty.ty(), depth)?;
                let nested = matches!(of, Shape::Option { .. });
                Shape::Option { of: Box::new(of), nested }
            }
            Type::Result(ty) => {
                let cases = [self.payload(ty.ok(), depth)?, self.payload(ty.err(), depth)?];
                Shape::Result(Box::new(cases))
            }
            _ => return Err(Unfit::Kind("a type of a later version")),
        })
    }

    fn payload(&mut self, ty: Option<Type>, depth: usize) -> Result<Option<Shape>, Unfit> {
        ty.map(|ty| self.shape(&ty, depth)).transpose()
    }
}
