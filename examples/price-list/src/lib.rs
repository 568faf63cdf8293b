//! Knows what things cost, and says so to whichever actor is linked to it.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "price-list" });
}

use bindings::exports::example::shop::prices::{Guest, Price};

struct PriceList;

bindings::export!(PriceList with_types_in bindings);

impl Guest for PriceList {
    fn price_of(item: String, count: u32) -> Option<Price> {
        let cents = match item.as_str() {
            "tea" => 350,
            "pot" => 2_900,
            _ => return None,
        };
        Some(Price { cents: cents * u64::from(count), currency: "CHF".to_owned() })
    }
}
