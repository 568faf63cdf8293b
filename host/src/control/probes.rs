//! Asking an actor, for wadm, whether it is healthy.

use std::sync::Arc;

use http::{Request, StatusCode};
use wattle_core::{
    CallError, Digest, EntityId,
    control::{Failure, FailureKind, Outcome, UserCall},
    deployment::{Component, Probe},
};

use super::Control;

impl Control {
    /// Makes the probe that the deployment declares for this program, of the one that runs here.
    pub(super) async fn probe(
        self: &Arc<Self>,
        declared: &[Component],
        program: Digest,
    ) -> Result<Outcome, Failure> {
        let declared = declared.iter().find_map(|it| Some((&it.id, it.probe.as_ref()?)));
        let Some((id, probe)) = declared else {
            return Err(Failure::new(FailureKind::Denied, "the deployment declares no probe"));
        };
        let runs = self.registry.actor(id).and_then(|(_, runs)| runs.program);
        if runs != Some(program) {
            let text = format!("{id} does not run here as the program that is to be probed");
            return Err(Failure::new(FailureKind::NotFound, text));
        }
        let unhealthy = |why: String| {
            let text = format!("{id} is not healthy: GET {}: {why}", probe.path);
            Failure::new(FailureKind::Crashed, text)
        };
        let call = call(id, probe).map_err(unhealthy)?;
        let Outcome::Reply(reply) = self.user_call(&call).await? else {
            return Err(unhealthy("no reply".to_owned()));
        };
        let reply = reply.map_err(|error: CallError| unhealthy(error.to_string()))?;
        let response = wattle_http::decode_response(&reply.result);
        let status = response.map_err(|error| unhealthy(error.to_string()))?.status();
        match status < StatusCode::BAD_REQUEST {
            true => Ok(Outcome::Done { unchanged: true, detail: Some(status.to_string()) }),
            false => Err(unhealthy(status.to_string())),
        }
    }
}

fn call(id: &EntityId, probe: &Probe) -> Result<UserCall, String> {
    let request = Request::get(&probe.path).body(()).map_err(|error| error.to_string())?;
    let (parts, ()) = request.into_parts();
    let params = wattle_http::encode_request(&parts, "http", "localhost")
        .map_err(|error| error.to_string())?;
    Ok(UserCall {
        target: id.clone(),
        interface: wattle_http::HANDLE.interface.parse().expect("it is an interface's name"),
        function: wattle_http::HANDLE.function.to_owned(),
        params,
        body: Vec::new(),
        deadline_ms: probe.within_ms,
        trace: None,
    })
}
