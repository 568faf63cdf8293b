//! The provider: what everything does when it is called.

use std::sync::Arc;

use wattle_sdk::{
    CallContext, CallError, Context, ErrorKind, Handles, IncomingCall, LinkDetail, LinkError,
    LinkGrant, Provider, Reply, Side, StartError,
};

use crate::contract::{self, Failure, carts, checkout, shapes};

/// The provider everything: one value of it serves all links, many calls at once.
#[derive(Debug)]
pub struct Everything {
    cart_handles_: Handles<Cart>,
    box_handles: Handles<Box_>,
}

/// One `cart` of a caller. What changes in it needs a lock: calls share it.
#[derive(Debug)]
pub struct Cart {}

/// One `box` of a caller. What changes in it needs a lock: calls share it.
#[derive(Debug)]
pub struct Box_ {}

impl Provider for Everything {
    async fn start(_context: Context) -> Result<Self, StartError> {
        // Fill in: the provider's own settings are in `context.start.config`.
        Ok(Self { cart_handles_: Handles::new("cart"), box_handles: Handles::new("box") })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("everything is called, it does not call"));
        }
        // Fill in: check the link's settings, `link.config`, and keep by `link.link` what calls over it need. To hold callers to
        // something, name it in `CONSTRAINTS` and read it from `link.constraints`.
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        // Fill in: let go of what `put_link` kept.
        contract::delete_link(self, link);
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let provider = Arc::clone(self);
        async move { contract::answer(&*provider, call).await }
    }
}

impl carts::Carts for Everything {
    type Cart = Cart;

    fn cart_handles_(&self) -> &Handles<Cart> {
        &self.cart_handles_
    }
    type Box_ = Box_;

    fn box_handles(&self) -> &Handles<Box_> {
        &self.box_handles
    }

    async fn new_cart(
        &self,
        _call: &CallContext,
        _wishes: carts::Wishes,
    ) -> Result<Self::Cart, CallError> {
        not_written("[constructor]cart")
    }

    async fn cart_add(
        &self,
        _call: &CallContext,
        _cart: Arc<Self::Cart>,
        _item: String,
        _count: u32,
    ) -> Result<u32, Failure<carts::Problem>> {
        not_written("[method]cart.add")
    }

    async fn cart_clone(
        &self,
        _call: &CallContext,
        _cart: Arc<Self::Cart>,
    ) -> Result<Self::Cart, CallError> {
        not_written("[method]cart.clone")
    }

    async fn cart_merge(
        &self,
        _call: &CallContext,
        _a: Arc<Self::Cart>,
        _b: Arc<Self::Cart>,
    ) -> Result<Self::Cart, Failure<carts::Problem>> {
        not_written("[static]cart.merge")
    }

    async fn cart_handles(
        &self,
        _call: &CallContext,
        _cart: Arc<Self::Cart>,
    ) -> Result<Vec<carts::CartHandle>, CallError> {
        not_written("[method]cart.handles")
    }

    async fn new_box(&self, _call: &CallContext) -> Result<Self::Box_, Failure<carts::Problem>> {
        not_written("[constructor]box")
    }

    async fn put(
        &self,
        _call: &CallContext,
        _shelf: carts::Shelf,
    ) -> Result<Option<carts::CartHandle>, CallError> {
        not_written("put")
    }
}

impl checkout::Checkout for Everything {
    async fn pay(
        &self,
        _call: &CallContext,
        _cart: Arc<<Self as carts::Carts>::Cart>,
        _note: Option<String>,
    ) -> Result<u64, Failure<checkout::Trouble>> {
        not_written("pay")
    }

    async fn copies(
        &self,
        _call: &CallContext,
        _of: Arc<<Self as carts::Carts>::Cart>,
    ) -> Result<Vec<carts::CartHandle>, Failure<checkout::Trouble>> {
        not_written("copies")
    }
}

impl shapes::Shapes for Everything {
    async fn nothing(&self, _call: &CallContext) -> Result<(), CallError> {
        not_written("nothing")
    }

    async fn echo(
        &self,
        _call: &CallContext,
        _value: shapes::All,
    ) -> Result<shapes::All, CallError> {
        not_written("echo")
    }

    async fn r#type(
        &self,
        _call: &CallContext,
        _call_: u32,
        _params_: Vec<String>,
        _provider_: Option<char>,
        _type: shapes::Colour,
    ) -> Result<shapes::All, Failure<shapes::Shade>> {
        not_written("type")
    }

    async fn shapes(&self, _call: &CallContext) -> Result<(), Failure<()>> {
        not_written("shapes")
    }

    async fn wrapped(
        &self,
        _call: &CallContext,
        _a: shapes::Vec_,
        _b: shapes::Result_,
    ) -> Result<(), Failure<String>> {
        not_written("wrapped")
    }

    async fn alias(&self, _call: &CallContext) -> Result<u64, Failure<shapes::Failure_>> {
        not_written("alias")
    }

    async fn many(
        &self,
        _call: &CallContext,
        _first: String,
        _second: Vec<(String, Option<u64>)>,
        _third: shapes::Wishes,
        _fourth: shapes::Empty,
    ) -> Result<Vec<Option<String>>, CallError> {
        not_written("many")
    }
}

/// What a function answers until it is written.
fn not_written<T, E: From<CallError>>(function: &str) -> Result<T, E> {
    Err(CallError::new(ErrorKind::Failed, format!("{function} is not written yet")).into())
}
