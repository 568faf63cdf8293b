//! Knows what things cost, and says so to whichever actor is linked to it; what the tax on them is, it asks another.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "price-list" });
}

use bindings::{
    example::shop::taxes::{Goods, rate_of},
    exports::example::shop::prices::{Guest, Price, Refusal, Total},
};

struct PriceList;

bindings::export!(PriceList with_types_in bindings);

/// What one costs, and what it is to a tax office.
fn listed(item: &str) -> Option<(u64, Goods)> {
    match item {
        "tea" => Some((350, Goods::Food)),
        "pot" => Some((2_900, Goods::Other)),
        _ => None,
    }
}

impl Guest for PriceList {
    fn price_of(item: String, count: u32) -> Option<Price> {
        let (cents, _) = listed(&item)?;
        Some(Price { cents: cents * u64::from(count), currency: "CHF".to_owned() })
    }

    fn total_of(item: String, count: u32, country: String) -> Result<Total, Refusal> {
        let (cents, goods) = listed(&item).ok_or(Refusal::NoItem)?;
        let rate = rate_of(&country, goods).ok_or(Refusal::NoCountry(country))?;
        let net = cents * u64::from(count);
        // Half a cent is one.
        let tax = (net * u64::from(rate.permille) + 500) / 1_000;
        let price = Price { cents: net + tax, currency: "CHF".to_owned() };
        Ok(Total { price, tax: (tax, rate.name) })
    }
}
