//! What `wattle new contract` writes, at work: bytes in, the function of the trait, bytes out.

#[allow(dead_code, unreachable_pub, reason = "it is written for a library")]
#[rustfmt::skip]
#[path = "new/provider/src/contract.rs"]
mod contract;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use contract::{
    Failure,
    carts::{self, CartHandle, Carts, Problem, Shelf},
    checkout::{self, Checkout},
    shapes::{self, All, Colour, Empty, Shade, Shapes, Vec_, Wishes, WishesFlag},
};
use serde::Serialize;
use wattle_core::{CallError, CallId, ErrorKind, Handle, codec};
use wattle_sdk::{CallContext, Handles, IncomingCall};

struct Shop {
    carts: Handles<Cart>,
    boxes: Handles<()>,
}

#[derive(Debug, Default)]
struct Cart {
    items: Mutex<Vec<(String, u32)>>,
}

impl Cart {
    fn count(&self) -> u32 {
        self.items.lock().expect("no panic").iter().map(|(_, count)| count).sum()
    }

    fn copy(&self) -> Self {
        Self { items: Mutex::new(self.items.lock().expect("no panic").clone()) }
    }
}

impl Carts for Shop {
    type Cart = Cart;
    type Box_ = ();

    fn cart_handles_(&self) -> &Handles<Cart> {
        &self.carts
    }

    fn box_handles(&self) -> &Handles<()> {
        &self.boxes
    }

    async fn new_cart(&self, _call: &CallContext, _wishes: Wishes) -> Result<Cart, CallError> {
        Ok(Cart::default())
    }

    async fn cart_add(
        &self,
        _call: &CallContext,
        cart: Arc<Cart>,
        item: String,
        count: u32,
    ) -> Result<u32, Failure<Problem>> {
        if count == 0 {
            return Err(Problem::Empty.into());
        }
        cart.items.lock().expect("no panic").push((item, count));
        Ok(cart.count())
    }

    async fn cart_clone(&self, _call: &CallContext, cart: Arc<Cart>) -> Result<Cart, CallError> {
        Ok(cart.copy())
    }

    async fn cart_merge(
        &self,
        _call: &CallContext,
        a: Arc<Cart>,
        b: Arc<Cart>,
    ) -> Result<Cart, Failure<Problem>> {
        let merged = a.copy();
        merged
            .items
            .lock()
            .expect("no panic")
            .extend(b.copy().items.into_inner().expect("no panic"));
        Ok(merged)
    }

    async fn cart_handles(
        &self,
        call: &CallContext,
        cart: Arc<Cart>,
    ) -> Result<Vec<CartHandle>, CallError> {
        Ok(vec![CartHandle(self.carts.insert(call.link, cart.copy())?)])
    }

    async fn new_box(&self, _call: &CallContext) -> Result<(), Failure<Problem>> {
        Err(Problem::Unknown(7))?
    }

    async fn put(
        &self,
        _call: &CallContext,
        shelf: Shelf,
    ) -> Result<Option<CartHandle>, CallError> {
        Ok(shelf.carts.first().copied())
    }
}

impl Checkout for Shop {
    async fn pay(
        &self,
        _call: &CallContext,
        cart: Arc<Cart>,
        _note: Option<String>,
    ) -> Result<u64, Failure<Problem>> {
        Ok(cart.count().into())
    }

    async fn copies(
        &self,
        _call: &CallContext,
        _of: Arc<Cart>,
    ) -> Result<Vec<CartHandle>, Failure<Problem>> {
        Err(CallError::new(ErrorKind::Failed, "the backend is down"))?
    }
}

impl Shapes for Shop {
    async fn nothing(&self, _call: &CallContext) -> Result<(), CallError> {
        Ok(())
    }

    async fn echo(&self, _call: &CallContext, value: All) -> Result<All, CallError> {
        Ok(value)
    }

