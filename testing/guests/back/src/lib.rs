//! Answers other actors. What it does is in the WIT beside the workspace.

mod bindings {
    #![allow(clippy::all, reason = "generated")]
    wit_bindgen::generate!({ path: "../wit", world: "back", generate_all });
}

use bindings::{
    exports::wattle_test::chain::{echo, mishaps, pricing},
    wattle_test::chain::{
        echo::{again, tree},
        types::{Currency, Discount, Item, Offer, Refusal, Wishes},
    },
};

struct Back;

bindings::export!(Back with_types_in bindings);

/// What everything costs here.
const CENTS: u64 = 100;

impl pricing::Guest for Back {
    fn quote(items: Vec<Item>, wishes: Wishes) -> Result<Offer, Refusal> {
        let Some(first) = items.first() else { return Err(Refusal::NothingAsked) };
        let initial = first.name.chars().next().ok_or(Refusal::UnknownItem(String::new()))?;
        if let Some(unknown) = items.iter().find(|item| item.name.starts_with("no-")) {
            return Err(Refusal::UnknownItem(unknown.name.clone()));
        }
        let lines: Vec<(String, u64)> =
            items.iter().map(|item| (item.name.clone(), price(item))).collect();
        Ok(Offer {
            currency: Currency::Chf,
            cents: lines.iter().map(|(_, cents)| cents).sum(),
            label: label(first),
            lines,
            wishes,
            initial,
        })
    }

    fn bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }
}

fn price(item: &Item) -> u64 {
    let full = CENTS * u64::from(item.count);
    match &item.discount {
        Discount::None => full,
        Discount::Percent(off) => full * u64::from(100 - off) / 100,
        Discount::Code(_) => 0,
    }
}

/// Nothing for no label, an empty one for one that is no text.
fn label(item: &Item) -> Option<Option<String>> {
    (!item.label.is_empty()).then(|| String::from_utf8(item.label.clone()).ok())
}

impl mishaps::Guest for Back {
    fn trap() {
        panic!("asked to trap");
    }

    fn spin() {
        let mut turns = 0_u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_mul(31).wrapping_add(7));
        }
    }
}

impl echo::Guest for Back {
    fn again(times: u32) -> u32 {
        if times == 0 { 0 } else { 1 + again(times - 1) }
    }

    fn tree(depth: u32, width: u32) -> u64 {
        if depth == 0 { 1 } else { 1 + (0..width).map(|_| tree(depth - 1, width)).sum::<u64>() }
    }
}
