//! `wasi:http/types`: what is added to wasmtime's. Some of what a guest gives there is kept outside of its memory and has no limit of
//! its own.

use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi_http::{
    WasiHttpView as _,
    p2::bindings::http::types::{
        ErrorCode, HostOutgoingRequest as _, HostResponseOutparam as _, Method, OutgoingRequest,
        OutgoingResponse, ResponseOutparam,
    },
};

use crate::actors::instance::Instance;

/// The version that wasmtime links, under whose name its functions are replaced.
const TYPES: &str = "wasi:http/types@0.2.12";

/// The most bytes of a method's name; the longest that is registered has 17 (RFC 9110, 16.1).
const METHOD_LEN_MAX: usize = 64;

/// The most bytes of a host with its port and what may stand ahead of it; a name in the DNS has at most 253.
const AUTHORITY_LEN_MAX: usize = 1_024;

/// What `wasi:http` has in place of a reason.
type Refused = Result<(), ()>;

/// Takes the places of three functions that are linked already.
pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[method]outgoing-request.set-method", set_method)?;
    types.func_wrap("[method]outgoing-request.set-authority", set_authority)?;
    types.func_wrap("[static]response-outparam.set", answer)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn set_method(
    mut store: StoreContextMut<'_, Instance>,
    (request, method): (Resource<OutgoingRequest>, Method),
) -> wasmtime::Result<(Refused,)> {
    if matches!(&method, Method::Other(name) if name.len() > METHOD_LEN_MAX) {
        return Ok((Err(()),));
    }
    Ok((store.data_mut().http().set_method(request, method)?,))
}

fn set_authority(
    mut store: StoreContextMut<'_, Instance>,
    (request, authority): (Resource<OutgoingRequest>, Option<String>),
) -> wasmtime::Result<(Refused,)> {
    if authority.as_ref().is_some_and(|authority| authority.len() > AUTHORITY_LEN_MAX) {
        return Ok((Err(()),));
    }
    Ok((store.data_mut().http().set_authority(request, authority)?,))
}

/// The head of the response is out, with which the call's deadline ends.
fn answer(
    mut store: StoreContextMut<'_, Instance>,
    (out, response): (Resource<ResponseOutparam>, Result<Resource<OutgoingResponse>, ErrorCode>),
) -> wasmtime::Result<()> {
    let instance = store.data_mut();
    instance.http().set(out, response)?;
    instance.caller.is_answered = true;
    Ok(())
}
