//! `wasmcloud:secrets`: a secret is read over the actor's link, on this host, and stays in its instance; to see what it says is a
//! grant of its own.

use std::sync::Arc;

use wasmtime::component::{Linker, Resource};
use wattle_core::{CallError, ErrorKind, codec};

use super::WholeInstance;
use crate::{
    actors::{
        bridge::ImportFailed,
        instance::{Instance, InstanceCaller},
    },
    builtin::secrets::{ANSWER_LEN_MAX, Answer, GET, REVEAL, STORE, SecretValue, SecretsError},
    router::Origin,
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

/// A secret that an instance has read, and over which link: no other link shows it.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Secret {
    value: SecretValue,
    origin: Arc<Origin>,
}

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

async fn read(caller: &InstanceCaller, key: &str) -> Result<Secret, SecretsError> {
    let failed = |CallError { kind, message, .. }: CallError| {
        SecretsError::Upstream(format!("{}: {message}", kind.as_str()))
    };
    let called = caller.call_with_handles(STORE, GET, &[], None, codec::encode(&(key,))).await;
    let (result, origin) = called.map_err(failed)?;
    let answer = codec::decode::<Answer>(&result, ANSWER_LEN_MAX)
        .map_err(|error| failed(CallError::new(ErrorKind::Malformed, error.to_string())))?;
    Ok(Secret { value: answer?, origin })
}

impl store::Host for &mut Instance {
    async fn get(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Secret>, store::SecretsError>> {
        match read(&self.caller, &key).await {
            Ok(secret) => Ok(Ok(self.table.push(secret)?)),
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
        let Secret { value, origin } = self.table.get(&secret)?;
        let may = self.caller.may(origin, REVEAL, SHOW);
        may.map_err(|error| ImportFailed::new(REVEAL, SHOW, error))?;
        Ok(match value {
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