    async fn r#type(
        &self,
        _call: &CallContext,
        _call_: u32,
        _params: Vec<String>,
        _provider: Option<char>,
        colour: Colour,
    ) -> Result<All, Failure<Shade>> {
        Err(Shade::Named(("x".to_owned(), colour)))?
    }

    async fn shapes(&self, _call: &CallContext) -> Result<(), Failure<()>> {
        Err(())?
    }

    async fn wrapped(
        &self,
        _call: &CallContext,
        a: Vec_,
        _b: shapes::Result_,
    ) -> Result<(), Failure<String>> {
        Err(a.string)?
    }

    async fn alias(&self, _call: &CallContext) -> Result<u64, Failure<String>> {
        Ok(7)
    }

    async fn many(
        &self,
        _call: &CallContext,
        first: String,
        _second: Vec<(String, Option<u64>)>,
        _third: Wishes,
        _fourth: Empty,
    ) -> Result<Vec<Option<String>>, CallError> {
        Ok(vec![Some(first), None])
    }
}

impl Shop {
    fn new() -> Self {
        Self { carts: Handles::new("cart"), boxes: Handles::new("box") }
    }

    async fn call(
        &self,
        interface: &str,
        function: &str,
        params: &impl Serialize,
    ) -> Result<Vec<u8>, CallError> {
        let call = IncomingCall {
            id: CallId::from_bytes([7; 16]),
            link: 1,
            interface: interface.into(),
            function: function.into(),
            params: codec::encode(params).into(),
            body: None,
            deadline: Instant::now() + Duration::from_secs(60),
            trace: None,
        };
        Ok(contract::answer(self, call).await?.result.to_vec())
    }

    async fn handle(&self, function: &str, params: &impl Serialize) -> CartHandle {
        let answer = self.call(carts::INTERFACE, function, params).await.expect("made");
        CartHandle(codec::decode::<Handle>(&answer, 5).expect("a handle"))
    }
}

