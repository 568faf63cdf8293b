//! Resources that a provider offers: what it made for a caller, and the number by which that caller means it.

pub(crate) mod made;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    runtime,
    time::{Instant, sleep},
};
use tracing::warn;
use wattle_core::{
    CallError, ErrorKind, Handle, codec,
    handle::{DROPPED_LEN_MAX, Dropped},
};
use wattle_wire::Reply;

/// Looks for what nobody uses, in the time that it may be unused.
const LOOKS_PER_IDLE: u32 = 4;

/// How many handles there may be, and for how long unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleLimits {
    /// Handles at once over one link, of all instances of the actor that calls over it: 16,384 unless said otherwise, which is
    /// what a host lets one instance hold.
    pub per_link: usize,
    /// A handle that was not used for so long is dropped: 15 min unless said otherwise. Whoever held it may have died with its
    /// host, or its answer may have been lost; an instance is seldom older than its deadline of at most 10 min.
    pub idle: Duration,
}

impl Default for HandleLimits {
    fn default() -> Self {
        Self { per_link: 16_384, idle: Duration::from_secs(15 * 60) }
    }
}

/// The resources of one WIT type that a provider has made, by the link and the handle of whoever holds them.
///
/// A handle is good over the link that it was made for and no other. What it stands for is dropped
/// - when its caller drops it, or the caller's instance ends, however that ends: the host says so ([`Handles::dropped`]);
/// - when its link is deleted ([`Handles::delete_link`], which the provider calls in its own `delete_link`);
/// - when the call that made it fails or is cancelled: its answer never came to anybody;
/// - when it was not used for [`HandleLimits::idle`].
///
/// Calls that use it at that moment finish with it. Numbers start at random and are not used again for a long time, so that a handle
/// from before a restart means nothing, and not something else.
///
/// ```
/// # use std::sync::Mutex;
/// # use wattle_sdk::*;
/// # struct Cart { items: Mutex<Vec<String>> }
/// struct Shop {
///     carts: Handles<Cart>, // Handles::new("cart")
/// }
///
/// impl Shop {
///     fn answer(&self, call: &IncomingCall) -> Result<Reply, CallError> {
///         match &*call.function {
///             "[constructor]cart" => {
///                 let cart = self.carts.insert(call.link, Cart { items: Mutex::default() })?;
/// #               let _ = cart;
///                 // … answered as a `u32`
/// #               unimplemented!()
///             }
///             "[method]cart.add" => {
///                 // let Add { this, item } = decode(&call.params)?;
/// #               let this = Handle::new(1);
///                 let cart = self.carts.get(call.link, this)?;
/// #               let _ = cart;
/// #               unimplemented!()
///             }
///             "[resource-drop]cart" => self.carts.dropped(call.link, &call.params),
/// #           _ => unimplemented!()
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Handles<T> {
    resource: &'static str,
    limits: HandleLimits,
    table: Arc<Mutex<Table<T>>>,
}

#[derive(Debug)]
struct Table<T> {
    next: u32,
    links: HashMap<u32, HashMap<Handle, Held<T>>>,
    /// Whether a task looks for what nobody uses: there is one as long as there is anything.
    watched: bool,
}

#[derive(Debug)]
struct Held<T> {
    value: Arc<T>,
    used: Instant,
}

