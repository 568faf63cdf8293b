//! Handles to resources behind a link: what an instance holds, and values with handles in them on their way in and out of it.
//!
//! A guest has an index into a table of wasmtime's, which knows the type and whether it was lent or given away. That stands for a place
//! among what the instance holds, and this for the number that the callee knows. So no guest can name what it was not given.

use std::{borrow::Cow, sync::Arc};

use slab::Slab;
use wasmtime::{
    StoreContextMut,
    component::{ResourceDynamic, Val},
};
use wattle_core::{CallError, ErrorKind, Handle};

use super::{
    release::release,
    resources::Resource,
    shape::{self, Shape, Signature},
};
use crate::{
    actors::instance::{Instance, InstanceCaller},
    router::Origin,
};

/// Handles that one instance may hold at once, and give in one call: 400 kB of the host's memory.
const HELD_MAX: usize = 16_384;

/// What one instance holds. When it ends, however it does, this is dropped where it was made.
#[derive(Default)]
pub(in crate::actors) struct Handles {
    held: Slab<Held>,
    /// Whose they are; nobody's, while there was none.
    owner: Option<Owner>,
}

/// One handle.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) handle: Handle,
    /// Where its type stands among those of the component.
    pub(super) resource: u32,
    pub(super) origin: Arc<Origin>,
}

/// What letting go of handles needs of the instance that held them.
pub(super) struct Owner {
    pub(super) caller: InstanceCaller,
    pub(super) resources: Arc<[Resource]>,
}

impl Handles {
    /// Takes a handle that came with an answer, and gives its place.
    fn hold(&mut self, held: Held) -> u32 {
        // So many handles are in no answer that fits into memory.
        u32::try_from(self.held.insert(held)).unwrap_or(u32::MAX)
    }

    /// What stands in a place.
    pub(super) fn get(&self, place: u32) -> Option<&Held> {
        self.held.get(place as usize)
    }

    /// It was dropped, or belongs to the callee now.
    pub(super) fn remove(&mut self, place: u32) {
        self.held.try_remove(place as usize);
    }

    /// What letting go of one needs.
    pub(super) const fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        if let (Some(owner), false) = (self.owner.take(), self.held.is_empty()) {
            release(owner, self.held.drain().collect());
        }
    }
}

/// What a guest gives a function, with numbers in place of handles.
pub(super) struct Given<'a> {
    pub(super) values: Vec<Cow<'a, Val>>,
    /// Where its handles were made, if it has any.
    pub(super) origin: Option<Arc<Origin>>,
    /// Places of those that the callee owns from then on.
    pub(super) handed_over: Vec<u32>,
}

/// Takes parameters out of a guest. The instance goes on to hold what it hands over, in case the call fails.
pub(super) fn lift<'a>(
    store: &mut StoreContextMut<'_, Instance>,
    signature: &Signature,
    handles: &shape::Handles,
    params: &'a [Val],
) -> Result<Given<'a>, CallError> {
    let mut given = Given { values: Vec::new(), origin: None, handed_over: Vec::new() };
    let mut count = 0;
    for ((shape, value), has_handles) in signature.params.1.iter().zip(params).zip(&handles.params)
    {
        if !has_handles {
            given.values.push(Cow::Borrowed(value));
            continue;
        }
        let mut value = value.clone();
        each(shape, &mut value, &mut |resource, owned, value| {
            let Val::Resource(guests) = *value else { return Err(unexpected()) };
            count += 1;
            if count > HELD_MAX {
                return Err(too_many("gives"));
            }
            let found = guests.try_into_resource_dynamic(&mut *store);
            let place = found.map_err(|error| malformed(&error))?.rep();
            let held = store.data().handles.get(place).filter(|held| held.resource == resource);
            let held = held.ok_or_else(unexpected)?;
            let origin = given.origin.get_or_insert_with(|| held.origin.clone());
            if !origin.is_that_of(&held.origin) {
                return Err(of_two_places(origin, &held.origin));
            }
            if owned {
                given.handed_over.push(place);
            }
            *value = Val::U32(held.handle.get());
            Ok(())
        })?;
        given.values.push(Cow::Owned(value));
    }
    Ok(given)
}

