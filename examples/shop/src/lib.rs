//! Tells the world what another actor says that things cost.

mod bindings {
    wit_bindgen::generate!({ path: "../price-list/wit", world: "shop" });
}

use bindings::example::shop::prices::price_of;
use wattle::{Request, Response, Result};

wattle::http!(price);

fn price(request: Request) -> Result<Response> {
    let item = request.path().trim_matches('/');
    let count = request.query("count").unwrap_or("1").parse()?;
    Ok(match price_of(item, count) {
        Some(price) => Response::text(format!("{} {}\n", price.cents, price.currency)),
        None => Response::text(format!("no {item}\n")).status(404),
    })
}