impl<T: Send + Sync + 'static> Handles<T> {
    /// None yet. `resource` is the type's WIT name, which errors name.
    pub fn new(resource: &'static str) -> Self {
        let table = Table { next: rand::random(), links: HashMap::new(), watched: false };
        let table = Arc::new(Mutex::new(table));
        Self { resource, limits: HandleLimits::default(), table }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: HandleLimits) -> Self {
        Self { limits, ..self }
    }

    /// Gives the caller over `link` a handle to `value`: what `own` results are.
    ///
    /// # Errors
    /// `LimitExceeded` where the caller holds as many as it may.
    pub fn insert(&self, link: u32, value: T) -> Result<Handle, CallError> {
        let mut table = lock(&self.table);
        let held = table.links.get(&link).map_or(0, HashMap::len);
        if held >= self.limits.per_link {
            drop(table); // before the value
            let text =
                format!("{held} {}s are in use over this link: that is the most", self.resource);
            return Err(CallError::new(ErrorKind::LimitExceeded, text));
        }
        let handle = table.free(link);
        let held = Held { value: Arc::new(value), used: Instant::now() };
        table.links.entry(link).or_default().insert(handle, held);
        if !table.watched {
            table.watched = self.watch();
        }
        let table = Arc::downgrade(&self.table);
        made::note(move || {
            let Some(table) = table.upgrade() else { return };
            let gone = lock(&table).remove(link, handle);
            drop(gone); // after the lock
        });
        Ok(handle)
    }

    /// What the handle stands for: `borrow` parameters, and `self`.
    ///
    /// # Errors
    /// `NotFound` where the caller over `link` has no such handle.
    pub fn get(&self, link: u32, handle: Handle) -> Result<Arc<T>, CallError> {
        let mut table = lock(&self.table);
        let held = table.links.get_mut(&link).and_then(|held| held.get_mut(&handle));
        let held = held.ok_or_else(|| self.unknown(handle))?;
        held.used = Instant::now();
        Ok(Arc::clone(&held.value))
    }

    /// Takes the handle from its caller: `own` parameters.
    ///
    /// # Errors
    /// `NotFound` where the caller over `link` has no such handle.
    pub fn take(&self, link: u32, handle: Handle) -> Result<Arc<T>, CallError> {
        let taken = lock(&self.table).remove(link, handle);
        taken.ok_or_else(|| self.unknown(handle))
    }

    /// Answers `[resource-drop]`, whose parameters are `params`.
    ///
    /// # Errors
    /// `Malformed` where the parameters are not [`Dropped`]. Handles that the caller does not have are none.
    pub fn dropped(&self, link: u32, params: &[u8]) -> Result<Reply, CallError> {
        let dropped: Dropped<'_> = codec::decode(params, DROPPED_LEN_MAX).map_err(|error| {
            let text = format!("what is dropped of {}: {error}", self.resource);
            CallError::new(ErrorKind::Malformed, text)
        })?;
        let mut table = lock(&self.table);
        let gone: Vec<Option<Arc<T>>> =
            dropped.handles.iter().map(|handle| table.remove(link, *handle)).collect();
        drop(table); // ahead of what a value does when it is dropped
        drop(gone);
        Ok(Reply { result: codec::encode(&()).into(), body: None })
    }

    /// Lets go of all that was made over a link: it no longer holds, so nobody can use or drop it. For the provider's own
    /// [`delete_link`](crate::Provider::delete_link).
    pub fn delete_link(&self, link: u32) {
        let gone = lock(&self.table).links.remove(&link);
        drop(gone); // after the lock
    }

    /// How many handles there are, over all links.
    pub fn len(&self) -> usize {
        lock(&self.table).links.values().map(HashMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn unknown(&self, handle: Handle) -> CallError {
        let Self { resource, limits: HandleLimits { idle, .. }, .. } = self;
        let text = format!(
            "no {resource} with the handle {handle} over this link: dropped, given away, unused for {idle:?}, or from before a restart"
        );
        CallError::new(ErrorKind::NotFound, text)
    }

    /// Starts the task that drops what nobody uses; not where there is no runtime to run it.
    fn watch(&self) -> bool {
        let Ok(runtime) = runtime::Handle::try_current() else { return false };
        let (table, idle, resource) =
            (Arc::downgrade(&self.table), self.limits.idle, self.resource);
        runtime.spawn(watch(table, idle, resource));
        true
    }
}

impl<T> Table<T> {
    /// A number that the caller over `link` does not have.
    fn free(&mut self, link: u32) -> Handle {
        loop {
            let handle = Handle::new(self.next);
            self.next = self.next.wrapping_add(1);
            if !self.links.get(&link).is_some_and(|held| held.contains_key(&handle)) {
                return handle;
            }
        }
    }

    fn remove(&mut self, link: u32, handle: Handle) -> Option<Arc<T>> {
        let held = self.links.get_mut(&link)?;
        let removed = held.remove(&handle)?;
        if held.is_empty() {
            self.links.remove(&link);
        }
        Some(removed.value)
    }

    /// Takes out what was not used for `idle`, and is not in use.
    fn idle(&mut self, idle: Duration) -> Vec<Arc<T>> {
        let is_idle =
            |held: &Held<T>| held.used.elapsed() >= idle && Arc::strong_count(&held.value) == 1;
        let mut gone = Vec::new();
        for held in self.links.values_mut() {
            gone.extend(held.extract_if(|_, held| is_idle(held)).map(|(_, held)| held.value));
        }
        self.links.retain(|_, held| !held.is_empty());
        gone
    }
}

/// Ends when there is nothing left to watch.
async fn watch<T>(table: Weak<Mutex<Table<T>>>, idle: Duration, resource: &'static str) {
    loop {
        sleep(idle / LOOKS_PER_IDLE).await;
        let Some(table) = table.upgrade() else { return };
        let (gone, watched) = {
            let mut table = lock(&table);
            let gone = table.idle(idle);
            table.watched = !table.links.is_empty();
            (gone, table.watched)
        };
        if !gone.is_empty() {
            warn!(resource, count = gone.len(), ?idle, "handles that nobody used were dropped");
        }
        if !watched {
            return;
        }
    }
}

/// A panic under the lock has left nothing half done.
fn lock<T>(table: &Mutex<Table<T>>) -> MutexGuard<'_, Table<T>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
