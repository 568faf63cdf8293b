//! Tells the world what another actor says that things cost.

mod bindings {
    wit_bindgen::generate!({ path: "../price-list/wit", world: "shop" });
}

use bindings::example::shop::prices::{Refusal, price_of, total_of};
use wattle::{Request, Response, Result};

wattle::http!(price);

fn price(request: Request) -> Result<Response> {
    let item = request.path().trim_matches('/');
    let count = request.query("count").unwrap_or("1").parse()?;
    Ok(match request.query("to") {
        Some(country) => total(item, count, country),
        None => match price_of(item, count) {
            Some(price) => Response::text(format!("{} {}\n", price.cents, price.currency)),
            None => no_item(item),
        },
    })
}

fn total(item: &str, count: u32, country: &str) -> Response {
    match total_of(item, count, country) {
        Ok(total) => {
            let (price, (tax, name)) = (total.price, total.tax);
            Response::text(format!("{} {}, {tax} of it {name}\n", price.cents, price.currency))
        }
        Err(Refusal::NoItem) => no_item(item),
        Err(Refusal::NoCountry(country)) => {
            Response::text(format!("nothing is sold to {country}\n")).status(404)
        }
    }
}

fn no_item(item: &str) -> Response {
    Response::text(format!("no {item}\n")).status(404)
}
