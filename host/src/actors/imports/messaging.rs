//! `wasmcloud:messaging/consumer`: what an actor publishes and asks for is a call over its link. What it handles comes to it through
//! `actors/messaging.rs`.

use wasmtime::component::Linker;
use wattle_messaging::{BrokerMessage, Caller};

use super::WholeInstance;
use crate::actors::instance::{Instance, InstanceCaller};

wasmtime::component::bindgen!({
    path: "../interfaces/messaging/wit",
    world: "imports",
    imports: { default: async | trappable },
});

use wasmcloud::messaging::{consumer, types};

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

impl Instance {
    fn broker(&self) -> Caller<InstanceCaller> {
        Caller::new(self.caller.clone())
    }
}

impl types::Host for &mut Instance {}

impl consumer::Host for &mut Instance {
    async fn request(
        &mut self,
        subject: String,
        body: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<types::BrokerMessage, String>> {
        let answer = self.broker().request(&subject, &body, timeout_ms).await;
        Ok(answer.map(message).map_err(|failure| failure.to_string()))
    }

    async fn publish(
        &mut self,
        message: types::BrokerMessage,
    ) -> wasmtime::Result<Result<(), String>> {
        let types::BrokerMessage { subject, body, reply_to } = message;
        let sent = self.broker().publish(&subject, &body, reply_to.as_deref()).await;
        Ok(sent.map_err(|failure| failure.to_string()))
    }
}

fn message(message: BrokerMessage<'static>) -> types::BrokerMessage {
    types::BrokerMessage {
        subject: message.subject.into_owned(),
        body: message.body.into_owned(),
        reply_to: message.reply_to,
    }
}
