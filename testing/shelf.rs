//! A provider of resources, over an interface of the tests' own (`guests/holder/wit/shelf.wit`).

use std::{process::ExitCode, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wattle_core::{
    call::{PARAMS_LEN_MAX, unknown_function},
    codec,
};
use wattle_sdk::{
    CallError, Context, ErrorKind, Handle, Handles, IncomingCall, LinkDetail, LinkError, LinkGrant,
    Provider, Reply, StartError,
};

const THINGS: &str = "wattle-test:shelf/things";
const DESK: &str = "wattle-test:shelf/desk";

fn main() -> ExitCode {
    wattle_sdk::main::<Shelf>()
}

struct Shelf {
    things: Handles<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Join {
    taken: Handle,
    lent: Handle,
}

#[derive(Deserialize)]
struct OfOne {
    #[serde(rename = "self")]
    this: Handle,
}

#[derive(Deserialize)]
struct Many {
    count: u32,
}

#[derive(Deserialize)]
struct Look {
    at: Vec<Handle>,
}

#[derive(Deserialize)]
struct Repack {
    parcel: Parcel,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Parcel {
    label: String,
    content: Content,
    spare: Option<(Option<Handle>,)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Content {
    Nothing,
    One(Handle),
    Several(Vec<Handle>),
}

impl Provider for Shelf {
    async fn start(_: Context) -> Result<Self, StartError> {
        Ok(Self { things: Handles::new("thing") })
    }

    async fn put_link(&self, _: LinkGrant) -> Result<LinkDetail, LinkError> {
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.things.delete_link(link);
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let answer = self.answer(&call);
        async move { answer }
    }
}

impl Shelf {
    fn answer(&self, call: &IncomingCall) -> Result<Reply, CallError> {
        let link = call.link;
        match (&*call.interface, &*call.function) {
            (THINGS, "[constructor]thing") => {
                let Named { name } = params(call)?;
                reply(&self.things.insert(link, name)?)
            }
            (THINGS, "[static]thing.make") => {
                let Named { name } = params(call)?;
                let refused = name.starts_with("no-");
                let made = if refused { Err(name) } else { Ok(self.things.insert(link, name)?) };
                reply(&made)
            }
            (THINGS, "[static]thing.join") => {
                let Join { taken, lent } = params(call)?;
                let lent = self.things.get(link, lent)?;
                let taken = self.things.take(link, taken)?;
                reply(&self.things.insert(link, format!("{taken}+{lent}"))?)
            }
            (THINGS, "[method]thing.name") => {
                let OfOne { this } = params(call)?;
                reply(&*self.things.get(link, this)?)
            }
            (THINGS, "[resource-drop]thing") => self.things.dropped(link, &call.params),
            (THINGS, "many") => {
                let Many { count } = params(call)?;
                let made = (0..count).map(|at| self.things.insert(link, at.to_string()));
                reply(&made.collect::<Result<Vec<Handle>, _>>()?)
            }
            (DESK, "repack") => {
                let Repack { parcel } = params(call)?;
                reply(&self.repack(link, parcel)?)
            }
            (DESK, "look") => {
                let Look { at } = params(call)?;
                reply(&at.into_iter().map(|at| self.name(link, at)).collect::<Result<Vec<_>, _>>()?)
            }
            (DESK, "kept") => reply(&self.things.len()),
            (interface, function) => Err(unknown_function(interface, function)),
        }
    }

    fn name(&self, link: u32, handle: Handle) -> Result<String, CallError> {
        self.things.get(link, handle).map(|name| (*name).clone())
    }

    /// Takes what is in the parcel and gives it back under other numbers.
    fn repack(&self, link: u32, parcel: Parcel) -> Result<Result<Parcel, String>, CallError> {
        let mut names = Vec::new();
        let mut turn = |handle| {
            let name = self.things.take(link, handle)?;
            names.push((*name).clone());
            self.things.insert(link, (*name).clone())
        };
        let content = match parcel.content {
            Content::Nothing => Content::Nothing,
            Content::One(one) => Content::One(turn(one)?),
            Content::Several(several) => {
                Content::Several(several.into_iter().map(&mut turn).collect::<Result<_, _>>()?)
            }
        };
        let spare = match parcel.spare {
            Some((Some(spare),)) => Some((Some(turn(spare)?),)),
            other => other,
        };
        if names.is_empty() {
            return Ok(Err(format!("nothing in {}", parcel.label)));
        }
        Ok(Ok(Parcel { label: names.join(" and "), content, spare }))
    }
}

fn params<T: DeserializeOwned>(call: &IncomingCall) -> Result<T, CallError> {
    codec::decode(&call.params, PARAMS_LEN_MAX)
        .map_err(|error| CallError::new(ErrorKind::Malformed, error.to_string()))
}

fn reply(value: &impl Serialize) -> Result<Reply, CallError> {
    Ok(Reply { result: codec::encode(value).into(), body: None })
}
