//! The shape of values, read once from a component's types: what encoding and decoding go by.

use wasmtime::component::{Type, types::ComponentFunc};

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
}

/// What the bridge cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("uses resources, which the bridge does not carry yet")]
    Resources,
    #[error("uses {0}, which the bridge does not carry yet")]
    Kind(&'static str),
    #[error("has types nested deeper than {DEPTH_MAX}")]
    Depth,
    #[error("has more than {SHAPES_MAX} types")]
    Count,
}

/// Reads shapes, as many as a component may have.
pub(super) struct Shapes {
    left: usize,
}

impl Shapes {
    pub(super) fn new() -> Self {
        Self { left: SHAPES_MAX }
    }

    pub(super) fn signature(&mut self, function: &ComponentFunc) -> Result<Signature, Unfit> {
        let names = Names::new(function.params().map(|(name, _)| name));
        let params: Result<_, _> = function.params().map(|(_, ty)| self.shape(&ty, 1)).collect();
        let result = function.results().next().map(|ty| self.shape(&ty, 1)).transpose()?;
        Ok(Signature { params: (names, params?), result })
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
            Type::Own(_) | Type::Borrow(_) => return Err(Unfit::Resources),
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
