//! Orders over messages: `POST /` takes an order and publishes it; the same actor is told of each, checks it, and publishes what became
//! of it. One that fails comes again, and after some tries goes to the dead letters.

use wattle::{Request, Response, Result, messaging, messaging::Message};

wattle::http!(take);
wattle::messages!(handle);

const NEW: &str = "orders.new";
const ACCEPTED: &str = "orders.accepted";

/// Bytes of an order.
const ORDER_LEN_MAX: usize = 64 * 1024;

fn take(request: Request) -> Result<Response> {
    if request.method() != "POST" {
        return Ok(Response::text("POST an order: an item and a count\n").status(405));
    }
    messaging::publish(NEW, request.body().bytes(ORDER_LEN_MAX)?)?;
    // The broker has it: from here on it is not lost.
    Ok(Response::text("taken\n").status(202))
}

fn handle(message: Message) -> Result<()> {
    let order = String::from_utf8(message.body)?;
    let (item, count) = order
        .trim()
        .rsplit_once(' ')
        .and_then(|(item, count)| Some((item, count.parse::<u32>().ok()?)))
        .ok_or_else(|| wattle::Error::msg(format!("not an order: {order:?}")))?;
    messaging::publish(ACCEPTED, format!("{count} of {item}"))?;
    Ok(())
}
