//! `wasmcloud:secrets`: a secret is read over the actor's link, on this host, and stays in its instance; to see what it says is a
//! grant of its own.

use wasmtime::component::{Linker, Resource};
use wattle_core::{CallError, ErrorKind, codec};

use super::WholeInstance;
use crate::{
    actors::{
        bridge::ImportFailed,
        instance::{Instance, InstanceCaller},
    },
    builtin::secrets::{ANSWER_LEN_MAX, Answer, GET, REVEAL, STORE, SecretValue, SecretsError},
};

wasmtime::component::bindgen!({
    path: "../interfaces/secrets/wit",
    world: "imports",
    imports: { default: async | trappable },
    with: { "wasmcloud:secrets/store.secret": Secret },
});

use wasmcloud::secrets::{reveal, store};

/// The one function of the interface that is named after it.
const SHOW: &str = "reveal";

/// A secret that an instance has read.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Secret(SecretValue);

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

async fn read(caller: &InstanceCaller, key: &str) -> Result<SecretValue, SecretsError> {
    let answer = caller.call(STORE, GET, codec::encode(&(key,))).await.and_then(|result| {
        let answer = codec::decode::<Answer>(&result, ANSWER_LEN_MAX);
        answer.map_err(|error| CallError::new(ErrorKind::Malformed, error.to_string()))
    });
    answer.unwrap_or_else(|CallError { kind, message, .. }| {
        Err(SecretsError::Upstream(format!("{}: {message}", kind.as_str())))
    })
}

impl store::Host for &mut Instance {
    async fn get(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Secret>, store::SecretsError>> {
        match read(&self.caller, &key).await {
            Ok(value) => Ok(Ok(self.table.push(Secret(value))?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl store::HostSecret for &mut Instance {
    async fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl reveal::Host for &mut Instance {
    /// The contract has no error here, so that what is not granted ends the actor, as any import without one does.
    async fn reveal(&mut self, secret: Resource<Secret>) -> wasmtime::Result<store::SecretValue> {
        self.caller.may(REVEAL, SHOW).map_err(|error| ImportFailed::new(REVEAL, SHOW, error))?;
        Ok(match &self.table.get(&secret)?.0 {
            SecretValue::String(text) => store::SecretValue::String(text.clone()),
            SecretValue::Bytes(bytes) => store::SecretValue::Bytes(bytes.clone()),
        })
    }
}

impl From<SecretsError> for store::SecretsError {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Upstream(message) => Self::Upstream(message),
            SecretsError::Io(message) => Self::Io(message),
            SecretsError::NotFound => Self::NotFound,
        }
    }
}
