//! Answers HTTP by calling another actor. The README beside the workspace lists its routes.

mod bindings {
    #![allow(clippy::all, reason = "generated")]
    wit_bindgen::generate!({ path: "../wit", world: "front", generate_all });
}

use bindings::wattle_test::chain::{
    echo, mishaps, pricing,
    types::{Discount, Item, Refusal, Wishes},
};
use wattle::{Request, Response, Result, link};

wattle::http!(route);

fn route(request: Request) -> Result<Response> {
    if let Some(name) = request.query("link") {
        link::choose(name, &["wattle-test:chain/pricing"])?;
    }
    match request.path() {
        "/quote" => quote(request.query("items").unwrap_or_default()),
        "/bytes" => bytes(request.query("count").unwrap_or_default().parse()?),
        "/trap" => {
            mishaps::trap();
            Ok(Response::text("no trap\n"))
        }
        "/spin" => {
            mishaps::spin();
            Ok(Response::text("no spin\n"))
        }
        "/again" => {
            let times = request.query("times").unwrap_or_default().parse()?;
            Ok(Response::text(format!("{}\n", echo::again(times))))
        }
        "/tree" => {
            let number = |name| request.query(name).unwrap_or_default().parse::<u32>();
            Ok(Response::text(format!("{}\n", echo::tree(number("depth")?, number("width")?))))
        }
        _ => Ok(Response::text("front\n")),
    }
}

/// Asks for one of each of the items, which have one name each.
fn quote(items: &str) -> Result<Response> {
    let items: Vec<Item> = items.split(',').filter(|name| !name.is_empty()).map(item).collect();
    Ok(match pricing::quote(&items, Wishes::GIFT | Wishes::INSURED) {
        Ok(offer) => Response::text(format!("{offer:?}\n")),
        Err(Refusal::NothingAsked) => Response::text("nothing asked\n").status(400),
        Err(Refusal::UnknownItem(name)) => Response::text(format!("no {name}\n")).status(404),
    })
}

fn item(name: &str) -> Item {
    Item {
        name: name.to_owned(),
        count: 2,
        weight: Some(0.5),
        discount: Discount::Percent(10),
        label: b"\xffl".to_vec(),
    }
}

/// Sends that many bytes there and back.
fn bytes(count: usize) -> Result<Response> {
    let sent: Vec<u8> = (0..count).map(|at| at as u8).collect();
    let same = pricing::bytes(&sent) == sent;
    Ok(Response::text(format!("{count} bytes, {}\n", if same { "the same" } else { "others" })))
}
