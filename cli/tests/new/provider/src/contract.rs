//! What the WIT says, in Rust: types, a trait for each interface, and the way from a call to its function.
//!
//! Written by `wattle new contract` from `wit/`; what is changed here is lost when it writes again.

#![allow(clippy::all, rustdoc::all, reason = "names and shapes are those of the WIT")]

use wattle_sdk::{CallError, IncomingCall, Reply};

/// Answers a call: the whole of what a provider of these interfaces does in `Provider::call`.
pub async fn answer<P>(provider: &P, call: IncomingCall) -> Result<Reply, CallError>
where
    P: carts::Carts + checkout::Checkout + shapes::Shapes,
{
    let (context, function, params) = (call.context(), &*call.function, &*call.params);
    match &*call.interface {
        carts::INTERFACE => carts::answer(provider, &context, function, params).await,
        checkout::INTERFACE => checkout::answer(provider, &context, function, params).await,
        shapes::INTERFACE => shapes::answer(provider, &context, function, params).await,
        other => Err(wattle_sdk::unknown_function(other, function)),
    }
}

/// Drops the resources that a link's caller still has: part of `Provider::delete_link`.
pub fn delete_link<P: carts::Carts>(provider: &P, link: u32) {
    carts::Carts::cart_handles_(provider).delete_link(link);
    carts::Carts::box_handles(provider).delete_link(link);
}

/// Why a function failed whose WIT has an error for that.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure<E> {
    /// It answers with this error, which its caller sees.
    Answer(E),
    /// It does not answer: the actor that called ends with this.
    Call(CallError),
}

impl<E> Failure<E> {
    fn outcome<T>(given: Result<T, Self>) -> Result<Result<T, E>, CallError> {
        match given {
            Ok(given) => Ok(Ok(given)),
            Err(Self::Answer(error)) => Ok(Err(error)),
            Err(Self::Call(error)) => Err(error),
        }
    }
}

impl<E> From<CallError> for Failure<E> {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<()> for Failure<()> {
    fn from(error: ()) -> Self {
        Self::Answer(error)
    }
}

impl From<String> for Failure<String> {
    fn from(error: String) -> Self {
        Self::Answer(error)
    }
}

impl From<carts::Problem> for Failure<carts::Problem> {
    fn from(error: carts::Problem) -> Self {
        Self::Answer(error)
    }
}

impl From<shapes::Shade> for Failure<shapes::Shade> {
    fn from(error: shapes::Shade) -> Self {
        Self::Answer(error)
    }
}

/// Resources, here and from another interface.
pub mod carts {
    use wattle_sdk::{CallContext, CallError, Reply};

    /// Its name on the wire.
    pub const INTERFACE: &str = "wattle-test:everything/carts";

    /// Answers `wattle-test:everything/carts`: many calls at once, each dropped when its caller
    /// goes away or its time is up.
    pub trait Carts: Send + Sync + 'static {
        /// What somebody wants to buy.
        ///
        /// Calls share one; it is dropped with the last that uses it after its caller has let go of it.
        type Cart: Send + Sync + 'static;

        /// Those that callers have of `cart`: a field of the provider.
        fn cart_handles_(&self) -> &wattle_sdk::Handles<Self::Cart>;

        /// The WIT's resource `box`.
        ///
        /// Calls share one; it is dropped with the last that uses it after its caller has let go of it.
        type Box_: Send + Sync + 'static;

        /// Those that callers have of `box`: a field of the provider.
        fn box_handles(&self) -> &wattle_sdk::Handles<Self::Box_>;

        /// The WIT's `[constructor]cart`.
        fn new_cart(
            &self,
            call: &CallContext,
            wishes: Wishes,
        ) -> impl Future<Output = Result<Self::Cart, CallError>> + Send;

        /// How many there are now.
        fn cart_add(
            &self,
            call: &CallContext,
            cart: std::sync::Arc<Self::Cart>,
            item: String,
            count: u32,
        ) -> impl Future<Output = Result<u32, super::Failure<Problem>>> + Send;

        /// The WIT's `[method]cart.clone`.
        fn cart_clone(
            &self,
            call: &CallContext,
            cart: std::sync::Arc<Self::Cart>,
        ) -> impl Future<Output = Result<Self::Cart, CallError>> + Send;

