//! Prints labels for parcels: `POST /` takes addresses, a blank line between them, whose last line is the parcel's number.

/// What it calls: the contract of `label-printer`.
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package local:actor;

            world calls {
                import example:labels/printer@0.1.0;
            }
        ",
        path: "../label-printer/wit",
        world: "local:actor/calls",
        generate_all,
    });
}

use bindings::example::labels::printer::{
    self, Code, Condition, Element, Error, Label, Place, Receipt, Size, Style, Symbology, Text,
};
use wattle::{Request, Response, Result};

wattle::http!(answer);

/// Bytes of all addresses.
const ADDRESSES_LEN_MAX: usize = 64 * 1024;
/// In tenths of a millimetre.
const LABEL: Size = Size { width: 1_000, height: 600 };
const MARGIN: u16 = 40;
const LINE: u16 = 50;

fn answer(request: Request) -> Result<Response> {
    match (request.method().as_str(), request.path()) {
        ("GET", "/") => Ok(status()),
        ("POST", path @ ("/" | "/preview")) => {
            let copies = request.query("copies").map(str::parse).transpose()?;
            let preview = path == "/preview";
            let body = String::from_utf8(request.body().bytes(ADDRESSES_LEN_MAX)?)?;
            let blocks = body.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
            let addresses: Vec<&str> = blocks.collect();
            Ok(if preview { show(&addresses) } else { print(&addresses, copies) })
        }
        _ => Ok(Response::text("POST / addresses, or GET / how the printer is\n").status(405)),
    }
}

fn status() -> Response {
    match printer::status() {
        Ok(state) if state.condition == Condition::empty() => {
            Response::text(format!("ready, {} waiting\n", state.waiting))
        }
        Ok(state) => Response::text(format!("{}\n", standing(state.condition))),
        Err(error) => failed(&error),
    }
}

fn print(addresses: &[&str], copies: Option<u16>) -> Response {
    let labels = match labels(addresses) {
        Ok(labels) => labels,
        Err(error) => return failed(&error),
    };
    let printed: Vec<std::result::Result<Receipt, Error>> = match &labels[..] {
        [one] => vec![one.print(copies)],
        _ => printer::print_all(labels),
    };
    if let Some(error) = printed.iter().find_map(|printed| printed.as_ref().err()) {
        return failed(error);
    }
    Response::text(format!("{} printed\n", printed.len()))
}

/// What the printer would be sent.
fn show(addresses: &[&str]) -> Response {
    match labels(addresses) {
        Ok(labels) => {
            Response::new(labels.iter().flat_map(|label| label.preview()).collect::<Vec<u8>>())
        }
        Err(error) => failed(&error),
    }
}

/// Each with its sender, which all have alike.
fn labels(addresses: &[&str]) -> std::result::Result<Vec<Label>, Error> {
    let blank = Label::new(LABEL)?;
    blank.add(&[
        Element::Frame((Place { x: 0, y: 0 }, LABEL)),
        text(0, Style::INVERTED, "Wattle Tea, Bahnhofstrasse 1, 8001 Zürich"),
    ])?;
    let with_address = |address: &&str| {
        let label = blank.copy();
        label.add(&elements(address))?;
        Ok(label)
    };
    addresses.iter().map(with_address).collect()
}

fn elements(address: &str) -> Vec<Element> {
    let lines: Vec<&str> = address.lines().map(str::trim).collect();
    let (number, lines) = lines.split_last().unwrap_or((&"", &[]));
    let numbered = lines.iter().zip(2_u16..);
    let mut elements: Vec<Element> =
        numbered.map(|(line, row)| text(row, Style::empty(), line)).collect();
    let code = |x, symbology, height| {
        let at = Place { x, y: LABEL.height - 200 };
        Element::Code(Code { at, symbology, height, content: (*number).to_owned() })
    };
    elements.push(code(MARGIN, Symbology::Code128, Some(100)));
    elements.push(code(LABEL.width - 240, Symbology::Qr, None));
    elements
}

fn text(row: u16, style: Style, content: &str) -> Element {
    // A line too many is below the label, which the printer says.
    let at = Place { x: MARGIN, y: row.saturating_mul(LINE).saturating_add(MARGIN) };
    Element::Text(Text { at, height: 35, style, content: content.to_owned() })
}

fn standing(condition: Condition) -> String {
    let named = [
        (Condition::PAPER_OUT, "no paper"),
        (Condition::RIBBON_OUT, "no ribbon"),
        (Condition::HEAD_OPEN, "an open head"),
        (Condition::PAUSED, "somebody paused it"),
    ];
    let set = named.into_iter().filter(|(flag, _)| condition & *flag == *flag);
    let why: Vec<&str> = set.map(|(_, why)| why).collect();
    format!("the printer stands still: {}", why.join(", "))
}

fn failed(error: &Error) -> Response {
    let (status, why) = match error {
        Error::Invalid(why) => (422, why.clone()),
        Error::Denied(why) => (403, why.clone()),
        Error::Offline(why) => (503, format!("the printer is not there: {why}")),
        Error::Stopped(condition) => (503, standing(*condition)),
        Error::Interrupted(why) => (502, format!("it may have printed: {why}")),
    };
    Response::text(format!("{why}\n")).status(status)
}