/// Makes handles of a guest's of the numbers in a result. From here on the instance holds them.
pub(super) fn lower(
    store: &mut StoreContextMut<'_, Instance>,
    resources: &Arc<[Resource]>,
    origin: &Arc<Origin>,
    shape: &Shape,
    value: &mut Val,
) -> Result<(), CallError> {
    let state = store.data_mut();
    each(shape, value, &mut |resource, _, value| {
        let Val::U32(number) = *value else { return Err(unexpected()) };
        let owner = || Owner { caller: state.caller.clone(), resources: resources.clone() };
        state.handles.owner.get_or_insert_with(owner);
        let origin = origin.clone();
        let held = Held { handle: Handle::new(number), resource, origin };
        *value = Val::U32(state.handles.hold(held));
        Ok(())
    })?;
    // Only now: those that are too many are held too, so that they are dropped with the others.
    if state.handles.held.len() > HELD_MAX {
        return Err(too_many("holds"));
    }
    each(shape, value, &mut |resource, _, value| {
        let Val::U32(place) = *value else { return Err(unexpected()) };
        let guests = ResourceDynamic::new_own(place, resource).try_into_resource_any(&mut *store);
        *value = Val::Resource(guests.map_err(|error| malformed(&error))?);
        Ok(())
    })
}

/// Does `with` to every handle in a value: its resource, whether it is owned, and what stands for it.
pub(super) fn each(
    shape: &Shape,
    value: &mut Val,
    with: &mut impl FnMut(u32, bool, &mut Val) -> Result<(), CallError>,
) -> Result<(), CallError> {
    match (shape, value) {
        (Shape::Handle { resource, owned }, value) => with(*resource, *owned, value),
        (Shape::List(of), Val::List(values)) => {
            values.iter_mut().try_for_each(|value| each(of, value, with))
        }
        (Shape::Tuple(of), Val::Tuple(values)) => {
            of.iter().zip(values).try_for_each(|(of, value)| each(of, value, with))
        }
        (Shape::Record(_, of), Val::Record(values)) => {
            of.iter().zip(values).try_for_each(|(of, (_, value))| each(of, value, with))
        }
        (Shape::Option { of, .. }, Val::Option(Some(value))) => each(of, value, with),
        (Shape::Variant(names, of), Val::Variant(name, Some(value))) => {
            let of = names.find(name).and_then(|at| of.get(at)?.as_ref());
            each(of.ok_or_else(unexpected)?, value, with)
        }
        (Shape::Result(of), Val::Result(value)) => {
            let (of, value) = match value {
                Ok(value) => (&of[0], value),
                Err(value) => (&of[1], value),
            };
            of.as_ref().zip(value.as_mut()).map_or(Ok(()), |(of, value)| each(of, value, with))
        }
        _ => Ok(()),
    }
}

fn of_two_places(one: &Origin, other: &Origin) -> CallError {
    let of = |origin: &Origin| format!("{} ({})", origin.edge.link.key(), origin.at);
    let text = format!("it was given handles of {} and of {}", of(one), of(other));
    CallError::new(ErrorKind::Denied, text)
}

fn too_many(does: &str) -> CallError {
    let text = format!("the actor {does} more than {HELD_MAX} handles");
    CallError::new(ErrorKind::LimitExceeded, text)
}

/// wasmtime lets no guest give what it does not have.
fn unexpected() -> CallError {
    CallError::new(ErrorKind::Malformed, "a handle that the instance does not hold")
}

fn malformed(error: &wasmtime::Error) -> CallError {
    CallError::new(ErrorKind::Malformed, format!("a handle: {error:#}"))
}