        /// The WIT's `[static]cart.merge`.
        fn cart_merge(
            &self,
            call: &CallContext,
            a: std::sync::Arc<Self::Cart>,
            b: std::sync::Arc<Self::Cart>,
        ) -> impl Future<Output = Result<Self::Cart, super::Failure<Problem>>> + Send;

        /// The WIT's `[method]cart.handles`.
        fn cart_handles(
            &self,
            call: &CallContext,
            cart: std::sync::Arc<Self::Cart>,
        ) -> impl Future<Output = Result<Vec<CartHandle>, CallError>> + Send;

        /// The WIT's `[constructor]box`.
        fn new_box(
            &self,
            call: &CallContext,
        ) -> impl Future<Output = Result<Self::Box_, super::Failure<Problem>>> + Send;

        /// The WIT's `put`.
        fn put(
            &self,
            call: &CallContext,
            shelf: Shelf,
        ) -> impl Future<Output = Result<Option<CartHandle>, CallError>> + Send;
    }

    /// The WIT's `wishes`.
    pub type Wishes = super::shapes::Wishes;

    /// The WIT's variant `problem`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Problem {
        /// The WIT's `empty`.
        Empty,
        /// The WIT's `unknown`.
        Unknown(u32),
    }

    /// The WIT's resource `cart`, as a caller has it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    pub struct CartHandle(pub wattle_sdk::Handle);

    /// The WIT's resource `box`, as a caller has it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    pub struct BoxHandle(pub wattle_sdk::Handle);

    /// The WIT's record `shelf`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Shelf {
        /// The WIT's `carts`.
        pub carts: Vec<CartHandle>,
        /// The WIT's `spare`.
        pub spare: Option<BoxHandle>,
    }

    /// Parameters as they are on the wire.
    pub mod params {
        /// Those of `[constructor]cart`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct NewCart {
            /// The WIT's `wishes`.
            pub wishes: super::Wishes,
        }

        /// Those of `[method]cart.add`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct CartAdd {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub cart: super::CartHandle,
            /// The WIT's `item`.
            pub item: String,
            /// The WIT's `count`.
            pub count: u32,
        }

        /// Those of `[method]cart.clone`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct CartClone {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub cart: super::CartHandle,
        }

        /// Those of `[static]cart.merge`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct CartMerge {
            /// The WIT's `a`.
            pub a: super::CartHandle,
            /// The WIT's `b`.
            pub b: super::CartHandle,
        }

        /// Those of `[method]cart.handles`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct CartHandles {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub cart: super::CartHandle,
        }

        /// Those of `[constructor]box`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct NewBox {}

        /// Those of `put`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Put {
            /// The WIT's `shelf`.
            pub shelf: super::Shelf,
        }
    }

    pub(super) async fn answer<P: Carts>(
        provider: &P,
        call: &CallContext,
        function: &str,
        params: &[u8],
    ) -> Result<Reply, CallError> {
        match function {
            "[constructor]cart" => {
                let params::NewCart { wishes } = wattle_sdk::decode_params(params)?;
                let given = Carts::new_cart(provider, call, wishes).await?;
                let given = Carts::cart_handles_(provider).insert(call.link, given)?;
                wattle_sdk::encode_result(&given)
            }
            "[method]cart.add" => {
                let params::CartAdd { cart, item, count } = wattle_sdk::decode_params(params)?;
                let cart = Carts::cart_handles_(provider).get(call.link, cart.0)?;
                let given = Carts::cart_add(provider, call, cart, item, count).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "[method]cart.clone" => {
                let params::CartClone { cart } = wattle_sdk::decode_params(params)?;
                let cart = Carts::cart_handles_(provider).get(call.link, cart.0)?;
                let given = Carts::cart_clone(provider, call, cart).await?;
                let given = Carts::cart_handles_(provider).insert(call.link, given)?;
                wattle_sdk::encode_result(&given)
            }
            "[static]cart.merge" => {
                let params::CartMerge { a, b } = wattle_sdk::decode_params(params)?;
                let a = Carts::cart_handles_(provider).take(call.link, a.0)?;
                let b = Carts::cart_handles_(provider).get(call.link, b.0)?;
                let given = Carts::cart_merge(provider, call, a, b).await;
                let given = match super::Failure::outcome(given)? {
                    Ok(made) => Ok(Carts::cart_handles_(provider).insert(call.link, made)?),
                    Err(error) => Err(error),
                };
                wattle_sdk::encode_result(&given)
            }
            "[method]cart.handles" => {
                let params::CartHandles { cart } = wattle_sdk::decode_params(params)?;
                let cart = Carts::cart_handles_(provider).get(call.link, cart.0)?;
                let given = Carts::cart_handles(provider, call, cart).await?;
                wattle_sdk::encode_result(&given)
            }
            "[constructor]box" => {
                let params::NewBox {} = wattle_sdk::decode_params(params)?;
                let given = Carts::new_box(provider, call).await;
                let given = match super::Failure::outcome(given)? {
                    Ok(made) => Ok(Carts::box_handles(provider).insert(call.link, made)?),
                    Err(error) => Err(error),
                };
                wattle_sdk::encode_result(&given)
            }
            "put" => {
                let params::Put { shelf } = wattle_sdk::decode_params(params)?;
                let given = Carts::put(provider, call, shelf).await?;
                wattle_sdk::encode_result(&given)
            }
            "[resource-drop]cart" => Carts::cart_handles_(provider).dropped(call.link, params),
            "[resource-drop]box" => Carts::box_handles(provider).dropped(call.link, params),
            _ => Err(wattle_sdk::unknown_function(INTERFACE, function)),
        }
    }
}

