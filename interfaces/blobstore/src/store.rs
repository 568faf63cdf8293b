//! What a provider implements: one link's store, after parameters, limits and constraints were checked.

use std::future::Future;

use bytes::Bytes;

use crate::{
    error::Failure,
    wire::{ContainerMetadata, ObjectMetadata},
};

/// A store as one link sees it.
///
/// [`Links`](crate::Links) calls each function once per call, many at the same time, and only with names that are within the
/// contract's limits and the link's constraints. Dropping a future cancels its call, which may have run.
pub trait Store: Send + Sync + 'static {
    /// An object that is read.
    type Reading: Reading;
    /// An object that is written.
    type Writing: Writing;

    /// Makes a container; fails with [`Failure::container_exists`] where it is there.
    fn create_container(&self, name: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Deletes a container and all that is in it.
    fn delete_container(&self, name: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether a container is there.
    fn container_exists(&self, name: &str) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// What is known of a container.
    fn container_info(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<ContainerMetadata, Failure>> + Send;

    /// Opens an object to read `range` of it, and says how many bytes that is. Whatever happens to the object meanwhile, the
    /// reading gives bytes of one version of it or fails.
    fn open(
        &self,
        container: &str,
        name: &str,
        range: Range,
    ) -> impl Future<Output = Result<(u64, Self::Reading), Failure>> + Send;

    /// Begins to write an object, having found that its container is there.
    fn create(
        &self,
        container: &str,
        name: &str,
    ) -> impl Future<Output = Result<Self::Writing, Failure>> + Send;

    /// A page of the names that start with `prefix` and come behind `cursor`, in the order of their bytes. The cursor may be any
    /// text; the page's own starts with `prefix`, too, since callers see it who must not hear of other names. `limit` is between
    /// 1 and [`PAGE_NAMES_MAX`](crate::limit::PAGE_NAMES_MAX). An object that is there from the first page to the last is on one
    /// of them. Called once for each prefix that the link allows, until the caller's page is full.
    fn list(
        &self,
        container: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Failure>> + Send;

    /// What is known of an object, if it is there.
    fn object_info(
        &self,
        container: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<ObjectMetadata>, Failure>> + Send;

    /// Deletes objects, as far as they are there.
    fn delete(
        &self,
        container: &str,
        names: &[&str],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Copies an object to a name that is another. Nothing but the whole of it is ever seen there.
    fn copy(&self, src: At<'_>, dest: At<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Moves an object to a name that is another, as [`copy`](Self::copy) does, and then there is none under the first.
    fn rename(&self, src: At<'_>, dest: At<'_>)
    -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Where an object lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<'a> {
    /// Its container.
    pub container: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// An object's bytes on their way out. Dropping it closes it.
pub trait Reading: Send + 'static {
    /// The next bytes, never none of them; `None` is the end. It answers within a time that the store bounds.
    ///
    /// # Cancel safety
    /// After a future was dropped the reading is only dropped, too.
    fn read(&mut self) -> impl Future<Output = Result<Option<Bytes>, Failure>> + Send;
}

/// An object's bytes on their way in. Dropping it ahead of the end of [`commit`](Self::commit) leaves nothing that anybody sees,
/// unless the commit was about to end.
pub trait Writing: Send + 'static {
    /// Takes further bytes, and waits while it has too many. It answers within a time that the store bounds.
    fn write(&mut self, chunk: Bytes) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Makes the object visible, whole, in place of any of its name, and as durable as the store can.
    fn commit(self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// One page of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The names.
    pub names: Vec<String>,
    /// What to ask for the next page with, the last name that was looked at; nothing after the last page.
    pub cursor: Option<String>,
}

/// Which bytes of an object, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// The last byte; it may lie behind the object's.
    pub end: u64,
}

impl Range {
    /// How many bytes that is of an object of this size.
    pub fn len_in(self, size: u64) -> u64 {
        let end = self.end.saturating_add(1).min(size);
        end.saturating_sub(self.start)
    }

    /// Whether it is the whole of every object.
    pub fn is_all(self) -> bool {
        self.start == 0 && self.end == u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_stops_with_the_object() {
        let len = |start, end, size| Range { start, end }.len_in(size);
        assert_eq!(len(0, 0, 10), 1);
        assert_eq!(len(2, 4, 10), 3);
        assert_eq!(len(8, 20, 10), 2);
        assert_eq!(len(0, u64::MAX, 10), 10);
        assert_eq!(len(u64::MAX, u64::MAX, u64::MAX), 0);
        assert_eq!(len(10, 20, 10), 0);
        assert_eq!(len(0, 0, 0), 0);
    }
}