fn all() -> All {
    All {
        a_bool: true,
        small: (-128, 255, -129, 65_535),
        large: (i32::MIN, u32::MAX, i64::MIN, u64::MAX),
        floats: (0.1, -0.0),
        letter: 'ß',
        name: "wattle".to_owned(),
        raw: vec![0, 0x80, 0xff].into(),
        shades: vec![Shade::None, Shade::Picture(Some(vec![1].into())), Shade::X2d_, Shade::Self_],
        colour: Colour::Rgb,
        wishes: [WishesFlag::Insured, WishesFlag::GiftWrap].into(),
        maybe: None,
        nested: Some((Some((None,)),)),
        hidden: Some((Some("x".to_owned()),)),
        outcome: Err(Shade::GreyLevel(7)),
        bare: Ok(()),
        r#type: "t".to_owned(),
        self_: false,
        http_status: 200,
        x_2d: 1.0,
        one: (7,),
        far: contract::units::Metres { value: 2.0, r#mod: contract::units::Scale::Kilo },
    }
}

#[tokio::test]
async fn every_kind_of_value_survives_and_is_called_what_the_wit_calls_it() {
    let shop = Shop::new();
    let params = shapes::params::Echo { value: all() };
    let answer = shop.call(shapes::INTERFACE, "echo", &params).await.expect("it answers");
    assert_eq!(answer, codec::encode(&all()));
    let has = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
    for part in [
        &b"\xa6a-bool\xc3"[..],
        b"\xa3raw\xc4\x03\x00\x80\xff",
        b"\xa6shades\x94\xa4none\x81\xa7picture\xc4\x01\x01\xa3x2d\xa4self",
        b"\xa6colour\xa3RGB",
        b"\xa6wishes\x92\xa9gift-wrap\xa7insured",
        b"\xa5maybe\xc0",
        b"\xa6nested\x91\x91\xc0",
        b"\xa6hidden\x91\xa1x",
        b"\xa7outcome\x81\xa3Err\x81\xaagrey-level\x07",
        b"\xa4bare\x81\xa2Ok\xc0",
        b"\xa4type\xa1t\xa4self\xc2\xabHTTP-status\xcc\xc8\xa4x-2d",
        b"\xa3one\x91\x07",
        b"\xa3mod\xa4kilo",
    ] {
        assert!(has(part), "{}", String::from_utf8_lossy(part));
    }
}

#[tokio::test]
async fn functions_answer_with_their_result_their_error_or_the_call_s() {
    let shop = Shop::new();
    let ask = async |function: &str| {
        shop.call(shapes::INTERFACE, function, &shapes::params::Nothing {}).await
    };
    assert_eq!(ask("nothing").await, Ok(b"\xc0".to_vec()));
    assert_eq!(ask("shapes").await, Ok(b"\x81\xa3Err\xc0".to_vec()));
    assert_eq!(ask("alias").await, Ok(b"\x81\xa2Ok\x07".to_vec()));
    let missing = ask("echo").await.expect_err("value is missing");
    assert_eq!(missing.kind, ErrorKind::Malformed);
    assert_eq!(ask("ech").await.expect_err("none").kind, ErrorKind::NotFound);
    let params = shapes::params::Type {
        call_: 1,
        params_: vec![],
        provider_: Some('x'),
        r#type: Colour::DarkRed,
    };
    let refused = shop.call(shapes::INTERFACE, "type", &params).await;
    assert_eq!(refused, Ok(b"\x81\xa3Err\x81\xa5named\x92\xa1x\xa8dark-red".to_vec()));
    let elsewhere = shop.call("wattle-test:everything/names", "echo", &params).await;
    assert_eq!(elsewhere.expect_err("it has no functions").kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn resources_are_made_lent_handed_over_and_dropped() {
    let shop = Shop::new();
    let made = carts::params::NewCart { wishes: Wishes::new() };
    let (first, second) = (
        shop.handle("[constructor]cart", &made).await,
        shop.handle("[constructor]cart", &made).await,
    );
    let add = |cart, count| carts::params::CartAdd { cart, item: "tea".to_owned(), count };
    let added = shop.call(carts::INTERFACE, "[method]cart.add", &add(first, 3)).await;
    assert_eq!(added, Ok(b"\x81\xa2Ok\x03".to_vec()));
    let refused = shop.call(carts::INTERFACE, "[method]cart.add", &add(first, 0)).await;
    assert_eq!(refused, Ok(b"\x81\xa3Err\xa5empty".to_vec()));
    let copy = shop.handle("[method]cart.clone", &carts::params::CartClone { cart: first }).await;
    shop.call(carts::INTERFACE, "[method]cart.add", &add(second, 4)).await.expect("added");
    // The first is handed over, the second lent.
    let merge = carts::params::CartMerge { a: first, b: second };
    let merged = shop.call(carts::INTERFACE, "[static]cart.merge", &merge).await.expect("merged");
    let merged =
        codec::decode::<Result<Handle, Problem>>(&merged, 99).expect("it is").expect("made");
    let gone = shop.call(carts::INTERFACE, "[method]cart.add", &add(first, 1)).await;
    assert_eq!(gone.expect_err("it was handed over").kind, ErrorKind::NotFound);
    let pay = checkout::params::Pay { cart: CartHandle(merged), note: None };
    let paid = shop.call(checkout::INTERFACE, "pay", &pay).await;
    assert_eq!(paid, Ok(b"\x81\xa2Ok\x07".to_vec()));
    assert_eq!(shop.carts.len(), 2);
    let down =
        shop.call(checkout::INTERFACE, "copies", &checkout::params::Copies { of: copy }).await;
    assert_eq!(down.expect_err("its backend is down").kind, ErrorKind::Failed);
    let refused = shop.call(carts::INTERFACE, "[constructor]box", &carts::params::NewBox {}).await;
    assert_eq!(refused, Ok(b"\x81\xa3Err\x81\xa7unknown\x07".to_vec()));
    let dropped = wattle_core::handle::Dropped { handles: vec![copy.0].into() };
    shop.call(carts::INTERFACE, "[resource-drop]cart", &dropped).await.expect("dropped");
    assert_eq!(shop.carts.len(), 1);
    contract::delete_link(&shop, 1);
    assert!(shop.carts.is_empty());
}