/// The WIT's interface `wattle-test:everything/checkout`.
pub mod checkout {
    use wattle_sdk::{CallContext, CallError, Reply};

    /// Its name on the wire.
    pub const INTERFACE: &str = "wattle-test:everything/checkout";

    /// Answers `wattle-test:everything/checkout`: many calls at once, each dropped when its caller
    /// goes away or its time is up.
    pub trait Checkout: super::carts::Carts + Send + Sync + 'static {
        /// The WIT's `pay`.
        fn pay(
            &self,
            call: &CallContext,
            cart: std::sync::Arc<<Self as super::carts::Carts>::Cart>,
            note: Option<String>,
        ) -> impl Future<Output = Result<u64, super::Failure<Trouble>>> + Send;

        /// The WIT's `copies`.
        fn copies(
            &self,
            call: &CallContext,
            of: std::sync::Arc<<Self as super::carts::Carts>::Cart>,
        ) -> impl Future<Output = Result<Vec<super::carts::CartHandle>, super::Failure<Trouble>>> + Send;
    }

    /// The WIT's `trouble`.
    pub type Trouble = super::carts::Problem;

    /// Parameters as they are on the wire.
    pub mod params {
        /// Those of `pay`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Pay {
            /// The WIT's `cart`.
            pub cart: super::super::carts::CartHandle,
            /// The WIT's `note`.
            pub note: Option<String>,
        }

        /// Those of `copies`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Copies {
            /// The WIT's `of`.
            pub of: super::super::carts::CartHandle,
        }
    }

    pub(super) async fn answer<P: Checkout>(
        provider: &P,
        call: &CallContext,
        function: &str,
        params: &[u8],
    ) -> Result<Reply, CallError> {
        match function {
            "pay" => {
                let params::Pay { cart, note } = wattle_sdk::decode_params(params)?;
                let cart = super::carts::Carts::cart_handles_(provider).take(call.link, cart.0)?;
                let given = Checkout::pay(provider, call, cart, note).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "copies" => {
                let params::Copies { of } = wattle_sdk::decode_params(params)?;
                let of = super::carts::Carts::cart_handles_(provider).get(call.link, of.0)?;
                let given = Checkout::copies(provider, call, of).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            _ => Err(wattle_sdk::unknown_function(INTERFACE, function)),
        }
    }
}

/// Only for its types.
pub mod names {
    /// The WIT's `id`.
    pub type Id = u64;

    /// The WIT's record `crate`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Crate {
        /// The WIT's `id`.
        pub id: Id,
    }
}

/// Every kind of type, and names that Rust has its own ideas about.
pub mod shapes {
    use wattle_sdk::{CallContext, CallError, Reply};

    /// Its name on the wire.
    pub const INTERFACE: &str = "wattle-test:everything/shapes";

    /// Answers `wattle-test:everything/shapes`: many calls at once, each dropped when its caller
    /// goes away or its time is up.
    pub trait Shapes: Send + Sync + 'static {
        /// ```text
        /// let code = "this is no test of Rust";
        /// ```
        ///
        /// nor is this
        fn nothing(&self, call: &CallContext) -> impl Future<Output = Result<(), CallError>> + Send;

        /// The WIT's `echo`.
        fn echo(
            &self,
            call: &CallContext,
            value: All,
        ) -> impl Future<Output = Result<All, CallError>> + Send;

        /// The WIT's `type`.
        fn r#type(
            &self,
            call: &CallContext,
            call_: u32,
            params_: Vec<String>,
            provider_: Option<char>,
            r#type: Colour,
        ) -> impl Future<Output = Result<All, super::Failure<Shade>>> + Send;

        /// The WIT's `shapes`.
        fn shapes(
            &self,
            call: &CallContext,
        ) -> impl Future<Output = Result<(), super::Failure<()>>> + Send;

        /// The WIT's `wrapped`.
        fn wrapped(
            &self,
            call: &CallContext,
            a: Vec_,
            b: Result_,
        ) -> impl Future<Output = Result<(), super::Failure<String>>> + Send;

        /// The WIT's `alias`.
        fn alias(
            &self,
            call: &CallContext,
        ) -> impl Future<Output = Result<u64, super::Failure<Failure_>>> + Send;

        /// The WIT's `many`.
        fn many(
            &self,
            call: &CallContext,
            first: String,
            second: Vec<(String, Option<u64>)>,
            third: Wishes,
            fourth: Empty,
        ) -> impl Future<Output = Result<Vec<Option<String>>, CallError>> + Send;
    }

    /// The WIT's `id`.
    pub type Id = super::names::Id;

    /// The WIT's `crate`.
    pub type Crate = super::names::Crate;

    /// The WIT's `length`.
    pub type Length = super::units::Metres;

    /// Nothing in it.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Empty {}

    /// The WIT's `maybe-text`.
    pub type MaybeText = Option<String>;

    /// The WIT's `blob`.
    pub type Blob = serde_bytes::ByteBuf;

    /// The WIT's enum `colour`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Colour {
        /// The WIT's `dark-red`.
        DarkRed,
        /// The WIT's `RGB`.
        #[serde(rename = "RGB")]
        Rgb,
    }

    /// The WIT's variant `shade`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Shade {
        /// The WIT's `none`.
        None,
        /// The WIT's `grey-level`.
        GreyLevel(u8),
        /// The WIT's `named`.
        Named((String, Colour)),
        /// The WIT's `picture`.
        Picture(Option<Blob>),
        /// The WIT's `self`.
        #[serde(rename = "self")]
        Self_,
        /// The WIT's `x-2d`.
        #[serde(rename = "x-2d")]
        X2d,
        /// The WIT's `x2d`.
        #[serde(rename = "x2d")]
        X2d_,
    }

    /// The WIT's flags `wishes`.
    pub type Wishes = std::collections::BTreeSet<WishesFlag>;

    /// One of [`Wishes`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum WishesFlag {
        /// The WIT's `gift-wrap`.
        GiftWrap,
        /// The WIT's `insured`.
        Insured,
    }

    /// Fields are called what they are called.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct All {
        /// The WIT's `a-bool`.
        pub a_bool: bool,
        /// The WIT's `small`.
        pub small: (i8, u8, i16, u16),
        /// The WIT's `large`.
        pub large: (i32, u32, i64, u64),
        /// The WIT's `floats`.
        pub floats: (f32, f64),
        /// The WIT's `letter`.
        pub letter: char,
        /// The WIT's `name`.
        pub name: String,
        /// The WIT's `raw`.
        pub raw: serde_bytes::ByteBuf,
        /// The WIT's `shades`.
        pub shades: Vec<Shade>,
        /// The WIT's `colour`.
        pub colour: Colour,
        /// The WIT's `wishes`.
        pub wishes: Wishes,
        /// The WIT's `maybe`.
        pub maybe: Option<u32>,
        /// Options in options.
        pub nested: Option<(Option<(Option<String>,)>,)>,
        /// The WIT's `hidden`.
        pub hidden: Option<(MaybeText,)>,
        /// The WIT's `outcome`.
        pub outcome: Result<serde_bytes::ByteBuf, Shade>,
        /// The WIT's `bare`.
        pub bare: Result<(), ()>,
        /// Words of Rust.
        pub r#type: String,
        /// The WIT's `self`.
        #[serde(rename = "self")]
        pub self_: bool,
        /// The WIT's `HTTP-status`.
        #[serde(rename = "HTTP-status")]
        pub http_status: u16,
        /// The WIT's `x-2d`.
        pub x_2d: f64,
        /// The WIT's `one`.
        pub one: (Id,),
        /// The WIT's `far`.
        pub far: Length,
    }

    /// Names that the text means something else by.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Vec_ {
        /// The WIT's `string`.
        pub string: String,
    }

    /// The WIT's record `option`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Option_ {
        /// The WIT's `some`.
        pub some: Crate,
    }

    /// The WIT's variant `result`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Result_ {
        /// The WIT's `ok`.
        Ok(Vec_),
        /// The WIT's `err`.
        Err(Option_),
    }

    /// The WIT's `failure`.
    pub type Failure_ = String;

    /// The WIT's `outcome`.
    pub type Outcome = Result<u64, Failure_>;

    /// Parameters as they are on the wire.
    pub mod params {
        /// Those of `nothing`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Nothing {}

        /// Those of `echo`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Echo {
            /// The WIT's `value`.
            pub value: super::All,
        }

        /// Those of `type`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Type {
            /// The WIT's `call`.
            #[serde(rename = "call")]
            pub call_: u32,
            /// The WIT's `params`.
            #[serde(rename = "params")]
            pub params_: Vec<String>,
            /// The WIT's `provider`.
            #[serde(rename = "provider")]
            pub provider_: Option<char>,
            /// The WIT's `type`.
            pub r#type: super::Colour,
        }

        /// Those of `shapes`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Shapes {}

        /// Those of `wrapped`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Wrapped {
            /// The WIT's `a`.
            pub a: super::Vec_,
            /// The WIT's `b`.
            pub b: super::Result_,
        }

        /// Those of `alias`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Alias {}

        /// Those of `many`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Many {
            /// The WIT's `first`.
            pub first: String,
            /// The WIT's `second`.
            pub second: Vec<(String, Option<u64>)>,
            /// The WIT's `third`.
            pub third: super::Wishes,
            /// The WIT's `fourth`.
            pub fourth: super::Empty,
        }
    }

    pub(super) async fn answer<P: Shapes>(
        provider: &P,
        call: &CallContext,
        function: &str,
        params: &[u8],
    ) -> Result<Reply, CallError> {
        match function {
            "nothing" => {
                let params::Nothing {} = wattle_sdk::decode_params(params)?;
                let given = Shapes::nothing(provider, call).await?;
                wattle_sdk::encode_result(&given)
            }
            "echo" => {
                let params::Echo { value } = wattle_sdk::decode_params(params)?;
                let given = Shapes::echo(provider, call, value).await?;
                wattle_sdk::encode_result(&given)
            }
            "type" => {
                let params::Type { call_, params_, provider_, r#type } = wattle_sdk::decode_params(params)?;
                let given = Shapes::r#type(provider, call, call_, params_, provider_, r#type).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "shapes" => {
                let params::Shapes {} = wattle_sdk::decode_params(params)?;
                let given = Shapes::shapes(provider, call).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "wrapped" => {
                let params::Wrapped { a, b } = wattle_sdk::decode_params(params)?;
                let given = Shapes::wrapped(provider, call, a, b).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "alias" => {
                let params::Alias {} = wattle_sdk::decode_params(params)?;
                let given = Shapes::alias(provider, call).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "many" => {
                let params::Many { first, second, third, fourth } = wattle_sdk::decode_params(params)?;
                let given = Shapes::many(provider, call, first, second, third, fourth).await?;
                wattle_sdk::encode_result(&given)
            }
            _ => Err(wattle_sdk::unknown_function(INTERFACE, function)),
        }
    }
}

/// The WIT's interface `wattle-test:other/units`.
pub mod units {
    /// The WIT's enum `scale`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Scale {
        /// The WIT's `true`.
        True,
        /// The WIT's `kilo`.
        Kilo,
    }

    /// How far.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Metres {
        /// The WIT's `value`.
        pub value: f64,
        /// The WIT's `mod`.
        pub r#mod: Scale,
    }
}
